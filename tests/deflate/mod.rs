//! The other end of a compressed connection: C zlib with exactly the parameters that were agreed, over TCP. Knows
//! nothing of how this crate compresses.
#![allow(dead_code)] // Each test binary uses its part.

pub(crate) mod heap;
pub(crate) mod tables;

use std::time::Duration;

use converse::{Client, ConnectError, MemoryMode, PerMessageDeflate, Server, Session, SessionOptions};
use converse_zlib_oracle::{Deflater, InflateError, Inflater};
use tokio::{net::TcpListener, sync::mpsc};

use crate::wire::{self, BINARY, CONTINUATION, FIN, HEAD, Running, Wire, in_time};

/// The bit that marks a compressed message, in its first frame (RFC 7692 §6).
pub(crate) const RSV1: u8 = 0x40;
/// What browsers offer.
pub(crate) const PLAIN_OFFER: &str = "permessage-deflate; client_max_window_bits";
/// Longer than any test.
const NEVER: Duration = Duration::from_secs(1 << 30);

/// A session's options with this extension, and no timer that a slow machine could see.
pub(crate) fn with(extension: PerMessageDeflate) -> SessionOptions {
    SessionOptions::default()
        .extension(extension)
        .ping_interval(None)
        .write_timeout(NEVER)
        .message_timeout(NEVER)
}

/// An answer that a client takes in this mode. A compact one has a history of more than 1,024 bytes.
pub(crate) fn answer_for(mode: MemoryMode) -> &'static str {
    match mode {
        MemoryMode::Dedicated => "permessage-deflate",
        MemoryMode::NoTakeover => "permessage-deflate; server_no_context_takeover",
        _ => "permessage-deflate; server_max_window_bits=11",
    }
}

/// What an answer agrees on, for both directions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Terms {
    pub(crate) server: Side,
    pub(crate) client: Side,
}

/// How one end compresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Side {
    pub(crate) bits: u8,
    pub(crate) takeover: bool,
}

impl Terms {
    /// Reads an answer as it stands in the header; `None` when nothing was agreed.
    pub(crate) fn of(answer: Option<&str>) -> Option<Self> {
        let mut params = answer?.split(';').map(str::trim);
        assert_eq!(params.next(), Some("permessage-deflate"));
        let side = Side { bits: 15, takeover: true };
        let mut terms = Self { server: side, client: side };
        for param in params {
            let (name, value) = param.split_once('=').unwrap_or((param, ""));
            let bits = || value.trim_matches([' ', '"']).parse().unwrap();
            match name.trim() {
                "server_no_context_takeover" => terms.server.takeover = false,
                "client_no_context_takeover" => terms.client.takeover = false,
                "server_max_window_bits" => terms.server.bits = bits(),
                "client_max_window_bits" => terms.client.bits = bits(),
                _ => panic!("{answer:?}"),
            }
        }
        Some(terms)
    }
}

/// zlib at one end of a connection, as strict as the terms are.
pub(crate) struct Zlib {
    pub(crate) deflater: Deflater,
    inflater: Inflater,
    ours: Side,
    theirs: Side,
}

impl Zlib {
    pub(crate) fn new(ours: Side, theirs: Side) -> Self {
        // zlib's deflate stays 262 bytes below its window, so that 9 bits are good for a peer with 8.
        Self {
            deflater: Deflater::new(6, ours.bits.max(9)),
            inflater: Inflater::new(theirs.bits),
            ours,
            theirs,
        }
    }

    pub(crate) fn compress(&mut self, data: &[u8]) -> Vec<u8> {
        self.compress_as(|deflater| deflater.message(data))
    }

    /// Makes a message with the deflater at hand, which is reset when the terms say so.
    pub(crate) fn compress_as(&mut self, make: impl FnOnce(&mut Deflater) -> Vec<u8>) -> Vec<u8> {
        let payload = make(&mut self.deflater);
        if !self.ours.takeover {
            self.deflater.reset();
        }
        payload
    }

    pub(crate) fn decompress(&mut self, payload: &[u8]) -> Result<Vec<u8>, InflateError> {
        let data = self.inflater.inflate_message(payload);
        if !self.theirs.takeover {
            self.inflater.reset();
        }
        data
    }
}

/// A whole message as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Arrived {
    pub(crate) opcode: u8,
    pub(crate) compressed: bool,
    /// The payload of the longest frame, in bytes.
    pub(crate) longest: usize,
    pub(crate) data: Vec<u8>,
}

/// The far end of a session.
pub(crate) struct Far {
    pub(crate) wire: Wire,
    pub(crate) zlib: Option<Zlib>,
    pub(crate) masks: bool,
}

impl Far {
    pub(crate) fn client(wire: Wire, answer: Option<&str>) -> Self {
        let zlib = Terms::of(answer).map(|terms| Zlib::new(terms.client, terms.server));
        Self { wire, zlib, masks: true }
    }

    pub(crate) fn server(wire: Wire, answer: Option<&str>) -> Self {
        let zlib = Terms::of(answer).map(|terms| Zlib::new(terms.server, terms.client));
        Self { wire, zlib, masks: false }
    }

    pub(crate) fn zlib(&mut self) -> &mut Zlib {
        self.zlib.as_mut().expect("compression was agreed on")
    }

    /// The bytes of a message of one frame, compressed when that was agreed.
    pub(crate) fn pack(&mut self, data: &[u8]) -> Vec<u8> {
        match &mut self.zlib {
            None => wire::frame(FIN | BINARY, data, self.masks),
            Some(zlib) => wire::frame(FIN | RSV1 | BINARY, &zlib.compress(data), self.masks),
        }
    }

    pub(crate) async fn send(&mut self, data: &[u8]) {
        let bytes = self.pack(data);
        self.wire.send(&bytes).await;
    }

    /// Reads a message and decompresses it. Control frames have no place here.
    pub(crate) async fn message(&mut self) -> Arrived {
        let first = self.wire.frame().await;
        let (opcode, compressed) = (first.first & 0xf, first.first & RSV1 != 0);
        assert_eq!(first.first & 0x30, 0, "{:#x}", first.first);
        assert!(opcode != CONTINUATION && opcode & 8 == 0, "{first:?}");
        let (mut fin, mut longest) = (first.first & FIN != 0, first.payload.len());
        let mut payload = first.payload;
        while !fin {
            let more = self.wire.frame().await;
            assert_eq!(more.first & !FIN, CONTINUATION, "only the first frame is marked");
            (fin, longest) = (more.first & FIN != 0, longest.max(more.payload.len()));
            payload.extend(more.payload);
        }
        let data = if compressed { self.zlib().decompress(&payload).unwrap() } else { payload };
        Arrived { opcode, compressed, longest, data }
    }
}

/// The `Sec-WebSocket-Extensions` of a head; several lines are joined.
pub(crate) fn extensions_of(head: &str) -> Option<String> {
    let lines = head.lines().filter_map(|line| line.split_once(':'));
    let values = lines.filter(|(name, _)| name.eq_ignore_ascii_case("sec-websocket-extensions"));
    let values: Vec<&str> = values.map(|(_, value)| value.trim()).collect();
    (!values.is_empty()).then(|| values.join(", "))
}

/// The header lines that offer or answer so.
pub(crate) fn header_lines(values: &[&str]) -> String {
    values.iter().map(|value| format!("Sec-WebSocket-Extensions: {value}\r\n")).collect()
}

/// Opens connections to a server under test, and hands out both ends.
pub(crate) struct Served {
    running: Running,
    sessions: mpsc::UnboundedReceiver<Session>,
}

impl Served {
    pub(crate) async fn start(options: SessionOptions) -> Self {
        let (tell, sessions) = mpsc::unbounded_channel();
        let handler = move |session: Session| {
            let tell = tell.clone();
            async move {
                let sender = session.sender();
                tell.send(session).ok();
                sender.closed().await;
                Ok::<_, converse::Error>(())
            }
        };
        Self { running: wire::start(Server::new(options).route("/", handler)).await, sessions }
    }

    pub(crate) fn address(&self) -> std::net::SocketAddr {
        self.running.address
    }

    /// The server's end of the next connection.
    pub(crate) async fn session(&mut self) -> Session {
        in_time(self.sessions.recv()).await.expect("a session")
    }

    /// Offers so, and expects a 101. The answer is the third.
    pub(crate) async fn open(&mut self, offers: &[&str]) -> (Session, Far, Option<String>) {
        let mut wire = Wire::connect(self.running.address).await;
        let head = wire.ask(&format!("{HEAD}{}\r\n", header_lines(offers))).await;
        assert!(head.starts_with("HTTP/1.1 101 "), "{offers:?}: {head}");
        let answer = extensions_of(&head);
        let session = self.session().await;
        (session, Far::client(wire, answer.as_deref()), answer)
    }
}

/// A server's session and its far end, that agreed on what the server made of this offer.
pub(crate) async fn served(options: SessionOptions, offer: &str) -> (Session, Far) {
    let (session, far, answer) = Served::start(options).await.open(&[offer]).await;
    assert!(answer.is_some(), "{offer}");
    (session, far)
}

/// What becomes of a client under test that is answered so, and what it had offered.
pub(crate) async fn dial(
    options: SessionOptions,
    answers: &[&str],
) -> (Result<Session, ConnectError>, Wire, Option<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    let client = Client::new(options);
    let far = async {
        let mut wire = Wire::accept_tcp(&listener).await;
        let request = wire.head().await;
        let answer = format!("{}{}\r\n", wire::accept_head(&wire::key_of(&request)), header_lines(answers));
        wire.send(answer.as_bytes()).await;
        (wire, extensions_of(&request))
    };
    let (session, (wire, offer)) = tokio::join!(in_time(client.connect(&url)), far);
    (session, wire, offer)
}

/// A client's session and its far end, that agreed on this.
pub(crate) async fn dialled(options: SessionOptions, answer: &str) -> (Session, Far) {
    let (session, wire, offer) = dial(options, &[answer]).await;
    let session = session.unwrap_or_else(|error| panic!("{answer} for {offer:?}: {error}"));
    (session, Far::server(wire, Some(answer)))
}

/// Numbers and bytes without order, the same for the same seed.
#[derive(Clone, Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn throw(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.throw() % end as u64) as usize
    }

    /// True once in `times`.
    pub(crate) fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    pub(crate) fn noise(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.throw() as u8).collect()
    }
}
