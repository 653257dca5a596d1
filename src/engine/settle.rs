//! What a handler did without the engine, and what the driver wrote of it: told behind. Knows no batch.

use std::time::Instant;

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
    /// Tells whether whole messages may be taken out of what comes next, and replies queued, without the engine: nothing
    /// waits on either side, and nothing is under way.
    #[inline]
    pub(crate) fn lends(&self) -> bool {
        let is_plain = self.extended.is_none() && !self.config.raw && self.phase() == Phase::Open;
        let takes = self.inbox.is_empty() && !self.inbox.is_shut();
        let is_between = !self.decoder.is_inside() && !self.assembler.is_open();
        is_plain && takes && is_between && !self.has_output()
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
