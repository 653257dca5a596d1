//! What can stand in the way of a connection. Knows no session.

use std::io;

use bytes::Bytes;
use http::Response;

use crate::{
    extension::ExtensionError,
    handshake::{HandshakeError, RequestError},
};

/// A client could not connect.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The URL, a header, a subprotocol or an offer cannot be sent. The caller's fault.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The extensions cannot be used together, or the server's answer does not fit them.
    #[error(transparent)]
    Extension(#[from] ExtensionError),
    /// The host's name could not be resolved.
    #[error("cannot resolve {host:?}: {source}")]
    Resolve {
        /// The host of the URL.
        host: String,
        /// What the resolver says.
        source: io::Error,
    },
    /// None of the host's addresses could be connected to; the error of the last one.
    #[error("cannot connect to any address of the host: {0}")]
    Connect(#[source] io::Error),
    /// TLS could not be agreed on, or the certificate is not trusted.
    #[error("TLS: {0}")]
    Tls(#[source] io::Error),
    /// A `wss:` URL, and the feature `tls` is off.
    #[error("wss:// needs the feature `tls`")]
    TlsMissing,
    /// The connection broke during the handshake.
    #[error("the connection broke during the handshake: {0}")]
    Io(#[source] io::Error),
    /// The server refused, or its answer breaks a rule.
    #[error(transparent)]
    Handshake(#[from] HandshakeError),
    /// The server agreed on no subprotocol that can be spoken here; what it did agree on.
    #[error("no subprotocol of a conversation was agreed on, but {0:?}")]
    Subprotocol(Option<String>),
    /// There is no Tokio runtime here: the call was polled outside of one.
    #[error("connecting needs a Tokio runtime, and there is none here")]
    NoRuntime,
    /// A method is twice in the router.
    #[error("the router has the method {0:?} twice")]
    DoubledMethod(String),
    /// The connection was not there in time.
    #[error("no connection in time")]
    Timeout,
    /// The connection ended, and the handler given to `connect_with` did not end in time.
    #[error("the connection ended, and its handler did not end in time")]
    HandlerDropped,
}

impl ConnectError {
    /// Returns the answer of a server that refused: status, headers and body.
    pub fn response(&self) -> Option<&Response<Bytes>> {
        match self {
            Self::Handshake(error) => error.response(),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_found_in_the_error() {
        let mut response = Response::new(Bytes::from_static(b"who are you?"));
        *response.status_mut() = http::StatusCode::UNAUTHORIZED;
        let error = ConnectError::from(HandshakeError::Refused(Box::new(response)));
        assert_eq!(error.response().map(|response| response.status().as_u16()), Some(401));
        assert!(ConnectError::Timeout.response().is_none());
    }
}
