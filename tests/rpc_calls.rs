//! Calls that go well: every kind in every protocol, the order of frames, what travels beside the arguments, and calls
//! in both directions at once.
#![allow(clippy::unwrap_used)]

#[path = "support/rpc.rs"]
mod support;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use converse::{
    Server, SessionOptions,
    frame::Role,
    rpc::{self, CallError, Code, Context, Options, Peer, Protocol, Router, Status, Streaming},
};
use futures::{StreamExt, future::join_all, stream};
use serde::{Deserialize, Serialize};
use support::{BUFFER, calling, ends, greeted, native, pair, patient, protocols, settle};
use tokio::{io::duplex, sync::Notify, time::Instant};

/// A method's own error.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum CalcError {
    Overflow { by: u32 },
}

impl std::fmt::Display for CalcError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("too much")
    }
}

impl rpc::ServiceError for CalcError {
    fn code(&self) -> Code {
        Code::OUT_OF_RANGE
    }
}

/// A line that only maps and options can carry.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Line {
    who: String,
    reply_to: Option<u64>,
    marks: Vec<(char, f64)>,
}

fn line(who: &str) -> Line {
    Line { who: who.to_owned(), reply_to: Some(u64::MAX), marks: vec![('é', 0.5), ('\n', -1.0)] }
}

/// A method of every kind.
fn everything() -> Router {
    let logged = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&logged);
    Router::new()
        .call("calc.add", |_, (a, b): (i64, i64)| async move { Ok::<_, Status>(a + b) })
        .call("calc.fail", |_, (by,): (u32,)| async move { Err::<(), _>(CalcError::Overflow { by }) })
        .call("echo", |_, (line,): (Line,)| async move { Ok::<_, Status>(line) })
        .call("unit", |_, _: [(); 0]| async { Ok::<_, Status>(()) })
        .call("none", |_, _: [(); 0]| async { Ok::<Option<u8>, Status>(None) })
        .notification("log", move |_, (text,): (String,)| {
            log.lock().unwrap().push(text);
            async {}
        })
        .call("logged", move |_, _: [(); 0]| {
            let logged = logged.lock().unwrap().clone();
            async move { Ok::<_, Status>(logged) }
        })
        .stream("count", |_, (n,): (u64,)| stream::iter((0..n).map(Ok::<_, Status>)))
        .stream("count.fail", |_, (n,): (u64,)| {
            stream::iter((0..n).map(Ok).chain([Err(CalcError::Overflow { by: 7 })]))
        })
        .client_stream("sum", |_, (start,): (i64,), mut items: Streaming<i64>| async move {
            let mut sum = start;
            while let Some(item) = items.next().await {
                sum += item?;
            }
            Ok::<_, Status>(sum)
        })
        .bidi_stream("double", |_, _: [(); 0], items: Streaming<i64>| {
            items.map(|item| item.map(|item| item * 2).map_err(Status::from))
        })
        .call("ask", |cx: Context, (question,): (String,)| async move {
            let peer: Peer = cx.peer();
            let answer: String = peer.call("answer", (question,)).await?;
            let counted: Vec<u64> =
                peer.open::<_, u64>("count", (3,)).await?.map(|item| item.unwrap()).collect().await;
            Ok::<_, Status>((answer, counted))
        })
}

/// What a client serves.
fn asked() -> Router {
    everything().call("answer", |_, (question,): (String,)| async move { Ok::<_, Status>(question + " yes") })
}

async fn collect<T, E: rpc::ServiceError>(stream: Streaming<T, E>) -> Vec<Result<T, CallError<E>>> {
    stream.collect().await
}

/// Each kind of call, made through a peer.
async fn every_kind_works(peer: &Peer) {
    assert_eq!(peer.call::<_, i64>("calc.add", (40, 2)).await.unwrap(), 42);
    assert_eq!(peer.call::<_, Line>("echo", (line("é\0"),)).await.unwrap(), line("é\0"));
    peer.call::<_, ()>("unit", [(); 0]).await.unwrap();
    assert_eq!(peer.call::<_, Option<u8>>("none", [(); 0]).await.unwrap(), None);

    let failed = peer.call::<_, ()>("calc.fail", (3,)).error::<CalcError>().await;
    assert!(matches!(failed, Err(CallError::App(CalcError::Overflow { by: 3 }))), "{failed:?}");
    let Err(CallError::Status(status)) = peer.call::<_, ()>("calc.fail", (3,)).await else { panic!() };
    assert_eq!((status.code(), status.message()), (Code::OUT_OF_RANGE, "too much"));
    assert_eq!(status.data::<CalcError>().unwrap().unwrap(), CalcError::Overflow { by: 3 });

    peer.notify("log", ("hi",)).await.unwrap();
    assert_eq!(peer.call::<_, Vec<String>>("logged", [(); 0]).await.unwrap(), ["hi"]);

    for n in [0, 1, 31, 32, 33, 500] {
        let counted = collect(peer.open::<_, u64>("count", (n,)).await.unwrap()).await;
        assert!(counted.into_iter().map(Result::unwrap).eq(0..n));
        let sum = peer.call::<_, i64>("sum", (1,)).sending(stream::iter(0..n as i64)).await.unwrap();
        assert_eq!(sum, 1 + (0..n as i64).sum::<i64>());
        let doubled =
            peer.open::<_, i64>("double", [(); 0]).sending(stream::iter(0..n as i64)).await.unwrap();
        let doubled = collect(doubled).await;
        assert!(doubled.into_iter().map(Result::unwrap).eq((0..n as i64).map(|item| item * 2)));
    }
    let mut counted =
        collect(peer.open::<_, u64>("count.fail", (40,)).error::<CalcError>().await.unwrap()).await;
    let last = counted.pop();
    assert!(matches!(last, Some(Err(CallError::App(CalcError::Overflow { by: 7 })))), "{last:?}");
    assert!(counted.into_iter().map(Result::unwrap).eq(0..40));

    let none = peer.call::<_, ()>("nothing", [(); 0]).await;
    assert!(matches!(&none, Err(error) if error.code() == Code::UNIMPLEMENTED), "{none:?}");
    let wrong = peer.call::<_, i64>("calc.add", ("forty", 2)).await;
    assert!(matches!(&wrong, Err(error) if error.code() == Code::INVALID_ARGUMENT), "{wrong:?}");
}

#[tokio::test(start_paused = true)]
async fn every_kind_of_call_works_in_every_protocol_and_in_both_directions() {
    for protocol in protocols() {
        let server = everything().options(Options::default().protocols([protocol]));
        let (client, server) = rpc::duplex_with(server, asked());
        every_kind_works(&server).await;
        every_kind_works(&client).await;
        let answer: (String, Vec<u64>) = server.call("ask", ("sure?",)).await.unwrap();
        assert_eq!(answer, ("sure? yes".to_owned(), vec![0, 1, 2]));
        let idle = server.stats();
        assert_eq!((idle.calls_in_flight, idle.streams_in_flight, idle.served_in_flight), (0, 0, 0));
    }
}

#[tokio::test]
async fn every_kind_of_call_works_over_tcp_and_the_servers_order_of_protocols_wins() {
    for protocol in protocols() {
        let tokens = [protocol.token(), "converse.v1.nothing".to_owned()];
        let router = everything().options(Options::default().protocols([protocol]));
        let router = router.call("spoken", |cx: Context, _: [(); 0]| async move {
            let mut headers = cx.request().headers();
            let (_, offered) =
                headers.find(|(name, _)| name.eq_ignore_ascii_case("sec-websocket-protocol")).unwrap();
            Ok::<_, Status>(String::from_utf8(offered.to_vec()).unwrap())
        });
        let server =
            Server::new(SessionOptions::default()).rpc("/", router).bind("127.0.0.1:0").await.unwrap();
        let url = format!("ws://{}/", server.local_addr());
        tokio::spawn(server.serve());
        let peer = rpc::connect(&url, asked()).await.unwrap();
        every_kind_works(&peer).await;
        let offered: String = peer.call("spoken", [(); 0]).await.unwrap();
        assert!(offered.split(", ").any(|token| token == tokens[0]), "{offered}");
        assert!(offered.contains("converse.v1.msgpack"), "{offered}");
    }
}

#[tokio::test(start_paused = true)]
async fn calls_and_answers_stand_on_the_wire_as_documented() {
    let (_peer, mut raw) = greeted(everything()).await;
    let cases = [
        (r#"{"id":1,"method":"calc.add","params":[40,2]}"#, r#"{"id":1,"result":42}"#),
        (r#"{"id":3,"method":"unit"}"#, r#"{"id":3,"result":null}"#),
        (
            r#"{"id":5,"method":"calc.fail","params":[3]}"#,
            r#"{"id":5,"error":{"code":-32011,"message":"too much","data":{"Overflow":{"by":3}}}}"#,
        ),
    ];
    for (call, answer) in cases {
        raw.say(call).await;
        assert_eq!(raw.frame().await, answer);
    }
    raw.say(r#"{"id":7,"method":"count","params":[2]}"#).await;
    assert_eq!(
        raw.message().await,
        "{\"id\":7,\"item\":0}\n{\"id\":7,\"item\":1}\n{\"id\":7,\"result\":null}"
    );
    raw.say("{\"id\":9,\"method\":\"sum\",\"params\":[1]}\n{\"id\":9,\"item\":2}\n{\"id\":9,\"end\":true}")
        .await;
    assert_eq!(raw.frame().await, r#"{"id":9,"result":3}"#);
}

#[tokio::test(start_paused = true)]
async fn a_caller_writes_what_is_documented() {
    let (peer, mut raw) = calling(Router::new()).await;
    let call = tokio::spawn(peer.call::<_, i64>("calc.add", (40, 2)).into_future());
    assert_eq!(raw.frame().await, r#"{"id":1,"method":"calc.add","params":[40,2]}"#);
    raw.say(r#"{"id":1,"result":42}"#).await;
    assert_eq!(call.await.unwrap().unwrap(), 42);

    peer.notify("calc.log", ("hi",)).await.unwrap();
    assert_eq!(raw.frame().await, r#"{"method":"calc.log","params":["hi"]}"#);

    let call = tokio::spawn(peer.call::<_, i64>("sum", (1,)).sending(stream::iter([2, 3])).into_future());
    assert_eq!(raw.frame().await, r#"{"id":3,"method":"sum","params":[1]}"#);
    assert_eq!(raw.message().await, "{\"id\":3,\"item\":2}\n{\"id\":3,\"item\":3}\n{\"id\":3,\"end\":true}");
    raw.say(r#"{"id":3,"result":6}"#).await;
    assert_eq!(call.await.unwrap().unwrap(), 6);
    assert!(raw.rest().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn answers_come_in_the_order_in_which_handlers_end() {
    let router = Router::new().call("after", |_, (ms,): (u64,)| async move {
        tokio::time::sleep(Duration::from_millis(ms)).await;
        Ok::<_, Status>(ms)
    });
    let (_peer, mut raw) = greeted(router).await;
    for (id, ms) in [(1, 300), (3, 100), (5, 0), (7, 200)] {
        raw.say(format!(r#"{{"id":{id},"method":"after","params":[{ms}]}}"#)).await;
    }
    for (id, ms) in [(5, 0), (3, 100), (7, 200), (1, 300)] {
        assert_eq!(raw.frame().await, format!(r#"{{"id":{id},"result":{ms}}}"#));
    }
}

#[tokio::test(start_paused = true)]
async fn answers_out_of_order_find_their_callers() {
    let (peer, mut raw) = calling(Router::new()).await;
    let calls: Vec<_> =
        (0..3).map(|n| tokio::spawn(peer.call::<_, String>("m", (n,)).into_future())).collect();
    for n in 0..3 {
        assert_eq!(raw.frame().await, format!(r#"{{"id":{},"method":"m","params":[{n}]}}"#, 2 * n + 1));
    }
    raw.say("{\"id\":5,\"result\":\"c\"}\n{\"id\":1,\"result\":\"a\"}\n{\"id\":3,\"result\":\"b\"}").await;
    let answers: Vec<_> = join_all(calls).await.into_iter().map(|answer| answer.unwrap().unwrap()).collect();
    assert_eq!(answers, ["a", "b", "c"]);
}

#[tokio::test(start_paused = true)]
async fn items_come_in_order_and_before_the_frame_that_ends_the_call() {
    let (_peer, mut raw) = greeted(everything()).await;
    // Two streams and an answer at once: each call's own frames keep their order.
    let calls = [
        r#"{"id":1,"method":"count","params":[20]}"#,
        r#"{"id":3,"method":"count.fail","params":[20]}"#,
        r#"{"id":5,"method":"calc.add","params":[1,1]}"#,
    ];
    raw.say(calls.join("\n")).await;
    let frames = raw.rest().await;
    let of = |id: u32| -> Vec<&String> {
        frames.iter().filter(|frame| frame.starts_with(&format!("{{\"id\":{id},"))).collect()
    };
    let items = |id: u32| (0..20).map(move |n| format!(r#"{{"id":{id},"item":{n}}}"#));
    assert!(of(1).into_iter().cloned().eq(items(1).chain([r#"{"id":1,"result":null}"#.to_owned()])));
    let error = r#"{"id":3,"error":{"code":-32011,"message":"too much","data":{"Overflow":{"by":7}}}}"#;
    assert!(of(3).into_iter().cloned().eq(items(3).chain([error.to_owned()])));
    assert_eq!(of(5), [r#"{"id":5,"result":2}"#]);
    assert_eq!(frames.len(), 43);
}

#[tokio::test(start_paused = true)]
async fn frames_that_are_ready_together_share_a_message() {
    let (_peer, mut raw) = greeted(everything()).await;
    let calls: Vec<_> =
        (0..50).map(|n| format!(r#"{{"id":{},"method":"calc.add","params":[{n},0]}}"#, 2 * n + 1)).collect();
    raw.say(calls.join("\n")).await;
    let answers: Vec<_> = (0..50).map(|n| format!(r#"{{"id":{},"result":{n}}}"#, 2 * n + 1)).collect();
    assert_eq!(raw.message().await, answers.join("\n"));
    assert!(raw.rest().await.is_empty());

    let (peer, mut raw) = calling(Router::new()).await;
    let calls = join_all((0..50).map(|n| peer.call::<_, i64>("m", (n,)).into_future()));
    let calls = tokio::spawn(calls);
    assert_eq!(raw.message().await.split('\n').count(), 50);
    raw.say(
        (0..50).map(|n| format!(r#"{{"id":{},"result":{n}}}"#, 2 * n + 1)).collect::<Vec<_>>().join("\n"),
    )
    .await;
    assert!(calls.await.unwrap().into_iter().map(Result::unwrap).eq(0..50));
}

#[tokio::test(start_paused = true)]
async fn frames_share_a_message_only_as_far_as_the_peer_takes_it() {
    let (_peer, mut raw) = support::served(everything());
    raw.say(r#"{"hello":{"max":100}}"#).await;
    let _hello = raw.frame().await;
    let calls: Vec<_> =
        (0..20).map(|n| format!(r#"{{"id":{},"method":"calc.add","params":[{n},0]}}"#, 2 * n + 1)).collect();
    raw.say(calls.join("\n")).await;
    let mut frames = 0;
    while frames < 20 {
        let message = raw.message().await;
        assert!(message.len() <= 100, "{message}");
        frames += message.split('\n').count();
    }
}

#[tokio::test(start_paused = true)]
async fn a_deadline_travels_in_milliseconds_and_is_in_the_handlers_context() {
    let (peer, mut raw) = calling(Router::new()).await;
    let call = peer.call::<_, i64>("m", [(); 0]).deadline(Duration::from_micros(1_500_900));
    let call = tokio::spawn(call.into_future());
    assert_eq!(raw.frame().await, r#"{"id":1,"method":"m","params":[],"meta":{"dl":1501}}"#);
    let begun = Instant::now();
    let failed = call.await.unwrap();
    assert!(matches!(failed, Err(CallError::Deadline)), "{failed:?}");
    // The call had begun when the frame came.
    assert!((1_499..=1_501).contains(&begun.elapsed().as_millis()), "{:?}", begun.elapsed());
    assert_eq!(raw.frame().await, r#"{"cancel":1}"#);

    let router = Router::new().call("remaining", |cx: Context, _: [(); 0]| async move {
        assert_eq!(cx.deadline(), cx.remaining().map(|left| Instant::now() + left));
        Ok::<_, Status>((
            cx.remaining().unwrap().as_millis() as u64,
            cx.metadata().deadline().unwrap().as_millis() as u64,
        ))
    });
    let (_peer, mut raw) = greeted(router).await;
    raw.say(r#"{"id":1,"method":"remaining","meta":{"dl":1234}}"#).await;
    assert_eq!(raw.frame().await, r#"{"id":1,"result":[1234,1234]}"#);
}

#[tokio::test(start_paused = true)]
async fn the_default_deadline_holds_on_both_sides_and_for_no_stream_of_answers() {
    // The caller's side: nobody answers.
    let (peer, mut raw) = calling(Router::new()).await;
    let begun = Instant::now();
    let failed = peer.call::<_, i64>("m", [(); 0]).await;
    assert!(matches!(failed, Err(CallError::Deadline)), "{failed:?}");
    assert_eq!(begun.elapsed(), Duration::from_secs(30));
    assert_eq!(raw.frames(2).await, [r#"{"id":1,"method":"m","params":[]}"#, r#"{"cancel":1}"#]);
    let mut stream = peer.open::<_, i64>("s", [(); 0]).await.unwrap();
    let waited = tokio::time::timeout(Duration::from_secs(3600), stream.next()).await;
    assert!(waited.is_err(), "{waited:?}");
    assert_eq!(raw.rest().await, [r#"{"id":3,"method":"s","params":[]}"#]);

    // The callee's side: the caller says nothing of a deadline.
    let router = Router::new()
        .call("never", |_, _: [(); 0]| std::future::pending::<Result<(), Status>>())
        .stream("silent", |cx: Context, _: [(); 0]| {
            assert_eq!((cx.deadline(), cx.remaining()), (None, None));
            stream::pending::<Result<(), Status>>()
        });
    let (peer, mut raw) = greeted(router).await;
    let begun = Instant::now();
    raw.say("{\"id\":1,\"method\":\"never\"}\n{\"id\":3,\"method\":\"silent\"}").await;
    assert_eq!(raw.frame().await, r#"{"id":1,"error":{"code":-32004,"message":""}}"#);
    assert_eq!(begun.elapsed(), Duration::from_secs(30));
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert!(raw.rest().await.is_empty());
    assert_eq!(peer.stats().served_in_flight, 1);
}

#[tokio::test(start_paused = true)]
async fn a_stream_of_answers_has_the_deadline_that_it_was_given() {
    let router = Router::new()
        .stream("silent", |_, _: [(); 0]| stream::iter([Ok::<_, Status>(1)]).chain(stream::pending()));
    let (server, client) = pair(router, Router::new());
    let begun = Instant::now();
    let mut stream = client.open::<_, i64>("silent", [(); 0]).deadline(Duration::from_secs(2)).await.unwrap();
    assert_eq!(stream.next().await.unwrap().unwrap(), 1);
    let end = stream.next().await;
    assert!(matches!(end, Some(Err(CallError::Deadline))), "{end:?}");
    assert_eq!(begun.elapsed(), Duration::from_secs(2));
    assert!(stream.next().await.is_none());
    settle().await;
    assert_eq!(server.stats().served_in_flight, 0);
}

#[tokio::test(start_paused = true)]
async fn headers_and_the_trace_travel_and_leave_no_byte_when_there_are_none() {
    let (peer, mut raw) = calling(Router::new()).await;
    let call = peer.call::<_, i64>("m", [(); 0]).metadata("a", "1").metadata("b", "é\n").metadata("a", "2");
    let call = tokio::spawn(call.traceparent("00-1-2-01").deadline(Duration::from_secs(1)).into_future());
    let frame = raw.frame().await;
    assert!(frame.starts_with(r#"{"id":1,"method":"m","params":[],"meta":{"#), "{frame}");
    let frame: serde_json::Value = serde_json::from_str(&frame).unwrap();
    assert_eq!(frame["meta"], serde_json::json!({"dl": 1000, "tp": "00-1-2-01", "a": "2", "b": "é\n"}));
    call.abort();
    assert_eq!(raw.frame().await, r#"{"cancel":1}"#);
    peer.notify("n", [(); 0]).metadata("a", "1").await.unwrap();
    assert_eq!(raw.frame().await, r#"{"method":"n","params":[],"meta":{"a":"1"}}"#);
    peer.notify("n", [(); 0]).await.unwrap();
    assert_eq!(raw.frame().await, r#"{"method":"n","params":[]}"#);

    for protocol in native() {
        let router = Router::new().call("meta", |cx: Context, _: [(); 0]| async move {
            let headers: Vec<(String, String)> =
                cx.metadata().headers().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
            Ok::<_, Status>((cx.metadata().traceparent().map(str::to_owned), headers))
        });
        let peer = rpc::duplex(router.options(Options::default().protocols([protocol])));
        type Meta = (Option<String>, Vec<(String, String)>);
        let call = peer.call::<_, Meta>("meta", [(); 0]).metadata("who", "é\u{1}").metadata("empty", "");
        let (trace, headers) = call.traceparent("00-1-2-01").await.unwrap();
        assert_eq!(trace.as_deref(), Some("00-1-2-01"));
        assert_eq!(headers, [("who".into(), "é\u{1}".into()), ("empty".into(), String::new())]);
        assert_eq!(peer.call::<_, Meta>("meta", [(); 0]).await.unwrap(), (None, vec![]));
    }
}

#[tokio::test(start_paused = true)]
async fn more_headers_than_a_peer_takes_fail_their_call_only() {
    let (_server, client) = pair(everything(), Router::new());
    let call = (0..65)
        .fold(client.call::<_, i64>("calc.add", (1, 1)), |call, n| call.metadata(format!("header-{n}"), ""));
    let failed = call.await;
    assert!(matches!(&failed, Err(CallError::Convert(_))), "{failed:?}");
    assert_eq!(client.call::<_, i64>("calc.add", (1, 1)).await.unwrap(), 2);
}

/// Calls back as deep as it is told.
fn ping_pong() -> Router {
    Router::new().options(support::in_json().in_flight(8)).call(
        "down",
        |cx: Context, (depth,): (u32,)| async move {
            if depth == 0 {
                return Ok::<u32, Status>(0);
            }
            let below: u32 = cx.peer::<Peer>().call("down", (depth - 1,)).await?;
            Ok(below + 1)
        },
    )
}

#[tokio::test(start_paused = true)]
async fn handlers_that_call_their_caller_do_not_deadlock_at_the_limits_of_both_ends() {
    let (server, client) = pair(ping_pong(), ping_pong());
    // Eight calls at once each way, each of which calls back: more than either end serves at a time. Each gets an
    // answer or is refused.
    let calls =
        (0..8).flat_map(|_| [&server, &client]).map(|peer| peer.call::<_, u32>("down", (1,)).into_future());
    for answer in ends("a call back", join_all(calls)).await {
        match answer {
            Ok(depth) => assert_eq!(depth, 1),
            Err(error) => assert_eq!(error.code(), Code::RESOURCE_EXHAUSTED),
        }
    }
    // As deep as both ends take together; one deeper is refused at the bottom.
    let deepest: u32 = ends("a deep call", client.call("down", (15,)).into_future()).await.unwrap();
    assert_eq!(deepest, 15);
    let refused = ends("a deeper call", client.call::<_, u32>("down", (16,)).into_future()).await;
    assert!(matches!(&refused, Err(error) if error.code() == Code::RESOURCE_EXHAUSTED), "{refused:?}");
    assert_eq!((client.stats().served_in_flight, server.stats().served_in_flight), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn answers_are_read_while_all_handlers_wait_for_them() {
    // All handlers that may run wait for answers that come only when the last of them runs.
    let gate = Arc::new(Notify::new());
    let opens = Arc::clone(&gate);
    let server = Router::new().options(support::in_json().in_flight(8)).call(
        "ask",
        |cx: Context, (n,): (u32,)| async move {
            let answer: u32 = cx.peer::<Peer>().call("answer", (n,)).await?;
            Ok::<_, Status>(answer)
        },
    );
    let client =
        Router::new().options(support::in_json().in_flight(8)).call("answer", move |_, (n,): (u32,)| {
            let gate = Arc::clone(&gate);
            async move {
                gate.notified().await;
                Ok::<_, Status>(n)
            }
        });
    let (server, client) = pair(server, client);
    let calls = tokio::spawn(join_all((0..8).map(|n| client.call::<_, u32>("ask", (n,)).into_future())));
    settle().await;
    assert_eq!((server.stats().served_in_flight, client.stats().served_in_flight), (8, 8));
    opens.notify_waiters();
    let answers = ends("a call", calls).await.unwrap();
    assert!(answers.into_iter().map(Result::unwrap).eq(0..8));
}

#[tokio::test(start_paused = true)]
async fn calls_may_follow_the_hello_at_once() {
    let (here, there) = duplex(BUFFER);
    let client = rpc::over(there, Role::Client, &Protocol::default(), &patient(), Router::new());
    let call = tokio::spawn(client.call::<_, i64>("calc.add", (40, 2)).into_future());
    settle().await;
    let _server = rpc::over(here, Role::Server, &Protocol::default(), &patient(), everything());
    assert_eq!(ends("the call", call).await.unwrap().unwrap(), 42);
}

#[tokio::test(start_paused = true)]
async fn a_hello_carries_the_limits_and_the_token() {
    let options = support::in_json().window(7).in_flight(5).token("it is me").schema("abc");
    let router = Router::new()
        .options(options)
        .call("token", |cx: Context, _: [(); 0]| async move { Ok::<_, Status>(cx.token()) });
    let (_peer, mut raw) = support::served(router);
    let hello = raw.frame().await;
    let hello: serde_json::Value = serde_json::from_str(&hello).unwrap();
    let expected = serde_json::json!({
        "v": 1, "caps": [], "window": [7, 65_536], "inflight": 5, "max": 1_048_576, "ping": 0, "token": "it is me",
        "schema": "abc"
    });
    assert_eq!(hello["hello"], expected);
    raw.say(r#"{"hello":{"token":"and me","new":[1,{}]}}"#).await;
    raw.say(r#"{"id":1,"method":"token"}"#).await;
    assert_eq!(raw.frame().await, r#"{"id":1,"result":"and me"}"#);
}

#[tokio::test(start_paused = true)]
async fn a_server_pings_as_often_as_it_says_and_a_client_answers() {
    let every = Duration::from_secs(5);
    let (_peer, mut raw) = greeted(Router::new().options(support::in_json().ping_interval(every))).await;
    let begun = Instant::now();
    assert_eq!(raw.frames(3).await, ["{}", "{}", "{}"]);
    assert_eq!(begun.elapsed(), Duration::from_secs(15));
    // What answers a ping is not answered.
    raw.say("{}").await;
    assert!(raw.rest().await.is_empty());

    let (_peer, mut raw) = calling(Router::new()).await;
    raw.say("{}").await;
    assert_eq!(raw.rest().await, ["{}"]);
}

#[tokio::test(start_paused = true)]
async fn nobody_is_pinged_before_the_hello() {
    let every = Duration::from_secs(1);
    let (_peer, mut raw) = support::served(Router::new().options(support::in_json().ping_interval(every)));
    assert!(raw.frame().await.starts_with(r#"{"hello":{"#));
    tokio::time::sleep(every * 4).await;
    raw.say(r#"{"hello":{}}"#).await;
    let begun = Instant::now();
    assert_eq!(raw.frame().await, "{}");
    assert_eq!(begun.elapsed(), every);
}
