//! What a stream may still send. Knows no stream.

use std::{
    future::poll_fn,
    sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering},
    task::Poll,
};

use futures::task::AtomicWaker;

use crate::rpc::{
    stats::count,
    window::{Window, bytes_of},
};

/// The credit that a receiver has given to a stream. One sender waits for it.
#[derive(Debug)]
pub(crate) struct Credit {
    items: AtomicU64,
    /// May fall below zero by one item, so that an item of any length can be sent.
    bytes: AtomicI64,
    /// Whether the peer gives none and takes all.
    unlimited: bool,
    /// The stream may not send any more.
    closed: AtomicBool,
    sender: AtomicWaker,
}

impl Credit {
    /// Begins with the receiver's window.
    pub(crate) fn new(window: Window) -> Self {
        Self::with(window, false)
    }

    /// For a peer that knows no credit: what bounds a stream then is how fast it reads.
    pub(crate) fn unlimited() -> Self {
        Self::with(Window::SHUT, true)
    }

    fn with(window: Window, unlimited: bool) -> Self {
        Self {
            items: AtomicU64::new(window.items.into()),
            bytes: AtomicI64::new(window.bytes.into()),
            unlimited,
            closed: AtomicBool::new(false),
            sender: AtomicWaker::new(),
        }
    }

    /// Takes what the receiver gives; what is beyond all bounds is lost.
    pub(crate) fn give(&self, more: Window) {
        let items = |items: u64| Some(items.saturating_add(more.items.into()));
        let bytes = |bytes: i64| Some(bytes.saturating_add(more.bytes.into()));
        // Both give something always.
        let _ = self.items.fetch_update(Ordering::AcqRel, Ordering::Acquire, items);
        let _ = self.bytes.fetch_update(Ordering::AcqRel, Ordering::Acquire, bytes);
        self.sender.wake();
    }

    /// Waits until an item may be sent, or the stream is over; waits are counted. Nothing is used by that.
    pub(crate) async fn ready(&self, stalls: &AtomicU64) {
        if self.is_ready() {
            return;
        }
        count(stalls);
        poll_fn(|cx| {
            self.sender.register(cx.waker());
            if self.is_ready() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    /// Uses the credit for an item that is sent, whose frame has so many bytes.
    pub(crate) fn take(&self, frame: usize) {
        if self.unlimited {
            return;
        }
        // Nobody else takes, and it was there.
        self.items.fetch_sub(1, Ordering::AcqRel);
        self.bytes.fetch_sub(bytes_of(frame).into(), Ordering::AcqRel);
    }

    /// Ends the stream: its call is over, whoever still holds what sends it.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.sender.wake();
    }

    /// Tells whether the stream is over.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    fn is_ready(&self) -> bool {
        let given = || self.items.load(Ordering::Acquire) > 0 && self.bytes.load(Ordering::Acquire) > 0;
        self.unlimited || given() || self.is_closed()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering::Relaxed;

    use futures::FutureExt;

    use super::*;

    /// Sends an item of so many bytes, if there is credit for it.
    fn sends(credit: &Credit, bytes: usize) -> bool {
        let ready = credit.ready(&AtomicU64::new(0)).now_or_never().is_some();
        if ready {
            credit.take(bytes);
        }
        ready
    }

    fn items(items: u32) -> Window {
        Window { items, bytes: 1000 }
    }

    #[test]
    fn a_stream_stops_when_its_items_are_used_and_goes_on_with_more() {
        let (credit, stalls) = (Credit::new(items(2)), AtomicU64::new(0));
        assert!(sends(&credit, 1) && sends(&credit, 1));
        assert!(credit.ready(&stalls).now_or_never().is_none());
        assert_eq!(stalls.load(Relaxed), 1);
        credit.give(items(1));
        assert!(sends(&credit, 1) && !sends(&credit, 1));
    }

    #[test]
    fn a_stream_stops_when_its_bytes_are_used_and_goes_on_with_more() {
        let credit = Credit::new(Window { items: 10, bytes: 100 });
        assert!(sends(&credit, 99) && sends(&credit, 50), "the last item may be longer than what is left");
        assert!(!sends(&credit, 1));
        credit.give(Window { items: 0, bytes: 49 });
        assert!(!sends(&credit, 1), "what was too much comes back first");
        credit.give(Window { items: 0, bytes: 1 });
        assert!(sends(&credit, 1) && !sends(&credit, 1));
    }

    #[test]
    fn credit_for_an_item_that_was_not_sent_is_there_for_the_next() {
        let credit = Credit::new(items(1));
        for _ in 0..3 {
            assert!(credit.ready(&AtomicU64::new(0)).now_or_never().is_some());
        }
        assert!(sends(&credit, 1) && !sends(&credit, 1));
    }

    #[test]
    fn who_waits_goes_on_when_the_stream_ends() {
        let (credit, stalls) = (Credit::new(Window::SHUT), AtomicU64::new(0));
        let mut waits = Box::pin(credit.ready(&stalls));
        assert!((&mut waits).now_or_never().is_none());
        credit.close();
        assert!(waits.now_or_never().is_some() && credit.is_closed());
    }

    #[test]
    fn credit_beyond_all_bounds_does_no_harm() {
        let all = Window { items: u32::MAX, bytes: u32::MAX };
        let credit = Credit::new(all);
        for _ in 0..10 {
            credit.give(all);
        }
        assert!(sends(&credit, usize::MAX));
    }
}
