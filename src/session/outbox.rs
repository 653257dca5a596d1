//! The bound on what is accepted and unsent, and the policy that keeps it. Knows no waker and no socket.

use std::{collections::VecDeque, time::Instant};

use bytes::Bytes;
use converse_core::{Message, Utf8Bytes};

use crate::{
    engine::{Engine, SendRefused},
    frame::{CloseCode, CloseReason, OpCode},
    session::{Limits, Overflow, error::SendErrorKind},
};

/// Decides which messages go to the engine now, later, or never.
#[derive(Debug)]
pub(crate) struct Outbox {
    overflow: Overflow,
    soft: usize,
    hard: usize,
    /// Messages kept back above the soft mark, so that they can still be dropped or replaced.
    kept: VecDeque<Kept>,
    kept_bytes: usize,
    /// How many messages left `kept` since the beginning, either way.
    kept_gone: u64,
    dropped: u64,
}

#[derive(Debug)]
struct Kept {
    key: Option<Bytes>,
    message: Message,
}

/// A message on its way in: built, or still in the buffer it was encoded to.
pub(crate) enum Outgoing<'a> {
    Message(Message),
    Encoded(OpCode, &'a [u8]),
}

/// What became of a message.
#[derive(Debug)]
pub(crate) enum Offered {
    /// It was queued, or dropped and counted as the policy says.
    Taken,
    /// There is no room now.
    NoRoom(Message),
    /// It was refused.
    Refused(SendErrorKind, Message),
}

impl Outbox {
    /// Builds an empty outbox.
    pub(crate) fn new(overflow: Overflow, limits: &Limits) -> Self {
        let (soft, hard) = (limits.soft_mark, limits.hard_mark);
        Self { overflow, soft, hard, kept: VecDeque::new(), kept_bytes: 0, kept_gone: 0, dropped: 0 }
    }

    /// Tells whether a `send` that waits finds room.
    pub(crate) fn has_room(&self, engine: &Engine) -> bool {
        engine.queued() < self.soft
    }

    /// Tells whether a `send` waits at the soft mark.
    pub(crate) fn waits(&self) -> bool {
        matches!(self.overflow, Overflow::Wait)
    }

    /// Returns how many bytes are accepted and unsent.
    pub(crate) fn queued(&self, engine: &Engine) -> usize {
        engine.queued() + self.kept_bytes
    }

    /// Returns how many messages the policy has dropped or replaced.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Returns the position behind the last message kept back.
    pub(crate) fn kept_end(&self) -> u64 {
        self.kept_gone + self.kept.len() as u64
    }

    /// Returns the position of the first message kept back.
    pub(crate) fn kept_start(&self) -> u64 {
        self.kept_gone
    }

    /// Takes a message as the policy says.
    pub(crate) fn offer(&mut self, engine: &mut Engine, outgoing: Outgoing<'_>, now: Instant) -> Offered {
        if !engine.accepts_messages() {
            return Offered::Refused(SendErrorKind::Closed, outgoing.into_message());
        }
        let queued = self.queued(engine);
        let over = queued > 0 && queued + outgoing.len() > self.hard;
        match self.overflow {
            Overflow::Wait if !self.has_room(engine) => Offered::NoRoom(outgoing.into_message()),
            Overflow::Fail if over => Offered::Refused(SendErrorKind::Full, outgoing.into_message()),
            Overflow::DropNewest if over => {
                self.dropped += 1;
                Offered::Taken
            }
            Overflow::Close if over => {
                engine.close_now(CloseReason::new(CloseCode::TRY_AGAIN_LATER, "too slow"), now);
                Offered::Refused(SendErrorKind::Closed, outgoing.into_message())
            }
            Overflow::DropOldest | Overflow::Conflate(_)
                if !(self.kept.is_empty() && self.has_room(engine)) =>
            {
                self.keep(engine, outgoing.into_message());
                Offered::Taken
            }
            _ => outgoing.send(engine, now),
        }
    }

    /// Hands kept messages to the engine as far as there is room.
    pub(crate) fn promote(&mut self, engine: &mut Engine, now: Instant) {
        while self.has_room(engine) && self.promote_one(engine, now) {}
    }

    /// Hands all kept messages to the engine, which is about to close.
    pub(crate) fn promote_all(&mut self, engine: &mut Engine, now: Instant) {
        while self.promote_one(engine, now) {}
    }

    fn promote_one(&mut self, engine: &mut Engine, now: Instant) -> bool {
        let Some(kept) = self.pop() else { return false };
        if engine.send(kept.message, now).is_err() {
            self.dropped += 1;
        }
        true
    }

    fn keep(&mut self, engine: &Engine, message: Message) {
        let key = match &self.overflow {
            Overflow::Conflate(key) => key(&message),
            _ => None,
        };
        let same =
            key.as_ref().and_then(|key| self.kept.iter_mut().find(|kept| kept.key.as_ref() == Some(key)));
        self.kept_bytes += message.len();
        if let Some(older) = same {
            self.kept_bytes -= older.message.len();
            self.dropped += 1;
            older.message = message;
        } else {
            self.kept.push_back(Kept { key, message });
        }
        while self.queued(engine) > self.hard && self.kept.len() > 1 {
            self.pop();
            self.dropped += 1;
        }
    }

    fn pop(&mut self) -> Option<Kept> {
        let kept = self.kept.pop_front()?;
        self.kept_bytes -= kept.message.len();
        self.kept_gone += 1;
        if self.kept.is_empty() {
            self.kept = VecDeque::new();
        }
        Some(kept)
    }
}

impl Outgoing<'_> {
    fn len(&self) -> usize {
        match self {
            Self::Message(message) => message.len(),
            Self::Encoded(_, payload) => payload.len(),
        }
    }

    fn into_message(self) -> Message {
        match self {
            Self::Message(message) => message,
            Self::Encoded(opcode, payload) => message_of(opcode, Bytes::copy_from_slice(payload)),
        }
    }

    fn send(self, engine: &mut Engine, now: Instant) -> Offered {
        let message = match self {
            Self::Encoded(opcode, payload) if engine.copies(payload.len()) => {
                engine.send_copied(opcode, payload);
                return Offered::Taken;
            }
            other => other.into_message(),
        };
        let spare = if engine.copies(0) { Message::Binary(Bytes::new()) } else { message.clone() };
        match engine.send(message, now) {
            Ok(()) => Offered::Taken,
            Err(SendRefused::Closed(message)) => Offered::Refused(SendErrorKind::Closed, message),
            Err(SendRefused::Extension(error)) => Offered::Refused(SendErrorKind::Extension(error), spare),
        }
    }
}

/// Builds a message of bytes that a converter wrote.
pub(crate) fn message_of(opcode: OpCode, payload: Bytes) -> Message {
    match opcode {
        OpCode::Text => match Utf8Bytes::try_from(payload) {
            Ok(text) => Message::Text(text),
            Err(invalid) => Message::Binary(invalid.0),
        },
        _ => Message::Binary(payload),
    }
}
