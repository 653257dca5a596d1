//! What users of a peer write by hand so that the replies to a burst leave together.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use futures_util::{FutureExt, Sink, SinkExt, Stream, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite, BufWriter, ReadBuf};

use crate::Result;

/// How many messages [`gather`] takes at most.
const MOST: usize = 32;

/// Echoes what `reply` makes of each item: feeds replies as long as the next item is ready, and flushes before it waits.
///
/// # Errors
/// When `reply` refuses an item, or the connection fails.
pub async fn feed<S, T, M>(mut socket: S, reply: impl Fn(T) -> Result<Option<M>>) -> Result<()>
where
    S: Stream<Item = T> + Sink<M> + Unpin,
    S::Error: std::error::Error + Send + Sync + 'static,
{
    loop {
        let next = match socket.next().now_or_never() {
            Some(next) => next,
            None => {
                socket.flush().await?;
                socket.next().await
            }
        };
        let Some(item) = next else { return Ok(()) };
        if let Some(message) = reply(item)? {
            socket.feed(message).await?;
        }
    }
}

/// Does what [`feed`] does for sinks that each read would flush: takes what is ready, feeds all replies, and flushes.
///
/// # Errors
/// When `reply` refuses an item, or the connection fails.
pub async fn gather<S, T, M>(mut socket: S, reply: impl Fn(T) -> Result<Option<M>>) -> Result<()>
where
    S: Stream<Item = T> + Sink<M> + Unpin,
    S::Error: std::error::Error + Send + Sync + 'static,
{
    let mut ready = Vec::with_capacity(MOST);
    while let Some(item) = socket.next().await {
        ready.push(item);
        while ready.len() < MOST {
            let Some(Some(item)) = socket.next().now_or_never() else { break };
            ready.push(item);
        }
        for item in ready.drain(..) {
            if let Some(message) = reply(item)? {
                socket.feed(message).await?;
            }
        }
        socket.flush().await?;
    }
    Ok(())
}

/// A transport that keeps what is written until a read would wait: for a peer that has no `feed`.
#[derive(Debug)]
pub struct UntilWait<S: AsyncWrite>(BufWriter<S>);

impl<S: AsyncRead + AsyncWrite + Unpin> UntilWait<S> {
    /// Keeps up to 8 KiB.
    pub fn new(stream: S) -> Self {
        Self(BufWriter::new(stream))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for UntilWait<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Poll::Ready(read) = Pin::new(&mut self.0).poll_read(cx, into) {
            return Poll::Ready(read);
        }
        ready!(Pin::new(&mut self.0).poll_flush(cx))?;
        Poll::Pending
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for UntilWait<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
