//! What comes off the transport: read into the thread's batch, lent to the handler, and handed over to the engine.

use std::{
    io::{self, ErrorKind::UnexpectedEof},
    mem,
    pin::{Pin, pin},
    task::{Context, Poll, ready},
    time::Instant,
};

use bytes::{Buf, BufMut};
use tokio::io::{AsyncReadExt, ReadBuf};

use crate::{
    engine::{BLOCK, Batch, Input, Phase, SCRATCH, TURN},
    session::{
        batches::{self, Lent, Owner},
        driver::Driver,
        memory::Account,
        ration::Ration,
        state::State,
        transport::Transport,
    },
};

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
        self.read_through(cx, limit, now)
    }

    /// Returns how many bytes may be read at once.
    #[inline]
    fn limit(&mut self, now: Instant) -> usize {
        let keeps = matches!(self.exchange.outlook.phase, Phase::Open | Phase::Closing);
        let most = if self.reads_large && self.lends_behind().is_some() { BLOCK } else { SCRATCH };
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
                self.reads_large = false;
                if self.is_for_handler(&mut batch, count, limit, now) {
                    self.exchange.unsettled.heard = true;
                    self.batch = Some(batch);
                    return true;
                }
                self.hand_rest_over(batch.input.rest(), now);
            }
            // The end of TCP without that of TLS in front of it is one too.
            Poll::Ready(Err(error)) if error.kind() != UnexpectedEof => {
                self.look(now, |engine| engine.handle_error(error.kind(), now));
            }
            Poll::Ready(_) => self.end(now),
        }
        batch.input.clear();
        batches::keep(batch);
        !self.listening
    }

    #[inline]
    fn poll_read(&mut self, cx: &mut Context<'_>, input: &mut Input, limit: usize) -> Poll<io::Result<usize>> {
        if limit > SCRATCH {
            let mut block = input.block().limit(limit);
            return pin!(self.io.read_buf(&mut block)).poll(cx);
        }
        let mut buffer = ReadBuf::new(input.space(limit));
        ready!(Pin::new(&mut self.io).poll_read(cx, &mut buffer))?;
        let count = buffer.filled().len();
        input.fill(count);
        Poll::Ready(Ok(count))
    }

    /// Tells whether the handler is to work on what was read by itself, behind the end of a message that goes to the engine.
    #[inline]
    fn is_for_handler(&mut self, batch: &mut Batch, count: usize, limit: usize, now: Instant) -> bool {
        // A read that fills the scratch goes on behind it, and is not worth stopping for.
        let is_usual = limit >= SCRATCH && count != SCRATCH;
        match self.lends_behind() {
            Some(0) => is_usual,
            Some(len) if is_usual && (len as usize) < count => self.end_message(batch, len as usize, now),
            _ => false,
        }
    }

    /// Hands over the bytes that end a message, which is put in front of the others; tells whether that was so.
    fn end_message(&mut self, batch: &mut Batch, len: usize, now: Instant) -> bool {
        let end = batch.input.rest().get_mut(..len).unwrap_or_default();
        let mut state = self.link.look();
        self.exchange.settle(&self.link, &mut state, now);
        let (taken, events) = feed(&mut state, &mut self.ration, &self.link.account, end, now);
        batch.input.pass(taken);
        self.events += events;
        let message = state.engine.take_only_message();
        state.note(&self.link.account, 0);
        self.reads_large |= state.engine.take_saw_large();
        let wakes = self.exchange.meet(&self.link, &mut state, now);
        drop(state);
        self.link.announce(wakes);
        let Some(message) = message else { return false };
        batch.put_first(message);
        true
    }

    /// Tells behind how many bytes the handler may work by itself on what comes.
    #[inline]
    fn lends_behind(&self) -> Option<u32> {
        let is_clear = self.exchange.writing.is_empty() && !self.link.is_touched();
        self.exchange.outlook.lends_behind.filter(|_| is_clear)
    }

    /// Lends the handler what was read, or only the place for what it sends.
    #[inline]
    pub(crate) fn lend(&mut self) -> Option<Lent> {
        let mut batch = match self.batch.take() {
            Some(batch) => batch,
            None if self.lends_behind() == Some(0) => batches::take(),
            None => return None,
        };
        let most = TURN.saturating_sub(self.events as usize);
        batch.begin(self.exchange.config.as_ref()?, most, self.link.reply_mark());
        Some(Lent::new(batch, Owner::of(&*self.link)))
    }

    /// Takes what comes back from the handler, which [`turn`](Self::turn) looks at.
    #[inline]
    pub(crate) fn take_lent(&mut self, lent: Lent) {
        self.batch = Some(lent.into_batch());
    }

    /// Tells whether the handler has a batch, or is to have one.
    pub(crate) fn has_batch(&self) -> bool {
        self.batch.is_some()
    }

    /// Takes over what the handler has left and sent; tells whether there is more for it.
    #[inline]
    pub(super) fn take_back(&mut self, now: Instant) -> bool {
        let Some(mut batch) = self.batch.take() else { return false };
        self.events += batch.taken() as u32;
        self.reads_large |= batch.saw_large();
        let mut more = false;
        if batch.is_read() && !self.link.is_touched() {
            // Nobody else has anything to be written, or it would be touched.
            self.exchange.unsettled.sent += batch.replies().len();
            batch.replies().move_frames(&mut self.exchange.writing, usize::MAX);
        } else {
            more = self.take_rest_back(&mut batch, now);
        }
        batch.input.clear();
        batches::keep(batch);
        more
    }

    fn take_rest_back(&mut self, batch: &mut Batch, now: Instant) -> bool {
        let mut state = self.link.look();
        self.exchange.settle(&self.link, &mut state, now);
        state.engine.take_replies(batch.replies());
        let first = batch.take_first().map(|message| state.engine.put_back(message));
        if batch.is_read() {
            let wakes = self.exchange.collect(&self.link, &mut state, now);
            drop(state);
            self.link.announce(wakes);
            return first.is_some();
        }
        drop(state);
        let before = self.events;
        self.hand_rest_over(batch.input.rest(), now);
        first.is_some() || self.events > before
    }

    /// The peer sends no more bytes.
    fn end(&mut self, now: Instant) {
        self.eof = true;
        // A reset is told once, and a write may have heard of it.
        let broken = self.broken;
        self.look(now, |engine| match broken {
            Some(kind) => engine.handle_error(kind, now),
            None => engine.handle_eof(now),
        });
    }

    /// Hands bytes to the engine, and keeps those that it does not take.
    fn hand_rest_over(&mut self, bytes: &mut [u8], now: Instant) {
        let taken = self.hand_over(bytes, now);
        self.carry.extend_from_slice(bytes.get(taken..).unwrap_or_default());
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
        self.reads_large |= state.engine.take_saw_large();
        let wakes = self.exchange.meet(&self.link, &mut state, now);
        drop(state);
        self.link.announce(wakes);
        taken
    }
}

/// Hands bytes to the engine; returns how many were taken, and how many events they brought.
#[inline]
fn feed(
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
