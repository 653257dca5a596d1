//! What comes off the transport: read into the thread's batch, or into a long message, and handed over to the engine.

use std::{
    io::{self, ErrorKind::UnexpectedEof},
    mem,
    pin::{Pin, pin},
    task::{Context, Poll, ready},
    time::Instant,
};

use bytes::{Buf, BufMut};
use converse_core::PayloadBuffer;
use tokio::io::{AsyncReadExt, ReadBuf};

use crate::{
    engine::{BLOCK, Input, Phase, SCRATCH, block_for},
    session::{
        batches,
        driver::Driver,
        memory::Account,
        ration::{Ration, SCARCE},
        state::State,
        transport::Transport,
    },
};

/// Messages of so many bytes are worth a read to a block, in bytes.
const LARGE: usize = 16 * 1024;
/// So much is read where the beginning of a message is expected that is longer than a block, and a buffer for it is there: the
/// rest is read straight into it.
const BEGINNING: usize = 16 * 1024;

impl<T: Transport> Driver<T> {
    /// Takes what is left of the last read, or reads once; tells whether anything came.
    #[inline]
    pub(super) fn read(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        self.listening = false;
        if let Some(ration) = &mut self.ration {
            ration.begin();
        }
        if !self.exchange.outlook.bytes && self.link.is_touched() {
            self.look(now, |_| ());
        }
        if self.eof || !self.exchange.outlook.bytes {
            return false;
        }
        if !self.carry.is_empty() && self.lends_behind() == Some(0) && self.has_room() {
            let mut batch = batches::take();
            batch.input.put(mem::take(&mut self.carry));
            self.batch = Some(batch);
            self.note_moved(0);
            return true;
        }
        if !self.carry.is_empty() {
            let mut carry = mem::take(&mut self.carry);
            let taken = self.hand_over(&mut carry, now);
            if taken < carry.len() {
                carry.advance(taken);
                self.carry = carry;
            }
            return taken > 0;
        }
        let limit = self.limit(now);
        if limit == BLOCK && self.exchange.outlook.reads_long {
            return self.read_long(cx, now);
        }
        self.read_through(cx, limit, now)
    }

    /// Reads straight into the message under way.
    fn read_long(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        let room = self.link.account.reading_room() / 2;
        let Some(mut payload) = self.link.lock().engine.lend_payload(room) else {
            return self.read_through(cx, SCRATCH, now);
        };
        let outcome = payload.read(|space| pin!(self.io.read_buf(space)).poll(cx));
        if outcome.is_pending() {
            // Nothing has come on: who waits for that is not to be woken.
            self.link.lock().engine.handle_payload(payload, now);
            self.listening = true;
            return false;
        }
        let mut state = self.link.look();
        self.exchange.settle(&self.link, &mut state, now);
        let before = state.engine.received();
        state.engine.handle_payload(payload, now);
        state.note(&self.link.account, 0);
        self.events += state.engine.received().wrapping_sub(before);
        let wakes = self.exchange.meet(&self.link, &mut state, true, now);
        drop(state);
        self.link.announce(wakes);
        match outcome {
            Poll::Ready(Ok(count)) if count > 0 => self.note_moved(count),
            Poll::Ready(ended) => self.end(ended.err(), now),
            Poll::Pending => {}
        }
        true
    }

    /// Tells whether memory is not scarce.
    fn has_room(&self) -> bool {
        self.ration.is_none() || self.link.account.has_reading_room(SCARCE)
    }

    /// Returns how many bytes may be read at once.
    #[inline]
    fn limit(&mut self, now: Instant) -> usize {
        let keeps = matches!(self.exchange.outlook.phase, Phase::Open | Phase::Closing);
        let most = match self.exchange.longest as usize {
            _ if self.exchange.outlook.reads_long => BLOCK,
            ..LARGE => SCRATCH,
            len if len > BLOCK && PayloadBuffer::is_kept(len) => BEGINNING,
            // Within such a message only its end is to come.
            len if len > BLOCK && self.exchange.outlook.lends_behind != Some(0) => SCRATCH,
            len if self.exchange.outlook.waits => block_for(len),
            _ => SCRATCH,
        };
        match &mut self.ration {
            Some(ration) if keeps => ration.limit(&self.link.account, most, now),
            // What comes is dropped, or nobody is asked.
            _ => most,
        }
    }

    /// Reads through the thread's batch.
    #[inline(never)]
    fn read_through(&mut self, cx: &mut Context<'_>, limit: usize, now: Instant) -> bool {
        if limit == 0 {
            return false;
        }
        let mut batch = batches::take();
        match self.poll_read(cx, &mut batch.input, limit) {
            Poll::Pending => self.listening = true,
            Poll::Ready(Ok(count)) if count > 0 => {
                self.note_moved(count);
                self.exchange.longest = 0;
                if self.is_for_handler(&mut batch, count, limit, now) {
                    self.exchange.unsettled.heard = true;
                    self.batch = Some(batch);
                    return true;
                }
                self.hand_rest_over(&mut batch.input, now);
            }
            Poll::Ready(ended) => self.end(ended.err(), now),
        }
        batches::keep(batch);
        !self.listening
    }

    #[inline]
    fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        input: &mut Input,
        limit: usize,
    ) -> Poll<io::Result<usize>> {
        if limit > SCRATCH {
            let mut block = input.block(limit).limit(limit);
            return pin!(self.io.read_buf(&mut block)).poll(cx);
        }
        let mut buffer = ReadBuf::new(input.space(limit));
        ready!(Pin::new(&mut self.io).poll_read(cx, &mut buffer))?;
        let count = buffer.filled().len();
        input.fill(count);
        Poll::Ready(Ok(count))
    }

    /// The peer sends no more bytes, or the transport has failed.
    fn end(&mut self, error: Option<io::Error>, now: Instant) {
        // The end of TCP without that of TLS in front of it is an end too.
        if let Some(error) = error.filter(|error| error.kind() != UnexpectedEof) {
            return self.look(now, |engine| engine.handle_error(error.kind(), now));
        }
        self.eof = true;
        // A reset is told once, and a write may have heard of it.
        let broken = self.broken;
        self.look(now, |engine| match broken {
            Some(kind) => engine.handle_error(kind, now),
            None => engine.handle_eof(now),
        });
    }

    /// Hands what was read to the engine, and keeps what it does not take.
    pub(super) fn hand_rest_over(&mut self, input: &mut Input, now: Instant) {
        let taken = self.hand_over(input.rest(), now);
        input.pass(taken);
        if !input.is_empty() {
            self.carry = input.take_rest();
        }
    }

    /// Hands bytes to the engine; returns how many were taken.
    fn hand_over(&mut self, bytes: &mut [u8], now: Instant) -> usize {
        let mut state = self.link.look();
        let carried = state.carried;
        let (taken, events) = feed(&mut state, &mut self.ration, &self.link.account, bytes, now);
        // Bytes that are left keep the whole buffer.
        let left = bytes.len() - taken;
        state.note(&self.link.account, if left > 0 { carried.max(left) } else { 0 });
        self.events += events;
        let wakes = self.exchange.meet(&self.link, &mut state, taken > 0, now);
        drop(state);
        self.link.announce(wakes);
        taken
    }
}

/// Hands bytes to the engine; returns how many were taken, and how many events they brought.
#[inline]
pub(super) fn feed(
    state: &mut State,
    ration: &mut Option<Ration>,
    account: &Account,
    bytes: &mut [u8],
    now: Instant,
) -> (usize, u32) {
    let before = state.engine.received();
    let taken = match ration {
        Some(ration) => ration.feed(state, account, bytes, now),
        None => state.engine.handle_bytes(bytes, now),
    };
    (taken, state.engine.received().wrapping_sub(before))
}
