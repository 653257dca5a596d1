//! Floor 6: listens, accepts, upgrades, and runs a handler per connection. Knows nothing of dialling.

mod accept;
mod bound;
mod connection;
mod error;
mod events;
mod hook;
mod registry;
mod route;
mod settings;

use std::{future::Future, sync::Arc, time::Duration};

use http::HeaderValue;
use tokio::{
    net::{TcpListener, ToSocketAddrs},
    runtime::Handle,
};

pub use bound::{BoundServer, ServerHandle};
pub use error::ServerError;
pub use hook::RequestHook;
pub use settings::{End, EndHook};

use crate::{
    engine::LONGEST,
    handshake::OriginPolicy,
    server::{route::Routes, settings::Settings},
    session::{BoxError, RawSession, Session, SessionOptions},
};

/// A server under construction: routes, options and rules for who may connect.
///
/// ```no_run
/// use converse::{Server, Session, SessionOptions};
///
/// async fn echo(mut session: Session) -> converse::Result<()> {
///     while let Some(message) = session.receive().await? {
///         session.send(message).await?;
///     }
///     Ok(())
/// }
///
/// # async fn run() -> converse::Result<()> {
/// let server = Server::new(SessionOptions::default()).route("/echo", echo).bind("127.0.0.1:0").await?;
/// println!("listening on {}", server.local_addr());
/// server.serve().await;
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Server {
    options: SessionOptions,
    routes: Routes,
    settings: Settings,
    error: Option<ServerError>,
}

impl Server {
    /// Begins a server whose sessions have these options, unless their route has its own.
    pub fn new(options: SessionOptions) -> Self {
        Self { options, routes: Routes::default(), settings: Settings::default(), error: None }
    }

    /// Runs `handler` for each connection to a path.
    ///
    /// A path is compared as the request has it, and nothing in it is decoded before: `/%61` is another one than `/a`, for
    /// [`route_hook`](Self::route_hook) too. It may hold parameters: `/chat/{room}` matches one segment, `/files/{*rest}`
    /// the whole rest; [`Request::param`](crate::handshake::Request::param) returns them. When the handler returns, the
    /// connection is closed: with 1000, or with 1011 after an error. A path that is malformed or doubled
    /// is reported by [`bind`](Self::bind).
    #[must_use]
    pub fn route<H, F, E>(self, path: &str, handler: H) -> Self
    where
        H: Fn(Session) -> F + Send + Sync + 'static,
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<BoxError>,
    {
        let options = self.options.clone();
        self.route_with(path, options, handler)
    }

    /// Runs `handler` for each connection to a path, with options of its own: another converter, other limits,
    /// subprotocols or extensions.
    #[must_use]
    pub fn route_with<H, F, E>(mut self, path: &str, options: SessionOptions, handler: H) -> Self
    where
        H: Fn(Session) -> F + Send + Sync + 'static,
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<BoxError>,
    {
        let added = self.routes.add(path, options, false, handler);
        added.unwrap_or_else(|error| self.fault(error));
        self
    }

    /// Runs `handler` for each connection to a path with every frame, control frames included (Ktor's
    /// `webSocketRaw`).
    #[must_use]
    pub fn route_raw<H, F, E>(self, path: &str, handler: H) -> Self
    where
        H: Fn(RawSession) -> F + Send + Sync + 'static,
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<BoxError>,
    {
        let options = self.options.clone();
        self.route_raw_with(path, options, handler)
    }

    /// Runs `handler` for each connection to a path with every frame, with options of its own.
    #[must_use]
    pub fn route_raw_with<H, F, E>(mut self, path: &str, options: SessionOptions, handler: H) -> Self
    where
        H: Fn(RawSession) -> F + Send + Sync + 'static,
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<BoxError>,
    {
        let handler = move |session| handler(RawSession::new(session));
        let added = self.routes.add(path, options, true, handler);
        added.unwrap_or_else(|error| self.fault(error));
        self
    }

    /// Chooses which web pages may connect (RFC 6455 §10.2); others see 403. Default: pages of the same
    /// host. One policy holds: a second one is reported by [`bind`](Self::bind).
    #[must_use]
    pub fn origin_policy(mut self, policy: OriginPolicy) -> Self {
        if self.settings.origin.replace(policy).is_some() {
            self.fault(ServerError::Twice("origin_policy"));
        }
        self
    }

    /// Names the hosts that requests may ask for, each as `host` for any port or as `host:port`; a request for another
    /// one gets 421. A request without a port asks for 443 on TLS, and for 80 without. Against DNS rebinding: a page whose
    /// host was made to mean this server passes the origin policy of the same host, because both are the page's. A server
    /// that only listens on an address of its own machine or network should have it. Called again it adds more; without any
    /// host in it every one is served, which is the default. What is malformed is reported by [`bind`](Self::bind).
    #[must_use]
    pub fn hosts<S: Into<String>>(mut self, hosts: impl IntoIterator<Item = S>) -> Self {
        for host in hosts {
            let added = self.settings.hosts.add(host.into()).map_err(ServerError::Host);
            added.unwrap_or_else(|error| self.fault(error));
        }
        self
    }

    /// Asks `hook` about each request before it is answered, after the origin policy and the routing: it may
    /// reject it, attach state to it, or add headers to the answer. Several are asked in the order in which they were
    /// given; what one has attached the next one sees, and the first rejection counts.
    #[must_use]
    pub fn request_hook(mut self, hook: impl RequestHook) -> Self {
        self.settings.hooks.push(Arc::new(hook));
        self
    }

    /// Asks `hook` about each request for one path, behind those of [`request_hook`](Self::request_hook) and like them.
    /// `path` is written as it is at its route, parameters included, which may be added before or after; a path without
    /// a route is reported by [`bind`](Self::bind).
    #[must_use]
    pub fn route_hook(mut self, path: &str, hook: impl RequestHook) -> Self {
        self.routes.add_hook(path, Arc::new(hook));
        self
    }

    /// Calls `hook` when a session has ended and its handler too, with how they did (Ktor's onClose and
    /// onError). Not called for requests that became no session. It runs in the connection's task. Several are called in
    /// the order in which they were given.
    #[must_use]
    pub fn end_hook(mut self, hook: impl Fn(&End<'_>) + Send + Sync + 'static) -> Self {
        self.settings.end_hooks.push(Arc::new(hook));
        self
    }

    /// Limits the connections at a time, those in their handshake included; others see 503 with
    /// `Retry-After: 1`. Default: 50,000.
    #[must_use]
    pub fn max_connections(mut self, connections: usize) -> Self {
        self.settings.max_connections = connections;
        self
    }

    /// Limits what all connections together hold for their peers, in bytes. Default: 256 MiB.
    ///
    /// Counted is what was received and is not done with: messages under way, messages that wait to be received, and
    /// with [calls and streams](crate::docs::rpc) what they have become once decoded. What a connection holds up to
    /// 64 KiB is not counted here: it is there for each, however much the others hold. What a session's handler has
    /// taken is its own and not counted, and neither are the buffers of TLS, of the system, and of what is sent.
    ///
    /// When little is left, those that hold most are stopped first: a connection may grow while it holds no more than a
    /// quarter of what is free, so one alone gets a fifth of it all. What finds no room is not read, and TCP slows that
    /// peer down until some is free or the time of its message is over; nothing is lost. So `bytes` should be ten times
    /// [`max_message_size`](SessionOptions::max_message_size) at least.
    #[must_use]
    pub fn memory(mut self, bytes: usize) -> Self {
        self.settings.memory = bytes;
        self
    }

    /// Limits the time from the TCP connection to the end of the request's head, TLS included; slower
    /// ones see 408 (the end of TCP, if TLS is not there yet). The request hook has as much again, then the
    /// client sees 503; and the answer as much again to be written. Default: 10 s.
    #[must_use]
    pub fn handshake_timeout(mut self, timeout: Duration) -> Self {
        self.settings.handshake_timeout = timeout.min(LONGEST);
        self
    }

    /// Limits the time that connections have to end when the server stops, handlers included; then they are
    /// cut. Default: 10 s.
    #[must_use]
    pub fn shutdown_timeout(mut self, timeout: Duration) -> Self {
        self.settings.shutdown_timeout = timeout.min(LONGEST);
        self
    }

    /// Sets the `Server` header of the answers, rejections included. Default: none.
    #[must_use]
    pub fn server_header(mut self, value: HeaderValue) -> Self {
        self.settings.server_header = Some(value);
        self
    }

    /// Speaks TLS (`wss://`) on all connections.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn tls(mut self, config: Arc<tokio_rustls::rustls::ServerConfig>) -> Self {
        self.settings.tls = Some(tokio_rustls::TlsAcceptor::from(config));
        self
    }

    /// Notes what `bind` will report: the first fault counts.
    pub(crate) fn fault(&mut self, error: ServerError) {
        self.error.get_or_insert(error);
    }

    pub(crate) fn session_options(&self) -> &SessionOptions {
        &self.options
    }

    /// Listens on an address; port 0 lets the system choose one.
    ///
    /// # Errors
    /// When a route, a subprotocol, a router or a combination of extensions is wrong, or the address cannot be bound;
    /// [`ServerError::NoRuntime`] outside of a Tokio runtime.
    ///
    /// # Cancel safety
    /// Dropping the call closes the listener.
    pub async fn bind(self, address: impl ToSocketAddrs) -> Result<BoundServer, ServerError> {
        Handle::try_current().map_err(|_| ServerError::NoRuntime)?;
        let listener = TcpListener::bind(address).await.map_err(ServerError::Bind)?;
        self.listen(listener)
    }

    /// Takes a listener that is bound already.
    ///
    /// # Errors
    /// When a route, a subprotocol, a router or a combination of extensions is wrong, or the listener's address cannot
    /// be told.
    pub fn listen(self, listener: TcpListener) -> Result<BoundServer, ServerError> {
        if let Some(error) = self.error {
            return Err(error);
        }
        self.routes.check()?;
        BoundServer::new(listener, self.routes, self.settings)
    }
}
