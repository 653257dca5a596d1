//! C zlib as the oracle of RFC 7692: what it decompresses is compressed right, and what it compresses any peer may
//! send. Knows raw deflate and the tail that messages go without; no frames.

mod deflater;
mod inflater;

pub use deflater::{Deflater, Flush, Strategy};
pub use inflater::{InflateError, Inflater};

/// What ends a flushed block, and stands at the end of no message (RFC 7692 §7.2.1).
pub const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
