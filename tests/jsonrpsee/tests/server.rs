//! A client of this crate at jsonrpsee's server. Knows no frame: what is right is what jsonrpsee takes and sends.
#![allow(clippy::unwrap_used, missing_docs)]

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use converse::rpc::{self, CallError, Code, Options, Peer, Protocol, Router, ServiceError, Streaming};
use futures::future::join_all;
use jsonrpsee_core::SubscriptionError;
use jsonrpsee_server::{
    PendingSubscriptionSink, RpcModule, Server, ServerHandle, SubscriptionCloseResponse, SubscriptionSink,
    types::{ErrorObjectOwned, Params},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{json, value::to_raw_value};
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};

/// Longer than anything here takes, however busy the machine is.
const PATIENCE: Duration = Duration::from_secs(30);
/// Calls that wait for each other.
const MEETING: u32 = 50;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct DivisionByZero {
    dividend: i64,
}

impl fmt::Display for DivisionByZero {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("division by zero")
    }
}

impl ServiceError for DivisionByZero {
    fn code(&self) -> Code {
        Code::new(1234)
    }
}

/// Arguments by their names, or by their order.
#[derive(Serialize, Deserialize)]
struct Div {
    a: i64,
    b: i64,
}

/// What jsonrpsee's methods share.
#[derive(Default)]
struct Shared {
    met: watch::Sender<u32>,
    unsubscribed: Arc<AtomicUsize>,
}

fn division_by_zero(dividend: i64) -> ErrorObjectOwned {
    ErrorObjectOwned::owned(1234, "division by zero", Some(DivisionByZero { dividend }))
}

async fn send(sink: &SubscriptionSink, value: u64) -> Result<(), SubscriptionError> {
    Ok(sink.send(to_raw_value(&value).unwrap()).await?)
}

/// Sends the numbers up to that of the parameter; ends as its caller says.
async fn count(
    params: Params<'static>,
    pending: PendingSubscriptionSink,
    end: SubscriptionCloseResponse,
) -> SubscriptionCloseResponse {
    let to = match params.one::<u64>() {
        Ok(to) => to,
        Err(error) => {
            pending.reject(error).await;
            return SubscriptionCloseResponse::None;
        }
    };
    let sink = pending.accept().await.unwrap();
    for number in 1..=to {
        if send(&sink, number).await.is_err() {
            return SubscriptionCloseResponse::None;
        }
    }
    end
}

fn module(shared: Shared) -> RpcModule<Shared> {
    let mut module = RpcModule::new(shared);
    module
        .register_method("div", |params, _, _| {
            let Div { a, b } = params.parse()?;
            a.checked_div(b).ok_or_else(|| division_by_zero(a))
        })
        .unwrap();
    module
        .register_async_method("meet", |params, shared, _| async move {
            let number: u32 = params.one().unwrap();
            shared.met.send_modify(|met| *met += 1);
            // The later a call comes, the earlier it is answered.
            let turn = MEETING + MEETING - 1 - number;
            shared.met.subscribe().wait_for(|met| *met >= turn).await.unwrap();
            shared.met.send_modify(|met| *met += 1);
            number
        })
        .unwrap();
    module
        .register_async_method("wait", |_, _, _| async {
            // jsonrpsee's server cannot be told that nobody waits.
            sleep(Duration::from_secs(1)).await;
        })
        .unwrap();
    module
        .register_subscription("subscribe_count", "count", "unsubscribe_count", |params, pending, _, _| {
            let text = json!({ "code": 0, "message": "end of stream" });
            count(params, pending, SubscriptionCloseResponse::NotifErr(error(&text)))
        })
        .unwrap();
    module
        .register_subscription("subscribe_broken", "broken", "unsubscribe_broken", |params, pending, _, _| {
            let text = json!({ "code": 1234, "message": "division by zero", "data": { "dividend": 7 } });
            count(params, pending, SubscriptionCloseResponse::NotifErr(error(&text)))
        })
        .unwrap();
    module
        .register_subscription("subscribe_text", "text", "unsubscribe_text", |params, pending, _, _| {
            count(params, pending, SubscriptionCloseResponse::NotifErr("it broke".into()))
        })
        .unwrap();
    module
        .register_subscription(
            "subscribe_ticks",
            "ticks",
            "unsubscribe_ticks",
            |_, pending, shared, _| async move {
                let sink = pending.accept().await.unwrap();
                let ticking = async {
                    for tick in 0.. {
                        send(&sink, tick).await?;
                        sleep(Duration::from_millis(1)).await;
                    }
                    Ok::<(), SubscriptionError>(())
                };
                tokio::select! {
                    () = sink.closed() => {}
                    _ = ticking => {}
                }
                shared.unsubscribed.fetch_add(1, SeqCst);
            },
        )
        .unwrap();
    module
}

fn error(json: &serde_json::Value) -> SubscriptionError {
    SubscriptionError::from_json(to_raw_value(json).unwrap())
}

struct Fixture {
    peer: Peer,
    server: ServerHandle,
    unsubscribed: Arc<AtomicUsize>,
}

impl Fixture {
    async fn new() -> Self {
        let server = Server::builder().build("127.0.0.1:0").await.unwrap();
        let url = format!("ws://{}/", server.local_addr().unwrap());
        let shared = Shared::default();
        let unsubscribed = Arc::clone(&shared.unsubscribed);
        let server = server.start(module(shared));
        // jsonrpsee's server agrees on no subprotocol.
        let options = Options::default().protocols([]).without_subprotocol(Protocol::json_rpc());
        let peer = rpc::connect(&url, Router::new().options(options)).await.unwrap();
        Self { peer, server, unsubscribed }
    }

    /// Waits until so many subscriptions were ended, and no more.
    async fn unsubscribed(&self, expected: usize) {
        let waiting = async {
            while self.unsubscribed.load(SeqCst) < expected {
                sleep(Duration::from_millis(2)).await;
            }
        };
        timeout(PATIENCE, waiting).await.unwrap();
        assert_eq!(self.unsubscribed.load(SeqCst), expected);
    }

    async fn is_at_work(&self) {
        assert_eq!(self.peer.call::<_, i64>("div", (84, 2)).await.unwrap(), 42);
    }
}

fn code<T: fmt::Debug, E: ServiceError>(result: Result<T, CallError<E>>) -> Code {
    result.unwrap_err().code()
}

async fn next<T: DeserializeOwned, E: ServiceError>(
    stream: &mut Streaming<T, E>,
) -> Option<Result<T, CallError<E>>> {
    timeout(PATIENCE, stream.next()).await.unwrap()
}

#[tokio::test]
async fn arguments_go_by_position_and_by_name() {
    let fixture = Fixture::new().await;
    assert_eq!(fixture.peer.call::<_, i64>("div", (84, 2)).await.unwrap(), 42);
    assert_eq!(fixture.peer.call::<_, i64>("div", Div { a: 84, b: 2 }).await.unwrap(), 42);
}

#[tokio::test]
async fn errors_have_their_codes_and_their_data() {
    let fixture = Fixture::new().await;
    let failed = fixture.peer.call::<_, i64>("div", (7, 0)).error::<DivisionByZero>().await;
    assert_eq!(failed.unwrap_err().app(), Some(DivisionByZero { dividend: 7 }));
    let failed = fixture.peer.call::<_, i64>("div", (7, 0)).await.unwrap_err();
    let status = failed.status().unwrap();
    assert_eq!((status.code(), status.message()), (Code::new(1234), "division by zero"));
    assert_eq!(status.data::<DivisionByZero>().unwrap().unwrap(), DivisionByZero { dividend: 7 });
    assert_eq!(code(fixture.peer.call::<_, i64>("sqrt", (2,)).await), Code::UNIMPLEMENTED);
    assert_eq!(code(fixture.peer.call::<_, i64>("div", ("84", 2)).await), Code::INVALID_ARGUMENT);
    let unfit = fixture.peer.call::<_, String>("div", (84, 2)).await;
    assert!(matches!(unfit, Err(CallError::Convert(_))), "{unfit:?}");
    fixture.is_at_work().await;
}

#[tokio::test]
async fn calls_are_answered_as_they_are_ready() {
    let fixture = Fixture::new().await;
    let calls = (0..MEETING).map(|number| {
        let peer = fixture.peer.clone();
        async move {
            assert_eq!(peer.call::<_, u32>("meet", (number,)).await.unwrap(), number);
        }
    });
    timeout(PATIENCE, join_all(calls)).await.unwrap();
    assert_eq!(fixture.peer.stats().calls_in_flight, 0);
}

#[tokio::test]
async fn a_notification_harms_nobody() {
    let fixture = Fixture::new().await;
    // jsonrpsee's server does not execute these.
    fixture.peer.notify("div", (84, 2)).await.unwrap();
    fixture.peer.notify("log", ("hello",)).await.unwrap();
    fixture.is_at_work().await;
}

#[tokio::test]
async fn a_call_that_is_given_up_is_not_waited_for() {
    let fixture = Fixture::new().await;
    let late = fixture.peer.call::<_, ()>("wait", [(); 0]).deadline(Duration::from_millis(20)).await;
    assert!(matches!(late, Err(CallError::Deadline)), "{late:?}");
    let dropped =
        timeout(Duration::from_millis(20), fixture.peer.call::<_, ()>("wait", [(); 0]).into_future());
    assert!(dropped.await.is_err());
    assert_eq!(fixture.peer.stats().calls_in_flight, 0);
    fixture.is_at_work().await;
    // The answers that come in the end are nobody's.
    fixture.peer.call::<_, ()>("wait", [(); 0]).await.unwrap();
    fixture.is_at_work().await;
}

#[tokio::test]
async fn a_subscription_is_a_stream() {
    let fixture = Fixture::new().await;
    let mut count: Streaming<u64> = fixture.peer.open("subscribe_count", (500,)).await.unwrap();
    for expected in 1..=500 {
        assert_eq!(next(&mut count).await.unwrap().unwrap(), expected);
    }
    assert!(next(&mut count).await.is_none());
    assert_eq!(fixture.peer.stats().calls_in_flight, 0);
    fixture.is_at_work().await;
}

#[tokio::test]
async fn the_error_of_a_subscription_is_that_of_the_stream() {
    let fixture = Fixture::new().await;
    let broken = fixture.peer.open::<_, u64>("subscribe_broken", (1,)).error::<DivisionByZero>();
    let mut broken = broken.await.unwrap();
    assert_eq!(next(&mut broken).await.unwrap().unwrap(), 1);
    let error = next(&mut broken).await.unwrap().unwrap_err();
    assert_eq!(error.app(), Some(DivisionByZero { dividend: 7 }));
    assert!(next(&mut broken).await.is_none());

    let mut text: Streaming<u64> = fixture.peer.open("subscribe_text", (0,)).await.unwrap();
    let error = next(&mut text).await.unwrap().unwrap_err();
    assert_eq!((error.code(), error.status().unwrap().message()), (Code::UNKNOWN, "it broke"));
    assert_eq!(fixture.peer.stats().calls_in_flight, 0);
}

#[tokio::test]
async fn a_subscription_that_is_refused_is_a_stream_that_fails() {
    let fixture = Fixture::new().await;
    let mut none: Streaming<u64> = fixture.peer.open("subscribe_none", [(); 0]).await.unwrap();
    assert_eq!(code(next(&mut none).await.unwrap()), Code::UNIMPLEMENTED);
    let mut unfit: Streaming<u64> = fixture.peer.open("subscribe_count", ("x",)).await.unwrap();
    assert_eq!(code(next(&mut unfit).await.unwrap()), Code::INVALID_ARGUMENT);
    assert!(next(&mut unfit).await.is_none());
}

#[tokio::test]
async fn a_stream_that_is_dropped_unsubscribes_and_no_other() {
    let fixture = Fixture::new().await;
    let mut kept: Streaming<u64> = fixture.peer.open("subscribe_ticks", [(); 0]).await.unwrap();
    assert_eq!(next(&mut kept).await.unwrap().unwrap(), 0);
    let mut dropped: Streaming<u64> = fixture.peer.open("subscribe_ticks", [(); 0]).await.unwrap();
    assert_eq!(next(&mut dropped).await.unwrap().unwrap(), 0);
    assert_eq!(fixture.peer.stats().calls_in_flight, 2);
    drop(dropped);
    fixture.unsubscribed(1).await;
    // This one is dropped before jsonrpsee has told what it is called.
    drop(fixture.peer.open::<_, u64>("subscribe_ticks", [(); 0]).await.unwrap());
    fixture.unsubscribed(2).await;
    for expected in 1..20 {
        assert_eq!(next(&mut kept).await.unwrap().unwrap(), expected);
    }
    assert_eq!(fixture.peer.stats().calls_in_flight, 1);
    drop(kept);
    fixture.unsubscribed(3).await;
    fixture.is_at_work().await;
}

#[tokio::test]
async fn a_server_that_stops_ends_what_is_under_way() {
    let fixture = Fixture::new().await;
    let mut ticks: Streaming<u64> = fixture.peer.open("subscribe_ticks", [(); 0]).await.unwrap();
    assert_eq!(next(&mut ticks).await.unwrap().unwrap(), 0);
    fixture.server.stop().unwrap();
    let end = loop {
        if let Err(end) = next(&mut ticks).await.unwrap() {
            break end;
        }
    };
    assert!(matches!(end, CallError::Disconnected(_)), "{end:?}");
    timeout(PATIENCE, fixture.peer.closed()).await.unwrap();
    let after = fixture.peer.call::<_, i64>("div", (84, 2)).await;
    assert!(matches!(&after, Err(error) if error.is_not_started()), "{after:?}");
}
