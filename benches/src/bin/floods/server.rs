//! The server that is flooded, on a thread of its own, and methods that take their time.

use std::{
    future::pending,
    net::SocketAddr,
    sync::mpsc,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use converse::{
    Server, SessionOptions,
    rpc::{Options, Protocol, Router, Status},
};
use converse_benches::Result;
use serde::{Serialize, Serializer};
use tokio::{runtime::Builder, sync::oneshot};

/// What each handler takes, or its drop, or the encoding of its answer.
const SLOW: Duration = Duration::from_millis(1);

/// A server that ends when it is dropped.
pub struct Running {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Starts a server on its own runtime.
///
/// # Errors
/// When no thread or no port can be had.
pub fn start(mut runtime: Builder, router: Router) -> Result<Running> {
    let (told, tell) = mpsc::channel();
    let (stop, stopped) = oneshot::channel::<()>();
    let thread = thread::Builder::new().spawn(move || {
        let runtime = runtime.enable_all().build().expect("a runtime");
        runtime.block_on(async move {
            let server = Server::new(SessionOptions::default()).rpc("/", router);
            let server = server.bind("127.0.0.1:0").await.expect("a free port");
            told.send(server.local_addr()).expect("the starter waits");
            // On a worker, as every server's connections are, where there are some.
            let serving = tokio::spawn(server.serve());
            let _ = stopped.await;
            serving.abort();
        });
        runtime.shutdown_background();
    })?;
    Ok(Running { address: tell.recv()?, stop: Some(stop), thread: Some(thread) })
}

impl Running {
    /// Returns where it listens.
    pub fn url(&self) -> String {
        format!("ws://{}/", self.address)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            // A server that panicked has failed its clients too, and they have said so.
            let _ = thread.join();
        }
    }
}

/// Returns the methods that the floods call, and the one that others do.
pub fn router() -> Router {
    let options = Options::default().without_subprotocol(Protocol::json_rpc());
    Router::new()
        .options(options)
        .call("add", |_, (a, b): (i64, i64)| async move { Ok::<_, Status>(a + b) })
        .call("spin", |_, _: [(); 0]| async move {
            spin(SLOW);
            Ok::<_, Status>(())
        })
        .call("compute", |_, (millis,): (u64,)| async move {
            spin(Duration::from_millis(millis));
            Ok::<_, Status>(())
        })
        .call("held", |_, _: [(); 0]| {
            let held = SlowToDrop;
            async move {
                pending::<()>().await;
                drop(held);
                Ok::<_, Status>(())
            }
        })
        .call("written", |_, _: [(); 0]| async move { Ok::<_, Status>(SlowToWrite) })
        .call("large", |_, _: [(); 0]| async move { Ok::<_, Status>("x".repeat(1_000_000)) })
}

/// Uses the thread for a while.
pub fn spin(time: Duration) {
    let begun = Instant::now();
    while begun.elapsed() < time {
        std::hint::spin_loop();
    }
}

struct SlowToDrop;

impl Drop for SlowToDrop {
    fn drop(&mut self) {
        spin(SLOW);
    }
}

struct SlowToWrite;

impl Serialize for SlowToWrite {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        spin(SLOW);
        serializer.serialize_u8(1)
    }
}
