//! Sessions over TCP: `connect`, `bind` and `serve` dropped at every poll, and a server that stops. Knows no
//! frame.
#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use converse::{
    CloseCode, ConnectError, Message, Server, Session, SessionOptions,
    server::ServerHandle,
    session::{Outcome, SessionError},
};
use support::interrupted;
use tokio::{sync::mpsc, task::JoinHandle};

/// A time that no test waits for.
const NEVER: Duration = Duration::from_secs(100_000);

struct Running {
    url: String,
    handle: ServerHandle,
    serve: JoinHandle<()>,
    begun: Arc<AtomicUsize>,
    ended: Arc<AtomicUsize>,
}

impl Running {
    async fn echo() -> Self {
        let (begun, ended) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (begins, ends) = (Arc::clone(&begun), Arc::clone(&ended));
        let echo = move |mut session: Session| {
            begins.fetch_add(1, SeqCst);
            async move {
                while let Some(message) = session.receive().await? {
                    session.send(message).await?;
                }
                Ok::<_, SessionError>(())
            }
        };
        let server = Server::new(SessionOptions::default())
            .route("/", echo)
            .end_hook(move |_| _ = ends.fetch_add(1, SeqCst))
            .shutdown_timeout(NEVER)
            .bind("127.0.0.1:0")
            .await
            .unwrap();
        let (url, handle) = (format!("ws://{}/", server.local_addr()), server.handle());
        Self { url, handle, serve: tokio::spawn(server.serve()), begun, ended }
    }

    /// Ends only when every connection has ended by itself.
    async fn stop(self) -> usize {
        self.handle.stop();
        self.serve.await.unwrap();
        assert_eq!(self.handle.sessions(), 0);
        assert_eq!(self.begun.load(SeqCst), self.ended.load(SeqCst));
        self.begun.load(SeqCst)
    }
}

async fn talk(session: &mut Session) {
    for text in ["one", "two"] {
        session.send(text).await.unwrap();
        assert_eq!(session.receive().await.unwrap(), Some(Message::text(text)));
    }
}

#[tokio::test]
async fn a_connect_dropped_at_any_poll_leaves_nothing_behind() {
    let server = Running::echo().await;
    for polls in 1..=100 {
        if let Some(session) =
            interrupted(converse::connect(&server.url, SessionOptions::default()), polls).await
        {
            talk(&mut session.unwrap()).await;
        }
    }
    talk(&mut converse::connect(&server.url, SessionOptions::default()).await.unwrap()).await;
    assert!(server.stop().await >= 1);
}

#[tokio::test]
async fn a_connect_with_dropped_at_any_poll_leaves_nothing_behind() {
    let server = Running::echo().await;
    for polls in 1..=100 {
        let talked =
            converse::connect_with(&server.url, SessionOptions::default(), |mut session| async move {
                talk(&mut session).await;
                Ok::<_, ConnectError>("talked")
            });
        if let Some(outcome) = interrupted(talked, polls).await {
            assert_eq!(outcome.unwrap(), "talked");
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn a_bind_dropped_at_any_poll_leaves_the_address_free() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    for polls in 1..=5 {
        drop(interrupted(Server::new(SessionOptions::default()).bind(address), polls).await);
    }
    assert!(Server::new(SessionOptions::default()).bind(address).await.is_ok());
}

#[tokio::test]
async fn a_serve_dropped_at_any_poll_cuts_its_connections_and_frees_the_address() {
    for polls in [1, 2, 3, 5, 10, 20, 50, 100, 200, 500] {
        let server = Server::new(SessionOptions::default())
            .route("/", |session: Session| async move {
                session.closed().await;
                Ok::<_, SessionError>(())
            })
            .bind("127.0.0.1:0")
            .await
            .unwrap();
        let address = server.local_addr();
        let url = format!("ws://{address}/");
        let client = tokio::spawn(async move {
            let Ok(mut session) = converse::connect(&url, SessionOptions::default()).await else { return };
            assert!(matches!(session.receive().await, Err(SessionError::Closed(_))));
        });
        assert!(interrupted(server.serve_until(std::future::pending()), polls).await.is_none());
        client.await.unwrap();
        assert!(std::net::TcpListener::bind(address).is_ok(), "{polls}");
    }
}

#[tokio::test]
async fn a_server_that_stops_tells_every_client_1001() {
    let (tell, mut told) = mpsc::unbounded_channel();
    let (ends, mut ended) = mpsc::unbounded_channel();
    let server = Server::new(SessionOptions::default())
        .route("/receives", |mut session: Session| async move {
            while session.receive().await?.is_some() {}
            Ok::<_, SessionError>(())
        })
        .route("/waits", |session: Session| async move {
            session.send("hello").await?;
            session.closed().await;
            Ok::<_, SessionError>(())
        })
        .end_hook(move |end| {
            let code = end.closed.sent.as_ref().map(|reason| reason.code());
            ends.send((matches!(end.outcome, Outcome::Finished), code)).unwrap();
        })
        .shutdown_timeout(NEVER)
        .bind("127.0.0.1:0")
        .await
        .unwrap();
    let address = server.local_addr();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let serve = tokio::spawn(server.serve_until(async { _ = stopped.await }));
    let clients = 20;
    for index in 0..clients {
        let path = ["receives", "waits"][index % 2];
        let session =
            converse::connect(&format!("ws://{address}/{path}"), SessionOptions::default()).await.unwrap();
        let tell = tell.clone();
        tokio::spawn(async move { tell.send(session.closed().await).unwrap() });
    }
    stop.send(()).unwrap();
    serve.await.unwrap();
    for _ in 0..clients {
        let closed = told.recv().await.unwrap();
        assert_eq!(closed.received.as_ref().unwrap().code(), CloseCode::GOING_AWAY);
        assert!(closed.is_clean() && closed.is_normal());
        assert_eq!(ended.recv().await.unwrap(), (true, Some(CloseCode::GOING_AWAY)));
    }
    let refused = converse::connect(&format!("ws://{address}/waits"), SessionOptions::default()).await;
    assert!(refused.unwrap_err().is_disconnected());
}

#[tokio::test]
async fn a_handler_that_panics_does_not_touch_the_others() {
    let server = Server::new(SessionOptions::default())
        .route("/panics", |mut session: Session| async move {
            session.receive().await?;
            panic!("a bug in the application");
            #[allow(unreachable_code)]
            Ok::<_, SessionError>(())
        })
        .route("/echo", |mut session: Session| async move {
            while let Some(message) = session.receive().await? {
                session.send(message).await?;
            }
            Ok::<_, SessionError>(())
        })
        .shutdown_timeout(NEVER)
        .bind("127.0.0.1:0")
        .await
        .unwrap();
    let (address, handle) = (server.local_addr(), server.handle());
    let serve = tokio::spawn(server.serve());
    let connect = |path: &str| {
        let url = format!("ws://{address}/{path}");
        async move { converse::connect(&url, SessionOptions::default()).await.unwrap() }
    };
    let mut other = connect("echo").await;
    for _ in 0..5 {
        let mut victim = connect("panics").await;
        victim.send("go").await.unwrap();
        match victim.receive().await {
            Err(SessionError::Closed(closed)) => {
                let reason = closed.received.as_ref().unwrap();
                assert_eq!((reason.code(), reason.text()), (CloseCode::INTERNAL_ERROR, "internal error"));
            }
            end => panic!("{end:?}"),
        }
        talk(&mut other).await;
    }
    handle.stop();
    drop(other);
    serve.await.unwrap();
}

#[tokio::test]
async fn a_flood_over_tcp_is_slowed_down_by_a_session_that_never_receives() {
    let (hold, mut held) = mpsc::unbounded_channel();
    let server = Server::new(SessionOptions::default())
        .route("/", move |session: Session| {
            // Held elsewhere, and never received from.
            hold.send(session.sender()).unwrap();
            async move {
                session.closed().await;
                Ok::<_, SessionError>(())
            }
        })
        .bind("127.0.0.1:0")
        .await
        .unwrap();
    let url = format!("ws://{}/", server.local_addr());
    let serve = tokio::spawn(server.serve());
    let client = converse::connect(&url, SessionOptions::default()).await.unwrap();
    let _held = held.recv().await.unwrap();
    let mut sent = 0;
    // Far more than the system's buffers take: at some point there is no room for many rounds.
    while sent < 4_096 && interrupted(client.send(vec![0; 64 * 1024]), 1_000).await.is_some() {
        sent += 1;
    }
    assert!(sent < 4_096);
    serve.abort();
}
