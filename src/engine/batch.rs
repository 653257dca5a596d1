//! What a handler works on without the engine while it is polled: the messages of one read, and its replies to them.
//! Knows no lock and no time.

use std::mem;

use bytes::Bytes;
use converse_core::{Message, PayloadBuffer};

use crate::{
    engine::{
        EngineConfig,
        input::{Input, SCRATCH},
    },
    frame::{BY_REFERENCE, Encoder, HeaderRules, Lane, OpCode, Role, Rsv, WholeFrame, WriteQueue},
    message::{Fragments, whole},
};

/// The bytes of one read, out of which messages are taken one by one, and the frames that are sent meanwhile.
///
/// Only whole data messages of one frame are taken here. In front of anything else (a control frame, a fragment, a frame
/// that is not all there, a fault) it stops, and the engine gets the rest.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) input: Input,
    /// A message that the read has ended.
    first: Option<Message>,
    /// Bytes of the longest message.
    longest: usize,
    /// Whether long messages are slices.
    slices: bool,
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
            input: Input::new(),
            first: None,
            longest: 0,
            slices: false,
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

    /// Sets how one connection takes messages, `most` of them at most, as slices or not, and sends.
    #[inline]
    pub(crate) fn begin(&mut self, config: &EngineConfig, most: usize, soft_mark: usize, slices: bool) {
        self.slices = slices;
        (self.most, self.taken, self.longest) = (most, 0, 0);
        self.rules = HeaderRules::new(config.role, Rsv::NONE, config.frame_limit(false));
        self.max_message_size = config.max_message_size;
        self.encoder = Encoder::new(config.role, config.mask_source);
        self.fragment_size = config.fragment_size;
        // What answers a block leaves together, where the mark is not lower than usual reads.
        self.soft_mark = if soft_mark < SCRATCH { soft_mark } else { soft_mark.max(self.input.block_len()) };
    }

    /// Puts a message in front of those that are left.
    pub(crate) fn put_first(&mut self, message: Message) {
        self.first = Some(message);
    }

    /// Takes the next message; `None` where it stops.
    #[inline]
    pub(crate) fn next(&mut self) -> Option<Message> {
        if self.first.is_some() {
            return self.first.take();
        }
        let frame = self.find()?;
        if self.slices && self.input.is_worth_a_slice(&frame) {
            let message = self.input.slice(&frame, |payload| whole(frame.opcode, payload).ok())?;
            self.note(frame.len());
            return Some(message);
        }
        let copy = |payload: &[u8]| whole(frame.opcode, PayloadBuffer::copy(payload)).ok();
        let message = self.input.copy(&frame, copy)?;
        self.note(frame.len());
        Some(message)
    }

    /// Lets `read` see the payload of the next message where it lies; the message is taken if that gives something, or
    /// panics.
    #[inline]
    pub(crate) fn read<R>(&mut self, read: impl FnOnce(OpCode, &[u8]) -> Option<R>) -> Option<R> {
        if self.first.is_some() {
            return None;
        }
        let frame = self.find()?;
        let result = self.input.read(&frame, |payload| read(frame.opcode, payload))?;
        self.note(frame.len());
        Some(result)
    }

    /// Finds the next message.
    #[inline]
    fn find(&mut self) -> Option<WholeFrame> {
        if self.taken == self.most {
            return None;
        }
        self.input.find(self.rules, self.max_message_size)
    }

    #[inline]
    fn note(&mut self, len: usize) {
        self.taken += 1;
        self.longest = self.longest.max(len);
    }

    /// Returns how long the longest message was, in bytes.
    #[inline]
    pub(crate) fn longest(&self) -> usize {
        self.longest
    }

    /// Tells whether as many messages were taken as may be, and none is in front of the others.
    pub(crate) fn is_spent(&self) -> bool {
        self.taken == self.most && self.first.is_none()
    }

    /// Empties it: nothing of one connection is left for the next.
    #[inline]
    pub(crate) fn clear(&mut self) {
        self.input.clear();
        self.first = None;
        if !self.replies.is_empty() {
            self.replies.clear();
        }
    }

    /// Tells whether all was taken.
    #[inline]
    pub(crate) fn is_read(&self) -> bool {
        self.first.is_none() && self.input.is_empty()
    }

    /// Returns the message that was put in front, if nobody has taken it.
    pub(crate) fn take_first(&mut self) -> Option<Message> {
        self.first.take()
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
