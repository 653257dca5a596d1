//! Why a client's handshake failed. Knows the rules of the answer by section, not how they are checked.

use bytes::Bytes;
use http::{Response, header};

use super::HeadError;
use crate::extension::ExtensionGrammarError;

/// A server's answer to a handshake is no session (RFC 6455 §4.1). The server's fault, or its decision.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HandshakeError {
    /// The server answered with another status than 101. Redirects are not followed: see
    /// [`location`](Self::location). The body ends at [`AnswerReader::MAX_BODY`](super::AnswerReader::MAX_BODY).
    #[error("the server refused the upgrade with {}", .0.status())]
    Refused(Box<Response<Bytes>>),
    /// The stream ended before the answer's head did.
    #[error("the server closed the connection before it answered")]
    Closed,
    /// The answer is no HTTP/1.1 head.
    #[error("the server's answer can't be read")]
    Head(#[from] HeadError),
    /// More interim answers (1xx) than anyone needs.
    #[error("the server sent too many interim answers (RFC 7231 §6.2)")]
    TooManyInterim,
    /// A 101 in HTTP/1.0, which knows no upgrade.
    #[error("the server switched protocols in HTTP/1.0 (RFC 7230 §6.7)")]
    Version,
    /// `Upgrade` is missing or is not exactly `websocket`.
    #[error("the answer's Upgrade is not websocket (RFC 6455 §4.1, item 2)")]
    Upgrade,
    /// `Connection` is missing or doesn't list `upgrade`.
    #[error("the answer's Connection does not list upgrade (RFC 6455 §4.1, item 3)")]
    Connection,
    /// `Sec-WebSocket-Accept` is missing, doubled, or not derived from our key.
    #[error(
        "the answer's Sec-WebSocket-Accept is not the one value that proves the server read our key (RFC 6455 §4.1, item 4)"
    )]
    Accept,
    /// `Sec-WebSocket-Extensions` names an extension that was not offered.
    #[error("the server chose the extension {0:?}, which was not offered (RFC 6455 §4.1, item 5)")]
    ExtensionNotOffered(String),
    /// `Sec-WebSocket-Extensions` doesn't follow its grammar.
    #[error("the server's extensions can't be read")]
    Extensions(#[from] ExtensionGrammarError),
    /// `Sec-WebSocket-Protocol` names a subprotocol that was not offered.
    #[error("the server chose the subprotocol {0:?}, which was not offered (RFC 6455 §4.1, item 6)")]
    SubprotocolNotOffered(String),
    /// `Sec-WebSocket-Protocol` stands twice.
    #[error("the server chose more than one subprotocol (RFC 6455 §11.3.4)")]
    RepeatedSubprotocol,
}

impl HandshakeError {
    /// Returns the section that the server broke. None if it broke no rule: it refused, or went away.
    pub fn rfc_section(&self) -> Option<&'static str> {
        Some(match self {
            Self::Refused(_) | Self::Closed => return None,
            Self::Head(_) => "RFC 7230 §3",
            Self::TooManyInterim => "RFC 7231 §6.2",
            Self::Version => "RFC 7230 §6.7",
            Self::Upgrade => "RFC 6455 §4.1, item 2",
            Self::Connection => "RFC 6455 §4.1, item 3",
            Self::Accept => "RFC 6455 §4.1, item 4",
            Self::ExtensionNotOffered(_) => "RFC 6455 §4.1, item 5",
            Self::Extensions(_) => "RFC 6455 §9.1",
            Self::SubprotocolNotOffered(_) => "RFC 6455 §4.1, item 6",
            Self::RepeatedSubprotocol => "RFC 6455 §11.3.4",
        })
    }

    /// Returns the answer of a server that refused.
    pub fn response(&self) -> Option<&Response<Bytes>> {
        match self {
            Self::Refused(response) => Some(response),
            _ => None,
        }
    }

    /// Returns where a server that refused points to, as it wrote it: relative, or an `http:` URL.
    pub fn location(&self) -> Option<&str> {
        self.response()?.headers().get(header::LOCATION)?.to_str().ok()
    }
}
