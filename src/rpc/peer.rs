//! The other end of a conversation, as its callers hold it. Knows no handler.

use std::{borrow::Cow, fmt, sync::Arc, time::Duration};

use crate::{
    engine::Closed,
    frame::{CloseCode, CloseReason},
    rpc::{
        Call, Middleware, Notify, Stats, StreamCall,
        connection::Connection,
        lanes::Lane,
        middleware::Chain,
        wire::{Control, GoAway},
    },
};

/// The other end of a conversation: calls it. Clones call the same one.
///
/// A connection that [`connect`](crate::rpc::connect) has made is closed with 1000 when the last of its clones, of
/// its calls and of their streams is dropped. A handler's peer, from [`Context::peer`](crate::rpc::Context::peer),
/// does not keep a connection open.
#[derive(Clone)]
pub struct Peer {
    connection: Arc<Connection>,
    chain: Chain,
    _owner: Option<Arc<Owner>>,
}

/// Closes the connection when nobody holds it any more.
struct Owner(Arc<Connection>);

impl Peer {
    /// A peer that does not keep the connection open.
    pub(crate) fn of(connection: Arc<Connection>) -> Self {
        Self { connection, chain: Chain::default(), _owner: None }
    }

    /// A peer whose last clone closes the connection.
    pub(crate) fn owner_of(connection: Arc<Connection>) -> Self {
        let owner = Arc::new(Owner(Arc::clone(&connection)));
        Self { connection, chain: Chain::default(), _owner: Some(owner) }
    }

    pub(crate) fn connection(&self) -> &Arc<Connection> {
        &self.connection
    }

    pub(crate) fn chain(&self) -> &Chain {
        &self.chain
    }

    /// Begins a call with one answer; awaiting it makes it. Several arguments are a tuple. A clone of the peer is in
    /// the call. With [`sending`](Call::sending) it takes a stream along.
    pub fn call<A, T>(&self, method: impl Into<Cow<'static, str>>, args: A) -> Call<A, T> {
        Call::new(self.clone(), method.into(), args)
    }

    /// Begins a call whose answer is a stream; awaiting it opens the stream. With
    /// [`sending`](StreamCall::sending) it takes a stream along.
    pub fn open<A, T>(&self, method: impl Into<Cow<'static, str>>, args: A) -> StreamCall<A, T> {
        StreamCall::new(self.clone(), method.into(), args)
    }

    /// Begins a notification; awaiting it sends it. Nothing tells whether it was handled.
    pub fn notify<A>(&self, method: impl Into<Cow<'static, str>>, args: A) -> Notify<A> {
        Notify::new(self.clone(), method.into(), args)
    }

    /// Returns a peer with a middleware around all of its calls, inside of those added before.
    #[must_use]
    pub fn with(&self, middleware: impl Middleware) -> Self {
        let added: Arc<dyn Middleware> = Arc::new(middleware);
        Self { chain: self.chain.iter().cloned().chain([added]).collect(), ..self.clone() }
    }

    /// Returns what the conversation counts.
    pub fn stats(&self) -> Stats {
        self.connection.stats()
    }

    /// Tells whether the peer takes no new calls because it goes away; those under way go on.
    pub fn is_going_away(&self) -> bool {
        self.connection.lock().peer_goes.is_some()
    }

    /// Takes no new calls of the peer (they are answered UNAVAILABLE), tells it so and after what time it may try
    /// another connection, lets its calls under way come to their end, then closes with 4001. Returns when the
    /// connection has ended.
    ///
    /// # Cancel safety
    /// Once polled, it goes on when the call is dropped.
    pub async fn go_away(&self, reason: &str, retry: Duration) -> Arc<Closed> {
        let code = CloseCode::new(super::GOING_AWAY).unwrap_or(CloseCode::GOING_AWAY).get();
        let go_away = GoAway { code, reason: reason.to_owned(), retry };
        let frame = self.connection.codec.control(Control::GoAway(&go_away));
        self.connection.lock().goes = Some(go_away);
        self.connection.push(Lane::Control, frame, None);
        self.closed().await
    }

    /// Closes the connection, and waits for its end. What waits for an answer is told so. What was sent before leaves
    /// before, as far as the peer takes it: the close timeout
    /// ([`SessionOptions::close_timeout`](crate::SessionOptions::close_timeout)) begins again as it does.
    ///
    /// # Cancel safety
    /// Once polled, the close goes on when the call is dropped.
    pub async fn close(&self, reason: impl Into<CloseReason>) -> Arc<Closed> {
        self.connection.close(reason.into());
        self.closed().await
    }

    /// Waits for the end of the connection.
    ///
    /// # Cancel safety
    /// Dropping the call changes nothing.
    pub async fn closed(&self) -> Arc<Closed> {
        self.connection.closed().await
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.0.close(CloseReason::NORMAL);
    }
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peer").field("stats", &self.stats()).finish_non_exhaustive()
    }
}
