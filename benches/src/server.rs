//! A contender's server on a thread of its own, so that its CPU time and its thread-local state can be told apart.

use std::{
    future::Future,
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, mpsc},
    thread::{self, JoinHandle},
};

use tokio::{
    net::{TcpListener, TcpStream},
    sync::oneshot,
    task::LocalSet,
};

use crate::{Result, clock::CpuClock};

/// What a server does until it is dropped.
pub type Serving = Pin<Box<dyn Future<Output = ()>>>;

/// Starts a server's work on a listener.
pub type Serve = Arc<dyn Fn(TcpListener) -> Serving + Send + Sync>;

/// A server that listens on 127.0.0.1. It ends when it is dropped.
#[derive(Debug)]
pub struct Running {
    /// Where it listens.
    pub address: SocketAddr,
    /// The CPU clock of its thread.
    pub clock: CpuClock,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    /// Starts a server.
    ///
    /// # Errors
    /// When no thread or no port can be had.
    pub fn start(serve: Serve) -> Result<Self> {
        let (told, tell) = mpsc::channel();
        let (stop, stopped) = oneshot::channel();
        let thread = thread::Builder::new().spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            let tasks = LocalSet::new();
            tasks.block_on(&runtime, async move {
                let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
                let address = listener.local_addr().expect("it is bound");
                told.send((address, CpuClock::of_this_thread())).expect("the starter waits");
                tokio::select! { () = serve(listener) => {} _ = stopped => {} }
            });
        })?;
        let (address, clock) = tell.recv()?;
        Ok(Self { address, clock, stop: Some(stop), thread: Some(thread) })
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

/// Makes a server of what one connection does, each in a task of its own.
pub fn each<H, F>(handle: H) -> Serve
where
    H: Fn(TcpStream) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Result<()>> + 'static,
{
    Arc::new(move |listener| {
        let handle = handle.clone();
        Box::pin(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let handled = stream.set_nodelay(true).map(|()| handle(stream));
                tokio::task::spawn_local(async move {
                    // Clients end their connections without a Close frame, which some servers call an error.
                    if let Ok(handled) = handled {
                        let _ = handled.await;
                    }
                });
            }
        })
    })
}
