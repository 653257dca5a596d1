//! The task of a conversation: receives, runs the handlers, keeps the deadlines, sends. Knows no socket.

use std::{
    future::poll_fn,
    pin::Pin,
    sync::{Arc, atomic::Ordering::Relaxed},
    task::{Context, Poll},
    time::Duration,
};

use futures::future::BoxFuture;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::{
    frame::{CloseCode, CloseReason, Role},
    rpc::{
        Router, connection::Connection, error::End, frames::Walk, handlers::Handlers, lanes::Lane,
        patience::Patience, shortage::Shortage, tables::Tables, wire::Control,
    },
    session::Session,
};

/// A time that is far enough away to mean never.
const NEVER: Duration = Duration::from_secs(365 * 24 * 3600);

/// The task of one conversation.
pub(crate) struct Conversation {
    pub(super) connection: Arc<Connection>,
    pub(super) router: Arc<Router>,
    pub(super) running: Handlers,
    pub(super) session: Session,
    /// The message whose frames are being handled.
    pub(super) walk: Option<Walk>,
    handlers_first: bool,
    /// How often the session's task was polled when this turn began.
    polls: u32,
    pub(super) patience: Patience,
    pub(super) shortage: Shortage,
    /// Bytes that wait to be sent, as the account knows.
    pub(super) sending: usize,
    /// Whether the peer's hello has come.
    pub(super) greeted: bool,
    /// When the peer's hello has to be there, and behind it when the next ping leaves.
    sign_due: Option<Instant>,
    timer: Pin<Box<Sleep>>,
    /// When the timer wakes the task; `None` while nothing is due.
    armed: Option<Instant>,
    /// Completes when the session has sent what it holds; calls and items wait for it.
    pub(super) flushed: Option<BoxFuture<'static, ()>>,
}

/// Why this end closes a conversation.
#[derive(Debug)]
pub(super) struct Fatal {
    pub(super) code: u16,
    pub(super) text: String,
}

impl Conversation {
    pub(crate) fn new(session: Session, connection: Arc<Connection>, router: Arc<Router>) -> Self {
        let now = Instant::now();
        let json_rpc = connection.codec.is_json_rpc();
        let hello = connection.options.hello_timeout;
        let conversation = Self {
            router,
            running: Handlers::new(),
            session,
            walk: None,
            handlers_first: false,
            polls: 0,
            patience: Patience::default(),
            shortage: Shortage::default(),
            sending: 0,
            greeted: json_rpc,
            sign_due: now.checked_add(hello).filter(|_| !json_rpc),
            timer: Box::pin(sleep_until(now + NEVER)),
            armed: None,
            flushed: None,
            connection,
        };
        if !json_rpc {
            conversation.hello();
        }
        conversation
    }

    pub(crate) fn role(&self) -> Role {
        self.connection.role
    }

    /// Says hello: before whoever holds the other end says anything.
    fn hello(&self) {
        let max_message = self.connection.sender.options().limits().max_message_size;
        let hello = self.connection.options.hello(self.connection.role, max_message);
        self.connection.push(Lane::Control, self.connection.codec.control(Control::Hello(&hello)), None);
    }

    /// Holds the conversation up to its end.
    pub(crate) async fn run(mut self) {
        if let Err(fatal) = poll_fn(|cx| self.poll(cx)).await {
            self.close(fatal);
        }
        self.end();
        for handler in std::mem::replace(&mut self.running, Handlers::new()) {
            drop(handler);
            if self.connection.turn.step() {
                tokio::task::yield_now().await;
                self.connection.turn.begin();
            }
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Fatal>> {
        let polls = self.connection.sender.polls();
        // The session's task polls this several times where bytes come and go: all that is one turn.
        if std::mem::replace(&mut self.polls, polls) != polls {
            self.connection.turn.begin();
        }
        // Frames and handlers have the first steps of a turn by turns, so that neither keeps the other waiting.
        self.handlers_first ^= true;
        if self.handlers_first {
            self.run_handlers(cx);
        }
        // The first round is no step: a message of as many frames as a turn has steps is handled in one.
        let mut is_over = self.connection.turn.is_over();
        loop {
            self.connection.runs(cx);
            if !is_over {
                if self.receive(cx)? == Received::End {
                    return Poll::Ready(Ok(()));
                }
                self.adopt();
                self.run_handlers(cx);
            }
            self.keep_time(cx)?;
            self.send(cx)?;
            // Where all was looked at, and neither a message nor a handler is left, it may rest behind its last step.
            let is_left = is_over || self.walk.is_some() || !self.running.is_empty();
            if is_left && self.connection.turn.is_over() {
                break;
            }
            if self.connection.rests(self.flushed.is_some(), self.room(), self.armed) && !self.is_released() {
                return Poll::Pending;
            }
            is_over = self.connection.turn.step();
        }
        // There is more to do, and others have their turn first.
        self.connection.sender.end_turn();
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Notes that the peer's hello has come.
    pub(super) fn greet(&mut self) {
        self.greeted = true;
        // Not before: who has not said hello must not answer with anything else.
        self.sign_due = self.next_ping(Instant::now());
    }

    /// Handles frames that have come, some at a time.
    fn receive(&mut self, cx: &mut Context<'_>) -> Result<Received, Fatal> {
        loop {
            if let Some(walk) = self.walk.take() {
                self.walk = self.go_on(walk, cx)?;
            }
            if self.walk.is_some() {
                let ended =
                    self.connection.backlog.holds_frames() && self.connection.sender.try_closed().is_some();
                return Ok(if ended { Received::End } else { Received::Some });
            }
            match self.session.poll_receive(cx) {
                Poll::Pending => return Ok(Received::Some),
                Poll::Ready(Ok(Some(message))) => self.walk = Some(Walk::new(message)),
                Poll::Ready(Ok(None) | Err(_)) => return Ok(Received::End),
            }
        }
    }

    /// Takes over what callers have left.
    fn adopt(&mut self) {
        let adopted = std::mem::take(&mut self.connection.lock().adopted);
        for running in adopted {
            self.running.push(running.within(&self.connection));
        }
    }

    /// Continues handlers, some at a time.
    pub(super) fn run_handlers(&mut self, cx: &mut Context<'_>) {
        while !self.connection.turn.is_over() {
            match self.running.poll_next(cx) {
                Poll::Ready(Some((task, result))) => self.finish(task, result),
                Poll::Pending if self.running.has_more() => {}
                _ => return,
            }
        }
    }

    /// Tells whether frames can be handled that have waited, for the peer to take what is there for it or for memory.
    /// Handlers are woken.
    fn is_released(&self) -> bool {
        self.walk.is_some() && !self.connection.backlog.holds_frames() && !self.shortage.waits()
    }

    /// Tells whether something waits for the peer to take what is there for it.
    pub(super) fn is_held(&self) -> bool {
        let backlog = &self.connection.backlog;
        self.walk.is_some() && backlog.holds_frames() || !self.running.is_empty() && backlog.has_results()
    }

    /// Ends what is out of time, and waits for what is next.
    fn keep_time(&mut self, cx: &mut Context<'_>) -> Result<(), Fatal> {
        loop {
            let others = [self.patience.due(), self.shortage.due()];
            let due = [self.connection.lock().due, self.sign_due].into_iter().chain(others);
            let due = due.flatten().min();
            self.armed = due;
            let Some(due) = due else { return Ok(()) };
            let now = Instant::now();
            if due > now {
                if self.timer.deadline() != due {
                    self.timer.as_mut().reset(due);
                }
                if self.timer.as_mut().poll(cx).is_pending() {
                    return Ok(());
                }
                continue;
            }
            let sign_due = self.sign_due.is_some_and(|due| due <= now);
            if sign_due && !self.greeted {
                return Err(Fatal::new(super::HELLO_TIMEOUT, "no hello in time"));
            }
            if self.patience.is_over(|| self.connection.sender.send_progress(), now) {
                return Err(Fatal::new(super::TOO_SLOW, "the peer reads too slowly"));
            }
            self.shortage.expire(now);
            if sign_due {
                self.ping(now);
            }
            self.expire(now);
        }
    }

    fn ping(&mut self, now: Instant) {
        self.connection.push(Lane::Control, self.connection.codec.control(Control::Ping), None);
        self.sign_due = self.next_ping(now);
    }

    fn next_ping(&self, now: Instant) -> Option<Instant> {
        let interval = self.connection.options.ping_interval.filter(|_| self.connection.pings());
        interval.and_then(|interval| now.checked_add(interval))
    }

    /// Tells whether this end goes away and has nothing left to do.
    pub(super) fn is_gone(&self, tables: &Tables) -> bool {
        let notifications = self.connection.counters.notifications.load(Relaxed);
        // What else runs sends the streams of this end's own calls, which may never end.
        tables.goes.is_some() && tables.served.is_empty() && notifications == 0 && tables.lanes.is_empty()
    }

    /// Lets nobody wait any more, however the task ended.
    fn end(&self) {
        let end = match self.connection.sender.try_closed() {
            Some(closed) => End::Closed(closed),
            None => End::Here("the conversation's task has ended".into()),
        };
        self.connection.end(end);
    }

    fn close(&self, fatal: Fatal) {
        let Fatal { code, text } = fatal;
        tracing::debug!(code, text, "conversation closed here");
        let code = CloseCode::new(code).unwrap_or(CloseCode::INTERNAL_ERROR);
        self.connection.end(End::Here(text.as_str().into()));
        let reason = CloseReason::new(code, text);
        if code.get() == super::TOO_SLOW {
            self.connection.sender.close_now(reason);
        } else {
            self.connection.close(reason);
        }
    }
}

/// How much was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Received {
    /// All there is, or as much as is to be handled now.
    Some,
    /// The conversation has ended.
    End,
}

impl Fatal {
    pub(super) fn new(code: u16, text: impl Into<String>) -> Self {
        Self { code, text: text.into() }
    }
}

impl Drop for Conversation {
    fn drop(&mut self) {
        self.end();
    }
}
