//! What was read, in the hands of the handler: lent before it is polled, and taken back behind. Knows no transport.

use std::time::Instant;

use crate::{
    engine::{Batch, SCRATCH, TURN},
    session::{
        batches::{self, Lent, Owner},
        driver::{Driver, reading::feed},
        transport::Transport,
    },
};

impl<T: Transport> Driver<T> {
    /// Tells whether the handler is to work on what was read by itself, behind the end of a message that goes to the engine.
    #[inline]
    pub(super) fn is_for_handler(
        &mut self,
        batch: &mut Batch,
        count: usize,
        limit: usize,
        now: Instant,
    ) -> bool {
        // Short reads are for the beginning of a long message, or for want of memory.
        let is_usual = limit >= SCRATCH;
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
        let wakes = self.exchange.meet(&self.link, &mut state, true, now);
        drop(state);
        self.link.announce(wakes);
        let Some(message) = message else { return false };
        batch.put_first(message);
        true
    }

    /// Tells behind how many bytes the handler may work by itself on what comes.
    #[inline]
    pub(super) fn lends_behind(&self) -> Option<u32> {
        let is_clear = self.exchange.writing.is_empty() && !self.link.is_touched();
        self.exchange.outlook.lends_behind.filter(|_| is_clear)
    }

    /// Lends the handler what was read, or only the place for what it sends.
    #[inline]
    pub(crate) fn lend(&mut self) -> Option<Lent> {
        let config = self.exchange.config.as_ref()?;
        let mut batch = match self.batch.take() {
            Some(batch) => batch,
            None if self.lends_behind() == Some(0) => batches::take(),
            None => return None,
        };
        let most = TURN.saturating_sub(self.events as usize);
        batch.begin(config, most, self.link.reply_mark(), self.link.options.slices);
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
        self.exchange.note_longest(batch.longest());
        let mut more = false;
        if (batch.is_read() || batch.is_spent()) && !self.link.is_touched() {
            // Nobody else has anything to be written, or it would be touched.
            self.exchange.unsettled.sent += batch.replies().len();
            batch.replies().move_frames(&mut self.exchange.writing, usize::MAX);
            if !batch.is_read() {
                self.carry = batch.input.take_rest();
            }
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
        let first = batch.take_first().map(|message| state.engine.put_back(message));
        if batch.is_read() {
            let wakes = self.exchange.collect(&self.link, &mut state, now);
            drop(state);
            self.link.announce(wakes);
            return first.is_some();
        }
        drop(state);
        let before = self.events;
        self.hand_rest_over(&mut batch.input, now);
        first.is_some() || self.events > before
    }
}
