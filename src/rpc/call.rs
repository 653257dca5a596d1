//! Calls under construction. Knows no table and no wire.

use std::{
    borrow::Cow,
    fmt,
    future::{Future, IntoFuture, poll_fn},
    marker::PhantomData,
    pin::Pin,
    sync::Arc,
    time::Duration,
};

use futures::Stream;
use serde::{Serialize, de::DeserializeOwned};

use crate::rpc::{
    CallError, Kind, Peer, ServiceError, Status, Streaming,
    making::Making,
    receive::{Answer, Inbox},
    window::Window,
};

/// How far a stream of answers may be ahead where the callee takes no credit, as in JSON-RPC; then it is ended.
const UNPACED_WINDOW: Window = Window { items: 1024, bytes: u32::MAX };

macro_rules! builder {
    () => {
        /// Limits how long the call may take, from when it is awaited; then it is cancelled, and fails with
        /// [`CallError::Deadline`]. It travels in whole milliseconds.
        pub fn deadline(mut self, deadline: Duration) -> Self {
            self.making.metadata.deadline = Some(deadline);
            self
        }

        /// Sends a header along.
        pub fn metadata(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
            self.making.metadata.set_header(name, value);
            self
        }

        /// Names the trace that the call belongs to (W3C Trace Context, `traceparent`).
        pub fn traceparent(mut self, traceparent: impl Into<String>) -> Self {
            self.making.metadata.set_traceparent(traceparent);
            self
        }
    };
}

macro_rules! sending {
    () => {
        /// Sends a stream along. It is driven by the connection, as fast as the callee takes it, and dropped when the
        /// call ends.
        pub fn sending<S, I>(mut self, stream: S) -> Self
        where
            S: Stream<Item = I> + Send + 'static,
            I: Serialize + Send + 'static,
        {
            self.making.sends = Some(Box::new(move |sending| sending.all(stream)));
            self
        }
    };
}

/// A call with one answer, under construction: awaiting it makes it. Dropping the future cancels the call.
#[must_use = "a call is made when it is awaited"]
pub struct Call<A, T, E = Status> {
    making: Making,
    args: A,
    types: PhantomData<fn() -> (T, E)>,
}

impl<A, T> Call<A, T> {
    pub(crate) fn new(peer: Peer, method: Cow<'static, str>, args: A) -> Self {
        Self { making: Making::new(peer, method), args, types: PhantomData }
    }

    /// Says which type the method's own error has; without it a failure is a [`Status`].
    pub fn error<E>(self) -> Call<A, T, E> {
        Call { making: self.making, args: self.args, types: PhantomData }
    }
}

impl<A, T, E> Call<A, T, E> {
    builder!();
    sending!();
}

impl<A, T, E> IntoFuture for Call<A, T, E>
where
    A: Serialize + Send + 'static,
    T: DeserializeOwned + Send + 'static,
    E: ServiceError,
{
    type Output = Result<T, CallError<E>>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        let Self { making, args, .. } = self;
        let kind = if making.sends.is_some() { Kind::ClientStream } else { Kind::Unary };
        making.run(kind, move |making, deadline| {
            let frame = making.encode(kind, &args);
            async move {
                let answer = Arc::new(Answer::<T, E>::new(making.account()));
                let frame = frame?;
                let room = frame.room(deadline).await?;
                let mut pending = making.start(frame, room, deadline, Arc::clone(&answer) as _)?;
                let answer = poll_fn(|cx| answer.poll(cx)).await;
                pending.is_over();
                answer
            }
        })
    }
}

/// A call whose answer is a stream, under construction: awaiting it opens the stream.
#[must_use = "a call is made when it is awaited"]
pub struct StreamCall<A, T, E = Status> {
    making: Making,
    args: A,
    types: PhantomData<fn() -> (T, E)>,
}

impl<A, T> StreamCall<A, T> {
    pub(crate) fn new(peer: Peer, method: Cow<'static, str>, args: A) -> Self {
        Self { making: Making::new(peer, method), args, types: PhantomData }
    }

    /// Says which type the method's own error has; without it a failure is a [`Status`].
    pub fn error<E>(self) -> StreamCall<A, T, E> {
        StreamCall { making: self.making, args: self.args, types: PhantomData }
    }
}

impl<A, T, E> StreamCall<A, T, E> {
    builder!();
    sending!();
}

impl<A, T, E> IntoFuture for StreamCall<A, T, E>
where
    A: Serialize + Send + 'static,
    T: DeserializeOwned + Send + 'static,
    E: ServiceError,
{
    type Output = Result<Streaming<T, E>, CallError<E>>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        let Self { making, args, .. } = self;
        let kind = if making.sends.is_some() { Kind::BidiStream } else { Kind::ServerStream };
        making.run(kind, move |making, deadline| {
            let frame = making.encode(kind, &args);
            async move {
                let paced = !making.connection().codec.is_json_rpc();
                let window = if paced { making.connection().options.window } else { UNPACED_WINDOW };
                let inbox = Arc::new(Inbox::<T, E>::new(making.account(), window, paced));
                let frame = frame?;
                let room = frame.room(deadline).await?;
                let pending = making.start(frame, room, deadline, Arc::clone(&inbox) as _)?;
                Ok(Streaming::of_call(inbox, pending))
            }
        })
    }
}

/// A notification under construction: awaiting it sends it.
#[must_use = "a notification is sent when it is awaited"]
pub struct Notify<A> {
    making: Making,
    args: A,
}

impl<A> Notify<A> {
    pub(crate) fn new(peer: Peer, method: Cow<'static, str>, args: A) -> Self {
        Self { making: Making::new(peer, method), args }
    }

    builder!();
}

impl<A> IntoFuture for Notify<A>
where
    A: Serialize + Send + 'static,
{
    type Output = Result<(), CallError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        let Self { making, args } = self;
        making.run(Kind::Notify, move |making, deadline| {
            let frame = making.encode(Kind::Notify, &args);
            async move {
                let frame = frame?;
                let room = frame.room(deadline).await?;
                Ok(frame.notify(room)?)
            }
        })
    }
}

impl<A, T, E> fmt::Debug for Call<A, T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").field("making", &self.making).finish_non_exhaustive()
    }
}

impl<A, T, E> fmt::Debug for StreamCall<A, T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamCall").field("making", &self.making).finish_non_exhaustive()
    }
}

impl<A> fmt::Debug for Notify<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Notify").field("making", &self.making).finish_non_exhaustive()
    }
}
