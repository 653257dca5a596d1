//! What comes off the transport: read into the thread's batch, lent to the handler, and handed over to the engine.

use std::{
    io::ErrorKind::UnexpectedEof,
    mem,
    pin::Pin,
    task::{Context, Poll},
    time::Instant,
};

use bytes::Buf;
use tokio::io::ReadBuf;

use crate::{
    engine::{Batch, Phase, SCRATCH, TURN},
    session::{
        batches::{self, Lent, Owner},
        driver::Driver,
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
        match &mut self.ration {
            Some(ration) if keeps => ration.limit(&self.link.account, SCRATCH, now),
            // What comes is dropped, or nobody is asked.
            _ => SCRATCH,
        }
    }

    /// Reads through the thread's batch.
    #[inline(never)]
    fn read_through(&mut self, cx: &mut Context<'_>, limit: usize, now: Instant) -> bool {
        if limit == 0 {
            return false;
        }
        let mut batch = batches::take();
        let mut buffer = ReadBuf::new(batch.space(limit));
        let outcome = Pin::new(&mut self.io).poll_read(cx, &mut buffer);
        let count = buffer.filled().len();
        match outcome {
            Poll::Pending => self.listening = true,
            Poll::Ready(Ok(())) if count > 0 => {
                self.note_moved(count);
                batch.fill(count);
                // What fills the place goes on behind it, and is not worth stopping for.
                if count < SCRATCH && limit == SCRATCH && self.lends() {
                    self.exchange.unsettled.heard = true;
                    self.batch = Some(batch);
                    return true;
                }
                self.hand_rest_over(batch.rest(), now);
            }
            // The end of TCP without that of TLS in front of it is one too.
            Poll::Ready(Err(error)) if error.kind() != UnexpectedEof => {
                self.look(now, |engine| engine.handle_error(error.kind(), now));
            }
            Poll::Ready(_) => self.end(now),
        }
        batches::keep(batch);
        !self.listening
    }

    /// Tells whether the handler may work on what comes next by itself.
    #[inline]
    fn lends(&self) -> bool {
        self.exchange.outlook.lends && self.exchange.writing.is_empty() && !self.link.is_touched()
    }

    /// Lends the handler what was read, or only the place for what it sends.
    #[inline]
    pub(crate) fn lend(&mut self) -> Option<Lent> {
        let mut batch = match self.batch.take() {
            Some(batch) => batch,
            None if self.lends() => {
                let mut batch = batches::take();
                batch.fill(0);
                batch
            }
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
        let mut more = false;
        if batch.is_read() && !self.link.is_touched() {
            // Nobody else has anything to be written, or it would be touched.
            self.exchange.unsettled.sent += batch.replies().len();
            batch.replies().move_frames(&mut self.exchange.writing, usize::MAX);
        } else {
            more = self.take_rest_back(&mut batch, now);
        }
        batches::keep(batch);
        more
    }

    fn take_rest_back(&mut self, batch: &mut Batch, now: Instant) -> bool {
        let mut state = self.link.look();
        self.exchange.settle(&self.link, &mut state, now);
        state.engine.take_replies(batch.replies());
        if batch.is_read() {
            let wakes = self.exchange.collect(&self.link, &mut state, now);
            drop(state);
            self.link.announce(wakes);
            return false;
        }
        drop(state);
        let before = self.events;
        self.hand_rest_over(batch.rest(), now);
        self.events > before
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
        let (before, carried) = (state.engine.received(), state.carried);
        let taken = match &mut self.ration {
            Some(ration) => ration.feed(&mut state, &self.link.account, bytes, now),
            None => state.engine.handle_bytes(bytes, now),
        };
        // Bytes that are left keep the whole buffer.
        let left = bytes.len() - taken;
        state.note(&self.link.account, if left > 0 { carried.max(left) } else { 0 });
        self.events += state.engine.received().wrapping_sub(before);
        let wakes = self.exchange.meet(&self.link, &mut state, now);
        drop(state);
        self.link.announce(wakes);
        taken
    }
}
