//! One busy connection on one thread: how much it does before the sockets of others are looked at, counted and not
//! timed. Its peer has a thread of its own, so that what is written is always taken.
#![allow(clippy::unwrap_used)]

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use converse::{
    Client, CloseCode, PerMessageDeflate, Server, Session, SessionOptions,
    rpc::{Router, Status},
};
use futures::future::join_all;
use serde::{Serialize, Serializer};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    runtime,
};

const MESSAGES: usize = 64;
/// So long that compressing one is a turn.
const LEN: usize = 64 * 1024;
/// Messages that may be compressed between two looks: that of the turn, and those of the round of the runtime in which
/// the byte is on its way.
const MOST: usize = 3;
/// Answers that may be encoded meanwhile, as many of them wait to be compressed.
const MOST_ANSWERS: usize = 8;

fn options() -> SessionOptions {
    SessionOptions::default().extension(PerMessageDeflate::new())
}

/// Letters of which none is foreseen.
fn noise() -> String {
    (0..LEN).map(|_| char::from(b'0' + rand::random_range(0..64))).collect()
}

#[derive(Clone, Default)]
struct Done(Arc<AtomicUsize>);

impl Done {
    fn count(&self) {
        self.0.fetch_add(1, SeqCst);
    }

    /// Sends a byte to itself over a socket for ever, and counts what is done between two of them.
    async fn look(self, most: Arc<AtomicUsize>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut here = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (mut there, _) = listener.accept().await.unwrap();
        loop {
            let before = self.0.load(SeqCst);
            here.write_all(b"x").await.unwrap();
            there.read_exact(&mut [0]).await.unwrap();
            most.fetch_max(self.0.load(SeqCst) - before, SeqCst);
        }
    }
}

/// Counts when it is encoded.
struct Answer {
    noise: String,
    done: Done,
}

impl Serialize for Answer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.done.count();
        self.noise.serialize(serializer)
    }
}

/// Serves on this thread while a client talks on another one; returns the most that was done between two looks.
async fn most_in_a_row<F, T>(
    server: Server,
    done: Done,
    talk: impl FnOnce(String) -> F + Send + 'static,
) -> usize
where
    F: Future<Output = T>,
{
    let most = Arc::default();
    let looks = tokio::spawn(done.clone().look(Arc::clone(&most)));
    let server = server.bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/", server.local_addr());
    let serving = tokio::spawn(server.serve());
    let client = tokio::task::spawn_blocking(move || {
        let runtime = runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(talk(url));
    });
    client.await.unwrap();
    let begun = Instant::now();
    while done.0.load(SeqCst) < MESSAGES && begun.elapsed() < Duration::from_secs(10) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    looks.abort();
    serving.abort();
    assert_eq!(done.0.load(SeqCst), MESSAGES);
    most.load(SeqCst)
}

#[tokio::test]
async fn a_session_that_compresses_long_messages_lets_the_sockets_be_looked_at() {
    let done = Done::default();
    let counting = done.clone();
    let server = Server::new(options()).route("/", move |session: Session| {
        let done = counting.clone();
        async move {
            let noise = noise();
            for _ in 0..MESSAGES {
                session.send(noise.clone()).await?;
                done.count();
            }
            session.flush().await
        }
    });
    let talk = |url: String| async move {
        let mut session = Client::new(options()).connect(&url).await.unwrap();
        while session.receive().await.unwrap().is_some() {}
    };
    let most = most_in_a_row(server, done, talk).await;
    assert!(most <= MOST, "{most} messages in a row");
}

#[tokio::test]
async fn a_conversation_that_compresses_long_answers_lets_the_sockets_be_looked_at() {
    let done = Done::default();
    let (counting, noise) = (done.clone(), noise());
    let router = Router::new().call("noise", move |_, (): ()| {
        let answer = Answer { noise: noise.clone(), done: counting.clone() };
        async move { Ok::<_, Status>(answer) }
    });
    let server = Server::new(options()).rpc("/", router);
    let talk = |url: String| async move {
        let peer = Client::new(options()).rpc(&url, Router::new()).await.unwrap();
        let call = |_| peer.call::<_, String>("noise", ()).into_future();
        let calls = join_all((0..MESSAGES).map(call)).await;
        assert!(calls.into_iter().all(|answer| answer.is_ok_and(|noise| noise.len() == LEN)));
        peer.close(CloseCode::NORMAL).await;
    };
    let most = most_in_a_row(server, done, talk).await;
    assert!(most <= MOST_ANSWERS, "{most} answers in a row");
}

/// Calls that compute, of a peer that leaves at once: they are handled nevertheless, a turn at a time.
#[tokio::test]
async fn a_conversation_whose_peer_has_left_lets_the_sockets_be_looked_at() {
    let done = Done::default();
    let counting = done.clone();
    let router = Router::new().call("compute", move |_, _: [(); 0]| {
        let done = counting.clone();
        async move {
            let begun = Instant::now();
            while begun.elapsed() < Duration::from_millis(1) {
                std::hint::spin_loop();
            }
            done.count();
            Ok::<_, Status>(())
        }
    });
    let server = Server::new(SessionOptions::default()).rpc("/", router);
    let talk = |url: String| async move {
        let options = SessionOptions::default().subprotocol("converse.v1.json");
        let session = Client::new(options).connect(&url).await.unwrap();
        let calls: Vec<_> =
            (0..MESSAGES).map(|n| format!(r#"{{"id":{},"method":"compute"}}"#, 2 * n + 1)).collect();
        session.send(r#"{"hello":{}}"#).await.unwrap();
        session.send(calls.join("\n")).await.unwrap();
        session.flush().await.unwrap();
    };
    let most = most_in_a_row(server, done, talk).await;
    assert!(most <= MOST_ANSWERS, "{most} calls in a row");
}
