//! Messages of anybody, to either end of a conversation that serves every kind of method: whatever comes, nothing
//! panics, nothing hangs, and nothing is left when the connection has ended.

use std::time::Duration;

use arbitrary::{Arbitrary, Result, Unstructured};
use converse::{
    CborConverter, CloseReason, JsonConverter, Message, MessagePackConverter, Session, SessionOptions,
    frame::Role,
    rpc::{self, Options, Peer, Protocol, Router, Status, Streaming},
};
use futures::{StreamExt, stream};

/// A time by which everything has happened that will, on a clock that only moves when nothing else can.
const LATER: Duration = Duration::from_secs(3600);
/// Answers of one case that are read.
const MESSAGES: usize = 10_000;

#[derive(Debug)]
pub struct Case {
    protocol: Spoken,
    /// Whether the end under test is the server.
    serves: bool,
    /// Whether a good hello comes first.
    hello: bool,
    /// Calls of the end under test.
    calls: u8,
    /// What the other end says.
    messages: Vec<Said>,
}

#[derive(Clone, Copy, Debug)]
enum Spoken {
    Json,
    MessagePack,
    Cbor,
    JsonRpc,
}

#[derive(Debug)]
enum Said {
    Text(String),
    Bytes(Vec<u8>),
    /// Nothing, for a while.
    Silence,
}

impl Case {
    /// Plays the case.
    pub fn check(&self) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        let played = async { tokio::time::timeout(100 * LATER, self.play()).await };
        runtime.expect("a runtime").block_on(played).expect("the conversation comes to its end");
    }

    async fn play(&self) {
        let (here, there) = tokio::io::duplex(64 * 1024);
        let (role, other) =
            if self.serves { (Role::Server, Role::Client) } else { (Role::Client, Role::Server) };
        let options = SessionOptions::default();
        let peer = rpc::over(here, role, &self.protocol(), &options, router());
        let mut stranger = Session::over(there, other, &options);
        let calls: Vec<_> = (0..self.calls % 8).map(|n| tokio::spawn(call(peer.clone(), n))).collect();
        for said in self.hello().into_iter().chain(self.messages.iter().filter_map(Said::message)) {
            match said {
                Some(message) => {
                    if stranger.send(message).await.is_err() {
                        break;
                    }
                }
                None => tokio::time::sleep(Duration::from_secs(1)).await,
            }
        }
        for _ in 0..MESSAGES {
            match tokio::time::timeout(Duration::from_secs(60), stranger.receive()).await {
                Ok(Ok(Some(_))) => {}
                _ => break,
            }
        }
        stranger.close(CloseReason::NORMAL).await;
        tokio::time::sleep(LATER).await;
        for call in calls {
            assert!(call.is_finished(), "a call hangs");
        }
        let stats = peer.stats();
        let left =
            (stats.calls_in_flight, stats.served_in_flight, stats.streams_in_flight, stats.queued_bytes);
        assert_eq!(left, (0, 0, 0, 0), "{stats:?}");
    }

    fn protocol(&self) -> Protocol {
        match self.protocol {
            Spoken::Json => Protocol::converse(JsonConverter::default()),
            Spoken::MessagePack => Protocol::converse(MessagePackConverter::default()),
            Spoken::Cbor => Protocol::converse(CborConverter::default()),
            Spoken::JsonRpc => Protocol::json_rpc(),
        }
    }

    fn hello(&self) -> Option<Option<Message>> {
        let hello = match self.protocol {
            Spoken::Json => Message::text(r#"{"hello":{}}"#),
            Spoken::MessagePack => Message::binary(vec![0x92, 0, 0x80]),
            Spoken::Cbor => Message::binary(vec![0x82, 0, 0xa0]),
            Spoken::JsonRpc => return None,
        };
        self.hello.then_some(Some(hello))
    }
}

impl<'a> Arbitrary<'a> for Case {
    /// One byte that says what is spoken (0 to 3), by whom (4) and whether hello comes first (8), and how often the
    /// end under test calls (16 each); then the messages.
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let first: u8 = u.arbitrary()?;
        let protocol = match first & 3 {
            0 => Spoken::Json,
            1 => Spoken::MessagePack,
            2 => Spoken::Cbor,
            _ => Spoken::JsonRpc,
        };
        let mut messages = Vec::new();
        while !u.is_empty() {
            messages.push(u.arbitrary()?);
        }
        Ok(Self { protocol, serves: first & 4 == 0, hello: first & 8 == 0, calls: first >> 4, messages })
    }
}

impl<'a> Arbitrary<'a> for Said {
    /// `t` for text or `b` for bytes with their length, all else is silence.
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let kind: u8 = u.arbitrary()?;
        if !matches!(kind, b't' | b'b') {
            return Ok(Self::Silence);
        }
        let len = usize::from(u.arbitrary::<u8>()?).min(u.len());
        let bytes = u.bytes(len)?.to_vec();
        Ok(match String::from_utf8(bytes) {
            Ok(text) if kind == b't' => Self::Text(text),
            Ok(text) => Self::Bytes(text.into_bytes()),
            Err(bytes) => Self::Bytes(bytes.into_bytes()),
        })
    }
}

impl Said {
    /// What is sent, or a pause. An empty message says nothing.
    fn message(&self) -> Option<Option<Message>> {
        match self {
            Self::Text(text) => (!text.is_empty()).then(|| Some(Message::text(text.clone()))),
            Self::Bytes(bytes) => (!bytes.is_empty()).then(|| Some(Message::from(bytes.clone()))),
            Self::Silence => Some(None),
        }
    }
}

/// Every kind of method, with short names.
fn router() -> Router {
    Router::new()
        .options(Options::default().window(4).in_flight(8).streams(4))
        .call("a", |_, (a, b): (i64, Option<String>)| async move { Ok::<_, Status>((a, b)) })
        .call("w", |_, (ms,): (u32,)| async move {
            tokio::time::sleep(Duration::from_millis(ms.into())).await;
            Ok::<_, Status>(())
        })
        .notification("n", |_, _: Vec<u8>| async {})
        .stream("s", |_, (to,): (u16,)| stream::iter((0..to).map(Ok::<_, Status>)))
        .client_stream("c", |_, _: [(); 0], items: Streaming<u8>| async move {
            Ok::<_, Status>(items.filter_map(|item| async { item.ok() }).count().await)
        })
        .bidi_stream("b", |_, _: [(); 0], items: Streaming<u8>| items.map(|item| item.map_err(Status::from)))
}

/// Calls of some kind, whatever becomes of them.
async fn call(peer: Peer, kind: u8) {
    match kind % 3 {
        0 => drop(peer.call::<_, (i64, String)>("a", (1, "x")).await),
        1 => {
            if let Ok(mut items) = peer.open::<_, u8>("s", (9,)).deadline(LATER / 2).await {
                while let Some(Ok(_)) = items.next().await {}
            }
        }
        _ => drop(peer.call::<_, usize>("c", [(); 0]).sending(stream::iter(0..9u8)).await),
    }
}
