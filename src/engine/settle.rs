//! What a handler did without the engine, and what the driver wrote of it: told behind. Knows no batch.

use std::{mem, time::Instant};

use converse_core::Message;

use crate::{
    engine::{Engine, Phase},
    frame::WriteQueue,
};

/// What the engine does not know of yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Unsettled {
    /// Whether bytes came.
    pub(crate) heard: bool,
    /// Bytes of messages that were given out to be written.
    pub(crate) sent: usize,
}

impl Engine {
    /// Tells whether whole messages may be taken out of what comes next, and replies queued, without the engine, since nothing
    /// waits on either side: behind how many bytes, which end the message that is under way.
    #[inline]
    pub(crate) fn lends_behind(&self) -> Option<u32> {
        let is_plain = self.extended.is_none() && !self.config.raw && self.phase() == Phase::Open;
        let takes = self.inbox.is_empty() && !self.inbox.is_shut();
        if !is_plain || !takes || self.has_output() {
            return None;
        }
        match self.decoder.remaining() {
            Some(0) if self.assembler.is_open() => None,
            remaining => remaining,
        }
    }

    /// Takes the message that waits, if nothing else does, and what comes behind it may be taken without the engine.
    pub(crate) fn take_only_message(&mut self) -> Option<Message> {
        let is_between = self.decoder.remaining() == Some(0) && !self.assembler.is_open();
        let lends = self.phase() == Phase::Open && is_between && !self.has_output();
        if lends { self.inbox.take_only_message() } else { None }
    }

    /// Puts a message back that nobody has taken, in front of what waits.
    pub(crate) fn put_back(&mut self, message: Message) {
        self.inbox.put_back(message);
    }

    /// Returns how long the longest frame was since this was last asked, in bytes; 0 where all goes through extensions, or to
    /// the application as frames.
    #[inline]
    pub(crate) fn take_longest(&mut self) -> usize {
        let longest = mem::take(&mut self.longest) as usize;
        if self.extended.is_some() || self.config.raw { 0 } else { longest }
    }

    /// Takes note of what was done without the engine.
    #[inline]
    pub(crate) fn settle(&mut self, unsettled: Unsettled, now: Instant) {
        let Unsettled { heard, sent } = unsettled;
        if heard {
            self.hear(now);
        }
        if sent > 0 {
            if self.in_flight == 0 {
                self.write_progress = now;
            }
            self.data_queued += sent as u64;
            self.in_flight += sent;
        }
    }

    /// Takes messages that were queued without the engine; they leave before those that others have queued meanwhile.
    pub(crate) fn take_replies(&mut self, replies: &mut WriteQueue) {
        self.data_queued += replies.len() as u64;
        self.data.move_frames(replies, usize::MAX);
        replies.move_frames(&mut self.data, usize::MAX);
        if self.discards {
            self.data.clear();
        }
    }
}
