//! How many items a stream may still send. Knows no stream.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use tokio::sync::Semaphore;

/// The most credit that is kept, whatever a peer gives.
const MOST: usize = u32::MAX as usize;

/// The credit that a receiver has given to a stream, in items.
#[derive(Debug)]
pub(crate) struct Credit {
    /// `None` where the peer gives none and takes all.
    items: Option<Semaphore>,
}

impl Credit {
    /// Begins with the receiver's window.
    pub(crate) fn new(window: u32) -> Self {
        Self { items: Some(Semaphore::new(window as usize)) }
    }

    /// For a peer that knows no credit: what bounds a stream then is how fast it reads.
    pub(crate) fn unlimited() -> Self {
        Self { items: None }
    }

    /// Takes what the receiver gives.
    pub(crate) fn give(&self, items: u32) {
        if let Some(semaphore) = &self.items {
            semaphore.add_permits((items as usize).min(MOST.saturating_sub(semaphore.available_permits())));
        }
    }

    /// Takes the credit for one item, and waits for it; waits are counted.
    pub(crate) async fn take(&self, stalls: &AtomicU64) {
        let Some(semaphore) = &self.items else { return };
        if semaphore.available_permits() == 0 {
            stalls.fetch_add(1, Relaxed);
        }
        // It is never closed: who waits is dropped with its call.
        if let Ok(permit) = semaphore.acquire().await {
            permit.forget();
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[test]
    fn a_stream_stops_when_its_credit_is_used_and_goes_on_with_more() {
        let (credit, stalls) = (Credit::new(2), AtomicU64::new(0));
        assert_eq!(credit.take(&stalls).now_or_never(), Some(()));
        assert_eq!(credit.take(&stalls).now_or_never(), Some(()));
        assert_eq!((credit.take(&stalls).now_or_never(), stalls.load(Relaxed)), (None, 1));
        credit.give(1);
        assert_eq!(credit.take(&stalls).now_or_never(), Some(()));
        assert_eq!(credit.take(&stalls).now_or_never(), None);
    }

    #[test]
    fn credit_beyond_all_bounds_does_no_harm() {
        let credit = Credit::new(u32::MAX);
        for _ in 0..10 {
            credit.give(u32::MAX);
        }
        assert_eq!(credit.take(&AtomicU64::new(0)).now_or_never(), Some(()));
    }
}
