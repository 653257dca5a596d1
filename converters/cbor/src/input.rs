//! Reads CBOR headers and the strings behind them from a slice, without copying where possible.
//! Knows no serde beyond its error trait.

use std::{borrow::Cow, fmt};

use ciborium_ll::{Decoder, Header};
use converse_core::{ConvertError, guard::DecodeGuard};

/// Why bytes are not CBOR, or do not fit the type.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Error(Cow<'static, str>);

impl Error {
    #[cold]
    pub(crate) fn new(text: &'static str) -> Self {
        Self(Cow::Borrowed(text))
    }

    /// Builds the error of a decoding that failed.
    #[cold]
    pub(crate) fn fail(self, guard: DecodeGuard) -> ConvertError {
        match self.0 {
            Cow::Borrowed(own) => guard.into_error_saying(own, own),
            Cow::Owned(custom) => guard.into_error(custom),
        }
    }
}

impl serde::de::Error for Error {
    #[cold]
    fn custom<T: fmt::Display>(text: T) -> Self {
        Self(Cow::Owned(text.to_string()))
    }
}

/// The bytes not read yet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Input<'de>(pub(crate) &'de [u8]);

/// Which of the two kinds of string is read (RFC 8949 §3.1, major types 2 and 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StringKind {
    Bytes,
    Text,
}

impl<'de> Input<'de> {
    /// Reads a header.
    #[inline]
    pub(crate) fn header(&mut self) -> Result<Header, Error> {
        match self.0.split_first() {
            Some((&first, rest)) if first & ARGUMENT <= HIGHEST_IMMEDIATE => {
                self.0 = rest;
                Ok(immediate(first))
            }
            _ => self.long_header(),
        }
    }

    /// Reads a header of any length.
    fn long_header(&mut self) -> Result<Header, Error> {
        match Decoder::from(&mut self.0).pull() {
            Ok(header) => Ok(header),
            Err(ciborium_ll::Error::Io(_)) => Err(Error::new("the bytes end within an item")),
            Err(ciborium_ll::Error::Syntax(_)) => Err(Error::new("a header is malformed")),
        }
    }

    /// Reads the break that ends an item of indefinite length (RFC 8949 §3.2.1), if it is next.
    #[inline]
    pub(crate) fn take_break(&mut self) -> bool {
        const BREAK: u8 = 0xff;
        match self.0.split_first() {
            Some((&BREAK, rest)) => {
                self.0 = rest;
                true
            }
            _ => false,
        }
    }

    /// Reads null, or undefined which stands for it (RFC 8949 §3.3), if it is next.
    #[inline]
    pub(crate) fn take_null(&mut self) -> bool {
        const NULL: u8 = 0xf6;
        const UNDEFINED: u8 = 0xf7;
        match self.0.split_first() {
            Some((&(NULL | UNDEFINED), rest)) => {
                self.0 = rest;
                true
            }
            _ => false,
        }
    }

    /// Reads what follows a string's header.
    #[inline]
    pub(crate) fn string(&mut self, kind: StringKind, len: Option<usize>) -> Result<Cow<'de, [u8]>, Error> {
        match len {
            Some(len) => self.take(len).map(Cow::Borrowed),
            None => self.gather(kind).map(Cow::Owned),
        }
    }

    /// Passes what follows a string's header, without a look at the text.
    pub(crate) fn pass_string(&mut self, kind: StringKind, len: Option<usize>) -> Result<(), Error> {
        match len {
            Some(len) => self.take(len).map(|_| ()),
            None => self.chunks(kind, |_| Ok(())),
        }
    }

    #[inline]
    fn take(&mut self, len: usize) -> Result<&'de [u8], Error> {
        let Some((taken, rest)) = self.0.split_at_checked(len) else {
            return Err(Error::new("the bytes end within a string"));
        };
        self.0 = rest;
        Ok(taken)
    }

    /// Reads a string of indefinite length.
    #[cold]
    fn gather(&mut self, kind: StringKind) -> Result<Vec<u8>, Error> {
        let mut whole = Vec::new();
        self.chunks(kind, |chunk| {
            if kind == StringKind::Text {
                text(chunk)?;
            }
            whole.extend_from_slice(chunk);
            Ok(())
        })?;
        Ok(whole)
    }

    /// Reads the chunks of a string of indefinite length (RFC 8949 §3.2.3): definite, and all of one kind.
    fn chunks(
        &mut self,
        kind: StringKind,
        mut take: impl FnMut(&'de [u8]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        while !self.take_break() {
            let chunk = match (kind, self.header()?) {
                (StringKind::Bytes, Header::Bytes(Some(len))) => self.take(len)?,
                (StringKind::Text, Header::Text(Some(len))) => self.take(len)?,
                _ => return Err(Error::new("a chunk is not of its string's kind")),
            };
            take(chunk)?;
        }
        Ok(())
    }
}

/// The bits of a header's first byte that hold the argument, or tell where it is (RFC 8949 §3).
const ARGUMENT: u8 = 0x1f;

/// The highest argument that is in the first byte itself.
const HIGHEST_IMMEDIATE: u8 = 23;

/// Returns what a header of a single byte says. Most are: names of fields, flags, small numbers.
#[inline]
fn immediate(first: u8) -> Header {
    let argument = first & ARGUMENT;
    match first >> 5 {
        0 => Header::Positive(argument.into()),
        1 => Header::Negative(argument.into()),
        2 => Header::Bytes(Some(argument.into())),
        3 => Header::Text(Some(argument.into())),
        4 => Header::Array(Some(argument.into())),
        5 => Header::Map(Some(argument.into())),
        6 => Header::Tag(argument.into()),
        _ => Header::Simple(argument),
    }
}

/// Checks that bytes are UTF-8.
#[inline]
pub(crate) fn text(bytes: &[u8]) -> Result<&str, Error> {
    std::str::from_utf8(bytes).map_err(|_| not_text())
}

#[cold]
pub(crate) fn not_text() -> Error {
    Error::new("a text is not UTF-8")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_of_one_byte_is_what_the_long_way_reads() {
        for first in 0..=u8::MAX {
            for len in 1..=9 {
                let bytes = [first, 1, 2, 3, 4, 5, 6, 7, 8];
                let (mut short, mut long) = (Input(&bytes[..len]), Input(&bytes[..len]));
                assert_eq!(short.header().ok(), long.long_header().ok(), "{first:#x}");
                assert_eq!(short.0.len(), long.0.len(), "{first:#x}");
            }
        }
        assert!(Input(&[]).header().is_err());
    }
}
