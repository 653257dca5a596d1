//! Offers CBOR items to serde. Knows no limits: they are the guard's, and this must run under one.
//!
//! `ciborium`'s own deserializer takes only types that own everything and no seeds, fails on borrowed strings
//! and on `bytes` over 4 KiB, and does not tell where it stopped; its low-level decoder does the reading here.

use std::borrow::Cow;

use ciborium_ll::{Header, simple, tag};
use serde::{
    de::{self, Visitor, value::SeqDeserializer},
    forward_to_deserialize_any,
};

use crate::{
    access::{Content, Entries, Variant},
    input::{Error, Input, StringKind, not_text, text},
};

/// Reads one CBOR item after another.
#[derive(Debug)]
pub(crate) struct Deserializer<'de> {
    pub(crate) input: Input<'de>,
}

impl<'de> Deserializer<'de> {
    pub(crate) fn new(bytes: &'de [u8]) -> Self {
        Self { input: Input(bytes) }
    }

    pub(crate) fn is_at_end(&self) -> bool {
        self.input.0.is_empty()
    }

    /// Reads the header of an item, and skips all tags but those of a bignum.
    #[inline]
    fn header(&mut self) -> Result<Header, Error> {
        loop {
            match self.input.header()? {
                Header::Tag(tag) if tag != tag::BIGPOS && tag != tag::BIGNEG => {}
                header => return Ok(header),
            }
        }
    }

    #[inline]
    fn visit<V: Visitor<'de>>(&mut self, header: Header, visitor: V) -> Result<V::Value, Error> {
        match header {
            Header::Positive(value) => visitor.visit_u64(value),
            Header::Negative(value) => match i64::try_from(value) {
                Ok(value) => visitor.visit_i64(!value),
                Err(_) => visitor.visit_i128(!i128::from(value)),
            },
            Header::Float(value) => visitor.visit_f64(value),
            Header::Simple(simple::FALSE) => visitor.visit_bool(false),
            Header::Simple(simple::TRUE) => visitor.visit_bool(true),
            Header::Simple(simple::NULL | simple::UNDEFINED) => visitor.visit_unit(),
            Header::Simple(_) => Err(Error::new("a simple value has no meaning")),
            Header::Text(len) => match self.input.string(StringKind::Text, len)? {
                Cow::Borrowed(bytes) => visitor.visit_borrowed_str(text(bytes)?),
                Cow::Owned(bytes) => visitor.visit_string(String::from_utf8(bytes).map_err(|_| not_text())?),
            },
            Header::Bytes(len) => match self.input.string(StringKind::Bytes, len)? {
                Cow::Borrowed(bytes) => visitor.visit_borrowed_bytes(bytes),
                Cow::Owned(bytes) => visitor.visit_byte_buf(bytes),
            },
            Header::Array(len) => {
                let mut entries = Entries::new(self, len);
                let value = visitor.visit_seq(&mut entries)?;
                entries.end().map(|()| value)
            }
            Header::Map(len) => {
                let mut entries = Entries::new(self, len);
                let value = visitor.visit_map(&mut entries)?;
                entries.end().map(|()| value)
            }
            Header::Tag(tag) => self.visit_bignum(tag == tag::BIGNEG, visitor),
            Header::Break => Err(Error::new("a break is where an item should be")),
        }
    }

    /// Reads a bignum (RFC 8949 §3.4.3). What is wider than 128 bits is handed over as the widest integer,
    /// which the guard refuses as well.
    #[cold]
    fn visit_bignum<V: Visitor<'de>>(&mut self, negative: bool, visitor: V) -> Result<V::Value, Error> {
        let Header::Bytes(len) = self.input.header()? else {
            return Err(Error::new("a bignum is not bytes"));
        };
        let bytes = self.input.string(StringKind::Bytes, len)?;
        let value = bytes
            .iter()
            .try_fold(0u128, |value, &byte| value.checked_mul(256).map(|shifted| shifted | u128::from(byte)));
        let value = value.unwrap_or(u128::MAX);
        if negative {
            return visitor.visit_i128(!i128::try_from(value).unwrap_or(i128::MAX));
        }
        visitor.visit_u128(value)
    }
}

impl<'de> de::Deserializer<'de> for &mut Deserializer<'de> {
    type Error = Error;

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        map struct identifier ignored_any
    }

    #[inline]
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let header = self.header()?;
        self.visit(header, visitor)
    }

    #[inline]
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.input.take_null() {
            return visitor.visit_none();
        }
        visitor.visit_some(self)
    }

    #[inline]
    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    /// Reads an array, or a byte string as an array of its bytes.
    #[inline]
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.header()? {
            Header::Bytes(len) => {
                let bytes = self.input.string(StringKind::Bytes, len)?;
                let mut elements = SeqDeserializer::new(bytes.iter().copied());
                let value = visitor.visit_seq(&mut elements)?;
                elements.end().map(|()| value)
            }
            header => self.visit(header, visitor),
        }
    }

    #[inline]
    fn deserialize_tuple<V: Visitor<'de>>(self, _len: usize, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_seq(visitor)
    }

    #[inline]
    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _len: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_seq(visitor)
    }

    /// Reads a text as a unit variant, and a map of one entry as any variant.
    #[inline]
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let before = self.input;
        match self.header()? {
            Header::Text(_) => {
                self.input = before;
                visitor.visit_enum(Variant { de: self, content: Content::Absent })
            }
            Header::Map(Some(1)) => visitor.visit_enum(Variant { de: self, content: Content::Next }),
            Header::Map(None) => {
                let value = visitor.visit_enum(Variant { de: &mut *self, content: Content::Next })?;
                if !self.input.take_break() {
                    return Err(Error::new("an enum is a map of more than one entry"));
                }
                Ok(value)
            }
            _ => Err(Error::new("an enum is neither a text nor a map of one entry")),
        }
    }
}
