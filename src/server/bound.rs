//! A server that listens, and how it is stopped. Knows no handshake.

use std::{
    fmt,
    future::{Future, ready},
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};

use tokio::{net::TcpListener, sync::Notify, task::JoinSet, time::timeout};

use crate::{
    frame::{CloseCode, CloseReason},
    server::{
        ServerError, accept::Acceptor, connection::Shared, registry::Registry, route::Routes,
        settings::Settings,
    },
    session::Pool,
};

/// How long those that were cut may take to be gone.
const LEAVE: Duration = Duration::from_millis(100);

/// A server that listens. Connections wait in the system's queue until [`serve`](Self::serve) runs.
pub struct BoundServer {
    listener: TcpListener,
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: Arc<Notify>,
}

/// Looks at and stops a server from elsewhere.
#[derive(Clone)]
pub struct ServerHandle {
    registry: Arc<Registry>,
    pool: Arc<Pool>,
    stop: Arc<Notify>,
}

impl BoundServer {
    pub(crate) fn new(
        listener: TcpListener,
        routes: Routes,
        settings: Settings,
    ) -> Result<Self, ServerError> {
        let address = listener.local_addr().map_err(ServerError::Bind)?;
        let pool = Pool::new(settings.memory);
        let shared = Arc::new(Shared { routes, settings, registry: Arc::default(), pool });
        Ok(Self { listener, address, shared, stop: Arc::new(Notify::new()) })
    }

    /// Returns the address with the port that was chosen.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Returns a handle that stops the server.
    pub fn handle(&self) -> ServerHandle {
        let Shared { registry, pool, .. } = &*self.shared;
        ServerHandle { registry: Arc::clone(registry), pool: Arc::clone(pool), stop: Arc::clone(&self.stop) }
    }

    /// Serves until the [handle](Self::handle) stops it. What goes wrong with a connection ends that
    /// connection, so there is nothing this call could fail with.
    ///
    /// A handler that blocks its thread cannot be cut. Where another thread of the runtime is free, this returns without it
    /// a tenth of a second after the shutdown timeout, and a warning names its connection; the runtime still waits for it
    /// when it ends ([`Runtime::shutdown_timeout`](tokio::runtime::Runtime::shutdown_timeout)). If the blocked thread was
    /// the one that looks at sockets and timers, nothing goes on until another one wakes: a call of
    /// [`stop`](ServerHandle::stop) from outside of the runtime wakes one, a signal does not. On a runtime of one thread
    /// nothing goes on until the handler does.
    ///
    /// Stopping closes the listener, answers 503 to those still in their handshake, sends every other
    /// client a Close frame with 1001, lets the handlers come to their end, and cuts what is left after
    /// the shutdown timeout.
    ///
    /// # Cancel safety
    /// Dropping the call cuts all connections.
    pub async fn serve(self) {
        self.serve_until(std::future::pending()).await;
    }

    /// Serves until `stop` completes or the [handle](Self::handle) stops it, as [`serve`](Self::serve).
    ///
    /// # Cancel safety
    /// Dropping the call cuts all connections.
    pub async fn serve_until(self, stop: impl Future<Output = ()>) {
        let Self { listener, shared, stop: handle, .. } = self;
        let mut acceptor = Acceptor::new(&listener, &shared);
        tokio::select! {
            never = acceptor.run() => match never {},
            () = stop => {}
            () = handle.notified() => {}
        }
        let tasks = acceptor.into_tasks();
        drop(listener);
        shut_down(tasks, &shared.registry, shared.settings.shutdown_timeout).await;
    }
}

async fn shut_down(mut tasks: JoinSet<()>, registry: &Registry, time: Duration) {
    // A handler may block the thread that looked at the timers: this wakes another one, which looks at them from now on.
    tokio::spawn(ready(()));
    registry.close_all(&CloseReason::new(CloseCode::GOING_AWAY, "server stops"));
    let ended = timeout(time, async { while tasks.join_next().await.is_some() {} }).await;
    if ended.is_err() {
        tracing::warn!(connections = tasks.len(), "connections did not end in time and are cut");
        tasks.abort_all();
        // What is cut ends as soon as a thread looks at it; what blocks its thread does not.
        if timeout(LEAVE, async { while tasks.join_next().await.is_some() {} }).await.is_err() {
            registry.name_all();
            tasks.detach_all();
        }
    }
}

impl ServerHandle {
    /// Stops the server, as [`BoundServer::serve`] tells; does not wait for it.
    pub fn stop(&self) {
        self.stop.notify_one();
    }

    /// Returns how many sessions are open.
    pub fn sessions(&self) -> usize {
        self.registry.len()
    }

    /// Returns how many bytes of [`Server::memory`](crate::Server::memory) are held now: what connections hold for
    /// their peers beyond the 64 KiB that each may.
    pub fn memory(&self) -> usize {
        self.pool.used()
    }
}

impl fmt::Debug for BoundServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BoundServer").field("address", &self.address).finish_non_exhaustive()
    }
}

impl fmt::Debug for ServerHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerHandle").field("sessions", &self.sessions()).finish()
    }
}
