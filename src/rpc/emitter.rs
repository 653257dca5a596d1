//! The sending side of a stream. Knows no handler.

use std::{
    fmt,
    future::poll_fn,
    marker::PhantomData,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
};

use futures::{Stream, StreamExt};
use serde::Serialize;

use crate::{
    rpc::{
        Code, ServiceError, Status,
        connection::Connection,
        credit::Credit,
        rooms::{ItemTurn, waits_within},
        wire::Envelope,
    },
    session::Load,
};

/// Sends the values of a stream to the other end, as fast as its credit and the connection allow.
pub struct Emitter<T, E = Status> {
    connection: Arc<Connection>,
    id: u32,
    /// `None` where there is nobody to give any.
    credit: Option<Arc<Credit>>,
    types: PhantomData<fn() -> (T, E)>,
}

/// An item's frame, and what counts it until it is in its lane.
type Encoded = (Vec<u8>, Load);

impl<T, E> Emitter<T, E> {
    pub(crate) fn new(connection: Arc<Connection>, id: u32, credit: Option<Arc<Credit>>) -> Self {
        Self { connection, id, credit, types: PhantomData }
    }
}

impl<T: Serialize, E: ServiceError> Emitter<T, E> {
    /// Sends one value, once the other end has room for it and no other stream's item is waiting. It is encoded then, so
    /// the future holds the value: where that is to be [`Send`], as in a handler, `T` is [`Sync`].
    ///
    /// # Errors
    /// When the value does not encode, or is longer than the other end takes; CANCELLED when the call is over, which an
    /// emitter outside of its handler can outlive.
    ///
    /// # Cancel safety
    /// A dropped call has sent all of the value or nothing. It may be pending once though there is room, so that others have
    /// their turn. One that is kept and not polled may hold up the other streams
    /// of its connection.
    pub async fn send(&mut self, value: &T) -> Result<(), Status> {
        self.pace().await;
        self.credit().await?;
        let turn = self.turn().await?;
        self.emit(&turn, self.encode(value)?).await
    }

    /// Sends all values of a stream, up to its end or its first error. The stream is asked for a value only when that can
    /// be sent: when the other end has room for it, and no other stream's item is waiting.
    ///
    /// # Errors
    /// The stream's own, as what travels; and those of [`send`](Self::send).
    ///
    /// # Cancel safety
    /// Dropping the call drops the stream.
    pub async fn forward(self, stream: impl Stream<Item = Result<T, E>> + Send) -> Result<(), Status> {
        let mut stream = pin!(stream);
        loop {
            self.credit().await?;
            let turn = self.turn().await?;
            match poll_fn(|cx| Poll::Ready(waits_within(|| self.poll(stream.as_mut(), cx)))).await {
                (Poll::Ready(None), _) => return Ok(()),
                (Poll::Ready(Some(frame)), _) => {
                    self.emit(&turn, frame?).await?;
                    drop(turn);
                    self.pace().await;
                }
                (Poll::Pending, false) => {
                    drop(turn);
                    woken().await;
                }
                (Poll::Pending, true) => {
                    drop(turn);
                    return self.forward_apart(stream).await;
                }
            }
        }
    }

    /// Goes on with a stream that itself waits until another one is sent: it has to be asked without the turn, which may
    /// be that of what it waits for. What it gives waits as it is.
    async fn forward_apart(
        &self,
        mut stream: Pin<&mut (impl Stream<Item = Result<T, E>> + Send)>,
    ) -> Result<(), Status> {
        loop {
            self.credit().await?;
            let Some(item) = stream.next().await else { return Ok(()) };
            let turn = self.turn().await?;
            let frame = self.encode_item(item)?;
            self.emit(&turn, frame).await?;
            drop(turn);
            self.pace().await;
        }
    }

    /// Polls a stream, and encodes what it gives.
    fn poll(
        &self,
        stream: Pin<&mut impl Stream<Item = Result<T, E>>>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Encoded, Status>>> {
        stream.poll_next(cx).map(|item| item.map(|item| self.encode_item(item)))
    }

    fn encode_item(&self, item: Result<T, E>) -> Result<Encoded, Status> {
        match item {
            Ok(value) => self.encode(&value),
            Err(error) => Err(error.into_status(self.connection.codec.converter())),
        }
    }

    fn encode(&self, value: &T) -> Result<Encoded, Status> {
        let encoded = self.connection.codec.frame(Envelope::Item { id: self.id }, value);
        let frame = encoded
            .map_err(|error| Status::new(Code::INTERNAL, format!("an item does not encode: {error}")))?;
        let load = self.connection.load(frame.len())?;
        Ok((frame, load))
    }
}

impl<T, E> Emitter<T, E> {
    /// Waits for credit for an item.
    async fn credit(&self) -> Result<(), Status> {
        let Some(credit) = &self.credit else { return Ok(()) };
        credit.ready(&self.connection.counters.credit_stalls).await;
        if credit.is_closed() { Err(over()) } else { Ok(()) }
    }

    /// Gives way when the conversation has had its turn: making an item is a step of it.
    async fn pace(&self) {
        if self.connection.turn.step() {
            tokio::task::yield_now().await;
        }
    }

    async fn turn(&self) -> Result<ItemTurn<'_>, Status> {
        self.connection.rooms.turn().await.map_err(|_| over())
    }

    async fn emit(&self, turn: &ItemTurn<'_>, (frame, load): Encoded) -> Result<(), Status> {
        let room = turn.room(frame.len()).await;
        // From here on the lane counts it.
        drop(load);
        match room.is_ok_and(|room| self.connection.emit(self.credit.as_deref(), frame, room)) {
            true => Ok(()),
            false => Err(over()),
        }
    }
}

impl<T, E> fmt::Debug for Emitter<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Emitter").field("id", &self.id).finish_non_exhaustive()
    }
}

fn over() -> Status {
    Status::new(Code::CANCELLED, "the call is over")
}

/// Waits until the task is woken.
async fn woken() {
    let mut waits = true;
    poll_fn(|_| if std::mem::take(&mut waits) { Poll::Pending } else { Poll::Ready(()) }).await;
}
