//! Moves bytes between a transport and the engine. The only module that reads and writes a socket.

mod last;
mod lending;
mod reading;

use std::{
    io::{self, IoSlice},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    thread,
    time::Instant,
};

use bytes::BytesMut;

use crate::{
    engine::{Batch, Engine, Phase, TURN},
    session::{
        clock, exchange::Exchange, link::Link, ration::Ration, state::State, timer::Timer,
        transport::Transport,
    },
};

/// After this many bytes one connection lets others have their turn.
const TURN_BYTES: usize = 256 * 1024;
/// What a read or a write counts at least, in bytes: so 64 of them are a turn as well.
const CALL: usize = TURN_BYTES / 64;
/// How many slices one vectored write has.
const SLICES: usize = 16;

/// What a turn of the driver came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Something happened: the application may have something to do, and so may the driver.
    Again,
    /// Nothing more can happen before a wake.
    Idle,
    /// The transport is of no more use.
    Done,
}

/// One end of a transport, with the bytes under way.
// What runs in each turn is marked for inlining: it would else depend on how the compiler divides the crate.
pub(crate) struct Driver<T: Transport> {
    io: T,
    link: Arc<Link>,
    exchange: Exchange,
    /// Bytes that were read and not taken yet, because the inbox was full, or memory scarce.
    carry: BytesMut,
    /// What was read for the handler, and is lent next; or comes back from it.
    batch: Option<Box<Batch>>,
    ration: Option<Ration>,
    timer: Timer,
    eof: bool,
    /// Whether the transport was asked for bytes in this turn, and wakes the task when some come.
    listening: bool,
    shut: bool,
    unflushed: bool,
    /// Whether the handler was polled for the end before the peer had taken the Close frame.
    told: bool,
    /// Why the transport takes no more bytes; what the peer had said before is still read.
    broken: Option<io::ErrorKind>,
    /// Bytes moved since the last rest, and more for those moved in small portions.
    moved: u32,
    /// Events for the application since the last rest.
    events: u32,
}

impl<T: Transport> Driver<T> {
    /// Builds a driver; `leftover` are bytes that came right behind the handshake.
    pub(crate) fn new(io: T, link: Arc<Link>, leftover: BytesMut) -> Self {
        if let Some(bytes) = link.options.limits.max_unsent {
            io.limit_unsent(bytes);
        }
        Self {
            io,
            ration: Ration::new(&link.account),
            link,
            exchange: Exchange::default(),
            carry: leftover,
            batch: None,
            timer: Timer::default(),
            eof: false,
            listening: false,
            shut: false,
            unflushed: false,
            told: false,
            broken: None,
            moved: 0,
            events: 0,
        }
    }

    /// Tells whether so much was done since the last rest that others should have their turn.
    pub(crate) fn is_due_to_rest(&self) -> bool {
        self.moved as usize + self.exchange.worked >= TURN_BYTES || self.events as usize >= TURN
    }

    fn note_moved(&mut self, bytes: usize) {
        self.moved = self.moved.saturating_add(u32::try_from(bytes.max(CALL)).unwrap_or(u32::MAX));
    }

    /// Notes that another task polls from now on.
    pub(crate) fn change_task(&mut self) {
        self.timer.disarm();
    }

    /// Does what is due by the clock, and tells the engine of what was done without it: a transport that always has bytes
    /// never lets this wait for either.
    pub(crate) fn keep_time(&mut self) {
        let now = clock::now();
        if self.exchange.is_unsettled() || !self.carry.is_empty() {
            self.look(now, |_| ());
            self.note_carry();
        }
        if self.link.lock().engine.poll_timeout().is_some_and(|due| due <= now) {
            let Self { io, link, exchange, .. } = self;
            exchange.look(link, now, |engine| engine.handle_timeout(now, || io.unacknowledged()));
        }
    }

    /// Tells the account of the bytes that wait for the handler's next batch.
    fn note_carry(&self) {
        let mut state = self.link.lock();
        let carried = state.carried.max(self.carry.len());
        state.note(&self.link.account, carried);
    }

    /// Notes that others have their turn.
    pub(crate) fn rest(&mut self) {
        (self.moved, self.events, self.exchange.worked) = (0, 0, 0);
    }

    /// Writes what the application has produced, reads once, and hands over what came.
    #[inline]
    pub(crate) fn turn(&mut self, cx: &mut Context<'_>) -> Turn {
        let now = clock::now();
        let phase = self.exchange.outlook.phase;
        self.exchange.made_room = false;
        if self.take_back(now) {
            return Turn::Again;
        }
        let wrote = self.write(cx, now);
        if self.is_due_to_rest() && self.exchange.outlook.phase != Phase::Done {
            // Others have their turn before more is read.
            return Turn::Again;
        }
        let read = self.read(cx, now);
        self.give_up_broken(read, now);
        self.shut_down(cx, now);
        if self.exchange.outlook.phase == Phase::Done {
            return Turn::Done;
        }
        // A write leaves the handler nothing to do, unless somebody waits for it, who was woken.
        if read || wrote && self.is_due_to_rest() { Turn::Again } else { self.park(phase, cx, now) }
    }

    fn look<R>(&mut self, now: Instant, act: impl FnOnce(&mut Engine) -> R) -> R {
        self.exchange.look(&self.link, now, act)
    }

    /// Tells the engine what was written, and takes what is to be written next.
    #[inline]
    fn collect(&mut self, now: Instant) {
        let mut state = self.link.look();
        let wakes = self.exchange.collect(&self.link, &mut state, now);
        drop(state);
        self.link.announce(wakes);
    }

    /// Writes until nothing waits, the transport takes no more, or a rest is due; tells whether something left.
    #[inline]
    fn write(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        let mut wrote = false;
        while self.broken.is_none() {
            if self.exchange.writing.is_empty() {
                if !self.exchange.outlook.output && !self.link.is_touched() {
                    break;
                }
                self.collect(now);
                if self.exchange.writing.is_empty() {
                    break;
                }
            }
            match self.write_once(cx) {
                Poll::Ready(Ok(count)) => {
                    self.exchange.left(count);
                    self.note_moved(count);
                    self.unflushed = true;
                    wrote = true;
                    if self.is_due_to_rest() {
                        return true;
                    }
                }
                Poll::Ready(Err(error)) => self.broken = Some(error.kind()),
                Poll::Pending => return wrote,
            }
        }
        if self.unflushed && self.broken.is_none() {
            match Pin::new(&mut self.io).poll_flush(cx) {
                Poll::Ready(Ok(())) => self.unflushed = false,
                Poll::Ready(Err(error)) => self.broken = Some(error.kind()),
                Poll::Pending => {}
            }
        }
        wrote
    }

    /// Fails the connection when it cannot be written to, and the peer has nothing more to say.
    #[inline]
    fn give_up_broken(&mut self, read: bool, now: Instant) {
        if let Some(kind) = self.broken
            && !read
            && (self.listening || self.eof)
        {
            self.look(now, |engine| engine.handle_error(kind, now));
        }
    }

    #[inline]
    fn write_once(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut slices = [IoSlice::new(&[]); SLICES];
        let filled = self.exchange.writing.io_slices(&mut slices);
        let io = Pin::new(&mut self.io);
        let written = match slices.get(..filled) {
            Some([slice]) => io.poll_write(cx, slice),
            Some(slices) => io.poll_write_vectored(cx, slices),
            None => return Poll::Pending,
        };
        match written {
            Poll::Ready(Ok(0)) => Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
            written => written,
        }
    }

    #[inline]
    fn shut_down(&mut self, cx: &mut Context<'_>, now: Instant) {
        if self.shut || !self.exchange.outlook.shutdown {
            return;
        }
        match Pin::new(&mut self.io).poll_shutdown(cx) {
            Poll::Pending => {}
            Poll::Ready(Ok(())) => self.shut = true,
            Poll::Ready(Err(error)) => {
                self.shut = true;
                self.look(now, |engine| engine.handle_error(error.kind(), now));
            }
        }
    }

    /// Waits for the next deadline, unless there is something to do now: for this, or for the handler, which does not
    /// know yet of a phase that is not the one `before` this turn, or of an end that the peer has not taken.
    #[inline]
    fn park(&mut self, before: Phase, cx: &mut Context<'_>, now: Instant) -> Turn {
        let wrote_all = self.exchange.writing.is_empty();
        let mut state = self.link.look();
        let wakes = self.exchange.collect(&self.link, &mut state, now);
        let outlook = self.exchange.outlook;
        let starved = self.ration.as_ref().is_some_and(|ration| ration.is_starved());
        let readable = !self.eof && !self.listening && outlook.bytes && !starved;
        let writable = self.broken.is_none() && wrote_all && !self.exchange.writing.is_empty();
        let ends = outlook.phase == Phase::Failing && tells_end(&mut self.told, &state);
        // A Close frame waits for who has room now.
        let held = self.exchange.made_room && outlook.output;
        let idle = !readable && !writable && outlook.phase == before && !ends && !held;
        let mut deadline = None;
        if self.carry.is_empty() {
            state.carried = 0;
        }
        state.note_taken(&self.link.account);
        state.engine.set_starved(starved);
        if idle {
            deadline = state.engine.poll_timeout();
            if let Some(ration) = self.ration.as_ref().filter(|_| starved) {
                deadline = ration.deadline(deadline);
            }
            self.link.park_driver();
        }
        drop(state);
        self.link.announce(wakes);
        match (idle, deadline) {
            (true, Some(deadline)) => self.wait(deadline, cx, now),
            (true, None) => Turn::Idle,
            (false, _) => Turn::Again,
        }
    }

    /// Sees that the task is woken at a deadline, or does what is due.
    #[inline]
    fn wait(&mut self, deadline: Instant, cx: &mut Context<'_>, now: Instant) -> Turn {
        if self.timer.wait(deadline, cx, now) {
            return Turn::Idle;
        }
        let mut state = self.link.lock();
        state.engine.handle_timeout(clock::now(), || self.io.unacknowledged());
        self.timer.reset(state.engine.poll_timeout());
        Turn::Again
    }
}

/// Tells whether the handler is to hear of the end that has come, once.
#[cold]
fn tells_end(told: &mut bool, state: &State) -> bool {
    let ends = !*told && state.engine.closed().is_some();
    *told |= ends;
    ends
}

impl<T: Transport> Drop for Driver<T> {
    /// The runtime ends, or somebody has dropped the connection's task: what was accepted leaves as far as it is taken.
    fn drop(&mut self) {
        if !thread::panicking() {
            // The transport may be the application's, and nobody catches what panics in a drop.
            let _ = catch_unwind(AssertUnwindSafe(|| self.write_last()));
        }
        let mut state = self.link.lock();
        state.engine.abort(clock::now());
        state.note(&self.link.account, 0);
        let wakes = state.end();
        drop(state);
        self.link.announce(wakes);
    }
}
