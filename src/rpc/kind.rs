//! The kinds of method. Knows no wire.

use std::fmt;

use serde::Serialize;

/// How many values a method takes and gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// One way: no answer.
    Notify,
    /// One answer.
    Unary,
    /// A stream of answers.
    ServerStream,
    /// A stream of values, then one answer.
    ClientStream,
    /// A stream of values and a stream of answers.
    BidiStream,
}

impl Kind {
    /// Tells whether the callee gives a stream.
    pub fn has_response_stream(self) -> bool {
        matches!(self, Self::ServerStream | Self::BidiStream)
    }

    /// Tells whether the caller gives a stream.
    pub fn has_request_stream(self) -> bool {
        matches!(self, Self::ClientStream | Self::BidiStream)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Notify => "notify",
            Self::Unary => "unary",
            Self::ServerStream => "server stream",
            Self::ClientStream => "client stream",
            Self::BidiStream => "bidirectional stream",
        })
    }
}
