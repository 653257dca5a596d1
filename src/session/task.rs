//! One task per connection: polls the handler and the driver in turn, so that everything the handler
//! has produced leaves in one write. Knows no accept loop.

use std::{
    any::Any,
    fmt,
    future::Future,
    mem,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    ptr,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use tokio::time::Sleep;

use crate::{
    engine::Closed,
    session::{
        batches,
        driver::{Driver, Turn},
        give_way::GiveWay,
        link::Link,
        sender::Sender,
        state::Abandoned,
        transport::Transport,
    },
};

/// An application's error, whatever its type.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// An application's part in a conversation, of any type.
pub(crate) type AnyHandler = dyn Future<Output = Result<(), BoxError>> + Send;

/// How a handler ended.
#[derive(Debug)]
#[non_exhaustive]
pub enum Outcome {
    /// It returned `Ok`; the peer sees 1000, if the conversation was still open.
    Finished,
    /// It returned an error; the peer sees 1011, if the conversation was still open.
    Failed(BoxError),
    /// It panicked; the peer sees 1011, if the conversation was still open.
    Panicked(Box<dyn Any + Send>),
    /// The connection ended, and it did not end within the close timeout: it was dropped.
    Dropped,
}

/// One word, without the error.
impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Finished => "finished",
            Self::Failed(_) => "failed",
            Self::Panicked(_) => "panicked",
            Self::Dropped => "dropped",
        })
    }
}

/// The handler of a session that is driven elsewhere.
pub(crate) type NoHandler = std::future::Ready<Result<(), BoxError>>;

/// A connection with its handler, as one future. Completes when both have ended.
pub(crate) struct Conversation<T: Transport, H: ?Sized> {
    link: Arc<Link>,
    driver: Option<Driver<T>>,
    handler: Handler<H>,
    /// With which the handler is polled: it wakes the task, and tells that this is for the handler.
    waker: Waker,
    /// Whether the handler is to be polled though it was not woken: the driver's turn has brought something.
    is_due: bool,
    /// The task that polls this, as its waker tells.
    task: (usize, usize),
    /// Runs while the connection has ended and the handler has not.
    grace: Option<Pin<Box<Sleep>>>,
    give_way: GiveWay,
}

/// The application's part, where it is beside the driver.
enum Handler<H: ?Sized> {
    Runs(Pin<Box<H>>),
    Ended(Outcome),
}

impl<T: Transport, H: ?Sized> Conversation<T, H> {
    /// Returns a sender into the conversation, which outlives it.
    pub(crate) fn sender(&self) -> Sender {
        Sender::new(Arc::clone(&self.link))
    }

    /// Sees that wakes get to the task that polls this.
    #[inline]
    fn note_task(&mut self, waker: &Waker) {
        let task = (waker.data().addr(), ptr::from_ref(waker.vtable()).addr());
        if self.task != task {
            self.task = task;
            self.link.set_task(Some(waker.clone()));
            if let Some(driver) = &mut self.driver {
                driver.change_task();
            }
        }
    }
}

impl<T, H> Conversation<T, H>
where
    T: Transport,
    H: Future<Output = Result<(), BoxError>> + ?Sized,
{
    /// Joins a driver with a handler; without one the session is elsewhere.
    pub(crate) fn new(link: Arc<Link>, driver: Driver<T>, handler: Option<Pin<Box<H>>>) -> Self {
        Self {
            waker: Arc::clone(&link).into(),
            link,
            driver: Some(driver),
            handler: handler.map_or(Handler::Ended(Outcome::Finished), Handler::Runs),
            is_due: true,
            task: (0, 0),
            grace: None,
            give_way: GiveWay::default(),
        }
    }

    #[inline]
    fn poll_handler(&mut self) {
        let Handler::Runs(handler) = &mut self.handler else { return };
        let lent = self.driver.as_mut().and_then(Driver::lend);
        let cx = &mut Context::from_waker(&self.waker);
        let poll = || catch_unwind(AssertUnwindSafe(|| handler.as_mut().poll(cx)));
        let (polled, lent) = batches::lend(lent, poll);
        if let (Some(driver), Some(lent)) = (&mut self.driver, lent) {
            driver.take_lent(lent);
        }
        let outcome = match polled {
            Ok(Poll::Pending) => return,
            Ok(Poll::Ready(Ok(()))) => Outcome::Finished,
            Ok(Poll::Ready(Err(error))) => Outcome::Failed(error),
            Err(panic) => Outcome::Panicked(panic),
        };
        self.end_handler(outcome);
    }

    /// Closes the connection as the handler's end asks for.
    fn end_handler(&mut self, outcome: Outcome) {
        let how = match outcome {
            Outcome::Finished | Outcome::Dropped => Abandoned::Done,
            Outcome::Failed(_) | Outcome::Panicked(_) => Abandoned::Failed,
        };
        // Dropping a future that panicked may panic again; nothing of it may reach the executor.
        let handler = mem::replace(&mut self.handler, Handler::Ended(outcome));
        let _ = catch_unwind(AssertUnwindSafe(move || drop(handler)));
        self.link.end_handler(how);
    }

    /// The connection has ended: gives the handler a last while.
    fn poll_grace(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if matches!(self.handler, Handler::Ended(_)) {
            return Poll::Ready(());
        }
        let time = self.link.engine(|engine| engine.config().close_timeout);
        let grace = self.grace.get_or_insert_with(|| Box::pin(tokio::time::sleep(time)));
        if grace.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        self.end_handler(Outcome::Dropped);
        Poll::Ready(())
    }
}

impl<T, H> Future for Conversation<T, H>
where
    T: Transport,
    H: Future<Output = Result<(), BoxError>> + ?Sized,
{
    type Output = (Outcome, Arc<Closed>);

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        this.note_task(cx.waker());
        if this.give_way.gives(cx) {
            return Poll::Pending;
        }
        this.link.driver_runs();
        this.is_due |= this.link.take_handler_woken() || this.driver.is_none();
        loop {
            if this.is_due {
                this.poll_handler();
            }
            let Some(driver) = &mut this.driver else { break };
            let turn = driver.turn(cx);
            this.is_due = turn != Turn::Idle;
            if turn == Turn::Done {
                this.driver = None;
                continue;
            }
            // What was read is for the handler first.
            let is_over = !driver.has_batch() && (this.link.take_turn_ended() || driver.is_due_to_rest());
            if is_over {
                this.give_way.owe();
            }
            if turn == Turn::Idle {
                driver.rest();
                return Poll::Pending;
            }
            if is_over {
                driver.rest();
                driver.keep_time();
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
        }
        if this.poll_grace(cx).is_pending() {
            if this.link.take_turn_ended() {
                this.give_way.owe();
            }
            return Poll::Pending;
        }
        let outcome = match mem::replace(&mut this.handler, Handler::Ended(Outcome::Finished)) {
            Handler::Ended(outcome) => outcome,
            Handler::Runs(_) => Outcome::Dropped,
        };
        let closed = this.link.engine(|engine| engine.closed().cloned());
        Poll::Ready((outcome, closed.unwrap_or_else(|| Arc::new(Closed::aborted()))))
    }
}

impl<T: Transport, H: ?Sized> Drop for Conversation<T, H> {
    /// Lets go of the waker, which would keep the task's memory.
    fn drop(&mut self) {
        self.link.set_task(None);
    }
}

impl<T: Transport, H: ?Sized> Unpin for Conversation<T, H> {}
