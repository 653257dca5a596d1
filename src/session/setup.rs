//! Everything that is known when a connection has been upgraded, on its way to become a session. Knows
//! no handshake bytes.

use std::{future::Future, pin::Pin, sync::Arc};

use bytes::BytesMut;
use futures::TryFutureExt;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::{
    engine::{Closed, Engine, EngineConfig},
    extension::ExtensionStack,
    frame::Role,
    handshake::Request,
    session::{
        Overflow, Session, SessionOptions,
        clock::now,
        driver::Driver,
        link::{Agreed, Link},
        memory::{Account, Pool},
        sender::Sender,
        task::{BoxError, Conversation, NoHandler, Outcome},
        transport::{Foreign, Transport},
    },
};

/// What a session is made of, apart from its transport.
pub(crate) struct Setup {
    pub(crate) options: Arc<SessionOptions>,
    pub(crate) config: Arc<EngineConfig>,
    pub(crate) stack: ExtensionStack,
    pub(crate) request: Request,
    pub(crate) subprotocol: Option<String>,
    /// Bytes that came right behind the handshake.
    pub(crate) leftover: BytesMut,
    /// The memory that the connection shares with others, if any.
    pub(crate) pool: Option<Arc<Pool>>,
}

impl Setup {
    /// Builds the session and what drives it; `handler` makes of the session what runs beside the
    /// driver, if anything.
    pub(crate) fn start<T, H, R>(
        self,
        io: T,
        handler: impl FnOnce(Session) -> (Option<Pin<Box<H>>>, R),
    ) -> (Conversation<T, H>, R)
    where
        T: Transport,
        H: Future<Output = Result<(), BoxError>> + ?Sized,
    {
        // A policy knows messages; frames of a raw session always wait.
        let options = match self.options.overflow {
            Overflow::Wait => self.options,
            _ if self.config.raw => Arc::new(SessionOptions::clone(&self.options).overflow(Overflow::Wait)),
            _ => self.options,
        };
        let engine = Engine::new(self.config, self.stack, now());
        let account = Account::new(options.limits.memory_limit(), self.pool);
        let subprotocol = self.subprotocol.map(String::into_boxed_str);
        let link = Link::new(engine, account, options, Agreed { request: self.request, subprotocol });
        let driver = Driver::new(io, Arc::clone(&link), self.leftover);
        let (handler, rest) = handler(Session::new(Sender::new(Arc::clone(&link))));
        (Conversation::new(link, driver, handler), rest)
    }

    /// Builds a session whose driver runs in a task of its own.
    pub(crate) fn spawn<T>(self, io: T) -> Session
    where
        T: Transport + Send + 'static,
    {
        let (conversation, session) = self.start::<T, NoHandler, _>(io, |session| (None, session));
        tokio::spawn(conversation);
        session
    }
}

impl Session {
    /// Holds a conversation over a transport whose upgrade was done elsewhere, such as by hyper or axum.
    /// Its driver runs in a task of its own. The options' extensions are not used: nobody has agreed on
    /// them.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn over<T>(io: T, role: Role, options: &SessionOptions) -> Self
    where
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        Setup::bare(role, options).spawn(Foreign(io))
    }

    /// Holds a conversation over a transport whose upgrade was done elsewhere, with a handler that runs
    /// beside the driver in this very task. The options' extensions are not used. Returns when both have ended,
    /// with how they did; a panic of the handler is in the [`Outcome`].
    ///
    /// # Cancel safety
    /// Dropping the call cuts the connection.
    pub async fn run_over<T, H, F, E>(
        io: T,
        role: Role,
        options: &SessionOptions,
        handler: H,
    ) -> (Outcome, Arc<Closed>)
    where
        T: AsyncRead + AsyncWrite + Unpin + 'static,
        H: FnOnce(Self) -> F,
        F: Future<Output = Result<(), E>>,
        E: Into<BoxError>,
    {
        let (conversation, ()) = Setup::bare(role, options)
            .start(Foreign(io), |session| (Some(Box::pin(handler(session).err_into())), ()));
        conversation.await
    }
}

impl Setup {
    /// A session of whose handshake nothing is known.
    pub(crate) fn bare(role: Role, options: &SessionOptions) -> Self {
        Self {
            options: Arc::new(options.clone()),
            config: Arc::new(options.engine(role, false)),
            stack: ExtensionStack::default(),
            request: Request::default(),
            subprotocol: None,
            leftover: BytesMut::new(),
            pool: None,
        }
    }
}
