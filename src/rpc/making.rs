//! What all kinds of call have in common: middleware, span, deadline, and the way into the tables. Knows no handler.

use std::{
    borrow::Cow,
    fmt,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
};

use futures::{Stream, StreamExt};
use serde::Serialize;
use tokio::time::Instant;
use tracing::{Instrument, Span};

use crate::{
    rpc::{
        CallError, Code, Context, Emitter, Kind, Metadata, Next, Peer, Reply, ServiceError, Side, Status,
        connection::{Calling, Connection},
        context::About,
        credit::Credit,
        lanes::Lane,
        receive::{Failure, Receive},
        rooms::Room,
        running::{Running, Task, Work},
        spans,
        window::Window,
        wire::{Control, Envelope},
    },
    session::Account,
};

/// A call on its way.
pub(crate) struct Making {
    peer: Peer,
    method: Cow<'static, str>,
    pub(crate) metadata: Metadata,
    /// Builds what sends the request stream.
    pub(crate) sends: Option<Box<dyn FnOnce(Sending) -> Running + Send>>,
}

/// A call's frame, with its id; when it is not sent, the codec is told.
pub(crate) struct Encoded {
    connection: Arc<Connection>,
    id: u32,
    frame: Option<Vec<u8>>,
}

/// What a request stream needs.
pub(crate) struct Sending {
    connection: Arc<Connection>,
    id: u32,
    credit: Arc<Credit>,
}

/// A call that waits for its end, and is cancelled when nobody waits any more.
pub(crate) struct Pending {
    /// Keeps the connection open as long as the call.
    peer: Peer,
    id: u32,
    over: bool,
}

impl Making {
    pub(crate) fn new(peer: Peer, method: Cow<'static, str>) -> Self {
        Self { peer, method, metadata: Metadata::default(), sends: None }
    }

    /// Makes the call, inside of the middleware and of its span.
    pub(crate) fn run<T, E, F, Fut>(
        self,
        kind: Kind,
        make: F,
    ) -> Pin<Box<dyn Future<Output = Result<T, CallError<E>>> + Send>>
    where
        T: Send + 'static,
        E: ServiceError,
        F: FnOnce(Self, Option<Instant>) -> Fut + Send + 'static,
        Fut: Future<Output = Result<T, CallError<E>>> + Send + 'static,
    {
        let span = spans::made(&self.method);
        if span.is_disabled() {
            return Box::pin(self.run_in_span(kind, make));
        }
        let recorded = span.clone();
        let call = async move {
            let result = self.run_in_span(kind, make).await;
            spans::end(&recorded, result.as_ref().err().map(CallError::code));
            result
        };
        Box::pin(call.instrument(span))
    }

    async fn run_in_span<T, E, F, Fut>(self, kind: Kind, make: F) -> Result<T, CallError<E>>
    where
        T: Send + 'static,
        E: ServiceError,
        F: FnOnce(Self, Option<Instant>) -> Fut + Send + 'static,
        Fut: Future<Output = Result<T, CallError<E>>> + Send + 'static,
    {
        let deadline = self.deadline(kind);
        match self.peer.chain().is_empty() {
            true => make(self, deadline).await,
            // Boxed, so that calls without middleware take no room for it.
            false => Box::pin(self.run_within(kind, deadline, make)).await,
        }
    }

    async fn run_within<T, E, F, Fut>(
        self,
        kind: Kind,
        deadline: Option<Instant>,
        make: F,
    ) -> Result<T, CallError<E>>
    where
        T: Send + 'static,
        E: ServiceError,
        F: FnOnce(Self, Option<Instant>) -> Fut + Send + 'static,
        Fut: Future<Output = Result<T, CallError<E>>> + Send + 'static,
    {
        let about = About {
            side: Side::Made,
            method: self.method.clone(),
            kind,
            metadata: self.metadata.clone(),
            deadline,
        };
        let mut cx = Context::new(Arc::clone(self.peer.connection()), about);
        let chain = Arc::clone(self.peer.chain());
        let outcome = Arc::new(Mutex::new(None));
        let within = Arc::clone(&outcome);
        let next = Next::new(
            &chain,
            Box::new(move |cx: Context| {
                let making = Self { metadata: cx.metadata().clone(), ..self };
                Box::pin(async move {
                    let result = make(making, deadline).await;
                    let seen = result.as_ref().map(|_| Reply::default()).map_err(summary);
                    *within.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
                    seen
                })
            }),
        );
        let seen = next.run(&mut cx).await;
        let outcome = outcome.lock().unwrap_or_else(PoisonError::into_inner).take();
        match (seen, outcome) {
            (Ok(_), Some(result)) => result,
            // What the middleware did not change keeps its type.
            (Err(status), Some(Err(error))) if error.code() == status.code() => Err(error),
            (Err(status), _) => Err(CallError::from_status(status)),
            (Ok(_), None) => {
                let status =
                    Status::new(Code::INTERNAL, "a middleware gave an answer to a call it did not make");
                Err(CallError::Status(status))
            }
        }
    }

    /// Returns until when the call may take.
    fn deadline(&self, kind: Kind) -> Option<Instant> {
        let otherwise =
            if kind.has_response_stream() { None } else { self.peer.connection().options.deadline };
        // An instant that cannot be told is beyond every wait.
        self.metadata.deadline.or(otherwise).and_then(|deadline| Instant::now().checked_add(deadline))
    }

    pub(crate) fn connection(&self) -> &Arc<Connection> {
        self.peer.connection()
    }

    /// Returns what the answer is charged to while it waits.
    pub(crate) fn account(&self) -> Arc<Account> {
        Arc::clone(self.connection().account())
    }

    /// Encodes the call.
    pub(crate) fn encode<A: Serialize>(&self, kind: Kind, args: &A) -> Result<Encoded, Failure> {
        let connection = self.connection();
        let (method, meta) = (&*self.method, &self.metadata);
        let (id, envelope) = match kind {
            Kind::Notify => (0, Envelope::Notify { method, meta }),
            _ => {
                let id = connection.next_id();
                (id, Envelope::Call { id, kind, method, meta })
            }
        };
        let frame = connection.codec.frame(envelope, args).map_err(Failure::Convert)?;
        Ok(Encoded { connection: Arc::clone(connection), id, frame: Some(frame) })
    }

    /// Sends the call.
    pub(crate) fn start(
        self,
        mut encoded: Encoded,
        room: Room,
        deadline: Option<Instant>,
        slot: Arc<dyn Receive>,
    ) -> Result<Pending, Failure> {
        let connection = Arc::clone(self.connection());
        let (id, frame) = (encoded.id, encoded.take());
        let sends = self.sends.map(|build| {
            let credit = Arc::new(Credit::new(Window::SHUT));
            let sending = Sending { connection: Arc::clone(&connection), id, credit: Arc::clone(&credit) };
            let mut running = build(sending);
            let abort = running.abortable();
            (running, abort, credit)
        });
        let started = connection.start(id, frame, room, Calling { slot, deadline, sends });
        started.inspect_err(|_| connection.codec.forget(id))?;
        Ok(Pending { peer: self.peer, id, over: false })
    }
}

impl Encoded {
    /// Waits for room for the frame, and takes it.
    pub(crate) async fn room(&self, deadline: Option<Instant>) -> Result<Room, Failure> {
        let len = self.frame.as_ref().map_or(0, Vec::len);
        self.connection.room_for_call(len, deadline).await
    }

    /// Sends a notification.
    pub(crate) fn notify(mut self, room: Room) -> Result<(), Failure> {
        self.connection.clone().notify(self.take(), room)
    }

    fn take(&mut self) -> Vec<u8> {
        self.frame.take().unwrap_or_default()
    }
}

impl Drop for Encoded {
    fn drop(&mut self) {
        if self.frame.is_some() {
            self.connection.codec.forget(self.id);
        }
    }
}

impl Sending {
    /// Builds what sends all items of a stream, then the end.
    pub(crate) fn all<S, I>(self, stream: S) -> Running
    where
        S: Stream<Item = I> + Send + 'static,
        I: Serialize + Send + 'static,
    {
        let Self { connection, id, credit } = self;
        let work = async move {
            let emitter = Emitter::<I>::new(Arc::clone(&connection), id, Some(credit));
            match emitter.forward(stream.map(Ok)).await {
                Ok(()) => connection.push(Lane::Items, connection.codec.control(Control::End { id }), None),
                Err(status) => connection.fail(id, status),
            }
            Ok(Reply::default())
        };
        Running::new(Task::Sends(id), Work::new(Box::pin(work), None), Span::current())
    }
}

impl Pending {
    pub(crate) fn connection(&self) -> &Arc<Connection> {
        self.peer.connection()
    }

    pub(crate) fn id(&self) -> u32 {
        self.id
    }

    /// Notes that the call has ended, and there is nothing to cancel.
    pub(crate) fn is_over(&mut self) {
        self.over = true;
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if !self.over {
            self.peer.connection().give_up(self.id);
        }
    }
}

/// What a middleware sees of a failure.
fn summary<E: ServiceError>(error: &CallError<E>) -> Status {
    match error {
        CallError::Status(status) => status.clone(),
        other => Status::new(other.code(), other.to_string()),
    }
}

impl fmt::Debug for Making {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Making")
            .field("method", &self.method)
            .field("metadata", &self.metadata)
            .finish_non_exhaustive()
    }
}
