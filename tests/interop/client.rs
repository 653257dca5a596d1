//! Checks our client against another implementation's echo server. Run by `tests/interop/run`.
//! Usage: interop_client ws://HOST:PORT

mod tally;

use std::{fmt::Debug, future::Future, pin::Pin, process::ExitCode, time::Duration};

use converse::{
    CborConverter, Client, CloseCause, CloseCode, CloseReason, ContentConverter, Frame, JsonConverter,
    Message, MessagePackConverter, OpCode, RawSession, Session, SessionOptions,
    session::{FrameRefused, SendErrorKind, SessionError},
};
use futures::{StreamExt, future::try_join_all};
use http::{HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};
use tally::{Outcome, Tally};

type Check = Pin<Box<dyn Future<Output = Outcome>>>;

const MIB: usize = 1 << 20;
const MAX_MESSAGE: usize = 16 * MIB;
const SIZES: [usize; 8] = [0, 1, 125, 126, 65_535, 65_536, MIB, MAX_MESSAGE];
const CHECK_TIMEOUT: Duration = Duration::from_secs(30);
const EVERY_UTF8_LENGTH: &str = "aé€😀\u{0}\u{ffff}\u{10ffff}";

/// The checks, in the order in which they run.
#[derive(Default)]
struct Checks(Vec<(String, Check)>);

impl Checks {
    fn add(&mut self, name: impl Into<String>, check: impl Future<Output = Outcome> + 'static) {
        self.0.push((name.into(), Box::pin(check)));
    }
}

fn options() -> SessionOptions {
    SessionOptions::default().max_message_size(MAX_MESSAGE)
}

async fn dial(url: &str, options: SessionOptions) -> converse::Result<Session> {
    Ok(Client::new(options).connect(url).await?)
}

/// What is not equal is shown in short: it may be megabytes.
fn equal<T: PartialEq + Debug>(got: T, wanted: T) -> Outcome {
    if got == wanted {
        return Ok(());
    }
    let [got, wanted] = [got, wanted].map(|value| format!("{value:?}").chars().take(100).collect::<String>());
    Err(format!("got {got}, wanted {wanted}").into())
}

async fn ends_well(session: Session) -> Outcome {
    let closed = session.close(CloseReason::NORMAL).await;
    equal(closed.received.clone(), Some(CloseReason::NORMAL))
}

async fn echoes(session: &mut Session, message: impl Into<Message>) -> Outcome {
    let message = message.into();
    session.send(message.clone()).await?;
    equal(session.receive().await?, Some(message))
}

/// Sends one message, which comes back.
async fn echo_once(url: String, options: SessionOptions, message: Message) -> Outcome {
    let mut session = dial(&url, options).await?;
    echoes(&mut session, message).await?;
    ends_well(session).await
}

// --- values

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Order {
    id: u64,
    customer: String,
    items: Vec<Item>,
    note: Option<String>,
    paid: bool,
    total: f64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Item {
    Book { title: String, pages: u32 },
    Voucher(i64),
    Nothing,
}

fn order(id: u64) -> Order {
    let book = Item::Book { title: EVERY_UTF8_LENGTH.repeat(20), pages: 1 << 20 };
    let items = vec![book, Item::Voucher(i64::MIN), Item::Nothing];
    Order { id, customer: "Ada".into(), items, note: None, paid: true, total: -0.125 }
}

async fn typed(url: String, converter: impl ContentConverter) -> Outcome {
    let token = converter.subprotocol().to_owned();
    let mut session = dial(&url, options().content_converter(converter).subprotocol(token.clone())).await?;
    equal(session.subprotocol(), Some(token.as_str()))?;
    for id in [0, 1 << 53, u64::MAX] {
        session.send_serialized(&order(id)).await?;
        equal(session.receive_deserialized().await?, Some(order(id)))?;
    }
    ends_well(session).await
}

async fn values_arrive_as_a_stream(url: String) -> Outcome {
    let mut session = dial(&url, options()).await?;
    for id in 0..10 {
        session.send_serialized(&order(id)).await?;
    }
    let stream = session.incoming_deserialized::<Order>().take(10);
    let ids: Vec<u64> =
        stream.filter_map(|order| async move { order.ok().map(|order| order.id) }).collect().await;
    equal(ids, (0..10).collect())?;
    ends_well(session).await
}

async fn what_does_not_decode_comes_back(url: String) -> Outcome {
    let mut session = dial(&url, options()).await?;
    session.send("no number").await?;
    match session.receive_deserialized::<u32>().await {
        Err(SessionError::Convert(error)) => equal(error.into_message(), Some("no number".into()))?,
        other => return Err(format!("got {other:?}").into()),
    }
    session.send_serialized(&7).await?;
    equal(session.receive_deserialized::<u32>().await?, Some(7))?;
    ends_well(session).await
}

// --- the handshake

async fn subprotocol(url: String, offered: &[&str], wanted: Option<&str>) -> Outcome {
    let options = offered.iter().fold(options(), |options, token| options.subprotocol(*token));
    let session = dial(&url, options).await?;
    equal(session.subprotocol(), wanted)?;
    ends_well(session).await
}

async fn headers_and_query(url: String) -> Outcome {
    let mut client = Client::new(options());
    for number in 0..50 {
        let name = HeaderName::try_from(format!("x-header-{number}"))?;
        client = client.header(name, HeaderValue::try_from(format!("value {number} \u{e9}"))?);
    }
    let mut session = client.connect(&format!("{url}/a/path?with=a%20query")).await?;
    equal((session.request().path(), session.request().query()), ("/a/path", Some("with=a%20query")))?;
    equal(session.request().header("X-Header-7").is_some(), true)?;
    echoes(&mut session, "with headers").await?;
    ends_well(session).await
}

async fn handler_beside_the_driver(url: String) -> Outcome {
    let client = Client::new(options());
    let sum = client.connect_with(&url, |mut session| async move {
        let mut sum = 0;
        for number in 1..=100_u32 {
            session.send_serialized(&number).await?;
        }
        for _ in 1..=100 {
            sum += session.receive_deserialized::<u32>().await?.unwrap_or(0);
        }
        Ok::<_, converse::Error>(sum)
    });
    equal(sum.await?, 5050)
}

// --- traffic

async fn pipelined_messages_keep_their_order(url: String) -> Outcome {
    let mut session = dial(&url, options()).await?;
    let sender = session.sender();
    let sending = tokio::spawn(async move {
        for number in 0..5000 {
            sender.send(format!("message {number}")).await?;
        }
        Ok::<_, converse::Error>(())
    });
    for number in 0..5000 {
        equal(session.receive().await?, Some(format!("message {number}").into()))?;
    }
    sending.await??;
    ends_well(session).await
}

async fn twenty_connections_at_once(url: String) -> Outcome {
    let talks = (0..20).map(|number| {
        let url = url.clone();
        async move {
            let mut session = dial(&url, options()).await?;
            for turn in 0..50 {
                echoes(&mut session, format!("{number}/{turn}")).await?;
            }
            ends_well(session).await
        }
    });
    try_join_all(talks).await.map(|_| ())
}

async fn ping_is_answered(url: String) -> Outcome {
    let mut session = dial(&url, options()).await?;
    for _ in 0..10 {
        let time = session.ping().await?;
        equal(time < Duration::from_secs(5), true)?;
    }
    echoes(&mut session, "still here").await?;
    ends_well(session).await
}

async fn ping_is_answered_behind_a_large_message(url: String) -> Outcome {
    let mut session = dial(&url, options()).await?;
    let message = Message::binary(vec![7; 4 * MIB]);
    session.send(message.clone()).await?;
    // Together: the echo alone fills the receive queue, and the pong may stand behind it.
    let sender = session.sender();
    let (pong, echo) = tokio::join!(sender.ping(), session.receive());
    pong?;
    equal(echo?, Some(message))?;
    ends_well(session).await
}

async fn pings_keep_a_silent_connection(url: String) -> Outcome {
    let times = options().ping_interval(Duration::from_millis(20)).timeout(Duration::from_secs(5));
    let mut session = dial(&url, times).await?;
    tokio::time::sleep(Duration::from_millis(300)).await;
    echoes(&mut session, "still here").await?;
    ends_well(session).await
}

// --- the close

async fn close(url: String, reason: CloseReason) -> Outcome {
    let mut session = dial(&url, options()).await?;
    echoes(&mut session, "before the close").await?;
    let closed = session.close(reason.clone()).await;
    equal((closed.sent.clone(), closed.received.clone()), (Some(reason.clone()), Some(reason)))?;
    equal((closed.is_clean(), closed.is_normal()), (true, true))?;
    equal(session.receive().await?, None)?;
    match session.send("too late").await {
        Err(SessionError::Send(error)) => equal(error.kind(), &SendErrorKind::Closed),
        other => Err(format!("got {other:?}").into()),
    }
}

/// The server closes; `receive` says so once.
async fn server_closes_with(mut session: Session, code: CloseCode) -> Outcome {
    match session.receive().await {
        Err(SessionError::Closed(closed)) => {
            equal(closed.received.as_ref().map(CloseReason::code), Some(code))?;
            equal((closed.is_normal(), closed.cause), (false, CloseCause::Handshake))?;
        }
        other => return Err(format!("got {other:?}").into()),
    }
    equal(session.receive().await?, None)
}

async fn message_over_the_servers_limit(url: String) -> Outcome {
    let session = dial(&url, options()).await?;
    session.send(vec![0; MAX_MESSAGE + 1]).await?;
    server_closes_with(session, CloseCode::MESSAGE_TOO_BIG).await
}

async fn message_over_our_limit(url: String) -> Outcome {
    let mut session = dial(&url, SessionOptions::default().max_message_size(1000)).await?;
    echoes(&mut session, "x".repeat(1000)).await?;
    session.send("x".repeat(1001)).await?;
    let Err(SessionError::Closed(closed)) = session.receive().await else {
        return Err("a message over the limit was received".into());
    };
    equal(closed.sent.as_ref().map(CloseReason::code), Some(CloseCode::MESSAGE_TOO_BIG))?;
    equal(matches!(closed.cause, CloseCause::Violation(_)), true)
}

// --- frame by frame

async fn dial_raw(url: &str) -> converse::Result<RawSession> {
    Ok(Client::new(options()).connect_raw(url).await?)
}

/// Reads a message of however many fragments.
async fn receive_whole(
    session: &mut RawSession,
) -> Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>> {
    let mut whole = Vec::new();
    loop {
        let frame = session.receive().await?.ok_or("the server closed")?;
        if !frame.opcode.is_control() {
            whole.extend_from_slice(&frame.payload);
            if frame.fin {
                return Ok(whole);
            }
        }
    }
}

async fn ping_between_fragments(url: String) -> Outcome {
    let mut session = dial_raw(&url).await?;
    session.send(Frame::text("before ").unfinished()).await?;
    session.send(Frame::ping("between").ok_or("too long")?).await?;
    equal(session.receive().await?, Frame::pong("between"))?;
    session.send(Frame::continuation("", false)).await?;
    session.send(Frame::continuation("after", true)).await?;
    equal(receive_whole(&mut session).await?, b"before after".to_vec())?;
    let closed = session.close(CloseReason::NORMAL).await;
    equal(closed.is_clean(), true)
}

async fn pong_carries_the_pings_payload(url: String) -> Outcome {
    let mut session = dial_raw(&url).await?;
    for payload in [vec![], vec![0, 255], vec![b'p'; 125]] {
        session.send(Frame::ping(payload.clone()).ok_or("too long")?).await?;
        equal(session.receive().await?, Frame::pong(payload))?;
    }
    equal(session.close(CloseReason::NORMAL).await.is_clean(), true)
}

/// What the server answers to frames it must not take.
async fn violation(url: String, frames: Vec<Frame>, code: CloseCode) -> Outcome {
    let mut session = dial_raw(&url).await?;
    for frame in frames {
        match session.send(frame).await {
            // The server may close while we still send.
            Err(error) if error.why() != FrameRefused::Closed => return Err(error.into()),
            _ => {}
        }
    }
    let frame = session.receive().await?.ok_or("the server did not say why")?;
    equal(frame.opcode, OpCode::Close)?;
    equal(frame.payload.get(..2), Some(code.get().to_be_bytes().as_slice()))?;
    let closed = session.close(code).await;
    equal(closed.received.as_ref().map(CloseReason::code), Some(code))
}

// --- all of it

fn checks(url: &str) -> Checks {
    let mut checks = Checks::default();
    let url = || url.to_owned();
    for size in SIZES {
        let text = "x".repeat(size);
        checks.add(format!("text_of_{size}_bytes"), echo_once(url(), options(), text.into()));
        let binary: Vec<u8> = (0..size).map(|at| (at % 251) as u8).collect();
        checks.add(format!("binary_of_{size}_bytes"), echo_once(url(), options(), binary.into()));
    }
    let unicode = EVERY_UTF8_LENGTH.repeat(1000);
    checks.add("text_of_every_utf8_length", echo_once(url(), options(), unicode.into()));
    for (size, times) in [(1, 50), (7, 300), (1000, 10_000)] {
        let (short, text) = (options().fragment_size(size), EVERY_UTF8_LENGTH.repeat(times));
        let binary = text.clone().into_bytes();
        checks.add(format!("text_in_fragments_of_{size}"), echo_once(url(), short.clone(), text.into()));
        checks.add(format!("binary_in_fragments_of_{size}"), echo_once(url(), short, binary.into()));
    }
    checks.add("typed_echo_in_json", typed(url(), JsonConverter::default()));
    checks.add("typed_echo_in_msgpack", typed(url(), MessagePackConverter::default()));
    checks.add("typed_echo_in_cbor", typed(url(), CborConverter::default()));
    checks.add("values_arrive_as_a_stream", values_arrive_as_a_stream(url()));
    checks.add("what_does_not_decode_comes_back", what_does_not_decode_comes_back(url()));
    checks.add("subprotocol_none_offered", subprotocol(url(), &[], None));
    checks.add("subprotocol_unknown_offered", subprotocol(url(), &["unknown"], None));
    checks
        .add("subprotocol_first_known_wins", subprotocol(url(), &["unknown", "cbor", "json"], Some("cbor")));
    checks.add("headers_and_query", headers_and_query(url()));
    checks.add("handler_beside_the_driver", handler_beside_the_driver(url()));
    checks.add("pipelined_messages_keep_their_order", pipelined_messages_keep_their_order(url()));
    checks.add("twenty_connections_at_once", twenty_connections_at_once(url()));
    checks.add("ping_is_answered", ping_is_answered(url()));
    checks.add("ping_is_answered_behind_a_large_message", ping_is_answered_behind_a_large_message(url()));
    checks.add("pings_keep_a_silent_connection", pings_keep_a_silent_connection(url()));
    for code in [1000, 1001, 3000, 4999].into_iter().filter_map(CloseCode::new) {
        let reason = CloseReason::new(code, format!("bye {code}"));
        checks.add(format!("close_{code}_is_echoed_with_its_reason"), close(url(), reason));
    }
    checks.add("close_without_a_code_is_answered_without_one", close(url(), CloseReason::EMPTY));
    checks.add("message_over_the_servers_limit_is_closed_with_1009", message_over_the_servers_limit(url()));
    checks.add("message_over_our_limit_is_closed_with_1009", message_over_our_limit(url()));
    checks.add("ping_between_fragments", ping_between_fragments(url()));
    checks.add("pong_carries_the_pings_payload", pong_carries_the_pings_payload(url()));
    let invalid = vec![Frame::text(&b"ab\xff"[..])];
    checks.add("invalid_utf8_is_closed_with_1007", violation(url(), invalid, CloseCode::INVALID_PAYLOAD));
    let cut = vec![Frame::text(&b"\xe2"[..]).unfinished(), Frame::continuation(&b"\x82"[..], true)];
    checks.add("cut_utf8_is_closed_with_1007", violation(url(), cut, CloseCode::INVALID_PAYLOAD));
    checks
}

#[tokio::main]
async fn main() -> ExitCode {
    let Some(url) = std::env::args().nth(1) else {
        eprintln!("usage: interop_client ws://HOST:PORT");
        return ExitCode::from(2);
    };
    let mut tally = Tally::default();
    for (name, check) in checks(url.trim_end_matches('/')).0 {
        tally.count(&name, tokio::time::timeout(CHECK_TIMEOUT, check).await);
    }
    tally.end()
}
