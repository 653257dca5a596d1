//! A stream of values from the other end. Knows no handler.

use std::{
    fmt,
    future::poll_fn,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use futures::Stream;

use crate::rpc::{CallError, Status, connection::Connection, making::Pending, receive::Inbox};

/// A stream of values from the other end: the answers of a call, or what a caller sends to a handler.
///
/// An error is its last item. The sender may be as far ahead as the window says, in items and in bytes
/// ([`Options::window`](crate::rpc::Options::window), [`window_bytes`](crate::rpc::Options::window_bytes)); who does not
/// take them stops it. Dropping a stream of answers
/// cancels its call.
pub struct Streaming<T, E = Status> {
    inbox: Arc<Inbox<T, E>>,
    connection: Arc<Connection>,
    id: u32,
    /// The call that this is the answer of, which is cancelled with it.
    _call: Option<Pending>,
}

impl<T, E> Streaming<T, E> {
    /// The stream that a caller sends to a handler.
    pub(crate) fn new(inbox: Arc<Inbox<T, E>>, connection: Arc<Connection>, id: u32) -> Self {
        Self { inbox, connection, id, _call: None }
    }

    /// The answers of a call.
    pub(crate) fn of_call(inbox: Arc<Inbox<T, E>>, call: Pending) -> Self {
        Self { inbox, connection: Arc::clone(call.connection()), id: call.id(), _call: Some(call) }
    }

    /// Waits for the next value; `None` when the stream has ended. The same as `StreamExt::next`.
    ///
    /// # Cancel safety
    /// A dropped call has taken no value.
    pub async fn next(&mut self) -> Option<Result<T, CallError<E>>> {
        poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }
}

impl<T, E> Stream for Streaming<T, E> {
    type Item = Result<T, CallError<E>>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = ready!(self.inbox.poll(cx));
        if let Some(credit) = next.credit {
            self.connection.give_credit(self.id, credit);
        }
        Poll::Ready(next.item)
    }
}

impl<T, E> Unpin for Streaming<T, E> {}

impl<T, E> fmt::Debug for Streaming<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Streaming").field("id", &self.id).finish_non_exhaustive()
    }
}
