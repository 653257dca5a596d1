//! Reads straight into a long message: its payload is lent, and taken back with what was read. Knows no transport.

use std::time::Instant;

use crate::{
    engine::{BLOCK, Engine, Event, Phase},
    frame::ProtocolError,
    message::LentPayload,
};

/// With so many bytes of a frame to come, they are read straight into its message.
const LONG: u32 = 64 * 1024;

impl Engine {
    /// Tells whether so much of a frame is to come that its message should be read into.
    #[inline]
    pub(crate) fn reads_long(&self) -> bool {
        let is_plain = self.extended.is_none() && !self.config.raw;
        let is_long = || self.decoder.left_of_frame().is_some_and(|left| left >= LONG.into());
        is_plain
            && matches!(self.phase(), Phase::Open | Phase::Closing)
            && self.assembler.is_open()
            && is_long()
    }

    /// Lends the payload of the message under way, with no more room than twice what has arrived, unless the thread has a
    /// buffer for all of it; so many bytes are allocated at most as `room` tells.
    pub(crate) fn lend_payload(&mut self, room: usize) -> Option<LentPayload> {
        if !self.reads_long() || !self.wants_bytes() || room < BLOCK {
            return None;
        }
        let left = self.decoder.left_of_frame().and_then(|left| usize::try_from(left).ok())?;
        self.assembler.lend(left, room)
    }

    /// Takes a payload back, with what was read.
    pub(crate) fn handle_payload(&mut self, mut lent: LentPayload, now: Instant) {
        let count = lent.added().len();
        if count > 0 {
            self.hear(now);
        }
        if !matches!(self.phase(), Phase::Open | Phase::Closing) {
            return self.drop_bytes(count, now);
        }
        if let Err(error) = self.take_payload(lent, now) {
            self.fail(error, now);
        }
    }

    fn take_payload(&mut self, mut lent: LentPayload, now: Instant) -> Result<(), ProtocolError> {
        let added = lent.added();
        let count = added.len();
        let (fin, remaining) = self.decoder.go_on(added).unwrap_or((false, 0));
        self.longest = self.longest.max(LONG);
        if let Some(message) = self.assembler.take_back(lent, fin, remaining)? {
            self.deliver(Event::Message(message));
        }
        self.watch_message(count, now);
        Ok(())
    }
}
