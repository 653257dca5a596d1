//! Streams: what credit lets through, what it stops, and what a sender without credit gets. The other end speaks by
//! hand, and its frames are counted.
#![allow(clippy::unwrap_used)]

#[path = "support/rpc.rs"]
mod support;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use converse::{
    frame::Role,
    rpc::{self, Code, Emitter, Method, Options, Router, Status, Streaming},
};
use futures::{FutureExt, StreamExt, TryStreamExt, stream};
use support::{BUFFER, calling, ends, greeted, in_json, patient, protocols, served, settle};
use tokio::{io::duplex, sync::Notify};

fn counting() -> Router {
    Router::new()
        .options(in_json().deadline(None))
        .stream("count", |_, _: [(); 0]| stream::iter((0u32..).map(Ok::<_, Status>)))
        .call("add", |_, (a, b): (i64, i64)| async move { Ok::<_, Status>(a + b) })
}

#[tokio::test(start_paused = true)]
async fn a_stream_stops_at_the_window_and_goes_on_by_as_much_as_it_is_given() {
    for window in [0, 1, 5, 32] {
        let (peer, mut raw) = served(counting());
        raw.say(format!(r#"{{"hello":{{"window":[{window},65536]}}}}"#)).await;
        raw.frame().await;
        raw.say(r#"{"id":1,"method":"count"}"#).await;
        let item = |n: usize| format!(r#"{{"id":1,"item":{n}}}"#);
        assert!(raw.rest().await.into_iter().eq((0..window).map(item)));
        assert_eq!(peer.stats().credit_stalls, 1);
        raw.say(r#"{"id":1,"credit":[3,99]}"#).await;
        assert!(raw.rest().await.into_iter().eq((window..window + 3).map(item)));
        raw.say("{\"id\":1,\"credit\":[1,9]}\n{\"id\":1,\"credit\":[0,0]}\n{\"id\":1,\"credit\":[1,9]}")
            .await;
        assert!(raw.rest().await.into_iter().eq((window + 3..window + 5).map(item)));
        assert_eq!(peer.stats().credit_stalls, 3);
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_names_no_window_has_one_of_32() {
    let (_peer, mut raw) = greeted(counting()).await;
    raw.say(r#"{"id":1,"method":"count"}"#).await;
    assert_eq!(raw.rest().await.len(), 32);
}

#[tokio::test(start_paused = true)]
async fn a_stalled_stream_holds_up_neither_other_streams_nor_calls() {
    let (peer, mut raw) = greeted(counting()).await;
    raw.say(r#"{"id":1,"method":"count"}"#).await;
    assert_eq!(raw.rest().await.len(), 32);
    raw.say(r#"{"id":3,"method":"count"}"#).await;
    assert_eq!(raw.rest().await.len(), 32);
    for n in 0..100 {
        raw.say(r#"{"id":3,"credit":[16,999]}"#).await;
        assert_eq!(raw.frames(16).await[15], format!(r#"{{"id":3,"item":{}}}"#, 32 + 16 * n + 15));
        raw.say(format!(r#"{{"id":5,"method":"add","params":[{n},1]}}"#)).await;
        assert_eq!(raw.frame().await, format!(r#"{{"id":5,"result":{}}}"#, n + 1));
    }
    assert_eq!((peer.stats().streams_in_flight, peer.stats().served), (2, 100));
    raw.say("{\"cancel\":1}\n{\"cancel\":3}").await;
    assert_eq!(raw.rest().await.len(), 2);
    assert_eq!(peer.stats().streams_in_flight, 0);
}

#[tokio::test(start_paused = true)]
async fn a_stream_is_not_asked_for_items_it_may_not_send() {
    for (window, more, asked) in
        [("[3,65536]", "[2,1]", [3, 5]), ("[32,1]", "[0,17]", [1, 2]), ("[0,9]", "[9,0]", [0, 1])]
    {
        let pulled = Arc::<AtomicUsize>::default();
        let pulls = Arc::clone(&pulled);
        let router = Router::new().options(in_json()).stream("count", move |_, _: [(); 0]| {
            let pulls = Arc::clone(&pulls);
            stream::repeat(0).map(move |_| Ok::<_, Status>(pulls.fetch_add(1, SeqCst) % 10))
        });
        let (_peer, mut raw) = served(router);
        raw.say(format!(r#"{{"hello":{{"window":{window}}}}}"#)).await;
        raw.frame().await;
        raw.say(r#"{"id":1,"method":"count"}"#).await;
        assert_eq!((raw.rest().await.len(), pulled.load(SeqCst)), (asked[0], asked[0]));
        raw.say(format!(r#"{{"id":1,"credit":{more}}}"#)).await;
        raw.rest().await;
        assert_eq!(pulled.load(SeqCst), asked[1], "{window} {more}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_has_nothing_ready_holds_up_no_other() {
    let ready = Arc::new(Notify::new());
    let tells = Arc::clone(&ready);
    let router = counting().stream("later", move |_, _: [(); 0]| {
        let ready = Arc::clone(&tells);
        stream::once(async move {
            ready.notified().await;
            Ok::<_, Status>("now")
        })
    });
    let (_peer, mut raw) = greeted(router).await;
    raw.say("{\"id\":1,\"method\":\"later\"}\n{\"id\":3,\"method\":\"count\"}").await;
    assert_eq!(raw.rest().await.len(), 32);
    ready.notify_waiters();
    assert_eq!(raw.rest().await, [r#"{"id":1,"item":"now"}"#, r#"{"id":1,"result":null}"#]);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_dropped_in_its_turn_lets_the_next_go_on() {
    let router = Router::new()
        .options(in_json().deadline(None))
        .stream("bigs", |_, _: [(); 0]| stream::iter(0..20).map(|_| Ok::<_, Status>("x".repeat(40_000))));
    for survivor in [1, 3, 5] {
        let (peer, mut raw) = served(router.clone());
        raw.say(r#"{"hello":{"window":[4294967295,4294967295]}}"#).await;
        raw.frame().await;
        for id in [1, 3, 5] {
            raw.say(format!(r#"{{"id":{id},"method":"bigs"}}"#)).await;
        }
        settle().await;
        // One of them waits for room, the others for their turn.
        assert_eq!(peer.stats().streams_in_flight, 3);
        for id in [1, 3, 5].into_iter().filter(|id| *id != survivor) {
            raw.say(format!(r#"{{"cancel":{id}}}"#)).await;
        }
        let frames = raw.rest().await;
        let of_survivor =
            frames.iter().filter(|frame| frame.starts_with(&format!(r#"{{"id":{survivor},"item""#)));
        assert_eq!(of_survivor.count(), 20);
        assert!(frames.contains(&format!(r#"{{"id":{survivor},"result":null}}"#)));
        assert_eq!(peer.stats().streams_in_flight, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_itself_sends_on_others_holds_up_neither() {
    let (echo, gate) = (Arc::new(tokio::sync::Mutex::new(None)), Arc::new(Notify::new()));
    let (lent, ends_echo) = (Arc::clone(&echo), Arc::clone(&gate));
    let listen = Method::server_stream("listen", move |_, _: [(); 0], items: Emitter<String>| {
        let (echo, gate) = (Arc::clone(&lent), Arc::clone(&ends_echo));
        async move {
            *echo.lock().await = Some(items);
            gate.notified().await;
            Ok(())
        }
    });
    let router = counting().method(listen).stream("tell", move |_, _: [(); 0]| {
        let (echo, gate) = (Arc::clone(&echo), Arc::clone(&gate));
        stream::iter(0..50).then(move |n| {
            let (echo, gate) = (Arc::clone(&echo), Arc::clone(&gate));
            async move {
                let text = "x".repeat(20_000);
                echo.lock().await.as_mut().unwrap().send(&text).await?;
                if n == 49 {
                    gate.notify_waiters();
                }
                Ok::<_, Status>(text)
            }
        })
    });
    let (_server, client) = support::pair(router, Router::new());
    let listen = client.open::<_, String>("listen", [(); 0]).await.unwrap();
    let tells = client.open::<_, String>("tell", [(); 0]).await.unwrap();
    let counts = client.open::<_, u32>("count", [(); 0]).await.unwrap().take(1000);
    let all = async { tokio::join!(listen.count(), tells.count(), counts.count()) };
    assert_eq!(ends("the streams", all).await, (50, 50, 1000));
}

#[tokio::test(start_paused = true)]
async fn an_answer_passes_the_items_that_wait() {
    // Items that are ready in the same turn stand behind the answers of it.
    let router = counting()
        .stream("big", |_, _: [(); 0]| stream::iter(0..8).map(|_| Ok::<_, Status>("x".repeat(4 * 1024))));
    let (_peer, mut raw) = greeted(router).await;
    raw.say("{\"id\":1,\"method\":\"big\"}\n{\"id\":3,\"method\":\"add\",\"params\":[1,2]}").await;
    assert_eq!(raw.frame().await, r#"{"id":3,"result":3}"#);
    assert_eq!(raw.rest().await.len(), 9);
}

#[tokio::test(start_paused = true)]
async fn a_receiver_gives_credit_back_in_halves_of_its_window() {
    for (window, half) in [(1u32, 1), (2, 1), (5, 3), (32, 16), (33, 17)] {
        let (client, mut raw) = calling(Router::new().options(in_json().window(window))).await;
        let mut items = client.open::<_, u32>("s", [(); 0]).await.unwrap();
        raw.frame().await;
        let mut given = window;
        let mut bytes = 0;
        for taken in 1..=4 * window {
            if given > 0 {
                let burst: Vec<_> = (0..given).map(|n| format!(r#"{{"id":1,"item":{n}}}"#)).collect();
                raw.say(burst.join("\n")).await;
                given = 0;
            }
            bytes += format!(r#"{{"id":1,"item":{}}}"#, items.next().await.unwrap().unwrap()).len();
            let frames = raw.rest().await;
            if taken % half == 0 {
                assert_eq!(frames, [format!(r#"{{"id":1,"credit":[{half},{bytes}]}}"#)], "window {window}");
                (given, bytes) = (given + half, 0);
            } else {
                assert!(frames.is_empty(), "window {window}: {frames:?}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_handler_gives_credit_back_in_halves_and_none_for_what_has_ended() {
    let router = Router::new().client_stream("sum", |_, _: [(); 0], mut items: Streaming<u32>| async move {
        let mut sum = 0;
        while let Some(item) = items.next().await {
            sum += item?;
        }
        Ok::<_, Status>(sum)
    });
    let (_peer, mut raw) = greeted(router).await;
    raw.say(r#"{"id":1,"method":"sum"}"#).await;
    let mut sent = 0;
    let mut credit = 32;
    for _ in 0..10 {
        let burst = vec![r#"{"id":1,"item":1}"#; credit];
        raw.say(burst.join("\n")).await;
        sent += credit;
        credit = 0;
        for frame in raw.rest().await {
            assert_eq!(frame, r#"{"id":1,"credit":[16,272]}"#);
            credit += 16;
        }
    }
    assert!(credit > 0);
    let mut last = vec![r#"{"id":1,"item":1}"#; credit];
    last.push(r#"{"id":1,"end":true}"#);
    raw.say(last.join("\n")).await;
    assert_eq!(raw.rest().await, [format!(r#"{{"id":1,"result":{}}}"#, sent + credit)]);
}

/// A frame of 100 bytes.
fn hundred() -> String {
    let frame = format!(r#"{{"id":1,"item":"{}"}}"#, "x".repeat(82));
    assert_eq!(frame.len(), 100);
    frame
}

#[tokio::test(start_paused = true)]
async fn a_stream_stops_when_its_bytes_are_used() {
    let router = Router::new()
        .options(in_json().deadline(None))
        .stream("texts", |_, _: [(); 0]| stream::repeat("x".repeat(82)).map(Ok::<_, Status>));
    for (bytes, items) in [(0, 0), (1, 1), (100, 1), (101, 2), (250, 3)] {
        let (peer, mut raw) = served(router.clone());
        raw.say(format!(r#"{{"hello":{{"window":[32,{bytes}]}}}}"#)).await;
        raw.frame().await;
        raw.say(r#"{"id":1,"method":"texts"}"#).await;
        assert_eq!(raw.rest().await, vec![hundred(); items]);
        assert_eq!(peer.stats().credit_stalls, 1);
        // What the last item was too long by comes back first.
        let owed = items * 100 - bytes;
        raw.say(format!(r#"{{"id":1,"credit":[0,{owed}]}}"#)).await;
        assert!(raw.rest().await.is_empty(), "{bytes} bytes");
        raw.say(r#"{"id":1,"credit":[0,1]}"#).await;
        assert_eq!(raw.rest().await, [hundred()]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_receiver_gives_credit_back_when_half_of_its_bytes_are_taken() {
    for (bytes, items) in [(1u32, 1), (200, 1), (201, 2), (1000, 5), (1001, 6)] {
        let (client, mut raw) = calling(Router::new().options(in_json().window_bytes(bytes))).await;
        let mut stream = client.open::<_, String>("s", [(); 0]).await.unwrap();
        raw.frame().await;
        let mut allowed = i64::from(bytes);
        let mut taken = 0;
        for _ in 0..30 {
            if allowed > 0 {
                raw.say(hundred()).await;
                allowed -= 100;
            }
            stream.next().await.unwrap().unwrap();
            taken += 1;
            let frames = raw.rest().await;
            if taken == items {
                assert_eq!(frames, [format!(r#"{{"id":1,"credit":[{items},{}]}}"#, items * 100)]);
                (allowed, taken) = (allowed + items * 100, 0);
            } else {
                assert!(frames.is_empty(), "{bytes} bytes: {frames:?}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_sender_that_sends_more_bytes_than_its_credit_loses_the_call_and_not_the_connection() {
    let (client, mut raw) = calling(Router::new().options(in_json().window_bytes(250))).await;
    let mut items = client.open::<_, String>("s", [(); 0]).await.unwrap();
    raw.frame().await;
    raw.say([hundred(), hundred(), hundred()].join("\n")).await;
    assert!(raw.rest().await.is_empty());
    raw.say(hundred()).await;
    assert_eq!(raw.rest().await, [r#"{"cancel":1}"#]);
    for _ in 0..3 {
        assert!(items.next().await.unwrap().is_ok());
    }
    assert_eq!(items.next().await.unwrap().unwrap_err().code(), Code::RESOURCE_EXHAUSTED);
    assert!(items.next().await.is_none());

    let router = Router::new().options(in_json().window_bytes(250)).client_stream(
        "count",
        |_, _: [(); 0], items: Streaming<String>| async move {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Ok::<_, Status>(items.try_collect::<Vec<_>>().await?.len())
        },
    );
    let (_peer, mut raw) = greeted(router).await;
    raw.say(r#"{"id":1,"method":"count"}"#).await;
    raw.say(vec![hundred(); 4].join("\n")).await;
    let frame = raw.frame().await;
    assert!(frame.starts_with(r#"{"id":1,"error":{"code":-32008,"#), "{frame}");
    raw.is_alive().await;
}

#[tokio::test(start_paused = true)]
async fn an_item_longer_than_the_window_passes_in_every_protocol() {
    for protocol in protocols() {
        let options = Options::default().protocols([protocol]).window_bytes(1);
        let router = Router::new()
            .options(options.clone())
            .bidi_stream("echo", |_, _: [(); 0], items: Streaming<String>| {
                items.map(|item| item.map_err(Status::from))
            });
        let (_server, client) = rpc::duplex_with(router, Router::new().options(options));
        let texts = stream::iter((0..5).map(|_| "x".repeat(100_000)));
        let echoed = client.open::<_, String>("echo", [(); 0]).sending(texts).await.unwrap();
        let echoed: Vec<_> = ends("the stream", echoed.try_collect()).await.unwrap();
        assert_eq!(echoed, vec!["x".repeat(100_000); 5]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_callee_that_sends_more_than_its_credit_loses_the_call_and_not_the_connection() {
    let (client, mut raw) = calling(Router::new().options(in_json().window(4))).await;
    let mut items = client.open::<_, u32>("s", [(); 0]).await.unwrap();
    raw.frame().await;
    let burst: Vec<_> = (0..5).map(|n| format!(r#"{{"id":1,"item":{n}}}"#)).collect();
    raw.say(burst.join("\n")).await;
    assert_eq!(raw.rest().await, [r#"{"cancel":1}"#]);
    for n in 0..4 {
        assert_eq!(items.next().await.unwrap().unwrap(), n);
    }
    let end = items.next().await.unwrap().unwrap_err();
    assert_eq!(end.code(), Code::RESOURCE_EXHAUSTED);
    assert!(items.next().await.is_none());
    // What still comes for it is nobody's.
    raw.say("{\"id\":1,\"item\":9}\n{\"id\":1,\"result\":null}").await;
    let call = tokio::spawn(client.call::<_, u32>("m", [(); 0]).into_future());
    assert_eq!(raw.rest().await, [r#"{"id":3,"method":"m","params":[]}"#]);
    raw.say(r#"{"id":3,"result":7}"#).await;
    assert_eq!(call.await.unwrap().unwrap(), 7);
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_sends_more_than_its_credit_loses_the_call_and_not_the_connection() {
    let gate = Arc::new(Notify::new());
    let opens = Arc::clone(&gate);
    let taken = Arc::<AtomicUsize>::default();
    let takes = Arc::clone(&taken);
    let router = Router::new().options(in_json().window(4)).client_stream(
        "sum",
        move |_, _: [(); 0], mut items: Streaming<u32>| {
            let (gate, takes) = (Arc::clone(&gate), Arc::clone(&takes));
            async move {
                gate.notified().await;
                while let Some(item) = items.next().await {
                    item?;
                    takes.fetch_add(1, SeqCst);
                }
                Ok::<_, Status>(())
            }
        },
    );
    let (peer, mut raw) = greeted(router).await;
    raw.say(r#"{"id":1,"method":"sum"}"#).await;
    raw.say([r#"{"id":1,"item":1}"#; 5].join("\n")).await;
    // What is beyond the credit is not even kept.
    raw.say(vec![r#"{"id":1,"item":1}"#; 5000].join("\n")).await;
    settle().await;
    opens.notify_waiters();
    let frame = raw.frame().await;
    assert!(frame.starts_with(r#"{"id":1,"error":{"code":-32008,"#), "{frame}");
    assert_eq!(taken.load(SeqCst), 4);
    raw.is_alive().await;
    assert_eq!(peer.stats().served_in_flight, 0);
}

#[tokio::test(start_paused = true)]
async fn an_item_that_does_not_decode_is_told_to_the_handler() {
    let router = Router::new().client_stream("sum", |_, _: [(); 0], mut items: Streaming<u32>| async move {
        let first = items.next().await.unwrap();
        assert!(matches!(first, Ok(1)));
        let second = items.next().await.unwrap();
        // Whoever gives it on with `?` says whose fault it is.
        assert_eq!(second.unwrap_err().code(), Code::INVALID_ARGUMENT);
        assert!(items.next().await.is_none());
        Ok::<_, Status>("seen")
    });
    let (_peer, mut raw) = greeted(router).await;
    raw.say(r#"{"id":1,"method":"sum"}"#).await;
    raw.say("{\"id\":1,\"item\":1}\n{\"id\":1,\"item\":\"two\"}\n{\"id\":1,\"item\":3}").await;
    assert_eq!(raw.frame().await, r#"{"id":1,"result":"seen"}"#);
    raw.is_alive().await;
}

#[tokio::test(start_paused = true)]
async fn a_callers_item_that_does_not_fit_is_the_callers_fault() {
    let router = Router::new().options(in_json()).client_stream(
        "sum",
        |_, _: [(); 0], terms: Streaming<i64>| async move {
            let terms: Vec<i64> = terms.try_collect().await?;
            Ok::<i64, Status>(terms.iter().sum())
        },
    );
    let (_peer, mut raw) = greeted(router).await;
    raw.say("{\"id\":1,\"method\":\"sum\"}\n{\"id\":1,\"item\":1}\n{\"id\":1,\"item\":\"two\"}").await;
    let refused = raw.frame().await;
    assert!(
        refused.starts_with(r#"{"id":1,"error":{"code":-32602,"message":"an item does not fit: "#),
        "{refused}"
    );
    raw.say("{\"id\":1,\"item\":3}\n{\"id\":1,\"end\":true}").await;
    assert!(raw.rest().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn hostile_credit_does_no_harm() {
    let polled = Arc::<AtomicUsize>::default();
    let polls = Arc::clone(&polled);
    let router = counting().stream("few", move |_, (n,): (u32,)| {
        let polls = Arc::clone(&polls);
        stream::iter(0..n).map(move |n| {
            polls.fetch_add(1, SeqCst);
            Ok::<_, Status>(n)
        })
    });
    let (_peer, mut raw) = served(router);
    raw.say(r#"{"hello":{"window":[4294967295,4294967295]}}"#).await;
    raw.frame().await;
    raw.say(r#"{"id":1,"method":"few","params":[100]}"#).await;
    for _ in 0..10 {
        raw.say(
            "{\"id\":1,\"credit\":[4294967295,4294967295]}\n{\"id\":3,\"credit\":[4294967295,4294967295]}",
        )
        .await;
    }
    assert_eq!(raw.rest().await.len(), 101);
    assert_eq!(polled.load(SeqCst), 100);
    raw.is_alive().await;
    // Credit that is no number of items is no frame.
    raw.say(r#"{"id":1,"credit":[1,-1]}"#).await;
    assert_eq!(raw.closed().await.0, 4400);
}

#[tokio::test(start_paused = true)]
async fn endless_credit_does_not_let_a_stream_fill_the_memory() {
    // The client gives all credit there is, and then does not read.
    let polled = Arc::<AtomicUsize>::default();
    let polls = Arc::clone(&polled);
    let router = Router::new().options(in_json()).stream("bulk", move |_, _: [(); 0]| {
        let polls = Arc::clone(&polls);
        stream::iter(0..).map(move |_: u32| {
            polls.fetch_add(1, SeqCst);
            Ok::<_, Status>("x".repeat(1024))
        })
    });
    let (here, there) = duplex(BUFFER);
    let peer = rpc::over(here, Role::Server, &support::json(), &patient(), router);
    let mut wire = there;
    let say = |text: &str| {
        let mut frame = vec![0x81, 0x80 | u8::try_from(text.len()).unwrap(), 0, 0, 0, 0];
        frame.extend_from_slice(text.as_bytes());
        frame
    };
    use tokio::io::AsyncWriteExt;
    wire.write_all(&say(r#"{"hello":{"window":[4294967295,4294967295]}}"#)).await.unwrap();
    wire.write_all(&say(r#"{"id":1,"method":"bulk"}"#)).await.unwrap();
    tokio::time::sleep(Duration::from_secs(60)).await;
    let kept = peer.stats().queued_bytes;
    assert!(kept <= 128 * 1024, "{kept} bytes wait");
    assert!(polled.load(SeqCst) <= (BUFFER + 160 * 1024) / 1024, "{} items", polled.load(SeqCst));
    assert!(peer.closed().now_or_never().is_none(), "a stream that waits is no reason to close");
}

#[tokio::test(start_paused = true)]
async fn the_half_close_ends_the_callers_stream_only() {
    let router = Router::new().bidi_stream("echo", |_, _: [(); 0], items: Streaming<u32>| {
        items.map(|item| item.map_err(Status::from)).chain(stream::once(async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Ok(99)
        }))
    });
    let (_peer, mut raw) = greeted(router).await;
    raw.say("{\"id\":1,\"method\":\"echo\"}\n{\"id\":1,\"item\":1}\n{\"id\":1,\"end\":true}").await;
    // What follows the half close is ignored.
    raw.say("{\"id\":1,\"item\":2}\n{\"id\":1,\"end\":true}").await;
    assert_eq!(raw.frames(2).await, [r#"{"id":1,"item":1}"#, r#"{"id":1,"item":99}"#]);
    assert_eq!(raw.frame().await, r#"{"id":1,"result":null}"#);
    raw.is_alive().await;
}

#[tokio::test(start_paused = true)]
async fn a_request_stream_stops_without_credit_in_every_protocol() {
    for protocol in protocols() {
        // JSON-RPC has no hello to say another window than the one that is always meant.
        let window = if protocol.token() == "jsonrpc" { 32 } else { 8 };
        let (pulled, gate) = (Arc::<AtomicUsize>::default(), Arc::new(Notify::new()));
        let opens = Arc::clone(&gate);
        let options = Options::default().protocols([protocol]).window(8).deadline(None);
        let router = Router::new().options(options).client_stream(
            "sum",
            move |_, _: [(); 0], items: Streaming<u32>| {
                let gate = Arc::clone(&gate);
                async move {
                    gate.notified().await;
                    Ok::<_, Status>(items.count().await)
                }
            },
        );
        let (server, client) =
            rpc::duplex_with(router, Router::new().options(Options::default().deadline(None)));
        settle().await;
        let pulls = Arc::clone(&pulled);
        let items = stream::iter(0..1000u32).inspect(move |_| {
            pulls.fetch_add(1, SeqCst);
        });
        let call = tokio::spawn(client.call::<_, usize>("sum", [(); 0]).sending(items).into_future());
        settle().await;
        // The stream is not asked for what may not be sent.
        assert_eq!(pulled.load(SeqCst), window);
        assert_eq!(client.stats().credit_stalls, 1);
        opens.notify_waiters();
        assert_eq!(ends("the call", call).await.unwrap().unwrap(), 1000);
        assert_eq!(server.stats().streams_in_flight + client.stats().streams_in_flight, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_may_be_opened_and_not_read() {
    // 64 streams that nobody takes from, and the connection works as before.
    let (_server, client) = rpc::duplex_with(counting().options(in_json().in_flight(100)), Router::new());
    let mut streams = Vec::new();
    for _ in 0..64 {
        streams.push(client.open::<_, u32>("count", [(); 0]).await.unwrap());
    }
    assert_eq!(client.call::<_, i64>("add", (1, 2)).await.unwrap(), 3);
    let mut refused = client.open::<_, u32>("count", [(); 0]).await.unwrap();
    let refused = refused.next().await.unwrap().unwrap_err();
    assert_eq!(refused.code(), Code::RESOURCE_EXHAUSTED);
    for (n, stream) in streams.iter_mut().enumerate() {
        for item in 0..n as u32 * 3 {
            assert_eq!(stream.next().await.unwrap().unwrap(), item);
        }
    }
    drop(streams);
    settle().await;
    assert_eq!(client.stats().streams_in_flight, 0);
    let mut again = client.open::<_, u32>("count", [(); 0]).await.unwrap();
    assert_eq!(again.next().await.unwrap().unwrap(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_is_sent_before_the_hello_waits_for_the_callees_window() {
    let router = Router::new().options(in_json().window(3).deadline(None)).client_stream(
        "sum",
        |_, _: [(); 0], mut items: Streaming<u32>| async move {
            let mut sum = 0;
            while let Some(item) = items.next().await {
                sum += item?;
            }
            Ok::<_, Status>(sum)
        },
    );
    // The call is made in the very moment in which the connection is.
    let (_server, client) = support::pair(router, Router::new());
    let call = client.call::<_, u32>("sum", [(); 0]).sending(stream::iter(vec![1u32; 100]));
    assert_eq!(ends("the call", call.into_future()).await.unwrap(), 100);

    let (here, there) = duplex(BUFFER);
    let client = rpc::over(there, Role::Client, &support::json(), &patient(), Router::new());
    let mut raw = support::Raw::new(converse::Session::over(here, Role::Server, &patient()));
    let call = client.call::<_, u32>("sum", [(); 0]).sending(stream::iter(vec![1u32; 100]));
    let call = tokio::spawn(call.into_future());
    let frames = raw.rest().await;
    assert_eq!(frames.len(), 2, "{frames:?}");
    raw.say(r#"{"hello":{"window":[2,99]}}"#).await;
    assert_eq!(raw.rest().await, [r#"{"id":1,"item":1}"#; 2]);
    call.abort();
}
