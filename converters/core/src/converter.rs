//! What a content format must offer to carry a typed conversation. Knows no concrete format.

use std::marker::PhantomData;

use bytes::Bytes;
use serde::{
    Deserialize, Serialize,
    de::{DeserializeSeed, IgnoredAny},
};

use crate::{ConvertError, ConvertErrorKind, Message, Utf8Bytes};

/// Which kind of message a converter produces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// Text messages; what [`ContentConverter::encode`] writes is UTF-8.
    Text,
    /// Binary messages.
    Binary,
}

/// Turns values into message payloads and back.
///
/// Implementations are values (options live in their fields) and are shared by many sessions.
pub trait ContentConverter: Send + Sync + 'static {
    /// Returns the kind of message this converter produces.
    fn format(&self) -> Format;

    /// Returns the format's subprotocol token (RFC 6455 §1.9), such as `json`.
    fn subprotocol(&self) -> &str;

    /// Appends the encoded value to `out`. What `out` held before stays as it is.
    ///
    /// # Errors
    /// When the value cannot be expressed. What was appended by then is unspecified; the caller
    /// truncates.
    fn encode<T>(&self, value: &T, out: &mut Vec<u8>) -> Result<(), ConvertError>
    where
        T: Serialize + ?Sized;

    /// Decodes one value, which must fill `bytes`, through a seed.
    ///
    /// # Errors
    /// When the bytes are malformed, do not fit the type, or go on behind the value.
    fn decode_seed<'de, S>(&self, seed: S, bytes: &'de [u8]) -> Result<S::Value, ConvertError>
    where
        S: DeserializeSeed<'de>;

    /// Decodes one value, which must fill `text`, through a seed: as [`decode_seed`](Self::decode_seed) of its
    /// bytes, which is what it does unless a converter has a shorter way for what is known to be UTF-8.
    ///
    /// # Errors
    /// As [`decode_seed`](Self::decode_seed).
    fn decode_text_seed<'de, S>(&self, seed: S, text: &'de str) -> Result<S::Value, ConvertError>
    where
        S: DeserializeSeed<'de>,
    {
        self.decode_seed(seed, text.as_bytes())
    }

    /// Decodes the first value in `bytes` through a seed, and tells how many bytes it took, with what a text format
    /// allows in front of it. What follows the value is not looked at.
    ///
    /// For formats in which a value tells where it ends. That is what lets several values stand one behind the
    /// other in one message, as the frames of a conversation do. Where a value's last byte is known by the next one
    /// only, as with JSON's numbers, whoever writes values one behind the other puts something between them.
    ///
    /// # Errors
    /// When the bytes are malformed, end within the value, or do not fit the type; and
    /// [`NotApplicable`](ConvertErrorKind::NotApplicable), unless a converter has its own implementation.
    fn decode_prefix_seed<'de, S>(&self, seed: S, bytes: &'de [u8]) -> Result<(S::Value, usize), ConvertError>
    where
        S: DeserializeSeed<'de>,
    {
        let _ = (seed, bytes);
        let text = format!("the {} converter does not tell where a value ends", self.subprotocol());
        Err(ConvertError::new(ConvertErrorKind::NotApplicable, text))
    }

    /// Decodes the first value in `bytes`, and tells how many bytes it took.
    ///
    /// # Errors
    /// As [`decode_prefix_seed`](Self::decode_prefix_seed).
    fn decode_prefix<'de, T>(&self, bytes: &'de [u8]) -> Result<(T, usize), ConvertError>
    where
        T: Deserialize<'de>,
    {
        self.decode_prefix_seed(PhantomData::<T>, bytes)
    }

    /// Tells how many bytes the first value in `bytes` takes, with what a text format allows in front of it: the way
    /// past a value that nobody decodes. A value that no type takes, such as one that is nested too deep, may be
    /// passed.
    ///
    /// By default the value is decoded as [`IgnoredAny`], which asks for a self-describing format.
    ///
    /// # Errors
    /// When the bytes are malformed or end within the value, and where
    /// [`decode_prefix_seed`](Self::decode_prefix_seed) is not to be had.
    fn prefix_len(&self, bytes: &[u8]) -> Result<usize, ConvertError> {
        self.decode_prefix::<IgnoredAny>(bytes).map(|(_, len)| len)
    }

    /// Decodes one value, which must fill `bytes`.
    ///
    /// # Errors
    /// As [`decode_seed`](Self::decode_seed).
    fn decode<'de, T>(&self, bytes: &'de [u8]) -> Result<T, ConvertError>
    where
        T: Deserialize<'de>,
    {
        self.decode_seed(PhantomData::<T>, bytes)
    }

    /// Encodes one value as a message, such as one that many sessions are to send: its clones share the
    /// payload.
    ///
    /// # Errors
    /// As [`encode`](Self::encode).
    fn encode_message<T>(&self, value: &T) -> Result<Message, ConvertError>
    where
        T: Serialize + ?Sized,
    {
        let mut out = Vec::new();
        self.encode(value, &mut out)?;
        match self.format() {
            Format::Binary => Ok(Message::Binary(Bytes::from(out))),
            Format::Text => Utf8Bytes::try_from(Bytes::from(out)).map(Message::Text).map_err(|invalid| {
                let text = format!("the {} converter wrote text that is not UTF-8", self.subprotocol());
                ConvertError::new(ConvertErrorKind::Encode, text).with_source(invalid)
            }),
        }
    }

    /// Decodes the value in a message, from which it may borrow.
    ///
    /// # Errors
    /// As [`decode_seed`](Self::decode_seed), and when the message is not
    /// [applicable](Self::is_applicable). The message is in the error.
    fn decode_message<'de, T>(&self, message: &'de Message) -> Result<T, ConvertError>
    where
        T: Deserialize<'de>,
    {
        if !self.is_applicable(message) {
            let kind = if message.is_text() { "text" } else { "binary" };
            let text = format!("the {} converter does not read {kind} messages", self.subprotocol());
            return Err(
                ConvertError::new(ConvertErrorKind::NotApplicable, text).with_message(message.clone())
            );
        }
        let decoded = match message {
            Message::Text(text) => self.decode_text_seed(PhantomData::<T>, text),
            Message::Binary(bytes) => self.decode_seed(PhantomData::<T>, bytes),
        };
        decoded.map_err(|error| error.with_message(message.clone()))
    }

    /// Tells whether this converter reads such a message.
    fn is_applicable(&self, message: &Message) -> bool {
        match self.format() {
            Format::Text => message.is_text(),
            Format::Binary => message.is_binary(),
        }
    }
}
