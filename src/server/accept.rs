//! Takes connections off a listener, and survives whatever accepting them throws. Knows no handshake.

use std::{
    convert::Infallible,
    io::{self, Write},
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};

use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::JoinSet,
    time::Instant,
};

use crate::{
    handshake::Rejection,
    server::{
        connection::{Peer, Shared, serve},
        events,
    },
};

/// How many connections over the limit are told so properly; those beyond it get a bare 503.
const TOLD: usize = 64;
/// The shortest and the longest pause after the system could give no socket.
const PAUSE: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(1));

/// Accepts until dropped, and spawns each connection onto `tasks`.
pub(crate) struct Acceptor<'a> {
    listener: &'a TcpListener,
    shared: &'a Arc<Shared>,
    tasks: JoinSet<()>,
    /// One permit per connection that the server may have.
    places: Arc<Semaphore>,
    pause: Duration,
}

impl<'a> Acceptor<'a> {
    /// Builds an acceptor without connections.
    pub(crate) fn new(listener: &'a TcpListener, shared: &'a Arc<Shared>) -> Self {
        let places = shared.settings.max_connections.min(Semaphore::MAX_PERMITS);
        let places = Arc::new(Semaphore::new(places));
        Self { listener, shared, tasks: JoinSet::new(), places, pause: PAUSE.0 }
    }

    /// Ends the accepting, and hands over the connections.
    pub(crate) fn into_tasks(self) -> JoinSet<()> {
        self.tasks
    }

    /// Accepts for ever.
    pub(crate) async fn run(&mut self) -> Infallible {
        loop {
            tokio::select! {
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, address)) => {
                        self.pause = PAUSE.0;
                        self.spawn(stream, address);
                    }
                    Err(error) => self.recover(&error).await,
                },
                Some(_) = self.tasks.join_next(), if !self.tasks.is_empty() => {}
            }
        }
    }

    /// A connection that failed before it was accepted is no reason to wait; a lack of sockets or memory
    /// (EMFILE, ENFILE, ENOBUFS, ENOMEM) is, until other connections have ended.
    async fn recover(&mut self, error: &io::Error) {
        use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
        if matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted) {
            return;
        }
        tracing::warn!(%error, pause = ?self.pause, "cannot accept connections");
        tokio::time::sleep(self.pause).await;
        self.pause = (self.pause * 2).min(PAUSE.1);
    }

    fn spawn(&mut self, stream: TcpStream, address: SocketAddr) {
        let settings = &self.shared.settings;
        // A connection gives its place up when it ends, those over the limit never had one.
        let place = Arc::clone(&self.places).try_acquire_owned().ok();
        if place.is_none() && self.tasks.len() >= settings.max_connections.saturating_add(TOLD) {
            // Not worth a task: most clients will see the answer, all will see the end.
            events::refused(address);
            refuse(stream, settings.is_secure());
            return;
        }
        // Without it small messages wait for the peer's acknowledgements.
        let _ = stream.set_nodelay(true);
        let deadline = Instant::now() + settings.handshake_timeout;
        let peer = Peer { address, secure: settings.is_secure(), place, deadline };
        let shared = Arc::clone(self.shared);
        #[cfg(feature = "tls")]
        if let Some(tls) = settings.tls.clone() {
            self.tasks.spawn(async move {
                let agreed = tokio::time::timeout_at(deadline, tls.accept(stream));
                let agreed = tokio::select! {
                    agreed = agreed => agreed,
                    () = shared.registry.closing() => return,
                };
                match agreed {
                    Ok(Ok(stream)) => serve(stream, peer, shared).await,
                    Ok(Err(error)) => events::tls_failed(address, &error),
                    Err(_) => events::tls_failed(address, &std::io::ErrorKind::TimedOut.into()),
                }
            });
            return;
        }
        self.tasks.spawn(serve(stream, peer, shared));
    }
}

/// Writes a bare 503, unless the peer expects TLS. Not through tokio, which may not know yet that a fresh socket
/// is writable.
fn refuse(stream: TcpStream, secure: bool) {
    if let Ok(mut stream) = stream.into_std()
        && !secure
    {
        let _ = stream.write(&Rejection::service_unavailable(Some(PAUSE.1)).to_bytes());
    }
}
