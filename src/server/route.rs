//! Paths and the handlers behind them. Knows no socket.

use std::{
    any::Any,
    collections::{HashMap, HashSet},
    fmt,
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    pin::Pin,
    sync::Arc,
};

use futures::TryFutureExt;

use crate::{
    engine::EngineConfig,
    extension::is_token,
    frame::Role,
    handshake::{Rejection, Request},
    server::{RequestHook, ServerError},
    session::{AnyHandler, BoxError, Session, SessionOptions},
};

/// A handler, of any type.
type Handler = Box<dyn Fn(Session) -> Pin<Box<AnyHandler>> + Send + Sync>;

/// What is served at one path.
pub(crate) struct Route {
    pub(crate) options: Arc<SessionOptions>,
    pub(crate) config: Arc<EngineConfig>,
    pub(crate) handler: Handler,
    path: String,
}

/// All that is served.
#[derive(Default)]
pub(crate) struct Routes {
    router: matchit::Router<Arc<Route>>,
    paths: HashSet<String>,
    /// The hooks of each path, asked in this order.
    hooks: HashMap<String, Vec<Arc<dyn RequestHook>>>,
}

impl Routes {
    /// Adds a route.
    pub(crate) fn add<H, F, E>(
        &mut self,
        path: &str,
        options: SessionOptions,
        raw: bool,
        handler: H,
    ) -> Result<(), ServerError>
    where
        H: Fn(Session) -> F + Send + Sync + 'static,
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<BoxError>,
    {
        options.check()?;
        if let Some(bad) = options.subprotocols.iter().find(|token| !is_token(token)) {
            return Err(ServerError::Subprotocol(bad.clone()));
        }
        let wrong = |why: String| ServerError::Route { path: path.to_owned(), why };
        if !path.starts_with('/') {
            return Err(wrong("a path begins with a slash".to_owned()));
        }
        let config = Arc::new(options.engine(Role::Server, raw));
        let handler: Handler =
            Box::new(move |session| match catch_unwind(AssertUnwindSafe(|| handler(session))) {
                // Not an async block: that would hold the handler's future twice.
                Ok(conversation) => Box::pin(conversation.err_into()),
                // Where it is polled it ends the conversation like any panic of a handler.
                Err(panic) => Box::pin(rethrow(panic)),
            });
        let route = Arc::new(Route { options: Arc::new(options), config, handler, path: path.to_owned() });
        self.router.insert(path, route).map_err(|error| wrong(error.to_string()))?;
        self.paths.insert(path.to_owned());
        Ok(())
    }

    /// Adds a hook to the route of a path, which may come later.
    pub(crate) fn add_hook(&mut self, path: &str, hook: Arc<dyn RequestHook>) {
        self.hooks.entry(path.to_owned()).or_default().push(hook);
    }

    /// Looks for hooks whose path has no route.
    pub(crate) fn check(&self) -> Result<(), ServerError> {
        match self.hooks.keys().find(|path| !self.paths.contains(*path)) {
            Some(path) => {
                Err(ServerError::Route { path: path.clone(), why: "it has a hook, but no route".to_owned() })
            }
            None => Ok(()),
        }
    }

    /// Returns the hooks of a route.
    pub(crate) fn hooks(&self, route: &Route) -> &[Arc<dyn RequestHook>] {
        self.hooks.get(&route.path).map_or(&[], Vec::as_slice)
    }

    /// Finds the route of a request, and attaches the path parameters to it.
    pub(crate) fn find(&self, request: &mut Request) -> Result<Arc<Route>, Rejection> {
        let path = request.path().to_owned();
        let matched = self.router.at(&path).map_err(|_| Rejection::not_found())?;
        let mut params = Vec::new();
        for (name, value) in matched.params.iter() {
            let Ok(decoded) = percent_encoding::percent_decode_str(value).decode_utf8() else {
                return Err(Rejection::bad_request("a path parameter is not UTF-8 when decoded"));
            };
            params.push((name.to_owned(), decoded.into_owned()));
        }
        request.set_params(params);
        Ok(Arc::clone(matched.value))
    }
}

async fn rethrow(panic: Box<dyn Any + Send>) -> Result<(), BoxError> {
    resume_unwind(panic)
}

impl fmt::Debug for Routes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Routes").finish_non_exhaustive()
    }
}
