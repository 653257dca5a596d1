//! The bound on what is accepted and unsent, and the policy that keeps it. Knows no waker and no socket.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use bytes::Bytes;
use converse_core::{Message, Utf8Bytes};

use crate::{
    engine::{Engine, SendRefused},
    extension::SendHints,
    frame::{BY_REFERENCE, CloseCode, CloseReason, OpCode},
    session::{Overflow, SessionOptions, clock::now, error::SendErrorKind},
};

/// What a message that is kept back counts beyond its payload and its key, in bytes: its place. So even
/// empty messages reach the mark.
const PLACE: usize = size_of::<Outgoing>();

/// What a key counts beyond its bytes: its places in a table that may be half empty, and its allocation.
const KEY: usize = 2 * size_of::<(Bytes, u64)>() + 32;

/// Decides which messages go to the engine now, later, or never.
#[derive(Debug)]
pub(crate) struct Outbox {
    options: Arc<SessionOptions>,
    /// Boxed once a policy has had to act.
    backlog: Option<Box<Backlog>>,
}

/// What became of messages that found no room.
#[derive(Debug, Default)]
struct Backlog {
    /// Messages kept back above the soft mark, so that they can still be dropped or replaced.
    kept: VecDeque<Outgoing>,
    /// Where the message of a key stands, counted as `kept_gone` counts.
    positions: HashMap<Bytes, u64>,
    kept_bytes: usize,
    /// How many messages left `kept` since the beginning, either way.
    kept_gone: u64,
    dropped: u64,
}

/// A message on its way in, or kept back.
#[derive(Debug)]
pub(crate) struct Outgoing {
    /// By which a newer message replaces it.
    pub(crate) key: Option<Bytes>,
    pub(crate) message: Message,
    pub(crate) hints: SendHints,
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
    /// Builds an empty outbox with the marks and the policy of the options.
    pub(crate) fn new(options: Arc<SessionOptions>) -> Self {
        Self { options, backlog: None }
    }

    /// Tells whether a `send` that waits finds room.
    pub(crate) fn has_room(&self, engine: &Engine) -> bool {
        engine.queued() < self.options.limits.soft_mark
    }

    /// Tells whether a message of so many bytes is over the hard mark behind what is queued.
    #[inline]
    fn is_over(&self, queued: usize, len: usize) -> bool {
        queued > 0 && queued.saturating_add(len) > self.options.limits.hard_mark
    }

    /// Tells whether no policy has a say in a message of so many bytes.
    pub(crate) fn fits(&self, engine: &Engine, len: usize) -> bool {
        self.has_room(engine) && !self.is_over(self.queued(engine), len)
    }

    /// Tells whether a `send` waits at the soft mark.
    pub(crate) fn waits(&self) -> bool {
        matches!(self.options.overflow, Overflow::Wait)
    }

    /// Returns how many bytes are accepted and unsent.
    pub(crate) fn queued(&self, engine: &Engine) -> usize {
        engine.queued() + self.backlog.as_ref().map_or(0, |backlog| backlog.kept_bytes)
    }

    /// Returns how many messages the policy has dropped or replaced.
    pub(crate) fn dropped(&self) -> u64 {
        self.backlog.as_ref().map_or(0, |backlog| backlog.dropped)
    }

    /// Returns the position behind the last message kept back.
    pub(crate) fn kept_end(&self) -> u64 {
        self.backlog.as_ref().map_or(0, |backlog| backlog.kept_gone + backlog.kept.len() as u64)
    }

    /// Returns the position of the first message kept back.
    pub(crate) fn kept_start(&self) -> u64 {
        self.backlog.as_ref().map_or(0, |backlog| backlog.kept_gone)
    }

    /// Queues a small message by copying its payload, where no policy, no extension and no bound has a say;
    /// `false` when it has to be [offered](Self::offer).
    #[inline]
    pub(crate) fn copy(&self, engine: &mut Engine, opcode: OpCode, payload: &[u8]) -> bool {
        let queued = engine.queued();
        let limits = &self.options.limits;
        let room = queued < limits.soft_mark && !self.is_over(queued, payload.len());
        let first = self.backlog.as_ref().is_none_or(|backlog| backlog.kept.is_empty());
        let small = payload.len() < BY_REFERENCE && engine.copies(payload.len());
        room && first && small && engine.send_copied(opcode, payload)
    }

    /// Takes a message as the policy says.
    pub(crate) fn offer(&mut self, engine: &mut Engine, outgoing: Outgoing) -> Offered {
        if !engine.accepts_messages() {
            return Offered::Refused(SendErrorKind::Closed, outgoing.message);
        }
        let queued = self.queued(engine);
        let over = self.is_over(queued, outgoing.message.len());
        match self.options.overflow {
            Overflow::Wait if !self.has_room(engine) => Offered::NoRoom(outgoing.message),
            Overflow::Fail if over => Offered::Refused(SendErrorKind::Full, outgoing.message),
            Overflow::DropNewest if over => {
                self.backlog.get_or_insert_default().dropped += 1;
                Offered::Taken
            }
            Overflow::Close if over => {
                engine.close_now(CloseReason::new(CloseCode::TRY_AGAIN_LATER, "too slow"), now());
                Offered::Refused(SendErrorKind::Closed, outgoing.message)
            }
            Overflow::DropOldest if !self.is_clear(engine) => {
                self.keep(engine, Outgoing { key: None, ..outgoing });
                Offered::Taken
            }
            Overflow::Conflate if !self.is_clear(engine) => {
                self.keep(engine, outgoing);
                Offered::Taken
            }
            _ => outgoing.send(engine),
        }
    }

    /// Hands kept messages to the engine as far as there is room.
    pub(crate) fn promote(&mut self, engine: &mut Engine) {
        while self.has_room(engine) && self.promote_one(engine) {}
    }

    /// Hands all kept messages to the engine, which is about to close.
    pub(crate) fn promote_all(&mut self, engine: &mut Engine) {
        while self.promote_one(engine) {}
    }

    fn promote_one(&mut self, engine: &mut Engine) -> bool {
        let Some(backlog) = &mut self.backlog else { return false };
        let Some(kept) = backlog.pop() else { return false };
        if engine.send(kept.message, kept.hints, now).is_err() {
            backlog.dropped += 1;
        }
        true
    }

    /// Tells whether a message may go to the engine without passing others.
    fn is_clear(&self, engine: &Engine) -> bool {
        self.has_room(engine) && self.backlog.as_ref().is_none_or(|backlog| backlog.kept.is_empty())
    }

    fn keep(&mut self, engine: &Engine, kept: Outgoing) {
        let backlog = self.backlog.get_or_insert_default();
        backlog.push(kept);
        while engine.queued() + backlog.kept_bytes > self.options.limits.hard_mark && backlog.kept.len() > 1 {
            backlog.pop();
            backlog.dropped += 1;
        }
    }
}

impl Backlog {
    /// Keeps a message, in the place of one with the same key.
    fn push(&mut self, kept: Outgoing) {
        let position = kept.key.as_ref().and_then(|key| self.positions.get(key));
        let index = position.and_then(|position| usize::try_from(position - self.kept_gone).ok());
        if let Some(older) = index.and_then(|index| self.kept.get_mut(index)) {
            self.kept_bytes = self.kept_bytes + kept.weight() - older.weight();
            self.dropped += 1;
            // Its key is the one that is in the table.
            *older = Outgoing { key: older.key.take(), ..kept };
            return;
        }
        if let Some(key) = &kept.key {
            self.positions.insert(key.clone(), self.kept_gone + self.kept.len() as u64);
        }
        self.kept_bytes += kept.weight();
        self.kept.push_back(kept);
    }

    fn pop(&mut self) -> Option<Outgoing> {
        let kept = self.kept.pop_front()?;
        if let Some(key) = &kept.key {
            self.positions.remove(key);
        }
        self.kept_bytes -= kept.weight();
        self.kept_gone += 1;
        if self.kept.is_empty() {
            self.kept = VecDeque::new();
            self.positions = HashMap::new();
        }
        Some(kept)
    }
}

impl Outgoing {
    fn weight(&self) -> usize {
        PLACE + self.message.len() + self.key.as_ref().map_or(0, |key| KEY + key.len())
    }

    fn send(self, engine: &mut Engine) -> Offered {
        let Self { message, hints, .. } = self;
        let spare = if engine.copies(0) { Message::Binary(Bytes::new()) } else { message.clone() };
        match engine.send(message, hints, now) {
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
