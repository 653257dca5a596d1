//! Connections that take as much as they are let, and never read.

use std::{fmt, sync::Arc, time::Duration};

use converse_benches::{
    Result,
    compact::{
        HELLO, LONGEST, NIL, NONE, UNKNOWN, array_of, call_with_headers, hello_with_token, id, item,
        lasting_call, many, one,
    },
};
use flate2::{Compress, Compression, FlushCompress};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
    time::timeout,
};

/// How long nothing is taken when nothing will be.
const STUCK: Duration = Duration::from_secs(3);

/// What each connection sends.
#[derive(Clone)]
pub struct Greed(Arc<Vec<Vec<u8>>>);

impl Greed {
    /// As much as there is: values, arguments, headers, items, answers and half a message.
    pub fn all(deflate: bool) -> Self {
        let bytes = one(&array_of(1, LONGEST - 64));
        let mut messages = vec![hello_with_token(LONGEST / 4)];
        messages.extend((0..2).map(|n| lasting_call(id(n), "value", &one(&array_of(NIL, 64 * 1024)))));
        messages.extend((2..6).map(|n| lasting_call(id(n), "bytes", &bytes)));
        messages.push(call_with_headers(id(6), "never", (64, 8 * 1024), NONE));
        messages.extend((7..9).map(|n| lasting_call(id(n), "take", NONE)));
        let value = array_of(1, LONGEST / 4);
        messages.extend((0..4).map(|n| item(id(7 + n % 2), &value)));
        messages.extend((9..13).map(|n| lasting_call(id(n), "flow", NONE)));
        messages.extend((13..17).map(|n| lasting_call(id(n), "large", NONE)));
        messages.push(many(LONGEST / 8, |_| UNKNOWN.to_vec()));
        Self::of(messages, lasting_call(id(17), "bytes", &bytes), deflate)
    }

    /// No more than a fair part: an argument, and half a message.
    pub fn some(deflate: bool) -> Self {
        let bytes = |len| one(&array_of(1, len));
        let first = lasting_call(id(0), "bytes", &bytes(LONGEST - 64));
        Self::of(vec![HELLO.to_vec(), first], lasting_call(id(1), "bytes", &bytes(LONGEST / 8)), deflate)
    }

    fn of(messages: Vec<Vec<u8>>, half: Vec<u8>, deflate: bool) -> Self {
        let mut frames: Vec<_> = messages.iter().map(|message| frame(message, deflate)).collect();
        let mut half = frame(&half, deflate);
        half.pop();
        frames.push(half);
        Self(Arc::new(frames))
    }
}

/// Writes a message as a client's frame, with a mask of zero.
fn frame(message: &[u8], deflate: bool) -> Vec<u8> {
    let payload = if deflate { compressed(message) } else { message.to_vec() };
    let mut frame = vec![if deflate { 0xc2 } else { 0x82 }, 0xff];
    if let Ok(len @ 126..) = u16::try_from(payload.len()) {
        frame[1] = 0xfe;
        frame.extend(len.to_be_bytes());
    } else if payload.len() < 126 {
        frame[1] = 0x80 | payload.len() as u8;
    } else {
        frame.extend((payload.len() as u64).to_be_bytes());
    }
    frame.extend([0; 4]);
    frame.extend(payload);
    frame
}

/// Compresses a message as RFC 7692 §7.2.1 has it.
fn compressed(message: &[u8]) -> Vec<u8> {
    let mut payload = Vec::with_capacity(message.len() + 1024);
    Compress::new(Compression::default(), false)
        .compress_vec(message, &mut payload, FlushCompress::Sync)
        .expect("there is room");
    payload.truncate(payload.len() - 4);
    payload
}

/// Opens a connection.
async fn open(address: &str, deflate: bool) -> Result<TcpStream> {
    let extension = if deflate { "Sec-WebSocket-Extensions: permessage-deflate\r\n" } else { "" };
    let head = format!(
        "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Sec-WebSocket-Protocol: converse.v1.msgpack\r\n{extension}\r\n"
    );
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    stream.write_all(head.as_bytes()).await?;
    let (mut answer, mut byte) = (Vec::new(), [0]);
    while !answer.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).await?;
        answer.push(byte[0]);
    }
    if answer.starts_with(b"HTTP/1.1 101 ") {
        Ok(stream)
    } else {
        Err(String::from_utf8_lossy(&answer).into_owned().into())
    }
}

/// How the attacks came out.
pub struct Attacks {
    streams: Vec<(TcpStream, bool)>,
}

impl Attacks {
    /// Returns how many have sent all and are connected.
    pub fn alive(&self) -> usize {
        self.streams.iter().filter(|(stream, sent)| *sent && is_open(stream)).count()
    }
}

impl fmt::Display for Attacks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sent = self.streams.iter().filter(|(_, sent)| *sent).count();
        let open = self.streams.iter().filter(|(stream, _)| is_open(stream)).count();
        write!(f, "{sent} of which could send all they had, and {open} of which are still connected")
    }
}

/// Tells whether the other end has not ended the connection, whatever there is to read before.
fn is_open(stream: &TcpStream) -> bool {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match stream.try_read(&mut buffer) {
            Ok(0) => return false,
            Ok(_) => {}
            Err(error) => return error.kind() == std::io::ErrorKind::WouldBlock,
        }
    }
}

/// Opens so many connections, each of which sends all that it is let; none of them ends.
///
/// # Errors
/// When one is not let in.
pub async fn attack(address: &str, count: usize, greed: &Greed, deflate: bool) -> Result<Attacks> {
    let (mut sending, mut streams) = (JoinSet::new(), Vec::new());
    for _ in 0..count {
        let (address, greed) = (address.to_owned(), greed.clone());
        sending.spawn(async move {
            let mut stream = open(&address, deflate).await?;
            for frame in greed.0.iter() {
                let sent = timeout(STUCK, stream.write_all(frame)).await;
                if !matches!(sent, Ok(Ok(()))) {
                    return Ok((stream, false));
                }
            }
            Ok((stream, true))
        });
    }
    while let Some(sent) = sending.join_next().await {
        let sent: Result<_> = sent?;
        streams.push(sent?);
    }
    Ok(Attacks { streams })
}
