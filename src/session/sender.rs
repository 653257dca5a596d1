//! The sending half of a session, usable from any task. Knows no socket.

use std::{cell::Cell, fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use converse_core::{ContentConverter, Format, Message, PayloadBuffer};
use serde::Serialize;
use tokio::time::Instant;

use crate::{
    engine::Closed,
    extension::SendHints,
    frame::{CloseReason, OpCode},
    handshake::Request,
    message::opcode_of,
    session::{
        AnyConverter, SessionOptions,
        error::{SendError, SendErrorKind, SessionError},
        link::Link,
        memory::Account,
        outbox::{Offered, Outgoing, message_of},
    },
};

/// A buffer of more bytes is not kept for the next value.
const KEPT: usize = 1024 * 1024;

thread_local! {
    /// Where values are encoded before they are queued.
    static ENCODE_BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Sends into one session from any task; clones send into the same one.
///
/// Messages of one sender leave in the order of its calls. A message that was accepted leaves without
/// any further call, whatever the sender or the handler awaits next.
#[derive(Clone)]
pub struct Sender {
    link: Arc<Link>,
    hints: SendHints,
}

impl Sender {
    pub(crate) fn new(link: Arc<Link>) -> Self {
        Self { link, hints: SendHints::default() }
    }

    /// Returns a sender whose messages are not compressed: for a secret in a message that also holds text which
    /// an attacker may choose, because the compressed length would tell of it (CRIME, BREACH; RFC 7692 §8).
    /// Messages that follow are not compressed with the help of these either.
    ///
    /// ```
    /// # async fn login(session: converse::Session, token: &str) -> converse::Result<()> {
    /// session.sender().uncompressed().send_serialized(token).await?;
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn uncompressed(&self) -> Self {
        Self { link: Arc::clone(&self.link), hints: SendHints { compress: false } }
    }

    pub(crate) fn link(&self) -> &Arc<Link> {
        &self.link
    }

    /// Sends a value as one message, encoded by the session's converter.
    ///
    /// Waits for room first, as [`send`](Self::send) does.
    ///
    /// # Errors
    /// [`SessionError::Convert`] when the value cannot be encoded; [`SessionError::Send`], with the
    /// encoded message, when it was not taken.
    ///
    /// # Cancel safety
    /// A dropped call has queued all of the message or nothing.
    pub async fn send_serialized<T>(&self, value: &T) -> Result<(), SessionError>
    where
        T: Serialize + ?Sized,
    {
        // How long it will be is not known yet.
        self.link.pace(usize::MAX).await;
        let offered = self.offer_encoded(None, value)?;
        Ok(taken(self.wait_for_room(offered).await)?)
    }

    /// Sends a value as one message, without waiting.
    ///
    /// # Errors
    /// As [`send_serialized`](Self::send_serialized), and [`SendErrorKind::Full`] when there is no
    /// room.
    pub fn try_send_serialized<T>(&self, value: &T) -> Result<(), SessionError>
    where
        T: Serialize + ?Sized,
    {
        Ok(taken(self.offer_encoded(None, value)?)?)
    }

    /// Sends a message.
    ///
    /// It leaves by itself, behind what was sent before. When the runtime ends, what was accepted is written as far as the
    /// socket takes it at once; for the rest, and to know that it has left, await [`flush`](Self::flush) or a close before.
    ///
    /// With [`Overflow::Wait`](crate::session::Overflow::Wait) it waits while more than the soft mark
    /// of bytes is queued; the other policies never wait for the peer, but the session writes what the socket takes before
    /// they decide.
    ///
    /// # Errors
    /// When the conversation is closing or closed, or the policy refuses; the message is in the error.
    ///
    /// # Cancel safety
    /// A dropped call has queued all of the message or nothing.
    pub async fn send(&self, message: impl Into<Message>) -> Result<(), SendError> {
        let message = message.into();
        self.link.pace(message.len()).await;
        if self.copies(&message) {
            return Ok(());
        }
        let offered = self.offer(None, message);
        taken(self.wait_for_room(offered).await)
    }

    /// Sends a message, without waiting.
    ///
    /// # Errors
    /// As [`send`](Self::send), and [`SendErrorKind::Full`] when there is no room.
    pub fn try_send(&self, message: impl Into<Message>) -> Result<(), SendError> {
        let message = message.into();
        if self.copies(&message) { Ok(()) } else { taken(self.offer(None, message)) }
    }

    /// Sends a message that a newer one of the same key may replace while it waits, under
    /// [`Overflow::Conflate`](crate::session::Overflow::Conflate); the other policies take no notice of the key. The key
    /// is copied where the message has to wait, and counts to the bytes that wait.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    ///
    /// # Cancel safety
    /// A dropped call has queued all of the message or nothing.
    pub async fn send_keyed(
        &self,
        key: impl AsRef<[u8]>,
        message: impl Into<Message>,
    ) -> Result<(), SendError> {
        let message = message.into();
        self.link.pace(message.len()).await;
        if self.copies(&message) {
            return Ok(());
        }
        let offered = self.offer(Some(key.as_ref()), message);
        taken(self.wait_for_room(offered).await)
    }

    /// Sends a message with a key, without waiting.
    ///
    /// # Errors
    /// As [`try_send`](Self::try_send).
    pub fn try_send_keyed(
        &self,
        key: impl AsRef<[u8]>,
        message: impl Into<Message>,
    ) -> Result<(), SendError> {
        let message = message.into();
        if self.copies(&message) { Ok(()) } else { taken(self.offer(Some(key.as_ref()), message)) }
    }

    /// Sends a value as one message that a newer one of the same key may replace while it waits, as
    /// [`send_keyed`](Self::send_keyed) does.
    ///
    /// ```
    /// # #[derive(serde::Serialize)] struct Quote { symbol: String, price: f64 }
    /// # async fn quote(session: converse::Session, quote: Quote) -> converse::Result<()> {
    /// session.sender().send_serialized_keyed(&quote.symbol, &quote).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As [`send_serialized`](Self::send_serialized).
    ///
    /// # Cancel safety
    /// A dropped call has queued all of the message or nothing.
    pub async fn send_serialized_keyed<T>(&self, key: impl AsRef<[u8]>, value: &T) -> Result<(), SessionError>
    where
        T: Serialize + ?Sized,
    {
        self.link.pace(usize::MAX).await;
        let offered = self.offer_encoded(Some(key.as_ref()), value)?;
        Ok(taken(self.wait_for_room(offered).await)?)
    }

    /// Sends a value with a key, without waiting.
    ///
    /// # Errors
    /// As [`try_send_serialized`](Self::try_send_serialized).
    pub fn try_send_serialized_keyed<T>(&self, key: impl AsRef<[u8]>, value: &T) -> Result<(), SessionError>
    where
        T: Serialize + ?Sized,
    {
        Ok(taken(self.offer_encoded(Some(key.as_ref()), value)?)?)
    }

    /// Waits until everything that was accepted so far has been handed to the transport.
    ///
    /// Nothing needs this to leave; it tells when it has.
    ///
    /// # Errors
    /// [`SessionError::Closed`] when the conversation ended before.
    ///
    /// # Cancel safety
    /// Dropping the call changes nothing.
    pub async fn flush(&self) -> Result<(), SessionError> {
        let mut mark = self.link.lock().flush_mark();
        let ended = self.link.wait(|state| match !self.link.is_unsettled() && state.is_flushed(&mut mark) {
            true => Some(None),
            false => state.closed().map(Some),
        });
        match ended.await {
            None => Ok(()),
            Some(closed) => Err(SessionError::Closed(closed)),
        }
    }

    /// Sends a ping, and waits for its pong; returns the round-trip time. Calls that overlap share one
    /// ping.
    ///
    /// While the receive queue is full nothing is read, not even the pong: where messages may come before it,
    /// somebody has to receive them meanwhile.
    ///
    /// # Errors
    /// [`SessionError::Closed`] when the conversation ends before the pong arrives.
    ///
    /// # Cancel safety
    /// Dropping the call loses nothing; the ping may have left.
    pub async fn ping(&self) -> Result<Duration, SessionError> {
        let Some(id) = self.link.with_engine(|engine, now| engine.ping(now)) else {
            return Err(SessionError::Closed(self.closed().await));
        };
        let answer = self.link.wait(|state| match state.pong(id) {
            Some(time) => Some(Ok(time)),
            None => state.closed().map(Err),
        });
        answer.await.map_err(SessionError::Closed)
    }

    /// Closes the conversation (RFC 6455 §7.1.2), and waits for its end: at most the close timeout, and longer while the
    /// peer takes what was sent before.
    ///
    /// What was accepted before leaves before. Does nothing but wait when the conversation is closing
    /// already.
    ///
    /// # Cancel safety
    /// Once polled, the close goes on when the call is dropped.
    pub async fn close(&self, reason: impl Into<CloseReason>) -> Arc<Closed> {
        self.start_close(reason);
        self.closed().await
    }

    /// Begins to close the conversation, and does not wait for its end.
    pub fn start_close(&self, reason: impl Into<CloseReason>) {
        self.link.close(reason.into());
    }

    /// Waits for the end of the conversation; returns what went over the wire.
    ///
    /// # Cancel safety
    /// Dropping the call changes nothing; it may be called again, and gives the same but for
    /// [`Closed::sent`].
    pub async fn closed(&self) -> Arc<Closed> {
        self.link.wait(|state| state.closed()).await
    }

    /// Tells whether messages are not taken any more.
    pub fn is_closed(&self) -> bool {
        self.link.engine(|engine| !engine.accepts_messages())
    }

    /// Drops what waits to be sent, and closes the conversation.
    pub(crate) fn close_now(&self, reason: CloseReason) {
        self.link.with_engine(|engine, now| engine.close_now(reason, now));
        self.link.announce_end();
    }

    /// Returns what went over the wire at the end, if the conversation has ended.
    pub(crate) fn try_closed(&self) -> Option<Arc<Closed>> {
        self.link.lock().closed()
    }

    pub(crate) fn request(&self) -> &Request {
        &self.link.agreed.request
    }

    /// Returns what the connection holds, and may.
    pub(crate) fn account(&self) -> &Arc<Account> {
        &self.link.account
    }

    /// Sets how many bytes of a message that was received are still worked at: they count as waiting to be received.
    pub(crate) fn lend(&self, bytes: usize) {
        self.link.lend(bytes);
    }

    /// Returns how often the connection's task was polled; wraps around.
    pub(crate) fn polls(&self) -> u32 {
        self.link.polls()
    }

    /// Ends the turn of the connection's task, in whose handler this is called.
    pub(crate) fn end_turn(&self) {
        self.link.end_turn();
    }

    pub(crate) fn options(&self) -> &SessionOptions {
        &self.link.options
    }

    /// Returns when the peer has last taken some of what was sent, as far as is known.
    pub(crate) fn send_progress(&self) -> Instant {
        self.link.engine(|engine| engine.send_progress()).into()
    }

    /// Returns how many bytes were accepted and have not left.
    pub fn queued_bytes(&self) -> usize {
        let state = self.link.lock();
        state.outbox.queued(&state.engine)
    }

    /// Returns how many messages the overflow policy has dropped or replaced.
    pub fn dropped_messages(&self) -> u64 {
        self.link.lock().outbox.dropped()
    }

    /// Returns the session's converter. Sessions with the same one can share what it has encoded.
    pub fn converter(&self) -> &AnyConverter {
        &self.link.options.converter
    }

    /// Queues a small message by copying it, as most are.
    #[inline]
    fn copies(&self, message: &Message) -> bool {
        self.link.copy(opcode_of(message), message.as_bytes())
    }

    /// Offers a message once.
    fn offer(&self, key: Option<&[u8]>, message: Message) -> Offered {
        self.link.offer(Outgoing { key: key.map(Bytes::copy_from_slice), message, hints: self.hints })
    }

    /// Encodes a value outside of the lock, and offers it once.
    fn offer_encoded<T>(&self, key: Option<&[u8]>, value: &T) -> Result<Offered, SessionError>
    where
        T: Serialize + ?Sized,
    {
        let converter = &self.link.options.converter;
        let mut buffer = ENCODE_BUFFER.take();
        buffer.clear();
        converter.encode(value, &mut buffer)?;
        let opcode = match converter.format() {
            Format::Text => OpCode::Text,
            Format::Binary => OpCode::Binary,
        };
        let offered = match self.link.copy(opcode, &buffer) {
            true => Offered::Taken,
            false => self.offer(key, message_of(opcode, PayloadBuffer::copy(&buffer))),
        };
        if buffer.capacity() <= KEPT {
            ENCODE_BUFFER.set(buffer);
        }
        Ok(offered)
    }

    /// Offers a message again that has found no room, until it is taken or refused.
    async fn wait_for_room(&self, offered: Offered) -> Offered {
        match offered {
            Offered::NoRoom(message) => self.link.send_later(message, self.hints).await,
            offered => offered,
        }
    }
}

fn taken(offered: Offered) -> Result<(), SendError> {
    match offered {
        Offered::Taken => Ok(()),
        Offered::NoRoom(message) => Err(SendError::new(SendErrorKind::Full, message)),
        Offered::Refused(kind, message) => Err(SendError::new(kind, message)),
    }
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").field("queued_bytes", &self.queued_bytes()).finish_non_exhaustive()
    }
}
