//! Goes through what is inside CBOR arrays, maps and enums. Knows no headers and no limits.

use serde::de::{
    self, DeserializeSeed, Deserializer as _, Error as _, MapAccess, SeqAccess, Unexpected, VariantAccess,
    Visitor,
};

use crate::{deserializer::Deserializer, input::Error};

/// The elements of an array, or the entries of a map.
pub(crate) struct Entries<'a, 'de> {
    de: &'a mut Deserializer<'de>,
    left: Left,
}

/// How many entries are still to come.
enum Left {
    Exactly(usize),
    UntilBreak,
}

impl<'a, 'de> Entries<'a, 'de> {
    #[inline]
    pub(crate) fn new(de: &'a mut Deserializer<'de>, len: Option<usize>) -> Self {
        Self { de, left: len.map_or(Left::UntilBreak, Left::Exactly) }
    }

    /// Tells whether another entry follows.
    #[inline]
    fn advance(&mut self) -> bool {
        match &mut self.left {
            Left::Exactly(0) => return false,
            Left::Exactly(left) => *left -= 1,
            Left::UntilBreak if self.de.input.take_break() => {
                self.left = Left::Exactly(0);
                return false;
            }
            Left::UntilBreak => {}
        }
        true
    }

    /// Ends the container, which must have been read to its end.
    #[inline]
    pub(crate) fn end(mut self) -> Result<(), Error> {
        if self.advance() {
            return Err(Error::new("an array or a map holds more than the type takes"));
        }
        Ok(())
    }

    fn hint(&self) -> Option<usize> {
        match self.left {
            Left::Exactly(left) => Some(left),
            Left::UntilBreak => None,
        }
    }
}

impl<'de> SeqAccess<'de> for Entries<'_, 'de> {
    type Error = Error;

    #[inline]
    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Error> {
        if !self.advance() {
            return Ok(None);
        }
        seed.deserialize(&mut *self.de).map(Some)
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        self.hint()
    }
}

impl<'de> MapAccess<'de> for Entries<'_, 'de> {
    type Error = Error;

    #[inline]
    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Error> {
        self.next_element_seed(seed)
    }

    #[inline]
    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Error> {
        seed.deserialize(&mut *self.de)
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        self.hint()
    }
}

/// A variant of an enum: its name, and behind it the content.
pub(crate) struct Variant<'a, 'de> {
    pub(crate) de: &'a mut Deserializer<'de>,
    pub(crate) content: Content,
}

/// Whether a variant's name is followed by content.
pub(crate) enum Content {
    Absent,
    Next,
}

impl Variant<'_, '_> {
    #[inline]
    fn expect_content(&self, expected: &'static str) -> Result<(), Error> {
        match self.content {
            Content::Next => Ok(()),
            Content::Absent => Err(Error::invalid_type(Unexpected::UnitVariant, &expected)),
        }
    }
}

impl<'de> de::EnumAccess<'de> for Variant<'_, 'de> {
    type Error = Error;
    type Variant = Self;

    #[inline]
    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self), Error> {
        let name = seed.deserialize(&mut *self.de)?;
        Ok((name, self))
    }
}

impl<'de> VariantAccess<'de> for Variant<'_, 'de> {
    type Error = Error;

    #[inline]
    fn unit_variant(self) -> Result<(), Error> {
        match self.content {
            Content::Next if !self.de.input.take_null() => {
                Err(Error::new("a variant that has no content is given one"))
            }
            _ => Ok(()),
        }
    }

    #[inline]
    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Error> {
        self.expect_content("newtype variant")?;
        seed.deserialize(self.de)
    }

    #[inline]
    fn tuple_variant<V: Visitor<'de>>(self, _len: usize, visitor: V) -> Result<V::Value, Error> {
        self.expect_content("tuple variant")?;
        self.de.deserialize_seq(visitor)
    }

    #[inline]
    fn struct_variant<V: Visitor<'de>>(
        self,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.expect_content("struct variant")?;
        self.de.deserialize_any(visitor)
    }
}
