//! Edges of conversations that are seldom met: what is dropped half way, what comes before the hello, what no other end
//! takes or answers.
#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "support/rpc.rs"]
mod support;

use std::{sync::Arc, time::Duration};

use converse::{
    CloseReason,
    rpc::{
        self, CallError, Code, Context, Emitter, Method, Middleware, Next, Options, Reply, Router, Status,
        Streaming,
    },
};
use futures::{FutureExt, stream};
use support::{calling, ends, greeted, in_json, pair, served, settle};
use tokio::{sync::Notify, time::timeout};

#[tokio::test(start_paused = true)]
async fn a_send_that_was_dropped_while_it_waited_for_room_has_used_no_credit() {
    let (tried, goes_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (told, going) = (Arc::clone(&tried), Arc::clone(&goes_on));
    let hasty = Method::server_stream("hasty", move |_, _: [(); 0], mut items: Emitter<String>| {
        let (tried, goes_on) = (Arc::clone(&told), Arc::clone(&going));
        async move {
            let item = "x".repeat(40_000);
            for _ in 0..40 {
                if let Ok(sent) = timeout(Duration::from_millis(1), items.send(&item)).await {
                    sent?;
                }
            }
            tried.notify_one();
            goes_on.notified().await;
            loop {
                items.send(&item).await?;
            }
        }
    });
    let (_peer, mut raw) = served(Router::new().options(in_json()).method(hasty));
    raw.say(r#"{"hello":{"window":[32,4294967295]}}"#).await;
    raw.frame().await;
    raw.say(r#"{"id":1,"method":"hasty"}"#).await;
    ends("trying", tried.notified()).await;
    goes_on.notify_one();
    assert_eq!(raw.rest().await.len(), 32);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_said_before_the_hello() {
    let (peer, mut raw) = served(Router::new());
    let mut going = Box::pin(peer.go_away("", Duration::ZERO));
    assert!((&mut going).now_or_never().is_none());
    raw.say(r#"{"hello":{}}"#).await;
    let first = raw.frame().await;
    assert!(first.starts_with(r#"{"hello":"#), "{first}");
    assert!(raw.frame().await.starts_with(r#"{"goaway":"#));
    assert_eq!(raw.closed().await.0, 4001);
    ends("going away", going).await;
}

/// Answers without having asked.
struct Oracle;

#[async_trait::async_trait]
impl Middleware for Oracle {
    async fn call(&self, _: &mut Context, _: Next<'_>) -> Result<Reply, Status> {
        Ok(Reply::default())
    }
}

#[tokio::test(start_paused = true)]
async fn a_middleware_that_answers_for_a_handler_has_no_answer() {
    let router = Router::new()
        .options(in_json().deadline(None))
        .middleware(Oracle)
        .call("add", |_, (a, b): (i64, i64)| async move { Ok::<_, Status>(a + b) })
        .stream("count", |_, _: [(); 0]| stream::iter((0u32..3).map(Ok::<_, Status>)));
    let (_server, client) = pair(router, Router::new().options(in_json().deadline(None)));
    let error = ends("a call", client.call::<_, i64>("add", (40, 2)).into_future()).await.unwrap_err();
    assert_eq!(error.code(), Code::INTERNAL, "{error:?}");
    let mut items = client.open::<_, u32>("count", [(); 0]).await.unwrap();
    let error = ends("a stream", items.next()).await.unwrap().unwrap_err();
    assert_eq!(error.code(), Code::INTERNAL, "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn an_end_goes_away_though_its_own_stream_never_ends() {
    let patience = || Router::new().options(in_json().deadline(None));
    let router = patience().client_stream("swallow", |_, _: [(); 0], mut items: Streaming<u32>| async move {
        while items.next().await.is_some() {}
        Ok::<_, Status>(())
    });
    let (server, _client) = pair(patience(), router);
    let caller = server.clone();
    let call = tokio::spawn(async move {
        caller.call::<_, ()>("swallow", [(); 0]).sending(stream::pending::<u32>()).await
    });
    settle().await;
    assert_eq!(server.stats().calls_in_flight, 1);
    let closed = ends("going away", server.go_away("", Duration::ZERO)).await;
    assert_eq!(closed.sent.as_ref().unwrap().code().get(), 4001);
    assert!(matches!(call.await.unwrap(), Err(CallError::Disconnected(_))));
}

#[tokio::test(start_paused = true)]
async fn a_close_ends_though_the_peer_does_not_read() {
    let (peer, raw) = calling(Router::new()).await;
    for _ in 0..100 {
        let _ =
            timeout(Duration::from_millis(1), peer.notify("note", "x".repeat(10_000)).into_future()).await;
    }
    assert!(peer.stats().queued_bytes > 64 * 1024, "{:?}", peer.stats());
    ends("the close", peer.close(CloseReason::NORMAL)).await;
    drop(raw);
}

#[tokio::test]
async fn a_call_waits_for_room_on_a_thread_without_a_runtime() {
    let (peer, raw) = calling(Router::new()).await;
    // The peer does not read: calls come to wait for room.
    while timeout(Duration::from_millis(100), peer.notify("note", "x".repeat(10_000)).into_future())
        .await
        .is_ok()
    {}
    let call =
        peer.call::<_, ()>("wait", "x".repeat(10_000)).deadline(Duration::from_millis(1)).into_future();
    let call = std::thread::spawn(move || {
        let mut call = call;
        let waits = (&mut call).now_or_never().is_none();
        (call, waits)
    });
    let (call, waits) = call.join().unwrap();
    assert!(waits);
    assert!(matches!(ends("the call", call).await, Err(CallError::Deadline)));
    drop(raw);
}

/// A type whose decoding panics.
#[derive(Debug)]
struct Explosive;

impl<'de> serde::Deserialize<'de> for Explosive {
    fn deserialize<D: serde::Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        panic!("boom")
    }
}

#[tokio::test(start_paused = true)]
async fn a_type_that_panics_when_decoded_fails_its_call_only() {
    let router = Router::new()
        .call("take", |_, Explosive| async { Ok::<_, Status>(()) })
        .call("add", |_, (a, b): (i64, i64)| async move { Ok::<_, Status>(a + b) });
    let peer = rpc::duplex(router);
    let taken = peer.call::<_, ()>("take", (1,)).await.unwrap_err();
    assert_eq!(taken.code(), Code::INVALID_ARGUMENT);
    let given = peer.call::<_, Explosive>("add", (1, 2)).await.unwrap_err();
    assert!(matches!(given, CallError::Convert(_)), "{given:?}");
    assert_eq!(peer.call::<_, i64>("add", (40, 2)).await.unwrap(), 42);
}

#[tokio::test(start_paused = true)]
async fn a_notification_that_hangs_is_dropped_at_the_deadline() {
    let router = Router::new()
        .notification("hang", |_, _: [(); 0]| std::future::pending())
        .call("add", |_, (a, b): (i64, i64)| async move { Ok::<_, Status>(a + b) })
        .options(Options::default().in_flight(1));
    let (server, peer) = rpc::duplex_with(router, Router::new());
    peer.notify("hang", [(); 0]).await.unwrap();
    let refused = peer.call::<_, i64>("add", (40, 2)).await.unwrap_err();
    assert_eq!((refused.code(), server.stats().served_in_flight), (Code::RESOURCE_EXHAUSTED, 1));
    tokio::time::sleep(Duration::from_secs(31)).await;
    assert_eq!(server.stats().served_in_flight, 0);
    assert_eq!(peer.call::<_, i64>("add", (40, 2)).await.unwrap(), 42);
}

/// Panics when it is dropped.
#[derive(Debug, serde::Deserialize)]
struct Bomb(#[allow(dead_code)] u32);

impl Drop for Bomb {
    fn drop(&mut self) {
        // Not while another one unwinds.
        if !std::thread::panicking() {
            panic!("dropped");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn values_that_panic_when_dropped_unread_do_no_harm_to_the_connection() {
    let opened = Arc::new(Notify::new());
    let opens = Arc::clone(&opened);
    let router = Router::new().options(in_json().window(4).deadline(None)).client_stream(
        "hold",
        move |_, _: [(); 0], _items: Streaming<Bomb>| {
            let opens = Arc::clone(&opens);
            async move {
                opens.notified().await;
                Ok::<_, Status>(())
            }
        },
    );
    let (_peer, mut raw) = greeted(router).await;
    for id in [1, 3] {
        raw.say(format!(r#"{{"id":{id},"method":"hold"}}"#)).await;
        raw.say(vec![format!(r#"{{"id":{id},"item":1}}"#); 6].join("\n")).await;
    }
    raw.say(r#"{"cancel":1}"#).await;
    assert_eq!(raw.frame().await, r#"{"id":1,"error":{"code":-32001,"message":""}}"#);
    opened.notify_waiters();
    assert_eq!(raw.frame().await, r#"{"id":3,"result":null}"#);
    raw.is_alive().await;

    let (client, mut raw) = calling(Router::new().options(in_json())).await;
    let items = client.open::<_, Bomb>("s", [(); 0]).await.unwrap();
    raw.frame().await;
    raw.say(r#"{"id":1,"item":1}"#).await;
    raw.say(r#"{"id":1,"item":[]}"#).await;
    settle().await;
    drop(items);
    assert_eq!(raw.frame().await, r#"{"cancel":1}"#);
    let mut call = client.call::<_, Bomb>("m", [(); 0]).into_future();
    assert!((&mut call).now_or_never().is_none());
    raw.frame().await;
    raw.say(r#"{"id":3,"result":1}"#).await;
    settle().await;
    drop(call);
    let add = tokio::spawn(client.call::<_, u32>("add", [(); 0]).into_future());
    assert!(raw.frame().await.contains("add"));
    raw.say(r#"{"id":5,"result":7}"#).await;
    assert_eq!(add.await.unwrap().unwrap(), 7);
}

/// No text that a peer is told, or that is logged of a call that failed, quotes what was sent.
#[tokio::test(start_paused = true)]
async fn no_text_quotes_the_values_that_were_sent() {
    let router = || {
        Router::new()
            .options(in_json())
            .call("add", |_, (a, b): (i64, i64)| async move { Ok::<_, Status>(a + b) })
    };
    let fatal = [
        r#"{"cancel":"SECRET"}"#,
        r#"{"id":"SECRET","method":"add"}"#,
        r#"{"id":1,"method":["SECRET"]}"#,
        r#"{"id":1,"end":"SECRET"}"#,
        r#"{"credit":"SECRET"}"#,
        r#"{"goaway":{"reason":["SECRET"]}}"#,
        r#"{"id":1,"error":{"code":"SECRET"}}"#,
        r#"{"id":1,"method":"add","meta":{"x":["SECRET"]}}"#,
        r#"{"id":1,"method":"add","params":"SECRET"#,
    ];
    for frame in fatal {
        let (_peer, mut raw) = greeted(router()).await;
        raw.say(frame).await;
        let (code, reason) = raw.closed().await;
        assert_eq!(code, 4400, "{frame}");
        assert!(!reason.contains("SECRET"), "{frame}: {reason}");
    }
    let (_peer, mut raw) = greeted(router()).await;
    let refused = [r#"["SECRET",2]"#, r#""SECRET""#, r#"{"SECRET":1}"#, r#"[4747474747474747474747,2]"#];
    for args in refused {
        raw.say(format!(r#"{{"id":1,"method":"add","params":{args}}}"#)).await;
        let answer = raw.frame().await;
        assert!(answer.contains("the arguments of add do not fit: "), "{answer}");
        assert!(!answer.contains("SECRET") && !answer.contains("4747"), "{answer}");
    }
    // An answer is no longer than a text of fixed length, whatever it answers.
    let long = "\\u0001".repeat(10_000);
    raw.say(format!(r#"{{"id":1,"method":"add","params":["{long}",2]}}"#)).await;
    raw.say(format!(r#"{{"id":3,"method":"{long}"}}"#)).await;
    assert!(raw.frame().await.len() < 400 && raw.frame().await.len() < 400);
    let answered = rpc::duplex(router()).call::<_, bool>("add", (40, 7)).await.unwrap_err();
    let CallError::Convert(error) = &answered else { panic!("{answered:?}") };
    assert!(!format!("{answered} {answered:?}").contains("47") && error.detail().contains("47"));
}
