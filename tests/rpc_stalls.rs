//! Peers that read nothing for a while, though longer than a conversation waits for what stands behind the session, and
//! then go on: the session's own times are the caller's choice.
#![allow(clippy::unwrap_used)]

#[path = "support/rpc.rs"]
mod support;

use std::time::Duration;

use converse::{
    Message,
    rpc::{Router, Status},
};
use futures::stream;
use support::{Raw, calling, greeted, in_json, settle};

const KIB: usize = 1024;
/// Longer than twice what a conversation waits for a peer to take something.
const STALL: Duration = Duration::from_secs(25);

/// Serves a subscription that has nothing to tell.
fn router() -> Router {
    Router::new()
        .options(in_json().deadline(None))
        .stream("idle", |_, _: [(); 0]| stream::pending::<Result<u32, Status>>())
        .call("large", |_, _: [(); 0]| async move { Ok::<_, Status>("x".repeat(900 * KIB)) })
}

/// Receives messages, of which each is long.
async fn receives(raw: &mut Raw, count: usize) {
    for n in 0..count {
        match raw.session.receive().await {
            Ok(Some(Message::Text(text))) => assert!(text.as_str().len() > 900 * KIB),
            other => panic!("message {n}: {other:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn long_answers_that_wait_in_the_session_do_not_end_a_conversation_with_an_idle_stream() {
    let (_peer, mut raw) = greeted(router()).await;
    raw.say(r#"{"id":1,"method":"idle"}"#).await;
    settle().await;
    // The test's own session receives ahead, and no more than one of these.
    raw.say(r#"{"id":3,"method":"large"}"#).await;
    raw.say(r#"{"id":5,"method":"large"}"#).await;
    tokio::time::sleep(STALL).await;
    receives(&mut raw, 2).await;
}

#[tokio::test(start_paused = true)]
async fn long_calls_that_wait_in_the_session_do_not_end_a_conversation_with_an_idle_stream() {
    let (peer, mut raw) = calling(router()).await;
    raw.say(r#"{"id":2,"method":"idle"}"#).await;
    settle().await;
    let upload = || tokio::spawn(peer.call::<_, u32>("take", ("x".repeat(900 * KIB),)).into_future());
    let uploads = [upload(), upload()];
    tokio::time::sleep(STALL).await;
    receives(&mut raw, uploads.len()).await;
}
