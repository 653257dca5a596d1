//! How many items a stream may still send. Knows no stream.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use tokio::sync::{Semaphore, SemaphorePermit};

/// The most credit that is kept, whatever a peer gives; a semaphore panics over its own bound, which is lower on
/// machines of 32 bits.
const MOST: usize =
    if Semaphore::MAX_PERMITS < u32::MAX as usize { Semaphore::MAX_PERMITS } else { u32::MAX as usize };

/// The credit that a receiver has given to a stream, in items.
#[derive(Debug)]
pub(crate) struct Credit {
    /// Closed when the stream may not send any more.
    items: Semaphore,
    /// Whether the peer gives none and takes all.
    unlimited: bool,
}

impl Credit {
    /// Begins with the receiver's window.
    pub(crate) fn new(window: u32) -> Self {
        Self { items: Semaphore::new((window as usize).min(MOST)), unlimited: false }
    }

    /// For a peer that knows no credit: what bounds a stream then is how fast it reads.
    pub(crate) fn unlimited() -> Self {
        Self { items: Semaphore::new(0), unlimited: true }
    }

    /// Takes what the receiver gives.
    pub(crate) fn give(&self, items: u32) {
        self.items.add_permits((items as usize).min(MOST.saturating_sub(self.items.available_permits())));
    }

    /// Waits for the credit for one item; waits are counted. It is used once the item is sent: until then it is lent,
    /// and comes back when it is dropped. Returns at once when the stream is over.
    pub(crate) async fn take(&self, stalls: &AtomicU64) -> Option<SemaphorePermit<'_>> {
        if self.unlimited {
            return None;
        }
        if self.items.available_permits() == 0 {
            stalls.fetch_add(1, Relaxed);
        }
        self.items.acquire().await.ok()
    }

    /// Ends the stream: its call is over, whoever still holds what sends it.
    pub(crate) fn close(&self) {
        self.items.close();
    }

    /// Tells whether the stream is over.
    pub(crate) fn is_closed(&self) -> bool {
        self.items.is_closed()
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    /// Uses the credit for one item, if there is some.
    fn use_one(credit: &Credit, stalls: &AtomicU64) -> bool {
        credit.take(stalls).now_or_never().map(|permit| permit.map(SemaphorePermit::forget)).is_some()
    }

    #[test]
    fn a_stream_stops_when_its_credit_is_used_and_goes_on_with_more() {
        let (credit, stalls) = (Credit::new(2), AtomicU64::new(0));
        assert!(use_one(&credit, &stalls) && use_one(&credit, &stalls));
        assert_eq!((use_one(&credit, &stalls), stalls.load(Relaxed)), (false, 1));
        credit.give(1);
        assert!(use_one(&credit, &stalls) && !use_one(&credit, &stalls));
    }

    #[test]
    fn credit_for_an_item_that_was_not_sent_is_there_for_the_next() {
        let (credit, stalls) = (Credit::new(1), AtomicU64::new(0));
        for _ in 0..3 {
            assert!(credit.take(&stalls).now_or_never().flatten().is_some());
        }
        assert!(use_one(&credit, &stalls) && !use_one(&credit, &stalls));
    }

    #[test]
    fn credit_beyond_all_bounds_does_no_harm() {
        let credit = Credit::new(u32::MAX);
        for _ in 0..10 {
            credit.give(u32::MAX);
        }
        assert!(use_one(&credit, &AtomicU64::new(0)));
    }
}
