//! What is left behind: after 10,000 connections that ended in every way there is, no task, no descriptor and no
//! session of the server's remains.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod wire;

use std::time::Duration;

use converse::{Client, Server, Session, SessionOptions, session::BoxError};
use tokio::{net::TcpListener, runtime::Handle, task::JoinSet};
use wire::{BINARY, CLOSE, HEAD, Running, TEXT, Wire, close, echo, frame, in_time, masked, start};

const CYCLES: usize = 10_000;
/// How many connections are open at a time.
const WIDTH: usize = 20;

/// How a connection comes to its end.
#[derive(Clone, Copy, Debug)]
enum Kind {
    /// TCP and nothing more, ended in order or by a reset.
    Silence {
        reset: bool,
    },
    /// Half a request.
    HalfHandshake {
        reset: bool,
    },
    /// A request that is refused.
    Refused,
    /// A whole request whose answer is never read.
    AnswerUnread,
    /// An open session.
    Idle {
        reset: bool,
    },
    /// In the middle of a header, or of a payload.
    MidHeader,
    MidFrame {
        reset: bool,
    },
    MidMessage,
    /// In the middle of what the server sends.
    MidSend {
        reset: bool,
    },
    /// After this end's Close frame, with and without the answer read.
    Closed {
        read: bool,
    },
    /// After a violation.
    Violation,
    /// A half-closed connection that still reads.
    HalfClosed,
}

const KINDS: [Kind; 18] = [
    Kind::Silence { reset: false },
    Kind::Silence { reset: true },
    Kind::HalfHandshake { reset: false },
    Kind::HalfHandshake { reset: true },
    Kind::Refused,
    Kind::AnswerUnread,
    Kind::Idle { reset: false },
    Kind::Idle { reset: true },
    Kind::MidHeader,
    Kind::MidFrame { reset: false },
    Kind::MidFrame { reset: true },
    Kind::MidMessage,
    Kind::MidSend { reset: false },
    Kind::MidSend { reset: true },
    Kind::Closed { read: true },
    Kind::Closed { read: false },
    Kind::Violation,
    Kind::HalfClosed,
];

async fn cycle(kind: Kind, address: std::net::SocketAddr) {
    let mut peer = Wire::connect(address).await;
    let reset = match kind {
        Kind::Silence { reset } => reset,
        Kind::HalfHandshake { reset } => {
            peer.send(HEAD.as_bytes()).await;
            reset
        }
        Kind::Refused => {
            let answer = peer.ask(&format!("{HEAD}\r\n").replace("GET / ", "GET /nowhere ")).await;
            assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
            false
        }
        Kind::AnswerUnread => {
            peer.send(format!("{HEAD}\r\n").as_bytes()).await;
            true
        }
        Kind::MidSend { reset } => {
            peer.ask(&format!("{HEAD}\r\n").replace("GET / ", "GET /flood ")).await;
            peer.frame().await;
            reset
        }
        open => {
            peer.upgrade().await;
            end_session(open, &mut peer).await
        }
    };
    if reset {
        peer.reset();
    }
}

/// Ends an open session; returns whether a reset follows.
async fn end_session(kind: Kind, peer: &mut Wire) -> bool {
    let part = frame(BINARY, &[7; 1000], true);
    match kind {
        Kind::Idle { reset } => return reset,
        Kind::MidHeader => peer.send(&part[..3]).await,
        Kind::MidFrame { reset } => {
            peer.send(&part[..500]).await;
            return reset;
        }
        Kind::MidMessage => peer.send(&part).await,
        Kind::Closed { read } => {
            peer.send(&masked(CLOSE, &close(1000))).await;
            if read {
                peer.frames().await;
            }
        }
        Kind::Violation => peer.send(&masked(3, b"")).await,
        Kind::HalfClosed => {
            peer.send(&masked(TEXT, b"last")).await;
            tokio::io::AsyncWriteExt::shutdown(&mut peer.io).await.unwrap();
            assert_eq!(peer.frame().await.payload, b"last");
        }
        other => unreachable!("{other:?}"),
    }
    false
}

/// Sends for ever.
async fn flood(session: Session) -> Result<(), BoxError> {
    loop {
        session.send(vec![7; 10_000]).await?;
    }
}

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

fn tasks() -> usize {
    Handle::current().metrics().num_alive_tasks()
}

/// Waits until no more is there than before.
async fn settled(before: (usize, usize)) {
    let settle = async {
        while tasks() > before.0 || descriptors() > before.1 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let settled = tokio::time::timeout(Duration::from_secs(30), settle).await;
    assert!(settled.is_ok(), "{} tasks and {} descriptors, before {before:?}", tasks(), descriptors());
}

/// In one test, because all count the descriptors of one process.
#[tokio::test]
async fn nothing_is_left_of_ten_thousand_connections() {
    let server = Server::new(SessionOptions::default()).route("/", echo).route("/flood", flood);
    let server = start(server).await;
    // What is made once is made before the counting.
    for kind in KINDS {
        cycle(kind, server.address).await;
    }
    settled((1, usize::MAX)).await;
    let before = (tasks(), descriptors());
    let mut running = JoinSet::new();
    for count in 0..CYCLES {
        running.spawn(cycle(KINDS[count % KINDS.len()], server.address));
        if running.len() >= WIDTH {
            in_time(running.join_next()).await.unwrap().unwrap();
        }
    }
    in_time(running.join_all()).await;
    settled(before).await;
    assert_eq!(server.handle.sessions(), 0);
    clients(&server).await;
}

/// The same from the other side: clients that are dropped in every state.
async fn clients(server: &Running) {
    let url = format!("ws://{}/", server.address);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent = format!("ws://{}/", listener.local_addr().unwrap());
    let before = (tasks(), descriptors());
    let options = SessionOptions::default().close_timeout(Duration::from_millis(200));
    for count in 0..500 {
        let client = Client::new(options.clone());
        match count % 5 {
            0 => drop(client.connect(&url).await.unwrap()),
            1 => {
                let session = client.connect(&url).await.unwrap();
                session.send("hi").await.unwrap();
                session.close(converse::CloseReason::NORMAL).await;
            }
            2 => {
                // Dropped while its answer is awaited.
                let short = Duration::from_millis(1);
                assert!(client.connect_timeout(short).connect(&silent).await.is_err());
                drop(Wire::accept_tcp(&listener).await);
            }
            3 => {
                // A sender that outlives its session keeps nothing open.
                let session = client.connect(&url).await.unwrap();
                let sender = session.sender();
                drop(session);
                in_time(sender.closed()).await;
            }
            _ => {
                // The peer never answers the Close frame.
                let (session, peer) = tokio::join!(client.connect(&silent), Wire::accept(&listener, &[]));
                drop(session.unwrap());
                drop(peer);
            }
        }
    }
    settled(before).await;
}
