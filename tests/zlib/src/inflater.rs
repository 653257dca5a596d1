//! The receiving side, stricter than zlib is by itself. Knows nothing of how it was compressed.

use std::{error::Error, ffi::c_int, fmt, mem::MaybeUninit};

use libz_sys as z;

use crate::TAIL;

/// `data_type` behind a call that stopped between two blocks.
const BETWEEN_BLOCKS: c_int = 128;
/// The part of `data_type` that counts the bits of the last byte that are still to be read.
const BITS_LEFT: c_int = 7;
const PIECE: usize = 64 * 1024;

/// A payload is not a compressed message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InflateError {
    /// No deflate, or a reference beyond the window; in zlib's words.
    Data(String),
    /// With its tail, the payload does not end where a block does.
    Unfinished,
}

/// Decompresses messages one behind the other, in one window (RFC 7692 §7.2.2).
pub struct Inflater {
    stream: Box<MaybeUninit<z::z_stream>>,
    piece: usize,
}

impl Inflater {
    /// Builds one that refuses references to more than `1 << window_bits` bytes back.
    ///
    /// # Panics
    /// `window_bits` is not in `8..=15`.
    #[must_use]
    pub fn new(window_bits: u8) -> Self {
        assert!((8..=15).contains(&window_bits), "no window has {window_bits} bits");
        let mut stream = Box::new(MaybeUninit::zeroed());
        // SAFETY: the stream is all zero, which asks for zlib's own allocator, and stays at its address.
        let status = unsafe {
            z::inflateInit2_(
                stream.as_mut_ptr(),
                -c_int::from(window_bits),
                z::zlibVersion(),
                size_of::<z::z_stream>() as c_int,
            )
        };
        assert_eq!(status, z::Z_OK);
        // zlib takes what one call has written for a part of the window. A call that writes one byte can reach
        // back no further than the window; the largest window is as large as references can be.
        let piece = if window_bits < 15 { 1 } else { PIECE };
        Self { stream, piece }
    }

    /// Decompresses a message's payload, to which it adds the tail.
    ///
    /// # Errors
    /// The payload is wrong, or ends inside a block. The window is of no use any more.
    pub fn inflate_message(&mut self, payload: &[u8]) -> Result<Vec<u8>, InflateError> {
        let mut out = Vec::new();
        self.pull(payload, &mut out)?;
        let len = out.len();
        let between_blocks = self.pull(&TAIL, &mut out)?;
        // A stored block that was cut takes the tail for its data.
        if between_blocks && out.len() == len { Ok(out) } else { Err(InflateError::Unfinished) }
    }

    /// Forgets all earlier messages.
    pub fn reset(&mut self) {
        // SAFETY: initialised by `new`.
        let status = unsafe { z::inflateReset(self.stream.as_mut_ptr()) };
        assert_eq!(status, z::Z_OK);
    }

    /// Decompresses a part of a message; tells whether its last bit is the last one of a block.
    fn pull(&mut self, mut rest: &[u8], out: &mut Vec<u8>) -> Result<bool, InflateError> {
        loop {
            let start = out.len();
            out.resize(start + self.piece, 0);
            // SAFETY: initialised by `new`.
            let stream = unsafe { self.stream.assume_init_mut() };
            stream.next_in = rest.as_ptr().cast_mut();
            stream.avail_in = rest.len() as z::uInt;
            stream.next_out = out[start..].as_mut_ptr();
            stream.avail_out = self.piece as z::uInt;
            // SAFETY: both buffers outlive the call, and zlib does not write to its input.
            let status = unsafe { z::inflate(stream, z::Z_SYNC_FLUSH) };
            let full = stream.avail_out == 0;
            rest = &rest[rest.len() - stream.avail_in as usize..];
            out.truncate(start + self.piece - stream.avail_out as usize);
            let between_blocks = stream.data_type & (BETWEEN_BLOCKS | BITS_LEFT) == BETWEEN_BLOCKS;
            match status {
                // Behind a block that says that it's the last one another stream begins (RFC 7692 §7.2.3.4).
                z::Z_STREAM_END => {
                    self.reset();
                    if rest.is_empty() {
                        return Ok(true);
                    }
                }
                z::Z_OK if full || !rest.is_empty() => {}
                z::Z_OK | z::Z_BUF_ERROR => return Ok(between_blocks),
                _ => return Err(InflateError::Data(message(stream))),
            }
        }
    }
}

fn message(stream: &z::z_stream) -> String {
    if stream.msg.is_null() {
        return "no words".to_owned();
    }
    // SAFETY: zlib's messages are constants, each ended by a zero.
    unsafe { std::ffi::CStr::from_ptr(stream.msg) }.to_string_lossy().into_owned()
}

impl fmt::Display for InflateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Data(why) => f.write_str(why),
            Self::Unfinished => f.write_str("the message ends inside a block"),
        }
    }
}

impl Error for InflateError {}

impl Drop for Inflater {
    fn drop(&mut self) {
        // SAFETY: initialised by `new`, and not used again.
        unsafe { z::inflateEnd(self.stream.as_mut_ptr()) };
    }
}

// SAFETY: zlib keeps all of a stream's state in the stream.
unsafe impl Send for Inflater {}

impl fmt::Debug for Inflater {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inflater").field("piece", &self.piece).finish_non_exhaustive()
    }
}
