//! Moves bytes between a transport and the engine. The only file that reads and writes a socket.

use std::{
    cell::RefCell,
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::{Buf, BytesMut};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::Sleep,
};

use crate::{
    engine::Phase,
    frame::WriteQueue,
    session::link::{Link, now},
};

/// One read takes at most this many bytes.
const SCRATCH: usize = 64 * 1024;
/// After this many bytes one connection lets others have their turn.
const TURN_BYTES: usize = 256 * 1024;
/// What a read or a write counts at least, in bytes: so 64 of them are a turn as well.
const CALL: usize = TURN_BYTES / 64;
/// How many slices one vectored write has.
const SLICES: usize = 16;

thread_local! {
    /// Received bytes between a read and their parsing; shared by all connections of a thread.
    static READ_BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; SCRATCH]);
}

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
pub(crate) struct Driver<T> {
    io: T,
    link: Arc<Link>,
    writing: WriteQueue,
    /// Bytes that were read and not taken yet, because the inbox was full.
    carry: BytesMut,
    timer: Option<Pin<Box<Sleep>>>,
    eof: bool,
    /// Whether the transport was asked for bytes in this turn, and wakes the task when some come.
    listening: bool,
    shut: bool,
    unflushed: bool,
    /// Why the transport takes no more bytes; what the peer had said before is still read.
    broken: Option<io::ErrorKind>,
    /// Bytes moved since the last rest, and more for those moved in small portions.
    moved: usize,
}

impl<T: AsyncRead + AsyncWrite + Unpin> Driver<T> {
    /// Builds a driver; `glued` are bytes that came right behind the handshake.
    pub(crate) fn new(io: T, link: Arc<Link>, glued: BytesMut) -> Self {
        Self {
            io,
            link,
            writing: WriteQueue::default(),
            carry: glued,
            timer: None,
            eof: false,
            listening: false,
            shut: false,
            unflushed: false,
            broken: None,
            moved: 0,
        }
    }

    /// Tells whether so much was moved since the last rest that others should have their turn.
    pub(crate) fn is_due_to_rest(&self) -> bool {
        self.moved >= TURN_BYTES
    }

    /// Notes that others have their turn.
    pub(crate) fn rest(&mut self) {
        self.moved = 0;
    }

    /// Writes what the application has produced, reads once, and hands over what came.
    pub(crate) fn turn(&mut self, cx: &mut Context<'_>) -> Turn {
        self.close_abandoned();
        let wrote = self.write(cx);
        let read = self.read(cx);
        self.give_up_broken(read);
        self.shut_down(cx);
        if self.link.engine(|engine| engine.phase() == Phase::Done) {
            self.hand_over(cx);
            return Turn::Done;
        }
        if wrote || read { Turn::Again } else { self.park(cx) }
    }

    fn close_abandoned(&self) {
        let mut state = self.link.lock();
        if let Some(how) = state.abandoned.take() {
            state.close(how.into());
            state.engine.stop_delivery();
            drop(state);
            // Senders that wait for room will not get it.
            self.link.announce_end();
        }
    }

    /// Writes until nothing waits, the transport takes no more, or a rest is due; tells whether something left.
    fn write(&mut self, cx: &mut Context<'_>) -> bool {
        let mut wrote = false;
        while self.broken.is_none() {
            if self.writing.is_empty() {
                self.link.lock().engine.poll_output(&mut self.writing, now());
                if self.writing.is_empty() {
                    break;
                }
            }
            match self.write_once(cx) {
                Poll::Ready(Ok(count)) => {
                    let written = self.writing.advance(count);
                    self.moved += count.max(CALL);
                    self.unflushed = true;
                    wrote = true;
                    if self.link.written(written) {
                        // With this end's Close frame: the end of TCP may be long in coming.
                        self.hand_over(cx);
                    }
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
    fn give_up_broken(&self, read: bool) {
        if let Some(kind) = self.broken
            && !read
            && (self.listening || self.eof)
        {
            self.link.with_engine(|engine, now| engine.handle_error(kind, now));
        }
    }

    fn write_once(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut slices = [IoSlice::new(&[]); SLICES];
        let filled = self.writing.io_slices(&mut slices);
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
    fn read(&mut self, cx: &mut Context<'_>) -> bool {
        self.listening = false;
        if self.eof || !self.link.engine(|engine| engine.wants_bytes()) {
            return false;
        }
        if !self.carry.is_empty() {
            let taken = self.link.lock().engine.handle_bytes(&mut self.carry, now());
            self.carry.advance(taken);
            if self.carry.is_empty() {
                self.carry = BytesMut::new();
            }
            self.hand_over(cx);
            return taken > 0;
        }
        READ_BUFFER.with(|buffer| match buffer.try_borrow_mut() {
            Ok(mut buffer) => self.read_into(cx, &mut buffer),
            Err(_) => self.read_into(cx, &mut [0; 4096]),
        })
    }

    fn read_into(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> bool {
        let mut buffer = ReadBuf::new(buffer);
        match Pin::new(&mut self.io).poll_read(cx, &mut buffer) {
            Poll::Pending => {
                self.listening = true;
                return false;
            }
            Poll::Ready(Err(error)) => self.fail(&error),
            Poll::Ready(Ok(())) if buffer.filled().is_empty() => {
                self.eof = true;
                self.link.with_engine(|engine, now| engine.handle_eof(now));
            }
            Poll::Ready(Ok(())) => {
                let bytes = buffer.filled_mut();
                self.moved += bytes.len().max(CALL);
                let mut state = self.link.lock();
                let taken = state.engine.handle_bytes(bytes, now());
                self.moved += state.engine.take_decoded();
                drop(state);
                self.carry.extend_from_slice(bytes.get(taken..).unwrap_or_default());
            }
        }
        self.hand_over(cx);
        true
    }

    fn fail(&mut self, error: &io::Error) {
        self.link.with_engine(|engine, now| engine.handle_error(error.kind(), now));
    }

    /// Wakes those for whom something came.
    fn hand_over(&self, cx: &Context<'_>) {
        let mut state = self.link.lock();
        let receiver = state.take_receiver();
        let ended = state.engine.closed().is_some();
        drop(state);
        if let Some(receiver) = receiver {
            receiver.wake_from(cx);
        }
        if ended {
            self.link.announce_end();
        } else {
            self.link.announce_progress();
        }
    }

    fn shut_down(&mut self, cx: &mut Context<'_>) {
        if self.shut || !self.link.engine(|engine| engine.wants_shutdown()) {
            return;
        }
        match Pin::new(&mut self.io).poll_shutdown(cx) {
            Poll::Pending => {}
            Poll::Ready(Ok(())) => self.shut = true,
            Poll::Ready(Err(error)) => {
                self.shut = true;
                self.fail(&error);
            }
        }
    }

    /// Waits for the next deadline, unless the application has produced something in the meantime.
    fn park(&mut self, cx: &mut Context<'_>) -> Turn {
        let mut state = self.link.lock();
        // Another thread may have made room in the inbox since `read` found none.
        let readable = !self.eof && !self.listening && state.engine.wants_bytes();
        let writable = self.broken.is_none() && self.writing.is_empty() && state.engine.has_output();
        if readable || writable || state.abandoned.is_some() {
            return Turn::Again;
        }
        let deadline = state.engine.poll_timeout();
        state.park_driver(cx.waker());
        drop(state);
        let Some(deadline) = deadline.map(tokio::time::Instant::from_std) else {
            return Turn::Idle;
        };
        // A timer that fires early is looked at and set anew; only an earlier deadline moves it.
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
        if timer.deadline() > deadline {
            timer.as_mut().reset(deadline);
        }
        if timer.as_mut().poll(cx).is_ready() {
            let mut state = self.link.lock();
            state.engine.handle_timeout(now());
            match state.engine.poll_timeout() {
                Some(next) => timer.as_mut().reset(tokio::time::Instant::from_std(next)),
                None => self.timer = None,
            }
            return Turn::Again;
        }
        Turn::Idle
    }
}

impl<T> Drop for Driver<T> {
    fn drop(&mut self) {
        self.link.with_engine(|engine, now| engine.abort(now));
        let receiver = self.link.lock().take_receiver();
        if let Some(receiver) = receiver {
            receiver.wake();
        }
        self.link.announce_end();
    }
}
