//! Peers that read or write slowly and steadily stay, those that read nothing are cut: over real sockets and by the real
//! clock, since both are the system's. CONVERSE_SLOW_SECONDS says for how long; 120 is the long form.
#![cfg(feature = "tls")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "support/authority.rs"]
mod authority;
#[path = "support/compact.rs"]
mod compact;
mod wire;

use std::{
    env,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use authority::Trust;
use compact::{HELLO, NONE, id, lasting_call, number};
use converse::{
    Client, CloseCause, PerMessageDeflate, Server, Session, SessionOptions,
    rpc::{Router, Status},
};
use futures::{future::join_all, stream};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::sleep,
};
use tokio_rustls::TlsConnector;
use wire::{BINARY, CLOSE, FIN, HEAD, PING, PONG, Running, Wire, start};

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;
/// What slow peers read or write in a second, in bytes.
const RATES: [usize; 3] = [20_000, 60_000, 160_000];
/// Portions of a second's bytes.
const PORTIONS: usize = 10;

fn seconds() -> u64 {
    env::var("CONVERSE_SLOW_SECONDS").ok().map_or(30, |seconds| seconds.parse().unwrap())
}

fn noise(len: usize) -> Vec<u8> {
    let mut noise = vec![0; len];
    rand::fill(&mut noise[..]);
    noise
}

/// How sessions ended, in the order in which they did.
#[derive(Clone, Default)]
struct Ends(Arc<Mutex<Vec<(CloseCause, Duration)>>>);

/// Sends as fast as it is let.
async fn pour(session: Session, ends: Ends) -> converse::Result<()> {
    let (begun, noise) = (Instant::now(), noise(256 * KIB));
    while session.send(noise.clone()).await.is_ok() {}
    let cause = session.closed().await.cause;
    ends.0.lock().unwrap().push((cause, begun.elapsed()));
    Ok(())
}

/// Sends a mebibyte, and ends.
async fn last(session: Session) -> converse::Result<()> {
    session.send(noise(MIB)).await?;
    Ok(())
}

/// Receives a message, and says how long it was.
async fn measure(mut session: Session) -> converse::Result<()> {
    if let Some(message) = session.receive().await? {
        session.send(message.len().to_string()).await?;
    }
    Ok(())
}

fn server(options: SessionOptions, ends: &Ends) -> Server {
    let ends = ends.clone();
    let items = |_, _: [(); 0]| stream::repeat_with(|| Ok::<_, Status>(noise(32 * KIB)));
    Server::new(options)
        .route("/", move |session: Session| pour(session, ends.clone()))
        .route("/last", last)
        .route("/measure", measure)
        .rpc("/rpc", Router::new().stream("pour", items))
}

/// Opens a connection by hand at `path`; further lines of the request's head are `more`.
async fn dial(server: &Running, trust: Option<&Trust>, path: &str, more: &str) -> Box<dyn Duplex> {
    let tcp = TcpStream::connect(server.address).await.unwrap();
    let mut io: Box<dyn Duplex> = match trust {
        Some(trust) => {
            let connector = TlsConnector::from(Arc::clone(&trust.client));
            Box::new(connector.connect("localhost".try_into().unwrap(), tcp).await.unwrap())
        }
        None => Box::new(tcp),
    };
    let head = HEAD.replacen("GET / ", &format!("GET {path} "), 1);
    io.write_all(format!("{head}{more}\r\n").as_bytes()).await.unwrap();
    let (mut answer, mut byte) = (Vec::new(), [0]);
    while !answer.ends_with(b"\r\n\r\n") {
        io.read_exact(&mut byte).await.unwrap();
        answer.extend(byte);
    }
    io
}

trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// Finds the pings in what was read.
#[derive(Default)]
struct Pings {
    /// The beginning of a frame that is not whole: its header, or a ping.
    begun: Vec<u8>,
    /// Bytes of a payload that are still to be passed.
    passed: usize,
}

impl Pings {
    /// Takes the payloads of the pings that are whole now.
    fn find(&mut self, mut bytes: &[u8]) -> Vec<Vec<u8>> {
        let mut pings = Vec::new();
        loop {
            let passed = self.passed.min(bytes.len());
            self.passed -= passed;
            bytes = &bytes[passed..];
            let Some((first, rest)) = bytes.split_first() else { return pings };
            self.begun.push(*first);
            bytes = rest;
            pings.extend(self.frame());
        }
    }

    /// Takes a ping that is whole; begins to pass the payload of another frame.
    fn frame(&mut self) -> Option<Vec<u8>> {
        let (first, second) = (self.begun[0], *self.begun.get(1)?);
        let long = match second & 0x7f {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let (mask, header) = if second & 0x80 == 0 { (0, 2 + long) } else { (4, 6 + long) };
        let bytes = self.begun.get(..header)?;
        let len = match long {
            0 => usize::from(second & 0x7f),
            _ => bytes[2..2 + long].iter().fold(0, |len, byte| len << 8 | usize::from(*byte)),
        };
        if first != FIN | PING {
            self.passed = len;
            self.begun.clear();
            return None;
        }
        let payload = self.begun.get(header..header + len)?;
        let key = &bytes[header - mask..];
        let payload =
            payload.iter().enumerate().map(|(n, byte)| byte ^ key.get(n % 4).unwrap_or(&0)).collect();
        self.begun.clear();
        Some(payload)
    }
}

/// Reads so many bytes a second, up to the end or for so long, and answers the pings that it comes to; returns how many
/// bytes there were, and whether it has ended.
async fn read_slowly(
    io: &mut (impl AsyncRead + AsyncWrite + Unpin + ?Sized),
    is_client: bool,
    rate: usize,
    time: Duration,
) -> (usize, bool) {
    let (begun, mut bytes, mut buffer) = (Instant::now(), 0, vec![0; rate / PORTIONS]);
    let mut pings = Pings::default();
    while begun.elapsed() < time {
        let count = match io.read(&mut buffer).await {
            Ok(0) | Err(_) => return (bytes, true),
            Ok(count) => count,
        };
        bytes += count;
        for ping in pings.find(&buffer[..count]) {
            io.write_all(&wire::frame(FIN | PONG, &ping, is_client)).await.unwrap();
            io.flush().await.unwrap();
        }
        sleep(Duration::from_secs(1) / PORTIONS as u32).await;
    }
    (bytes, false)
}

const DEFLATE: &str = "Sec-WebSocket-Extensions: permessage-deflate\r\n";
const RPC: &str = "Sec-WebSocket-Protocol: converse.v1.msgpack\r\n";

fn options() -> SessionOptions {
    SessionOptions::default().extension(PerMessageDeflate::new())
}

/// A server, and one with TLS.
async fn servers(options: SessionOptions, ends: &Ends, trust: &Trust) -> [Running; 2] {
    let secure = server(options.clone(), ends).tls(Arc::clone(&trust.server));
    [start(server(options, ends)).await, start(secure).await]
}

/// Reads slowly what is sent for ever, and is not cut.
async fn stays(server: &Running, trust: Option<&Trust>, more: &str, rate: usize) {
    let path = if more == RPC { "/rpc" } else { "/" };
    let mut io = dial(server, trust, path, more).await;
    if more == RPC {
        let (items, bytes) = (number(1_000_000), number(u32::MAX));
        let credit = [&[0x94, 8][..], &number(id(0)), &items, &bytes].concat();
        for message in [HELLO.to_vec(), lasting_call(id(0), "pour", NONE), credit] {
            io.write_all(&wire::frame(FIN | BINARY, &message, true)).await.unwrap();
        }
    }
    let (bytes, ended) = read_slowly(&mut *io, true, rate, Duration::from_secs(seconds())).await;
    let what = format!("{rate} B/s, TLS {}, {more:?}", trust.is_some());
    assert!(!ended, "{what}: cut after {bytes} bytes");
    assert!(bytes > rate * 10, "{what}: {bytes} bytes only");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn peers_that_read_slowly_stay_and_those_that_read_nothing_are_cut() {
    let trust = authority::trust(&["localhost"]);
    let ends = Ends::default();
    let [plain, secure] = servers(options(), &ends, &trust).await;
    let stalled = [dial(&plain, None, "/", "").await, dial(&secure, Some(&trust), "/", "").await];
    let both = [(&plain, None), (&secure, Some(&trust))];
    let all = RATES.iter().flat_map(|rate| {
        both.iter()
            .flat_map(|(server, trust)| ["", DEFLATE, RPC].map(|more| stays(server, *trust, more, *rate)))
    });
    join_all(all).await;
    let mut cut = ends.0.lock().unwrap().clone();
    // The others have left themselves.
    cut.retain(|(cause, _)| *cause == CloseCause::WriteTimeout);
    assert_eq!(cut.len(), stalled.len(), "{cut:?}");
    for (_, after) in cut {
        // At most a quarter of the time late.
        assert!((20..=27).contains(&after.as_secs()), "{after:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_message_reaches_a_slow_peer_with_the_close_behind_it() {
    let trust = authority::trust(&["localhost"]);
    let [plain, secure] = servers(options(), &Ends::default(), &trust).await;
    let read = async |server: &Running, trust: Option<&Trust>, rate: usize| {
        let mut io = dial(server, trust, "/last", "").await;
        let mut all = Vec::new();
        let mut buffer = vec![0; rate / PORTIONS];
        while let Ok(count @ 1..) = io.read(&mut buffer).await {
            all.extend_from_slice(&buffer[..count]);
            sleep(Duration::from_secs(1) / PORTIONS as u32).await;
        }
        let what = format!("{} bytes at {rate} B/s, TLS {}", all.len(), trust.is_some());
        assert!(all.len() > MIB && all.ends_with(&[FIN | CLOSE, 2, 3, 232]), "{what}");
    };
    // The slowest takes most of a minute.
    let slowest = async {
        if seconds() >= 60 {
            tokio::join!(read(&plain, None, RATES[0]), read(&secure, Some(&trust), RATES[0]));
        }
    };
    tokio::join!(read(&plain, None, RATES[1]), read(&secure, Some(&trust), RATES[1]), slowest);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_arrives_slowly_is_received() {
    // 17 s, of which the message may be silent for 2.
    let options = options().message_timeout(Duration::from_secs(2));
    let trust = authority::trust(&["localhost"]);
    let [plain, secure] = servers(options, &Ends::default(), &trust).await;
    let upload = async |server: &Running, trust: Option<&Trust>| {
        let mut io = dial(server, trust, "/measure", "").await;
        for portion in wire::frame(FIN | BINARY, &vec![7; MIB], true).chunks(RATES[1] / PORTIONS) {
            io.write_all(portion).await.unwrap();
            io.flush().await.unwrap();
            sleep(Duration::from_secs(1) / PORTIONS as u32).await;
        }
        let mut all = Vec::new();
        let _ = io.read_to_end(&mut all).await;
        let all = String::from_utf8_lossy(&all);
        assert!(all.contains(&MIB.to_string()), "TLS {}: {all}", trust.is_some());
    };
    tokio::join!(upload(&plain, None), upload(&secure, Some(&trust)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_does_not_cut_a_server_that_reads_slowly() {
    let talk = async |rate: usize| {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("ws://{}/", listener.local_addr().unwrap());
        let client = Client::new(SessionOptions::default());
        let connecting = tokio::spawn(async move { client.connect(&url).await.unwrap() });
        let mut io = Wire::accept(&listener, b"").await.io;
        let ends = Ends::default();
        tokio::spawn(pour(connecting.await.unwrap(), ends.clone()));
        let (bytes, ended) = read_slowly(&mut io, false, rate, Duration::from_secs(seconds())).await;
        assert!(!ended, "{rate} B/s: cut after {bytes} bytes: {:?}", ends.0.lock().unwrap());
    };
    join_all(RATES.map(talk)).await;
}
