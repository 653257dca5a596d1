//! What one end serves. Knows no connection.

use std::{borrow::Cow, collections::HashMap, fmt, future::Future, sync::Arc};

use futures::Stream;
use serde::{Serialize, de::DeserializeOwned};

use crate::rpc::{
    Context, Descriptor, Method, Middleware, Options, Service, ServiceError, Streaming, middleware::Chain,
};

/// What one end of a conversation serves: services, single methods, what stands around them, and the limits.
///
/// A client that serves nothing has an empty one. A name that is added twice
/// is an error where the router is used.
///
/// ```
/// use converse::rpc::{self, Router, Status};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), rpc::CallError> {
/// let router = Router::new().call("sum", |_, terms: Vec<i64>| async move {
///     Ok::<i64, Status>(terms.iter().sum())
/// });
/// let peer = rpc::duplex(router);
/// let sum: i64 = peer.call("sum", vec![1, 2, 3]).await?;
/// assert_eq!(sum, 6);
/// # Ok(()) }
/// ```
#[derive(Clone, Default)]
pub struct Router {
    pub(crate) options: Arc<Options>,
    pub(crate) chain: Chain,
    pub(crate) spawned: bool,
    methods: HashMap<Cow<'static, str>, Method>,
    services: Vec<&'static Descriptor>,
    /// A name that was added twice.
    doubled: Option<Cow<'static, str>>,
}

impl Router {
    /// Begins with nothing served.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets limits, times and what may be spoken.
    #[must_use]
    pub fn options(mut self, options: Options) -> Self {
        self.options = Arc::new(options);
        self
    }

    /// Adds the methods of a service.
    #[must_use]
    pub fn service(mut self, service: impl Into<Service>) -> Self {
        let service = service.into();
        self.services.push(service.descriptor());
        service.into_methods().into_iter().fold(self, Self::method)
    }

    /// Adds a method.
    #[must_use]
    pub fn method(mut self, method: Method) -> Self {
        let name = method.shared_name();
        if self.methods.insert(name.clone(), method).is_some() {
            self.doubled.get_or_insert(name);
        }
        self
    }

    /// Adds a function with one answer. The arguments of a call are one value: a tuple for several.
    #[must_use]
    pub fn call<A, T, E, F, Fut>(self, name: impl Into<Cow<'static, str>>, handler: F) -> Self
    where
        A: DeserializeOwned + Send + 'static,
        T: Serialize + Send + 'static,
        E: ServiceError,
        F: Fn(Context, A) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<T, E>> + Send + 'static,
    {
        self.method(Method::unary(name, handler))
    }

    /// Adds a function without an answer.
    #[must_use]
    pub fn notification<A, F, Fut>(self, name: impl Into<Cow<'static, str>>, handler: F) -> Self
    where
        A: DeserializeOwned + Send + 'static,
        F: Fn(Context, A) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        self.method(Method::notify(name, handler))
    }

    /// Adds a function that gives a stream.
    #[must_use]
    pub fn stream<A, T, E, F, S>(self, name: impl Into<Cow<'static, str>>, handler: F) -> Self
    where
        A: DeserializeOwned + Send + 'static,
        T: Serialize + Send + 'static,
        E: ServiceError,
        F: Fn(Context, A) -> S + Send + Sync + 'static,
        S: Stream<Item = Result<T, E>> + Send + 'static,
    {
        let method = Method::server_stream(name, move |cx, args, emitter| emitter.forward(handler(cx, args)));
        self.method(method)
    }

    /// Adds a function that takes a stream and gives one answer.
    #[must_use]
    pub fn client_stream<A, I, T, E, F, Fut>(self, name: impl Into<Cow<'static, str>>, handler: F) -> Self
    where
        A: DeserializeOwned + Send + 'static,
        I: DeserializeOwned + Send + 'static,
        T: Serialize + Send + 'static,
        E: ServiceError,
        F: Fn(Context, A, Streaming<I>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<T, E>> + Send + 'static,
    {
        self.method(Method::client_stream(name, handler))
    }

    /// Adds a function that takes a stream and gives one.
    #[must_use]
    pub fn bidi_stream<A, I, T, E, F, S>(self, name: impl Into<Cow<'static, str>>, handler: F) -> Self
    where
        A: DeserializeOwned + Send + 'static,
        I: DeserializeOwned + Send + 'static,
        T: Serialize + Send + 'static,
        E: ServiceError,
        F: Fn(Context, A, Streaming<I>) -> S + Send + Sync + 'static,
        S: Stream<Item = Result<T, E>> + Send + 'static,
    {
        self.method(Method::bidi_stream(name, move |cx, args, items, emitter| {
            emitter.forward(handler(cx, args, items))
        }))
    }

    /// Puts a middleware around all calls that this end serves, inside of those added before.
    #[must_use]
    pub fn middleware(mut self, middleware: impl Middleware) -> Self {
        let added: Arc<dyn Middleware> = Arc::new(middleware);
        self.chain = self.chain.iter().cloned().chain([added]).collect();
        self
    }

    /// Runs each handler in a task of its own, for handlers that compute: they use other threads of the runtime, and
    /// while one computes, its thread's other tasks go on elsewhere ([`block_in_place`](tokio::task::block_in_place)).
    /// It holds for all methods of the router; for one of them, [`spawn_blocking`](tokio::task::spawn_blocking) in its
    /// handler does the same. That costs some microseconds a call. Without it a connection's handlers run in the connection's own task, which
    /// is cheaper for those that wait rather than compute.
    ///
    /// Results, errors, panics, deadlines, limits and the order of a stream's items are the same. A handler whose call
    /// has ended is dropped at its next `await`, and counts as in flight until then. On a runtime of one thread a
    /// handler that computes holds up all others.
    #[must_use]
    pub fn spawned(mut self) -> Self {
        self.spawned = true;
        self
    }

    /// Returns the descriptions of the services.
    pub fn services(&self) -> &[&'static Descriptor] {
        &self.services
    }

    /// Returns a name that was added twice, if there is one: it is not known which of the two was meant.
    pub(crate) fn doubled(&self) -> Option<&str> {
        self.doubled.as_deref()
    }

    pub(crate) fn find(&self, name: &str) -> Option<&Method> {
        self.methods.get(name)
    }
}

impl fmt::Debug for Router {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut methods: Vec<&str> = self.methods.keys().map(AsRef::as_ref).collect();
        methods.sort_unstable();
        f.debug_struct("Router")
            .field("methods", &methods)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}
