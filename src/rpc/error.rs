//! How a call ends that does not succeed, in the eyes of its caller. Knows no wire.

use std::{fmt, sync::Arc};

use converse_core::ConvertError;
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    engine::Closed,
    rpc::{Code, Status},
    session::AnyConverter,
};

/// Why a call did not succeed. `E` is the method's own error.
#[derive(Debug)]
#[non_exhaustive]
pub enum CallError<E = Status> {
    /// The method failed, and says how in its own type.
    App(E),
    /// The callee, or what stands before the method, refused or failed.
    Status(Status),
    /// The connection ended before the call did.
    Disconnected(Disconnected),
    /// The call took longer than its deadline.
    Deadline,
    /// The callee cancelled the call.
    Cancelled,
    /// The arguments could not be encoded, or the answer could not be decoded.
    Convert(ConvertError),
}

/// A connection that ended under a call. One pointer in size.
#[derive(Clone)]
pub struct Disconnected(Arc<Ended>);

struct Ended {
    sent: bool,
    end: End,
}

/// How a conversation ended, as far as this end knows.
#[derive(Clone, Debug)]
pub(crate) enum End {
    /// The session tells.
    Closed(Arc<Closed>),
    /// This end has closed it, and why.
    Here(Arc<str>),
    /// The peer goes away, and why: it takes no new calls, while those under way go on.
    Going(Arc<str>),
}

impl Disconnected {
    pub(crate) fn new(sent: bool, end: &End) -> Self {
        Self(Arc::new(Ended { sent, end: end.clone() }))
    }

    /// Tells whether the call may have reached the peer. When not, it can be made again on another connection
    /// whatever it does.
    pub fn sent(&self) -> bool {
        self.0.sent
    }

    /// Returns how the connection ended; `None` when this end has closed it, or when the peer has only said that it
    /// goes away.
    pub fn closed(&self) -> Option<&Arc<Closed>> {
        match &self.0.end {
            End::Closed(closed) => Some(closed),
            End::Here(_) | End::Going(_) => None,
        }
    }
}

impl fmt::Display for Disconnected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sent = if self.0.sent { "after" } else { "before" };
        match &self.0.end {
            End::Closed(closed) => write!(f, "the connection ended {sent} the call was sent: {closed}"),
            End::Here(why) => write!(f, "the connection was closed here {sent} the call was sent: {why}"),
            End::Going(why) => write!(f, "the peer takes no new calls: {}", why.escape_debug()),
        }
    }
}

impl fmt::Debug for Disconnected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Disconnected").field("sent", &self.0.sent).field("end", &self.0.end).finish()
    }
}

impl<E> CallError<E> {
    /// Returns the status that the callee answered with; `None` for the method's own error.
    pub fn status(&self) -> Option<&Status> {
        match self {
            Self::Status(status) => Some(status),
            _ => None,
        }
    }

    /// Returns the method's own error.
    pub fn app(self) -> Option<E> {
        match self {
            Self::App(error) => Some(error),
            _ => None,
        }
    }

    /// Tells whether the call certainly did not reach a method, so that it can be made again whatever it does: the
    /// connection ended before it was sent, or the callee had said that it goes away.
    pub fn is_not_started(&self) -> bool {
        match self {
            Self::Disconnected(disconnected) => !disconnected.sent(),
            _ => false,
        }
    }
}

impl<E: ServiceError> CallError<E> {
    /// Returns the code that describes the failure: that of the status or of the method's own error, CANCELLED,
    /// DEADLINE_EXCEEDED, UNAVAILABLE for a lost connection, INTERNAL for a value that does not convert.
    pub fn code(&self) -> Code {
        match self {
            Self::App(error) => error.code(),
            Self::Status(status) => status.code(),
            Self::Disconnected(_) => Code::UNAVAILABLE,
            Self::Deadline => Code::DEADLINE_EXCEEDED,
            Self::Cancelled => Code::CANCELLED,
            Self::Convert(_) => Code::INTERNAL,
        }
    }

    /// Takes what a callee answered with.
    pub(crate) fn from_status(status: Status) -> Self {
        match E::from_status(&status) {
            Some(error) => Self::App(error),
            None => match status.code() {
                Code::CANCELLED => Self::Cancelled,
                Code::DEADLINE_EXCEEDED => Self::Deadline,
                _ => Self::Status(status),
            },
        }
    }
}

impl<E: fmt::Display> fmt::Display for CallError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::App(error) => error.fmt(f),
            Self::Status(status) => status.fmt(f),
            Self::Disconnected(disconnected) => disconnected.fmt(f),
            Self::Deadline => f.write_str("the deadline of the call has passed"),
            Self::Cancelled => f.write_str("the callee cancelled the call"),
            Self::Convert(error) => error.fmt(f),
        }
    }
}

impl<E: fmt::Debug + fmt::Display> std::error::Error for CallError<E> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Status(status) => Some(status),
            Self::Convert(error) => Some(error),
            _ => None,
        }
    }
}

/// So that a handler that calls its peer can give the failure on with `?`. The status of a call that was answered is given
/// on as it is, with the text and the data that its callee has chosen; of others only what this end knows.
impl<E: ServiceError> From<CallError<E>> for Status {
    fn from(error: CallError<E>) -> Self {
        let code = error.code();
        match error {
            CallError::Status(status) => status,
            // What a peer has said when it went is not for others.
            CallError::Disconnected(_) => Self::new(code, "a call lost its connection"),
            other => Self::new(code, other.to_string()),
        }
    }
}

/// A method's own error: it travels as the data of a [`Status`], beside its code and its text.
///
/// ```
/// use converse::rpc::{Code, ServiceError};
///
/// #[derive(Debug, serde::Serialize, serde::Deserialize)]
/// enum CalcError { DivisionByZero }
///
/// impl std::fmt::Display for CalcError {
///     fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
///         f.write_str("division by zero")
///     }
/// }
///
/// impl ServiceError for CalcError {
///     fn code(&self) -> Code { Code::OUT_OF_RANGE }
/// }
/// ```
pub trait ServiceError:
    Serialize + DeserializeOwned + fmt::Debug + fmt::Display + Send + Sync + 'static
{
    /// Returns the code for callers that do not know the type. Default: [`Code::UNKNOWN`].
    fn code(&self) -> Code {
        Code::UNKNOWN
    }

    /// Turns the error into what travels.
    #[doc(hidden)]
    fn into_status(self, converter: &AnyConverter) -> Status {
        let status = Status::new(self.code(), self.to_string());
        match status.with_value(converter, &self) {
            Ok(status) => status,
            Err(error) => {
                Status::new(Code::INTERNAL, format!("the error of the method does not encode: {error}"))
            }
        }
    }

    /// Finds the error in what has travelled.
    #[doc(hidden)]
    fn from_status(status: &Status) -> Option<Self> {
        status.data()?.ok()
    }
}

impl ServiceError for Status {
    fn code(&self) -> Code {
        Self::code(self)
    }

    fn into_status(self, _: &AnyConverter) -> Status {
        self
    }

    fn from_status(_: &Status) -> Option<Self> {
        None
    }
}

/// A status is a method's error where no type of its own is worth it; inside of data it is a code and a text.
impl Serialize for Status {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (self.code().number(), self.message()).serialize(serializer)
    }
}

impl<'de> serde::Deserialize<'de> for Status {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (code, message) = <(i32, String)>::deserialize(deserializer)?;
        Ok(Self::new(Code::new(code), message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_peer_has_said_when_it_went_is_not_given_on() {
        for end in [End::Going("SECRET".into()), End::Here("SECRET".into())] {
            let error = CallError::<Status>::Disconnected(Disconnected::new(true, &end));
            assert!(error.to_string().contains("SECRET"));
            assert_eq!(Status::from(error).to_string(), "UNAVAILABLE: a call lost its connection");
        }
    }
}
