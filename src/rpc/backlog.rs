//! Whether so much waits for the peer that nothing is done which could bring more about. Knows no codec.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Waker},
};

use crate::{
    rpc::{connection::Connection, lanes::Lanes, tables::Tables},
    session::{Account, LITTLE},
};

/// How often as much as usual may wait while frames wait for memory.
const FULL: usize = 4;

/// What waits until the peer has taken what is there for it. The conversation's task changes it, under the lock of the
/// tables where lanes are looked at.
#[derive(Debug)]
pub(crate) struct Backlog {
    most: usize,
    /// Bytes that the session held when it was last slow.
    session: AtomicU32,
    frames: AtomicBool,
    /// Whether answers, items and ends of streams are much.
    results: AtomicBool,
    /// Whether they are with what the session holds.
    handlers: AtomicBool,
    /// Whether results are so much that no handler goes on, whatever waits for it.
    full: AtomicBool,
    /// Whether frames wait for memory that only handlers give back.
    starved: AtomicBool,
    /// Bytes of answers that handlers in tasks of their own have made, and the conversation's task has not taken.
    made: AtomicUsize,
}

/// An answer that was made in a task of its own, until the conversation's task has taken it.
pub(crate) struct Made {
    connection: Arc<Connection>,
    bytes: usize,
}

impl Backlog {
    /// Lets so many bytes wait, before others wait for them.
    pub(crate) fn new(most: usize) -> Self {
        Self {
            most,
            session: AtomicU32::new(0),
            frames: AtomicBool::new(false),
            results: AtomicBool::new(false),
            handlers: AtomicBool::new(false),
            full: AtomicBool::new(false),
            starved: AtomicBool::new(false),
            made: AtomicUsize::new(0),
        }
    }

    /// Returns how many bytes may wait.
    pub(crate) fn most(&self) -> usize {
        self.most
    }

    /// Takes note of what waits in the lanes. Where all connections together have no memory for that much, little is
    /// enough.
    #[inline]
    pub(crate) fn note(&self, lanes: &Lanes, account: &Account) {
        let was_much = self.holds_frames() || self.holds_handlers();
        if was_much || lanes.bytes() + self.session() >= LITTLE.min(self.most) {
            self.look(lanes, account);
        }
    }

    /// Takes note of what waits in the session. Tells whether that is news.
    pub(crate) fn set_session(&self, bytes: usize) -> bool {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        let is_news = self.session.load(Relaxed) != bytes;
        self.session.store(bytes, Relaxed);
        is_news
    }

    fn session(&self) -> usize {
        self.session.load(Relaxed) as usize
    }

    fn look(&self, lanes: &Lanes, account: &Account) {
        let is_much = |bytes: usize| {
            bytes >= self.most || bytes >= LITTLE && bytes.saturating_add(account.sending_room()) < self.most
        };
        self.frames.store(is_much(lanes.responses()), Relaxed);
        self.results.store(is_much(lanes.results()), Relaxed);
        self.full.store(lanes.results() >= self.most.saturating_mul(FULL), Relaxed);
        // With a long message in the session no other is made: so no more than one waits.
        self.handlers.store(is_much(lanes.results() + self.session()), Relaxed);
    }

    /// Tells whether the peer's frames wait, which could bring refusals and control frames about.
    pub(crate) fn holds_frames(&self) -> bool {
        self.frames.load(Relaxed)
    }

    /// Tells whether handlers wait, which could bring answers about.
    pub(crate) fn holds_handlers(&self) -> bool {
        let goes_on = self.starved.load(Relaxed) && !self.full.load(Relaxed);
        self.handlers.load(Relaxed) && !goes_on
    }

    /// Tells whether that is for what waits behind the session, which nobody but the peer can change.
    pub(crate) fn has_results(&self) -> bool {
        self.results.load(Relaxed)
    }

    /// Tells whether handlers in tasks of their own wait.
    fn holds_spawned(&self) -> bool {
        self.holds_handlers() || self.made.load(Relaxed) >= self.most
    }
}

impl Made {
    pub(crate) fn new(connection: Arc<Connection>, bytes: usize) -> Self {
        connection.backlog.made.fetch_add(bytes, Relaxed);
        Self { connection, bytes }
    }
}

impl fmt::Debug for Made {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Made").field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        let backlog = &self.connection.backlog;
        let before = backlog.made.fetch_sub(self.bytes, Relaxed);
        if before >= backlog.most && before - self.bytes < backlog.most {
            let waiting = std::mem::take(&mut self.connection.lock().waiting);
            wake_all(waiting);
        }
    }
}

impl Connection {
    /// Notes whether frames wait for memory. Handlers are not held then: two ends that both hold theirs would wait for
    /// each other.
    pub(crate) fn set_starved(&self, starved: bool) {
        if self.backlog.starved.load(Relaxed) != starved {
            self.backlog.starved.store(starved, Relaxed);
            let waiting = self.released(&mut self.lock());
            wake_all(waiting);
        }
    }

    /// Takes out the handlers in tasks of their own that waited for the peer, unless they still wait.
    pub(crate) fn released(&self, tables: &mut Tables) -> Vec<Waker> {
        match self.backlog.holds_handlers() || tables.waiting.is_empty() {
            true => Vec::new(),
            false => std::mem::take(&mut tables.waiting),
        }
    }

    /// Tells whether a handler in a task of its own has to wait until the peer has taken what is there for it; then it
    /// is woken.
    pub(crate) fn waits_for_peer(&self, cx: &Context<'_>) -> bool {
        if !self.backlog.holds_spawned() {
            return false;
        }
        let mut tables = self.lock();
        // What is noted under the lock is not missed by who takes note of the end of the backlog under it.
        let waits = self.backlog.holds_spawned() && tables.end.is_none();
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
