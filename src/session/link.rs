//! What the two sides of a session share: the engine and the outbox under one short lock, and who waits
//! for what. Knows no socket.

use std::{
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use tokio::sync::Notify;

use crate::{
    engine::{Closed, Engine, Event, Phase},
    frame::{CloseCode, CloseReason, Frame, Written},
    handshake::Request,
    session::{
        Overflow, SessionOptions,
        error::FrameError,
        outbox::{Body, Offered, Outbox, Outgoing},
    },
};

/// The shared heart of one session.
pub(crate) struct Link {
    state: Mutex<State>,
    /// Wakes one `send` that waits for room; it wakes the next.
    room: Notify,
    /// Wakes those who wait for a write, a pong or the end.
    progress: Notify,
    /// Whether the handler beside the driver is being polled.
    handler_runs: AtomicBool,
    pub(crate) request: Request,
    pub(crate) subprotocol: Option<Box<str>>,
    pub(crate) options: Arc<SessionOptions>,
}

/// What the lock guards.
pub(crate) struct State {
    pub(crate) engine: Engine,
    pub(crate) outbox: Outbox,
    /// The application, waiting for an event.
    receiver: Option<Waker>,
    /// Whether it waits in the handler, which is polled after each turn of the driver.
    receives_in_handler: bool,
    /// The driver, when it is parked.
    driver: Option<Waker>,
    /// Whether any `send` has ever had to wait: only then is there a need to wake one.
    room_wanted: bool,
    /// The session was dropped: the driver closes the connection.
    pub(crate) abandoned: Option<Abandoned>,
}

/// How a session was dropped.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Abandoned {
    /// Its owner was done with it.
    Done,
    /// Its owner failed or panicked.
    Failed,
}

/// Who waits for an event.
pub(crate) struct Receiver {
    waker: Waker,
    in_handler: bool,
}

/// Up to where a flush waits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FlushMark {
    kept: u64,
    data: Option<u64>,
}

/// Returns the time on the clock that the runtime keeps, which tests can stop.
pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

impl Link {
    /// Builds the heart around an engine.
    pub(crate) fn new(
        engine: Engine,
        options: Arc<SessionOptions>,
        request: Request,
        subprotocol: Option<Box<str>>,
    ) -> Arc<Self> {
        let outbox = Outbox::new(Arc::clone(&options));
        let state = State {
            engine,
            outbox,
            receiver: None,
            receives_in_handler: false,
            driver: None,
            room_wanted: false,
            abandoned: None,
        };
        let state = Mutex::new(state);
        Arc::new(Self {
            state,
            room: Notify::new(),
            progress: Notify::new(),
            handler_runs: AtomicBool::new(false),
            request,
            subprotocol,
            options,
        })
    }

    /// Takes the lock. No code of the application runs under it except extensions; when one panicked there, half
    /// of a message may be queued, and the connection ends.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| {
            self.state.clear_poison();
            let mut state = poisoned.into_inner();
            state.engine.abort(now());
            wake(state.driver.take());
            state
        })
    }

    /// Changes the engine, and wakes the driver when that gave it something to do.
    pub(crate) fn with_engine<R>(&self, change: impl FnOnce(&mut Engine, Instant) -> R) -> R {
        let mut state = self.lock();
        let result = change(&mut state.engine, now());
        let driver = state.driver.take();
        drop(state);
        wake(driver);
        result
    }

    /// Notes that the handler beside the driver is being polled, or is not any more.
    pub(crate) fn handler_runs(&self, runs: bool) {
        self.handler_runs.store(runs, Ordering::Relaxed);
    }

    /// Reads the engine.
    pub(crate) fn engine<R>(&self, read: impl FnOnce(&Engine) -> R) -> R {
        read(&self.lock().engine)
    }

    /// Takes the next event, or notes who waits for it. `None` when the last one was taken.
    pub(crate) fn poll_event(&self, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        let mut state = self.lock();
        let listened = state.engine.wants_bytes();
        if let Some(event) = state.engine.poll_event() {
            let driver = if !listened && state.engine.wants_bytes() { state.driver.take() } else { None };
            drop(state);
            wake(driver);
            return Poll::Ready(Some(event));
        }
        if state.engine.closed().is_some() {
            return Poll::Ready(None);
        }
        // Only the thread that polls the handler can be in it, and that thread sees its own store.
        let in_handler = self.handler_runs.load(Ordering::Relaxed);
        state.receives_in_handler = in_handler;
        if !state.receiver.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            state.receiver = Some(cx.waker().clone());
        }
        Poll::Pending
    }

    /// Offers a message to the outbox once.
    pub(crate) fn offer(&self, outgoing: Outgoing<'_>) -> Offered {
        let outgoing = outgoing.keyed(&self.options.overflow);
        let mut state = self.lock();
        let State { engine, outbox, .. } = &mut *state;
        let offered = outbox.offer(engine, outgoing, now());
        let next = matches!(offered, Offered::Taken) && state.room_wanted && state.has_room();
        state.room_wanted |= matches!(offered, Offered::NoRoom(_));
        let driver = state.driver.take();
        drop(state);
        wake(driver);
        if next {
            self.room.notify_one();
        }
        offered
    }

    /// Gives way now and then, where a `send` never waits: without it a loop of them would keep the driver
    /// from its turn, and every other task of the thread.
    pub(crate) async fn pace(&self) {
        if !matches!(self.options.overflow, Overflow::Wait) {
            tokio::task::consume_budget().await;
        }
    }

    /// Offers a message, and waits for room as often as the outbox says so.
    pub(crate) async fn send(&self, mut outgoing: Outgoing<'_>) -> Offered {
        let hints = outgoing.hints;
        loop {
            let room = self.room.notified();
            match self.offer(outgoing) {
                Offered::NoRoom(message) => outgoing = Outgoing { body: Body::Message(message), hints },
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
        let driver = state.driver.take();
        drop(state);
        wake(driver);
        self.room.notify_one();
        Some(outcome)
    }

    /// Asks for the close, behind everything that was accepted.
    pub(crate) fn close(&self, reason: CloseReason) {
        let mut state = self.lock();
        state.close(reason);
        let driver = state.driver.take();
        drop(state);
        wake(driver);
        self.announce_end();
    }

    /// Notes that the session was dropped; the driver closes the connection.
    pub(crate) fn abandon(&self, how: Abandoned) {
        let mut state = self.lock();
        state.abandoned = Some(how);
        let driver = state.driver.take();
        drop(state);
        wake(driver);
    }

    /// Waits until the answer to a question is there; it is asked again after every progress.
    pub(crate) async fn wait<R>(&self, mut ask: impl FnMut(&mut State) -> Option<R>) -> R {
        loop {
            let progress = self.progress.notified();
            if let Some(answer) = ask(&mut self.lock()) {
                return answer;
            }
            progress.await;
        }
    }

    /// Takes note of a write, and wakes the senders it matters to; tells whether the conversation has ended.
    pub(crate) fn written(&self, written: Written) -> bool {
        let mut state = self.lock();
        let was_full = !state.has_room();
        state.engine.handle_written(written, now());
        let State { engine, outbox, .. } = &mut *state;
        outbox.promote(engine, now());
        let room = was_full && state.room_wanted && state.has_room();
        let ended = state.engine.closed().is_some();
        drop(state);
        if room {
            self.room.notify_one();
        }
        self.progress.notify_waiters();
        ended
    }

    /// Wakes everybody who may wait for something that will not come.
    pub(crate) fn announce_end(&self) {
        self.room.notify_waiters();
        self.progress.notify_waiters();
    }

    /// Wakes those who wait for a pong.
    pub(crate) fn announce_progress(&self) {
        self.progress.notify_waiters();
    }
}

impl From<Abandoned> for CloseReason {
    fn from(how: Abandoned) -> Self {
        match how {
            Abandoned::Done => Self::NORMAL,
            Abandoned::Failed => Self::new(CloseCode::INTERNAL_ERROR, "internal error"),
        }
    }
}

impl Receiver {
    /// Wakes it, unless it is in the handler of the task that `cx` polls, which comes next anyway.
    pub(crate) fn wake_from(self, cx: &Context<'_>) {
        if !(self.in_handler && self.waker.will_wake(cx.waker())) {
            self.waker.wake();
        }
    }

    /// Wakes it.
    pub(crate) fn wake(self) {
        self.waker.wake();
    }
}

impl State {
    /// Asks for the close, behind everything that was accepted.
    pub(crate) fn close(&mut self, reason: CloseReason) {
        let now = now();
        self.outbox.promote_all(&mut self.engine, now);
        self.engine.close(reason, now);
    }

    /// Returns how the conversation ended, once it did.
    pub(crate) fn closed(&self) -> Option<Arc<Closed>> {
        self.engine.closed().cloned()
    }

    /// Marks the driver as running: what is queued from now on needs no wake.
    pub(crate) fn driver_runs(&mut self) {
        self.driver = None;
    }

    /// Marks the driver as parked.
    pub(crate) fn park_driver(&mut self, waker: &Waker) {
        self.driver = Some(waker.clone());
    }

    /// Takes the application's waker off, when there is an event for it.
    pub(crate) fn take_receiver(&mut self) -> Option<Receiver> {
        if !self.engine.has_event() && self.engine.closed().is_none() {
            return None;
        }
        let waker = self.receiver.take()?;
        Some(Receiver { waker, in_handler: self.receives_in_handler })
    }

    /// Returns up to where a flush that begins now has to wait.
    pub(crate) fn flush_mark(&self) -> FlushMark {
        FlushMark { kept: self.outbox.kept_end(), data: None }
    }

    /// Tells whether everything up to the mark has left; the mark is refined on the way.
    pub(crate) fn is_flushed(&self, mark: &mut FlushMark) -> bool {
        if self.outbox.kept_start() < mark.kept {
            return false;
        }
        let data = *mark.data.get_or_insert(self.engine.data_queued());
        self.engine.data_written() >= data
    }

    /// Returns the round-trip time of a ping, once it or a later one was answered.
    pub(crate) fn pong(&self, id: u32) -> Option<Duration> {
        let (answered, time) = self.engine.answered_ping()?;
        (answered.wrapping_sub(id) < u32::MAX / 2).then_some(time)
    }

    fn has_room(&self) -> bool {
        !self.outbox.waits() || self.outbox.has_room(&self.engine)
    }
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}
