//! How a server stops, and what does not stop it: what is accepted is delivered, everyone is told 1001, the stubborn
//! are cut, and a lack of descriptors passes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod wire;

use std::{future::pending, time::Duration};

use converse::{CloseReason, Message, Server, Session, SessionOptions, session::BoxError};
use tokio::{net::TcpStream, sync::mpsc};
use wire::{CLOSE, FIN, Got, HEAD, Running, TEXT, Wire, close, echo, in_time, masked, start};

/// A time that nobody waits for: where one of these would have to pass, the test hangs.
const NEVER: Duration = Duration::from_secs(3600);
/// A time that passes in these tests.
const SOON: Duration = Duration::from_millis(300);

fn patient() -> SessionOptions {
    SessionOptions::default().close_timeout(NEVER).write_timeout(NEVER).ping_interval(None)
}

fn server(options: SessionOptions) -> Server {
    Server::new(options).route("/", echo).shutdown_timeout(NEVER).handshake_timeout(NEVER)
}

async fn stopped(server: Running) {
    in_time(server.task).await.unwrap();
    assert_eq!(server.handle.sessions(), 0);
    assert!(TcpStream::connect(server.address).await.is_err(), "nobody listens any more");
}

#[tokio::test]
async fn all_are_told_1001_and_the_server_returns_when_they_have_answered() {
    let server = start(server(patient())).await;
    let mut peers = Vec::new();
    for _ in 0..20 {
        peers.push(Wire::open(server.address).await);
    }
    assert_eq!(server.handle.sessions(), 20);
    server.handle.stop();
    for peer in &mut peers {
        let got = peer.frame().await;
        assert_eq!((got.close_code(), &got.payload[2..]), (Some(1001), &b"server stops"[..]));
    }
    assert!(TcpStream::connect(server.address).await.is_err(), "the listener went first");
    assert!(!server.task.is_finished());
    for mut peer in peers {
        peer.send(&masked(CLOSE, &close(1001))).await;
        assert_eq!(peer.frames().await, []);
    }
    stopped(server).await;
}

#[tokio::test]
async fn what_was_accepted_is_delivered_before_the_close() {
    let (accepted, mut queued) = mpsc::unbounded_channel();
    let burst = move |session: Session| {
        let accepted = accepted.clone();
        async move {
            for i in 0..50u8 {
                session.send(vec![i; 100_000]).await?;
            }
            accepted.send(()).unwrap();
            session.closed().await;
            Ok::<(), BoxError>(())
        }
    };
    let options = patient().send_queue(1 << 30, 1 << 30);
    let server = start(Server::new(options).route("/", burst).shutdown_timeout(NEVER)).await;
    let mut peer = Wire::open(server.address).await;
    in_time(queued.recv()).await.unwrap();
    server.handle.stop();
    for i in 0..50u8 {
        assert_eq!(peer.frame().await, Got { first: FIN | 2, masked: false, payload: vec![i; 100_000] });
    }
    assert_eq!(peer.frame().await.close_code(), Some(1001));
    peer.send(&masked(CLOSE, &close(1001))).await;
    stopped(server).await;
}

#[tokio::test]
async fn handlers_learn_of_the_stop_and_come_to_their_end() {
    let (ended, mut ends) = mpsc::unbounded_channel();
    let handler = move |mut session: Session| {
        let ended = ended.clone();
        async move {
            let last = session.receive().await?;
            // Work that takes longer than the connection.
            tokio::time::sleep(Duration::from_millis(50)).await;
            ended.send((last, session.closed().await)).unwrap();
            Ok::<(), BoxError>(())
        }
    };
    let server = start(Server::new(patient()).route("/", handler).shutdown_timeout(NEVER)).await;
    let mut peer = Wire::open(server.address).await;
    server.handle.stop();
    assert_eq!(peer.frame().await.close_code(), Some(1001));
    peer.send(&masked(CLOSE, &close(1001))).await;
    let (last, closed) = in_time(ends.recv()).await.unwrap();
    assert_eq!(last, None, "a stop is a normal end");
    assert_eq!(closed.sent.as_ref().map(|sent| sent.code().get()), Some(1001));
    assert!(closed.is_clean());
    stopped(server).await;
}

#[tokio::test]
async fn the_stubborn_are_cut_at_the_deadline() {
    async fn never_ends(_session: Session) -> Result<(), BoxError> {
        pending().await
    }
    let (told, mut ends) = mpsc::unbounded_channel();
    let server = server(patient()).route("/never", never_ends).shutdown_timeout(SOON);
    let server = server.end_hook(move |end| {
        told.send(format!("{} {}", end.request.path(), end.outcome)).unwrap();
    });
    let server = start(server).await;
    let mut silent = Wire::open(server.address).await;
    let mut endless = Wire::connect(server.address).await;
    endless.ask(&format!("{HEAD}\r\n").replace("GET / ", "GET /never ")).await;
    let mut half = Wire::connect(server.address).await;
    half.send(HEAD.as_bytes()).await;
    while server.handle.sessions() < 2 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    server.handle.stop();
    assert_eq!(endless.frame().await.close_code(), Some(1001));
    endless.send(&masked(CLOSE, &close(1001))).await;
    assert_eq!(silent.frame().await.close_code(), Some(1001));
    stopped(server).await;
    // Those that were cut have ended too, and their ends are told.
    let mut cut = [in_time(ends.recv()).await.unwrap(), in_time(ends.recv()).await.unwrap()];
    cut.sort();
    assert_eq!(cut, ["/ dropped", "/never dropped"]);
    // No more than the end of TCP is left, in whatever order.
    assert!(!matches!(silent.next().await, Ok(Some(_))));
    while !half.head().await.is_empty() {}
}

#[tokio::test]
async fn connections_in_their_handshake_do_not_hold_up_the_stop() {
    let server = start(server(patient())).await;
    let mut silent = Wire::connect(server.address).await;
    let mut half = Wire::connect(server.address).await;
    half.send(HEAD.as_bytes()).await;
    let mut open = Wire::open(server.address).await;
    server.handle.stop();
    assert_eq!(open.frame().await.close_code(), Some(1001));
    // Who has not asked for anything yet will not: the answer is that nobody is served any more.
    let answer = half.head().await;
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer:?}");
    silent.rest().await;
    half.rest().await;
    open.send(&masked(CLOSE, &close(1001))).await;
    stopped(server).await;
}

#[tokio::test]
async fn a_peer_may_say_its_last_words_while_the_server_stops() {
    let server = start(server(patient())).await;
    let mut peer = Wire::open(server.address).await;
    server.handle.stop();
    peer.send(&[masked(TEXT, b"one more"), masked(CLOSE, &close(1000))].concat()).await;
    let frames = peer.frames().await;
    assert_eq!(frames.last().and_then(Got::close_code), Some(1001), "{frames:?}");
    stopped(server).await;
}

#[tokio::test]
async fn a_stop_before_serving_and_a_second_stop_do_no_harm() {
    let bound = server(patient()).bind("127.0.0.1:0").await.unwrap();
    let handle = bound.handle();
    handle.stop();
    handle.stop();
    in_time(bound.serve()).await;
    handle.stop();
    let bound = server(patient()).bind("127.0.0.1:0").await.unwrap();
    in_time(bound.serve_until(std::future::ready(()))).await;
}

#[tokio::test]
async fn dropping_serve_cuts_everything() {
    let server = start(server(patient())).await;
    let mut peer = Wire::open(server.address).await;
    server.task.abort();
    assert!(!matches!(peer.next().await, Ok(Some(_))));
    assert_eq!(server.handle.sessions(), 0);
}

#[tokio::test]
async fn a_client_of_ours_sees_a_normal_end() {
    let server = start(server(patient())).await;
    let url = format!("ws://{}/", server.address);
    let mut session = converse::connect(&url, patient()).await.unwrap();
    session.send("hi").await.unwrap();
    assert_eq!(in_time(session.receive()).await.unwrap(), Some(Message::from("hi")));
    server.handle.stop();
    assert_eq!(in_time(session.receive()).await.unwrap(), None);
    let closed = session.close(CloseReason::NORMAL).await;
    assert_eq!(closed.received.as_ref().map(|reason| reason.code().get()), Some(1001));
    stopped(server).await;
}

/// Set for the process that may use up its descriptors.
const ALONE: &str = "CONVERSE_TEST_ALONE";

/// Runs this test in a process of its own; `true` in there.
fn alone(name: &str) -> bool {
    if std::env::var_os(ALONE).is_some() {
        return true;
    }
    let mut command = std::process::Command::new(std::env::current_exe().unwrap());
    let done = command.args(["--exact", name, "--nocapture"]).env(ALONE, "1").output().unwrap();
    let told = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{told}");
    false
}

#[cfg(target_os = "linux")]
#[test]
fn a_lack_of_descriptors_passes() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    if !alone("a_lack_of_descriptors_passes") {
        return;
    }
    let lack = async {
        let server = start(server(patient())).await;
        let mut before = Wire::open(server.address).await;
        let maximum = getrlimit(Resource::Nofile).maximum;
        setrlimit(Resource::Nofile, Rlimit { current: Some(100), maximum }).unwrap();
        let mut hoard: Vec<std::fs::File> =
            std::iter::from_fn(|| std::fs::File::open("/dev/null").ok()).collect();
        for _ in 0..3 {
            // One descriptor for the client, none for the server.
            hoard.pop();
            let mut late = Wire::connect(server.address).await;
            late.send(format!("{HEAD}\r\n").as_bytes()).await;
            tokio::time::sleep(Duration::from_millis(100)).await;
            before.send(&masked(TEXT, b"still served")).await;
            assert_eq!(before.frame().await.payload, b"still served");
            assert_eq!(server.handle.sessions(), 1, "there was no descriptor to accept with");
            hoard.pop();
            assert!(late.head().await.starts_with("HTTP/1.1 101 "), "accepted once there was one");
            late.send(&masked(CLOSE, b"")).await;
            late.frames().await;
            drop(late);
            while server.handle.sessions() > 1 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
            hoard.extend(std::iter::from_fn(|| std::fs::File::open("/dev/null").ok()));
        }
        // A stop is heard also while there is none.
        hoard.pop();
        let waiting = Wire::connect(server.address).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
        server.handle.stop();
        assert_eq!(before.frame().await.close_code(), Some(1001));
        before.send(&masked(CLOSE, b"")).await;
        in_time(server.task).await.unwrap();
        drop(waiting);
    };
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(lack);
}

/// It cannot be cut, and the server stops without it. While it blocks nobody may look at sockets and timers, so that the
/// peers are this thread's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handler_that_blocks_its_thread_is_left_behind() {
    let (release, released) = std::sync::mpsc::channel::<()>();
    let released = std::sync::Arc::new(std::sync::Mutex::new(released));
    let blocks = move |_session: Session| {
        let released = std::sync::Arc::clone(&released);
        async move {
            let _ = released.lock().unwrap().recv();
            Ok::<_, BoxError>(())
        }
    };
    let server = server(patient()).route("/blocks", blocks).shutdown_timeout(SOON);
    let server = start(server).await;
    let _silent = Wire::open(server.address).await;
    let mut blocked = std::net::TcpStream::connect(server.address).unwrap();
    let head = format!("{HEAD}\r\n").replace("GET / ", "GET /blocks ");
    std::io::Write::write_all(&mut blocked, head.as_bytes()).unwrap();
    while server.handle.sessions() < 2 {
        std::thread::sleep(Duration::from_millis(5));
    }
    server.handle.stop();
    in_time(server.task).await.unwrap();
    assert_eq!(server.handle.sessions(), 1, "the one that cannot be cut");
    release.send(()).unwrap();
    while server.handle.sessions() > 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// A value of the application that panics when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        assert!(std::thread::panicking(), "dropped");
    }
}

#[tokio::test]
async fn a_session_that_is_cut_is_told_whatever_panics_meanwhile() {
    let (told, mut ends) = mpsc::unbounded_channel();
    let never = |_session: Session| async {
        let _bomb = Bomb;
        pending::<Result<(), BoxError>>().await
    };
    let server = server(patient()).route("/never", never).shutdown_timeout(SOON);
    let server = server.end_hook(|_| panic!("a hook")).end_hook(move |end| {
        told.send(end.outcome.to_string()).unwrap();
    });
    let server = start(server).await;
    let mut peer = Wire::connect(server.address).await;
    peer.ask(&format!("{HEAD}\r\n").replace("GET / ", "GET /never ")).await;
    server.handle.stop();
    in_time(server.task).await.unwrap();
    assert_eq!(in_time(ends.recv()).await.unwrap(), "dropped");
}
