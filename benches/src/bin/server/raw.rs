//! No WebSocket at all: every byte goes back as it came, and no upgrade is answered.

use std::{
    cell::RefCell,
    future::poll_fn,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf},
    net::{TcpListener, TcpStream},
};

use crate::serve::{Serving, each};

thread_local! {
    /// What `shared` reads into.
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; 64 * 1024]);
}

/// tokio's own copy, through a buffer of 8 KiB for each connection.
pub(crate) fn copy(listener: TcpListener) -> Serving {
    each(listener, |mut stream| async move {
        let (mut from, mut to) = stream.split();
        tokio::io::copy(&mut from, &mut to).await?;
        Ok(())
    })
}

/// One read of up to 64 KiB into a buffer that all connections share, and one write.
pub(crate) fn shared(listener: TcpListener) -> Serving {
    each(listener, |mut stream| async move {
        while let Some(rest) = poll_fn(|cx| pass(&mut stream, cx)).await? {
            stream.write_all(&rest).await?;
        }
        Ok(())
    })
}

/// Reads once and writes once. Returns what the socket did not take, or `None` at the end.
fn pass(stream: &mut TcpStream, cx: &mut Context<'_>) -> Poll<io::Result<Option<Vec<u8>>>> {
    BUFFER.with_borrow_mut(|buffer| {
        let mut buffer = ReadBuf::new(buffer);
        ready!(Pin::new(&mut *stream).poll_read(cx, &mut buffer))?;
        if buffer.filled().is_empty() {
            return Poll::Ready(Ok(None));
        }
        let written = match Pin::new(stream).poll_write(cx, buffer.filled()) {
            Poll::Ready(written) => written?,
            Poll::Pending => 0,
        };
        Poll::Ready(Ok(Some(buffer.filled()[written..].to_vec())))
    })
}
