//! Who wakes whom: the handler its task, senders and the engine the driver, the driver everybody who waits. Knows no queue.

use std::{
    sync::{
        Arc, MutexGuard, PoisonError,
        atomic::Ordering::{Acquire, Relaxed, Release},
    },
    task::{Wake, Waker},
};

use crate::session::{
    link::{Link, PARKED, RUNNING, TOUCHED},
    state::{State, Wakes},
};

/// Wakes the handler beside the driver: the task of both is polled, and polls the handler first.
impl Wake for Link {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.handler_woken.store(true, Release);
        self.wake_task();
    }
}

impl Link {
    /// Tells whether the handler was woken since this was last asked.
    #[inline]
    pub(crate) fn take_handler_woken(&self) -> bool {
        // What comes between the two is read by the second.
        self.handler_woken.load(Relaxed) && self.handler_woken.swap(false, Acquire)
    }

    /// Tells whether a waker is the one with which the handler beside the driver is polled.
    #[inline]
    pub(super) fn is_handler(&self, waker: &Waker) -> bool {
        // It is built of the `Arc` that this is in, so nothing else has the same data.
        std::ptr::eq(waker.data(), std::ptr::from_ref(self).cast())
    }

    /// Sets the waker of the task that polls the driver, and the handler beside it.
    pub(crate) fn set_task(&self, waker: Option<Waker>) {
        let before = std::mem::replace(&mut *self.task.lock().unwrap_or_else(PoisonError::into_inner), waker);
        drop(before);
    }

    pub(super) fn wake_task(&self) {
        // Not under the lock: a waker may poll at once.
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(task) = task {
            task.wake();
        }
    }

    /// Releases the lock behind something that the driver should look at.
    pub(super) fn release(&self, state: MutexGuard<'_, State>) {
        let parked = self.driver.load(Relaxed) == PARKED;
        self.driver.store(TOUCHED, Relaxed);
        drop(state);
        if parked {
            self.wake_task();
        }
    }

    /// Marks the driver as running: what is queued from now on needs no wake.
    #[inline]
    pub(crate) fn driver_runs(&self) {
        // Fails where somebody has just queued something.
        let _ = self.driver.compare_exchange(PARKED, RUNNING, Relaxed, Relaxed);
        self.polls.store(self.polls().wrapping_add(1), Relaxed);
    }

    /// Tells whether the driver has something to look at.
    #[inline]
    pub(crate) fn is_touched(&self) -> bool {
        self.driver.load(Relaxed) == TOUCHED
    }

    /// Marks the driver as parked. To be done under the lock.
    #[inline]
    pub(crate) fn park_driver(&self) {
        self.driver.store(PARKED, Relaxed);
    }

    /// Wakes those for whom something came; the handler of the task that polls this comes next anyway.
    #[inline]
    pub(crate) fn announce(&self, wakes: Wakes) {
        if let Some(receiver) = wakes.receiver {
            receiver.wake();
        }
        if wakes.ended {
            return self.announce_end();
        }
        if wakes.room {
            self.room.notify_one();
        }
        if wakes.progress {
            self.progress.notify_waiters();
        }
    }

    /// Wakes everybody who may wait for something that will not come.
    pub(crate) fn announce_end(&self) {
        self.room.notify_waiters();
        self.progress.notify_waiters();
    }
}
