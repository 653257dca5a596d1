//! Whether so much waits for the peer that nothing is done which could bring more about. Knows no codec.

use std::{
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    task::{Context, Waker},
};

use crate::rpc::{connection::Connection, lanes::Lanes};

/// What waits until the peer has taken what is there for it. Changed under the lock of the tables.
#[derive(Debug)]
pub(crate) struct Backlog {
    most: usize,
    frames: AtomicBool,
    handlers: AtomicBool,
}

impl Backlog {
    /// Lets so many bytes wait, before others wait for them.
    pub(crate) fn new(most: usize) -> Self {
        Self { most, frames: AtomicBool::new(false), handlers: AtomicBool::new(false) }
    }

    /// Returns how many bytes may wait.
    pub(crate) fn most(&self) -> usize {
        self.most
    }

    /// Takes note of what waits in the lanes.
    pub(crate) fn note(&self, lanes: &Lanes) {
        self.frames.store(lanes.responses() >= self.most, Relaxed);
        self.handlers.store(lanes.results() >= self.most, Relaxed);
    }

    /// Tells whether the peer's frames wait, which could bring refusals and control frames about.
    pub(crate) fn holds_frames(&self) -> bool {
        self.frames.load(Relaxed)
    }

    /// Tells whether handlers wait, which could bring answers about.
    pub(crate) fn holds_handlers(&self) -> bool {
        self.handlers.load(Relaxed)
    }
}

impl Connection {
    /// Tells whether a handler in a task of its own has to wait until the peer has taken what is there for it; then it
    /// is woken.
    pub(crate) fn waits_for_peer(&self, cx: &Context<'_>) -> bool {
        if !self.backlog.holds_handlers() {
            return false;
        }
        let mut tables = self.lock();
        // What is noted under the lock is not missed by who takes note of the end of the backlog under it.
        let waits = self.backlog.holds_handlers() && tables.end.is_none();
        if waits && !tables.waiting.iter().any(|waker| waker.will_wake(cx.waker())) {
            tables.waiting.push(cx.waker().clone());
        }
        waits
    }
}

/// Wakes the handlers in tasks of their own that waited.
pub(crate) fn wake_all(waiting: Vec<Waker>) {
    waiting.into_iter().for_each(Waker::wake);
}
