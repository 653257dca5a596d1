//! zlib's states, shared by all connections of a thread that keep none of their own, and the buffers beside
//! them. Knows no frame.

use std::cell::{Cell, RefCell};

use zlib_rs::{Deflate, Inflate};

use crate::{extension::deflate::agreement::MAX_WINDOW_BITS, frame::Spares};

/// How many compressors a thread keeps: one is in use at a time, but levels and windows differ.
const DEFLATERS_KEPT: usize = 4;
/// The longest buffer that a thread keeps, in bytes.
const BUFFER_KEPT: usize = 256 * 1024;

/// What a compressor is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Make {
    pub(super) level: u8,
    /// The window, as a power of two.
    pub(super) bits: u8,
}

thread_local! {
    static DEFLATERS: RefCell<Vec<(Make, Box<Deflate>)>> = const { RefCell::new(Vec::new()) };
    /// Decompressors with the largest window, which read what was made with any.
    static INFLATERS: Spares<Box<Inflate>> = const { Spares::new() };
    static BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

impl Make {
    /// Builds a compressor of raw DEFLATE (RFC 1951).
    pub(super) fn build(self) -> Box<Deflate> {
        Box::new(Deflate::new(self.level.into(), false, self.bits))
    }

    /// Takes one off the thread's spares, as if newly built.
    pub(super) fn take(self) -> Box<Deflate> {
        let spare = DEFLATERS.try_with(|spares| {
            let mut spares = spares.try_borrow_mut().ok()?;
            let index = spares.iter().position(|(make, _)| *make == self)?;
            Some(spares.swap_remove(index).1)
        });
        match spare.ok().flatten() {
            Some(mut deflate) => {
                deflate.reset();
                deflate
            }
            None => self.build(),
        }
    }

    /// Gives one back that was built like this.
    pub(super) fn keep(self, deflate: Box<Deflate>) {
        // A thread that is about to end keeps nothing.
        let _ = DEFLATERS.try_with(|spares| {
            if let Ok(mut spares) = spares.try_borrow_mut() {
                spares.truncate(DEFLATERS_KEPT - 1);
                spares.insert(0, (self, deflate));
            }
        });
    }
}

/// Builds a decompressor of raw DEFLATE with the largest window: it reads what was made with any, and a smaller one
/// would not save memory.
pub(super) fn build_inflate() -> Box<Inflate> {
    Box::new(Inflate::new(false, MAX_WINDOW_BITS))
}

/// Takes a decompressor off the thread's spares, as if newly built.
pub(super) fn take_inflate() -> Box<Inflate> {
    match INFLATERS.try_with(Spares::take).ok().flatten() {
        Some(mut inflate) => {
            inflate.reset(false);
            inflate
        }
        None => build_inflate(),
    }
}

/// Gives a decompressor with the largest window back.
pub(super) fn keep_inflate(inflate: Box<Inflate>) {
    let _ = INFLATERS.try_with(|spares| spares.keep(inflate));
}

/// Takes the thread's buffer, whose bytes are initialised and mean nothing.
pub(super) fn take_buffer() -> Vec<u8> {
    BUFFER.try_with(Cell::take).unwrap_or_default()
}

/// Gives the thread's buffer back.
pub(super) fn keep_buffer(buffer: Vec<u8>) {
    if buffer.capacity() <= BUFFER_KEPT {
        let _ = BUFFER.try_with(|kept| kept.set(buffer));
    }
}
