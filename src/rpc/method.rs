//! A method: its name, its kind, and how a call of it is decoded and handled. Knows no connection's tables.

use std::{borrow::Cow, fmt, future::Future, sync::Arc};

use converse_core::ConvertError;
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    rpc::{
        Code, Context, Emitter, Kind, Reply, ServiceError, Status, Streaming,
        connection::Connection,
        credit::Credit,
        decode,
        receive::{Inbox, Receive},
        running::Handling,
        wire::{Control, Envelope, Reader},
    },
    session::Charge,
};

/// A method: its name, its kind, and what handles its calls.
#[derive(Clone)]
pub struct Method {
    name: Cow<'static, str>,
    kind: Kind,
    prepare: Arc<Prepare>,
}

/// Decodes the arguments of a call.
type Prepare = dyn Fn(&mut Reader<'_>, &Connection) -> Result<Prepared, ConvertError> + Send + Sync;

/// A call whose arguments are decoded.
pub(crate) struct Prepared {
    pub(crate) invoke: Box<dyn FnOnce(Context, Ends) -> Handling + Send>,
    /// Where the items of the request stream go.
    pub(crate) receives: Option<Arc<dyn Receive>>,
    /// What the arguments take up, until the handler has ended.
    pub(crate) charge: Charge,
}

/// What connects a handler with its caller.
#[derive(Clone)]
pub(crate) struct Ends {
    pub(crate) connection: Arc<Connection>,
    /// `None` for a notification.
    pub(crate) id: Option<u32>,
    /// The credit for the response stream, if there is one.
    pub(crate) credit: Option<Arc<Credit>>,
}

impl Method {
    /// Builds a method with one answer.
    pub fn unary<A, T, E, F, Fut>(name: impl Into<Cow<'static, str>>, handler: F) -> Self
    where
        A: DeserializeOwned + Send + 'static,
        T: Serialize + Send + 'static,
        E: ServiceError,
        F: Fn(Context, A) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<T, E>> + Send + 'static,
    {
        let handler = Arc::new(handler);
        Self::new(name, Kind::Unary, move |reader, connection| {
            let (args, charge) = decode::payload::<A>(reader, connection.account())?;
            let handler = Arc::clone(&handler);
            Ok(Prepared::new(charge, move |cx, ends| {
                Box::pin(async move { ends.answer(handler(cx, args).await) })
            }))
        })
    }

    /// Builds a method without an answer.
    pub fn notify<A, F, Fut>(name: impl Into<Cow<'static, str>>, handler: F) -> Self
    where
        A: DeserializeOwned + Send + 'static,
        F: Fn(Context, A) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let handler = Arc::new(handler);
        Self::new(name, Kind::Notify, move |reader, connection| {
            let (args, charge) = decode::payload::<A>(reader, connection.account())?;
            let handler = Arc::clone(&handler);
            Ok(Prepared::new(charge, move |cx, ends| {
                Box::pin(async move {
                    handler(cx, args).await;
                    Ok(ends.done())
                })
            }))
        })
    }

    /// Builds a method that takes a stream and gives one answer.
    pub fn client_stream<A, I, T, E, F, Fut>(name: impl Into<Cow<'static, str>>, handler: F) -> Self
    where
        A: DeserializeOwned + Send + 'static,
        I: DeserializeOwned + Send + 'static,
        T: Serialize + Send + 'static,
        E: ServiceError,
        F: Fn(Context, A, Streaming<I>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<T, E>> + Send + 'static,
    {
        let handler = Arc::new(handler);
        Self::new(name, Kind::ClientStream, move |reader, connection| {
            let (args, charge) = decode::payload::<A>(reader, connection.account())?;
            let handler = Arc::clone(&handler);
            let inbox = Arc::new(Inbox::<I, Status>::of_caller(
                Arc::clone(connection.account()),
                connection.window(),
            ));
            let receives: Arc<dyn Receive> = Arc::clone(&inbox) as _;
            let prepared = Prepared::new(charge, move |cx, ends| {
                let items = ends.streaming(inbox);
                Box::pin(async move { ends.answer(handler(cx, args, items).await) })
            });
            Ok(prepared.receiving(receives))
        })
    }

    /// Builds a method that gives a stream: the handler sends its values through the emitter, and the stream ends
    /// when it returns.
    pub fn server_stream<A, T, E, F, Fut>(name: impl Into<Cow<'static, str>>, handler: F) -> Self
    where
        A: DeserializeOwned + Send + 'static,
        T: Serialize + Send + 'static,
        E: ServiceError,
        F: Fn(Context, A, Emitter<T, E>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), Status>> + Send + 'static,
    {
        let handler = Arc::new(handler);
        Self::new(name, Kind::ServerStream, move |reader, connection| {
            let (args, charge) = decode::payload::<A>(reader, connection.account())?;
            let handler = Arc::clone(&handler);
            Ok(Prepared::new(charge, move |cx, ends| {
                let emitter = ends.emitter();
                Box::pin(async move { handler(cx, args, emitter).await.map(|()| ends.done()) })
            }))
        })
    }

    /// Builds a method that takes a stream and gives one.
    pub fn bidi_stream<A, I, T, E, F, Fut>(name: impl Into<Cow<'static, str>>, handler: F) -> Self
    where
        A: DeserializeOwned + Send + 'static,
        I: DeserializeOwned + Send + 'static,
        T: Serialize + Send + 'static,
        E: ServiceError,
        F: Fn(Context, A, Streaming<I>, Emitter<T, E>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), Status>> + Send + 'static,
    {
        let handler = Arc::new(handler);
        Self::new(name, Kind::BidiStream, move |reader, connection| {
            let (args, charge) = decode::payload::<A>(reader, connection.account())?;
            let handler = Arc::clone(&handler);
            let inbox = Arc::new(Inbox::<I, Status>::of_caller(
                Arc::clone(connection.account()),
                connection.window(),
            ));
            let receives: Arc<dyn Receive> = Arc::clone(&inbox) as _;
            let prepared = Prepared::new(charge, move |cx, ends| {
                let (items, emitter) = (ends.streaming(inbox), ends.emitter());
                Box::pin(async move { handler(cx, args, items, emitter).await.map(|()| ends.done()) })
            });
            Ok(prepared.receiving(receives))
        })
    }

    fn new<P>(name: impl Into<Cow<'static, str>>, kind: Kind, prepare: P) -> Self
    where
        P: Fn(&mut Reader<'_>, &Connection) -> Result<Prepared, ConvertError> + Send + Sync + 'static,
    {
        Self { name: name.into(), kind, prepare: Arc::new(prepare) }
    }

    /// Returns the name by which it is called.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the kind.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    pub(crate) fn shared_name(&self) -> Cow<'static, str> {
        self.name.clone()
    }

    pub(crate) fn prepare(
        &self,
        reader: &mut Reader<'_>,
        connection: &Connection,
    ) -> Result<Prepared, ConvertError> {
        (self.prepare)(reader, connection)
    }
}

impl Prepared {
    fn new(charge: Charge, invoke: impl FnOnce(Context, Ends) -> Handling + Send + 'static) -> Self {
        Self { invoke: Box::new(invoke), receives: None, charge }
    }

    fn receiving(mut self, receives: Arc<dyn Receive>) -> Self {
        self.receives = Some(receives);
        self
    }
}

impl Ends {
    /// Encodes the answer.
    fn answer<T: Serialize, E: ServiceError>(&self, result: Result<T, E>) -> Result<Reply, Status> {
        let codec = &self.connection.codec;
        let value = result.map_err(|error| error.into_status(codec.converter()))?;
        let Some(id) = self.id else { return Ok(Reply::default()) };
        match codec.frame(Envelope::Ok { id }, &value) {
            Ok(frame) => Ok(Reply::new(frame)),
            Err(error) => Err(Status::new(Code::INTERNAL, format!("the answer does not encode: {error}"))),
        }
    }

    /// Encodes the answer that holds no value.
    fn done(&self) -> Reply {
        let frame = self.id.map(|id| self.connection.codec.control(Control::Done { id }));
        Reply::new(frame.unwrap_or_default())
    }

    fn streaming<I>(&self, inbox: Arc<Inbox<I, Status>>) -> Streaming<I> {
        Streaming::new(inbox, Arc::clone(&self.connection), self.id.unwrap_or_default())
    }

    fn emitter<T, E>(&self) -> Emitter<T, E> {
        Emitter::new(Arc::clone(&self.connection), self.id.unwrap_or_default(), self.credit.clone())
    }
}

impl fmt::Debug for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Method").field("name", &self.name).field("kind", &self.kind).finish_non_exhaustive()
    }
}
