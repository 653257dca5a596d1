//! What an engine holds for its peer, in bytes, and how much more that may become. Knows no pool.

use std::time::Instant;

use crate::engine::{Engine, Phase};

/// The most bytes that one byte of DEFLATE data unpacks to (RFC 1951: 258 for two bits); no extension is expected to do
/// more.
const RATIO: usize = 1032;
/// What decoders put out at a time, beyond messages and what waits, in bytes.
const UNPACKED: usize = 64 * 1024;
/// Less room than this counts as none, in bytes: so buffers do not grow byte by byte.
const STEP: usize = 1024;

impl Engine {
    /// Returns how many bytes are held for the peer: messages that wait or are still worked at, and what has come of
    /// the next.
    #[inline]
    pub(crate) fn held(&self) -> usize {
        self.inbox.held() + self.assembler.held() + self.frame_joiner.held()
    }

    /// Returns how many bytes extensions hold beside, for the message under way.
    #[inline]
    pub(crate) fn held_by_extensions(&self) -> usize {
        self.extended.as_ref().map_or(0, |extended| extended.stack.held())
    }

    /// Returns at most how many bytes are held once `bytes` more have come.
    #[inline]
    pub(crate) fn could_hold(&self, bytes: usize) -> usize {
        let grown =
            if self.extended.is_some() { bytes.saturating_mul(RATIO).min(self.most()) } else { bytes };
        // A buffer is allocated for twice what it holds, and what it held may wait by then.
        self.held().saturating_mul(2).saturating_add(grown.saturating_mul(3))
    }

    /// Returns how many bytes the message under way takes without another allocation.
    pub(crate) fn spare(&self) -> usize {
        if self.config.raw { self.frame_joiner.spare() } else { self.assembler.spare() }
    }

    /// Returns how many of `bytes` may come while what is held may grow by `room`.
    pub(crate) fn portion(&self, bytes: usize, room: usize) -> usize {
        let keeps = matches!(self.phase(), Phase::Open | Phase::Closing);
        if !keeps || room >= self.most() {
            return bytes;
        }
        // Half of the room is for the message under way, half for messages that are whole.
        let room = if room < STEP { 0 } else { room / 2 };
        let fitting = self.spare().saturating_add(room);
        match self.extended {
            None => bytes.min(fitting),
            Some(_) => bytes.min((fitting / RATIO).max(usize::from(room > RATIO))),
        }
    }

    /// Takes a [`portion`](Self::portion) of bytes from the wire, as [`handle_bytes`](Self::handle_bytes) does.
    pub(crate) fn handle_portion(&mut self, input: &mut [u8], room: usize, now: Instant) -> usize {
        let half = if room < self.most() { room / 2 } else { usize::MAX };
        self.set_room(half);
        let taken = self.handle_bytes(input, now);
        self.set_room(usize::MAX);
        taken
    }

    /// Sets how many bytes of a message that was taken are still worked at: they count as waiting. Tells whether that
    /// has made room where there was none.
    pub(crate) fn lend(&mut self, bytes: usize) -> bool {
        self.inbox.lend(bytes)
    }

    /// Notes whether nothing is read for want of memory: then the peer's silence says nothing, while its message has
    /// no more time than others.
    pub(crate) fn set_starved(&mut self, starved: bool) {
        self.starved = starved;
    }

    /// Tells whether nothing is read for want of memory.
    pub(crate) fn is_starved(&self) -> bool {
        self.starved
    }

    fn set_room(&mut self, room: usize) {
        self.assembler.set_room(room);
        self.frame_joiner.set_room(room);
    }

    /// Returns at most how many bytes are ever held.
    fn most(&self) -> usize {
        let message = usize::try_from(self.config.max_message_size).unwrap_or(usize::MAX);
        message.saturating_add(self.config.receive_queue).saturating_add(UNPACKED)
    }
}
