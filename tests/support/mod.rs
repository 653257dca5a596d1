//! What the session tests share: sessions over memory, a peer that speaks frames by hand, a transport that
//! moves a byte at a time, and a future that is dropped at a chosen poll. Knows no assertion.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used)]

use std::{
    future::{Future, poll_fn},
    io,
    pin::Pin,
    task::{Context, Poll},
};

use converse::{Session, SessionOptions, frame::Role};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, duplex};

pub const TEXT: u8 = 0x81;
pub const BINARY: u8 = 0x82;
pub const CLOSE: u8 = 0x88;
pub const PING: u8 = 0x89;
pub const PONG: u8 = 0x8a;

/// A server's and a client's session, joined by `buffer` bytes of memory in each direction.
pub fn pair(buffer: usize, options: &SessionOptions) -> (Session, Session) {
    let (server, client) = duplex(buffer);
    (Session::over(server, Role::Server, options), Session::over(client, Role::Client, options))
}

/// A server's session, and a client that does nothing by itself.
pub fn with_peer(buffer: usize, options: &SessionOptions) -> (Session, Peer) {
    let (server, client) = duplex(buffer);
    (Session::over(server, Role::Server, options), Peer::client(client))
}

/// One end of a connection that speaks frames by hand, and answers nothing.
pub struct Peer<T = DuplexStream> {
    pub io: T,
    masks: bool,
}

impl<T: AsyncRead + AsyncWrite + Unpin> Peer<T> {
    pub fn client(io: T) -> Self {
        Self { io, masks: true }
    }

    pub fn server(io: T) -> Self {
        Self { io, masks: false }
    }

    /// Sends a frame with this first byte.
    pub async fn send(&mut self, first: u8, payload: impl AsRef<[u8]>) {
        let frame = frame_bytes(first, payload.as_ref(), self.masks);
        self.io.write_all(&frame).await.unwrap();
    }

    /// Sends a Close frame.
    pub async fn close(&mut self, code: u16, text: &str) {
        self.send(CLOSE, close_payload(code, text)).await;
    }

    /// Reads a frame: its first byte and its payload. `None` at the end.
    pub async fn frame(&mut self) -> Option<(u8, Vec<u8>)> {
        let first = self.io.read_u8().await.ok()?;
        let second = self.io.read_u8().await.unwrap();
        let len = match second & 0x7f {
            126 => u64::from(self.io.read_u16().await.unwrap()),
            127 => self.io.read_u64().await.unwrap(),
            len => u64::from(len),
        };
        let mut key = [0; 4];
        if second & 0x80 != 0 {
            self.io.read_exact(&mut key).await.unwrap();
        }
        let mut payload = vec![0; usize::try_from(len).unwrap()];
        self.io.read_exact(&mut payload).await.unwrap();
        payload.iter_mut().zip(key.iter().cycle()).for_each(|(byte, key)| *byte ^= key);
        Some((first, payload))
    }

    /// Reads a frame that must be there: its first byte, and its payload as text.
    pub async fn text(&mut self) -> (u8, String) {
        let (first, payload) = self.frame().await.unwrap();
        (first, String::from_utf8(payload).unwrap())
    }

    /// Reads a frame that must be a Close frame: its code and text.
    pub async fn closing(&mut self) -> (u16, String) {
        let (first, payload) = self.frame().await.unwrap();
        assert_eq!(first, CLOSE);
        let (code, text) = payload.split_first_chunk::<2>().unwrap();
        (u16::from_be_bytes(*code), String::from_utf8(text.to_vec()).unwrap())
    }

    /// Answers the Close frame that comes next with its own payload, and awaits the end of the transport.
    pub async fn farewell(&mut self) -> u16 {
        let (code, text) = self.closing().await;
        self.close(code, &text).await;
        assert_eq!(self.frame().await, None);
        code
    }
}

/// A frame's bytes; masked ones have the key 0.
pub fn frame_bytes(first: u8, payload: &[u8], masked: bool) -> Vec<u8> {
    let mask = if masked { 0x80 } else { 0 };
    let mut bytes = vec![first];
    match payload.len() {
        len @ 0..126 => bytes.push(mask | len as u8),
        len @ 126..=0xffff => {
            bytes.push(mask | 126);
            bytes.extend((len as u16).to_be_bytes());
        }
        len => {
            bytes.push(mask | 127);
            bytes.extend((len as u64).to_be_bytes());
        }
    }
    if masked {
        bytes.extend([0; 4]);
    }
    bytes.extend(payload);
    bytes
}

pub fn close_payload(code: u16, text: &str) -> Vec<u8> {
    [&code.to_be_bytes(), text.as_bytes()].concat()
}

/// Moves a byte at a time, and is not ready every other time it is asked.
pub struct Trickle<T> {
    io: T,
    read_ready: bool,
    write_ready: bool,
}

impl<T> Trickle<T> {
    pub fn new(io: T) -> Self {
        Self { io, read_ready: false, write_ready: false }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Trickle<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.read_ready = !self.read_ready;
        if !self.read_ready {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let mut byte = [0];
        let mut one = ReadBuf::new(&mut byte);
        let outcome = Pin::new(&mut self.io).poll_read(cx, &mut one);
        buf.put_slice(one.filled());
        outcome
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Trickle<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.write_ready = !self.write_ready;
        if !self.write_ready {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Pin::new(&mut self.io).poll_write(cx, &buf[..buf.len().min(1)])
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

/// Polls a future `polls` times, once for every round of the scheduler, and then drops it: `None`.
pub async fn interrupted<F: Future>(future: F, polls: usize) -> Option<F::Output> {
    let mut future = Box::pin(future);
    let mut left = polls;
    let outcome = poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending if left <= 1 => Poll::Ready(None),
        Poll::Pending => {
            left -= 1;
            cx.waker().wake_by_ref();
            Poll::Pending
        }
    })
    .await;
    drop(future);
    if outcome.is_none() {
        tokio::task::yield_now().await;
    }
    outcome
}

/// Lets every other task run until it waits; for a runtime of one thread.
pub async fn settle() {
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
}

/// Polls a future once.
pub async fn poll_once<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    poll_fn(|cx| Poll::Ready(Pin::new(&mut *future).poll(cx))).await
}
