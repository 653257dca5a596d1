//! What a handler and a middleware know of a call. Knows no wire.

use std::{borrow::Cow, fmt, sync::Arc, time::Duration};

use http::Extensions;
use tokio::time::Instant;

use crate::{
    handshake::Request,
    rpc::{Kind, Metadata, Peer, connection::Connection},
};

/// What a handler and a middleware know of a call: who calls, what, until when, and what came along.
#[derive(Clone)]
pub struct Context {
    connection: Arc<Connection>,
    side: Side,
    method: Cow<'static, str>,
    kind: Kind,
    metadata: Metadata,
    deadline: Option<Instant>,
    extensions: Extensions,
}

/// Whose call a middleware sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// This end serves the call.
    Served,
    /// This end makes the call.
    Made,
}

/// What a context is made of.
pub(crate) struct About {
    pub(crate) side: Side,
    pub(crate) method: Cow<'static, str>,
    pub(crate) kind: Kind,
    pub(crate) metadata: Metadata,
    pub(crate) deadline: Option<Instant>,
}

impl Context {
    pub(crate) fn new(connection: Arc<Connection>, about: About) -> Self {
        let About { side, method, kind, metadata, deadline } = about;
        Self { connection, side, method, kind, metadata, deadline, extensions: Extensions::new() }
    }

    /// Returns a client for the other end of the connection, such as a generated one or [`Peer`] itself: so a handler
    /// calls its caller.
    pub fn peer<C: From<Peer>>(&self) -> C {
        C::from(Peer::of(Arc::clone(&self.connection)))
    }

    pub(crate) fn connection(&self) -> &Arc<Connection> {
        &self.connection
    }

    /// Tells whether this end serves the call or makes it.
    pub fn side(&self) -> Side {
        self.side
    }

    /// Returns the method's name.
    pub fn method(&self) -> &str {
        &self.method
    }

    /// Returns the kind of method.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Returns what came along with the call, or goes with it.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// Gives access to what goes with a call that this end makes.
    pub fn metadata_mut(&mut self) -> &mut Metadata {
        &mut self.metadata
    }

    /// Returns when the caller stops to wait; the handler is dropped then.
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Returns how long the caller still waits; `None` when it waits for ever.
    pub fn remaining(&self) -> Option<Duration> {
        self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()))
    }

    /// Returns the request that opened the connection, with its headers, path parameters, and the state that the
    /// request hook attached.
    pub fn request(&self) -> &Request {
        self.connection.sender.request()
    }

    /// Returns the token of the peer's hello. It is what the peer says, and nobody has checked it.
    pub fn token(&self) -> Option<String> {
        self.connection.lock().peer.as_ref()?.0.token.clone()
    }

    /// Returns the values that middleware has left for the handler.
    pub fn extensions(&self) -> &Extensions {
        &self.extensions
    }

    /// Gives access to the values for the handler.
    pub fn extensions_mut(&mut self) -> &mut Extensions {
        &mut self.extensions
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("side", &self.side)
            .field("method", &self.method)
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}
