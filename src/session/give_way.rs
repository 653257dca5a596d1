//! How a task gives way to others. Knows no session.

use std::{
    future::Future,
    pin::pin,
    task::{Context, Poll},
};

/// Whether a task gives way before it goes on.
#[derive(Debug, Default)]
pub(crate) struct GiveWay {
    owed: bool,
}

impl GiveWay {
    /// Lets the next poll give way. Not this one: what it has woken would bring the task back at once.
    pub(crate) fn owe(&mut self) {
        self.owed = true;
    }

    /// Tells whether a poll only gives way: the task comes again behind the others of its thread, and behind a look at
    /// the sockets and timers. One that only wakes itself would keep its thread from them for up to sixty turns.
    #[inline]
    pub(crate) fn gives(&mut self, cx: &mut Context<'_>) -> bool {
        if self.owed {
            self.give(cx);
            return true;
        }
        false
    }

    #[cold]
    fn give(&mut self, cx: &mut Context<'_>) {
        self.owed = false;
        if pin!(tokio::task::yield_now()).poll(cx) == Poll::Ready(()) {
            cx.waker().wake_by_ref();
        }
    }
}
