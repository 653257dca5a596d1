//! A handler under way. Knows no table and no wire.

use std::{
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use futures::future::{AbortHandle, Abortable};
use tokio::time::{Instant, timeout_at};
use tracing::Span;

use crate::{
    rpc::{Code, Reply, Status, connection::Connection, discard::discard, spans},
    session::Charge,
};

/// What a handler, or what stands in for one, becomes.
pub(crate) type Handling = Pin<Box<dyn Future<Output = Result<Reply, Status>> + Send>>;

/// A handler under way, which neither panics nor is heard of once it is aborted.
pub(crate) struct Running {
    work: Work,
    /// Polls it only as long as it was not aborted.
    guard: Option<Abortable<std::future::Pending<()>>>,
    /// Polls it only as long as this one has its turn.
    conversation: Option<Arc<Connection>>,
    task: Task,
    span: Span,
}

/// Whose work it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Task {
    /// A call of the peer.
    Call(u32),
    /// A notification of the peer.
    Notification,
    /// Sending the request stream of a call of this end.
    Sends(u32),
}

/// A handler's future, whose drop does not panic, with what its arguments take up.
pub(crate) struct Work {
    future: Option<Handling>,
    charge: Option<Charge>,
}

impl Running {
    /// Begins work that nobody can abort.
    pub(crate) fn new(task: Task, work: Work, span: Span) -> Self {
        Self { work, guard: None, conversation: None, task, span }
    }

    /// Polls it for the first time.
    pub(crate) fn now(&mut self, cx: &mut Context<'_>) -> Option<(Task, Option<Result<Reply, Status>>)> {
        match Pin::new(self).poll(cx) {
            Poll::Ready(end) => Some(end),
            Poll::Pending => None,
        }
    }

    /// Makes it end at an instant: for what has no place in a table.
    pub(crate) fn end_at(&mut self, deadline: Instant) {
        let Some(work) = self.work.future.take() else { return };
        let late = |_| Err(Status::new(Code::DEADLINE_EXCEEDED, ""));
        let work = async move { timeout_at(deadline, work).await.unwrap_or_else(late) };
        self.work.future = Some(Box::pin(work));
    }

    /// Makes it end when the handle says so.
    pub(crate) fn abortable(&mut self) -> AbortHandle {
        let (handle, registration) = AbortHandle::new_pair();
        self.guard = Some(Abortable::new(std::future::pending(), registration));
        handle
    }

    /// Makes it keep to the turns of a conversation, of which each poll is a step.
    pub(crate) fn within(mut self, conversation: &Arc<Connection>) -> Self {
        self.conversation = Some(Arc::clone(conversation));
        self
    }
}

impl Future for Running {
    /// Whose work it was, and what came of it; nothing when it was aborted.
    type Output = (Task, Option<Result<Reply, Status>>);

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        if let Some(turn) = this.conversation.as_ref().map(|conversation| &conversation.turn) {
            if turn.is_over() {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            turn.step();
        }
        if let Some(guard) = &mut this.guard
            && Pin::new(guard).poll(cx).is_ready()
        {
            this.work.end();
            return Poll::Ready((this.task, None));
        }
        if this.conversation.as_ref().is_some_and(|conversation| conversation.waits_for_peer(cx)) {
            return Poll::Pending;
        }
        if this.work.future.is_none() {
            return Poll::Ready((this.task, None));
        }
        let span = this.span.enter();
        let polled = catch_unwind(AssertUnwindSafe(|| this.work.poll(cx)));
        drop(span);
        let result = match polled {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(result)) => result,
            Err(_) => {
                let what = if matches!(this.task, Task::Sends(_)) { "request stream" } else { "handler" };
                tracing::error!(parent: &this.span, "{what} panicked");
                // What a panic says is not for the peer.
                Err(Status::new(Code::INTERNAL, ""))
            }
        };
        // The span of a request stream is its call's, which ends by itself.
        if !matches!(this.task, Task::Sends(_)) {
            spans::end(&this.span, result.as_ref().err().map(Status::code));
        }
        this.work.end();
        Poll::Ready((this.task, Some(result)))
    }
}

impl Work {
    pub(crate) fn new(work: Handling, charge: Option<Charge>) -> Self {
        Self { future: Some(work), charge }
    }

    /// Polls the future; one that has ended is pending for ever.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Reply, Status>> {
        self.future.as_mut().map_or(Poll::Pending, |work| work.as_mut().poll(cx))
    }

    /// Drops the future, and gives back what it has held.
    pub(crate) fn end(&mut self) {
        if let Some(work) = self.future.take() {
            discard(work, "handler");
        }
        self.charge = None;
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        self.end();
    }
}
