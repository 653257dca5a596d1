//! What stands around calls. Knows no handler.

use std::{fmt, sync::Arc};

use async_trait::async_trait;

use crate::rpc::{Code, Context, Status, backlog::Made, observer::Observer, running::Handling};

/// One function around every call, of each kind, on either side: it looks at a call, lets it go on, refuses it, or
/// changes what becomes of it.
///
/// On the side that serves, `next` is the whole handler, streams included. On the side that calls, it is the call up
/// to its answer, or up to the open stream.
///
/// ```
/// use converse::rpc::{Code, Context, Middleware, Next, Reply, Status};
///
/// /// Lets only those call who say the word.
/// struct Auth(String);
///
/// #[async_trait::async_trait]
/// impl Middleware for Auth {
///     async fn call(&self, cx: &mut Context, next: Next<'_>) -> Result<Reply, Status> {
///         match cx.metadata().header("authorization") {
///             Some(word) if word == self.0 => next.run(cx).await,
///             _ => Err(Status::new(Code::UNAUTHENTICATED, "say the word")),
///         }
///     }
/// }
/// ```
#[async_trait]
pub trait Middleware: Send + Sync + 'static {
    /// Handles a call, by [`Next::run`] or without it.
    ///
    /// # Errors
    /// What is returned is what the caller sees.
    async fn call(&self, cx: &mut Context, next: Next<'_>) -> Result<Reply, Status>;
}

/// The middleware of one end, in the order it was added.
pub(crate) type Chain = Arc<[Arc<dyn Middleware>]>;

/// The rest of the way of a call.
pub struct Next<'a> {
    rest: &'a [Arc<dyn Middleware>],
    last: Box<dyn FnOnce(Context) -> Handling + Send>,
}

impl<'a> Next<'a> {
    pub(crate) fn new(chain: &'a Chain, last: Box<dyn FnOnce(Context) -> Handling + Send>) -> Self {
        Self { rest: chain, last }
    }

    /// Lets the call go on; returns when it has ended.
    ///
    /// # Errors
    /// When the call failed: the method's own error is in the status's data.
    ///
    /// # Cancel safety
    /// Dropping the call drops the handler, or cancels the call.
    pub async fn run(self, cx: &mut Context) -> Result<Reply, Status> {
        match self.rest.split_first() {
            Some((first, rest)) => first.call(cx, Next { rest, last: self.last }).await,
            None => (self.last)(cx.clone()).await,
        }
    }

    /// Lets the call go on as [`run`](Self::run) does, and calls `observer` once when it ends, however it does: for what
    /// counts and measures calls. Behind `run` nothing is called when the middleware itself is dropped.
    ///
    /// The code is `OK` or that of the status where there is an answer, which a handler that has blocked its thread may give
    /// behind the deadline, when its caller has gone. Where the call is dropped it is `INTERNAL` after a
    /// panic of the handler, `DEADLINE_EXCEEDED` behind the deadline, `UNAVAILABLE` when the connection has ended, and
    /// else `CANCELLED`: by the caller, or because the caller's future was dropped.
    ///
    /// A call whose turn never came (its deadline passed, or its connection ended, before its handler was first polled), and
    /// calls that are refused before any middleware sees them (unknown methods, arguments that do not fit, limits) are not
    /// among these; [`Stats`](crate::rpc::Stats) counts those over a limit.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    ///
    /// # Cancel safety
    /// Dropping the call drops the handler, or cancels the call, and then calls `observer`. A panic of it is logged.
    pub async fn observe(
        self,
        cx: &mut Context,
        observer: impl FnOnce(Code) + Send,
    ) -> Result<Reply, Status> {
        let observer = Observer::new(cx, observer);
        let result = self.run(cx).await;
        observer.end(result)
    }
}

impl fmt::Debug for Next<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Next").field("rest", &self.rest.len()).finish_non_exhaustive()
    }
}

/// The answer of a call that succeeded, as it travels.
#[derive(Debug, Default)]
pub struct Reply {
    pub(crate) frame: Vec<u8>,
    /// What counts it until it is taken, where it was made in a task of its own.
    pub(crate) _made: Option<Made>,
}

impl Reply {
    pub(crate) fn new(frame: Vec<u8>) -> Self {
        Self { frame, _made: None }
    }
}
