//! The CBOR content converter of `converse`, on `ciborium`. Knows no WebSocket.
//!
//! Values are CBOR (RFC 8949) in binary messages, in the shape other languages expect: structs are maps from
//! field names, unit variants are text, variants with content are maps of one entry, `()` and `None` are null.
//! Bytes (`serde_bytes`) are byte strings; a `Vec<u8>` without it is written as an array of integers and read
//! from either. A struct is also read from an array of its fields in order.
//!
//! Read besides: `undefined` as null, items of indefinite length, integers where a float is asked for, and
//! bignums that fit 64 bits. All other tags are skipped, and what they tag is read.
//!
//! Limits on nesting, numbers and memory are those of [`converse_core::guard`].
#![forbid(unsafe_code)]

mod access;
mod deserializer;
mod extent;
mod input;

use converse_core::{
    ContentConverter, ConvertError, ConvertErrorKind, Format,
    guard::{DecodeGuard, EncodeGuard},
};
use serde::{Serialize, de::DeserializeSeed};

use crate::deserializer::Deserializer;

/// Converts values to CBOR and back.
///
/// ```
/// use converse_cbor::CborConverter;
/// use converse_core::ContentConverter;
///
/// let mut out = Vec::new();
/// CborConverter::default().encode(&(1, "two"), &mut out)?;
/// assert_eq!(out, &b"\x82\x01\x63two"[..]);
/// assert_eq!(CborConverter::default().decode::<(u8, &str)>(&out)?, (1, "two"));
/// # Ok::<_, converse_core::ConvertError>(())
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct CborConverter {}

impl ContentConverter for CborConverter {
    fn format(&self) -> Format {
        Format::Binary
    }

    fn subprotocol(&self) -> &str {
        "cbor"
    }

    /// Appends the value as CBOR.
    ///
    /// # Errors
    /// - [`ConvertErrorKind::TooDeep`]: the value is nested deeper than the guard allows.
    /// - [`ConvertErrorKind::Number`]: a number is NaN, infinite or wider than 64 bits.
    /// - [`ConvertErrorKind::Encode`]: the value's own `Serialize` failed.
    fn encode<T>(&self, value: &T, out: &mut Vec<u8>) -> Result<(), ConvertError>
    where
        T: Serialize + ?Sized,
    {
        let guard = EncodeGuard::default();
        ciborium::into_writer(&guard.wrap(value), out).map_err(|error| guard.into_error(error))
    }

    /// Decodes one CBOR item.
    ///
    /// # Errors
    /// - [`ConvertErrorKind::TooDeep`]: the bytes are nested deeper than the guard allows.
    /// - [`ConvertErrorKind::TooLarge`]: the value takes more memory than the guard allows.
    /// - [`ConvertErrorKind::Number`]: a number is NaN, infinite or an integer wider than 64 bits.
    /// - [`ConvertErrorKind::TrailingBytes`]: the bytes go on behind the item.
    /// - [`ConvertErrorKind::Decode`]: the bytes are not CBOR, or do not fit the type.
    fn decode_seed<'de, S>(&self, seed: S, bytes: &'de [u8]) -> Result<S::Value, ConvertError>
    where
        S: DeserializeSeed<'de>,
    {
        let guard = DecodeGuard::new(bytes.len());
        let mut deserializer = Deserializer::new(bytes);
        match guard.deserialize(seed, &mut deserializer) {
            Ok(value) if deserializer.is_at_end() => Ok(value),
            Ok(_) => Err(ConvertError::new(ConvertErrorKind::TrailingBytes, "bytes follow the item")),
            Err(error) => Err(error.fail(guard)),
        }
    }

    /// Decodes the CBOR item that `bytes` begin with.
    ///
    /// # Errors
    /// - [`ConvertErrorKind::TooDeep`]: the item is nested deeper than the guard allows.
    /// - [`ConvertErrorKind::TooLarge`]: the value takes more memory than the guard allows.
    /// - [`ConvertErrorKind::Number`]: a number is NaN, infinite or an integer wider than 64 bits.
    /// - [`ConvertErrorKind::Decode`]: the bytes do not begin with CBOR, or it does not fit the type.
    fn decode_prefix_seed<'de, S>(&self, seed: S, bytes: &'de [u8]) -> Result<(S::Value, usize), ConvertError>
    where
        S: DeserializeSeed<'de>,
    {
        let guard = DecodeGuard::new(bytes.len());
        let mut deserializer = Deserializer::new(bytes);
        match guard.deserialize(seed, &mut deserializer) {
            Ok(value) => Ok((value, bytes.len() - deserializer.input.0.len())),
            Err(error) => Err(error.fail(guard)),
        }
    }

    /// Passes the CBOR item that `bytes` begin with. The encoding of its texts is not checked.
    ///
    /// # Errors
    /// - [`ConvertErrorKind::TooDeep`]: more than 1,024 items are nested, tags among them.
    /// - [`ConvertErrorKind::Decode`]: the bytes do not begin with a whole item.
    fn prefix_len(&self, bytes: &[u8]) -> Result<usize, ConvertError> {
        extent::item_len(bytes)
    }
}
