//! What a flood, a slow reader and a hostile peer get: refusals, waiting, or the end of their own connection, and
//! nobody's memory.
#![allow(clippy::unwrap_used)]

#[path = "support/rpc.rs"]
mod support;

use std::{
    collections::HashMap,
    future::pending,
    panic::resume_unwind,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    thread,
    time::Duration,
};

use converse::{
    Message,
    frame::Role,
    rpc::{self, Code, Options, Peer, Router, Status, Streaming},
};
use futures::{FutureExt, StreamExt, stream};
use peak_alloc::PeakAlloc;
use support::{
    BUFFER, Guards, calling, ends, greeted, in_json, json, native, patient, protocols, served, settle,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
    time::Instant,
};

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// One test at a time, because all count one heap.
fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs a test alone, on a clock that jumps to the next deadline when nobody has anything to do. The thread is gone at the
/// end, with what it keeps for its sessions.
fn paused(test: impl Future<Output = ()> + Send) {
    let _one = alone();
    let run = || {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        runtime.enable_all().start_paused(true).build().unwrap().block_on(test);
    };
    if let Err(panic) = thread::scope(|scope| scope.spawn(run).join()) {
        resume_unwind(panic);
    }
}

fn sleeping(guards: &Guards) -> Router {
    let guards = guards.clone();
    let notes = guards.clone();
    Router::new()
        .options(in_json().deadline(None))
        .call("sleep", move |_, _: [(); 0]| {
            let guard = guards.hold();
            async move {
                pending::<()>().await;
                drop(guard);
                Ok::<_, Status>(())
            }
        })
        .notification("note", move |_, _: [(); 0]| {
            let guard = notes.hold();
            async move {
                pending::<()>().await;
                drop(guard);
            }
        })
        .call("add", |_, (a, b): (i64, i64)| async move { Ok::<_, Status>(a + b) })
        .call("big", |_, (bytes,): (usize,)| async move { Ok::<_, Status>("x".repeat(bytes)) })
        .call("len", |_, (text,): (String,)| async move { Ok::<_, Status>(text.len()) })
        .stream("bigs", |_, (items, bytes): (usize, usize)| {
            stream::iter((0..items).map(move |_| Ok::<_, Status>("x".repeat(bytes))))
        })
        .stream("silent", |_, _: [(); 0]| stream::pending::<Result<(), Status>>())
        .stream("empty", |_, _: [(); 0]| stream::empty::<Result<(), Status>>())
}

#[test]
fn of_200_000_calls_at_once_the_limit_runs_and_the_rest_is_refused_at_once_while_others_are_served() {
    const CALLS: usize = 200_000;
    const TOGETHER: usize = 500;
    paused(async {
        let guards = Guards::default();
        let (peer, mut raw) = greeted(sleeping(&guards)).await;
        let (_other_server, other) = support::pair(sleeping(&guards), Router::new());
        assert_eq!(other.call::<_, i64>("add", (0, 0)).await.unwrap(), 0);
        let begun = Instant::now();
        let answered = Arc::<AtomicUsize>::default();
        let flood = raw.session.sender();
        let refused = Arc::clone(&answered);
        tokio::spawn(async move {
            for n in 0..CALLS / TOGETHER {
                // Who does not read its refusals is cut, which is another test.
                while n * TOGETHER > refused.load(SeqCst) + 10_000 {
                    tokio::task::yield_now().await;
                }
                let calls = (0..TOGETHER).map(|k| 2 * (n * TOGETHER + k) + 1);
                let calls: Vec<_> =
                    calls.map(|id| format!(r#"{{"id":{id},"method":"sleep","params":[]}}"#)).collect();
                flood.send(calls.join("\n")).await.unwrap();
            }
        });
        let seen = Arc::clone(&answered);
        let meanwhile = tokio::spawn(async move {
            let (mut calls, mut longest) = (0, 0);
            while seen.load(SeqCst) < CALLS - 64 {
                let before = seen.load(SeqCst);
                assert_eq!(other.call::<_, i64>("add", (calls, 1)).await.unwrap(), calls + 1);
                calls += 1;
                longest = longest.max(seen.load(SeqCst) - before);
            }
            (calls, longest)
        });
        let mut peak_of_halves = [0; 2];
        for (half, peak) in peak_of_halves.iter_mut().enumerate() {
            HEAP.reset_peak_usage();
            while answered.load(SeqCst) < (CALLS - 64) * (half + 1) / 2 {
                for frame in raw.message().await.split('\n') {
                    assert!(frame.contains(r#""error":{"code":-32008,"#), "{frame}");
                    answered.fetch_add(1, SeqCst);
                }
            }
            *peak = HEAP.peak_usage();
        }
        assert_eq!(answered.load(SeqCst), CALLS - 64);
        assert_eq!(begun.elapsed(), Duration::ZERO);
        let (calls, longest) = ends("the other connection", meanwhile).await.unwrap();
        assert!(calls >= 10, "{calls} calls of the other connection");
        assert!(longest <= 64 * TOGETHER, "{longest} refusals while one call waited");
        assert_eq!((guards.now(), guards.ever()), (64, 64));
        let stats = peer.stats();
        assert_eq!((stats.served_in_flight, stats.refused), (64, (CALLS - 64) as u64));
        let [first, second] = peak_of_halves;
        assert!(second <= first + 256 * KIB, "{first} bytes at first, {second} later");
        assert!(first < 16 * MIB, "{first} bytes");
        drop(raw);
        settle().await;
        assert_eq!(guards.now(), 0);
    });
}

#[test]
fn notifications_count_as_calls_and_are_dropped_over_the_limit() {
    paused(async {
        let guards = Guards::default();
        let (peer, mut raw) = greeted(sleeping(&guards).options(in_json().in_flight(5))).await;
        raw.say(vec![r#"{"method":"note"}"#; 1000].join("\n")).await;
        raw.say(r#"{"id":1,"method":"add","params":[1,2]}"#).await;
        let refused = raw.frame().await;
        assert!(refused.starts_with(r#"{"id":1,"error":{"code":-32008,"#), "{refused}");
        assert!(raw.rest().await.is_empty());
        let stats = peer.stats();
        assert_eq!((guards.ever(), stats.served_in_flight, stats.refused), (5, 5, 996));
    });
}

#[test]
fn streams_have_a_limit_of_their_own() {
    paused(async {
        let guards = Guards::default();
        let (_peer, mut raw) = greeted(sleeping(&guards).options(in_json().streams(2))).await;
        raw.say("{\"id\":1,\"method\":\"silent\"}\n{\"id\":3,\"method\":\"silent\"}").await;
        raw.say(r#"{"id":5,"method":"silent"}"#).await;
        let refused = raw.frame().await;
        assert!(refused.starts_with(r#"{"id":5,"error":{"code":-32008,"#), "{refused}");
        raw.say(r#"{"id":5,"method":"add","params":[1,2]}"#).await;
        assert_eq!(raw.frame().await, r#"{"id":5,"result":3}"#);
        raw.say("{\"cancel\":1}\n{\"id\":7,\"method\":\"silent\"}").await;
        assert_eq!(raw.rest().await, [r#"{"id":1,"error":{"code":-32001,"message":""}}"#]);
    });
}

/// A client's end of a transport, by bytes: it reads only when it is told to.
struct Bytes(DuplexStream);

impl Bytes {
    /// Sends a text message of less than 64 KiB.
    async fn say(&mut self, text: &str) -> std::io::Result<()> {
        let mut frame = vec![0x81];
        match u8::try_from(text.len()) {
            Ok(len @ ..126) => frame.push(0x80 | len),
            _ => {
                frame.push(0x80 | 126);
                frame.extend(u16::try_from(text.len()).unwrap().to_be_bytes());
            }
        }
        frame.extend([0; 4]);
        frame.extend(text.as_bytes());
        self.0.write_all(&frame).await
    }

    /// Reads all there is up to the end: whether a Close frame with this code is the last of it.
    async fn ends_with(&mut self, code: u16) -> bool {
        let mut all = Vec::new();
        self.0.read_to_end(&mut all).await.unwrap();
        let close = [[0x88].as_slice(), &[0], &code.to_be_bytes()].concat();
        all.windows(4).rev().take(126).any(|end| end[0] == close[0] && end[2..] == close[2..])
    }
}

fn by_bytes(router: Router) -> (Peer, Bytes) {
    let (here, there) = duplex(BUFFER);
    (rpc::over(here, Role::Server, &json(), &patient(), router), Bytes(there))
}

/// Says something over and over without reading: the most that was allocated until the connection was cut.
async fn never_reads(messages: impl Fn(usize) -> String, most: usize) -> usize {
    let guards = Guards::default();
    let (peer, mut wire) = by_bytes(sleeping(&guards));
    wire.say(r#"{"hello":{}}"#).await.unwrap();
    settle().await;
    HEAP.reset_peak_usage();
    let before = HEAP.current_usage();
    let mut said = 0;
    let cut = peer.closed();
    let mut cut = std::pin::pin!(cut);
    let saying = async {
        for n in 0..most {
            wire.say(&messages(n)).await.unwrap();
            said += 1;
        }
    };
    // What is closed reads on for its peer's Close frame; it is over when the conversation says so.
    let over = tokio::select! {
        () = saying => false,
        _ = &mut cut => true,
    };
    let kept = HEAP.peak_usage() - before;
    let late = ends("a call", peer.call::<_, ()>("m", [(); 0]).into_future()).await.unwrap_err();
    let rpc::CallError::Disconnected(late) = late else { panic!("not cut after {said} messages: {late:?}") };
    assert!(late.to_string().contains("reads too slowly"), "{late}");
    if !over {
        assert!(wire.ends_with(4008).await);
        ends("the connection", cut).await;
    }
    kept
}

#[test]
fn a_client_that_never_reads_is_cut_with_4008_when_what_it_is_told_reaches_the_bound() {
    paused(async {
        let answers = never_reads(
            |n| {
                let ids = (0..100).map(|k| 2 * (100 * n + k) + 1);
                let calls: Vec<_> =
                    ids.map(|id| format!(r#"{{"id":{id},"method":"big","params":[1000]}}"#)).collect();
                calls.join("\n")
            },
            600,
        );
        let kept = answers.await;
        assert!(kept < 3 * MIB, "{kept} bytes");
    });
}

#[test]
fn a_client_that_never_reads_is_cut_whatever_it_makes_the_server_say() {
    let calls = |frames: [&'static str; 2]| {
        move |n: usize| {
            let calls: Vec<_> = (0..500)
                .map(|k| {
                    let id = (2 * (500 * n + k) + 1).to_string();
                    frames.map(|frame| frame.replace('#', &id)).join("\n")
                })
                .collect();
            calls.join("\n")
        }
    };
    let says = [
        ("unknown methods", calls([r#"{"id":#,"method":"x"}"#, ""])),
        ("unknown frames", calls([r#"{"x":1}"#, r#"{"x":2}"#])),
        ("streams that are cancelled", calls([r#"{"id":#,"method":"silent"}"#, r#"{"cancel":#}"#])),
        ("streams that end", calls([r#"{"id":#,"method":"empty"}"#, ""])),
    ];
    for (what, messages) in says {
        paused(async {
            let kept = never_reads(messages, 400).await;
            assert!(kept < 4 * MIB, "{what}: {kept} bytes");
        });
    }
}

#[test]
fn a_client_that_reads_slowly_is_not_cut_by_streams_or_calls_which_wait() {
    for max_queued in [KIB, 8 * KIB, MIB] {
        paused(async {
            let (here, there) = duplex(512);
            let options = in_json().max_queued(max_queued).deadline(None);
            let guards = Guards::default();
            let router = sleeping(&guards).options(options.clone());
            let peer = rpc::over(here, Role::Server, &json(), &patient(), router);
            let client = Router::new()
                .options(in_json().deadline(None).in_flight(1000))
                .call("len", |_, (text,): (String,)| async move { Ok::<_, Status>(text.len()) });
            // All that passes is a byte every now and then.
            let (far, near) = duplex(512);
            tokio::spawn(slowly(there, far));
            let client = rpc::over(near, Role::Client, &json(), &patient(), client);
            settle().await;
            let streams = (0..4).map(|_| async {
                let stream = client.open::<_, String>("bigs", (40, 3000)).await.unwrap();
                let items: Vec<_> = stream.collect().await;
                assert!(items.into_iter().all(|item| item.unwrap().len() == 3000));
            });
            let calls = (0..40).map(|_| {
                let call = peer.call::<_, usize>("len", ("x".repeat(5000),)).into_future();
                async { assert_eq!(call.await.unwrap(), 5000) }
            });
            let all =
                futures::future::join(futures::future::join_all(streams), futures::future::join_all(calls));
            ends("a call", all).await;
            assert!(peer.closed().now_or_never().is_none());
        });
    }
}

/// Passes bytes on in both directions, some at a time.
async fn slowly(one: DuplexStream, other: DuplexStream) {
    async fn pass(mut from: impl AsyncReadExt + Unpin, mut to: impl AsyncWriteExt + Unpin) {
        let mut some = [0; 400];
        while let Ok(read @ 1..) = from.read(&mut some).await {
            tokio::time::sleep(Duration::from_millis(1)).await;
            if to.write_all(&some[..read]).await.is_err() {
                return;
            }
        }
    }
    let ((one_reads, one_writes), (other_reads, other_writes)) =
        (tokio::io::split(one), tokio::io::split(other));
    tokio::join!(pass(one_reads, other_writes), pass(other_reads, one_writes));
}

#[test]
fn what_is_longer_than_the_queue_waits_for_an_empty_one() {
    paused(async {
        // Each item is longer than what may be queued; the answers between them are not.
        let guards = Guards::default();
        let sessions = patient().max_message_size(16 * MIB);
        let (here, there) = duplex(BUFFER);
        let options = in_json().max_queued(MIB).deadline(None);
        let server = rpc::over(here, Role::Server, &json(), &sessions, sleeping(&guards).options(options));
        let client = Router::new()
            .call("len", |_, (text,): (String,)| async move { Ok::<_, Status>(text.len()) })
            .call("add", |_, (a, b): (i64, i64)| async move { Ok::<_, Status>(a + b) });
        let client = rpc::over(there, Role::Client, &json(), &sessions, client);
        settle().await;
        let mut stream = client.open::<_, String>("bigs", (5, MIB + 10)).await.unwrap();
        let (mut items, mut sums) = (0, 0);
        // So do answers, and what is said meanwhile.
        let long = async {
            let long = (0..5).map(|_| client.call::<_, String>("big", (MIB + 10,)).into_future());
            for answer in futures::future::join_all(long).await {
                assert_eq!(answer.unwrap().len(), MIB + 10);
            }
        };
        let answers = async {
            while sums < 100 {
                sums += 1;
                assert_eq!(client.call::<_, i64>("add", (sums, 1)).await.unwrap(), sums + 1);
            }
        };
        let streaming = async {
            while let Some(item) = stream.next().await {
                assert_eq!(item.unwrap().len(), MIB + 10);
                items += 1;
            }
        };
        let calls = futures::future::join_all((0..4).map(|_| async {
            let small = server.call::<_, i64>("add", (1, 1)).into_future();
            let big = server.call::<_, usize>("len", ("x".repeat(MIB + 10),)).into_future();
            let (small, big) = tokio::join!(small, big);
            assert_eq!((small.unwrap(), big.unwrap()), (2, MIB + 10));
        }));
        ends("a call", async { tokio::join!(answers, streaming, calls, long) }).await;
        assert_eq!((items, sums), (5, 100));
    });
}

#[test]
fn a_first_frame_that_is_no_hello_closes_with_4400() {
    paused(async {
        let (_peer, mut raw) = served(Router::new());
        raw.say(r#"{"id":1,"method":"add","params":[1,2]}"#).await;
        assert_eq!(raw.closed().await, (4400, "the first frame is no hello".to_owned()));
    });
}

#[test]
fn no_hello_closes_with_4408_on_either_side() {
    paused(async {
        let (_peer, mut raw) = served(Router::new());
        let begun = Instant::now();
        assert_eq!(raw.closed().await, (4408, "no hello in time".to_owned()));
        assert_eq!(begun.elapsed(), Duration::from_secs(10));

        let (here, there) = duplex(BUFFER);
        let options = in_json().hello_timeout(Duration::from_secs(3));
        let client = rpc::over(there, Role::Client, &json(), &patient(), Router::new().options(options));
        let mut raw = support::Raw::new(converse::Session::over(here, Role::Server, &patient()));
        let call = tokio::spawn(client.call::<_, ()>("m", [(); 0]).into_future());
        let begun = Instant::now();
        assert_eq!(raw.closed().await.0, 4408);
        assert_eq!(begun.elapsed(), Duration::from_secs(3));
        let error = ends("the call", call).await.unwrap().unwrap_err();
        assert_eq!(error.code(), Code::UNAVAILABLE);
    });
}

#[test]
fn what_is_no_frame_closes_with_4400_and_ends_the_calls_of_this_end() {
    let bad = [
        ("a second hello", r#"{"hello":{}}"#),
        ("no JSON", "garbage"),
        ("half a frame", r#"{"id":1,"method":"add""#),
        ("an array", "[1,2,3]"),
        ("a number", "7"),
        ("an id that is none", r#"{"id":"1","method":"add"}"#),
        ("an id beyond u32", r#"{"id":4294967296,"method":"add"}"#),
        ("a negative id", r#"{"id":-1,"result":1}"#),
        ("a key twice", r#"{"id":1,"id":3,"method":"add"}"#),
        ("a result and an error", r#"{"id":9,"result":1,"error":{"code":1,"message":""}}"#),
        ("garbage behind a frame", "{} x"),
        ("metadata that is none", r#"{"id":1,"method":"add","meta":{"a":1}}"#),
        ("a deep frame", &format!(r#"{{"x":{}}}"#, "[".repeat(100_000))),
    ];
    for (what, text) in bad {
        paused(async {
            let (client, mut raw) = calling(Router::new().options(in_json().deadline(None))).await;
            let call = tokio::spawn(client.call::<_, ()>("m", [(); 0]).into_future());
            raw.frame().await;
            raw.say(text).await;
            assert_eq!(raw.closed().await.0, 4400, "{what}");
            let error = ends("the call", call).await.unwrap().unwrap_err();
            assert_eq!(error.code(), Code::UNAVAILABLE, "{what}");
        });
    }
    paused(async {
        let (_peer, mut raw) = greeted(Router::new()).await;
        raw.session.send(Message::from(vec![0u8; 4])).await.unwrap();
        assert_eq!(raw.closed().await.0, 4400, "binary");
    });
}

#[test]
fn garbage_in_any_protocol_closes_with_4400() {
    for protocol in native() {
        for garbage in
            [vec![0xc1], vec![0xff; 64], vec![0x9f, 1, 2], vec![0x94, 1, 0xcf], vec![0x9b, 0xff, 1], vec![]]
        {
            paused(async {
                let (here, there) = duplex(BUFFER);
                let options = Options::default().protocols([protocol.clone()]);
                let _peer =
                    rpc::over(here, Role::Server, &protocol, &patient(), Router::new().options(options));
                let mut client = converse::Session::over(there, Role::Client, &patient());
                client.send(Message::from(garbage.clone())).await.unwrap();
                let closing = async {
                    while let Ok(Some(_)) = client.receive().await {}
                    client.closed().await.received.as_ref().unwrap().code().get()
                };
                let code = ends("the connection", closing).await;
                // An empty message holds no frame at all, and so no hello.
                assert_eq!(code, if garbage.is_empty() { 4408 } else { 4400 });
            });
        }
    }
}

#[test]
fn frames_that_mean_nothing_are_answered_or_ignored_and_what_follows_is_read() {
    let guards = Guards::default();
    let add = r#"{"id":1,"method":"add","params":[40,2]}"#;
    let sum = r#"{"id":1,"result":42}"#;
    let cases: [(&str, String, &[&str]); 14] = [
        ("an unknown frame", r#"{"publish":1,"id":7}"#.into(), &[r#"{"error":{"code":-32601,"message":"unknown frame"}}"#]),
        ("an unknown key", r#"{"id":3,"method":"add","params":[1,2],"new":{"a":[]}}"#.into(), &[r#"{"id":3,"result":3}"#]),
        ("an answer to no call", r#"{"id":2,"result":1}"#.into(), &[]),
        ("an error for no call", r#"{"id":2,"error":{"code":1,"message":"x"}}"#.into(), &[]),
        ("an error about no call", r#"{"error":{"code":1,"message":"x"}}"#.into(), &[]),
        ("items, an end and credit of no call", "{\"id\":9,\"item\":1}\n{\"id\":8,\"item\":1}\n{\"id\":9,\"end\":true}\n{\"id\":9,\"credit\":[1,1]}\n{\"id\":8,\"credit\":[1,1]}".into(), &[]),
        ("a cancel of no call", "{\"cancel\":9}\n{\"cancel\":8}\n{\"cancel\":0}".into(), &[]),
        ("an id of the wrong parity", r#"{"id":2,"method":"add","params":[1,2]}"#.into(), &[r#"{"id":2,"error":{"code":-32602,"#]),
        ("the id of no call", r#"{"id":0,"method":"add","params":[1,2]}"#.into(), &[r#"{"error":{"code":-32602,"#]),
        ("an unknown method", r#"{"id":3,"method":"a\u001bb"}"#.into(), &[r#"{"id":3,"error":{"code":-32601,"message":"no method a\\u{1b}b"}}"#]),
        ("a long name", format!(r#"{{"id":3,"method":"{}"}}"#, "a".repeat(129)), &[r#"{"id":3,"error":{"code":-32601,"message":"a method's name has 128 bytes at most"}}"#]),
        ("arguments that do not fit", r#"{"id":3,"method":"add","params":["one",{"two":[2]}]}"#.into(), &[r#"{"id":3,"error":{"code":-32602,"#]),
        ("a stream as a notification", r#"{"method":"silent"}"#.into(), &[]),
        ("a notification of nothing", r#"{"method":"nothing","params":7}"#.into(), &[]),
    ];
    for (what, frames, answers) in cases {
        paused(async {
            let (peer, mut raw) = greeted(sleeping(&guards)).await;
            raw.say(format!("{frames}\n{add}")).await;
            let seen = raw.rest().await;
            assert_eq!(seen.len(), answers.len() + 1, "{what}: {seen:?}");
            for (seen, answer) in seen.iter().zip(answers) {
                assert!(seen.starts_with(answer), "{what}: {seen}");
            }
            assert_eq!(seen.last().unwrap(), sum, "{what}");
            assert_eq!(peer.stats().served_in_flight, 0, "{what}");
            raw.is_alive().await;
        });
    }
}

#[test]
fn an_id_that_is_used_twice_fails_the_second_call() {
    paused(async {
        let guards = Guards::default();
        let (peer, mut raw) = greeted(sleeping(&guards)).await;
        raw.say("{\"id\":1,\"method\":\"sleep\"}\n{\"id\":1,\"method\":\"sleep\"}").await;
        let refused = raw.frame().await;
        assert!(refused.starts_with(r#"{"id":1,"error":{"code":-32006,"#), "{refused}");
        assert!(raw.rest().await.is_empty());
        assert_eq!((guards.now(), peer.stats().served_in_flight), (1, 1));
        raw.say(r#"{"cancel":1}"#).await;
        assert_eq!(raw.frame().await, r#"{"id":1,"error":{"code":-32001,"message":""}}"#);
        settle().await;
        assert_eq!(guards.now(), 0);
    });
}

#[test]
fn nothing_is_sent_that_is_longer_than_the_peer_takes() {
    paused(async {
        let guards = Guards::default();
        let router = sleeping(&guards)
            .client_stream("count", |_, _: [(); 0], items: Streaming<String>| async move {
                Ok::<_, Status>(items.count().await)
            });
        let (server, mut raw) = served(router.clone());
        raw.say(r#"{"hello":{"max":200}}"#).await;
        raw.frame().await;
        raw.say(r#"{"id":1,"method":"big","params":[300]}"#).await;
        let frame = raw.frame().await;
        assert!(frame.starts_with(r#"{"id":1,"error":{"code":-32008,"#) && frame.len() <= 200, "{frame}");
        raw.say(r#"{"id":3,"method":"bigs","params":[2,300]}"#).await;
        let frame = raw.frame().await;
        assert!(frame.starts_with(r#"{"id":3,"error":{"code":-32008,"#), "{frame}");
        let failed = server.call::<_, ()>("m", ("x".repeat(300),)).await;
        assert!(matches!(&failed, Err(error) if error.code() == Code::RESOURCE_EXHAUSTED), "{failed:?}");
        let failed = server.notify("m", ("x".repeat(300),)).await;
        assert!(matches!(&failed, Err(error) if error.code() == Code::RESOURCE_EXHAUSTED), "{failed:?}");
        assert!(raw.rest().await.is_empty());
        raw.is_alive().await;
        assert_eq!(server.stats().calls_in_flight, 0);

        // Between two ends of this crate: each tells the other what its session takes.
        let (here, there) = duplex(BUFFER);
        let small = patient().max_message_size(10_000);
        let server = rpc::over(here, Role::Server, &json(), &small, router);
        let client = rpc::over(there, Role::Client, &json(), &patient(), Router::new());
        assert_eq!(client.call::<_, i64>("add", (1, 2)).await.unwrap(), 3);
        let failed = client.call::<_, ()>("add", ("x".repeat(10_000),)).await;
        assert!(matches!(&failed, Err(error) if error.code() == Code::RESOURCE_EXHAUSTED), "{failed:?}");
        let items = stream::iter(["x".to_owned(), "x".repeat(10_000)]);
        let failed = client.call::<_, usize>("count", [(); 0]).sending(items).await;
        assert!(matches!(&failed, Err(error) if error.code() == Code::RESOURCE_EXHAUSTED), "{failed:?}");
        // Its own answers may be longer.
        assert_eq!(client.call::<_, String>("big", (20_000,)).await.unwrap().len(), 20_000);
        settle().await;
        assert_eq!(server.stats().served_in_flight, 0);
    });
}

#[test]
fn a_hostile_hello_does_no_harm() {
    paused(async {
        let guards = Guards::default();
        let (_peer, mut raw) = served(sleeping(&guards));
        raw.say(r#"{"hello":{"max":0,"window":[0,0],"inflight":0,"ping":18446744073709551615}}"#).await;
        raw.frame().await;
        raw.say(r#"{"id":1,"method":"add","params":[1,2]}"#).await;
        let frame = raw.frame().await;
        assert!(frame.starts_with(r#"{"id":1,"error":{"code":-32008,"#), "{frame}");
        raw.say(r#"{"id":3,"method":"none"}"#).await;
        let frame = raw.frame().await;
        assert!(frame.starts_with(r#"{"id":3,"error":{"code":-32008,"#), "{frame}");
    });
}

#[test]
fn a_ping_interval_of_zero_is_none() {
    paused(async {
        let options = in_json().ping_interval(Duration::ZERO);
        let (_peer, mut raw) = greeted(Router::new().options(options)).await;
        assert!(raw.rest().await.is_empty());
        raw.is_alive().await;
    });
}

#[test]
fn deep_arguments_are_refused_and_do_not_fill_the_stack() {
    for protocol in protocols() {
        paused(async {
            let router = Router::new().options(Options::default().protocols([protocol.clone()]));
            let router = router.call("deep", |_, (nested,): (serde_json::Value,)| async move {
                Ok::<_, Status>(nested.is_array())
            });
            if protocol.token() == "converse.v1.json" {
                let (_peer, mut raw) = greeted(router.clone()).await;
                for depth in [100, 100_000] {
                    let deep = "[".repeat(depth) + &"]".repeat(depth);
                    raw.say(format!(r#"{{"id":1,"method":"deep","params":{deep}}}"#)).await;
                    let refused = raw.frame().await;
                    assert!(refused.starts_with(r#"{"id":1,"error":{"code":-32602,"#), "{refused}");
                }
                raw.is_alive().await;
            }
            let client = rpc::duplex(router);
            let deep = (0..100).fold(serde_json::json!([]), |inner, _| serde_json::json!([inner]));
            let failed = client.call::<_, bool>("deep", (deep,)).await;
            assert!(matches!(&failed, Err(rpc::CallError::Convert(_))), "{failed:?}");
            let flat = client.call::<_, bool>("deep", (serde_json::json!([[[]]]),)).await;
            assert!(flat.unwrap());
            let map: HashMap<String, u8> = HashMap::new();
            assert!(!client.call::<_, bool>("deep", (map,)).await.unwrap());
        });
    }
}

#[test]
fn answers_that_are_ready_at_once_wait_for_a_peer_that_reads() {
    // Far more than may be queued, from handlers that end together and from those that end at once.
    for at_once in [false, true] {
        paused(async {
            let router = Router::new().options(in_json().in_flight(1000)).call(
                "big",
                move |_, (bytes,): (usize,)| async move {
                    if !at_once {
                        tokio::time::sleep(Duration::from_secs(1)).await;
                    }
                    Ok::<_, Status>("x".repeat(bytes))
                },
            );
            let (server, client) = support::pair(router, Router::new());
            settle().await;
            let calls = (0..300).map(|_| client.call::<_, String>("big", (20_000,)).into_future());
            for answer in ends("a call", futures::future::join_all(calls)).await {
                assert_eq!(answer.unwrap().len(), 20_000);
            }
            assert_eq!(server.stats().refused, 0);
        });
    }
}

#[test]
fn a_transport_that_is_lost_with_much_to_read_and_much_to_send_ends_its_calls() {
    paused(async {
        let guards = Guards::default();
        let (peer, mut wire) = by_bytes(sleeping(&guards));
        wire.say(r#"{"hello":{"window":[4294967295,4294967295]}}"#).await.unwrap();
        wire.say(r#"{"id":1,"method":"bigs","params":[1000,10000]}"#).await.unwrap();
        wire.say(r#"{"id":3,"method":"sleep"}"#).await.unwrap();
        settle().await;
        assert_eq!(guards.now(), 1);
        for _ in 0..1000 {
            wire.say("{}").await.unwrap();
        }
        drop(wire);
        ends("the connection", peer.closed()).await;
        settle().await;
        assert_eq!((guards.now(), peer.stats().served_in_flight), (0, 0));
    });
}

#[test]
fn streams_of_long_items_hold_three_for_a_client_that_never_reads() {
    const ITEM: usize = MIB - 64;
    paused(async {
        let router = Router::new()
            .options(in_json().deadline(None))
            .stream("bigs", |_, _: [(); 0]| stream::repeat_with(|| Ok::<_, Status>("x".repeat(ITEM))));
        let (peer, mut wire) = by_bytes(router);
        wire.say(r#"{"hello":{"window":[4294967295,4294967295]}}"#).await.unwrap();
        settle().await;
        HEAP.reset_peak_usage();
        let before = HEAP.current_usage();
        for n in 0..64 {
            wire.say(&format!(r#"{{"id":{},"method":"bigs"}}"#, 2 * n + 1)).await.unwrap();
        }
        // Before it is closed for taking nothing.
        tokio::time::sleep(Duration::from_secs(5)).await;
        let (kept, peak) = (HEAP.current_usage() - before, HEAP.peak_usage() - before);
        assert_eq!(peer.stats().streams_in_flight, 64);
        // One is leaving, one is in the lane, which has room for less, and one has its turn and waits for room.
        assert!(kept < 3 * MIB + 256 * KIB, "{kept} bytes");
        // An item is made and then encoded, into a buffer that grows by doubling.
        assert!(peak < 3 * MIB + 256 * KIB + 3 * MIB, "{peak} bytes at most");
    });
}
