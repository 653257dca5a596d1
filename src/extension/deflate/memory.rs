//! What a connection keeps between two messages. Knows no zlib and no header.

use crate::extension::deflate::agreement::{MAX_WINDOW_BITS, MIN_WINDOW_BITS};

/// What a connection keeps between two compressed messages, so that the next one can refer to the last.
///
/// Figures for each are in [the guide](crate::docs::compression).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MemoryMode {
    /// zlib's own state for each direction, made with its first compressed message.
    Dedicated,
    /// The last bytes of plain text of each direction, which are replayed into a state that the thread's
    /// connections share. `history` is their number, clamped to 256 to 4,096.
    ///
    /// The peer is asked to keep to a window of that size (the next power of two, 512 at least), or, if it
    /// can't, to keep none.
    Compact {
        /// Bytes of plain text kept for each direction.
        history: usize,
    },
    /// Nothing: each message stands alone. The peer is asked for the same.
    NoTakeover,
}

impl Default for MemoryMode {
    /// [`Compact`](Self::Compact) with 2,048 bytes.
    fn default() -> Self {
        Self::Compact { history: 2048 }
    }
}

impl MemoryMode {
    /// Returns the mode with its number in range.
    pub(super) fn in_range(self) -> Self {
        match self {
            Self::Compact { history } => Self::Compact { history: history.clamp(256, 4096) },
            other => other,
        }
    }

    /// Tells whether anything is kept from message to message.
    pub(super) fn takes_over(self) -> bool {
        self != Self::NoTakeover
    }

    /// Returns the largest window that the peer may use across messages, as a power of two.
    pub(super) fn peer_bits(self) -> u8 {
        match self {
            Self::Compact { history } => (history.next_power_of_two().ilog2() as u8).max(MIN_WINDOW_BITS),
            Self::Dedicated | Self::NoTakeover => MAX_WINDOW_BITS,
        }
    }
}

/// The last bytes of plain text of one direction.
#[derive(Debug)]
pub(super) struct History {
    bytes: Vec<u8>,
    size: usize,
}

impl History {
    /// Begins without any, and keeps at most `size`.
    pub(super) fn new(size: usize) -> Self {
        Self { bytes: Vec::new(), size }
    }

    /// Returns what is kept, oldest first.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Appends plain text, and drops what is too old.
    pub(super) fn append(&mut self, plain: &[u8]) {
        let plain = &plain[plain.len().saturating_sub(self.size)..];
        let kept = self.bytes.len().min(self.size - plain.len());
        self.bytes.drain(..self.bytes.len() - kept);
        let wanted = kept + plain.len();
        if wanted > self.bytes.capacity() {
            let capacity = wanted.max(self.bytes.capacity() * 2).min(self.size);
            self.bytes.reserve_exact(capacity - kept);
        }
        self.bytes.extend_from_slice(plain);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn history_is_the_end_of_all_that_was_said(
            said in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..20),
            size in 1_usize..64,
        ) {
            let mut history = History::new(size);
            for plain in &said {
                history.append(plain);
                prop_assert!(history.bytes.capacity() <= size);
            }
            let all = said.concat();
            prop_assert_eq!(history.bytes(), &all[all.len().saturating_sub(size)..]);
        }
    }

    #[test]
    fn the_peers_window_is_never_larger_than_what_is_kept_of_it() {
        for history in 0..5000 {
            let mode = MemoryMode::Compact { history }.in_range();
            let bits = mode.peer_bits();
            assert!((9..=12).contains(&bits), "{history}: {bits}");
        }
    }
}
