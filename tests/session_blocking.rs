//! A handler that blocks its thread, and what goes on beside it.
#![allow(clippy::unwrap_used)]

mod wire;

use std::sync::{Arc, Mutex, mpsc};

use converse::{Server, Session, SessionOptions, session::BoxError};
use tokio::task::block_in_place;
use wire::{FIN, PING, PONG, TEXT, Wire, in_time, masked, start};

/// As the guide on handlers tells.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_in_a_task_of_its_own_answers_pings_while_that_blocks() {
    let (release, released) = mpsc::channel::<()>();
    let released = Arc::new(Mutex::new(released));
    let server = Server::new(SessionOptions::default()).route("/", move |mut session: Session| {
        let released = Arc::clone(&released);
        async move {
            tokio::spawn(async move {
                while let Some(message) = session.receive().await? {
                    block_in_place(|| released.lock().unwrap().recv())?;
                    session.send(message).await?;
                }
                Ok::<_, BoxError>(())
            })
            .await?
        }
    });
    let server = start(server).await;
    let mut peer = Wire::open(server.address).await;
    peer.send(&masked(TEXT, b"work")).await;
    for payload in [b"a", b"b"] {
        peer.send(&masked(PING, payload)).await;
        let pong = in_time(peer.frame()).await;
        assert_eq!((pong.first, &pong.payload[..]), (FIN | PONG, &payload[..]));
    }
    release.send(()).unwrap();
    assert_eq!(in_time(peer.frame()).await.payload, b"work");
}
