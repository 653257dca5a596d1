//! The kinds of method, as the runtime names them. Knows no syntax.

/// The kinds of method, as the runtime names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Notify,
    Unary,
    ServerStream,
    ClientStream,
    BidiStream,
}

impl Kind {
    /// The name in the runtime's enum of the same name.
    pub(crate) fn variant(self) -> &'static str {
        match self {
            Self::Notify => "Notify",
            Self::Unary => "Unary",
            Self::ServerStream => "ServerStream",
            Self::ClientStream => "ClientStream",
            Self::BidiStream => "BidiStream",
        }
    }

    /// The runtime's constructor of such a method.
    pub(crate) fn constructor(self) -> &'static str {
        match self {
            Self::Notify => "notify",
            Self::Unary => "unary",
            Self::ServerStream => "server_stream",
            Self::ClientStream => "client_stream",
            Self::BidiStream => "bidi_stream",
        }
    }

    pub(crate) fn has_response_stream(self) -> bool {
        matches!(self, Self::ServerStream | Self::BidiStream)
    }
}
