//! The memory that the connections of one server or client share. Knows no connection.

use std::sync::{
    Arc,
    atomic::{
        AtomicUsize,
        Ordering::{AcqRel, Acquire},
    },
};

/// What the connections of a server or a client share, unless it is told otherwise, in bytes.
pub(crate) const DEFAULT_MEMORY: usize = 256 * 1024 * 1024;

/// A connection may grow while it holds no more than this part of what is free: the dynamic threshold of switches
/// that share their buffer (Choudhury and Hahne, 1998). So the largest are refused first, and newcomers find room.
const PART: usize = 4;

/// Bytes above the floors of all connections, and how many there may be.
///
/// With N connections that grow together and take all they get, each ends at about the limit divided by N + 4. A gauge
/// is never refused, so each may go beyond that by a read or a frame. One after the other, each gets a fifth of what those before it have left.
#[derive(Debug)]
pub(crate) struct Pool {
    limit: usize,
    used: AtomicUsize,
}

impl Pool {
    /// Builds an empty pool.
    pub(crate) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { limit, used: AtomicUsize::new(0) })
    }

    /// Takes bytes for a connection that will hold `above` its floor with them; `false` when that is more than it may.
    pub(crate) fn try_take(&self, bytes: usize, above: usize) -> bool {
        let taken = self.used.fetch_update(AcqRel, Acquire, |used| {
            let free = self.limit.saturating_sub(used);
            (bytes <= free && above <= free / PART).then(|| used + bytes)
        });
        taken.is_ok()
    }

    /// Takes bytes that are there already, and may not be refused.
    pub(crate) fn take_anyway(&self, bytes: usize) {
        self.used.fetch_add(bytes, AcqRel);
    }

    /// Gives bytes back.
    pub(crate) fn give_back(&self, bytes: usize) {
        self.used.fetch_sub(bytes, AcqRel);
    }

    /// Returns up to what a connection may grow that holds `above` its floor.
    pub(crate) fn reach(&self, above: usize) -> usize {
        let free = self.limit.saturating_sub(self.used());
        (free / PART).min(above.saturating_add(free))
    }

    /// Tells whether a connection may come to hold so many bytes in all, without a look at its floor.
    #[inline]
    pub(crate) fn has_free_for(&self, held: usize) -> bool {
        held <= self.limit.saturating_sub(self.used()) / PART
    }

    /// Returns how many bytes there may be.
    #[cfg(test)]
    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    /// Returns how many bytes are taken.
    pub(crate) fn used(&self) -> usize {
        self.used.load(Acquire)
    }
}
