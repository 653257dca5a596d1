//! The sending side of a stream. Knows no handler.

use std::{fmt, future::Future, marker::PhantomData, pin::pin, sync::Arc};

use futures::{Stream, StreamExt};
use serde::Serialize;

use crate::rpc::{
    Code, ServiceError, Status, connection::Connection, credit::Credit, lanes::Lane, wire::Envelope,
};

/// Sends the values of a stream to the other end, as fast as its credit and the connection allow.
pub struct Emitter<T, E = Status> {
    connection: Arc<Connection>,
    id: u32,
    /// `None` where there is nobody to give any.
    credit: Option<Arc<Credit>>,
    types: PhantomData<fn() -> (T, E)>,
}

impl<T, E> Emitter<T, E> {
    pub(crate) fn new(connection: Arc<Connection>, id: u32, credit: Option<Arc<Credit>>) -> Self {
        Self { connection, id, credit, types: PhantomData }
    }
}

impl<T: Serialize, E: ServiceError> Emitter<T, E> {
    /// Sends one value, and waits until the other end has room for it.
    ///
    /// # Errors
    /// When the value does not encode, or is longer than the other end takes; CANCELLED when the call is over, which an
    /// emitter outside of its handler can outlive.
    ///
    /// # Cancel safety
    /// A dropped call has sent all of the value or nothing.
    pub fn send(&mut self, value: &T) -> impl Future<Output = Result<(), Status>> + Send + use<'_, T, E> {
        // Encoded at once, so that the future does not hold the value.
        let frame = self.encode(value);
        async move { self.emit(frame?).await }
    }

    /// Sends all values of a stream, up to its end or its first error.
    ///
    /// # Errors
    /// The stream's own, as what travels; and those of [`send`](Self::send).
    ///
    /// # Cancel safety
    /// Dropping the call drops the stream.
    pub async fn forward(mut self, stream: impl Stream<Item = Result<T, E>> + Send) -> Result<(), Status> {
        let mut stream = pin!(stream);
        while let Some(item) = stream.next().await {
            match item {
                Ok(value) => self.send(&value).await?,
                Err(error) => return Err(error.into_status(self.connection.codec.converter())),
            }
        }
        Ok(())
    }

    fn encode(&self, value: &T) -> Result<Vec<u8>, Status> {
        let encoded = self.connection.codec.frame(Envelope::Item { id: self.id }, value);
        let frame = encoded
            .map_err(|error| Status::new(Code::INTERNAL, format!("an item does not encode: {error}")))?;
        self.connection.fits(frame.len())?;
        Ok(frame)
    }
}

impl<T, E> Emitter<T, E> {
    async fn emit(&mut self, frame: Vec<u8>) -> Result<(), Status> {
        if let Some(credit) = &self.credit {
            credit.ready(&self.connection.counters.credit_stalls).await;
        }
        let room = self.connection.rooms.take(Lane::Items, frame.len()).await;
        if !room.is_ok_and(|room| self.connection.emit(self.credit.as_deref(), frame, room)) {
            return Err(Status::new(Code::CANCELLED, "the call is over"));
        }
        Ok(())
    }
}

impl<T, E> fmt::Debug for Emitter<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Emitter").field("id", &self.id).finish_non_exhaustive()
    }
}
