//! Conversations whose memory is used up: calls are refused and others go on; nobody is closed for it.
#![allow(clippy::unwrap_used)]

#[path = "support/rpc.rs"]
mod support;

use std::{
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use converse::{
    MessagePackConverter, Server, Session, SessionOptions,
    rpc::{self, CallError, Code, Options, Protocol, Router, Status, Streaming},
};
use futures::{future::join_all, stream};
use tokio::io::duplex;

const KIB: usize = 1024;

fn router() -> Router {
    Router::new()
        .options(Options::default().deadline(None))
        .call("hold", |_, (bytes,): (Vec<u8>,)| async move {
            pending::<()>().await;
            drop(bytes);
            Ok::<_, Status>(())
        })
        .call("len", |_, (bytes,): (Vec<u8>,)| async move { Ok::<_, Status>(bytes.len()) })
        .call("none", |_, _: [(); 0]| async { Ok::<_, Status>(()) })
        .client_stream("slowly", |_, (): (), mut items: Streaming<Vec<u8>>| async move {
            let mut count = 0;
            while let Some(item) = items.next().await {
                item?;
                count += 1;
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            Ok::<usize, Status>(count)
        })
}

fn pair(protocol: &Protocol, memory: usize) -> rpc::Peer {
    let options = SessionOptions::default();
    let client = Router::new().options(Options::default().deadline(None));
    support::pair_in(protocol, [&options.clone().memory(memory), &options], router(), client).1
}

/// What is left in the end is less than a method's name.
#[tokio::test(start_paused = true)]
async fn a_call_for_which_no_memory_is_left_is_refused_and_the_conversation_goes_on() {
    for protocol in support::protocols() {
        let peer = pair(&protocol, 256 * KIB);
        let mut held = Vec::new();
        for len in [150 * KIB, 60 * KIB, 20 * KIB, 10 * KIB, 4 * KIB, KIB, 400, 200, 100, 70] {
            for _ in 0..3 {
                held.push(tokio::spawn(peer.call::<_, ()>("hold", (vec![7; len],)).into_future()));
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
        peer.call::<_, ()>("none", [(); 0]).await.unwrap();
        let refused = peer.call::<_, ()>("hold", (vec![7; 150 * KIB],)).await.unwrap_err();
        assert_eq!(refused.code(), Code::RESOURCE_EXHAUSTED, "{protocol:?}: {refused}");
        let waiting = held.iter().filter(|call| !call.is_finished()).count();
        assert!(waiting > 0 && waiting < held.len(), "{waiting} of {} calls are held", held.len());
        held.iter().for_each(tokio::task::JoinHandle::abort);
        tokio::time::sleep(Duration::from_millis(1)).await;
        assert_eq!(peer.call::<_, usize>("len", (vec![7; 100 * KIB],)).await.unwrap(), 100 * KIB);
    }
}

#[tokio::test(start_paused = true)]
async fn honest_streams_within_their_credit_wait_for_memory_and_are_not_ended() {
    for protocol in support::native() {
        let peer = pair(&protocol, 256 * KIB);
        let uploads = (0..16).map(|_| {
            let items = stream::iter((0..4).map(|_| vec![7; 30 * KIB]));
            peer.call::<_, usize>("slowly", ()).sending(items).into_future()
        });
        for count in join_all(uploads).await {
            assert_eq!(count.unwrap(), 4, "{protocol:?}");
        }
    }
}

/// An honest item of more memory than there is for values costs its stream, and nothing of it is read as a frame.
#[tokio::test(start_paused = true)]
async fn an_item_that_never_finds_memory_ends_its_stream_only() {
    for protocol in support::protocols() {
        let router = || {
            let count = |_, _: [(); 0], mut items: Streaming<Vec<u64>>| async move {
                let mut count = 0;
                while let Some(item) = items.next().await {
                    count += item?.len();
                }
                Ok::<usize, Status>(count)
            };
            let options = Options::default().protocols([protocol.clone()]).deadline(None);
            Router::new().options(options).client_stream("count", count)
        };
        let session = support::patient();
        let (_server, peer) = support::pair_in(&protocol, [&session, &session], router(), router());
        let items = || stream::iter([vec![1_u64; 400 * KIB]]);
        let refused = peer.call::<_, usize>("count", [(); 0]).sending(items()).await.unwrap_err();
        assert_eq!(refused.code(), Code::RESOURCE_EXHAUSTED, "{protocol:?}: {refused}");
        let small = stream::iter([vec![1_u64; 1000]]);
        assert_eq!(peer.call::<_, usize>("count", [(); 0]).sending(small).await.unwrap(), 1000);
    }
}

#[tokio::test(start_paused = true)]
async fn a_value_that_finds_no_memory_becomes_no_call() {
    let called = Arc::new(AtomicUsize::new(0));
    let calls = Arc::clone(&called);
    let server = Router::new()
        .options(support::in_json().deadline(None))
        .client_stream("store", |_, _: [(); 0], mut items: Streaming<serde_json::Value>| async move {
            let mut count = 0;
            while let Some(item) = items.next().await {
                item?;
                count += 1;
            }
            Ok::<usize, Status>(count)
        })
        .call("danger", move |_, _: [(); 0]| {
            calls.fetch_add(1, SeqCst);
            async move { Ok::<_, Status>(()) }
        });
    let (_server, client) = support::pair(server, Router::new().options(support::in_json().deadline(None)));
    // Somebody else's data, which an honest client passes on.
    let data = serde_json::json!({ "id": 77, "method": "danger", "x": vec![(); 180_000] });
    let refused = client.call::<_, usize>("store", [(); 0]).sending(stream::iter([data])).await.unwrap_err();
    assert_eq!((refused.code(), called.load(SeqCst)), (Code::RESOURCE_EXHAUSTED, 0));
}

/// Handlers go on while an item waits for memory, but not without bound: their answers wait for a peer that reads little.
#[tokio::test(start_paused = true)]
async fn answers_that_are_made_while_items_find_no_memory_are_bounded() {
    const ANSWER: usize = 15 * KIB;
    const CALLS: usize = 56;
    let made = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&made);
    let router = Router::new()
        .options(support::in_json().deadline(None))
        .client_stream("hold", |_, _: [(); 0], items: Streaming<String>| async move {
            pending::<()>().await;
            drop(items);
            Ok::<usize, Status>(0)
        })
        .call("answer", move |_, _: [(); 0]| {
            count.fetch_add(1, SeqCst);
            async move { Ok::<_, Status>("x".repeat(ANSWER)) }
        });
    let (here, there) = duplex(support::BUFFER);
    let options = SessionOptions::default().memory(256 * KIB).ping_interval(None);
    let _peer = rpc::over(here, converse::frame::Role::Server, &support::json(), &options, router);
    let mut raw = support::Raw::new(Session::over(there, converse::frame::Role::Client, &support::patient()));
    raw.say(r#"{"hello":{}}"#).await;
    raw.frame().await;
    let item = "y".repeat(60 * KIB);
    let (mut id, mut received, mut most) = (1, 0, 0);
    let mut next = || {
        id += 2;
        id
    };
    for round in 0..12 {
        // A stream whose item finds no memory from the fifth on, and calls in front of it.
        let stream = next();
        let mut frames = vec![format!(r#"{{"id":{stream},"method":"hold"}}"#)];
        if round >= 4 {
            frames.extend((0..CALLS).map(|_| format!(r#"{{"id":{},"method":"answer"}}"#, next())));
        }
        frames.push(format!(r#"{{"id":{stream},"item":"{item}"}}"#));
        raw.say(frames.join("\n")).await;
        for _ in 0..8 {
            tokio::time::sleep(Duration::from_millis(1300)).await;
            let read = tokio::time::timeout(Duration::from_millis(1), raw.session.receive());
            if let Ok(Ok(Some(message))) = read.await {
                received += message.as_text().unwrap().matches(r#""ok""#).count();
            }
            most = most.max(made.load(SeqCst).saturating_sub(received));
        }
    }
    // Four times what may wait, what the session holds, and one more of each handler that runs.
    let bound = (5 * 256 * KIB) / ANSWER + 64;
    assert!(most <= bound, "{most} answers wait, of {bound}");
}

/// Each end's handlers are what gives the other's items room.
#[tokio::test(start_paused = true)]
async fn two_ends_that_upload_long_items_to_each_other_do_not_wait_for_each_other() {
    const LEN: usize = 360 * KIB;
    for (streams, memory) in [(4, 640 * KIB), (6, 640 * KIB), (16, 4096 * KIB)] {
        let protocol = Protocol::converse(MessagePackConverter::default());
        let sum = |_, _: [(); 0], mut items: Streaming<Vec<u8>>| async move {
            let mut sum = 0;
            while let Some(item) = items.next().await {
                sum += item?.len();
            }
            Ok::<usize, Status>(sum)
        };
        let options = Options::default().protocols([protocol.clone()]).deadline(None);
        let router = || Router::new().options(options.clone()).client_stream("sum", sum);
        let session = support::patient().memory(memory);
        let (server, client) = support::pair_in(&protocol, [&session, &session], router(), router());
        let upload = |peer: &rpc::Peer| {
            let items = stream::iter((0..4).map(|_| vec![1_u8; LEN]));
            tokio::spawn(peer.call::<_, usize>("sum", [(); 0]).sending(items).into_future())
        };
        let calls: Vec<_> = (0..streams).flat_map(|_| [upload(&server), upload(&client)]).collect();
        for call in calls {
            assert_eq!(call.await.unwrap().unwrap(), 4 * LEN, "{streams} streams, {memory} bytes");
        }
    }
}

#[tokio::test]
async fn many_who_share_little_memory_are_refused_and_stay_connected() {
    let options = SessionOptions::default();
    let server = Server::new(options).memory(2 * 1024 * KIB).rpc("/", router());
    let server = server.bind("127.0.0.1:0").await.unwrap();
    let (url, handle) = (format!("ws://{}/", server.local_addr()), server.handle());
    let serving = tokio::spawn(server.serve());
    let mut peers = Vec::new();
    for _ in 0..20 {
        peers.push(rpc::connect(&url, Router::new()).await.unwrap());
    }
    let calls = peers
        .iter()
        .flat_map(|peer| (0..10).map(|_| peer.call::<_, usize>("len", (vec![0; 40 * KIB],)).into_future()));
    for outcome in join_all(calls).await {
        match outcome {
            Ok(len) => assert_eq!(len, 40 * KIB),
            Err(CallError::Status(status)) => assert_eq!(status.code(), Code::RESOURCE_EXHAUSTED),
            Err(other) => panic!("{other}"),
        }
    }
    for peer in &peers {
        peer.call::<_, ()>("none", [(); 0]).await.unwrap();
    }
    assert_eq!(handle.memory(), 0);
    drop(peers);
    handle.stop();
    serving.await.unwrap();
}
