//! What a content format must offer to carry a typed conversation. Knows no concrete format.

use std::marker::PhantomData;

use bytes::BytesMut;
use serde::{Deserialize, Serialize, de::DeserializeSeed};

use crate::{ConvertError, Message};

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
    fn encode<T>(&self, value: &T, out: &mut BytesMut) -> Result<(), ConvertError>
    where
        T: Serialize + ?Sized;

    /// Decodes one value, which must fill `bytes`, through a seed.
    ///
    /// # Errors
    /// When the bytes are malformed, do not fit the type, or go on behind the value.
    fn decode_seed<'de, S>(&self, seed: S, bytes: &'de [u8]) -> Result<S::Value, ConvertError>
    where
        S: DeserializeSeed<'de>;

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

    /// Tells whether this converter reads such a message.
    fn is_applicable(&self, message: &Message) -> bool {
        match self.format() {
            Format::Text => message.is_text(),
            Format::Binary => message.is_binary(),
        }
    }
}
