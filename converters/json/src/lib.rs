//! The JSON content converter of `converse`, on `serde_json`. Knows no WebSocket.
//!
//! Values are JSON (RFC 8259) in text messages. Bytes (`serde_bytes`) are arrays of numbers. Keys of maps are
//! strings, so integers, booleans, characters and unit variants may be keys and are written as strings; other
//! keys are refused.
//!
//! Limits on nesting, numbers and memory are those of [`converse_core::guard`].
#![forbid(unsafe_code)]

use converse_core::{
    ContentConverter, ConvertError, ConvertErrorKind, Format, Message,
    guard::{DecodeGuard, EncodeGuard},
};
use serde::{
    Deserialize, Serialize,
    de::{DeserializeSeed, IgnoredAny},
};

/// Converts values to JSON text, and JSON from text or binary messages to values.
///
/// ```
/// use converse_core::ContentConverter;
/// use converse_json::JsonConverter;
///
/// let mut out = Vec::new();
/// JsonConverter::default().encode(&(1, "two"), &mut out)?;
/// assert_eq!(out, br#"[1,"two"]"#);
/// assert_eq!(JsonConverter::default().decode::<(u8, &str)>(&out)?, (1, "two"));
/// # Ok::<_, converse_core::ConvertError>(())
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct JsonConverter {}

impl ContentConverter for JsonConverter {
    fn format(&self) -> Format {
        Format::Text
    }

    fn subprotocol(&self) -> &str {
        "json"
    }

    /// Appends the value as JSON.
    ///
    /// # Errors
    /// - [`ConvertErrorKind::TooDeep`]: the value is nested deeper than the guard allows.
    /// - [`ConvertErrorKind::Number`]: a number is NaN, infinite or wider than 64 bits.
    /// - [`ConvertErrorKind::Encode`]: the key of a map is neither string, integer, boolean, character nor
    ///   unit variant, or the value's own `Serialize` failed.
    fn encode<T>(&self, value: &T, out: &mut Vec<u8>) -> Result<(), ConvertError>
    where
        T: Serialize + ?Sized,
    {
        let guard = EncodeGuard::default();
        let mut serializer = serde_json::Serializer::new(out);
        guard.serialize(value, &mut serializer).map_err(|error| match error.is_data() {
            true => guard.into_error(error),
            false => guard.into_error_saying(error.to_string(), error),
        })
    }

    /// Decodes one JSON value; white space may surround it.
    ///
    /// # Errors
    /// - [`ConvertErrorKind::TooDeep`]: the JSON is nested deeper than the guard allows.
    /// - [`ConvertErrorKind::TooLarge`]: the value takes more memory than the guard allows.
    /// - [`ConvertErrorKind::TrailingBytes`]: something other than white space follows the value.
    /// - [`ConvertErrorKind::Decode`]: the bytes are not JSON in UTF-8, or do not fit the type.
    fn decode_seed<'de, S>(&self, seed: S, bytes: &'de [u8]) -> Result<S::Value, ConvertError>
    where
        S: DeserializeSeed<'de>,
    {
        // One pass over the whole is faster than serde_json's check of each string.
        let Ok(text) = simdutf8::basic::from_utf8(bytes) else {
            return Err(ConvertError::new(ConvertErrorKind::Decode, "the bytes are not UTF-8"));
        };
        self.decode_text_seed(seed, text)
    }

    /// Decodes one JSON value, as [`decode_seed`](Self::decode_seed) does behind its check for UTF-8.
    ///
    /// # Errors
    /// As there.
    fn decode_text_seed<'de, S>(&self, seed: S, text: &'de str) -> Result<S::Value, ConvertError>
    where
        S: DeserializeSeed<'de>,
    {
        let guard = DecodeGuard::new(text.len());
        let mut deserializer = serde_json::Deserializer::from_str(text);
        match guard.deserialize(seed, &mut deserializer) {
            Ok(value) => match deserializer.end() {
                Ok(()) => Ok(value),
                Err(error) => Err(ConvertError::new(ConvertErrorKind::TrailingBytes, error.to_string())),
            },
            Err(error) => Err(fault(guard, error)),
        }
    }

    /// Decodes the JSON value that `bytes` begin with; white space may be in front of it.
    ///
    /// # Errors
    /// - [`ConvertErrorKind::TooDeep`]: the JSON is nested deeper than the guard allows.
    /// - [`ConvertErrorKind::TooLarge`]: the value takes more memory than the guard allows.
    /// - [`ConvertErrorKind::Decode`]: the bytes do not begin with JSON in UTF-8, or it does not fit the type.
    fn decode_prefix_seed<'de, S>(&self, seed: S, bytes: &'de [u8]) -> Result<(S::Value, usize), ConvertError>
    where
        S: DeserializeSeed<'de>,
    {
        let guard = DecodeGuard::new(bytes.len());
        // Checks the strings it meets for UTF-8: a check of all bytes would be one for each value among them.
        let mut deserializer = serde_json::Deserializer::from_slice(bytes);
        match guard.deserialize(seed, &mut deserializer) {
            Ok(value) => Ok((value, deserializer.into_iter::<IgnoredAny>().byte_offset())),
            Err(error) => Err(fault(guard, error)),
        }
    }

    /// Passes the JSON value that `bytes` begin with. Its depth is not limited, because none of it is kept, and the
    /// encoding of its strings is not checked.
    ///
    /// # Errors
    /// [`ConvertErrorKind::Decode`]: the bytes do not begin with JSON.
    fn prefix_len(&self, bytes: &[u8]) -> Result<usize, ConvertError> {
        let mut deserializer = serde_json::Deserializer::from_slice(bytes);
        match IgnoredAny::deserialize(&mut deserializer) {
            Ok(_) => Ok(deserializer.into_iter::<IgnoredAny>().byte_offset()),
            Err(error) => Err(ConvertError::new(ConvertErrorKind::Decode, error.to_string())),
        }
    }

    /// Accepts both kinds of message: some peers send JSON in binary ones.
    fn is_applicable(&self, _message: &Message) -> bool {
        true
    }
}

/// Builds the error of a decoding that failed. What serde_json says of bytes that are no JSON quotes nothing of them.
#[cold]
fn fault(guard: DecodeGuard, error: serde_json::Error) -> ConvertError {
    match error.is_data() {
        true => {
            let place = format!(" at line {} column {}", error.line(), error.column());
            guard.into_error_at(&error, if error.line() == 0 { "" } else { &place })
        }
        false => guard.into_error_saying(error.to_string(), error),
    }
}
