//! A transport in memory: frames come in bursts, and what is written is counted and forgotten.

use std::{
    io,
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// How much is copied at a time. A longer copy takes five times as long where both ends happen to lie alike in their pages.
const PART: usize = 2048;

/// How often a transport was asked, and for how much.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    /// Reads that gave bytes.
    pub reads: u64,
    /// Writes.
    pub writes: u64,
    /// Bytes written.
    pub written: u64,
}

/// One end of a connection whose other end says the same burst of frames again and again, and then ends.
///
/// When a burst was read whole, one read is pending, and wakes its task at once: so does a socket, whose next burst is
/// never there yet when the last one was read, and contenders that wait for this before they flush are given their due.
#[derive(Debug)]
pub struct Duplex {
    burst: Arc<[u8]>,
    at: usize,
    left: u64,
    /// Whether a read was pending since the last burst.
    waiting: bool,
    counts: Counts,
    report: Arc<OnceLock<Counts>>,
}

impl Duplex {
    /// Makes a transport that says `burst` as often as `times`, and what its counts will be in when it is dropped.
    pub fn new(burst: Arc<[u8]>, times: u64) -> (Self, Arc<OnceLock<Counts>>) {
        let report = Arc::default();
        let duplex =
            Self { at: burst.len(), burst, left: times, waiting: false, counts: Counts::default(), report };
        let report = Arc::clone(&duplex.report);
        (duplex, report)
    }

    fn take(&mut self, length: usize) -> Poll<io::Result<usize>> {
        self.counts.writes += 1;
        self.counts.written += length as u64;
        Poll::Ready(Ok(length))
    }
}

impl Drop for Duplex {
    fn drop(&mut self) {
        // It is the only one that sets it.
        let _ = self.report.set(self.counts);
    }
}

impl AsyncRead for Duplex {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.at == self.burst.len() {
            self.waiting = !self.waiting;
            if self.waiting {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            if self.left == 0 {
                return Poll::Ready(Ok(()));
            }
            (self.left, self.at) = (self.left - 1, 0);
        }
        let end = self.burst.len().min(self.at + into.remaining());
        for part in self.burst[self.at..end].chunks(PART) {
            into.put_slice(part);
        }
        self.at = end;
        self.counts.reads += 1;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Duplex {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.take(bytes.len())
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.take(slices.iter().map(|slice| slice.len()).sum())
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
