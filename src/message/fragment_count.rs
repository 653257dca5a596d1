//! How many frames a message may have. Knows no payload.

use crate::frame::{CloseCode, ProtocolError};

/// Fragments that any message may have.
const FREE_FRAGMENTS: u64 = 1024;
/// Received bytes that allow for one more fragment.
const BYTES_PER_FRAGMENT: u64 = 32;

const TOO_MANY_FRAGMENTS: ProtocolError =
    ProtocolError::new(CloseCode::POLICY_VIOLATION, "limit", "too many fragments for so few bytes");

/// Counts the frames of the message under way, and their bytes as the headers declare them.
#[derive(Debug, Default)]
pub(crate) struct FragmentCount {
    fragments: u64,
    bytes: u64,
}

impl FragmentCount {
    /// Counts a frame in.
    pub(crate) fn add(&mut self, len: u64) -> Result<(), ProtocolError> {
        if self.fragments >= FREE_FRAGMENTS + self.bytes / BYTES_PER_FRAGMENT {
            return Err(TOO_MANY_FRAGMENTS);
        }
        self.fragments += 1;
        self.bytes += len;
        Ok(())
    }

    /// Counts the bytes of a frame that an extension made, and not the frame: those are counted as they arrive.
    pub(crate) fn add_made(&mut self, len: u64) {
        self.bytes += len;
    }

    /// Returns the bytes counted since the message began.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn many_fragments_need_many_bytes() {
        let mut count = FragmentCount::default();
        for _ in 0..FREE_FRAGMENTS {
            count.add(0).unwrap();
        }
        assert_eq!(count.add(0).map_err(|error| error.close_code().get()), Err(1008));
        let mut count = FragmentCount::default();
        count.add(64).unwrap();
        for _ in 0..FREE_FRAGMENTS + 1 {
            count.add(0).unwrap();
        }
        assert_eq!(count.add(0), Err(TOO_MANY_FRAGMENTS));
    }
}
