//! Received bytes between a read and their parsing: one buffer for all connections of a thread. Knows no transport.

use std::cell::RefCell;

/// One read takes at most this many bytes.
pub(crate) const SCRATCH: usize = 64 * 1024;

/// What a transport that reads through another session within its own read has instead, in bytes.
const SMALL: usize = 4 * 1024;

thread_local! {
    static READ_BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; SCRATCH]);
}

/// Lends the first bytes of the thread's buffer, at most `limit` and fewer while it is lent already.
#[inline]
pub(crate) fn with<R>(limit: usize, read: impl FnOnce(&mut [u8]) -> R) -> R {
    READ_BUFFER.with(|buffer| match buffer.try_borrow_mut() {
        Ok(mut buffer) => read(&mut buffer[..limit.min(SCRATCH)]),
        Err(_) => read(&mut [0; SMALL][..limit.min(SMALL)]),
    })
}
