//! What a call costs, counted and not timed: messages, allocations, and the heap of an idle conversation.
#![allow(clippy::unwrap_used)]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    time::Duration,
};

use converse::{
    CloseReason, Session, SessionOptions,
    frame::Role,
    rpc::{self, Options, Peer, Protocol, Router, Status},
};
use futures::future::join_all;

thread_local! {
    /// Allocations of this thread, and bytes that it holds.
    static COUNTS: Cell<(usize, isize)> = const { Cell::new((0, 0)) };
}

struct Counting;

fn count(calls: usize, bytes: isize) {
    // A thread that is about to end counts no more.
    let _ = COUNTS.try_with(|counts| counts.set((counts.get().0 + calls, counts.get().1 + bytes)));
}

// SAFETY: hands everything on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(1, layout.size() as isize);
        // SAFETY: as the caller has promised.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(0, -(layout.size() as isize));
        // SAFETY: as the caller has promised.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn counted() -> (usize, isize) {
    COUNTS.get()
}

fn router() -> Router {
    Router::new().call("add", |_, (a, b): (i64, i64)| async move { Ok::<_, Status>(a + b) })
}

async fn settle() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

async fn calls(peer: &Peer, times: usize) {
    for _ in 0..times {
        assert_eq!(peer.call::<_, i64>("add", (40, 2)).await.unwrap(), 42);
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_and_its_answer_cost_few_allocations() {
    let peer = rpc::duplex(router());
    calls(&peer, 100).await;
    let before = counted().0;
    calls(&peer, 1000).await;
    let each = (counted().0 - before) as f64 / 1000.0;
    println!("{each} allocations for a call, at both ends together");
    assert!(each <= 20.0, "{each} allocations for a call");
}

#[tokio::test(start_paused = true)]
async fn calls_at_once_share_messages_both_ways() {
    let (here, there) = tokio::io::duplex(64 * 1024);
    let options = Options::default().protocols([Protocol::default()]);
    let mut raw = Session::over(there, Role::Client, &SessionOptions::default());
    let _server = rpc::over(
        here,
        Role::Server,
        &Protocol::default(),
        &SessionOptions::default(),
        router().options(options),
    );
    raw.send(r#"{"hello":{}}"#).await.unwrap();
    assert!(raw.receive().await.unwrap().unwrap().as_text().unwrap().starts_with(r#"{"hello""#));
    let said: Vec<String> =
        (0..60).map(|i| format!(r#"{{"id":{},"method":"add","params":[{i},1]}}"#, 2 * i + 1)).collect();
    raw.send(said.join("\n")).await.unwrap();
    let heard = raw.receive().await.unwrap().unwrap();
    assert_eq!(heard.as_text().unwrap().lines().count(), 60);
    raw.close(CloseReason::NORMAL).await;
}

#[tokio::test(start_paused = true)]
async fn an_idle_conversation_is_small() {
    const CONVERSATIONS: usize = 200;
    let router = router();
    let options = SessionOptions::default();
    let sessions = async {
        let mut sessions = Vec::new();
        for _ in 0..CONVERSATIONS {
            let (here, there) = tokio::io::duplex(1024);
            sessions.push((
                Session::over(here, Role::Server, &options),
                Session::over(there, Role::Client, &options),
            ));
        }
        settle().await;
        sessions
    };
    let before = counted().1;
    let kept = sessions.await;
    let session = (counted().1 - before) / (2 * CONVERSATIONS as isize);
    drop(kept);
    settle().await;
    let before = counted().1;
    let mut peers = Vec::new();
    for _ in 0..CONVERSATIONS {
        peers.push(rpc::duplex_with(router.clone(), router.clone()));
    }
    join_all(peers.iter().map(|(_, peer)| calls(peer, 2))).await;
    settle().await;
    let conversation = (counted().1 - before) / (2 * CONVERSATIONS as isize);
    println!("an idle session {session} B, an idle conversation {conversation} B, duplex streams included");
    assert!(conversation - session <= 4096, "an idle conversation costs {} B more", conversation - session);
}
