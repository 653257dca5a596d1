//! What the lock of a session guards: the engine and the outbox, and who waits for what. Knows no lock and no socket.

use std::{
    mem,
    sync::Arc,
    task::Waker,
    time::{Duration, Instant},
};

use crate::{
    engine::{Closed, Engine},
    frame::{CloseCode, CloseReason, Written},
    session::{clock::now, memory::Account, outbox::Outbox},
};

/// Less than this counts as nothing received, in bytes: small messages come and go, and the account is left alone.
const NOTED_FROM: usize = 4 * 1024;

/// What the lock guards.
pub(crate) struct State {
    pub(crate) engine: Engine,
    pub(crate) outbox: Outbox,
    /// The application, waiting for an event elsewhere than in the handler beside the driver.
    pub(crate) receiver: Option<Waker>,
    /// Whether it waits there: the handler is polled after each turn of the driver that brings something.
    pub(crate) receives_in_handler: bool,
    /// Whether any `send` has ever had to wait: only then is there a need to wake one.
    pub(crate) room_wanted: bool,
    /// Whether anybody waits for a write, a pong or the end.
    pub(crate) progress_wanted: bool,
    /// The session was dropped: the driver closes the connection.
    pub(crate) abandoned: Option<Abandoned>,
    /// Bytes that the driver has read, and the engine has not taken.
    pub(crate) carried: usize,
    /// What the account was last told of: what was received.
    noted: usize,
    /// What it was last told that extensions hold.
    noted_beside: u32,
}

/// How a session was dropped.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Abandoned {
    /// Its owner was done with it.
    Done,
    /// Its owner failed or panicked.
    Failed,
}

/// What has happened that somebody may wait for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct News {
    /// There is room again that a `send` waits for.
    pub(crate) room: bool,
    /// Bytes have left or come: the only answers to those who wait for progress, who would else be woken for nothing,
    /// ask again, and keep their task running.
    pub(crate) progress: bool,
    /// The session was dropped: senders that wait for room will not get it.
    pub(crate) closing: bool,
}

/// Who is to be woken, once the lock is released.
#[derive(Debug, Default)]
#[must_use]
pub(crate) struct Wakes {
    pub(crate) receiver: Option<Waker>,
    pub(crate) room: bool,
    pub(crate) progress: bool,
    pub(crate) ended: bool,
}

/// Up to where a flush waits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FlushMark {
    kept: u64,
    data: Option<u64>,
}

impl From<Abandoned> for CloseReason {
    fn from(how: Abandoned) -> Self {
        match how {
            Abandoned::Done => Self::NORMAL,
            Abandoned::Failed => Self::new(CloseCode::INTERNAL_ERROR, "internal error"),
        }
    }
}

impl State {
    /// Begins with nobody waiting.
    pub(crate) fn new(engine: Engine, outbox: Outbox) -> Self {
        Self {
            engine,
            outbox,
            receiver: None,
            receives_in_handler: false,
            room_wanted: false,
            progress_wanted: false,
            abandoned: None,
            carried: 0,
            noted: 0,
            noted_beside: 0,
        }
    }

    /// Tells the account what is held for the peer, and `carried` beside it, if that has changed.
    #[inline]
    pub(crate) fn note(&mut self, account: &Account, carried: usize) {
        self.carried = carried;
        let (held, beside) = (self.engine.held() + carried, self.engine.held_by_extensions());
        if held + beside >= NOTED_FROM || self.has_noted() {
            self.tell(account, if held < NOTED_FROM { 0 } else { held }, beside);
        }
    }

    fn tell(&mut self, account: &Account, held: usize, beside: usize) {
        if mem::replace(&mut self.noted, held) != held {
            account.set_received(held);
        }
        let beside = u32::try_from(beside).unwrap_or(u32::MAX);
        let before = mem::replace(&mut self.noted_beside, beside);
        account.set_extensions(before as usize, beside as usize);
    }

    /// Tells whether the account was told of something.
    #[inline]
    fn has_noted(&self) -> bool {
        self.noted + self.noted_beside as usize > 0
    }

    /// Tells the account that something was taken, if it has been told of something.
    #[inline]
    pub(crate) fn note_taken(&mut self, account: &Account) {
        if self.has_noted() {
            self.note(account, self.carried);
        }
    }

    /// Asks for the close, behind everything that was accepted.
    pub(crate) fn close(&mut self, reason: CloseReason) {
        self.outbox.promote_all(&mut self.engine);
        self.engine.close(reason, now());
    }

    /// Tells whether somebody waits for a message, and none is there.
    #[inline]
    pub(crate) fn waits(&self) -> bool {
        (self.receives_in_handler || self.receiver.is_some()) && !self.engine.has_event()
    }

    /// Returns how the conversation ended, once it did.
    pub(crate) fn closed(&self) -> Option<Arc<Closed>> {
        self.engine.closed().cloned()
    }

    /// Takes note of a write; tells whether that made room somebody waits for.
    pub(crate) fn written(&mut self, written: Written, now: Instant) -> bool {
        let was_full = self.room_wanted && !self.has_room();
        self.engine.handle_written(written, now);
        self.outbox.promote(&mut self.engine);
        was_full && self.has_room()
    }

    /// Closes the conversation when its session was dropped; tells whether it was.
    #[inline]
    pub(crate) fn close_abandoned(&mut self) -> bool {
        self.abandoned.is_some() && self.close_behind_session()
    }

    #[cold]
    fn close_behind_session(&mut self) -> bool {
        if let Some(how) = self.abandoned.take() {
            self.close(how.into());
        }
        self.engine.stop_delivery();
        true
    }

    /// Collects who is to be woken.
    pub(crate) fn wakes(&mut self, news: News) -> Wakes {
        let ended = self.engine.closed().is_some();
        let receiver = self.receiver.take_if(|_| ended || self.engine.has_event());
        let progress = news.progress && mem::take(&mut self.progress_wanted);
        Wakes { receiver, room: news.room, progress, ended: ended || news.closing }
    }

    /// Lets go of the receiver's waker, which would keep its task's memory: the driver is gone.
    pub(crate) fn end(&mut self) -> Wakes {
        Wakes { receiver: self.receiver.take(), room: false, progress: false, ended: true }
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

    /// Tells whether a `send` finds room.
    pub(crate) fn has_room(&self) -> bool {
        !self.outbox.waits() || self.outbox.has_room(&self.engine)
    }
}
