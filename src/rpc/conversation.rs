//! The task of a conversation: receives, runs the handlers, keeps the deadlines, sends. Knows no socket.

use std::{
    future::poll_fn,
    pin::Pin,
    sync::{Arc, atomic::Ordering::Relaxed},
    task::{Context, Poll},
    time::Duration,
};

use futures::{StreamExt, future::BoxFuture, stream::FuturesUnordered};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::{
    frame::{CloseCode, CloseReason, Role},
    rpc::{
        Router, connection::Connection, error::End, lanes::Lane, running::Running, tables::earlier,
        wire::Control,
    },
    session::{SendErrorKind, Session},
};

/// Messages that are handled, and handlers that are continued, before others have their turn.
const TURN: usize = 64;
/// Bytes that wait in the session before calls and stream items wait here, where answers can still pass them.
const SESSION_QUEUE: usize = 32 * 1024;
/// A time that is far enough away to mean never.
const NEVER: Duration = Duration::from_secs(365 * 24 * 3600);

/// The task of one conversation.
pub(crate) struct Conversation {
    pub(super) connection: Arc<Connection>,
    pub(super) router: Arc<Router>,
    pub(super) running: FuturesUnordered<Running>,
    session: Session,
    /// Whether the peer's hello has come.
    pub(super) greeted: bool,
    hello_due: Option<Instant>,
    ping_due: Option<Instant>,
    timer: Pin<Box<Sleep>>,
    /// When the timer wakes the task; `None` while nothing is due.
    armed: Option<Instant>,
    /// Completes when the session has sent what it holds; calls and items wait for it.
    flushed: Option<BoxFuture<'static, ()>>,
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
            running: FuturesUnordered::new(),
            session,
            greeted: json_rpc,
            hello_due: now.checked_add(hello).filter(|_| !json_rpc),
            ping_due: None,
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
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Fatal>> {
        for _ in 0..TURN {
            self.connection.runs(cx);
            let received = self.receive(cx)?;
            if received == Received::End {
                return Poll::Ready(Ok(()));
            }
            self.adopt();
            let more = self.run_handlers(cx);
            self.keep_time(cx)?;
            self.send(cx)?;
            if received == Received::More || more {
                break;
            }
            if self.connection.rests(self.flushed.is_some(), self.room(), self.armed) {
                return Poll::Pending;
            }
        }
        // There is more to do, and others have their turn first.
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Notes that the peer's hello has come.
    pub(super) fn greet(&mut self) {
        self.greeted = true;
        self.hello_due = None;
        // Not before: who has not said hello must not answer with anything else.
        self.ping_due = self.next_ping(Instant::now());
    }

    /// Handles messages that have come, some at a time.
    fn receive(&mut self, cx: &mut Context<'_>) -> Result<Received, Fatal> {
        for _ in 0..TURN {
            match self.session.poll_receive(cx) {
                Poll::Pending => return Ok(Received::All),
                Poll::Ready(Ok(Some(message))) => self.handle(&message, cx)?,
                Poll::Ready(Ok(None) | Err(_)) => return Ok(Received::End),
            }
        }
        Ok(Received::More)
    }

    /// Takes over what callers have left.
    fn adopt(&mut self) {
        let adopted = std::mem::take(&mut self.connection.lock().adopted);
        self.running.extend(adopted);
    }

    /// Continues handlers; tells whether some are left that could go on.
    pub(super) fn run_handlers(&mut self, cx: &mut Context<'_>) -> bool {
        for _ in 0..TURN {
            let Poll::Ready(Some((task, result))) = self.running.poll_next_unpin(cx) else { return false };
            self.finish(task, result);
        }
        true
    }

    /// Ends what is out of time, and waits for what is next.
    fn keep_time(&mut self, cx: &mut Context<'_>) -> Result<(), Fatal> {
        loop {
            let due = earlier(self.connection.lock().due, earlier(self.hello_due, self.ping_due));
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
            if self.hello_due.is_some_and(|due| due <= now) {
                return Err(Fatal::new(super::HELLO_TIMEOUT, "no hello in time"));
            }
            if self.ping_due.is_some_and(|due| due <= now) {
                self.ping(now);
            }
            self.expire(now);
        }
    }

    fn ping(&mut self, now: Instant) {
        self.connection.push(Lane::Control, self.connection.codec.control(Control::Ping), None);
        self.ping_due = self.next_ping(now);
    }

    fn next_ping(&self, now: Instant) -> Option<Instant> {
        let interval = self.connection.options.ping_interval.filter(|_| self.connection.pings());
        interval.and_then(|interval| now.checked_add(interval))
    }

    /// Gives the session what it may send, and closes the connection when the peer reads too slowly for the answers.
    fn send(&mut self, cx: &mut Context<'_>) -> Result<(), Fatal> {
        loop {
            let (slow, room) = (self.is_slow(cx), self.room());
            let batch = self.connection.lock().lanes.pop(slow, room);
            let Some(batch) = batch else { break };
            let message = self.connection.codec.message(batch.frames);
            let sent = self.session.try_send(message);
            match sent {
                Ok(()) => {}
                Err(error) if is_full(&error) => {
                    return Err(Fatal::new(super::TOO_SLOW, "the peer reads too slowly"));
                }
                // What remains to be said is in the end that is received next.
                Err(_) => break,
            }
        }
        // All else waits for room, before it comes here.
        if self.connection.lock().lanes.unbounded() > self.connection.options.max_queued {
            return Err(Fatal::new(super::TOO_SLOW, "the peer reads too slowly"));
        }
        // The session wakes its waiters, which is not for the lock.
        let closes = self.connection.lock().closes();
        if let Some(reason) = closes {
            self.connection.sender.start_close(reason);
        }
        if self.is_gone() {
            return Err(Fatal::new(super::GOING_AWAY, "going away"));
        }
        Ok(())
    }

    /// Tells whether so much waits in the session that only control frames should follow.
    fn is_slow(&mut self, cx: &mut Context<'_>) -> bool {
        if self.flushed.is_none() && self.has_room() {
            return false;
        }
        let sender = &self.connection.sender;
        let flushed = self.flushed.get_or_insert_with(|| {
            let sender = sender.clone();
            Box::pin(async move {
                // The end of the conversation is told to who receives.
                let _ = sender.flush().await;
            })
        });
        let slow = flushed.as_mut().poll(cx).is_pending();
        if !slow {
            self.flushed = None;
        }
        slow
    }

    /// Tells whether the session takes the next message of any lane.
    fn has_room(&self) -> bool {
        let queued = self.connection.sender.queued_bytes();
        queued == 0 || queued < SESSION_QUEUE && self.connection.lock().lanes.next_len() <= self.room()
    }

    /// Returns how long a message may be that the session takes now. An empty session takes any.
    fn room(&self) -> usize {
        match self.connection.sender.queued_bytes() {
            0 => usize::MAX,
            queued => self.connection.options.max_queued.saturating_sub(queued),
        }
    }

    /// Tells whether this end goes away and has nothing left to do.
    fn is_gone(&self) -> bool {
        let tables = self.connection.lock();
        let notifications = self.connection.counters.notifications.load(Relaxed);
        // What else runs sends the streams of this end's own calls, which may never end.
        tables.goes.is_some() && tables.served.is_empty() && notifications == 0 && tables.lanes.is_empty()
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
    /// All there is.
    All,
    /// As much as others let it.
    More,
    /// The conversation has ended.
    End,
}

impl Fatal {
    pub(super) fn new(code: u16, text: impl Into<String>) -> Self {
        Self { code, text: text.into() }
    }
}

impl Drop for Conversation {
    /// Nothing waits on, however the task ended.
    fn drop(&mut self) {
        let end = match self.connection.sender.try_closed() {
            Some(closed) => End::Closed(closed),
            None => End::Here("the conversation's task has ended".into()),
        };
        self.connection.end(end);
    }
}

fn is_full(error: &crate::session::SessionError) -> bool {
    matches!(error, crate::session::SessionError::Send(error) if *error.kind() == SendErrorKind::Full)
}
