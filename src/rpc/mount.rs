//! From a session to a conversation: on a server's route, at a client's URL, in memory. Knows no frame.

use std::{future::ready, pin::Pin, sync::Arc};

use tokio::io::{AsyncRead, AsyncWrite};
use tracing::Instrument;

use crate::{
    client::{Client, ConnectError},
    frame::{CloseCode, CloseReason, Role},
    rpc::{
        BAD_FRAME, Options, Peer, Protocol, Router, connection::Connection, conversation::Conversation, spans,
    },
    server::{Server, ServerError},
    session::{AnyHandler, BoxError, Foreign, Session, SessionOptions, Setup},
};

/// Bytes under way between the two ends in memory.
const IN_MEMORY: usize = 64 * 1024;

impl Server {
    /// Holds conversations at a path: serves what the router does, and lets its handlers call the clients. The
    /// router's options choose what is spoken; limits, times and extensions of the sessions are the server's. A method that
    /// is twice in the router is reported by [`bind`](Self::bind).
    ///
    /// ```no_run
    /// use converse::{Server, SessionOptions, rpc::{Router, Status}};
    ///
    /// # async fn run() -> converse::Result<()> {
    /// let router = Router::new().call("greet", |_, (name,): (String,)| async move {
    ///     Ok::<_, Status>(format!("Hello {name}"))
    /// });
    /// let server = Server::new(SessionOptions::default()).rpc("/", router).bind("127.0.0.1:8080").await?;
    /// server.serve().await;
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn rpc(mut self, path: &str, router: Router) -> Self {
        if let Some(method) = router.doubled().map(str::to_owned) {
            self.fault(ServerError::DoubledMethod { path: path.to_owned(), method });
        }
        let options = router.options.session_options(self.session_options());
        let router = Arc::new(router);
        self.route_with(path, options, move |session| serve(session, Arc::clone(&router)))
    }
}

impl Client {
    /// Connects, and holds a conversation: returns the other end, which may call what the router serves. The
    /// router's options choose what is spoken; headers, limits, times and extensions are the client's.
    ///
    /// # Errors
    /// As [`connect`](Self::connect), and [`ConnectError::Subprotocol`] when the server agreed on nothing that can be
    /// spoken, [`ConnectError::DoubledMethod`] when a method is twice in the router.
    ///
    /// # Cancel safety
    /// Dropping the call ends the attempt.
    pub async fn rpc(&self, url: &str, router: Router) -> Result<Peer, ConnectError> {
        if let Some(method) = router.doubled() {
            return Err(ConnectError::DoubledMethod(method.to_owned()));
        }
        let client = self.with_options(|options| router.options.session_options(options));
        let router = Arc::new(router);
        let handler = |session: Session| match router.options.agreed(session.subprotocol()) {
            Some(protocol) => {
                let (connection, conversation) = begin(session, Role::Client, protocol, Arc::clone(&router));
                (run(conversation, protocol), Ok(Peer::owner_of(connection)))
            }
            None => {
                refuse(&session);
                let agreed = session.subprotocol().map(str::to_owned);
                (Box::pin(ready(Ok(()))) as Handler, Err(ConnectError::Subprotocol(agreed)))
            }
        };
        client.connect_beside(url, handler).await?
    }
}

/// Connects to a `ws:` or `wss:` URL, and returns the other end: [`Client::rpc`] with default settings. An empty
/// [`Router`] serves nothing.
///
/// # Errors
/// As there.
///
/// # Cancel safety
/// Dropping the call ends the attempt.
pub async fn connect(url: &str, router: Router) -> Result<Peer, ConnectError> {
    Client::new(SessionOptions::default()).rpc(url, router).await
}

/// Holds a conversation in memory, for tests: returns a client of what the router serves. All is as over a socket,
/// frames and the first of the router's protocols included.
///
/// # Panics
/// Outside of a Tokio runtime, and when a method is twice in a router.
pub fn duplex(router: Router) -> Peer {
    let client = Router::new().options(Options::clone(&router.options));
    duplex_with(router, client).1
}

/// Holds a conversation in memory between two ends that may both serve: returns the client as the server sees it, and
/// the server as the client sees it. Spoken is the first of the server's protocols. The connection is closed with the
/// last clone of the latter.
///
/// # Panics
/// Outside of a Tokio runtime, and when a method is twice in a router.
pub fn duplex_with(server: Router, client: Router) -> (Peer, Peer) {
    let protocol = server.options.protocols.first().cloned().unwrap_or_default();
    let (here, there) = tokio::io::duplex(IN_MEMORY);
    let options = SessionOptions::default();
    let client_end = over(here, Role::Server, &protocol, &options, server);
    (client_end, over(there, Role::Client, &protocol, &options, client))
}

/// Holds a conversation over a transport whose upgrade was done elsewhere, such as by hyper or axum, in the protocol
/// that was agreed on there, and returns the other end. Limits and times of the session below are those of `options`,
/// whose extensions are not used.
///
/// A client's connection is closed with the last clone of the peer. A server's goes on without it.
///
/// # Panics
/// Outside of a Tokio runtime, and when a method is twice in a router.
pub fn over<T>(io: T, role: Role, protocol: &Protocol, options: &SessionOptions, router: Router) -> Peer
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let doubled = router.doubled().unwrap_or_default();
    assert!(doubled.is_empty(), "the router has the method {doubled:?} twice");
    let options = router.options.session_options(options);
    let (driver, connection) = Setup::bare(role, &options).start(Foreign(io), |session| {
        let (connection, conversation) = begin(session, role, protocol, Arc::new(router));
        (Some(run(conversation, protocol)), connection)
    });
    tokio::spawn(driver);
    match role {
        Role::Server => Peer::of(connection),
        Role::Client => Peer::owner_of(connection),
    }
}

/// What runs beside a session's driver.
type Handler = Pin<Box<AnyHandler>>;

/// Begins a conversation.
fn begin(
    session: Session,
    role: Role,
    protocol: &Protocol,
    router: Arc<Router>,
) -> (Arc<Connection>, Conversation) {
    let codec = protocol.codec(role, session.sender().account());
    let connection = Arc::new(Connection::new(codec, Arc::clone(&router.options), role, session.sender()));
    (Arc::clone(&connection), Conversation::new(session, connection, router))
}

/// Holds a conversation up to its end.
fn run(conversation: Conversation, protocol: &Protocol) -> Handler {
    let span = spans::conversation(conversation.role(), &protocol.token());
    let conversation = async move {
        conversation.run().await;
        Ok(())
    };
    match span.is_disabled() {
        true => Box::pin(conversation),
        false => Box::pin(conversation.instrument(span)),
    }
}

/// Serves a client in what was agreed on.
async fn serve(session: Session, router: Arc<Router>) -> Result<(), BoxError> {
    match router.options.agreed(session.subprotocol()) {
        Some(protocol) => run(begin(session, Role::Server, protocol, Arc::clone(&router)).1, protocol).await,
        None => {
            refuse(&session);
            Ok(())
        }
    }
}

/// Closes a session in which nothing can be spoken.
fn refuse(session: &Session) {
    let code = CloseCode::new(BAD_FRAME).unwrap_or(CloseCode::PROTOCOL_ERROR);
    session.sender().start_close(CloseReason::new(code, "no subprotocol that is spoken here"));
}
