//! Panics in the application's code: each ends its own connection with a word to the peer, and nothing else.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod wire;

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use converse::{Rejection, Server, Session, SessionOptions, handshake::Upgrade, session::BoxError};
use wire::{HEAD, Running, TEXT, Wire, close, echo, masked, start};

async fn panics_later(mut session: Session) -> Result<(), BoxError> {
    let message = session.receive().await?;
    panic!("on purpose: {message:?}");
}

#[allow(clippy::manual_async_fn)]
fn panics_at_once(_session: Session) -> impl Future<Output = Result<(), BoxError>> + Send {
    panic_now();
    async { Ok(()) }
}

fn panic_now() {
    if std::env::var_os("NO_PANIC").is_none() {
        panic!("on purpose");
    }
}

struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic_now();
    }
}

async fn panics_when_dropped(mut session: Session) -> Result<(), BoxError> {
    let _bomb = Bomb;
    session.receive().await?;
    Ok(())
}

fn hook(upgrade: &mut Upgrade) -> Result<(), Rejection> {
    if upgrade.request().query() == Some("hook") {
        panic_now();
    }
    Ok(())
}

async fn server(ends: &Arc<AtomicUsize>) -> Running {
    let ends = Arc::clone(ends);
    let server = Server::new(SessionOptions::default())
        .route("/", echo)
        .route("/later", panics_later)
        .route("/once", panics_at_once)
        .route("/dropped", panics_when_dropped)
        .request_hook(hook)
        .max_connections(1)
        .end_hook(move |end| {
            ends.fetch_add(1, Ordering::Relaxed);
            if end.request.query() == Some("end") {
                panic_now();
            }
        });
    start(server).await
}

async fn open(server: &Running, target: &str) -> (String, Wire) {
    // There is room for one: who leaks a connection is found out by the next.
    loop {
        let mut peer = Wire::connect(server.address).await;
        let answer = peer.ask(&format!("{HEAD}\r\n").replace("GET / ", &format!("GET {target} "))).await;
        if !answer.starts_with("HTTP/1.1 503 ") {
            return (answer, peer);
        }
        peer.rest().await;
    }
}

async fn said_1011(mut peer: Wire) {
    let got = peer.frame().await;
    assert_eq!((got.close_code(), &got.payload[2..]), (Some(1011), &b"internal error"[..]));
    peer.send(&masked(wire::CLOSE, &got.payload)).await;
    assert_eq!(peer.frames().await, []);
}

#[tokio::test]
async fn each_panic_ends_its_own_connection_and_no_other() {
    let ends = Arc::new(AtomicUsize::new(0));
    let server = server(&ends).await;
    let talk = async {
        for round in 0..3 {
            let (answer, mut peer) = open(&server, "/?hook").await;
            assert!(answer.starts_with("HTTP/1.1 500 "), "{answer:?}");
            peer.rest().await;
            drop(peer);

            for path in ["/later", "/dropped"] {
                let (_, mut peer) = open(&server, path).await;
                peer.send(&masked(TEXT, b"now")).await;
                said_1011(peer).await;
            }
            said_1011(open(&server, "/once").await.1).await;

            let (_, mut peer) = open(&server, "/?end").await;
            peer.send(&masked(wire::CLOSE, &close(1000))).await;
            assert_eq!(peer.frame().await.close_code(), Some(1000));
            peer.frames().await;
            drop(peer);

            let (_, mut peer) = open(&server, "/").await;
            peer.send(&masked(TEXT, b"fine")).await;
            assert_eq!(peer.frame().await.payload, b"fine");
            assert_eq!(server.handle.sessions(), 1);
            drop(peer);
            while server.handle.sessions() > 0 {
                tokio::time::sleep(std::time::Duration::from_millis(1)).await;
            }
            assert_eq!(ends.load(Ordering::Relaxed), (round + 1) * 5, "each end was told");
        }
    };
    wire::in_time(talk).await;
    server.handle.stop();
    wire::in_time(server.task).await.unwrap();
}
