//! Floor 5: the async session. The only floor that awaits a socket or reads a clock; knows neither
//! listening nor dialling.

mod batches;
mod clock;
mod converter;
mod custom_converter;
mod driver;
mod error;
mod exchange;
mod give_way;
mod incoming;
mod link;
mod memory;
mod options;
mod outbox;
mod overflow;
mod ration;
mod raw;
mod sender;
mod setup;
mod state;
mod task;
#[cfg(test)]
mod tests;
mod timer;
mod transport;
mod tungstenite;

use std::{
    any::Any,
    collections::VecDeque,
    fmt,
    future::poll_fn,
    sync::Arc,
    task::{Context, Poll, ready},
    thread,
    time::Duration,
};

use converse_core::{ContentConverter, Message, guard};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

pub use converter::AnyConverter;
pub use error::{FrameError, FrameRefused, SendError, SendErrorKind, SessionError};
pub use incoming::{Incoming, IncomingDeserialized};
pub(crate) use memory::{Account, Charge, DEFAULT_MEMORY, LITTLE, Load, Pool};
pub use options::{Limits, SessionOptions};
pub use overflow::Overflow;
pub use raw::RawSession;
pub use sender::Sender;
pub(crate) use setup::Setup;
pub(crate) use task::{AnyHandler, Conversation};
pub use task::{BoxError, Outcome};
pub(crate) use transport::{Foreign, Transport};

use crate::{
    engine::{Closed, Event, LONGEST, keep_drained, ping_interval},
    frame::CloseReason,
    handshake::Request,
    session::state::Abandoned,
};

/// One end of a typed conversation.
///
/// A session belongs to one owner, who receives; [`sender`](Self::sender) gives handles that send from
/// any task. Dropping the session ends the conversation: the peer sees 1000, or 1011 when the owner
/// panics. When the runtime ends behind that, what was sent and the Close are written as far as the socket takes them at
/// once; nobody waits for the peer's answer.
///
/// While the owner does something else, what it sent leaves, pings are answered, and a Close frame of
/// the peer is answered, as long as no more than the receive queue waits to be received, and there is memory to read on
/// (see [`Server::memory`](crate::Server::memory)).
pub struct Session {
    sender: Sender,
    /// What was received and not asked for yet.
    taken: VecDeque<Event>,
    /// Whether the end was told.
    told: bool,
}

impl Session {
    fn new(sender: Sender) -> Self {
        Self { sender, taken: VecDeque::new(), told: false }
    }

    /// Receives the next message as a value, decoded by the session's converter. `None` after a normal
    /// end: this end asked for the close, or the peer did with 1000, 1001 or no code.
    ///
    /// The value owns all it holds; one that borrows from the message is decoded by
    /// [`deserialize`](Self::deserialize).
    ///
    /// # Errors
    /// [`SessionError::Convert`] when the message is no such value; it is in the error, and the session
    /// goes on. [`SessionError::Closed`], once, when the conversation ended otherwise.
    ///
    /// # Cancel safety
    /// A dropped call has taken no message.
    pub async fn receive_deserialized<T: DeserializeOwned>(&mut self) -> Result<Option<T>, SessionError> {
        poll_fn(|cx| self.poll_deserialized(cx)).await
    }

    /// Polls for the next message as a value.
    #[inline]
    pub(crate) fn poll_deserialized<T: DeserializeOwned>(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<T>, SessionError>> {
        if self.taken.is_empty()
            && let Some(value) = self.decode_in_place()
        {
            return Poll::Ready(Ok(Some(value)));
        }
        let message = ready!(self.poll_receive(cx))?;
        Poll::Ready(message.map(|message| self.deserialize(&message)).transpose())
    }

    /// Decodes the next message where it was read to; `None` where that is not possible, or fails.
    #[inline]
    fn decode_in_place<T: DeserializeOwned>(&self) -> Option<T> {
        let decode =
            |opcode, payload: &[u8]| self.within_memory(|| self.converter().decode_payload(opcode, payload));
        self.sender.link().read_message(decode)
    }

    /// Decodes a received message by the session's converter, without copying what the value can borrow.
    ///
    /// [`receive_deserialized`](Self::receive_deserialized) is for values that own all they hold. This is its
    /// second half, for a type with a lifetime; the message, which is [received](Self::receive) first, stays with
    /// the caller as long as the value is in use.
    ///
    /// Borrowed are strings as `&str` and bytes as `&[u8]` (with `serde_bytes`, if not by themselves). In JSON a
    /// string with an escape (`\n`, `\"`, `\u00e9`) cannot be: a `&str` refuses it, while a `Cow<str>` marked
    /// `#[serde(borrow)]` copies it.
    ///
    /// ```
    /// # use converse::{Session, SessionOptions, frame::Role};
    /// #[derive(serde::Deserialize)]
    /// struct Tick<'a> {
    ///     symbol: &'a str,
    ///     price: f64,
    /// }
    ///
    /// async fn sum(session: &mut Session) -> converse::Result<f64> {
    ///     let mut sum = 0.0;
    ///     while let Some(message) = session.receive().await? {
    ///         let tick: Tick<'_> = session.deserialize(&message)?;
    ///         if tick.symbol == "BTC-USD" {
    ///             sum += tick.price;
    ///         }
    ///     }
    ///     Ok(sum)
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> converse::Result<()> {
    /// # let (here, there) = tokio::io::duplex(4096);
    /// # let server = Session::over(here, Role::Server, &SessionOptions::default());
    /// # let mut client = Session::over(there, Role::Client, &SessionOptions::default());
    /// server.send(r#"{"symbol":"BTC-USD","price":70000.5}"#).await?;
    /// server.send(r#"{"symbol":"ETH-USD","price":4000}"#).await?;
    /// # server.sender().start_close(converse::CloseReason::NORMAL);
    /// assert_eq!(sum(&mut client).await?, 70000.5);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`SessionError::Convert`] when the message is no such value; it is in the error, and the session goes on.
    pub fn deserialize<'de, T: Deserialize<'de>>(&self, message: &'de Message) -> Result<T, SessionError> {
        Ok(self.within_memory(|| self.converter().decode_message(message))?)
    }

    /// Decodes within what the session may hold.
    fn within_memory<R>(&self, decode: impl FnOnce() -> R) -> R {
        guard::within(self.sender.account().limit(), decode).0
    }

    /// Receives the next message. `None` after a normal end, as
    /// [`receive_deserialized`](Self::receive_deserialized) tells.
    ///
    /// # Errors
    /// [`SessionError::Closed`], once, when the conversation ended otherwise.
    ///
    /// # Cancel safety
    /// A dropped call has taken no message.
    pub async fn receive(&mut self) -> Result<Option<Message>, SessionError> {
        poll_fn(|cx| self.poll_receive(cx)).await
    }

    /// Polls for the next message.
    pub(crate) fn poll_receive(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Message>, SessionError>> {
        if self.taken.is_empty()
            && let Some(message) = self.sender.link().take_message()
        {
            return Poll::Ready(Ok(Some(message)));
        }
        self.poll_locked(cx)
    }

    fn poll_locked(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Message>, SessionError>> {
        loop {
            return Poll::Ready(match self.poll_event(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Some(Event::Message(message))) => Ok(Some(message)),
                Poll::Ready(Some(Event::Closed(closed))) => self.tell(closed),
                Poll::Ready(Some(Event::Frame(_))) => continue,
                Poll::Ready(None) => Ok(None),
            });
        }
    }

    #[inline]
    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        if self.taken.is_empty() && !ready!(self.sender.link().poll_events(&mut self.taken, cx)) {
            return Poll::Ready(None);
        }
        let event = self.taken.pop_front();
        keep_drained(&mut self.taken);
        Poll::Ready(event)
    }

    /// Returns the messages as a stream that ends with the conversation; an end that is not normal is its last
    /// item. A dropped stream, or a dropped `next`, has taken no message that it did not give.
    pub fn incoming(&mut self) -> Incoming<'_> {
        Incoming::new(self)
    }

    /// Returns the messages as a stream of values. One that does not decode is an item, not the end.
    pub fn incoming_deserialized<T: DeserializeOwned>(&mut self) -> IncomingDeserialized<'_, T> {
        IncomingDeserialized::new(self)
    }

    /// Sends a value: see [`Sender::send_serialized`].
    ///
    /// # Errors
    /// As there: [`SessionError::Convert`] or [`SessionError::Send`].
    ///
    /// # Cancel safety
    /// A dropped call has queued all of the message or nothing.
    pub async fn send_serialized<T: Serialize + ?Sized>(&self, value: &T) -> Result<(), SessionError> {
        self.sender.send_serialized(value).await
    }

    /// Sends a message: see [`Sender::send`].
    ///
    /// # Errors
    /// As there.
    ///
    /// # Cancel safety
    /// A dropped call has queued all of the message or nothing.
    pub async fn send(&self, message: impl Into<Message>) -> Result<(), SessionError> {
        Ok(self.sender.send(message).await?)
    }

    /// Sends a message without waiting: see [`Sender::try_send`].
    ///
    /// # Errors
    /// As there.
    pub fn try_send(&self, message: impl Into<Message>) -> Result<(), SessionError> {
        Ok(self.sender.try_send(message)?)
    }

    /// Sends a value without waiting: see [`Sender::try_send_serialized`].
    ///
    /// # Errors
    /// As there.
    pub fn try_send_serialized<T: Serialize + ?Sized>(&self, value: &T) -> Result<(), SessionError> {
        self.sender.try_send_serialized(value)
    }

    /// Waits until everything accepted so far has left: see [`Sender::flush`].
    ///
    /// # Errors
    /// As there.
    ///
    /// # Cancel safety
    /// Dropping the call changes nothing.
    pub async fn flush(&self) -> Result<(), SessionError> {
        self.sender.flush().await
    }

    /// Sends a ping and waits for its pong: see [`Sender::ping`].
    ///
    /// # Errors
    /// As there.
    ///
    /// # Cancel safety
    /// Dropping the call loses nothing; the ping may have left.
    pub async fn ping(&self) -> Result<Duration, SessionError> {
        self.sender.ping().await
    }

    /// Closes the conversation and waits for its end: see [`Sender::close`].
    ///
    /// # Cancel safety
    /// Once polled, the close goes on when the call is dropped.
    pub async fn close(&self, reason: impl Into<CloseReason>) -> Arc<Closed> {
        self.sender.close(reason).await
    }

    /// Waits for the end of the conversation: see [`Sender::closed`].
    ///
    /// # Cancel safety
    /// Dropping the call changes nothing.
    pub async fn closed(&self) -> Arc<Closed> {
        self.sender.closed().await
    }

    /// Returns a handle that sends from any task.
    pub fn sender(&self) -> Sender {
        self.sender.clone()
    }

    /// Returns the converter in use.
    pub fn converter(&self) -> &AnyConverter {
        &self.sender.link().options.converter
    }

    /// Returns the subprotocol that both ends have agreed on (RFC 6455 §1.9).
    pub fn subprotocol(&self) -> Option<&str> {
        self.sender.link().agreed.subprotocol.as_deref()
    }

    /// Returns the request that opened the connection, with path parameters and the state that the
    /// request hook attached.
    pub fn request(&self) -> &Request {
        &self.sender.link().agreed.request
    }

    /// Returns the state of this type that an extension in use has for this session.
    pub fn extension<S: Any + Send + Sync>(&self) -> Option<Arc<S>> {
        self.sender.link().engine(|engine| engine.extension())
    }

    /// Changes the silence after which a ping leaves, at once; `None` turns pings off.
    pub fn set_ping_interval(&self, interval: impl Into<Option<Duration>>) {
        let interval = interval.into().map(ping_interval);
        self.reconfigure(|config| config.ping_interval = interval);
    }

    /// Changes the time for any byte to arrive after a ping has left.
    pub fn set_timeout(&self, timeout: Duration) {
        self.reconfigure(|config| config.timeout = timeout.min(LONGEST));
    }

    /// Changes the limit of a received frame, in bytes, from the next frame on; `None` means as many as a
    /// message may have.
    pub fn set_max_frame_size(&self, bytes: impl Into<Option<usize>>) {
        let bytes = bytes.into();
        self.reconfigure(|config| config.max_frame_size = bytes.map(|bytes| bytes as u64));
    }

    /// Changes the limit of a received message, in bytes, from the next frame on; and of a frame, unless that
    /// has a limit of its own, and of the session's memory, likewise.
    pub fn set_max_message_size(&self, bytes: usize) {
        let limits = Limits { max_message_size: bytes, ..self.sender.options().limits.clone() };
        self.sender.account().set_limit(limits.memory_limit());
        self.reconfigure(|config| config.max_message_size = bytes as u64);
    }

    fn reconfigure(&self, change: impl FnOnce(&mut crate::engine::EngineConfig)) {
        self.sender.link().with_engine(|engine, _| engine.reconfigure(change));
    }

    fn tell(&mut self, closed: Arc<Closed>) -> Result<Option<Message>, SessionError> {
        let first = !std::mem::replace(&mut self.told, true);
        if first && !closed.is_normal() { Err(SessionError::Closed(closed)) } else { Ok(None) }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let how = if thread::panicking() { Abandoned::Failed } else { Abandoned::Done };
        self.sender.link().abandon(how);
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("path", &self.request().path())
            .field("subprotocol", &self.subprotocol())
            .finish_non_exhaustive()
    }
}
