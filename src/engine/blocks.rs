//! Blocks for large reads: their messages are slices of them. Knows no frame.

use bytes::BytesMut;

/// A block takes this many bytes: four messages of 64 KiB with their headers.
pub(crate) const BLOCK: usize = 256 * 1024 + 256;

/// How many blocks a thread keeps.
const KEPT: usize = 4;

/// The blocks of a thread, each of which is used again once nobody has a slice of it.
#[derive(Debug, Default)]
pub(crate) struct Blocks(Vec<BytesMut>);

impl Blocks {
    /// Takes an empty block.
    pub(crate) fn take(&mut self) -> BytesMut {
        let free = self.0.iter_mut().position(|block| block.try_reclaim(BLOCK));
        free.map_or_else(|| BytesMut::with_capacity(BLOCK), |free| self.0.swap_remove(free))
    }

    /// Keeps a block, in the place of another if need be. Its slices live on.
    pub(crate) fn keep(&mut self, mut block: BytesMut) {
        block.clear();
        if self.0.len() == KEPT {
            self.0.swap_remove(0);
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
        let mut block = blocks.take();
        block.resize(BLOCK, 7);
        let at = block.as_ptr();
        let slice = block.split_to(1000).freeze();
        blocks.keep(block);
        let other = blocks.take();
        assert_ne!(other.as_ptr(), at);
        assert_eq!((other.len(), slice.len()), (0, 1000));
        drop(slice);
        blocks.keep(other);
        let again = [blocks.take(), blocks.take()].map(|block| (block.as_ptr() == at, block.len()));
        assert!(again.contains(&(true, 0)), "{again:?}");
    }

    #[test]
    fn what_a_thread_keeps_is_bounded() {
        let mut blocks = Blocks::default();
        let taken: Vec<BytesMut> = (0..10).map(|_| blocks.take()).collect();
        taken.into_iter().for_each(|block| blocks.keep(block));
        assert_eq!(blocks.0.len(), KEPT);
    }
}
