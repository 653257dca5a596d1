//! What one connection holds: what was received and waits, as the session's driver says, and what is charged. Knows no
//! engine.

use std::sync::{
    Arc,
    atomic::{
        AtomicUsize,
        Ordering::{AcqRel, Acquire, Relaxed},
    },
};

use crate::session::memory::{Charge, Load, Pool};

/// What a connection holds up to here is never asked of the pool, in bytes.
pub(crate) const FLOOR: usize = 64 * 1024;

/// What may wait to be sent to a connection whatever the pool has, in bytes.
pub(crate) const LITTLE: usize = 16 * 1024;

/// What one connection holds, in bytes.
///
/// The pool is asked before `held` grows, and given back to after it shrank: it never has less than all its accounts
/// hold above their floors.
#[derive(Debug)]
pub(crate) struct Account {
    /// What charges may come to.
    limit: AtomicUsize,
    /// What was received, what extensions hold, what is charged, and what waits to be sent.
    held: AtomicUsize,
    charged: AtomicUsize,
    /// What was received and waits.
    received: AtomicUsize,
    /// What waits to be sent.
    sending: AtomicUsize,
    pool: Option<Arc<Pool>>,
}

impl Account {
    /// Builds an account that holds nothing, and charges no more than `limit`.
    pub(crate) fn new(limit: usize, pool: Option<Arc<Pool>>) -> Arc<Self> {
        let [held, charged, received, sending] = [0, 0, 0, 0].map(AtomicUsize::new);
        Arc::new(Self { limit: AtomicUsize::new(limit), held, charged, received, sending, pool })
    }

    /// Changes what charges may come to; those that are there stay.
    pub(crate) fn set_limit(&self, limit: usize) {
        self.limit.store(limit, Relaxed);
    }

    /// Returns what charges may come to.
    pub(crate) fn limit(&self) -> usize {
        self.limit.load(Relaxed)
    }

    /// Charges bytes; `None` when that is over the limit, or the pool refuses.
    #[inline]
    pub(crate) fn charge(self: &Arc<Self>, bytes: usize) -> Option<Charge> {
        self.try_charge(bytes).then(|| Charge::new(Arc::clone(self), bytes))
    }

    /// Returns how many bytes a charge could have now.
    #[inline]
    pub(crate) fn room(&self) -> usize {
        self.limit().saturating_sub(self.charged()).min(self.pool_room())
    }

    /// Tells whether a charge could have all that charges may come to.
    pub(crate) fn has_all_room(&self) -> bool {
        self.room() >= self.limit()
    }

    /// Tells whether little is left: whoever lets the peer send more should wait.
    pub(crate) fn is_tight(&self) -> bool {
        let short = |pool: &Arc<Pool>| {
            let above = above_floor(self.held());
            above > pool.reach(above) / 2
        };
        self.charged() > self.limit() / 2 || self.pool.as_ref().is_some_and(short)
    }

    /// Returns all that is held.
    pub(crate) fn held(&self) -> usize {
        self.held.load(Acquire)
    }

    /// Returns the sum of the charges.
    pub(crate) fn charged(&self) -> usize {
        self.charged.load(Acquire)
    }

    /// Tells whether the connection shares a pool.
    #[inline]
    pub(crate) fn has_pool(&self) -> bool {
        self.pool.is_some()
    }

    /// Sets what was received and waits. Never refused: it is there.
    pub(crate) fn set_received(&self, now: usize) {
        self.set(&self.received, now);
    }

    /// Counts what extensions hold for the message under way, which was `before`. Never refused: it is there. It is no
    /// part of what may always be received.
    pub(crate) fn set_extensions(&self, before: usize, now: usize) {
        self.change(before, now);
    }

    /// Sets what waits to be sent. Never refused: it is there.
    pub(crate) fn set_sending(&self, now: usize) {
        self.set(&self.sending, now);
    }

    /// Counts a long frame that is to be sent; `None` when the pool refuses it. A short one is no matter.
    pub(crate) fn load(self: &Arc<Self>, bytes: usize) -> Option<Load> {
        let bytes = if bytes > LITTLE && self.has_pool() { bytes } else { 0 };
        let taken = bytes == 0 || self.grow(bytes, |pool, more, above| pool.try_take(more, above));
        taken.then(|| Load::new(Arc::clone(self), bytes))
    }

    /// Counts a long frame that waits to be sent. Never refused: it is there.
    pub(crate) fn add_frame(&self, bytes: usize) {
        if bytes > LITTLE && self.has_pool() {
            self.add(bytes);
        }
    }

    /// Takes note that a frame does not wait any more.
    pub(crate) fn subtract_frame(&self, bytes: usize) {
        if bytes > LITTLE && self.has_pool() {
            self.subtract(bytes);
        }
    }

    /// Returns how many bytes more may wait to be sent: a little always, and above it what the pool has.
    pub(crate) fn sending_room(&self) -> usize {
        self.pool_room().max(LITTLE.saturating_sub(self.sending.load(Acquire)))
    }

    fn set(&self, gauge: &AtomicUsize, now: usize) {
        self.change(gauge.swap(now, AcqRel), now);
    }

    fn change(&self, before: usize, now: usize) {
        match now.checked_sub(before) {
            Some(more) => self.add(more),
            None => self.subtract(before - now),
        }
    }

    /// Tells whether at least so many bytes more may be received.
    #[inline]
    pub(crate) fn has_reading_room(&self, bytes: usize) -> bool {
        self.pool.as_ref().is_none_or(|pool| pool.has_free_for(self.held().saturating_add(bytes)))
            || self.reading_room() >= bytes
    }

    /// Returns how many bytes more may be received: up to the floor always, whatever is charged, and above it what the
    /// pool has.
    pub(crate) fn reading_room(&self) -> usize {
        self.pool_room().max(FLOOR.saturating_sub(self.received.load(Acquire)))
    }

    fn pool_room(&self) -> usize {
        let Some(pool) = &self.pool else { return usize::MAX };
        let held = self.held();
        FLOOR.saturating_add(pool.reach(above_floor(held))).saturating_sub(held)
    }

    #[inline]
    pub(super) fn try_charge(&self, bytes: usize) -> bool {
        if bytes == 0 {
            return true;
        }
        let limit = self.limit();
        let sum = |charged: usize| charged.checked_add(bytes).filter(|sum| *sum <= limit);
        if self.charged.fetch_update(AcqRel, Acquire, sum).is_err() {
            return false;
        }
        let taken = self.grow(bytes, |pool, more, above| pool.try_take(more, above));
        if !taken {
            self.charged.fetch_sub(bytes, AcqRel);
        }
        taken
    }

    pub(super) fn discharge(&self, bytes: usize) {
        if bytes > 0 {
            self.charged.fetch_sub(bytes, AcqRel);
            self.subtract(bytes);
        }
    }

    fn add(&self, bytes: usize) {
        self.grow(bytes, |pool, more, _| {
            pool.take_anyway(more);
            true
        });
    }

    /// Adds to what is held, once `take` has got off the pool what that is more above the floor.
    fn grow(&self, bytes: usize, take: impl Fn(&Pool, usize, usize) -> bool) -> bool {
        let mut held = self.held();
        loop {
            let now = held.saturating_add(bytes);
            let above = above_floor(now);
            let more = above - above_floor(held);
            let pool = self.pool.as_ref().filter(|_| more > 0);
            if pool.is_some_and(|pool| !take(pool, more, above)) {
                return false;
            }
            match self.held.compare_exchange_weak(held, now, AcqRel, Acquire) {
                Ok(_) => return true,
                Err(other) => held = other,
            }
            if let Some(pool) = pool {
                pool.give_back(more);
            }
        }
    }

    pub(super) fn subtract(&self, bytes: usize) {
        let held = self.held.fetch_sub(bytes, AcqRel);
        self.give_back(above_floor(held) - above_floor(held.saturating_sub(bytes)));
    }

    fn give_back(&self, bytes: usize) {
        if let Some(pool) = self.pool.as_ref().filter(|_| bytes > 0) {
            pool.give_back(bytes);
        }
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        self.give_back(above_floor(self.held()));
    }
}

fn above_floor(held: usize) -> usize {
    held.saturating_sub(FLOOR)
}
