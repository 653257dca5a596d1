//! The other end of a connection, byte by byte: a raw peer over TCP, and the frames it builds and reads. Knows
//! nothing of this crate's own framing.
#![allow(clippy::unwrap_used, clippy::expect_used)]
#![allow(dead_code)] // Each test binary uses its part.

use std::{future::Future, io, net::SocketAddr, time::Duration};

use converse::{
    Server, Session, SessionOptions,
    server::{BoundServer, ServerHandle},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

/// The key of RFC 6455 §1.3.
pub(crate) const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
/// The head that opens `/`, without its blank line, so that a test may add to it.
pub(crate) const HEAD: &str = "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

pub(crate) const CONTINUATION: u8 = 0x0;
pub(crate) const TEXT: u8 = 0x1;
pub(crate) const BINARY: u8 = 0x2;
pub(crate) const CLOSE: u8 = 0x8;
pub(crate) const PING: u8 = 0x9;
pub(crate) const PONG: u8 = 0xa;
pub(crate) const FIN: u8 = 0x80;

/// Fails a test that hangs. No test asserts a shorter time than this.
pub(crate) async fn in_time<F: Future>(what: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(30), what).await.expect("still nothing after 30 s")
}

/// A server under test.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) handle: ServerHandle,
    pub(crate) task: JoinHandle<()>,
}

/// Binds a server to a free port and serves until the runtime ends.
pub(crate) async fn start(server: Server) -> Running {
    run(server.bind("127.0.0.1:0").await.unwrap())
}

pub(crate) fn run(server: BoundServer) -> Running {
    let (address, handle) = (server.local_addr(), server.handle());
    Running { address, handle, task: tokio::spawn(async move { server.serve().await }) }
}

/// Sends back what comes, until the end.
pub(crate) async fn echo(mut session: Session) -> converse::Result<()> {
    while let Some(message) = session.receive().await? {
        session.send(message).await?;
    }
    Ok(())
}

/// A server that echoes at `/`.
pub(crate) async fn echo_server(options: SessionOptions) -> Running {
    start(Server::new(options).route("/", echo)).await
}

/// Writes a frame: `first` is the first byte, flags and opcode. A client's frames are masked.
pub(crate) fn frame(first: u8, payload: &[u8], masked: bool) -> Vec<u8> {
    let mask_bit = if masked { 0x80 } else { 0 };
    let mut bytes = vec![first];
    match payload.len() {
        len @ 0..=125 => bytes.push(mask_bit | len as u8),
        len @ 126..=0xffff => {
            bytes.push(mask_bit | 126);
            bytes.extend((len as u16).to_be_bytes());
        }
        len => {
            bytes.push(mask_bit | 127);
            bytes.extend((len as u64).to_be_bytes());
        }
    }
    if masked {
        let key = [0x37, 0xfa, 0x21, 0x3d];
        bytes.extend(key);
        bytes.extend(payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
    } else {
        bytes.extend(payload);
    }
    bytes
}

/// A whole frame of a client.
pub(crate) fn masked(opcode: u8, payload: &[u8]) -> Vec<u8> {
    frame(FIN | opcode, payload, true)
}

/// A whole frame of a server.
pub(crate) fn plain(opcode: u8, payload: &[u8]) -> Vec<u8> {
    frame(FIN | opcode, payload, false)
}

/// A Close frame's payload.
pub(crate) fn close(code: u16) -> Vec<u8> {
    code.to_be_bytes().to_vec()
}

/// A frame as it came: the first byte, and the payload unmasked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Got {
    pub(crate) first: u8,
    pub(crate) masked: bool,
    pub(crate) payload: Vec<u8>,
}

impl Got {
    /// Returns the code of a Close frame, 1005 if it has none.
    pub(crate) fn close_code(&self) -> Option<u16> {
        if self.first != FIN | CLOSE {
            return None;
        }
        let code = self.payload.first_chunk::<2>();
        Some(code.map_or(1005, |code| u16::from_be_bytes(*code)))
    }
}

/// One end of a connection, raw.
pub(crate) struct Wire<T = TcpStream> {
    pub(crate) io: T,
    unread: Vec<u8>,
}

impl Wire {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let io = in_time(TcpStream::connect(address)).await.unwrap();
        io.set_nodelay(true).unwrap();
        Self::over(io)
    }

    /// Connects and opens a session at `/`.
    pub(crate) async fn open(address: SocketAddr) -> Self {
        let mut wire = Self::connect(address).await;
        wire.upgrade().await;
        wire
    }

    /// Takes a client's connection, and agrees to its upgrade with `glued` right behind the answer.
    pub(crate) async fn accept(listener: &TcpListener, glued: &[u8]) -> Self {
        let mut wire = Self::accept_tcp(listener).await;
        let key = wire.request_key().await;
        let answer = [accept_head(&key).as_bytes(), b"\r\n", glued].concat();
        wire.send(&answer).await;
        wire
    }

    pub(crate) async fn accept_tcp(listener: &TcpListener) -> Self {
        let (io, _) = in_time(listener.accept()).await.unwrap();
        io.set_nodelay(true).unwrap();
        Self::over(io)
    }

    /// Ends the connection with a reset.
    pub(crate) fn reset(self) {
        self.io.set_zero_linger().unwrap();
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> Wire<T> {
    pub(crate) fn over(io: T) -> Self {
        Self { io, unread: Vec::new() }
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        in_time(self.io.write_all(bytes)).await.unwrap();
        in_time(self.io.flush()).await.unwrap();
    }

    /// Asks for `/` and expects a 101.
    pub(crate) async fn upgrade(&mut self) {
        let answer = self.ask(&format!("{HEAD}\r\n")).await;
        assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
    }

    /// Sends a request, and returns the head of the answer.
    pub(crate) async fn ask(&mut self, request: &str) -> String {
        self.send(request.as_bytes()).await;
        self.head().await
    }

    /// Reads an HTTP head, blank line included; an end of TCP before is an empty text.
    pub(crate) async fn head(&mut self) -> String {
        loop {
            if let Some(at) = self.unread.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                return String::from_utf8(self.unread.drain(..at + 4).collect()).unwrap();
            }
            if !in_time(self.fill()).await.unwrap_or(false) {
                return String::new();
            }
        }
    }

    /// Reads a client's request, and returns the key in it.
    pub(crate) async fn request_key(&mut self) -> String {
        key_of(&self.head().await)
    }

    /// Reads the next frame; `None` at the end of TCP.
    pub(crate) async fn next(&mut self) -> io::Result<Option<Got>> {
        loop {
            if let Some((got, taken)) = parse(&self.unread) {
                self.unread.drain(..taken);
                return Ok(Some(got));
            }
            if !in_time(self.fill()).await? {
                return Ok(None);
            }
        }
    }

    /// Reads the next frame, which must come.
    pub(crate) async fn frame(&mut self) -> Got {
        self.next().await.expect("no reset").expect("a frame, not the end of TCP")
    }

    /// Reads frames up to the end of TCP, which must be an orderly one.
    pub(crate) async fn frames(&mut self) -> Vec<Got> {
        let mut frames = Vec::new();
        while let Some(got) = self.next().await.unwrap_or_else(|error| panic!("{error} after {frames:?}")) {
            frames.push(got);
        }
        frames
    }

    /// Reads everything up to the end of TCP.
    pub(crate) async fn rest(&mut self) -> Vec<u8> {
        while in_time(self.fill()).await.unwrap() {}
        std::mem::take(&mut self.unread)
    }

    /// Reads once; `false` at the end of TCP.
    async fn fill(&mut self) -> io::Result<bool> {
        let mut buffer = [0; 16 * 1024];
        let count = self.io.read(&mut buffer).await?;
        self.unread.extend_from_slice(&buffer[..count]);
        Ok(count > 0)
    }
}

/// The key in a client's request.
pub(crate) fn key_of(request: &str) -> String {
    let mut lines = request.lines().filter_map(|line| line.split_once(": "));
    let key = lines.find(|(name, _)| name.eq_ignore_ascii_case("sec-websocket-key"));
    key.expect("a key").1.to_owned()
}

/// The answer that agrees to an upgrade, without its blank line.
pub(crate) fn accept_head(key: &str) -> String {
    let accept = derive_accept_key(key.as_bytes());
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n"
    )
}

fn parse(bytes: &[u8]) -> Option<(Got, usize)> {
    let (&first, &second) = (bytes.first()?, bytes.get(1)?);
    let (len, mut at) = match second & 0x7f {
        126 => (usize::from(u16::from_be_bytes(*bytes.get(2..)?.first_chunk()?)), 4),
        127 => (u64::from_be_bytes(*bytes.get(2..)?.first_chunk()?) as usize, 10),
        len => (usize::from(len), 2),
    };
    let masked = second & 0x80 != 0;
    let mut key = [0; 4];
    if masked {
        key = *bytes.get(at..)?.first_chunk()?;
        at += 4;
    }
    let payload =
        bytes.get(at..at + len)?.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key).collect();
    Some((Got { first, masked, payload }, at + len))
}
