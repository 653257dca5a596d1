//! The crate-wide error: any floor's, with whose fault it was. Nobody below knows it.

use std::fmt;

use converse_core::ConvertError;

use crate::{
    client::ConnectError,
    engine::CloseCause,
    extension::ExtensionError,
    handshake::HandshakeError,
    rpc::{CallError, Code, ServiceError},
    server::ServerError,
    session::{BoxError, FrameError, SendError, SendErrorKind, SessionError},
};

/// The result of this crate's calls, for handlers and `main` functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Anything that went wrong. Opaque: [`kind`](Self::kind) and the questions tell it apart, and
/// [`as_session`](Self::as_session) and [`as_connect`](Self::as_connect) give the floor's own error. One
/// pointer in size.
pub struct Error(Box<Inner>);

#[derive(Debug)]
enum Inner {
    Session(SessionError),
    Connect(ConnectError),
    Server(ServerError),
    Call(FailedCall),
}

/// A call that failed, whatever the method's own error is.
#[derive(Debug)]
struct FailedCall {
    error: BoxError,
    code: Code,
    disconnected: bool,
}

/// What an [`Error`] is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A value did not become a message, or a message a value; the session goes on.
    Convert,
    /// A message or frame was not taken.
    Send,
    /// The conversation ended otherwise than by a normal close.
    Closed,
    /// A client could not connect.
    Connect,
    /// A server could not be built or bound.
    Server,
    /// A call failed; it may have been the method's own error.
    Call,
}

impl Error {
    /// Returns what the error is about.
    pub fn kind(&self) -> ErrorKind {
        match &*self.0 {
            Inner::Session(SessionError::Convert(_)) => ErrorKind::Convert,
            Inner::Session(SessionError::Closed(_)) => ErrorKind::Closed,
            Inner::Session(_) => ErrorKind::Send,
            Inner::Connect(_) => ErrorKind::Connect,
            Inner::Server(_) => ErrorKind::Server,
            Inner::Call(_) => ErrorKind::Call,
        }
    }

    /// Tells whether the peer broke a rule, refused, or sent what does not decode.
    pub fn is_peer_fault(&self) -> bool {
        match &*self.0 {
            Inner::Session(SessionError::Convert(error)) => error.message().is_some(),
            Inner::Session(SessionError::Closed(closed)) => {
                matches!(
                    closed.cause,
                    CloseCause::Violation(_)
                        | CloseCause::PingTimeout
                        | CloseCause::WriteTimeout
                        | CloseCause::Overflow
                )
            }
            Inner::Connect(ConnectError::Handshake(error)) => !matches!(error, HandshakeError::Closed),
            Inner::Connect(ConnectError::Extension(ExtensionError::BadAnswer { .. })) => true,
            _ => false,
        }
    }

    /// Tells whether this end asked for something that cannot be.
    pub fn is_caller_fault(&self) -> bool {
        match &*self.0 {
            Inner::Session(SessionError::Convert(error)) => error.message().is_none(),
            Inner::Session(SessionError::Frame(_)) => true,
            Inner::Connect(ConnectError::Extension(ExtensionError::BadAnswer { .. })) => false,
            Inner::Connect(error) => matches!(
                error,
                ConnectError::Request(_)
                    | ConnectError::Extension(_)
                    | ConnectError::TlsMissing
                    | ConnectError::NoRuntime
                    | ConnectError::DoubledMethod(_)
            ),
            Inner::Server(error) => !matches!(error, ServerError::Bind(_)),
            Inner::Call(call) => call.code == Code::INVALID_ARGUMENT,
            _ => false,
        }
    }

    /// Tells whether the connection is gone, or never was there.
    pub fn is_disconnected(&self) -> bool {
        match &*self.0 {
            Inner::Session(SessionError::Closed(_)) => true,
            Inner::Session(SessionError::Send(error)) => *error.kind() == SendErrorKind::Closed,
            Inner::Connect(error) => matches!(
                error,
                ConnectError::Resolve { .. }
                    | ConnectError::Connect(_)
                    | ConnectError::Io(_)
                    | ConnectError::Timeout
                    | ConnectError::HandlerDropped
                    | ConnectError::Handshake(HandshakeError::Closed)
            ),
            Inner::Call(call) => call.disconnected,
            _ => false,
        }
    }

    /// Returns the session's error, if it is one.
    pub fn as_session(&self) -> Option<&SessionError> {
        match &*self.0 {
            Inner::Session(error) => Some(error),
            _ => None,
        }
    }

    /// Returns the code of a call that failed.
    pub fn call_code(&self) -> Option<Code> {
        match &*self.0 {
            Inner::Call(call) => Some(call.code),
            _ => None,
        }
    }

    /// Returns the client's error, if it is one.
    pub fn as_connect(&self) -> Option<&ConnectError> {
        match &*self.0 {
            Inner::Connect(error) => Some(error),
            _ => None,
        }
    }

    fn inner(&self) -> &(dyn std::error::Error + 'static) {
        match &*self.0 {
            Inner::Session(error) => error,
            Inner::Connect(error) => error,
            Inner::Server(error) => error,
            Inner::Call(call) => &*call.error,
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.inner(), f)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.inner().source()
    }
}

impl From<SessionError> for Error {
    fn from(error: SessionError) -> Self {
        Self(Box::new(Inner::Session(error)))
    }
}

impl From<SendError> for Error {
    fn from(error: SendError) -> Self {
        SessionError::from(error).into()
    }
}

impl From<FrameError> for Error {
    fn from(error: FrameError) -> Self {
        SessionError::from(error).into()
    }
}

impl From<ConvertError> for Error {
    fn from(error: ConvertError) -> Self {
        SessionError::from(error).into()
    }
}

impl From<ConnectError> for Error {
    fn from(error: ConnectError) -> Self {
        Self(Box::new(Inner::Connect(error)))
    }
}

impl<E: ServiceError> From<CallError<E>> for Error {
    fn from(error: CallError<E>) -> Self {
        let disconnected = matches!(error, CallError::Disconnected(_));
        let call = FailedCall { code: error.code(), disconnected, error: Box::new(error) };
        Self(Box::new(Inner::Call(call)))
    }
}

impl From<ServerError> for Error {
    fn from(error: ServerError) -> Self {
        Self(Box::new(Inner::Server(error)))
    }
}
