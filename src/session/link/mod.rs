//! What the two sides of a session share: the lock around the engine and the outbox, and the ways to wake each other.
//! Knows no socket.

mod receiving;
mod sending;
mod waking;

use std::{
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering::Relaxed},
    },
    task::Waker,
    time::Instant,
};

use tokio::sync::Notify;

use crate::{
    engine::{Engine, Phase},
    frame::CloseReason,
    handshake::Request,
    session::{
        SessionOptions,
        batches::{self, Owner},
        clock::now,
        memory::Account,
        outbox::Outbox,
        state::{Abandoned, State},
    },
};

/// The driver runs, and has seen everything.
const RUNNING: u8 = 0;
/// Something has happened since the driver last looked.
const TOUCHED: u8 = 1;
/// The driver waits for a wake.
const PARKED: u8 = 2;

#[cfg(test)]
thread_local! {
    /// How often this thread took the lock of a session.
    pub(super) static LOCKS: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// The shared heart of one session.
pub(crate) struct Link {
    state: Mutex<State>,
    /// Wakes one `send` that waits for room; it wakes the next.
    room: Notify,
    /// Wakes those who wait for a write, a pong or the end.
    progress: Notify,
    /// The task that polls the driver, and the handler beside it. Its lock guards nothing else.
    task: Mutex<Option<Waker>>,
    /// Whether the handler was woken and not polled yet.
    handler_woken: AtomicBool,
    /// Whether it has ended the turn of the task.
    turn_ended: AtomicBool,
    /// How often the task was polled; wraps around.
    polls: AtomicU32,
    /// Whether the driver has something to look at. Changed under the lock, but for [`driver_runs`](Self::driver_runs).
    driver: AtomicU8,
    /// Whether the handler has sent what the engine has not been told of.
    unsettled: AtomicBool,
    pub(crate) account: Arc<Account>,
    pub(crate) agreed: Agreed,
    pub(crate) options: Arc<SessionOptions>,
}

/// What both ends agreed on in the handshake.
pub(crate) struct Agreed {
    pub(crate) request: Request,
    pub(crate) subprotocol: Option<Box<str>>,
}

impl Link {
    /// Builds the heart around an engine.
    pub(crate) fn new(
        engine: Engine,
        account: Arc<Account>,
        options: Arc<SessionOptions>,
        agreed: Agreed,
    ) -> Arc<Self> {
        let outbox = Outbox::new(Arc::clone(&options));
        let state = Mutex::new(State::new(engine, outbox));
        Arc::new(Self {
            state,
            room: Notify::new(),
            progress: Notify::new(),
            task: Mutex::new(None),
            handler_woken: AtomicBool::new(true),
            turn_ended: AtomicBool::new(false),
            polls: AtomicU32::new(0),
            driver: AtomicU8::new(TOUCHED),
            unsettled: AtomicBool::new(false),
            account,
            agreed,
            options,
        })
    }

    /// Takes the lock. No code of the application runs under it except extensions; when one panicked there, half
    /// of a message may be queued, and the connection ends.
    ///
    /// On the thread of a handler that has a batch, its replies go to the engine first: what is asked or done under the lock
    /// comes behind them.
    #[inline]
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        #[cfg(test)]
        LOCKS.set(LOCKS.get() + 1);
        let mut state = self.state.lock().unwrap_or_else(|poisoned| self.recover(poisoned.into_inner()));
        batches::with(Owner::of(self), |batch| {
            if !batch.replies().is_empty() {
                state.engine.take_replies(batch.replies());
                self.driver.store(TOUCHED, Relaxed);
            }
            batch.end_replies();
            Some(())
        });
        state
    }

    /// Tells whether the handler has sent what the engine has not been told of. To be asked under the lock.
    pub(crate) fn is_unsettled(&self) -> bool {
        self.unsettled.load(Relaxed)
    }

    /// Notes that the engine was told of all that the handler has sent. To be noted under the lock.
    #[inline]
    pub(crate) fn settle(&self) {
        self.unsettled.store(false, Relaxed);
    }

    #[cold]
    fn recover<'a>(&'a self, mut state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        self.state.clear_poison();
        state.engine.abort(now());
        self.driver.store(TOUCHED, Relaxed);
        self.wake_task();
        state
    }

    /// Changes the engine, and wakes the driver when that gave it something to do.
    pub(crate) fn with_engine<R>(&self, change: impl FnOnce(&mut Engine, Instant) -> R) -> R {
        let mut state = self.lock();
        let result = change(&mut state.engine, now());
        self.release(state);
        result
    }

    /// Returns how often the driver's task was polled; wraps around.
    pub(crate) fn polls(&self) -> u32 {
        self.polls.load(Relaxed)
    }

    /// Takes the lock for the driver, which looks at everything now.
    #[inline]
    pub(crate) fn look(&self) -> MutexGuard<'_, State> {
        let state = self.lock();
        self.driver.store(RUNNING, Relaxed);
        state
    }

    /// Ends the turn of the task in which the handler is being polled.
    pub(crate) fn end_turn(&self) {
        self.turn_ended.store(true, Relaxed);
    }

    /// Tells whether the handler has ended the turn.
    #[inline]
    pub(crate) fn take_turn_ended(&self) -> bool {
        self.turn_ended.load(Relaxed) && self.turn_ended.swap(false, Relaxed)
    }

    /// Reads the engine.
    pub(crate) fn engine<R>(&self, read: impl FnOnce(&Engine) -> R) -> R {
        read(&self.lock().engine)
    }

    /// Asks for the close, behind everything that was accepted.
    pub(crate) fn close(&self, reason: CloseReason) {
        let mut state = self.lock();
        state.close(reason);
        self.release(state);
        self.announce_end();
    }

    /// Closes the conversation behind its handler.
    pub(crate) fn end_handler(&self, how: Abandoned) {
        let mut state = self.lock();
        let dropped = state.abandoned.take().is_some();
        state.close(how.into());
        // A session that was handed on is still received from.
        if dropped {
            state.engine.stop_delivery();
            state.note_taken(&self.account);
        }
        self.release(state);
        // Senders that wait for room will not get it.
        self.announce_end();
    }

    /// Notes that the session was dropped; the driver closes the connection.
    pub(crate) fn abandon(&self, how: Abandoned) {
        let mut state = self.lock();
        state.abandoned = Some(how);
        if state.engine.phase() == Phase::Done {
            // No driver will.
            state.engine.stop_delivery();
            state.note_taken(&self.account);
        }
        self.release(state);
    }

    /// Waits until the answer to a question is there; it is asked again after every progress.
    pub(crate) async fn wait<R>(&self, mut ask: impl FnMut(&mut State) -> Option<R>) -> R {
        loop {
            let progress = self.progress.notified();
            {
                let mut state = self.lock();
                if let Some(answer) = ask(&mut state) {
                    return answer;
                }
                state.progress_wanted = true;
            }
            progress.await;
        }
    }
}
