//! How calls end that do not go well: no call hangs, each end can be told from the others, and no handler outlives its
//! caller.
#![allow(clippy::unwrap_used)]

#[path = "support/rpc.rs"]
mod support;

use std::{
    future::{Future, pending, poll_fn},
    io,
    pin::{Pin, pin},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    task::{Context as TaskContext, Poll},
    time::Duration,
};

use converse::{
    CloseCause, CloseCode, CloseReason, Message, Server, SessionOptions,
    frame::Role,
    rpc::{
        self, CallError, Code, Context, Disconnected, Middleware, Next, Options, Peer, Reply, Router, Side,
        Stats, Status, Streaming,
    },
};
use futures::{StreamExt, future::join_all, stream};
use support::{BUFFER, Guards, calling, ends, greeted, in_json, json, pair, patient, protocols, settle};
use tokio::{
    io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf, duplex},
    sync::Notify,
    task::JoinHandle,
    time::Instant,
};

/// Calls that wait until they are told to go on, as they are held.
fn waiting(guards: &Guards) -> Router {
    let (unary, streams, sums, doubles, notes) =
        (guards.clone(), guards.clone(), guards.clone(), guards.clone(), guards.clone());
    // Nothing but their end ends these.
    Router::new()
        .options(in_json().deadline(None))
        .call("wait", move |_, _: [(); 0]| {
            let guard = unary.hold();
            async move {
                pending::<()>().await;
                drop(guard);
                Ok::<(), Status>(())
            }
        })
        .stream("silent", move |_, _: [(); 0]| {
            let guard = streams.hold();
            stream::iter([Ok::<u32, Status>(0)]).chain(stream::pending()).inspect(move |_| {
                let _ = &guard;
            })
        })
        .client_stream("swallow", move |_, _: [(); 0], mut items: Streaming<u32>| {
            let guard = sums.hold();
            async move {
                while let Some(item) = items.next().await {
                    item?;
                }
                pending::<()>().await;
                drop(guard);
                Ok::<u32, Status>(0)
            }
        })
        .bidi_stream("both", move |_, _: [(); 0], items: Streaming<u32>| {
            let guard = doubles.hold();
            items.map(move |item| {
                let _ = &guard;
                item.map_err(Status::from)
            })
        })
        .notification("linger", move |_, _: [(); 0]| {
            let guard = notes.hold();
            async move {
                pending::<()>().await;
                drop(guard);
            }
        })
}

/// A call of every kind, under way and never answered: how each ends.
fn calls_of_every_kind(peer: &Peer) -> Vec<JoinHandle<CallError>> {
    let none = [(); 0];
    let endless = || stream::iter([1u32]).chain(stream::pending());
    let unary = peer.call::<_, ()>("wait", none).into_future();
    let client_stream = peer.call::<_, u32>("swallow", none).sending(endless()).into_future();
    let server_stream = peer.open::<_, u32>("silent", none).into_future();
    let bidi_stream = peer.open::<_, u32>("both", none).sending(endless()).into_future();
    vec![
        tokio::spawn(async { unary.await.unwrap_err() }),
        tokio::spawn(async { client_stream.await.unwrap_err() }),
        tokio::spawn(async { last_of(server_stream.await.unwrap()).await }),
        tokio::spawn(async { last_of(bidi_stream.await.unwrap()).await }),
    ]
}

/// The error at the end of a stream of answers that has begun with one item.
async fn last_of(mut stream: Streaming<u32>) -> CallError {
    stream.next().await.unwrap().unwrap();
    let error = stream.next().await.unwrap().unwrap_err();
    assert!(stream.next().await.is_none());
    error
}

async fn failures(calls: Vec<JoinHandle<CallError>>) -> Vec<CallError> {
    ends("a call", join_all(calls)).await.into_iter().map(Result::unwrap).collect()
}

fn disconnected(error: &CallError) -> &Disconnected {
    match error {
        CallError::Disconnected(disconnected) => disconnected,
        other => panic!("not disconnected: {other:?}"),
    }
}

/// Asserts that nothing is left of any call.
#[track_caller]
fn nothing_is_in_flight(peer: &Peer) {
    let Stats { calls_in_flight, served_in_flight, streams_in_flight, .. } = peer.stats();
    assert_eq!((calls_in_flight, served_in_flight, streams_in_flight), (0, 0, 0));
}

/// A transport that can be cut, and is cut after so many bytes, both ways taken together.
struct Cut {
    io: DuplexStream,
    knife: Arc<Knife>,
}

#[derive(Default)]
struct Knife {
    /// Bytes that may still be written; none for all.
    left: Option<AtomicUsize>,
    cut: Mutex<Vec<std::task::Waker>>,
    is_cut: AtomicUsize,
}

impl Knife {
    fn after(bytes: usize) -> Arc<Self> {
        Arc::new(Self { left: Some(AtomicUsize::new(bytes)), ..Self::default() })
    }

    fn cut(&self) {
        self.is_cut.store(1, SeqCst);
        self.cut.lock().unwrap().drain(..).for_each(std::task::Waker::wake);
    }

    /// Fails when the transport is cut.
    fn check(&self, cx: &TaskContext<'_>) -> io::Result<()> {
        if self.is_cut.load(SeqCst) != 0 {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        self.cut.lock().unwrap().push(cx.waker().clone());
        Ok(())
    }
}

impl AsyncRead for Cut {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.knife.check(cx)?;
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl AsyncWrite for Cut {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.knife.check(cx)?;
        let knife = Arc::clone(&self.knife);
        if let Some(left) = &knife.left {
            let may = left.load(SeqCst).min(buf.len());
            if may < buf.len() {
                let _ = Pin::new(&mut self.io).poll_write(cx, &buf[..may]);
                knife.cut();
                return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
            }
            let written = Pin::new(&mut self.io).poll_write(cx, buf);
            if let Poll::Ready(Ok(written)) = &written {
                left.fetch_sub(*written, SeqCst);
            }
            return written;
        }
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

/// Two ends over a transport that both of them lose when it is cut.
fn cuttable(knife: &Arc<Knife>, server: Router, client: Router) -> (Peer, Peer) {
    let (here, there) = duplex(BUFFER);
    let [here, there] = [here, there].map(|io| Cut { io, knife: Arc::clone(knife) });
    let server = rpc::over(here, Role::Server, &json(), &patient(), server);
    (server, rpc::over(there, Role::Client, &json(), &patient(), client))
}

#[tokio::test(start_paused = true)]
async fn a_lost_connection_ends_every_call_and_drops_every_handler() {
    let guards = Guards::default();
    let knife = Arc::<Knife>::default();
    let (server, client) = cuttable(&knife, waiting(&guards), waiting(&guards));
    let mut calls = calls_of_every_kind(&client);
    calls.extend(calls_of_every_kind(&server));
    client.notify("linger", [(); 0]).await.unwrap();
    settle().await;
    assert_eq!(guards.now(), 9);
    knife.cut();
    for error in failures(calls).await {
        let disconnected = disconnected(&error);
        assert!(disconnected.sent());
        assert_eq!(
            disconnected.closed().unwrap().cause,
            CloseCause::Transport(io::ErrorKind::ConnectionReset)
        );
        assert_eq!(error.code(), Code::UNAVAILABLE);
        assert!(!error.is_not_started());
    }
    settle().await;
    assert_eq!((guards.now(), guards.ever()), (0, 9));
    nothing_is_in_flight(&server);
    nothing_is_in_flight(&client);
    assert_eq!((server.stats().dropped_handlers, client.stats().dropped_handlers), (5, 4));

    // What comes too late is not sent at all.
    let late = client.call::<_, ()>("wait", [(); 0]).await.unwrap_err();
    assert!(!disconnected(&late).sent() && late.is_not_started(), "{late:?}");
    let late = client.notify("linger", [(); 0]).await.unwrap_err();
    assert!(!disconnected(&late).sent(), "{late:?}");
    assert!(client.open::<_, u32>("silent", [(); 0]).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_call_that_did_not_leave_is_told_from_one_that_did() {
    let (here, there) = duplex(64);
    let client = rpc::over(there, Role::Client, &json(), &patient(), Router::new());
    let sent = tokio::spawn(client.call::<_, ()>("m", [(); 0]).into_future());
    settle().await;
    // Nobody reads: this fills the transport, the session, and what waits before it.
    let filling: Vec<_> = (0..40)
        .map(|_| tokio::spawn(client.call::<_, ()>("m", ["x".repeat(8 * 1024)]).into_future()))
        .collect();
    settle().await;
    let unsent = tokio::spawn(client.call::<_, ()>("m", [(); 0]).into_future());
    settle().await;
    drop(here);
    let [sent, unsent] = [sent, unsent].map(|call| async { call.await.unwrap().unwrap_err() });
    assert!(disconnected(&ends("the first call", sent).await).sent());
    let unsent = ends("the last call", unsent).await;
    assert!(unsent.is_not_started(), "{unsent:?}");
    let mut not_started = 0;
    for call in filling {
        not_started += usize::from(ends("a call", call).await.unwrap().unwrap_err().is_not_started());
    }
    assert!((1..40).contains(&not_started), "{not_started}");
    nothing_is_in_flight(&client);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_closes_ends_every_call_with_its_code() {
    let (client, mut raw) = calling(Router::new().options(in_json().deadline(None))).await;
    let unary = tokio::spawn(client.call::<_, ()>("wait", [(); 0]).into_future());
    let mut stream = client.open::<_, u32>("silent", [(); 0]).await.unwrap();
    assert_eq!(raw.frames(2).await.len(), 2);
    let code = CloseCode::new(4321).unwrap();
    let closing = raw.session.sender();
    tokio::spawn(async move { closing.close(CloseReason::new(code, "enough")).await });
    let errors = [
        ends("the call", unary).await.unwrap().unwrap_err(),
        ends("the stream", stream.next()).await.unwrap().unwrap_err(),
    ];
    for error in errors {
        let closed = disconnected(&error).closed().expect("the peer has closed, not this end");
        let received = closed.received.as_ref().unwrap();
        assert_eq!((received.code(), received.text()), (code, "enough"));
    }
}

#[tokio::test(start_paused = true)]
async fn closing_this_end_ends_every_call() {
    let guards = Guards::default();
    let (server, client) = pair(waiting(&guards), waiting(&guards));
    let mut calls = calls_of_every_kind(&client);
    calls.extend(calls_of_every_kind(&server));
    settle().await;
    let code = CloseCode::new(4000).unwrap();
    let closed = client.close(CloseReason::new(code, "bye")).await;
    assert_eq!(closed.sent.as_ref().unwrap().code(), code);
    for error in failures(calls).await {
        disconnected(&error);
    }
    settle().await;
    assert_eq!((guards.now(), guards.ever()), (0, 8));
    nothing_is_in_flight(&server);
    nothing_is_in_flight(&client);
}

#[tokio::test(start_paused = true)]
async fn a_panic_of_a_handler_ends_its_call_only_and_says_nothing() {
    struct PanicsWhenDropped;
    impl Drop for PanicsWhenDropped {
        fn drop(&mut self) {
            if !std::thread::panicking() {
                panic!("secret");
            }
        }
    }
    let guards = Guards::default();
    let held = guards.clone();
    let router = Router::new()
        .call("now", |_, _: [(); 0]| async { panic!("secret") as Result<(), Status> })
        .call("before", |_, _: [(); 0]| panic!("secret") as std::future::Ready<Result<(), Status>>)
        .call("later", move |_, _: [(); 0]| {
            let guard = held.hold();
            async move {
                tokio::time::sleep(Duration::from_secs(1)).await;
                let _guard = guard;
                panic!("secret") as Result<(), Status>
            }
        })
        .stream("stream", |_, _: [(); 0]| {
            stream::iter(0..3).map(|n| if n == 2 { panic!("secret") } else { Ok::<_, Status>(n) })
        })
        .client_stream("sum", |_, _: [(); 0], mut items: Streaming<u32>| async move {
            items.next().await;
            panic!("secret") as Result<(), Status>
        })
        .notification("note", |_, _: [(); 0]| async { panic!("secret") })
        .call("drop", |_, _: [(); 0]| {
            let bomb = PanicsWhenDropped;
            async move {
                pending::<()>().await;
                drop(bomb);
                Ok::<_, Status>(())
            }
        });
    let (peer, mut raw) = greeted(router).await;
    let internal = |id: u32| format!(r#"{{"id":{id},"error":{{"code":-32603,"message":""}}}}"#);
    for (id, method) in [(1, "now"), (3, "before"), (5, "later"), (9, "sum")] {
        raw.say(format!("{{\"id\":{id},\"method\":\"{method}\"}}\n{{\"id\":{id},\"item\":1}}")).await;
        assert_eq!(raw.frame().await, internal(id));
    }
    raw.say(r#"{"id":7,"method":"stream"}"#).await;
    assert_eq!(raw.frames(3).await, [r#"{"id":7,"item":0}"#, r#"{"id":7,"item":1}"#, &internal(7)]);
    raw.say(r#"{"method":"note"}"#).await;
    raw.say("{\"id\":11,\"method\":\"drop\"}\n{\"cancel\":11}").await;
    assert_eq!(raw.frame().await, r#"{"id":11,"error":{"code":-32001,"message":""}}"#);
    raw.is_alive().await;
    assert_eq!(guards.now(), 0);
    nothing_is_in_flight(&peer);
}

#[tokio::test(start_paused = true)]
async fn a_stream_of_the_caller_that_panics_fails_its_call() {
    let guards = Guards::default();
    let (server, client) = pair(waiting(&guards), Router::new().options(in_json().deadline(None)));
    let panicking = || stream::iter(0..3u32).map(|n| if n == 2 { panic!("mine") } else { n });
    let call = client.call::<_, u32>("swallow", [(); 0]).sending(panicking());
    let failed = ends("the call", call.into_future()).await;
    assert!(matches!(&failed, Err(error) if error.code() == Code::INTERNAL), "{failed:?}");
    let mut both = client.open::<_, u32>("both", [(); 0]).sending(panicking()).await.unwrap();
    let failed = ends("the stream", async {
        loop {
            if let Err(error) = both.next().await.unwrap() {
                return error;
            }
        }
    });
    assert_eq!(failed.await.code(), Code::INTERNAL);
    settle().await;
    assert_eq!((guards.now(), guards.ever()), (0, 2));
    nothing_is_in_flight(&server);
    nothing_is_in_flight(&client);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_does_not_decode_ends_its_call_only() {
    let (client, mut raw) = calling(Router::new()).await;
    let call = tokio::spawn(client.call::<_, u32>("m", [(); 0]).into_future());
    assert_eq!(raw.frame().await, r#"{"id":1,"method":"m","params":[]}"#);
    let mut stream = client.open::<_, u32>("s", [(); 0]).await.unwrap();
    let other = tokio::spawn(client.call::<_, u32>("m", [(); 0]).into_future());
    raw.frames(2).await;
    // What follows in the same message is read.
    raw.say("{\"id\":1,\"result\":\"text\"}\n{\"id\":3,\"item\":1}\n{\"id\":3,\"item\":-1}\n{\"id\":5,\"result\":5}")
        .await;
    let failed = call.await.unwrap();
    assert!(matches!(failed, Err(CallError::Convert(_))), "{failed:?}");
    assert_eq!(stream.next().await.unwrap().unwrap(), 1);
    let failed = stream.next().await;
    assert!(matches!(failed, Some(Err(CallError::Convert(_)))), "{failed:?}");
    assert!(stream.next().await.is_none());
    assert_eq!(other.await.unwrap().unwrap(), 5);
    // The callee of a stream that nobody can read is told so, once.
    drop(stream);
    assert_eq!(raw.rest().await, [r#"{"cancel":3}"#]);
    nothing_is_in_flight(&client);
}

#[tokio::test(start_paused = true)]
async fn an_answer_of_another_kind_than_was_asked_for_ends_the_call() {
    let (client, mut raw) = calling(Router::new()).await;
    let call = tokio::spawn(client.call::<_, u32>("m", [(); 0]).into_future());
    raw.frame().await;
    raw.say(r#"{"id":1,"item":1}"#).await;
    let failed = ends("the call", call).await.unwrap();
    assert!(matches!(&failed, Err(error) if error.code() == Code::INTERNAL), "{failed:?}");
    assert_eq!(raw.rest().await, [r#"{"cancel":1}"#]);
}

#[tokio::test(start_paused = true)]
async fn what_does_not_encode_fails_its_call_only() {
    use std::collections::HashMap;
    // JSON has no map whose keys are lists.
    let bad = || HashMap::from([(vec![1u8], 1u8)]);
    let router = Router::new()
        .call("bad", move |_, _: [(); 0]| async move { Ok::<_, Status>(bad()) })
        .stream("bads", move |_, _: [(); 0]| stream::iter([Ok::<_, Status>(bad())]))
        .client_stream("swallow", |_, _: [(); 0], items: Streaming<u32>| async move {
            Ok::<_, Status>(items.count().await)
        });
    let (server, client) = pair(router, Router::new());
    let failed = client.call::<_, ()>("m", (bad(),)).await;
    assert!(matches!(failed, Err(CallError::Convert(_))), "{failed:?}");
    let failed = client.notify("m", (bad(),)).await;
    assert!(matches!(failed, Err(CallError::Convert(_))), "{failed:?}");
    let failed = client.call::<_, ()>("bad", [(); 0]).await;
    assert!(matches!(&failed, Err(error) if error.code() == Code::INTERNAL), "{failed:?}");
    let mut stream = client.open::<_, ()>("bads", [(); 0]).await.unwrap();
    let failed = stream.next().await.unwrap();
    assert!(matches!(&failed, Err(error) if error.code() == Code::INTERNAL), "{failed:?}");
    let failed = client.call::<_, usize>("swallow", [(); 0]).sending(stream::iter([bad()])).await;
    assert!(matches!(&failed, Err(error) if error.code() == Code::INTERNAL), "{failed:?}");
    settle().await;
    nothing_is_in_flight(&client);
    nothing_is_in_flight(&server);
}

#[tokio::test]
async fn a_server_that_shuts_down_ends_every_call_with_1001() {
    let guards = Guards::default();
    let router = waiting(&guards).options(Options::default().deadline(None));
    let server = Server::new(SessionOptions::default()).rpc("/", router).bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/", server.local_addr());
    let stop = server.handle();
    let serving = tokio::spawn(server.serve());
    let client = rpc::connect(&url, Router::new().options(Options::default().deadline(None))).await.unwrap();
    let calls = calls_of_every_kind(&client);
    while guards.now() < 4 {
        tokio::task::yield_now().await;
    }
    stop.stop();
    for error in join_all(calls).await.into_iter().map(Result::unwrap) {
        let closed = disconnected(&error).closed().expect("the server has closed, not this end");
        assert_eq!(closed.received.as_ref().unwrap().code().get(), 1001);
    }
    serving.await.unwrap();
    assert_eq!((guards.now(), guards.ever()), (0, 4));
    nothing_is_in_flight(&client);
}

#[tokio::test(start_paused = true)]
async fn going_away_lets_calls_finish_takes_no_new_ones_and_closes_with_4001() {
    let gate = Arc::new(Notify::new());
    let wait = Arc::clone(&gate);
    let router = Router::new()
        .call("wait", move |_, _: [(); 0]| {
            let wait = Arc::clone(&wait);
            async move {
                wait.notified().await;
                Ok::<_, Status>("done")
            }
        })
        .stream("slow", |_, _: [(); 0]| {
            stream::iter(0..3).then(|n| async move {
                tokio::time::sleep(Duration::from_secs(1)).await;
                Ok::<u32, Status>(n)
            })
        })
        .notification("note", |_, _: [(); 0]| async {});
    let (server, mut raw) = greeted(router.clone()).await;
    raw.say("{\"id\":1,\"method\":\"wait\"}\n{\"id\":3,\"method\":\"slow\"}").await;
    settle().await;
    let going = server.clone();
    let gone = tokio::spawn(async move { going.go_away("update", Duration::from_millis(1500)).await });
    assert_eq!(raw.frame().await, r#"{"goaway":{"code":4001,"reason":"update","retry_ms":1500}}"#);
    raw.say("{\"id\":5,\"method\":\"wait\"}\n{\"method\":\"note\"}").await;
    assert_eq!(raw.frame().await, r#"{"id":5,"error":{"code":-32014,"message":"this end goes away"}}"#);
    for n in 0..3 {
        assert_eq!(raw.frame().await, format!(r#"{{"id":3,"item":{n}}}"#));
    }
    assert_eq!(raw.frame().await, r#"{"id":3,"result":null}"#);
    assert!(raw.rest().await.is_empty());
    gate.notify_waiters();
    assert_eq!(raw.frame().await, r#"{"id":1,"result":"done"}"#);
    assert_eq!(raw.closed().await, (4001, "going away".to_owned()));
    assert_eq!(gone.await.unwrap().sent.as_ref().unwrap().code().get(), 4001);

    // A client of this crate refuses new calls by itself.
    let (server, client) = pair(router, Router::new());
    let call = tokio::spawn(client.call::<_, String>("wait", [(); 0]).into_future());
    settle().await;
    let going = server.clone();
    tokio::spawn(async move { going.go_away("update", Duration::ZERO).await });
    settle().await;
    assert!(client.is_going_away());
    let refused = client.call::<_, String>("wait", [(); 0]).await.unwrap_err();
    assert!(refused.code() == Code::UNAVAILABLE && refused.is_not_started(), "{refused:?}");
    assert!(client.notify("note", [(); 0]).await.is_err());
    gate.notify_waiters();
    assert_eq!(ends("the call", call).await.unwrap().unwrap(), "done");
    assert_eq!(client.closed().await.received.as_ref().unwrap().code().get(), 4001);
}

#[tokio::test(start_paused = true)]
async fn an_end_without_calls_goes_away_at_once() {
    let (server, client) = pair(Router::new(), Router::new());
    settle().await;
    let closed = ends("going away", server.go_away("", Duration::ZERO)).await;
    assert_eq!(closed.sent.as_ref().unwrap().code().get(), 4001);
    assert_eq!(client.closed().await.received.as_ref().unwrap().code().get(), 4001);
}

#[tokio::test(start_paused = true)]
async fn a_callee_that_cancels_is_told_from_a_deadline_and_from_a_failure() {
    let router = Router::new()
        .call("cancelled", |_, _: [(); 0]| async { Err::<(), _>(Status::new(Code::CANCELLED, "no")) })
        .call("late", |_, _: [(); 0]| async { Err::<(), _>(Status::new(Code::DEADLINE_EXCEEDED, "")) })
        .call("failed", |_, _: [(); 0]| async { Err::<(), _>(Status::new(Code::new(99), "own")) });
    for protocol in protocols() {
        let client = rpc::duplex(router.clone().options(Options::default().protocols([protocol])));
        let cancelled = client.call::<_, ()>("cancelled", [(); 0]).await;
        assert!(matches!(cancelled, Err(CallError::Cancelled)), "{cancelled:?}");
        let late = client.call::<_, ()>("late", [(); 0]).await;
        assert!(matches!(late, Err(CallError::Deadline)), "{late:?}");
        let Err(CallError::Status(failed)) = client.call::<_, ()>("failed", [(); 0]).await else { panic!() };
        assert_eq!((failed.code(), failed.message()), (Code::new(99), "own"));
    }
}

#[tokio::test(start_paused = true)]
async fn the_handler_of_a_dropped_call_is_dropped() {
    let guards = Guards::default();
    let (server, client) = pair(waiting(&guards), Router::new());
    for call in calls_of_every_kind(&client) {
        settle().await;
        call.abort();
    }
    settle().await;
    assert_eq!((guards.now(), guards.ever()), (0, 4));
    assert_eq!(server.stats().dropped_handlers, 4);
    nothing_is_in_flight(&server);
    nothing_is_in_flight(&client);
}

#[tokio::test(start_paused = true)]
async fn the_handler_of_a_call_out_of_time_is_dropped_though_the_caller_is_silent() {
    let guards = Guards::default();
    let (server, mut raw) = greeted(waiting(&guards)).await;
    for (id, method) in [(1, "wait"), (3, "silent"), (5, "swallow"), (7, "both")] {
        raw.say(format!(r#"{{"id":{id},"method":"{method}","meta":{{"dl":{id}000}}}}"#)).await;
    }
    assert_eq!(raw.frame().await, r#"{"id":3,"item":0}"#);
    let begun = Instant::now();
    for id in [1, 3, 5, 7] {
        assert_eq!(raw.frame().await, format!(r#"{{"id":{id},"error":{{"code":-32004,"message":""}}}}"#));
        assert_eq!(begun.elapsed().as_secs(), id);
        settle().await;
        assert_eq!(guards.now(), (7 - id as usize) / 2);
    }
    assert_eq!(server.stats().dropped_handlers, 4);
    nothing_is_in_flight(&server);
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_call_is_answered_cancelled_and_then_nothing_more_is_said_of_it() {
    let guards = Guards::default();
    let held = guards.clone();
    let router = waiting(&guards).stream("busy", move |_, _: [(); 0]| {
        let guard = held.hold();
        stream::iter(0u32..).map(move |n| {
            let _ = &guard;
            Ok::<_, Status>(n)
        })
    });
    let (server, mut raw) = greeted(router).await;
    for (id, method) in [(1, "wait"), (3, "silent"), (5, "swallow"), (7, "both"), (9, "busy")] {
        raw.say(format!(r#"{{"id":{id},"method":"{method}"}}"#)).await;
        settle().await;
        raw.say(format!("{{\"id\":{id},\"item\":1}}\n{{\"id\":{id},\"credit\":[9,9]}}\n{{\"cancel\":{id}}}"))
            .await;
        // What a caller says in the meantime.
        raw.say(format!("{{\"cancel\":{id}}}\n{{\"id\":{id},\"item\":1}}\n{{\"id\":{id},\"credit\":[9,9]}}"))
            .await;
        raw.say(format!("{{\"id\":{id},\"end\":true}}")).await;
        let mut frames = raw.rest().await;
        assert_eq!(frames.pop().unwrap(), format!(r#"{{"id":{id},"error":{{"code":-32001,"message":""}}}}"#));
        assert!(
            frames.iter().all(|frame| frame.starts_with(&format!(r#"{{"id":{id},"item":"#))),
            "{frames:?}"
        );
        assert_eq!(guards.now(), 0);
    }
    // The id is free again.
    raw.say("{\"id\":1,\"method\":\"wait\"}\n{\"cancel\":1}").await;
    assert_eq!(raw.rest().await, [r#"{"id":1,"error":{"code":-32001,"message":""}}"#]);
    nothing_is_in_flight(&server);
}

/// Notes what becomes of the calls around which it stands.
struct Noting(Arc<Mutex<Vec<String>>>);

struct Noted<'a>(&'a Noting, String);

impl Drop for Noted<'_> {
    fn drop(&mut self) {
        if !self.1.is_empty() {
            self.0.0.lock().unwrap().push(format!("{} dropped", self.1));
        }
    }
}

#[async_trait::async_trait]
impl Middleware for Noting {
    async fn call(&self, cx: &mut Context, next: Next<'_>) -> Result<Reply, Status> {
        let side = if cx.side() == Side::Made { "made" } else { "served" };
        let mut noted = Noted(self, format!("{side} {}", cx.method()));
        let result = next.run(cx).await;
        let name = std::mem::take(&mut noted.1);
        let end = result.as_ref().map_or_else(|status| status.code().to_string(), |_| "OK".to_owned());
        self.0.lock().unwrap().push(format!("{name} {end}"));
        result
    }
}

#[tokio::test(start_paused = true)]
async fn a_middleware_sees_how_each_call_ends_on_either_side() {
    let notes = Arc::<Mutex<Vec<String>>>::default();
    let guards = Guards::default();
    let router = waiting(&guards)
        .call("ok", |_, _: [(); 0]| async { Ok::<_, Status>(1) })
        .call("boom", |_, _: [(); 0]| async { panic!("boom") as Result<(), Status> })
        .stream("pair", |_, _: [(); 0]| stream::iter([Ok::<_, Status>(1), Ok(2)]))
        .middleware(Noting(Arc::clone(&notes)));
    let (server, client) = pair(router, Router::new());
    let client = client.with(Noting(Arc::clone(&notes)));
    let take = || std::mem::take(&mut *notes.lock().unwrap());
    let none = [(); 0];

    client.call::<_, u32>("ok", none).await.unwrap();
    assert_eq!(take(), ["served ok OK", "made ok OK"]);
    assert!(client.call::<_, ()>("boom", none).await.is_err());
    assert_eq!(take(), ["served boom dropped", "made boom INTERNAL"]);
    let counted: Vec<_> = client.open::<_, u32>("pair", none).await.unwrap().collect().await;
    assert_eq!(counted.len(), 2);
    assert_eq!(take(), ["made pair OK", "served pair OK"]);
    let late = client.call::<_, ()>("wait", none).deadline(Duration::from_secs(1)).await;
    assert!(matches!(late, Err(CallError::Deadline)), "{late:?}");
    settle().await;
    let mut seen = take();
    seen.sort();
    assert_eq!(seen, ["made wait DEADLINE_EXCEEDED", "served wait dropped"]);

    // Whoever drops a call, or a stream of answers, cancels it.
    let call = tokio::spawn(client.call::<_, ()>("wait", none).into_future());
    settle().await;
    call.abort();
    settle().await;
    assert_eq!(take(), ["made wait dropped", "served wait dropped"]);
    let stream = client.open::<_, u32>("silent", none).await.unwrap();
    settle().await;
    drop(stream);
    settle().await;
    assert_eq!(take(), ["made silent OK", "served silent dropped"]);
    nothing_is_in_flight(&server);
}

#[tokio::test(start_paused = true)]
async fn dropping_a_call_or_a_stream_of_answers_sends_one_cancel() {
    let (client, mut raw) = calling(Router::new()).await;
    let call = tokio::spawn(client.call::<_, ()>("m", [(); 0]).into_future());
    raw.frame().await;
    call.abort();
    assert_eq!(raw.rest().await, [r#"{"cancel":1}"#]);
    let stream = client.open::<_, u32>("s", [(); 0]).await.unwrap();
    raw.frame().await;
    drop(stream);
    assert_eq!(raw.rest().await, [r#"{"cancel":3}"#]);
    // The answers to these come too late, and disturb nobody.
    raw.say("{\"id\":1,\"result\":1}\n{\"id\":3,\"item\":1}\n{\"id\":3,\"error\":{\"code\":-32001,\"message\":\"\"}}")
        .await;
    // One that has ended is not cancelled.
    let mut stream = client.open::<_, u32>("s", [(); 0]).await.unwrap();
    raw.frame().await;
    raw.say("{\"id\":5,\"item\":1}\n{\"id\":5,\"result\":null}").await;
    assert_eq!(stream.next().await.unwrap().unwrap(), 1);
    drop(stream);
    let call = tokio::spawn(client.call::<_, u32>("m", [(); 0]).into_future());
    raw.frame().await;
    raw.say(r#"{"id":7,"result":1}"#).await;
    assert_eq!(call.await.unwrap().unwrap(), 1);
    assert!(raw.rest().await.is_empty());
    nothing_is_in_flight(&client);
}

#[tokio::test(start_paused = true)]
async fn dropping_a_call_drops_the_stream_that_goes_with_it() {
    let guards = Guards::default();
    let (client, mut raw) = calling(Router::new()).await;
    let guard = guards.hold();
    let items = stream::pending::<u32>().inspect(move |_| {
        let _ = &guard;
    });
    let call = tokio::spawn(client.call::<_, ()>("m", [(); 0]).sending(items).into_future());
    raw.frame().await;
    settle().await;
    assert_eq!((guards.now(), client.stats().streams_in_flight), (1, 1));
    call.abort();
    settle().await;
    assert_eq!((guards.now(), client.stats().streams_in_flight), (0, 0));

    // So does the answer, though the stream has not ended.
    let guard = guards.hold();
    let items = stream::iter([1]).chain(stream::pending::<u32>()).inspect(move |_| {
        let _ = &guard;
    });
    assert_eq!(raw.frame().await, r#"{"cancel":1}"#);
    let call = tokio::spawn(client.call::<_, u32>("m", [(); 0]).sending(items).into_future());
    assert_eq!(raw.frames(2).await[1], r#"{"id":3,"item":1}"#);
    raw.say(r#"{"id":3,"result":7}"#).await;
    assert_eq!(call.await.unwrap().unwrap(), 7);
    settle().await;
    assert_eq!(guards.now(), 0);
    assert!(raw.rest().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_call_can_be_dropped_at_every_poll() {
    let served = Guards::default();
    let held = served.clone();
    let router = Router::new().call("slow", move |_, _: [(); 0]| {
        let guard = held.hold();
        async move {
            for _ in 0..5 {
                tokio::task::yield_now().await;
            }
            drop(guard);
            Ok::<_, Status>(7)
        }
    });
    let (server, client) = pair(router, Router::new());
    let (mut finished, mut polls) = (false, 0);
    while !finished {
        let mut call = pin!(client.call::<_, u32>("slow", [(); 0]).into_future());
        let mut left = polls;
        let answer = poll_fn(|cx| match call.as_mut().poll(cx) {
            Poll::Ready(answer) => Poll::Ready(Some(answer)),
            Poll::Pending if left == 0 => Poll::Ready(None),
            Poll::Pending => {
                left -= 1;
                cx.waker().wake_by_ref();
                Poll::Pending
            }
        })
        .await;
        finished = answer.is_some_and(|answer| answer.unwrap() == 7);
        polls += 1;
        settle().await;
        // The future is still there where it was not answered; nothing else is left once it is dropped.
        #[allow(clippy::drop_non_drop)]
        drop(call);
        assert!(polls < 1000);
    }
    assert!(polls > 3, "{polls} polls");
    settle().await;
    assert_eq!(served.now(), 0);
    nothing_is_in_flight(&client);
    nothing_is_in_flight(&server);
    assert_eq!(client.call::<_, u32>("slow", [(); 0]).await.unwrap(), 7);
}

#[tokio::test(start_paused = true)]
async fn the_last_clone_of_a_client_closes_with_1000_and_a_handlers_does_not_keep_it_open() {
    let kept = Arc::<Mutex<Vec<Peer>>>::default();
    let keeps = Arc::clone(&kept);
    let client = Router::new().call("keep", move |cx: Context, _: [(); 0]| {
        keeps.lock().unwrap().push(cx.peer());
        async { Ok::<_, Status>(()) }
    });
    let router = Router::new().call("add", |cx: Context, (a, b): (i64, i64)| async move {
        cx.peer::<Peer>().call::<_, ()>("keep", [(); 0]).await?;
        Ok::<_, Status>(a + b)
    });
    let (server, client) = pair(router, client);
    let clone = client.clone();
    assert_eq!(client.call::<_, i64>("add", (40, 2)).await.unwrap(), 42);
    drop(client);
    // Clones are the same peer.
    assert_eq!(clone.call::<_, i64>("add", (40, 2)).await.unwrap(), 42);
    // A call holds the connection as a clone does.
    let call = tokio::spawn(clone.call::<_, i64>("add", (1, 2)).into_future());
    drop(clone);
    assert_eq!(ends("the call", call).await.unwrap().unwrap(), 3);
    let closed = ends("the connection", server.closed()).await;
    assert_eq!(closed.received.as_ref().unwrap().code(), CloseCode::NORMAL);
    let kept = std::mem::take(&mut *kept.lock().unwrap());
    assert_eq!(kept.len(), 3);
    for peer in kept {
        assert!(peer.call::<_, i64>("add", (40, 2)).await.unwrap_err().is_not_started());
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_sent_arrives_though_the_last_clone_is_dropped_at_once() {
    for explicit in [false, true] {
        let guards = Guards::default();
        let held = guards.clone();
        let router = Router::new().notification("note", move |_, _: [(); 0]| {
            held.hold();
            async {}
        });
        let (server, client) = pair(router, Router::new());
        settle().await;
        for _ in 0..3 {
            client.notify("note", [(); 0]).await.unwrap();
        }
        if explicit {
            client.close(CloseReason::NORMAL).await;
        }
        drop(client);
        let closed = ends("the connection", server.closed()).await;
        assert_eq!(closed.received.as_ref().unwrap().code(), CloseCode::NORMAL);
        assert_eq!(guards.ever(), 3);
    }
}

/// Ends a call that a handler makes of something that has left the handler.
#[tokio::test(start_paused = true)]
async fn what_a_handler_gave_to_a_task_of_its_own_ends_with_the_call() {
    for how in ["returns", "is cancelled", "is out of time", "loses its caller"] {
        let ended = Arc::<Mutex<Vec<String>>>::default();
        let noting = Arc::clone(&ended);
        let router = Router::new().options(in_json().deadline(None)).method(rpc::Method::bidi_stream(
            "leak",
            move |_, (returns,): (bool,), mut items: Streaming<u32>, mut out: rpc::Emitter<u32>| {
                let (items_end, out_end) = (Arc::clone(&noting), Arc::clone(&noting));
                tokio::spawn(async move {
                    let end = items.next().await.unwrap().unwrap_err();
                    items_end.lock().unwrap().push(format!("items {}", end.code()));
                });
                tokio::spawn(async move {
                    loop {
                        tokio::time::sleep(Duration::from_millis(700)).await;
                        if let Err(status) = out.send(&1).await {
                            out_end.lock().unwrap().push(format!("out {}", status.code()));
                            return;
                        }
                    }
                });
                async move {
                    if returns {
                        return Ok(());
                    }
                    pending::<Result<(), Status>>().await
                }
            },
        ));
        let (server, mut raw) = greeted(router).await;
        let returns = how == "returns";
        let meta = if how == "is out of time" { r#","meta":{"dl":1000}"# } else { "" };
        raw.say(format!(r#"{{"id":1,"method":"leak","params":[{returns}]{meta}}}"#)).await;
        settle().await;
        match how {
            "is cancelled" => raw.say(r#"{"cancel":1}"#).await,
            "loses its caller" => drop(raw.session.close(CloseReason::NORMAL).await),
            _ => {}
        }
        tokio::time::sleep(Duration::from_secs(100)).await;
        let mut ended = std::mem::take(&mut *ended.lock().unwrap());
        ended.sort();
        assert_eq!(ended.len(), 2, "{how}: {ended:?}");
        if how != "loses its caller" {
            let frames = raw.rest().await;
            let last = frames.last().unwrap();
            assert!(last.contains("error") || last.contains("result"), "{how}: {frames:?}");
            raw.is_alive().await;
        }
        nothing_is_in_flight(&server);
    }
}

/// A mixed exchange, as far as it comes: what each call became.
async fn mixed(server: Peer, client: Peer) -> Vec<String> {
    let none = [(); 0];
    let text = |result: Result<String, CallError>| match result {
        Ok(text) => text,
        Err(error) => format!("{error:?}"),
    };
    let unary = async { text(client.call("echo", ("hi",)).await) };
    let callback = async { text(client.call("ask", ("hi",)).await) };
    let notification = async { text(client.notify("note", none).await.map(|()| "noted".to_owned())) };
    let sum = client.call::<_, u32>("sum", none).sending(stream::iter(0..60u32));
    let sum = async { text(sum.await.map(|sum| sum.to_string())) };
    let collected = |stream: Result<Streaming<u32>, CallError>| async move {
        let Ok(stream) = stream else { return format!("{:?}", stream.unwrap_err()) };
        let items: Vec<_> = stream.collect().await;
        let count = items.len();
        match items.into_iter().find_map(Result::err) {
            Some(error) => format!("{error:?}"),
            None => count.to_string(),
        }
    };
    let count = async { collected(client.open("count", (60,)).await).await };
    let both = async { collected(client.open("both", none).sending(stream::iter(0..60u32)).await).await };
    let back = async { collected(server.open("count", (60,)).await).await };
    let cancelled = async {
        let call = client.call::<_, ()>("wait", none).into_future();
        drop(tokio::time::timeout(Duration::from_millis(1), call).await);
        let Ok(mut stream) = client.open::<_, u32>("count", (1000,)).await else { return String::new() };
        drop(stream.next().await);
        "cancelled".to_owned()
    };
    let both_halves = futures::future::join4(unary, callback, notification, sum);
    let other_half = futures::future::join4(count, both, back, cancelled);
    let ((a, b, c, d), (e, f, g, h)) = futures::future::join(both_halves, other_half).await;
    vec![a, b, c, d, e, f, g, h]
}

fn mixed_router(guards: &Guards) -> Router {
    let (echo, sums, counts, boths, notes, waits) =
        (guards.clone(), guards.clone(), guards.clone(), guards.clone(), guards.clone(), guards.clone());
    Router::new()
        .options(in_json().deadline(None))
        .call("echo", move |_, (text,): (String,)| {
            let guard = echo.hold();
            async move {
                tokio::task::yield_now().await;
                drop(guard);
                Ok::<_, Status>(text)
            }
        })
        .call("ask", |cx: Context, (text,): (String,)| async move {
            Ok::<String, Status>(cx.peer::<Peer>().call("echo", (text,)).await?)
        })
        .call("wait", move |_, _: [(); 0]| {
            let guard = waits.hold();
            async move {
                pending::<()>().await;
                drop(guard);
                Ok::<(), Status>(())
            }
        })
        .notification("note", move |_, _: [(); 0]| {
            let guard = notes.hold();
            async move {
                tokio::task::yield_now().await;
                drop(guard);
            }
        })
        .stream("count", move |_, (n,): (u32,)| {
            let guard = counts.hold();
            stream::iter(0..n).map(move |n| {
                let _ = &guard;
                Ok::<_, Status>(n)
            })
        })
        .client_stream("sum", move |_, _: [(); 0], mut items: Streaming<u32>| {
            let guard = sums.hold();
            async move {
                let mut sum = 0;
                while let Some(item) = items.next().await {
                    sum += item?;
                }
                drop(guard);
                Ok::<_, Status>(sum)
            }
        })
        .bidi_stream("both", move |_, _: [(); 0], items: Streaming<u32>| {
            let guard = boths.hold();
            items.map(move |item| {
                let _ = &guard;
                item.map_err(Status::from)
            })
        })
}

#[tokio::test(start_paused = true)]
async fn wherever_the_transport_is_cut_every_call_ends_and_nothing_is_left() {
    /// Less than any frame has, so that each is cut, and each end of one.
    const STEP: usize = 11;
    let whole = ["hi", "hi", "noted", "1770", "60", "60", "60", "cancelled"];
    let mut cut_at = 0;
    loop {
        let guards = Guards::default();
        let knife = Knife::after(cut_at);
        let (server, client) = cuttable(&knife, mixed_router(&guards), mixed_router(&guards));
        let what = format!("a call that is cut at byte {cut_at}");
        let ended = ends(&what, mixed(server.clone(), client.clone())).await;
        settle().await;
        let was_cut = knife.is_cut.load(SeqCst) != 0;
        for (ended, whole) in ended.iter().zip(whole) {
            let lost = ended.contains("Disconnected") || ended.is_empty();
            assert!(ended == whole || was_cut && lost, "cut at {cut_at}: {ended}");
        }
        if !was_cut {
            break;
        }
        assert_eq!(guards.now(), 0, "cut at {cut_at}");
        nothing_is_in_flight(&server);
        nothing_is_in_flight(&client);
        cut_at += STEP;
    }
    assert!(cut_at > 5000, "{cut_at} bytes");
}

#[tokio::test(start_paused = true)]
async fn binary_garbage_is_not_mistaken_for_an_answer() {
    let (client, mut raw) = calling(Router::new()).await;
    let call = tokio::spawn(client.call::<_, u32>("m", [(); 0]).into_future());
    raw.frame().await;
    raw.session.send(Message::from(vec![0u8, 159, 146, 150])).await.unwrap();
    let error = ends("the call", call).await.unwrap().unwrap_err();
    assert!(disconnected(&error).closed().is_none(), "this end has closed: {error:?}");
    assert_eq!(raw.closed().await.0, 4400);
}
