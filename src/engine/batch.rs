//! What a handler works on without the engine while it is polled: the messages of one read, and its replies to them.
//! Knows no lock and no time.

use std::mem;

use bytes::Bytes;
use converse_core::{Message, PayloadBuffer};

use crate::{
    engine::EngineConfig,
    frame::{
        BY_REFERENCE, Encoder, HeaderRules, Lane, OpCode, Role, Rsv, WholeFrame, WriteQueue, apply_mask,
    },
    message::{Fragments, whole},
};

/// One read takes at most this many bytes.
pub(crate) const SCRATCH: usize = 64 * 1024;

/// The bytes of one read, out of which messages are taken one by one, and the frames that are sent meanwhile.
///
/// Only whole data messages of one frame are taken here. In front of anything else (a control frame, a fragment, a frame
/// that is not all there, a fault) it stops, and the engine gets the rest.
#[derive(Debug)]
pub(crate) struct Batch {
    bytes: Vec<u8>,
    at: usize,
    end: usize,
    /// How many messages may be taken.
    most: usize,
    taken: usize,
    rules: HeaderRules,
    max_message_size: u64,
    encoder: Encoder,
    fragment_size: usize,
    replies: WriteQueue,
    /// With so many bytes of replies, more of them find no room.
    soft_mark: usize,
}

impl Batch {
    /// Builds an empty one, which [begins](Self::begin) before anything is taken or sent.
    pub(crate) fn new() -> Self {
        Self {
            bytes: vec![0; SCRATCH],
            at: 0,
            end: 0,
            most: 0,
            taken: 0,
            rules: HeaderRules::new(Role::Server, Rsv::NONE, 0),
            max_message_size: 0,
            encoder: Encoder::default(),
            fragment_size: 0,
            replies: WriteQueue::default(),
            soft_mark: 0,
        }
    }

    /// Lends the place for a read of at most `limit` bytes.
    pub(crate) fn space(&mut self, limit: usize) -> &mut [u8] {
        (self.at, self.end) = (0, 0);
        self.bytes.get_mut(..limit).unwrap_or_default()
    }

    /// Notes that the first `count` bytes were read.
    pub(crate) fn fill(&mut self, count: usize) {
        (self.at, self.end) = (0, count.min(self.bytes.len()));
    }

    /// Sets how one connection takes messages, `most` of them at most, and sends.
    #[inline]
    pub(crate) fn begin(&mut self, config: &EngineConfig, most: usize, soft_mark: usize) {
        (self.most, self.taken) = (most, 0);
        self.rules = HeaderRules::new(config.role, Rsv::NONE, config.frame_limit(false));
        self.max_message_size = config.max_message_size;
        self.encoder = Encoder::new(config.role, config.mask_source);
        self.fragment_size = config.fragment_size;
        self.soft_mark = soft_mark;
    }

    /// Takes the next message; `None` where it stops.
    #[inline]
    pub(crate) fn next(&mut self) -> Option<Message> {
        self.read(|opcode, payload| whole(opcode, PayloadBuffer::copy(payload)).ok())
    }

    /// Lets `read` see the next message where it lies, which is taken if that gives something.
    #[inline]
    pub(crate) fn read<R>(&mut self, read: impl FnOnce(OpCode, &[u8]) -> Option<R>) -> Option<R> {
        if self.taken == self.most {
            return None;
        }
        let rest = self.bytes.get_mut(self.at..self.end).filter(|rest| !rest.is_empty())?;
        let frame = WholeFrame::find(rest, self.rules, self.max_message_size)?;
        let payload = rest.get_mut(frame.start..frame.end)?;
        let unmask = |payload: &mut [u8]| {
            if let Some(key) = frame.mask {
                apply_mask(payload, key, 0);
            }
        };
        unmask(payload);
        let result = read(frame.opcode, payload);
        match result {
            Some(_) => {
                self.at += frame.end;
                self.taken += 1;
            }
            // The engine is to find it as it came.
            None => unmask(payload),
        }
        result
    }

    /// Returns what was not taken.
    pub(crate) fn rest(&mut self) -> &mut [u8] {
        self.bytes.get_mut(self.at..self.end).unwrap_or_default()
    }

    /// Tells whether all was taken.
    #[inline]
    pub(crate) fn is_read(&self) -> bool {
        self.at == self.end
    }

    /// Returns how many messages were taken.
    #[inline]
    pub(crate) fn taken(&self) -> usize {
        self.taken
    }

    /// Queues a small message by copying its payload; `false` when that is not for here.
    #[inline]
    pub(crate) fn send_copied(&mut self, opcode: OpCode, payload: &[u8]) -> bool {
        let small = payload.len() < BY_REFERENCE.min(self.fragment_size);
        let fits = small && self.has_room();
        if fits {
            self.encoder.encode_whole(opcode, payload, Lane::Data, &mut self.replies);
        }
        fits
    }

    /// Takes a message and queues it; `false` when that is not for here.
    pub(crate) fn send(&mut self, message: &mut Message) -> bool {
        let has_room = self.has_room();
        if has_room {
            let message = mem::replace(message, Message::Binary(Bytes::new()));
            Fragments::new(message, self.fragment_size)
                .for_each(|frame| self.encoder.encode(frame, Lane::Data, &mut self.replies));
        }
        has_room
    }

    #[inline]
    fn has_room(&self) -> bool {
        self.replies.len() < self.soft_mark
    }

    /// Returns the replies that wait; no more are taken, once they were given to the engine.
    #[inline]
    pub(crate) fn replies(&mut self) -> &mut WriteQueue {
        &mut self.replies
    }

    /// Takes no more replies.
    pub(crate) fn end_replies(&mut self) {
        self.soft_mark = 0;
    }
}
