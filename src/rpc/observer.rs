//! Tells how a call has ended, also where nobody is left to return it to. Knows no table.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use tokio::time::Instant;

use crate::rpc::{Code, Context, Side, Status, connection::Connection};

/// Calls a function once with the code of a call, when it has ended or is dropped.
pub(crate) struct Observer<F: FnOnce(Code)> {
    tell: Option<F>,
    connection: Arc<Connection>,
    side: Side,
    deadline: Option<Instant>,
}

impl<F: FnOnce(Code)> Observer<F> {
    pub(crate) fn new(cx: &Context, tell: F) -> Self {
        Self {
            tell: Some(tell),
            connection: Arc::clone(cx.connection()),
            side: cx.side(),
            deadline: cx.deadline(),
        }
    }

    /// The call has ended with an answer or a failure.
    pub(crate) fn end<T>(mut self, result: Result<T, Status>) -> Result<T, Status> {
        self.tell(result.as_ref().err().map_or(Code::OK, Status::code));
        result
    }

    /// Tells the code, once. A panic there is nobody's: the handler may have panicked already, and a second one would end
    /// the process.
    fn tell(&mut self, code: Code) {
        let Some(tell) = self.tell.take() else { return };
        if catch_unwind(AssertUnwindSafe(|| tell(code))).is_err() {
            tracing::error!("an observer of calls panicked");
        }
    }

    /// Finds out why a call is dropped.
    fn why(&self) -> Code {
        if self.side == Side::Served && std::thread::panicking() {
            Code::INTERNAL
        } else if self.deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            Code::DEADLINE_EXCEEDED
        } else if self.connection.lock().end.is_some() {
            Code::UNAVAILABLE
        } else {
            Code::CANCELLED
        }
    }
}

impl<F: FnOnce(Code)> Drop for Observer<F> {
    fn drop(&mut self) {
        if self.tell.is_some() {
            self.tell(self.why());
        }
    }
}
