//! A first look.
#![allow(clippy::unwrap_used)]
use converse::rpc::{self, *};
use converse::{Server, SessionOptions};
use futures::{StreamExt, stream};
use std::time::Duration;

fn router() -> Router {
    Router::new()
        .call("add", |_, (a, b): (i64, i64)| async move { Ok::<_, Status>(a + b) })
        .call("sleep", |_, (ms,): (u64,)| async move {
            tokio::time::sleep(Duration::from_millis(ms)).await;
            Ok::<_, Status>(ms)
        })
        .call("boom", |_, _: [(); 0]| async move {
            if true {
                panic!("boom")
            }
            Ok::<(), Status>(())
        })
        .stream("count", |_, (n,): (u64,)| stream::iter((0..n).map(Ok::<_, Status>)))
        .client_stream("sum", |_, _: [(); 0], mut items: Streaming<i64>| async move {
            let mut sum = 0;
            while let Some(item) = items.next().await {
                sum += item?;
            }
            Ok::<_, Status>(sum)
        })
        .bidi_stream("double", |_, _: [(); 0], items: Streaming<i64>| {
            items.map(|i| i.map(|i| i * 2).map_err(Status::from))
        })
        .call("ask", |cx: Context, (q,): (String,)| async move {
            let peer: Peer = cx.peer();
            let answer: String = peer.call("answer", (q,)).await?;
            Ok::<_, Status>(answer)
        })
}

async fn all(peer: Peer) {
    assert_eq!(peer.call::<_, i64>("add", (40, 2)).await.unwrap(), 42);
    let counted: Vec<u64> =
        peer.open::<_, u64>("count", (100,)).await.unwrap().map(Result::unwrap).collect().await;
    assert_eq!(counted, (0..100).collect::<Vec<u64>>());
    let sum: i64 = peer.call::<_, i64>("sum", [(); 0]).sending(stream::iter(0..1000i64)).await.unwrap();
    assert_eq!(sum, 499_500);
    let doubled: Vec<i64> = peer
        .open::<_, i64>("double", [(); 0])
        .sending(stream::iter(0..100i64))
        .await
        .unwrap()
        .map(Result::unwrap)
        .collect()
        .await;
    assert_eq!(doubled, (0..100).map(|i| i * 2).collect::<Vec<i64>>());
    assert_eq!(peer.call::<_, String>("ask", ("sure?",)).await.unwrap(), "sure? yes");
    assert!(matches!(
        peer.call::<_, u64>("sleep", (100_000,)).deadline(Duration::from_millis(20)).await,
        Err(CallError::Deadline)
    ));
    let boom = peer.call::<_, ()>("boom", [(); 0]).await;
    assert!(matches!(&boom, Err(CallError::Status(status)) if status.code() == Code::INTERNAL), "{boom:?}");
    let none = peer.call::<_, ()>("nothing", [(); 0]).await;
    assert!(
        matches!(&none, Err(CallError::Status(status)) if status.code() == Code::UNIMPLEMENTED),
        "{none:?}"
    );
    println!("{:?}", peer.stats());
}

#[tokio::test]
async fn smoke_in_memory() {
    let client =
        Router::new().call("answer", |_, (q,): (String,)| async move { Ok::<_, Status>(format!("{q} yes")) });
    for protocol in [
        Protocol::converse(converse::JsonConverter::default()),
        Protocol::converse(converse::MessagePackConverter::default()),
        Protocol::converse(converse::CborConverter::default()),
        Protocol::json_rpc(),
    ] {
        let router = router().options(Options::default().protocols([protocol]));
        let (_, peer) = rpc::duplex_with(router, client.clone());
        all(peer).await;
    }
}

#[tokio::test]
async fn smoke_over_tcp() {
    let server = Server::new(SessionOptions::default()).rpc("/", router()).bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/", server.local_addr());
    tokio::spawn(server.serve());
    let client =
        Router::new().call("answer", |_, (q,): (String,)| async move { Ok::<_, Status>(format!("{q} yes")) });
    let peer = rpc::connect(&url, client).await.unwrap();
    all(peer).await;
}

#[tokio::test]
async fn rate() {
    let server = Server::new(SessionOptions::default()).rpc("/", router()).bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/", server.local_addr());
    tokio::spawn(server.serve());
    let peer = rpc::connect(&url, Router::new()).await.unwrap();
    let started = std::time::Instant::now();
    let n = 200_000u64;
    let calls = stream::iter(0..n)
        .map(|i| {
            let peer = peer.clone();
            async move { peer.call::<_, i64>("add", (i as i64, 2)).await.unwrap() }
        })
        .buffer_unordered(64);
    let done = calls.count().await;
    println!("{done} calls in {:?}: {:?} each", started.elapsed(), started.elapsed() / n as u32);
}
