//! Blocks for large reads: their messages are slices of them. Knows no frame.

use bytes::BytesMut;

/// The largest block takes this many bytes: four messages of 64 KiB with their headers.
pub(crate) const BLOCK: usize = 256 * 1024 + 256;
/// The smaller one: eight messages of 16 KiB.
const SMALLER: usize = 128 * 1024 + 256;

/// A message is a slice of its block if it has at least this part of it, and a copy else: so it pins no more than that many
/// times its length, and some bytes of headers.
pub(super) const SHARE: usize = 8;

/// How many blocks a thread keeps.
const KEPT: usize = 4;

/// Returns the size of the block whose slices messages of so many bytes can be.
pub(crate) fn block_for(len: usize) -> usize {
    if len.saturating_mul(SHARE) < BLOCK - SHARE * 32 { SMALLER } else { BLOCK }
}

/// The blocks of a thread, each of which is used again once nobody has a slice of it.
#[derive(Debug, Default)]
pub(super) struct Blocks(Vec<Block>);

/// Bytes that were read, or place for them.
#[derive(Debug)]
pub(super) struct Block {
    pub(super) bytes: BytesMut,
    /// Of its allocation.
    size: usize,
}

impl Block {
    /// Makes a block of bytes that were read otherwise; it is not used again.
    pub(super) fn of(bytes: BytesMut) -> Self {
        Self { size: bytes.len(), bytes }
    }

    /// Tells whether so many bytes are better a slice of it than a copy.
    pub(super) fn is_worth_a_slice(&self, len: usize) -> bool {
        len.saturating_mul(SHARE) + SHARE * 32 >= self.size
    }
}

impl Blocks {
    /// Takes an empty block of a size.
    pub(super) fn take(&mut self, size: usize) -> Block {
        let free = self.0.iter_mut().position(|block| block.size == size && block.bytes.try_reclaim(size));
        let new = || Block { bytes: BytesMut::with_capacity(size), size };
        free.map_or_else(new, |free| self.0.swap_remove(free))
    }

    /// Keeps a block, in the place of the oldest if need be. Its slices live on.
    pub(super) fn keep(&mut self, mut block: Block) {
        if block.size != BLOCK && block.size != SMALLER {
            return;
        }
        block.bytes.clear();
        if self.0.len() == KEPT {
            self.0.remove(0);
        }
        self.0.push(block);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_used_again_when_its_slices_are_gone() {
        let mut blocks = Blocks::default();
        let mut block = blocks.take(BLOCK);
        block.bytes.resize(BLOCK, 7);
        let at = block.bytes.as_ptr();
        let slice = block.bytes.split_to(1000).freeze();
        blocks.keep(block);
        let other = blocks.take(BLOCK);
        assert_ne!(other.bytes.as_ptr(), at);
        assert_eq!((other.bytes.len(), slice.len()), (0, 1000));
        drop(slice);
        blocks.keep(other);
        let again = [blocks.take(BLOCK), blocks.take(BLOCK)];
        assert!(again.iter().any(|block| block.bytes.as_ptr() == at));
        assert!(again.iter().all(|block| block.bytes.is_empty() && block.bytes.capacity() >= BLOCK));
    }

    #[test]
    fn what_a_thread_keeps_is_bounded() {
        let mut blocks = Blocks::default();
        let taken: Vec<Block> = (0..10).map(|_| blocks.take(BLOCK)).collect();
        taken.into_iter().for_each(|block| blocks.keep(block));
        blocks.keep(Block::of(BytesMut::from(&[7; 100][..])));
        assert_eq!(blocks.0.len(), KEPT);
    }

    #[test]
    fn a_message_fits_the_block_that_is_taken_for_it() {
        for len in [16 * 1024, 20_000, 32 * 1024, 64 * 1024, 256 * 1024] {
            assert!(Blocks::default().take(block_for(len)).is_worth_a_slice(len), "{len} bytes");
        }
        let largest = Blocks::default().take(BLOCK);
        assert!(!largest.is_worth_a_slice(30_000));
    }
}
