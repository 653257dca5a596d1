//! Random traffic between a session and tokio-tungstenite, which judges every byte by its own lights: both ends
//! must hear the same. Knows no extension.
#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use std::sync::Arc;

use bytes::Bytes;
use converse::{
    CloseCode, CloseReason, Closed, Message, Server, Session, SessionOptions, frame::Role,
    session::SessionError,
};
use futures::{SinkExt, StreamExt};
use rand::{RngExt, SeedableRng, rngs::SmallRng};
use tokio::{
    io::{AsyncRead, AsyncWrite, duplex},
    net::TcpListener,
    sync::mpsc,
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        self,
        protocol::{
            CloseFrame, Role as OracleRole,
            frame::{
                Frame,
                coding::{CloseCode as OracleCode, Data, OpCode},
            },
        },
    },
};

/// What an end says before it closes.
#[derive(Clone, Debug)]
enum Step {
    Say(Message),
    /// A message in fragments, with pings between them; the oracle's only.
    SayInParts(Message, Vec<usize>),
    Ping(Vec<u8>),
    Flush,
}

fn message(random: &mut SmallRng, most: usize) -> Message {
    let len = match random.random_range(0..10) {
        0 => 0_usize,
        1..=5 => random.random_range(0..130),
        6..=8 => random.random_range(120..5_000),
        _ => random.random_range(60_000..70_000),
    }
    .min(most);
    if random.random() {
        let alphabet = ['a', 'é', '本', '🦀', '\0'];
        let mut text = String::new();
        while text.len() < len {
            text.push(alphabet[random.random_range(0..alphabet.len())]);
        }
        Message::text(text)
    } else {
        Message::binary(Vec::from_iter((0..len).map(|_| random.random::<u8>())))
    }
}

fn script(random: &mut SmallRng, most: usize, parts: bool) -> Vec<Step> {
    let steps = random.random_range(0..30);
    let step = |_| match random.random_range(0..10) {
        0 => Step::Ping((0..random.random_range(0..=125)).map(|_| random.random()).collect()),
        1 => Step::Flush,
        2..=4 if parts => {
            let message = message(random, most);
            let mut cuts = Vec::from_iter((0..4).map(|_| random.random_range(0..=message.len())));
            cuts.sort_unstable();
            Step::SayInParts(message, cuts)
        }
        _ => Step::Say(message(random, most)),
    };
    (0..steps).map(step).collect()
}

fn said(script: &[Step]) -> Vec<Message> {
    let message = |step: &Step| match step {
        Step::Say(message) | Step::SayInParts(message, _) => Some(message.clone()),
        _ => None,
    };
    script.iter().filter_map(message).collect()
}

fn reason(random: &mut SmallRng) -> CloseReason {
    let codes = [1000, 1001, 1003, 1008, 1011, 3000, 4321, 4999];
    match random.random_range(0..9) {
        8 => CloseReason::EMPTY,
        index => CloseReason::new(CloseCode::new(codes[index]).unwrap(), ["", "tschüß"][index % 2]),
    }
}

async fn run_session(mut session: Session, script: Vec<Step>, close: Option<CloseReason>) -> Heard {
    let sender = session.sender();
    // Who is closed on while it speaks stops, and who closes has said everything.
    let closes = close.is_some();
    let speak = async {
        for step in script {
            let done = match step {
                Step::Say(message) | Step::SayInParts(message, _) => sender.send(message).await.is_ok(),
                Step::Ping(_) => sender.ping().await.is_ok(),
                Step::Flush => sender.flush().await.is_ok(),
            };
            if !done {
                assert!(!closes);
                return;
            }
        }
        if let Some(reason) = close {
            sender.close(reason).await;
        }
    };
    let listen = async {
        let mut heard = Vec::new();
        loop {
            match session.receive().await {
                Ok(Some(message)) => heard.push(message),
                Ok(None) | Err(SessionError::Closed(_)) => return heard,
                Err(error) => panic!("{error}"),
            }
        }
    };
    let ((), messages) = tokio::join!(speak, listen);
    Heard { messages, closed: Some(session.closed().await), close: None }
}

struct Heard {
    messages: Vec<Message>,
    closed: Option<Arc<Closed>>,
    /// The oracle's view of the Close frame it received.
    close: Option<Option<CloseFrame>>,
}

fn oracle_message(message: Message) -> tungstenite::Message {
    match message {
        Message::Text(text) => tungstenite::Message::text(text.as_str()),
        Message::Binary(bytes) => tungstenite::Message::Binary(bytes),
    }
}

fn fragments(message: Message, cuts: &[usize]) -> Vec<tungstenite::Message> {
    let first = if message.is_text() { Data::Text } else { Data::Binary };
    let bytes = message.into_bytes();
    let starts = [0].into_iter().chain(cuts.iter().copied());
    let ends = cuts.iter().copied().chain([bytes.len()]);
    let mut frames = Vec::new();
    for (index, (start, end)) in starts.zip(ends).enumerate() {
        let opcode = OpCode::Data(if index == 0 { first } else { Data::Continue });
        frames.push(Frame::message(bytes.slice(start..end), opcode, index == cuts.len()));
        if index % 2 == 0 {
            frames.push(Frame::ping(Bytes::from_static(b"between")));
        }
    }
    frames.into_iter().map(tungstenite::Message::Frame).collect()
}

async fn run_oracle<T>(oracle: WebSocketStream<T>, script: Vec<Step>, close: Option<CloseReason>) -> Heard
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    let (mut sink, mut stream) = oracle.split();
    let speak = async {
        for step in script {
            let sent = match step {
                Step::Say(message) => sink.send(oracle_message(message)).await,
                Step::SayInParts(message, cuts) => {
                    let mut frames = futures::stream::iter(fragments(message, &cuts).into_iter().map(Ok));
                    sink.send_all(&mut frames).await
                }
                Step::Ping(payload) => sink.send(tungstenite::Message::Ping(payload.into())).await,
                Step::Flush => sink.flush().await,
            };
            if let Err(error) = sent {
                assert!(close.is_none(), "{error}");
                return;
            }
        }
        if let Some(reason) = close {
            let frame = (reason.code() != CloseCode::NO_STATUS).then(|| CloseFrame {
                code: OracleCode::from(reason.code().get()),
                reason: reason.text().into(),
            });
            sink.send(tungstenite::Message::Close(frame)).await.unwrap();
        }
    };
    let listen = async {
        let (mut messages, mut close) = (Vec::new(), None);
        while let Some(message) = stream.next().await {
            match message {
                Ok(tungstenite::Message::Text(text)) => messages.push(Message::text(text.as_str())),
                Ok(tungstenite::Message::Binary(bytes)) => messages.push(Message::Binary(bytes)),
                Ok(tungstenite::Message::Close(frame)) => close = Some(frame),
                Ok(_) => {}
                Err(error) => panic!("the oracle objects: {error}"),
            }
        }
        Heard { messages, closed: None, close }
    };
    let ((), heard) = tokio::join!(speak, listen);
    heard
}

/// Lets both ends say their script at once, and one of them close behind its own.
async fn converse_with<T>(seed: u64, most: usize, session: Session, oracle: WebSocketStream<T>)
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut random = SmallRng::seed_from_u64(seed);
    let (ours, theirs) = (script(&mut random, most, false), script(&mut random, most, true));
    let (our_words, their_words) = (said(&ours), said(&theirs));
    let reason = reason(&mut random);
    let we_close = random.random();
    let (our_close, their_close) = match we_close {
        true => (Some(reason.clone()), None),
        false => (None, Some(reason.clone())),
    };
    let (here, there) =
        tokio::join!(run_session(session, ours, our_close), run_oracle(oracle, theirs, their_close));
    // An end that closes while the other still speaks hears what was on its way by then: a prefix, or all.
    // What the closing end has said itself arrives whole.
    let (closing, other) = match we_close {
        true => ((&there.messages, &our_words), (&here.messages, &their_words)),
        false => ((&here.messages, &their_words), (&there.messages, &our_words)),
    };
    assert_eq!(closing.0, closing.1, "seed {seed}");
    assert_eq!(other.0.as_slice(), &other.1[..other.0.len()], "seed {seed}");

    let closed = here.closed.unwrap();
    let expected = Some(&reason);
    assert_eq!((closed.sent.as_ref(), closed.received.as_ref()), (expected, expected), "seed {seed}");
    let heard = there.close.unwrap_or_else(|| panic!("seed {seed}: the oracle saw no Close frame"));
    let heard = heard.map(|frame| (u16::from(frame.code), frame.reason.to_string()));
    let expected = (reason != CloseReason::EMPTY).then(|| (reason.code().get(), reason.text().to_owned()));
    assert_eq!(heard, expected, "seed {seed}");
}

fn options() -> SessionOptions {
    SessionOptions::default().fragment_size(20_000)
}

#[tokio::test(start_paused = true)]
async fn our_server_and_the_oracles_client_hear_the_same() {
    for seed in 0..150 {
        // Bytes of transport, and of the longest message.
        let (buffer, most) = [(1, 200), (13, 1_000), (1_000, 100_000), (100_000, 100_000)][seed as usize % 4];
        let (here, there) = duplex(buffer);
        let session = Session::over(here, Role::Server, &options());
        let oracle = WebSocketStream::from_raw_socket(there, OracleRole::Client, None).await;
        converse_with(seed, most, session, oracle).await;
    }
}

#[tokio::test(start_paused = true)]
async fn our_client_and_the_oracles_server_hear_the_same() {
    for seed in 1_000..1_150 {
        // Bytes of transport, and of the longest message.
        let (buffer, most) = [(1, 200), (13, 1_000), (1_000, 100_000), (100_000, 100_000)][seed as usize % 4];
        let (here, there) = duplex(buffer);
        let session = Session::over(here, Role::Client, &options());
        let oracle = WebSocketStream::from_raw_socket(there, OracleRole::Server, None).await;
        converse_with(seed, most, session, oracle).await;
    }
}

#[tokio::test]
async fn our_server_and_the_oracles_client_agree_from_the_handshake_on() {
    let (hand, mut handed) = mpsc::unbounded_channel();
    let handler = move |session: Session| {
        let sender = session.sender();
        hand.send(session).unwrap();
        async move {
            sender.closed().await;
            Ok::<_, SessionError>(())
        }
    };
    let server = Server::new(options()).route("/talk", handler).bind("127.0.0.1:0").await.unwrap();
    let (url, handle) = (format!("ws://{}/talk", server.local_addr()), server.handle());
    let serve = tokio::spawn(server.serve());
    for seed in 2_000..2_030 {
        let (oracle, _) = tokio_tungstenite::connect_async(&url).await.unwrap();
        converse_with(seed, 100_000, handed.recv().await.unwrap(), oracle).await;
    }
    handle.stop();
    serve.await.unwrap();
}

#[tokio::test]
async fn our_client_and_the_oracles_server_agree_from_the_handshake_on() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/talk", listener.local_addr().unwrap());
    for seed in 3_000..3_030 {
        let accept = async { tokio_tungstenite::accept_async(listener.accept().await.unwrap().0).await };
        let (session, oracle) = tokio::join!(converse::connect(&url, options()), accept);
        converse_with(seed, 100_000, session.unwrap(), oracle.unwrap()).await;
    }
}
