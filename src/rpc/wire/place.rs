//! Where the reading of a message goes on. Knows no frame.

use std::{ops::Range, vec};

/// Where the reading of a message goes on that was left between two frames.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    /// At this byte.
    At(usize),
    /// Nowhere: all was read.
    End,
    /// With these elements of a batch, which stand at these bytes.
    Batch { number: u64, elements: vec::IntoIter<Range<usize>> },
}

impl Default for Place {
    fn default() -> Self {
        Self::At(0)
    }
}

impl Place {
    /// Returns the bytes that are not read yet, where they are read one frame behind the other.
    pub(super) fn rest(self, bytes: &[u8]) -> &[u8] {
        match self {
            Self::At(at) => bytes.get(at..).unwrap_or_default(),
            Self::End | Self::Batch { .. } => &[],
        }
    }
}
