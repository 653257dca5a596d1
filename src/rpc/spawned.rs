//! A handler in a task of its own, so that others go on while it computes. Knows no table but that of its connection.

use std::{
    future::Future,
    panic::resume_unwind,
    pin::Pin,
    sync::{Arc, atomic::Ordering::Relaxed},
    task::{Context, Poll},
};

use tokio::{
    runtime::{Handle, RuntimeFlavor},
    task::{JoinHandle, block_in_place},
};
use tracing::{Instrument, Span};

use crate::rpc::{
    Code, Reply, Status,
    backlog::Made,
    connection::Connection,
    running::{Handling, Work},
};

/// Runs a handler in a task of its own; what this returns ends as the handler does, and ends the task when it is dropped.
pub(crate) fn spawn(work: Work, connection: Arc<Connection>, span: Span) -> Handling {
    // On a runtime of one thread there is no other one to go on.
    let in_place = Handle::current().runtime_flavor() == RuntimeFlavor::MultiThread;
    connection.counters.spawned.fetch_add(1, Relaxed);
    let task = Task(tokio::spawn(Spawned { work, connection, in_place }.instrument(span)));
    Box::pin(task)
}

/// The task of a handler, as its conversation sees it.
struct Task(JoinHandle<Result<Reply, Status>>);

impl Future for Task {
    type Output = Result<Reply, Status>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx).map(|ended| match ended {
            Ok(result) => result,
            Err(error) => match error.try_into_panic() {
                // It is caught where those of all handlers are.
                Ok(panic) => resume_unwind(panic),
                Err(_) => Err(Status::new(Code::CANCELLED, "the runtime ends")),
            },
        })
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A handler, as its task polls it.
struct Spawned {
    work: Work,
    connection: Arc<Connection>,
    /// Whether the thread is given up to others while the handler is polled.
    in_place: bool,
}

impl Future for Spawned {
    type Output = Result<Reply, Status>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        if this.connection.waits_for_peer(cx) {
            return Poll::Pending;
        }
        let polled = match this.in_place {
            true => block_in_place(|| this.work.poll(cx)),
            false => this.work.poll(cx),
        };
        polled.map_ok(|reply| {
            let made = Made::new(Arc::clone(&this.connection), reply.frame.len());
            Reply { _made: Some(made), ..reply }
        })
    }
}

impl Drop for Spawned {
    fn drop(&mut self) {
        self.work.end();
        self.connection.counters.spawned.fetch_sub(1, Relaxed);
    }
}
