//! What the tests of conversations share: a peer that speaks JSON frames by hand and shows them as they stand on the
//! wire, handlers whose drop is counted, a transport that can be cut. Knows no guarantee.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used)]

use std::{
    collections::VecDeque,
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use converse::{
    CborConverter, JsonConverter, Message, MessagePackConverter, Session, SessionOptions,
    frame::Role,
    rpc::{self, Options, Peer, Protocol, Router},
};
use tokio::{io::duplex, time::timeout};

/// Bytes under way in memory, each way.
pub const BUFFER: usize = 64 * 1024;

/// All that a conversation can be held in.
pub fn protocols() -> Vec<Protocol> {
    let mut protocols = native();
    protocols.push(Protocol::json_rpc());
    protocols
}

/// Those with hello, metadata and credit for answers.
pub fn native() -> Vec<Protocol> {
    vec![
        Protocol::converse(JsonConverter::default()),
        Protocol::converse(MessagePackConverter::default()),
        Protocol::converse(CborConverter::default()),
    ]
}

pub fn json() -> Protocol {
    Protocol::converse(JsonConverter::default())
}

/// Sessions whose own times stay out of the way.
pub fn patient() -> SessionOptions {
    let never = Duration::from_secs(1 << 30);
    SessionOptions::default().ping_interval(None).write_timeout(never).message_timeout(never)
}

/// Two conversing ends over JSON: the client as the server sees it, and the server as the client sees it.
pub fn pair(server: Router, client: Router) -> (Peer, Peer) {
    let patient = patient();
    pair_in(&json(), [&patient, &patient], server, client)
}

/// The same in another protocol, over sessions with options of their own, of the server first.
pub fn pair_in(
    protocol: &Protocol,
    options: [&SessionOptions; 2],
    server: Router,
    client: Router,
) -> (Peer, Peer) {
    let (here, there) = duplex(BUFFER);
    let server = rpc::over(here, Role::Server, protocol, options[0], server);
    (server, rpc::over(there, Role::Client, protocol, options[1], client))
}

/// A server over JSON, and a client that does nothing by itself. Nobody has said hello.
pub fn served(router: Router) -> (Peer, Raw) {
    let (here, there) = duplex(BUFFER);
    let peer = rpc::over(here, Role::Server, &json(), &patient(), router);
    (peer, Raw::new(Session::over(there, Role::Client, &patient())))
}

/// A server over JSON, and a client by hand after both have said hello.
pub async fn greeted(router: Router) -> (Peer, Raw) {
    let (peer, mut raw) = served(router);
    raw.say(r#"{"hello":{}}"#).await;
    assert!(raw.frame().await.starts_with(r#"{"hello":{"#));
    (peer, raw)
}

/// A client over JSON, and a server by hand after both have said hello.
pub async fn calling(router: Router) -> (Peer, Raw) {
    let (here, there) = duplex(BUFFER);
    let peer = rpc::over(here, Role::Client, &json(), &patient(), router);
    let mut raw = Raw::new(Session::over(there, Role::Server, &patient()));
    raw.say(r#"{"hello":{}}"#).await;
    assert!(raw.frame().await.starts_with(r#"{"hello":{"#));
    settle().await;
    (peer, raw)
}

/// One end of a conversation by hand: frames go out as they are given, and come in as text.
pub struct Raw {
    pub session: Session,
    frames: VecDeque<String>,
}

impl Raw {
    pub fn new(session: Session) -> Self {
        Self { session, frames: VecDeque::new() }
    }

    /// Sends one message.
    pub async fn say(&self, frames: impl Into<String>) {
        self.session.send(frames.into()).await.unwrap();
    }

    /// Receives one message: its frames, one a line.
    pub async fn message(&mut self) -> String {
        assert!(self.frames.is_empty(), "frames of an earlier message wait");
        match self.session.receive().await {
            Ok(Some(Message::Text(text))) => text.as_str().to_owned(),
            other => panic!("no message but {other:?}"),
        }
    }

    /// Receives one frame.
    pub async fn frame(&mut self) -> String {
        while self.frames.is_empty() {
            let message = self.message().await;
            self.frames.extend(message.split('\n').map(str::to_owned));
        }
        self.frames.pop_front().unwrap()
    }

    /// Receives so many frames.
    pub async fn frames(&mut self, count: usize) -> Vec<String> {
        let mut frames = Vec::new();
        for _ in 0..count {
            frames.push(self.frame().await);
        }
        frames
    }

    /// Receives all that comes until nobody has anything to do; for a clock that stands still.
    pub async fn rest(&mut self) -> Vec<String> {
        let mut rest = Vec::new();
        while let Ok(frame) = timeout(Duration::from_millis(1), self.frame()).await {
            rest.push(frame);
        }
        rest
    }

    /// Asserts that a call is answered, and so that the connection lives.
    pub async fn is_alive(&mut self) {
        self.say(r#"{"id":999999,"method":"is.alive"}"#).await;
        let answer = self.frame().await;
        assert!(answer.starts_with(r#"{"id":999999,"error":{"code":-32601,"#), "{answer}");
    }

    /// Receives all up to the end: the code and the text of the other end's Close frame.
    pub async fn closed(&mut self) -> (u16, String) {
        while let Ok(Some(_)) = self.session.receive().await {}
        let closed = self.session.closed().await;
        let reason = closed.received.as_ref().unwrap_or_else(|| panic!("no Close frame: {closed:?}"));
        (reason.code().get(), reason.text().to_owned())
    }
}

/// Lets every other task run until it waits; for a clock that stands still.
pub async fn settle() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

/// A future that has to end, for a clock that stands still: where nothing can make it go on, this fails at once.
pub async fn ends<F: Future>(what: &str, future: F) -> F::Output {
    match timeout(Duration::from_secs(24 * 3600), future).await {
        Ok(output) => output,
        Err(_) => panic!("{what} hangs"),
    }
}

/// Counts what is held and what was dropped.
#[derive(Clone, Debug, Default)]
pub struct Guards(Arc<[AtomicUsize; 2]>);

/// What is counted.
#[derive(Debug)]
pub struct Guard(Guards);

impl Guards {
    pub fn hold(&self) -> Guard {
        self.0[0].fetch_add(1, SeqCst);
        Guard(self.clone())
    }

    /// Returns how many were ever held.
    pub fn ever(&self) -> usize {
        self.0[0].load(SeqCst)
    }

    /// Returns how many are held.
    pub fn now(&self) -> usize {
        self.ever() - self.0[1].load(SeqCst)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.0[1].fetch_add(1, SeqCst);
    }
}

/// Options that speak JSON.
pub fn in_json() -> Options {
    Options::default().protocols([json()])
}

/// A generator of numbers that is the same everywhere (splitmix64).
pub struct Dice(pub u64);

impl Dice {
    pub fn next(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % below
    }
}
