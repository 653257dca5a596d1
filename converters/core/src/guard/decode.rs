//! Guards a deserializer: depth, size hints, numbers, one `is_human_readable`. Knows no concrete format.

use std::{cell::Cell, fmt};

use serde::de::{DeserializeSeed, Deserializer, Error, Visitor};

use super::{
    depth::{Depth, Refused, Verdict},
    visitor::GuardedVisitor,
};
use crate::{ConvertError, ConvertErrorKind};

/// Guards the decoding of one payload.
///
/// ```
/// use converse_core::guard::DecodeGuard;
/// # use serde::de::value::{Error, MapDeserializer};
///
/// let format = MapDeserializer::<_, Error>::new([("a", 1u8), ("b", 2)].into_iter());
/// let payload_len = 6;
/// let guard = DecodeGuard::new(payload_len);
/// let value = guard
///     .deserialize(std::marker::PhantomData::<std::collections::HashMap<String, u8>>, format)
///     .map_err(|error| guard.into_error(error))?;
/// assert_eq!(value["b"], 2);
/// # Ok::<_, converse_core::ConvertError>(())
/// ```
#[derive(Debug)]
pub struct DecodeGuard {
    /// How many elements may still be hinted at.
    hints: Cell<usize>,
    verdict: Verdict,
}

impl DecodeGuard {
    /// Guards the decoding of a payload of `len` bytes.
    pub fn new(len: usize) -> Self {
        Self { hints: Cell::new(len), verdict: Verdict::default() }
    }

    /// Decodes a value through its seed from a format's deserializer.
    ///
    /// # Errors
    /// Those of the deserializer and of the value, and the verdicts of [this module](super).
    #[inline]
    pub fn deserialize<'de, S, D>(&self, seed: S, deserializer: D) -> Result<S::Value, D::Error>
    where
        S: DeserializeSeed<'de>,
        D: Deserializer<'de>,
    {
        let context = Context { guard: self, depth: Depth::default() };
        seed.deserialize(GuardedDeserializer { inner: deserializer, context })
    }

    /// Builds the error of a decoding that failed: of the kind of the verdict, if one was passed, else
    /// [`ConvertErrorKind::Decode`].
    pub fn into_error(self, error: impl fmt::Display) -> ConvertError {
        self.verdict.into_error(ConvertErrorKind::Decode, error)
    }
}

/// Where a deserializer stands, and under which guard.
#[derive(Clone, Copy, Debug)]
pub(super) struct Context<'g> {
    guard: &'g DecodeGuard,
    depth: Depth,
}

impl Context<'_> {
    #[inline]
    pub(super) fn accept<T, E: Error>(self, result: Result<T, Refused>) -> Result<T, E> {
        self.guard.verdict.accept(result, E::custom)
    }

    #[inline]
    pub(super) fn container<E: Error>(self) -> Result<Self, E> {
        self.accept(self.depth.container()).map(|depth| Self { depth, ..self })
    }

    #[inline]
    pub(super) fn layer<E: Error>(self) -> Result<Self, E> {
        self.accept(self.depth.layer()).map(|depth| Self { depth, ..self })
    }

    /// Grants as much of a size hint as the payload has bytes left for.
    #[inline]
    pub(super) fn grant(self, hint: usize) -> usize {
        let left = self.guard.hints.get();
        let granted = hint.min(left);
        self.guard.hints.set(left - granted);
        granted
    }
}

/// A deserializer under guard; see [`DecodeGuard::deserialize`].
#[derive(Debug)]
pub struct GuardedDeserializer<'g, D> {
    pub(super) inner: D,
    pub(super) context: Context<'g>,
}

macro_rules! forward {
    ($($method:ident => $inner:ident ( $($name:ident : $kind:ty),* ))*) => {$(
        #[inline]
        fn $method<V: Visitor<'de>>(self, $($name: $kind,)* visitor: V) -> Result<V::Value, D::Error> {
            self.inner.$inner($($name,)* GuardedVisitor { inner: visitor, context: self.context })
        }
    )*};
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for GuardedDeserializer<'_, D> {
    type Error = D::Error;

    forward! {
        deserialize_any => deserialize_any()
        deserialize_bool => deserialize_bool()
        deserialize_i8 => deserialize_i8()
        deserialize_i16 => deserialize_i16()
        deserialize_i32 => deserialize_i32()
        deserialize_i64 => deserialize_i64()
        deserialize_i128 => deserialize_i64()
        deserialize_u8 => deserialize_u8()
        deserialize_u16 => deserialize_u16()
        deserialize_u32 => deserialize_u32()
        deserialize_u64 => deserialize_u64()
        deserialize_u128 => deserialize_u64()
        deserialize_f32 => deserialize_f32()
        deserialize_f64 => deserialize_f64()
        deserialize_char => deserialize_char()
        deserialize_str => deserialize_str()
        deserialize_string => deserialize_string()
        deserialize_bytes => deserialize_bytes()
        deserialize_byte_buf => deserialize_byte_buf()
        deserialize_option => deserialize_option()
        deserialize_unit => deserialize_unit()
        deserialize_unit_struct => deserialize_unit_struct(name: &'static str)
        deserialize_newtype_struct => deserialize_newtype_struct(name: &'static str)
        deserialize_seq => deserialize_seq()
        deserialize_tuple => deserialize_tuple(len: usize)
        deserialize_tuple_struct => deserialize_tuple_struct(name: &'static str, len: usize)
        deserialize_map => deserialize_map()
        deserialize_struct => deserialize_struct(name: &'static str, fields: &'static [&'static str])
        deserialize_enum => deserialize_enum(name: &'static str, variants: &'static [&'static str])
        deserialize_identifier => deserialize_identifier()
        // A format's own way of skipping may count depth differently, or not at all.
        deserialize_ignored_any => deserialize_any()
    }

    #[inline]
    fn is_human_readable(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use std::marker::PhantomData;

    use serde::{
        Deserialize,
        de::{
            SeqAccess,
            value::{self, SeqDeserializer},
        },
    };

    use super::*;

    /// Reads an array, but keeps no more than what the size hint was, asked for twice.
    #[derive(Debug, PartialEq)]
    struct Hints(Option<usize>, Option<usize>);

    impl<'de> Deserialize<'de> for Hints {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            struct Asking;
            impl<'de> Visitor<'de> for Asking {
                type Value = Hints;

                fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.write_str("an array")
                }

                fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Hints, A::Error> {
                    let hints = Hints(seq.size_hint(), seq.size_hint());
                    while seq.next_element::<u8>()?.is_some() {}
                    Ok(hints)
                }
            }
            assert!(deserializer.is_human_readable());
            deserializer.deserialize_seq(Asking)
        }
    }

    fn hints(guard: &DecodeGuard, elements: u8) -> Result<Hints, value::Error> {
        guard.deserialize(PhantomData, SeqDeserializer::new(0..elements))
    }

    #[test]
    fn all_hints_together_never_exceed_the_payload() {
        let guard = DecodeGuard::new(7);
        assert_eq!(hints(&guard, 5), Ok(Hints(Some(5), Some(5))));
        assert_eq!(hints(&guard, 5), Ok(Hints(Some(2), Some(2))));
        assert_eq!(hints(&guard, 5), Ok(Hints(Some(0), Some(0))));
    }
}
