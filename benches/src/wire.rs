//! A client by hand: it costs the measured process no heap, and it shows each byte that a server sends.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use crate::{
    Result,
    deflate::{Agreed, Inflate},
};

/// How long a server may say nothing, or read nothing.
const PATIENCE: Duration = Duration::from_secs(10);

/// A frame as it came from a server.
#[derive(Clone, Copy, Debug)]
pub struct Reply<'a> {
    /// Whether its first reserved bit is set.
    pub compressed: bool,
    /// Whether the message ends with it.
    pub last: bool,
    /// What it carries.
    pub payload: &'a [u8],
    /// What it took on the wire, with its header.
    pub wire: usize,
}

/// A connection after its handshake.
#[derive(Debug)]
pub struct Client {
    stream: TcpStream,
    /// What both ends have agreed on, `None` without compression.
    pub agreed: Option<Agreed>,
}

impl Client {
    /// Shakes hands, with this value of `Sec-WebSocket-Extensions`.
    ///
    /// # Errors
    /// When the server does not upgrade.
    pub fn connect(address: SocketAddr, offer: Option<&str>) -> Result<Self> {
        Self::connect_to(address, "/", offer)
    }

    /// Shakes hands for this path, with this value of `Sec-WebSocket-Extensions`.
    ///
    /// # Errors
    /// When the server does not upgrade.
    pub fn connect_to(address: SocketAddr, path: &str, offer: Option<&str>) -> Result<Self> {
        let mut stream = open(address)?;
        let offer = offer.map(|offer| format!("Sec-WebSocket-Extensions: {offer}\r\n")).unwrap_or_default();
        let head = format!(
            "GET {path} HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{offer}\r\n"
        );
        stream.write_all(head.as_bytes())?;
        // One byte at a time: what follows the head belongs to the frames.
        let (mut head, mut byte) = (Vec::new(), [0]);
        while !head.ends_with(b"\r\n\r\n") {
            stream.read_exact(&mut byte)?;
            head.push(byte[0]);
        }
        let head = String::from_utf8(head)?;
        if !head.contains(" 101") {
            return Err(format!("no upgrade: {head}").into());
        }
        Ok(Self { stream, agreed: Agreed::from_head(&head) })
    }

    /// Connects without a handshake, to a server that knows no WebSocket.
    ///
    /// # Errors
    /// When nobody listens.
    pub fn bare(address: SocketAddr) -> Result<Self> {
        Ok(Self { stream: open(address)?, agreed: None })
    }

    /// Returns the connection itself.
    pub fn into_stream(self) -> TcpStream {
        self.stream
    }

    /// Sends bytes as they are.
    ///
    /// # Errors
    /// When the connection has failed.
    pub fn send(&mut self, frame: &[u8]) -> Result<()> {
        Ok(self.stream.write_all(frame)?)
    }

    /// Waits for a frame, and reads it into `buffer`.
    ///
    /// # Errors
    /// When the connection has failed, or when the frame carries no message.
    pub fn receive<'a>(&mut self, buffer: &'a mut [u8]) -> Result<Reply<'a>> {
        let mut start = [0; 2];
        self.stream.read_exact(&mut start)?;
        if start[0] & 0x0f > 2 {
            return Err(format!("a frame of no message: {start:x?}").into());
        }
        let (length, more) = match start[1] {
            126 => (self.number::<2>()?, 2),
            127 => (self.number::<8>()?, 8),
            short => (usize::from(short), 0),
        };
        self.stream.read_exact(&mut buffer[..length])?;
        let (compressed, last) = (start[0] & 0x40 != 0, start[0] & 0x80 != 0);
        Ok(Reply { compressed, last, payload: &buffer[..length], wire: 2 + more + length })
    }

    fn number<const N: usize>(&mut self) -> Result<usize> {
        let mut bytes = [0; N];
        self.stream.read_exact(&mut bytes)?;
        Ok(bytes.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)))
    }

    /// Sends a message, waits for its echo, and returns what the echo took on the wire. With `check`, the echo
    /// is unpacked and compared.
    ///
    /// # Errors
    /// When the connection has failed, or when the echo is not what was sent.
    pub fn echo(
        &mut self,
        frame: &[u8],
        buffer: &mut [u8],
        check: Option<(&mut Inflate, &[u8])>,
    ) -> Result<usize> {
        self.send(frame)?;
        let (mut wire, mut payload, mut compressed) = (0, Vec::new(), false);
        loop {
            let reply = self.receive(buffer)?;
            wire += reply.wire;
            compressed |= reply.compressed;
            if check.is_some() {
                payload.extend_from_slice(reply.payload);
            }
            if reply.last {
                break;
            }
        }
        if let Some((inflate, expected)) = check {
            let text = if compressed { inflate.message(&payload)? } else { &payload };
            if text != expected {
                return Err("the echo is not what was sent".into());
            }
        }
        Ok(wire)
    }
}

/// Connects to a server, and does not wait for it for ever.
fn open(address: SocketAddr) -> Result<TcpStream> {
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// Makes a masked text frame.
pub fn frame(payload: &[u8], compressed: bool) -> Vec<u8> {
    masked(if compressed { 0xc1 } else { 0x81 }, payload)
}

/// Makes a masked binary frame.
pub fn binary(payload: &[u8]) -> Vec<u8> {
    masked(0x82, payload)
}

/// Makes a text frame as a server sends it.
pub fn server_frame(payload: &[u8]) -> Vec<u8> {
    let mut frame = head(0x81, 0, payload.len());
    frame.extend(payload);
    frame
}

/// Writes a header up to the masking key; `masked` is the bit that tells of one.
fn head(first: u8, masked: u8, len: usize) -> Vec<u8> {
    let mut head = vec![first];
    match len {
        short @ ..126 => head.push(masked | short as u8),
        long @ ..0x1_0000 => {
            head.push(masked | 126);
            head.extend((long as u16).to_be_bytes());
        }
        long => {
            head.push(masked | 127);
            head.extend((long as u64).to_be_bytes());
        }
    }
    head
}

fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
    let mut frame = head(first, 0x80, payload.len());
    frame.extend(KEY);
    frame.extend(payload.iter().zip(KEY.iter().cycle()).map(|(byte, key)| byte ^ key));
    frame
}
