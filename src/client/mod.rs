//! Floor 6: dials, asks for the upgrade, verifies the answer. Knows nothing of listening.

mod dial;
mod error;
mod stream;

use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

use http::{HeaderName, HeaderValue};
use tokio::{runtime::Handle, time::Instant};

pub use error::ConnectError;

use crate::{
    client::{dial::dial, stream::Stream},
    engine::LONGEST,
    extension::ExtensionStack,
    frame::Role,
    handshake::ClientHandshake,
    session::{
        AnyHandler, BoxError, DEFAULT_MEMORY, Outcome, Pool, RawSession, Session, SessionOptions, Setup,
    },
};

/// What a client asks for and how long it waits; dials as often as it is asked to.
///
/// ```no_run
/// use converse::{Client, SessionOptions};
/// use http::{HeaderValue, header};
///
/// # async fn run() -> converse::Result<()> {
/// let client = Client::new(SessionOptions::default().subprotocol("chat.v1"))
///     .header(header::AUTHORIZATION, HeaderValue::from_static("Bearer t0ken"));
/// let mut session = client.connect("ws://127.0.0.1:8080/chat").await?;
/// assert_eq!(session.subprotocol(), Some("chat.v1"));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Client {
    options: Arc<SessionOptions>,
    headers: Vec<(HeaderName, HeaderValue)>,
    timeout: Duration,
    /// The memory that its connections share, and those of its clones.
    pool: Arc<Pool>,
    #[cfg(feature = "tls")]
    tls: Option<Arc<tokio_rustls::rustls::ClientConfig>>,
}

impl Client {
    /// Begins a client whose sessions have these options. Their subprotocols and extensions are offered.
    pub fn new(options: SessionOptions) -> Self {
        Self {
            options: Arc::new(options),
            headers: Vec::new(),
            timeout: Duration::from_secs(10),
            pool: Pool::new(DEFAULT_MEMORY),
            #[cfg(feature = "tls")]
            tls: None,
        }
    }

    /// Adds a header to the request. Those of the handshake itself are refused when connecting.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// Limits the time from the call to the verified answer: name resolution, TCP (every address is
    /// tried), TLS and the upgrade. Default: 10 s.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout.min(LONGEST);
        self
    }

    /// Limits what all connections of this client and of its clones together hold for their peers, in bytes: counted
    /// and kept to as [`Server::memory`](crate::Server::memory) tells. Default: 256 MiB.
    ///
    /// Connections that are there, and clones that were made before, keep to the old limit.
    #[must_use]
    pub fn memory(mut self, bytes: usize) -> Self {
        self.pool = Pool::new(bytes);
        self
    }

    /// Sets who is trusted on `wss://`. Default: the Mozilla roots.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn tls(mut self, config: Arc<tokio_rustls::rustls::ClientConfig>) -> Self {
        self.tls = Some(config);
        self
    }

    /// Connects, and returns the session. Its driver runs in a task of its own.
    ///
    /// # Errors
    /// [`ConnectError`] says what stood in the way; a server's refusal is there with status, headers and
    /// body.
    ///
    /// # Cancel safety
    /// Dropping the call ends the attempt.
    pub async fn connect(&self, url: &str) -> Result<Session, ConnectError> {
        let (setup, stream) = self.dial(url, false).await?;
        Ok(setup.spawn(stream))
    }

    /// Connects, and gives every frame, control frames included.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    ///
    /// # Cancel safety
    /// Dropping the call ends the attempt.
    pub async fn connect_raw(&self, url: &str) -> Result<RawSession, ConnectError> {
        let (setup, stream) = self.dial(url, true).await?;
        Ok(RawSession::new(setup.spawn(stream)))
    }

    /// Connects, and runs `handler` beside the driver in this very task: what the handler has sent leaves
    /// in one write when it waits. Returns what the handler returned, once the connection has ended: it
    /// is closed with 1000 when the handler returns, or with 1011 after an error.
    ///
    /// # Errors
    /// [`ConnectError`] as [`connect`](Self::connect), and the handler's own;
    /// [`ConnectError::HandlerDropped`] when the handler did not end within the close timeout after its
    /// connection.
    ///
    /// # Panics
    /// When the handler does: the peer is told 1011 first, then the panic goes on here.
    ///
    /// # Cancel safety
    /// Dropping the call cuts the connection.
    pub async fn connect_with<H, F, R, E>(&self, url: &str, handler: H) -> Result<R, E>
    where
        H: FnOnce(Session) -> F,
        F: Future<Output = Result<R, E>>,
        E: From<ConnectError>,
    {
        let (setup, stream) = self.dial(url, false).await?;
        let mut returned = None;
        let slot = &mut returned;
        let (conversation, ()) = setup.start(stream, |session| {
            let conversation = handler(session);
            let handler = Box::pin(async move {
                let result = slot.insert(conversation.await);
                if result.is_ok() { Ok(()) } else { Err(BoxError::from("the handler failed")) }
            });
            (Some(handler), ())
        });
        if let (Outcome::Panicked(panic), _) = conversation.await {
            std::panic::resume_unwind(panic);
        }
        // Without a result the handler outlived the connection, and was dropped.
        returned.unwrap_or_else(|| Err(ConnectError::HandlerDropped.into()))
    }

    /// Connects, and lets what `handler` makes of the session run beside the driver, in a task of its own.
    pub(crate) async fn connect_beside<R>(
        &self,
        url: &str,
        handler: impl FnOnce(Session) -> (Pin<Box<AnyHandler>>, R),
    ) -> Result<R, ConnectError> {
        let (setup, stream) = self.dial(url, false).await?;
        let (conversation, rest) = setup.start(stream, |session| {
            let (handler, rest) = handler(session);
            (Some(handler), rest)
        });
        tokio::spawn(conversation);
        Ok(rest)
    }

    /// Returns a client whose sessions have other options.
    pub(crate) fn with_options(&self, change: impl FnOnce(&SessionOptions) -> SessionOptions) -> Self {
        Self { options: Arc::new(change(&self.options)), ..self.clone() }
    }

    async fn dial(&self, url: &str, raw: bool) -> Result<(Setup, Stream), ConnectError> {
        Handle::try_current().map_err(|_| ConnectError::NoRuntime)?;
        self.options.check()?;
        let mut handshake = ClientHandshake::new(url)?;
        for (name, value) in &self.headers {
            handshake = handshake.header(name.clone(), value.clone())?;
        }
        for subprotocol in &self.options.subprotocols {
            handshake = handshake.subprotocol(subprotocol)?;
        }
        for offer in self.options.extensions.iter().flat_map(|extension| extension.offers()) {
            handshake = handshake.extension(offer)?;
        }
        // Boxed so that what only the handshake needs does not stay in the caller's future.
        let dialled = Box::pin(dial(self, &handshake, Instant::now() + self.timeout)).await?;
        let setup = Setup {
            options: Arc::clone(&self.options),
            config: Arc::new(self.options.engine(Role::Client, raw)),
            stack: ExtensionStack::confirm(&self.options.extensions, &dialled.extensions)?,
            request: dialled.request,
            subprotocol: dialled.subprotocol,
            leftover: dialled.leftover,
            pool: Some(Arc::clone(&self.pool)),
        };
        Ok((setup, dialled.stream))
    }
}
