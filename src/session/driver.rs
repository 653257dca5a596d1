//! Moves bytes between a transport and the engine. The only file that reads and writes a socket.

use std::{
    io::{self, ErrorKind::UnexpectedEof, IoSlice},
    mem,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    thread,
    time::Instant,
};

use bytes::{Buf, BytesMut};
use tokio::io::ReadBuf;

use crate::{
    engine::{Engine, Phase, TURN},
    session::{
        clock,
        exchange::{Exchange, Outlook},
        link::Link,
        ration::Ration,
        read_buffer::{self, SCRATCH},
        timer::Timer,
        transport::Transport,
    },
};

/// After this many bytes one connection lets others have their turn.
const TURN_BYTES: usize = 256 * 1024;
/// What a read or a write counts at least, in bytes: so 64 of them are a turn as well.
const CALL: usize = TURN_BYTES / 64;
/// How many turns of bytes a driver writes when it is dropped.
const LAST_TURNS: usize = 16;
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
    ration: Option<Ration>,
    timer: Timer,
    eof: bool,
    /// Whether the transport was asked for bytes in this turn, and wakes the task when some come.
    listening: bool,
    shut: bool,
    unflushed: bool,
    /// Why the transport takes no more bytes; what the peer had said before is still read.
    broken: Option<io::ErrorKind>,
    /// Bytes moved since the last rest, and more for those moved in small portions.
    moved: usize,
    /// Events for the application since the last rest.
    events: usize,
}

impl<T: Transport> Driver<T> {
    /// Builds a driver; `glued` are bytes that came right behind the handshake.
    pub(crate) fn new(io: T, link: Arc<Link>, glued: BytesMut) -> Self {
        if let Some(bytes) = link.options.limits.max_unsent {
            io.limit_unsent(bytes);
        }
        Self {
            io,
            ration: Ration::new(&link.account),
            link,
            exchange: Exchange::default(),
            carry: glued,
            timer: Timer::default(),
            eof: false,
            listening: false,
            shut: false,
            unflushed: false,
            broken: None,
            moved: 0,
            events: 0,
        }
    }

    /// Writes what the transport takes at once, unless the connection was to be cut; others may go on sending meanwhile.
    fn write_last(&mut self) {
        let (mut cx, now) = (Context::from_waker(Waker::noop()), clock::now());
        self.collect(&cx, now);
        let mut turns = 0..LAST_TURNS;
        while turns.next().is_some() && self.exchange.outlook.phase != Phase::Done && self.write(&mut cx, now)
        {
            self.rest();
        }
    }

    /// Tells whether so much was done since the last rest that others should have their turn.
    pub(crate) fn is_due_to_rest(&self) -> bool {
        self.moved + self.exchange.worked >= TURN_BYTES || self.events >= TURN
    }

    /// Does what is due by the clock: a transport that always has bytes never lets this wait for it.
    pub(crate) fn keep_time(&mut self, cx: &Context<'_>) {
        let now = clock::now();
        if self.link.lock().engine.poll_timeout().is_some_and(|due| due <= now) {
            let Self { io, link, exchange, .. } = self;
            exchange.look(link, cx, now, |engine| engine.handle_timeout(now, || io.unacknowledged()));
        }
    }

    /// Notes that others have their turn.
    pub(crate) fn rest(&mut self) {
        (self.moved, self.events, self.exchange.worked) = (0, 0, 0);
    }

    /// Writes what the application has produced, reads once, and hands over what came.
    #[inline]
    pub(crate) fn turn(&mut self, cx: &mut Context<'_>) -> Turn {
        let now = clock::now();
        let before = self.exchange.outlook;
        let wrote = self.write(cx, now);
        let read = self.read(cx, now);
        self.give_up_broken(read, cx, now);
        self.shut_down(cx, now);
        if self.exchange.outlook.phase == Phase::Done {
            return Turn::Done;
        }
        // A write leaves the handler nothing to do, unless somebody waits for it, who was woken.
        if read || wrote && self.is_due_to_rest() { Turn::Again } else { self.park(before, cx, now) }
    }

    fn look<R>(&mut self, cx: &Context<'_>, now: Instant, act: impl FnOnce(&mut Engine) -> R) -> R {
        self.exchange.look(&self.link, cx, now, act)
    }

    /// Tells the engine what was written, and takes what is to be written next.
    #[inline]
    fn collect(&mut self, cx: &Context<'_>, now: Instant) {
        let mut state = self.link.look();
        let wakes = self.exchange.collect(&mut state, cx, now);
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
                self.collect(cx, now);
                if self.exchange.writing.is_empty() {
                    break;
                }
            }
            match self.write_once(cx) {
                Poll::Ready(Ok(count)) => {
                    self.exchange.left(count);
                    self.moved += count.max(CALL);
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
    fn give_up_broken(&mut self, read: bool, cx: &Context<'_>, now: Instant) {
        if let Some(kind) = self.broken
            && !read
            && (self.listening || self.eof)
        {
            self.look(cx, now, |engine| engine.handle_error(kind, now));
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

    /// Takes what is left of the last read, or reads once; tells whether anything came.
    #[inline]
    fn read(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        self.listening = false;
        if let Some(ration) = &mut self.ration {
            ration.begin();
        }
        if !self.exchange.outlook.bytes && self.link.is_touched() {
            self.look(cx, now, |_| ());
        }
        if self.eof || !self.exchange.outlook.bytes {
            return false;
        }
        if !self.carry.is_empty() {
            let mut carry = mem::take(&mut self.carry);
            let taken = self.hand_over(&mut carry, cx, now);
            if taken < carry.len() {
                carry.advance(taken);
                self.carry = carry;
            }
            return taken > 0;
        }
        let limit = self.limit(now);
        self.read_through(cx, limit, now)
    }

    /// Returns how many bytes may be read at once.
    #[inline]
    fn limit(&mut self, now: Instant) -> usize {
        let keeps = matches!(self.exchange.outlook.phase, Phase::Open | Phase::Closing);
        match &mut self.ration {
            Some(ration) if keeps => ration.limit(&self.link.account, SCRATCH, now),
            // What comes is dropped, or nobody is asked.
            _ => SCRATCH,
        }
    }

    /// Reads through the thread's buffer.
    #[inline(never)]
    fn read_through(&mut self, cx: &mut Context<'_>, limit: usize, now: Instant) -> bool {
        limit > 0 && read_buffer::with(limit, |buffer| self.read_into(cx, buffer, now))
    }

    fn read_into(&mut self, cx: &mut Context<'_>, buffer: &mut [u8], now: Instant) -> bool {
        let mut buffer = ReadBuf::new(buffer);
        let read = match Pin::new(&mut self.io).poll_read(cx, &mut buffer) {
            // The end of TCP without that of TLS in front of it.
            Poll::Ready(Err(error)) if error.kind() == UnexpectedEof => Poll::Ready(Ok(())),
            read => read,
        };
        match read {
            Poll::Pending => {
                self.listening = true;
                return false;
            }
            Poll::Ready(Err(error)) => self.look(cx, now, |engine| engine.handle_error(error.kind(), now)),
            Poll::Ready(Ok(())) if buffer.filled().is_empty() => {
                self.eof = true;
                self.look(cx, now, |engine| engine.handle_eof(now));
            }
            Poll::Ready(Ok(())) => {
                let bytes = buffer.filled_mut();
                self.moved += bytes.len().max(CALL);
                let taken = self.hand_over(bytes, cx, now);
                self.carry.extend_from_slice(bytes.get(taken..).unwrap_or_default());
            }
        }
        true
    }

    /// Hands bytes to the engine; returns how many were taken.
    fn hand_over(&mut self, bytes: &mut [u8], cx: &Context<'_>, now: Instant) -> usize {
        let mut state = self.link.look();
        let (before, carried) = (state.engine.received(), state.carried);
        let taken = match &mut self.ration {
            Some(ration) => ration.feed(&mut state, &self.link.account, bytes, now),
            None => state.engine.handle_bytes(bytes, now),
        };
        // Bytes that are left keep the whole buffer.
        let left = bytes.len() - taken;
        state.note(&self.link.account, if left > 0 { carried.max(left) } else { 0 });
        self.events += state.engine.received().wrapping_sub(before) as usize;
        let wakes = self.exchange.meet(&mut state, cx, now);
        drop(state);
        self.link.announce(wakes);
        taken
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
                self.look(cx, now, |engine| engine.handle_error(error.kind(), now));
            }
        }
    }

    /// Waits for the next deadline, unless there is something to do now: for this, or for the handler, which does not
    /// know yet of a phase that is not the one `before` this turn, or of the end.
    #[inline]
    fn park(&mut self, before: Outlook, cx: &mut Context<'_>, now: Instant) -> Turn {
        let wrote_all = self.exchange.writing.is_empty();
        let mut state = self.link.look();
        let wakes = self.exchange.collect(&mut state, cx, now);
        let outlook = self.exchange.outlook;
        let starved = self.ration.as_ref().is_some_and(|ration| ration.is_starved());
        let readable = !self.eof && !self.listening && outlook.bytes && !starved;
        let writable = self.broken.is_none() && wrote_all && !self.exchange.writing.is_empty();
        let news = outlook.phase != before.phase || outlook.ended != before.ended;
        let idle = !readable && !writable && !news;
        let mut deadline = None;
        state.note_taken(&self.link.account);
        state.engine.set_starved(starved);
        if idle {
            deadline = state.engine.poll_timeout();
            if let Some(ration) = self.ration.as_ref().filter(|_| starved) {
                deadline = ration.deadline(deadline);
            }
            self.timer.is_polled_by_same(self.link.park_driver(&mut state, cx.waker()));
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
