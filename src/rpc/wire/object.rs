//! Walks the keys of a JSON object. Knows no frame, and parses neither texts nor numbers: those are the converter's.

use std::borrow::Cow;

use converse_core::{ContentConverter, ConvertError, ConvertErrorKind};
use serde::Deserialize;

use super::text::Text;
use crate::session::AnyConverter;

/// A place in an object. Keys come in the order they stand in, and as often as they do.
///
/// An error of [`next_key`](Self::next_key) or [`skip`](Self::skip) says that the bytes are no JSON; one of
/// [`value`](Self::value) may say no more than that the value does not fit the type, and then it can still be skipped.
pub(crate) struct Object<'c, 'm> {
    converter: &'c AnyConverter,
    rest: &'m [u8],
    place: Place,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    BehindBrace,
    BeforeValue,
    BehindValue,
    End,
}

impl<'c, 'm> Object<'c, 'm> {
    /// Begins with the object that `bytes` begin with, white space aside.
    pub(crate) fn begin(converter: &'c AnyConverter, bytes: &'m [u8]) -> Result<Self, ConvertError> {
        match trim_start(bytes).split_first() {
            Some((b'{', rest)) => Ok(Self { converter, rest, place: Place::BehindBrace }),
            _ => Err(malformed("not a JSON object")),
        }
    }

    /// Goes on to the next key, past a value that was not taken; `None` at the end of the object.
    pub(crate) fn next_key(&mut self) -> Result<Option<Cow<'m, str>>, ConvertError> {
        if self.place == Place::BeforeValue {
            self.skip()?;
        }
        let rest = trim_start(self.rest);
        let key_at = match (self.place, rest.split_first()) {
            (Place::End, _) => return Ok(None),
            (_, Some((b'}', rest))) => {
                (self.rest, self.place) = (rest, Place::End);
                return Ok(None);
            }
            (Place::BehindValue, Some((b',', rest))) => rest,
            (Place::BehindBrace, Some(_)) => rest,
            _ => return Err(malformed("a comma or the end of an object is missing")),
        };
        let (key, len) = self.converter.decode_prefix::<Text<'m>>(key_at)?;
        let behind = trim_start(key_at.get(len..).unwrap_or_default());
        let Some((b':', rest)) = behind.split_first() else {
            return Err(malformed("a colon behind a key is missing"));
        };
        (self.rest, self.place) = (trim_start(rest), Place::BeforeValue);
        Ok(Some(key.0))
    }

    /// Decodes the value of the key. When that fails, it is still there.
    pub(crate) fn value<T: Deserialize<'m>>(&mut self) -> Result<T, ConvertError> {
        let (value, len) = self.converter.decode_prefix(self.rest)?;
        self.pass(len);
        Ok(value)
    }

    /// Passes the value of the key, and returns its bytes, from which it can be decoded later.
    pub(crate) fn skip(&mut self) -> Result<&'m [u8], ConvertError> {
        let len = self.converter.prefix_len(self.rest)?;
        Ok(self.pass(len))
    }

    /// Returns what is not read yet: from the value on where its key was read, and what is behind the object where it
    /// is at its end.
    pub(crate) fn rest(&self) -> &'m [u8] {
        self.rest
    }

    fn pass(&mut self, len: usize) -> &'m [u8] {
        let (value, rest) = self.rest.split_at_checked(len).unwrap_or((self.rest, &[]));
        (self.rest, self.place) = (rest, Place::BehindValue);
        value
    }
}

/// Leaves the white space of JSON out that bytes begin with (RFC 8259 §2).
pub(crate) fn trim_start(bytes: &[u8]) -> &[u8] {
    let is_space = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
    let start = bytes.iter().position(|byte| !is_space(byte)).unwrap_or(bytes.len());
    bytes.get(start..).unwrap_or_default()
}

fn malformed(text: &'static str) -> ConvertError {
    ConvertError::new(ConvertErrorKind::Decode, text)
}
