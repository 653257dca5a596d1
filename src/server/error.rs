//! What can be wrong with a server before it serves. Knows no connection.

use std::io;

use crate::extension::ExtensionError;

/// A server could not be built or bound.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// A route's path is malformed, or collides with another's.
    #[error("route {path:?}: {why}")]
    Route {
        /// The path as it was given.
        path: String,
        /// What is wrong with it.
        why: String,
    },
    /// A subprotocol is no token (RFC 6455 §4.1).
    #[error("subprotocol {0:?} is not a token")]
    Subprotocol(String),
    /// A host is neither `host` nor `host:port` (RFC 3986 §3.2).
    #[error("{0:?} is no host: write host or host:port")]
    Host(String),
    /// The extensions of a route cannot be used together.
    #[error(transparent)]
    Extension(#[from] ExtensionError),
    /// A method is twice in the router of a route.
    #[error("route {path:?}: the router has the method {method:?} twice")]
    DoubledMethod {
        /// The path as it was given.
        path: String,
        /// The method's name.
        method: String,
    },
    /// A rule that can only be set once was set again; the name of its setter.
    #[error("{0} was called twice, and only one of the two would hold")]
    Twice(&'static str),
    /// There is no Tokio runtime here: the call was polled outside of one.
    #[error("a server needs a Tokio runtime, and there is none here")]
    NoRuntime,
    /// The address cannot be bound.
    #[error("cannot listen: {0}")]
    Bind(#[source] io::Error),
}
