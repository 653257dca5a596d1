//! A peer that takes as much as it is let, over TCP and from a thread of its own, so that it costs the runtime under
//! test nothing; and what that makes a server hold, by the allocator. Knows no limit.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used)]

use std::{
    io::{self, BufReader, Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use converse::{PerMessageDeflate, Server, SessionOptions};
use converse_zlib_oracle::Deflater;

use crate::heap::Heap;

pub const KIB: usize = 1024;
pub const MIB: usize = 1024 * KIB;

/// How long the peer tries to send when nothing is taken.
const STUCK: Duration = Duration::from_secs(5);
/// How long nothing changes when all is done that will be.
const QUIET: Duration = Duration::from_millis(300);

/// One test at a time, because all count one heap.
pub fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether messages are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    Plain,
    Deflate,
}

impl Packing {
    pub const BOTH: [Self; 2] = [Self::Plain, Self::Deflate];

    /// Returns options of a server that agrees to it.
    pub fn options(self) -> SessionOptions {
        match self {
            Self::Plain => SessionOptions::default(),
            Self::Deflate => SessionOptions::default().extension(PerMessageDeflate::new()),
        }
    }

    /// Writes a message as a client's frame.
    pub fn message(self, opcode: u8, payload: &[u8]) -> Vec<u8> {
        match self {
            Self::Plain => frame(0x80 | opcode, payload),
            Self::Deflate => frame(0xc0 | opcode, &Deflater::new(6, 15).message(payload)),
        }
    }
}

/// Writes a client's frame. Its mask is zero, which is one as any.
pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload.len() {
        len @ 0..126 => bytes.push(0x80 | len as u8),
        len @ 126..=0xffff => {
            bytes.push(0x80 | 126);
            bytes.extend((len as u16).to_be_bytes());
        }
        len => {
            bytes.push(0x80 | 127);
            bytes.extend((len as u64).to_be_bytes());
        }
    }
    bytes.extend([0; 4]);
    bytes.extend(payload);
    bytes
}

/// What a peer does.
#[derive(Clone, Default)]
pub struct Attack {
    /// What it asks for in its request; nothing for a plain session.
    pub subprotocol: &'static str,
    /// What it sends, frame by frame.
    pub frames: Vec<Arc<Vec<u8>>>,
    /// Whether it reads all the time.
    pub reads: bool,
}

/// How an attack came out.
#[derive(Clone, Copy, Debug, Default)]
pub struct Outcome {
    /// Frames that were sent.
    pub sent: usize,
    /// The code of the Close frame that was read.
    pub closed: Option<u16>,
    /// Bytes that were read.
    pub read: u64,
}

/// A connection that is open.
pub struct Open {
    stream: TcpStream,
}

impl Open {
    /// Opens a connection at `/`.
    pub fn at(address: SocketAddr, subprotocol: &str, packing: Packing) -> Self {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_write_timeout(Some(STUCK)).unwrap();
        let mut head = "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
            Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            .to_owned();
        if !subprotocol.is_empty() {
            head.push_str(&format!("Sec-WebSocket-Protocol: {subprotocol}\r\n"));
        }
        if packing == Packing::Deflate {
            head.push_str("Sec-WebSocket-Extensions: permessage-deflate\r\n");
        }
        stream.write_all(format!("{head}\r\n").as_bytes()).unwrap();
        let (mut answer, mut byte) = (Vec::new(), [0]);
        while !answer.ends_with(b"\r\n\r\n") {
            stream.read_exact(&mut byte).unwrap();
            answer.push(byte[0]);
        }
        let answer = String::from_utf8(answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
        assert_eq!(answer.contains("permessage-deflate"), packing == Packing::Deflate, "{answer}");
        Self { stream }
    }

    /// Sends what it is let. The connection stays open, for as long as the returned value.
    pub fn attack(self, attack: &Attack) -> (Outcome, Self) {
        let mut outcome = Outcome::default();
        let reading = attack.reads.then(|| {
            let stream = self.stream.try_clone().unwrap();
            thread::spawn(move || read(stream))
        });
        for bytes in &attack.frames {
            if (&self.stream).write_all(bytes).is_err() {
                break;
            }
            outcome.sent += 1;
        }
        if let Some(reading) = reading {
            // What is answered to all of it comes within this time, or will not.
            let begun = Instant::now();
            while begun.elapsed() < Duration::from_secs(3) && !reading.is_finished() {
                thread::sleep(Duration::from_millis(20));
            }
            let _ = self.stream.shutdown(Shutdown::Read);
            (outcome.closed, outcome.read) = reading.join().unwrap();
        }
        (outcome, self)
    }
}

/// Reads to the end: the code of the Close frame, and how many bytes there were.
fn read(stream: TcpStream) -> (Option<u16>, u64) {
    let (mut stream, mut closed, mut bytes) = (BufReader::new(stream), None, 0);
    while let Ok((first, len)) = header(&mut stream) {
        bytes += len;
        if first & 0xf == 8 && len >= 2 {
            let mut code = [0; 2];
            closed = stream.read_exact(&mut code).ok().map(|()| u16::from_be_bytes(code));
            break;
        }
        if io::copy(&mut stream.by_ref().take(len), &mut io::sink()).is_err() {
            break;
        }
    }
    (closed, bytes)
}

fn header(stream: &mut impl Read) -> io::Result<(u8, u64)> {
    let mut head = [0; 2];
    stream.read_exact(&mut head)?;
    let mut long = [0; 8];
    let len = match head[1] & 0x7f {
        126 => {
            stream.read_exact(&mut long[6..])?;
            u64::from_be_bytes(long)
        }
        127 => {
            stream.read_exact(&mut long)?;
            u64::from_be_bytes(long)
        }
        len => u64::from(len),
    };
    Ok((head[0], len))
}

/// What an attack made a server hold.
#[derive(Clone, Copy, Debug)]
pub struct Held {
    /// Bytes at the most.
    pub peak: usize,
    /// Bytes that stayed as long as the connection.
    pub kept: usize,
    pub outcome: Outcome,
}

/// Runs an attack by each of so many connections against a server, on one thread.
pub fn attack(heap: &'static Heap, server: Server, packing: Packing, attacks: Vec<Attack>) -> Held {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let held = runtime.block_on(async {
        let server = server.bind("127.0.0.1:0").await.unwrap();
        let address = server.local_addr();
        let serving = tokio::spawn(server.serve());
        let (connections, first) = (attacks.len(), attacks[0].subprotocol);
        // What is sent is not given back while it is counted.
        let frames = attacks.clone();
        let open = move || (0..connections).map(|_| Open::at(address, first, packing)).collect::<Vec<_>>();
        let open = tokio::task::spawn_blocking(open).await.unwrap();
        quiet(heap).await;
        let mark = heap.mark();
        let attacking = move || {
            let attacking: Vec<_> = open
                .into_iter()
                .zip(attacks)
                .map(|(open, attack)| thread::spawn(move || open.attack(&attack)))
                .collect();
            attacking.into_iter().map(|attacking| attacking.join().unwrap()).collect::<Vec<_>>()
        };
        let outcomes = tokio::task::spawn_blocking(attacking).await.unwrap();
        quiet(heap).await;
        let held = Held { peak: heap.peak_over(mark), kept: heap.now_over(mark), outcome: outcomes[0].0 };
        drop((outcomes, frames));
        serving.abort();
        held
    });
    runtime.shutdown_timeout(Duration::from_secs(5));
    held
}

/// Waits until nothing is allocated or given back any more.
async fn quiet(heap: &'static Heap) {
    let (mut before, mut since) = (heap.now_over(0), Instant::now());
    let begun = Instant::now();
    while since.elapsed() < QUIET && begun.elapsed() < Duration::from_secs(120) {
        tokio::time::sleep(Duration::from_millis(20)).await;
        let now = heap.now_over(0);
        if now.abs_diff(before) > 4 * KIB {
            (before, since) = (now, Instant::now());
        }
    }
}
