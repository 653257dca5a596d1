//! What all that takes part in a conversation shares. Knows no handler; the loop that serves is elsewhere.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    },
    task::Context,
};

use futures::{future::AbortHandle, task::AtomicWaker};
use tokio::{
    runtime::Handle,
    time::{Instant, Timeout, timeout_at},
};

use crate::{
    engine::Closed,
    frame::{CloseReason, Role},
    rpc::{
        Code, Options, Status,
        backlog::{Backlog, wake_all},
        credit::Credit,
        deadlines::Deadlines,
        error::{Disconnected, End},
        greeting,
        lanes::Lane,
        receive::{Failure, Receive},
        rooms::{Room, Rooms},
        running::Running,
        stats::Counters,
        tables::{Made, Tables, earlier},
        turn::Turn,
        window::Window,
        wire::{Codec, Control},
    },
    session::{Account, Sender},
};

/// A conversation, as its task, its callers and its handlers see it.
pub(crate) struct Connection {
    pub(crate) codec: Codec,
    pub(crate) options: Arc<Options>,
    pub(crate) role: Role,
    pub(crate) sender: Sender,
    pub(crate) counters: Counters,
    tables: Mutex<Tables>,
    /// The conversation's task.
    task: AtomicWaker,
    /// Whether the task runs, or was woken and has not run since.
    awake: AtomicBool,
    next_id: AtomicU64,
    /// How many bytes a message to the peer may have.
    pub(super) longest: AtomicU32,
    pub(crate) rooms: Rooms,
    pub(crate) backlog: Backlog,
    /// That of the task, and of the handlers in it.
    pub(crate) turn: Turn,
    deadlines: Deadlines,
    /// Whose clock the callers use, wherever they run.
    runtime: Handle,
}

/// What a call brings along.
pub(crate) struct Calling {
    pub(crate) slot: Arc<dyn Receive>,
    pub(crate) deadline: Option<Instant>,
    /// What sends the request stream, with how to end it and the credit for it.
    pub(crate) sends: Option<(Running, AbortHandle, Arc<Credit>)>,
}

impl Connection {
    pub(crate) fn new(codec: Codec, options: Arc<Options>, role: Role, sender: Sender) -> Self {
        Self {
            codec,
            role,
            sender,
            counters: Counters::default(),
            tables: Mutex::default(),
            task: AtomicWaker::new(),
            awake: AtomicBool::new(true),
            next_id: AtomicU64::new(match role {
                Role::Client => 1,
                Role::Server => 2,
            }),
            longest: AtomicU32::new(greeting::LONGEST),
            rooms: Rooms::new(),
            backlog: Backlog::new(options.max_queued),
            turn: Turn::new(),
            deadlines: Deadlines::default(),
            runtime: Handle::current(),
            options,
        }
    }

    /// Returns what the conversation is charged for.
    pub(crate) fn account(&self) -> &Arc<Account> {
        self.sender.account()
    }

    /// Takes the lock. No code of the application runs under it.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives the next id of a call of this end.
    pub(crate) fn next_id(&self) -> u32 {
        loop {
            let count = self.next_id.fetch_add(2, Ordering::Relaxed);
            if let Ok(id) = u32::try_from(count) {
                return id;
            }
            // Behind four thousand million calls the ids begin again, between those that are still in use.
            let id = (count & u64::from(u32::MAX)) as u32;
            if id != 0 && !self.lock().made.contains_key(&id) {
                return id;
            }
        }
    }

    /// Tells whether this end sends pings, which a browser's page can see.
    pub(crate) fn pings(&self) -> bool {
        self.role == Role::Server && !self.codec.is_json_rpc()
    }

    /// Tells whether this end answers them.
    pub(crate) fn answers_pings(&self) -> bool {
        self.role == Role::Client
    }

    /// Tells whether a call's id is one of this end.
    pub(crate) fn is_own(&self, id: u32) -> bool {
        (id % 2 == 1) == (self.role == Role::Client)
    }

    /// Waits for room for a call's frame, and takes it.
    pub(crate) async fn room_for_call(&self, len: usize, deadline: Option<Instant>) -> Result<Room, Failure> {
        if let Some(room) = self.rooms.try_take(Lane::Calls, len) {
            return Ok(room);
        }
        // Boxed, so that calls which need not wait take no room for it.
        Box::pin(self.wait_for_room(len, deadline)).await
    }

    async fn wait_for_room(&self, len: usize, deadline: Option<Instant>) -> Result<Room, Failure> {
        let waiting = self.rooms.take(Lane::Calls, len);
        let taken = match deadline {
            Some(deadline) => self.until(deadline, waiting).await.map_err(|_| Failure::Deadline)?,
            None => waiting.await,
        };
        taken.map_err(|_| self.lost())
    }

    /// Limits a future of a caller, which may run outside of the runtime.
    fn until<F: Future>(&self, deadline: Instant, future: F) -> Timeout<F> {
        let _clock = self.runtime.enter();
        timeout_at(deadline, future)
    }

    /// Sends a call, and waits for its answer from then on.
    pub(crate) fn start(
        self: &Arc<Self>,
        id: u32,
        frame: Vec<u8>,
        room: Room,
        calling: Calling,
    ) -> Result<(), Failure> {
        let mut tables = self.lock();
        if let Some(failure) = tables.refuses(frame.len(), self.longest_message()) {
            return Err(failure);
        }
        let Calling { slot, deadline, sends } = calling;
        // Until the peer's hello has come, nobody knows how much it takes.
        let window = self.window_of_peer(&tables);
        let sends = sends.map(|(running, abort, credit)| {
            credit.give(window.unwrap_or(Window::SHUT));
            tables.adopted.push(running);
            (abort, credit)
        });
        let position = self.queue(&mut tables, Lane::Calls, frame, room);
        tables.made.insert(id, Made { slot, deadline, position, sends });
        let due = earlier(tables.made_due, deadline);
        let comes_earlier = due != std::mem::replace(&mut tables.made_due, due);
        drop(tables);
        self.wake();
        if comes_earlier {
            self.deadlines.come_earlier(self, &self.runtime);
        }
        Ok(())
    }

    /// Sends a notification.
    pub(crate) fn notify(&self, frame: Vec<u8>, room: Room) -> Result<(), Failure> {
        let mut tables = self.lock();
        if let Some(failure) = tables.refuses(frame.len(), self.longest_message()) {
            return Err(failure);
        }
        self.queue(&mut tables, Lane::Calls, frame, room);
        drop(tables);
        self.wake();
        Ok(())
    }

    /// Returns how far a request stream of the peer may be ahead.
    pub(crate) fn window(&self) -> Window {
        // Nobody has told a JSON-RPC client of another one.
        if self.codec.is_json_rpc() { Window::default() } else { self.options.window }
    }

    /// Ends a call of this end that cannot go on.
    pub(crate) fn fail(&self, id: u32, status: Status) {
        let Some(made) = self.lock().made.remove(&id) else { return };
        made.slot.fail(Failure::Status(status));
        self.cancel(id, made);
    }

    /// Sends a frame, and wakes the task for it. An empty one is what the codec has no words for.
    pub(crate) fn push(&self, lane: Lane, frame: Vec<u8>, room: Room) {
        if frame.is_empty() {
            return;
        }
        let mut tables = self.lock();
        if tables.end.is_none() {
            self.queue(&mut tables, lane, frame, room);
        }
        drop(tables);
        self.wake();
    }

    /// Sends an item of a stream; `false` when the stream is over, so that nothing follows the frame that ended it.
    pub(crate) fn emit(&self, credit: Option<&Credit>, frame: Vec<u8>, room: Room) -> bool {
        let mut tables = self.lock();
        let goes = credit.is_none_or(|credit| !credit.is_closed()) && tables.end.is_none();
        // An empty frame is what the codec has no words for, such as an item of a subscription that was given up.
        if !goes || frame.is_empty() {
            return goes;
        }
        // Not before: who drops the call while it waits for room has sent nothing.
        credit.into_iter().for_each(|credit| credit.take(frame.len()));
        self.queue(&mut tables, Lane::Items, frame, room);
        drop(tables);
        self.wake();
        true
    }

    /// Gives a call up that nobody waits for any more.
    pub(crate) fn give_up(&self, id: u32) {
        let Some(made) = self.lock().made.remove(&id) else { return };
        self.cancel(id, made);
    }

    /// Tells the peer that nobody waits for a call any more.
    pub(crate) fn cancel(&self, id: u32, made: Made) {
        made.stop_sending();
        self.push(Lane::Calls, self.codec.control(Control::Cancel { id }), None);
    }

    /// Gives credit to the sender of a stream.
    pub(crate) fn give_credit(&self, id: u32, more: Window) {
        self.push(Lane::Control, self.codec.control(Control::Credit { id, more }), None);
    }

    /// Wakes the conversation's task, unless it runs.
    pub(crate) fn wake(&self) {
        if !self.awake.swap(true, Ordering::AcqRel) {
            self.task.wake();
        }
    }

    /// Notes that the task runs.
    pub(crate) fn runs(&self, cx: &Context<'_>) {
        self.task.register(cx.waker());
        self.awake.store(true, Ordering::Release);
    }

    /// Notes that the task is about to rest; `false` when something has come since it last looked that it can send, or
    /// that is due before its timer wakes it.
    pub(crate) fn rests(&self, slow: bool, room: usize, armed: Option<Instant>) -> bool {
        self.awake.store(false, Ordering::Release);
        let tables = self.lock();
        let closes = tables.closes.is_some() && tables.lanes.is_empty();
        let wakes_in_time = tables.due.is_none_or(|due| armed.is_some_and(|armed| armed <= due));
        !tables.lanes.has_next(slow, room) && tables.adopted.is_empty() && !closes && wakes_in_time
    }

    /// Ends the conversation: every call that waits is told so. The first end counts.
    pub(crate) fn end(&self, end: End) {
        // A peer that is kept does not keep the task's memory.
        drop(self.task.take());
        let mut tables = self.lock();
        if tables.end.is_none() {
            tables.end = Some(end.clone());
        }
        let made = std::mem::take(&mut tables.made);
        let adopted = std::mem::take(&mut tables.adopted);
        let (served, lanes) = (std::mem::take(&mut tables.served), &tables.lanes);
        let notifications = self.counters.notifications.swap(0, Ordering::Relaxed);
        let failures: Vec<_> = made
            .into_values()
            .map(|made| (Disconnected::new(lanes.has_left(Lane::Calls, made.position), &end), made))
            .collect();
        let long = tables.lanes.long_bytes();
        tables.lanes.clear();
        self.backlog.note(&tables.lanes, self.account());
        let waiting = std::mem::take(&mut tables.waiting);
        tables.peer = None;
        drop(tables);
        wake_all(waiting);
        drop(adopted);
        self.rooms.close();
        self.deadlines.end();
        self.codec.end();
        self.account().set_sending(0);
        self.account().subtract_frame(long);
        self.counters.dropped_handlers.fetch_add(notifications as u64, Ordering::Relaxed);
        for (disconnected, made) in failures {
            made.stop_sending();
            made.slot.fail(Failure::Disconnected(disconnected));
        }
        for served in served.into_values() {
            crate::rpc::stats::count(&self.counters.dropped_handlers);
            served.abort.abort();
            served.streams.end(|| Failure::Disconnected(Disconnected::new(true, &end)));
        }
    }

    /// Closes the connection from this end, behind what was sent before as far as the peer takes it in time.
    pub(crate) fn close(&self, reason: CloseReason) {
        let mut tables = self.lock();
        if tables.end.is_some() {
            drop(tables);
            return self.sender.start_close(reason);
        }
        if tables.closes.is_none() {
            // The peer may never read, and this end may never be at a loss for words.
            let due = Instant::now().checked_add(self.sender.options().limits().close_timeout);
            tables.closes = Some((reason, due));
            tables.wait_until(due);
        }
        drop(tables);
        self.wake();
    }

    /// Returns how the session ended, if it did.
    pub(crate) async fn closed(&self) -> Arc<Closed> {
        self.sender.closed().await
    }

    fn lost(&self) -> Failure {
        let tables = self.lock();
        match &tables.end {
            Some(end) => Failure::Disconnected(Disconnected::new(false, end)),
            None => Failure::Status(Status::new(Code::UNAVAILABLE, "the conversation ends")),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        rpc::Protocol,
        session::{Session, SessionOptions},
    };

    #[tokio::test(start_paused = true)]
    async fn the_task_does_not_rest_beyond_a_deadline_that_came_while_it_ran() {
        let (io, _there) = tokio::io::duplex(64);
        let session = Session::over(io, Role::Client, &SessionOptions::default());
        let codec = Protocol::default().codec(Role::Client, session.sender().account());
        let connection = Connection::new(codec, Arc::default(), Role::Client, session.sender());
        let now = Instant::now();
        let (soon, later) = (now + Duration::from_secs(1), now + Duration::from_secs(2));
        assert!(connection.rests(true, 0, None));
        connection.lock().wait_until(Some(soon));
        assert!(!connection.rests(true, 0, None) && !connection.rests(true, 0, Some(later)));
        assert!(connection.rests(true, 0, Some(soon)) && connection.rests(true, 0, Some(now)));
    }
}
