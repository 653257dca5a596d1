//! The sending side. Knows nothing of how it is read.

use std::{ffi::c_int, fmt, mem::MaybeUninit};

use libz_sys as z;

use crate::TAIL;

/// zlib's own default.
const MEM_LEVEL: c_int = 8;
const PIECE: usize = 64 * 1024;

/// How much of what was pushed must have come out behind a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flush {
    /// As much as zlib likes.
    No,
    /// All of it up to the last bits, behind an empty block of fixed codes.
    Partial,
    /// All of it but the last bits: only the block ends.
    Block,
    /// All of it, behind an empty stored block.
    Sync,
    /// As `Sync`, and nothing behind it refers to what was before.
    Full,
    /// All of it, in a block that says that it's the last one. What is pushed next begins a new stream.
    Finish,
}

/// How blocks are coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strategy {
    /// As zlib finds it best.
    Default,
    /// No references to earlier bytes.
    HuffmanOnly,
    /// References to the last byte only.
    Rle,
    /// No block brings codes of its own.
    Fixed,
}

/// Compresses messages one behind the other, in one window (RFC 7692 §7.2.1).
pub struct Deflater {
    stream: Box<MaybeUninit<z::z_stream>>,
    strategy: Strategy,
}

impl Deflater {
    /// Builds one of this level, 0 (stored blocks) to 9, whose references reach back less than `1 << window_bits`
    /// bytes.
    ///
    /// # Panics
    /// `window_bits` is not in `9..=15`: zlib makes no raw deflate for smaller windows.
    #[must_use]
    pub fn new(level: u8, window_bits: u8) -> Self {
        Self::with_strategy(level, window_bits, Strategy::Default)
    }

    /// Builds one that codes blocks so.
    ///
    /// # Panics
    /// As [`new`](Self::new).
    #[must_use]
    pub fn with_strategy(level: u8, window_bits: u8, strategy: Strategy) -> Self {
        let mut stream = Box::new(MaybeUninit::zeroed());
        // SAFETY: the stream is all zero, which asks for zlib's own allocator, and stays at its address.
        let status = unsafe {
            z::deflateInit2_(
                stream.as_mut_ptr(),
                c_int::from(level),
                z::Z_DEFLATED,
                -c_int::from(window_bits),
                MEM_LEVEL,
                strategy.code(),
                z::zlibVersion(),
                size_of::<z::z_stream>() as c_int,
            )
        };
        assert_eq!(status, z::Z_OK, "no raw deflate of level {level} for {window_bits} bits");
        Self { stream, strategy }
    }

    /// Compresses a message the usual way: a sync flush, without the tail.
    #[must_use]
    pub fn message(&mut self, data: &[u8]) -> Vec<u8> {
        self.message_of(&[(data, Flush::Sync)])
    }

    /// Compresses a message in parts, each with its flush. The last one must be such that a message can end there:
    /// `Sync`, `Full` or `Finish`.
    ///
    /// # Panics
    /// The message would not end there.
    #[must_use]
    pub fn message_of(&mut self, parts: &[(&[u8], Flush)]) -> Vec<u8> {
        let mut out = Vec::new();
        for (data, flush) in parts {
            self.push(data, *flush, &mut out);
        }
        match parts.last() {
            // Nothing came since the last flush, and zlib does not flush twice.
            _ if out.is_empty() => out.push(0),
            // The header of an empty stored block, so that the tail has its head (RFC 7692 §7.2.3.4).
            Some((_, Flush::Finish)) => out.push(0),
            _ => {
                assert!(out.ends_with(&TAIL), "no message ends in {out:02x?}");
                out.truncate(out.len() - TAIL.len());
            }
        }
        out
    }

    /// Compresses a part of a message of any length, tail and all.
    pub fn push(&mut self, data: &[u8], flush: Flush, out: &mut Vec<u8>) {
        let mut room = vec![0; PIECE];
        let mut rest = data;
        loop {
            // SAFETY: initialised by `with_strategy`.
            let stream = unsafe { self.stream.assume_init_mut() };
            let given = rest.len().min(1 << 30);
            stream.next_in = rest.as_ptr().cast_mut();
            stream.avail_in = given as z::uInt;
            stream.next_out = room.as_mut_ptr();
            stream.avail_out = PIECE as z::uInt;
            let how = if given == rest.len() { flush } else { Flush::No };
            // SAFETY: both buffers outlive the call, and zlib does not write to its input.
            let status = unsafe { z::deflate(stream, how.code()) };
            let (left, full) = (stream.avail_in as usize, stream.avail_out == 0);
            out.extend_from_slice(&room[..PIECE - stream.avail_out as usize]);
            rest = &rest[given - left..];
            match status {
                z::Z_STREAM_END => return self.reset(),
                z::Z_OK | z::Z_BUF_ERROR if !full && rest.is_empty() => return,
                z::Z_OK => {}
                status => panic!("deflate says {status}"),
            }
        }
    }

    /// Forgets all earlier messages.
    pub fn reset(&mut self) {
        // SAFETY: initialised by `with_strategy`.
        let status = unsafe { z::deflateReset(self.stream.as_mut_ptr()) };
        assert_eq!(status, z::Z_OK);
    }

    /// Changes the level between two messages; the window stays.
    pub fn set_level(&mut self, level: u8) {
        let mut room = [0; 64];
        // SAFETY: initialised by `with_strategy`; all that came was flushed, so there is room for what is left.
        let status = unsafe {
            let stream = self.stream.assume_init_mut();
            stream.avail_in = 0;
            stream.next_out = room.as_mut_ptr();
            stream.avail_out = room.len() as z::uInt;
            z::deflateParams(stream, c_int::from(level), self.strategy.code())
        };
        // SAFETY: as above.
        let unused = unsafe { self.stream.assume_init_ref() }.avail_out as usize;
        assert_eq!((status, unused), (z::Z_OK, room.len()), "a message was not flushed");
    }
}

impl Flush {
    fn code(self) -> c_int {
        match self {
            Self::No => z::Z_NO_FLUSH,
            Self::Partial => z::Z_PARTIAL_FLUSH,
            Self::Block => z::Z_BLOCK,
            Self::Sync => z::Z_SYNC_FLUSH,
            Self::Full => z::Z_FULL_FLUSH,
            Self::Finish => z::Z_FINISH,
        }
    }
}

impl Strategy {
    fn code(self) -> c_int {
        match self {
            Self::Default => z::Z_DEFAULT_STRATEGY,
            Self::HuffmanOnly => z::Z_HUFFMAN_ONLY,
            Self::Rle => z::Z_RLE,
            Self::Fixed => z::Z_FIXED,
        }
    }
}

impl Drop for Deflater {
    fn drop(&mut self) {
        // SAFETY: initialised by `with_strategy`, and not used again.
        unsafe { z::deflateEnd(self.stream.as_mut_ptr()) };
    }
}

// SAFETY: zlib keeps all of a stream's state in the stream.
unsafe impl Send for Deflater {}

impl fmt::Debug for Deflater {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deflater").field("strategy", &self.strategy).finish_non_exhaustive()
    }
}
