//! What the two sides of a session share: the lock around the engine and the outbox, and the ways to wake each other.
//! Knows no socket.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering::Relaxed},
    },
    task::{Context, Poll, Waker},
    time::Instant,
};

use converse_core::Message;
use tokio::sync::Notify;

use crate::{
    engine::{Engine, Event, Phase},
    extension::SendHints,
    frame::{CloseReason, Frame, OpCode},
    handshake::Request,
    session::{
        Overflow, SessionOptions,
        clock::now,
        error::FrameError,
        memory::Account,
        outbox::{Offered, Outbox, Outgoing},
        state::{Abandoned, State, Wakes},
    },
};

/// The driver runs, and has seen everything.
const RUNNING: u8 = 0;
/// Something has happened since the driver last looked.
const TOUCHED: u8 = 1;
/// The driver waits for a wake.
const PARKED: u8 = 2;

/// How often a `send` gives way before a policy decides: a driver on another thread may take some rounds to come.
const PACE: usize = 8;

/// The shared heart of one session.
pub(crate) struct Link {
    state: Mutex<State>,
    /// Wakes one `send` that waits for room; it wakes the next.
    room: Notify,
    /// Wakes those who wait for a write, a pong or the end.
    progress: Notify,
    /// Whether the handler beside the driver is being polled.
    handler_runs: AtomicBool,
    /// Whether it has ended the turn of the task.
    turn_ended: AtomicBool,
    /// How often the task was polled; wraps around.
    polls: AtomicU32,
    /// Whether the driver has something to look at. Changed under the lock, but for [`driver_runs`](Self::driver_runs).
    driver: AtomicU8,
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
            handler_runs: AtomicBool::new(false),
            turn_ended: AtomicBool::new(false),
            polls: AtomicU32::new(0),
            driver: AtomicU8::new(TOUCHED),
            account,
            agreed,
            options,
        })
    }

    /// Takes the lock. No code of the application runs under it except extensions; when one panicked there, half
    /// of a message may be queued, and the connection ends.
    #[inline]
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| self.recover(poisoned.into_inner()))
    }

    #[cold]
    fn recover<'a>(&'a self, mut state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        self.state.clear_poison();
        state.engine.abort(now());
        self.driver.store(TOUCHED, Relaxed);
        wake(state.driver.take());
        state
    }

    /// Changes the engine, and wakes the driver when that gave it something to do.
    pub(crate) fn with_engine<R>(&self, change: impl FnOnce(&mut Engine, Instant) -> R) -> R {
        let mut state = self.lock();
        let result = change(&mut state.engine, now());
        self.release(state);
        result
    }

    /// Releases the lock behind something that the driver should look at.
    fn release(&self, state: MutexGuard<'_, State>) {
        let driver = if self.driver.load(Relaxed) == PARKED { state.driver.clone() } else { None };
        self.driver.store(TOUCHED, Relaxed);
        drop(state);
        wake(driver);
    }

    /// Marks the driver as running: what is queued from now on needs no wake.
    #[inline]
    pub(crate) fn driver_runs(&self) {
        // Fails where somebody has just queued something.
        let _ = self.driver.compare_exchange(PARKED, RUNNING, Relaxed, Relaxed);
        self.polls.store(self.polls().wrapping_add(1), Relaxed);
    }

    /// Returns how often the driver's task was polled; wraps around.
    pub(crate) fn polls(&self) -> u32 {
        self.polls.load(Relaxed)
    }

    /// Tells whether the driver has something to look at.
    #[inline]
    pub(crate) fn is_touched(&self) -> bool {
        self.driver.load(Relaxed) == TOUCHED
    }

    /// Takes the lock for the driver, which looks at everything now.
    #[inline]
    pub(crate) fn look(&self) -> MutexGuard<'_, State> {
        let state = self.lock();
        self.driver.store(RUNNING, Relaxed);
        state
    }

    /// Marks the driver as parked; tells whether it last parked with the same waker.
    pub(crate) fn park_driver(&self, state: &mut State, waker: &Waker) -> bool {
        self.driver.store(PARKED, Relaxed);
        let same = state.driver.as_ref().is_some_and(|last| last.will_wake(waker));
        if !same {
            state.driver = Some(waker.clone());
        }
        same
    }

    /// Notes that the handler beside the driver is being polled, or is not any more.
    #[inline]
    pub(crate) fn handler_runs(&self, runs: bool) {
        self.handler_runs.store(runs, Relaxed);
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

    /// Takes the events that come next to an empty queue, or notes who waits for one. `false` when the last one was
    /// taken.
    pub(crate) fn poll_events(&self, to: &mut VecDeque<Event>, cx: &mut Context<'_>) -> Poll<bool> {
        let mut state = self.lock();
        let made_room = state.engine.poll_events(to);
        if !to.is_empty() {
            self.note_taken(state, made_room);
            return Poll::Ready(true);
        }
        if state.engine.closed().is_some() {
            return Poll::Ready(false);
        }
        // Only the thread that polls the handler can be in it, and that thread sees its own store.
        let in_handler = self.handler_runs.load(Relaxed);
        state.receives_in_handler = in_handler;
        if !state.receiver.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            state.receiver = Some(cx.waker().clone());
        }
        Poll::Pending
    }

    /// Takes note that something was taken, and wakes the driver where that lets it read on.
    #[inline]
    fn note_taken(&self, mut state: MutexGuard<'_, State>, made_room: bool) {
        state.note_taken(&self.account);
        if made_room || state.engine.is_starved() {
            self.release(state);
        }
    }

    /// Queues a small message by copying its payload, where nothing speaks against it; `false` when it has to be
    /// [offered](Self::offer).
    pub(crate) fn copy(&self, opcode: OpCode, payload: &[u8]) -> bool {
        let mut state = self.lock();
        let State { engine, outbox, .. } = &mut *state;
        let copied = outbox.copy(engine, opcode, payload);
        let next = copied && state.room_wanted && state.has_room();
        self.release(state);
        if next {
            self.room.notify_one();
        }
        copied
    }

    /// Offers a message to the outbox once.
    pub(crate) fn offer(&self, outgoing: Outgoing) -> Offered {
        let mut state = self.lock();
        let State { engine, outbox, .. } = &mut *state;
        let offered = outbox.offer(engine, outgoing);
        let next = state.room_wanted && matches!(offered, Offered::Taken) && state.has_room();
        state.room_wanted |= matches!(offered, Offered::NoRoom(_));
        self.release(state);
        if next {
            self.room.notify_one();
        }
        offered
    }

    /// Gives way where a `send` never waits for the peer: now and then, since a loop of them would keep every other task
    /// from its turn, and before a policy decides, so that the driver has written what the transport takes.
    pub(crate) async fn pace(&self, len: usize) {
        if matches!(self.options.overflow, Overflow::Wait) {
            return;
        }
        tokio::task::consume_budget().await;
        for _ in 0..PACE {
            if !self.is_touched() || self.fits(len) {
                break;
            }
            tokio::task::yield_now().await;
        }
    }

    fn fits(&self, len: usize) -> bool {
        let state = self.lock();
        state.outbox.fits(&state.engine, len)
    }

    /// Offers a message that has found no room again, as often as the outbox says so.
    pub(crate) async fn send_later(&self, mut message: Message, hints: SendHints) -> Offered {
        loop {
            let room = self.room.notified();
            match self.offer(Outgoing { key: None, message, hints }) {
                Offered::NoRoom(back) => message = back,
                offered => return offered,
            }
            room.await;
        }
    }

    /// Queues a raw frame, and waits for room before.
    pub(crate) async fn send_frame(&self, frame: Frame) -> Result<(), FrameError> {
        loop {
            let room = self.room.notified();
            if let Some(outcome) = self.offer_frame(&frame) {
                return outcome.map_err(|why| FrameError::new(why, frame));
            }
            room.await;
        }
    }

    fn offer_frame(&self, frame: &Frame) -> Option<Result<(), crate::engine::FrameRefused>> {
        let mut state = self.lock();
        if !state.has_room() && state.engine.phase() == Phase::Open {
            state.room_wanted = true;
            return None;
        }
        let outcome = state.engine.send_frame(frame.clone(), now());
        self.release(state);
        self.room.notify_one();
        Some(outcome)
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

    /// Sets how many bytes of a message that was taken are still worked at.
    pub(crate) fn lend(&self, bytes: usize) {
        let mut state = self.lock();
        let made_room = state.engine.lend(bytes);
        let carried = state.carried;
        state.note(&self.account, carried);
        if made_room || state.engine.is_starved() && bytes == 0 {
            self.release(state);
        }
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

    /// Wakes those for whom something came; the handler of the task that polls this comes next anyway.
    #[inline]
    pub(crate) fn announce(&self, wakes: Wakes) {
        wake(wakes.receiver);
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

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}
