//! Everything that is known when a connection has been upgraded, on its way to become a session. Knows
//! no handshake bytes.

use std::{future::Future, pin::Pin, sync::Arc};

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::{
    engine::{Engine, EngineConfig},
    extension::ExtensionStack,
    handshake::Request,
    session::{
        Session, SessionOptions,
        driver::Driver,
        link::{Link, now},
        outbox::Outbox,
        sender::Sender,
        task::{BoxError, Conversation, NoHandler},
    },
};

/// What a session is made of, apart from its transport.
pub(crate) struct Setup<'a> {
    pub(crate) options: &'a SessionOptions,
    pub(crate) config: Arc<EngineConfig>,
    pub(crate) stack: ExtensionStack,
    pub(crate) request: Request,
    pub(crate) subprotocol: Option<String>,
    /// Bytes that came right behind the handshake.
    pub(crate) glued: BytesMut,
}

impl Setup<'_> {
    /// Builds the session and what drives it; `handler` makes of the session what runs beside the
    /// driver, if anything.
    pub(crate) fn start<T, H, R>(
        self,
        io: T,
        handler: impl FnOnce(Session) -> (Option<Pin<Box<H>>>, R),
    ) -> (Conversation<T, H>, R)
    where
        T: AsyncRead + AsyncWrite + Unpin,
        H: Future<Output = Result<(), BoxError>> + ?Sized,
    {
        let engine = Engine::new(self.config, self.stack, now());
        let outbox = Outbox::new(self.options.overflow.clone(), &self.options.limits);
        let subprotocol = self.subprotocol.map(String::into_boxed_str);
        let link = Link::new(engine, outbox, self.options.converter.clone(), self.request, subprotocol);
        let driver = Driver::new(io, Arc::clone(&link), self.glued);
        let (handler, rest) = handler(Session::new(Sender::new(Arc::clone(&link))));
        (Conversation::new(link, driver, handler), rest)
    }

    /// Builds a session whose driver runs in a task of its own.
    pub(crate) fn spawn<T>(self, io: T) -> Session
    where
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (conversation, session) = self.start::<T, NoHandler, _>(io, |session| (None, session));
        tokio::spawn(conversation);
        session
    }
}
