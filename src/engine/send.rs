//! From the application: messages, frames and the close in, bytes for the wire out. Knows no socket.

use std::time::{Duration, Instant};

use converse_core::Message;

use crate::{
    engine::{CloseCause, ClosedBy, Engine, Phase, Signal},
    extension::{ExtensionError, SendHints},
    frame::{
        CloseCode, CloseReason, Frame, Lane, MAX_CONTROL_PAYLOAD, OpCode, ProtocolError, Role, Rsv,
        WriteQueue, Written,
    },
    message::Fragments,
};

/// How many bytes of data are given out at once. What the transport does not take comes
/// [back](Engine::take_back), so that control frames pass it.
const GIVEN_AT_ONCE: usize = 1024 * 1024;

/// A message was not taken.
#[derive(Debug)]
pub(crate) enum SendRefused {
    /// The connection is closing or closed; the message comes back.
    Closed(Message),
    /// An extension could not encode it; the connection is closed with 1011.
    Extension(ExtensionError),
}

/// Why a raw frame cannot be sent as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameRefused {
    /// The connection is closing or closed.
    #[error("the connection is closed")]
    Closed,
    /// A control frame is fragmented or over 125 bytes (RFC 6455 §5.5).
    #[error("a control frame is whole and at most 125 bytes long")]
    BadControl,
    /// The payload of a Close frame is malformed (RFC 6455 §5.5.1).
    #[error("the payload of a Close frame is malformed")]
    BadClose,
    /// A reserved bit is set that no extension claims (RFC 6455 §5.2).
    #[error("a reserved bit is set that no extension claims")]
    ReservedBit,
    /// The frame continues no message, or begins one inside another (RFC 6455 §5.4).
    #[error("the frame is out of order: it continues no message, or begins one inside another")]
    OutOfOrder,
}

impl Engine {
    /// Returns how many bytes were accepted and have not left.
    #[inline]
    pub(crate) fn queued(&self) -> usize {
        self.data.len() + self.in_flight
    }

    /// Returns the position behind the last data byte queued so far.
    pub(crate) fn data_queued(&self) -> u64 {
        self.data_queued
    }

    /// Returns the position behind the last data byte that left.
    pub(crate) fn data_written(&self) -> u64 {
        self.data_written
    }

    /// Tells whether messages are taken: until the close was asked for, or the answer to the peer's
    /// Close frame or fault was given out. So the reply to a message that came together with them
    /// still leaves.
    #[inline]
    pub(crate) fn accepts_messages(&self) -> bool {
        match self.phase() {
            Phase::Open => true,
            Phase::Answering | Phase::Failing => self.close_record.is_pending() && !self.close_asked,
            Phase::Closing | Phase::Draining | Phase::Done => false,
        }
    }

    /// Queues a message. The time is only asked for when an extension fails.
    pub(crate) fn send(
        &mut self,
        message: Message,
        hints: SendHints,
        now: impl FnOnce() -> Instant,
    ) -> Result<(), SendRefused> {
        if !self.accepts_messages() {
            return Err(SendRefused::Closed(message));
        }
        if let Err(error) = self.count_queued(|engine| engine.encode(message, hints)) {
            let failed = ProtocolError::new(CloseCode::INTERNAL_ERROR, "RFC 6455 §7.4.1", "internal error");
            // Half of a message may stand in the queue: it must not leave.
            self.discard();
            self.close_asked = true;
            self.end(failed.into(), CloseCause::ExtensionFailed, now());
            return Err(SendRefused::Extension(error));
        }
        Ok(())
    }

    /// Counts the data bytes that `queue` queues.
    fn count_queued<R>(&mut self, queue: impl FnOnce(&mut Self) -> R) -> R {
        let before = self.data.len();
        let result = queue(self);
        self.data_queued += (self.data.len() - before) as u64;
        result
    }

    fn encode(&mut self, message: Message, hints: SendHints) -> Result<(), ExtensionError> {
        let (encoder, data) = (&self.encoder, &mut self.data);
        let mut queue = |frame| encoder.encode(frame, Lane::Data, data);
        let Some(extended) = self.extended.as_deref_mut() else {
            Fragments::new(message, self.config.fragment_size).for_each(queue);
            return Ok(());
        };
        extended.count_encoded(message.len());
        let stack = &mut extended.stack;
        stack.begin(&message, hints);
        let frame_size = self.config.fragment_size;
        for frame in Fragments::new(message, frame_size) {
            stack.encode(frame, frame_size, &mut |frame| {
                queue(frame);
                Ok(())
            })?;
        }
        Ok(())
    }

    /// Queues a whole message by copying its payload; `false` when the connection is closing. Only for
    /// connections without extensions, see [`copies`](Self::copies).
    #[inline]
    pub(crate) fn send_copied(&mut self, opcode: OpCode, payload: &[u8]) -> bool {
        if !self.accepts_messages() {
            return false;
        }
        self.count_queued(|engine| {
            engine.encoder.encode_whole(opcode, payload, Lane::Data, &mut engine.data);
        });
        true
    }

    /// Tells whether a payload of this length may be sent by [`send_copied`](Self::send_copied).
    #[inline]
    pub(crate) fn copies(&self, len: usize) -> bool {
        self.extended.is_none() && len <= self.config.fragment_size
    }

    /// Queues a frame as it is, in raw mode.
    pub(crate) fn send_frame(&mut self, frame: Frame, now: Instant) -> Result<(), FrameRefused> {
        if self.close_record.is_pending() || self.close_record.is_given() {
            return Err(FrameRefused::Closed);
        }
        let answers = frame.opcode == OpCode::Close && self.phase() == Phase::Answering;
        if self.phase() != Phase::Open && !answers {
            return Err(FrameRefused::Closed);
        }
        self.check_raw(&frame)?;
        if frame.opcode == OpCode::Close {
            let reason = CloseReason::from_payload(&frame.payload).map_err(|_| FrameRefused::BadClose)?;
            return if self.close(reason, now) { Ok(()) } else { Err(FrameRefused::Closed) };
        }
        if !frame.opcode.is_control() {
            self.sending_fragments = !frame.fin;
        }
        self.count_queued(|engine| engine.encoder.encode(frame, Lane::Data, &mut engine.data));
        Ok(())
    }

    fn check_raw(&self, frame: &Frame) -> Result<(), FrameRefused> {
        let claimed = self.extended.as_ref().map_or(Rsv::NONE, |extended| extended.stack.rsv());
        if !claimed.contains(frame.rsv) {
            return Err(FrameRefused::ReservedBit);
        }
        if frame.opcode.is_control() {
            let whole = frame.fin && frame.payload.len() <= MAX_CONTROL_PAYLOAD && frame.rsv.is_empty();
            return if whole { Ok(()) } else { Err(FrameRefused::BadControl) };
        }
        let continues = frame.opcode == OpCode::Continuation;
        if continues == self.sending_fragments { Ok(()) } else { Err(FrameRefused::OutOfOrder) }
    }

    /// Queues a ping, and returns its id: that of the one under way while that has no answer.
    pub(crate) fn ping(&mut self, now: Instant) -> Option<u32> {
        if self.phase() != Phase::Open {
            return None;
        }
        Some(self.keepalive.outstanding().unwrap_or_else(|| self.begin_ping(now)))
    }

    /// Queues a new ping, and returns its id.
    pub(super) fn begin_ping(&mut self, now: Instant) -> u32 {
        let id = self.keepalive.ping(now);
        self.control.ping(id.to_be_bytes());
        id
    }

    /// Returns the last answered ping with its round-trip time.
    pub(crate) fn answered_ping(&self) -> Option<(u32, Duration)> {
        self.keepalive.answered()
    }

    /// Asks for the close; the Close frame leaves behind the data queued so far. `false` when the
    /// connection is already closing.
    pub(crate) fn close(&mut self, reason: CloseReason, now: Instant) -> bool {
        let answers = self.config.raw && self.phase() == Phase::Answering && !self.close_record.is_given();
        if self.close_record.is_pending() || !(answers || self.phase() == Phase::Open) {
            return false;
        }
        self.close_record.say(reason);
        self.close_asked = true;
        self.close_record.blame_first(ClosedBy::Local, CloseCause::Handshake);
        self.signal(Signal::LocalClose, now);
        true
    }

    /// Ends the connection at once, since the peer reads too slowly: with a Close frame that passes the
    /// queued data, which is dropped. A Close frame of the peer that the application has not answered yet
    /// (raw mode) is answered.
    pub(crate) fn close_now(&mut self, reason: CloseReason, now: Instant) {
        self.discard();
        if self.phase() == Phase::Answering {
            self.close(reason, now);
            return;
        }
        self.close_asked = true;
        self.end(reason, CloseCause::Overflow, now);
    }

    /// Gives the connection up without another byte.
    pub(crate) fn abort(&mut self, now: Instant) {
        self.give_up(CloseCause::Aborted, now);
    }

    /// Tells whether something waits to be given out.
    #[inline]
    pub(crate) fn has_output(&self) -> bool {
        let sends = !matches!(self.phase(), Phase::Draining | Phase::Done);
        sends && (!self.data.is_empty() || !self.control.is_empty() || self.close_record.is_pending())
    }

    /// Gives out what should be written next: control frames, then data, then the Close frame, unless a `send` that is
    /// still accepted waits for room.
    #[inline]
    pub(crate) fn poll_output(&mut self, to: &mut WriteQueue, sends_wait: bool, now: Instant) {
        if !self.has_output() {
            return;
        }
        if self.in_flight == 0 {
            self.write_progress = now;
        }
        let before = to.len();
        if self.control.drain(&self.encoder, to) {
            self.keepalive.ping_left(now);
            self.ping_left = self.is_told;
        }
        self.data.move_frames(to, GIVEN_AT_ONCE);
        if self.data.is_empty()
            && !(sends_wait && self.accepts_messages())
            && let Some(reason) = self.close_record.give()
        {
            self.encoder.encode_whole(OpCode::Close, &reason.to_payload(), Lane::Close, to);
        }
        self.in_flight += to.len() - before;
    }

    /// Takes back the frames that have not begun to leave, since the transport takes no more now. When this end has ended
    /// the connection, the application does not wait until the peer has taken the Close frame.
    pub(crate) fn take_back(&mut self, from: &mut WriteQueue) {
        if self.phase() == Phase::Failing && self.closed.is_none() {
            self.finish();
        }
        let before = from.len();
        from.move_back(&mut self.data);
        self.in_flight -= before - from.len();
        if self.discards {
            self.data.clear();
        }
    }

    /// Drops the data that has not begun to leave: a Close frame passes it, or nothing leaves any more.
    pub(super) fn discard(&mut self) {
        self.data.clear();
        self.discards = true;
    }

    /// Takes note of what left.
    pub(crate) fn handle_written(&mut self, written: Written, now: Instant) {
        self.in_flight = self.in_flight.saturating_sub(written.total);
        self.data_written += written.data as u64;
        if written.total > 0 {
            self.write_progress = now;
            if let Some(acknowledged) = &mut self.acknowledged {
                acknowledged.wrote(written.total);
            }
        }
        if written.close {
            self.signal(Signal::CloseWritten, now);
        }
    }

    /// Tells whether the write half of the transport should be shut: everything is said, and it is
    /// this end's turn to close TCP (RFC 6455 §7.1.1).
    pub(crate) fn wants_shutdown(&self) -> bool {
        let clean_client = || {
            self.config.role == Role::Client
                && matches!(self.close_record.cause(), Some((_, CloseCause::Handshake)))
        };
        self.phase() == Phase::Draining && !clean_client()
    }
}
