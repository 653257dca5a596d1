//! The MessagePack content converter of `converse`, on `rmp-serde`. Knows no WebSocket.
//!
//! Values are MessagePack in binary messages, in the shape other languages expect: structs are maps from field
//! names, unit variants are strings, variants with content are maps of one entry, `()` and `None` are nil.
//! Bytes (`serde_bytes`) are bin; a `Vec<u8>` without it is written as an array of integers and read from
//! either. A struct is also read from an array of its fields in order.
//!
//! Extension types (timestamps among them) in fields the type does not know are skipped. A type that wants one
//! asks as `rmp-serde` documents it, through a newtype named `_ExtStruct`.
//!
//! Limits on nesting, numbers and memory are those of [`converse_core::guard`].
#![forbid(unsafe_code)]

mod extent;

use converse_core::{
    ContentConverter, ConvertError, ConvertErrorKind, Format,
    guard::{DecodeGuard, EncodeGuard},
};
use rmp_serde::{decode, encode};
use serde::{Deserialize, Serialize, de::DeserializeSeed};

/// Converts values to MessagePack and back.
///
/// ```
/// use converse_core::ContentConverter;
/// use converse_msgpack::MessagePackConverter;
///
/// let mut out = Vec::new();
/// MessagePackConverter::default().encode(&(1, "two"), &mut out)?;
/// assert_eq!(out, &b"\x92\x01\xa3two"[..]);
/// assert_eq!(MessagePackConverter::default().decode::<(u8, &str)>(&out)?, (1, "two"));
/// # Ok::<_, converse_core::ConvertError>(())
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct MessagePackConverter {}

impl ContentConverter for MessagePackConverter {
    fn format(&self) -> Format {
        Format::Binary
    }

    fn subprotocol(&self) -> &str {
        "msgpack"
    }

    /// Appends the value as MessagePack.
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
        let mut serializer = rmp_serde::Serializer::new(out).with_struct_map();
        guard.serialize(value, &mut serializer).map_err(|error| match error {
            encode::Error::Syntax(_) => guard.into_error(error),
            _ => guard.into_error_saying(error.to_string(), error),
        })
    }

    /// Decodes one MessagePack value.
    ///
    /// # Errors
    /// - [`ConvertErrorKind::TooDeep`]: the bytes are nested deeper than the guard allows.
    /// - [`ConvertErrorKind::TooLarge`]: the value takes more memory than the guard allows.
    /// - [`ConvertErrorKind::Number`]: a number is NaN or infinite.
    /// - [`ConvertErrorKind::TrailingBytes`]: the bytes go on behind the value.
    /// - [`ConvertErrorKind::Decode`]: the bytes are not MessagePack, or do not fit the type.
    // By force: what the guard does on its way out makes it too long for the compiler's own choice.
    #[inline(always)]
    fn decode_seed<'de, S>(&self, seed: S, bytes: &'de [u8]) -> Result<S::Value, ConvertError>
    where
        S: DeserializeSeed<'de>,
    {
        let guard = DecodeGuard::new(bytes.len());
        let mut deserializer = rmp_serde::Deserializer::from_read_ref(bytes);
        let value = match guard.deserialize(seed, &mut deserializer) {
            Ok(value) => value,
            Err(error) => return Err(fault(guard, error)),
        };
        // The deserializer does not tell where it stands. Only at the end does it find no further marker.
        match bool::deserialize(&mut deserializer) {
            Err(decode::Error::InvalidMarkerRead(_)) => Ok(value),
            _ => Err(ConvertError::new(ConvertErrorKind::TrailingBytes, "bytes follow the value")),
        }
    }

    /// Decodes the MessagePack value that `bytes` begin with.
    ///
    /// # Errors
    /// - [`ConvertErrorKind::TooDeep`]: the value is nested deeper than the guard allows.
    /// - [`ConvertErrorKind::TooLarge`]: the value takes more memory than the guard allows.
    /// - [`ConvertErrorKind::Number`]: a number is NaN or infinite.
    /// - [`ConvertErrorKind::Decode`]: the bytes do not begin with MessagePack, or it does not fit the type.
    fn decode_prefix_seed<'de, S>(&self, seed: S, bytes: &'de [u8]) -> Result<(S::Value, usize), ConvertError>
    where
        S: DeserializeSeed<'de>,
    {
        // The deserializer does not tell where it stands, so the value's end is looked for first.
        let len = self.prefix_len(bytes)?;
        let value = self.decode_seed(seed, bytes.get(..len).unwrap_or_default())?;
        Ok((value, len))
    }

    /// Passes the MessagePack value that `bytes` begin with. Its depth is not limited, because none of it is kept.
    ///
    /// # Errors
    /// [`ConvertErrorKind::Decode`]: the bytes end within the value, or hold a marker that MessagePack never uses.
    fn prefix_len(&self, bytes: &[u8]) -> Result<usize, ConvertError> {
        extent::value_len(bytes).ok_or_else(|| {
            ConvertError::new(ConvertErrorKind::Decode, "the bytes do not begin with a whole value")
        })
    }
}

/// Builds the error of a decoding that failed: what rmp-serde says of a marker holds the value of a small number.
#[cold]
fn fault(guard: DecodeGuard, error: decode::Error) -> ConvertError {
    let text = match error {
        decode::Error::Syntax(_) | decode::Error::Uncategorized(_) => return guard.into_error(error),
        decode::Error::TypeMismatch(_) => "a value is of another type than the one that is asked for",
        decode::Error::InvalidMarkerRead(_) | decode::Error::InvalidDataRead(_) => {
            "the bytes end within the value"
        }
        decode::Error::OutOfRange => "an integer does not fit the type",
        decode::Error::LengthMismatch(_) => "an array or a map has another length than the type takes",
        decode::Error::Utf8Error(_) => "a text is not UTF-8",
        decode::Error::DepthLimitExceeded => "the value is nested too deep",
    };
    guard.into_error_saying(text, error)
}
