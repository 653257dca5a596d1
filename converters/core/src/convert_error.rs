//! Why a value did not become a message, or a message a value.

use std::{borrow::Cow, error::Error as StdError, fmt};

use crate::{Message, guard::Brief, words::words};

/// A conversion that failed. Small: one pointer.
///
/// Its text holds no values of the payload, so that it can be logged, and sent to a peer; what the format's library says,
/// with the values that it quotes, is the [`detail`](Self::detail).
///
/// When a received message could not be decoded, the error holds the message: see
/// [`message`](Self::message) and [`into_message`](Self::into_message).
pub struct ConvertError(Box<Inner>);

struct Inner {
    kind: ConvertErrorKind,
    text: Cow<'static, str>,
    detail: Option<String>,
    source: Option<Box<dyn StdError + Send + Sync>>,
    message: Option<Message>,
}

/// What went wrong in a conversion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ConvertErrorKind {
    /// The value cannot be expressed in the format.
    Encode,
    /// The bytes are malformed, or do not fit the type.
    Decode,
    /// The bytes go on behind the value.
    TrailingBytes,
    /// The value is nested deeper than the limit.
    TooDeep,
    /// The value would take more memory than it may: see [`within`](crate::guard::within).
    TooLarge,
    /// A number is NaN, infinite, or an integer that needs more than 64 bits.
    Number,
    /// The message is of a kind (text, binary) that the converter does not read.
    NotApplicable,
}

impl ConvertError {
    /// Builds an error of a kind with a text for people, which is logged and may be sent to the peer: what it must not
    /// show goes into the [detail](Self::with_detail).
    pub fn new(kind: ConvertErrorKind, text: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Inner { kind, text: text.into(), detail: None, source: None, message: None }))
    }

    /// Builds an error from what a format's library says. Its text is serde's phrase without the values in it, such as
    /// "invalid type: string, expected u64", or what can be said of the kind; all that was said, up to 1 KiB, is the
    /// [`detail`](Self::detail).
    ///
    /// A text of the value's own type that begins as serde's do is taken for one of those: then up to 128 bytes behind
    /// its last ", expected " are shown.
    pub fn of_format(kind: ConvertErrorKind, error: impl fmt::Display) -> Self {
        Self::of_format_at(kind, error, "")
    }

    /// Does the same for what ends with a `place` in the payload, which is shown.
    pub fn of_format_at(kind: ConvertErrorKind, error: impl fmt::Display, place: &str) -> Self {
        let detail = Brief(error).to_string();
        let said = detail.strip_suffix(place).unwrap_or(&detail);
        let text = match (words(kind, said), place) {
            (text, "") => text,
            (text, place) => Cow::Owned(format!("{text}{place}")),
        };
        Self::new(kind, text).with_detail(detail)
    }

    /// Adds what may be looked at, but is neither logged nor sent.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.0.detail = Some(detail.into());
        self
    }

    /// Adds the error that caused this one.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Adds the message that could not be decoded.
    #[must_use]
    pub fn with_message(mut self, message: Message) -> Self {
        self.0.message = Some(message);
        self
    }

    /// Returns what went wrong.
    pub fn kind(&self) -> ConvertErrorKind {
        self.0.kind
    }

    /// Returns all that is known of what went wrong. It may quote values of the payload: whoever logs it, logs those.
    pub fn detail(&self) -> &str {
        self.0.detail.as_deref().unwrap_or(&self.0.text)
    }

    /// Returns the message that could not be decoded.
    pub fn message(&self) -> Option<&Message> {
        self.0.message.as_ref()
    }

    /// Takes the message out that could not be decoded.
    pub fn into_message(self) -> Option<Message> {
        self.0.message
    }
}

impl fmt::Debug for ConvertError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConvertError")
            .field("kind", &self.0.kind)
            .field("text", &self.0.text)
            .field("source", &self.0.source)
            .field("payload_len", &self.0.message.as_ref().map(Message::len))
            .finish()
    }
}

impl fmt::Display for ConvertError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.text)
    }
}

impl StdError for ConvertError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}
