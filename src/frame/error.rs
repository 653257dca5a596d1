//! What a peer did wrong, with the close code that answers it. Knows no I/O error.

use std::fmt;

use crate::frame::CloseCode;

/// A peer broke the protocol or a limit; the connection ends with [`close_code`](Self::close_code).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProtocolError {
    code: CloseCode,
    section: &'static str,
    text: &'static str,
}

impl ProtocolError {
    /// A continuation without a message to continue.
    pub(crate) const STRAY_CONTINUATION: Self =
        Self::framing("RFC 6455 §5.4", "continuation without a message to continue");
    /// A new message before the fragmented one has ended.
    pub(crate) const INTERLEAVED: Self =
        Self::framing("RFC 6455 §5.4", "new message inside a fragmented one");

    /// A message over the limit of this end.
    pub(crate) const MESSAGE_TOO_BIG: Self = Self::too_big("message is over the limit");

    /// Builds an error: the close code it is answered with, where the rule stands (such as
    /// `RFC 6455 §5.2`, or `limit`), and a short text that the peer may read.
    pub const fn new(code: CloseCode, section: &'static str, text: &'static str) -> Self {
        Self { code, section, text }
    }

    /// A breach of the framing rules: close code 1002.
    pub(crate) const fn framing(section: &'static str, text: &'static str) -> Self {
        Self::new(CloseCode::PROTOCOL_ERROR, section, text)
    }

    /// A size over a limit of this end: close code 1009.
    pub(crate) const fn too_big(text: &'static str) -> Self {
        Self::new(CloseCode::MESSAGE_TOO_BIG, "RFC 6455 §7.4.1", text)
    }

    /// Returns the close code that the peer receives.
    pub const fn close_code(&self) -> CloseCode {
        self.code
    }

    /// Returns where the broken rule stands.
    pub const fn section(&self) -> &'static str {
        self.section
    }

    /// Returns what is wrong, in the words the peer receives.
    pub const fn text(&self) -> &'static str {
        self.text
    }
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}, close code {})", self.text, self.section, self.code)
    }
}

impl std::error::Error for ProtocolError {}
