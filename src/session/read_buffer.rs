//! Received bytes between a read and their parsing: one buffer for all connections of a thread. Knows no transport.

use std::cell::Cell;

/// One read takes at most this many bytes.
pub(crate) const SCRATCH: usize = 64 * 1024;

thread_local! {
    static READ_BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Lends the first bytes of the thread's buffer, at most `limit`. A transport that reads through another session within
/// its own read has one of its own.
#[inline(always)]
pub(crate) fn with<R>(limit: usize, read: impl FnOnce(&mut [u8]) -> R) -> R {
    let mut buffer = READ_BUFFER.take();
    if buffer.is_empty() {
        buffer = vec![0; SCRATCH];
    }
    let result = read(&mut buffer[..limit.min(SCRATCH)]);
    READ_BUFFER.set(buffer);
    result
}
