//! Guards a visitor: what a format hands over is checked before the value sees it. Knows no concrete format.

use std::fmt;

use serde::de::{Deserializer, EnumAccess, Error, MapAccess, SeqAccess, Visitor};

use super::{
    access::{GuardedEnum, GuardedFields, GuardedMap, GuardedSeq},
    decode::{Context, GuardedDeserializer},
    depth::{finite, narrow},
};

/// A visitor under guard, of a value whose shape is fixed (a struct, a tuple) or not.
pub(super) struct GuardedVisitor<'g, V, const FIXED: bool, const ONLY: bool> {
    pub(super) inner: V,
    pub(super) context: Context<'g, ONLY>,
}

impl<'de, V: Visitor<'de>, const FIXED: bool, const ONLY: bool> GuardedVisitor<'_, V, FIXED, ONLY> {
    /// Whether text may be kept. One that has no place for a pointer, neither for the caller nor in what it returns,
    /// looks at the text only, as those for names of fields and for what is skipped do.
    const KEEPS: bool = size_of::<V::Value>() >= size_of::<usize>() || size_of::<V>() > 0;

    /// Charges text or bytes. Borrowed ones too: the visitor may copy them.
    #[inline]
    fn charge<E: Error>(&self, len: usize) -> Result<(), E> {
        if Self::KEEPS { self.context.charge(len) } else { Ok(()) }
    }
}

macro_rules! forward {
    ($($method:ident($kind:ty))*) => {$(
        #[inline]
        fn $method<E: Error>(self, value: $kind) -> Result<V::Value, E> {
            self.inner.$method(value)
        }
    )*};
}

macro_rules! keep {
    ($($method:ident($kind:ty))*) => {$(
        #[inline]
        fn $method<E: Error>(self, value: $kind) -> Result<V::Value, E> {
            self.charge(value.len())?;
            self.inner.$method(value)
        }
    )*};
}

impl<'de, V, const FIXED: bool, const ONLY: bool> Visitor<'de> for GuardedVisitor<'_, V, FIXED, ONLY>
where
    V: Visitor<'de>,
{
    type Value = V::Value;

    forward! {
        visit_bool(bool)
        visit_i8(i8) visit_i16(i16) visit_i32(i32) visit_i64(i64)
        visit_u8(u8) visit_u16(u16) visit_u32(u32) visit_u64(u64)
        visit_char(char)
    }

    keep! {
        visit_str(&str) visit_borrowed_str(&'de str) visit_string(String)
        visit_bytes(&[u8]) visit_borrowed_bytes(&'de [u8]) visit_byte_buf(Vec<u8>)
    }

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.expecting(f)
    }

    #[inline]
    fn visit_i128<E: Error>(self, value: i128) -> Result<V::Value, E> {
        if ONLY {
            return self.inner.visit_i128(value);
        }
        self.inner.visit_i64(self.context.accept(narrow(value))?)
    }

    #[inline]
    fn visit_u128<E: Error>(self, value: u128) -> Result<V::Value, E> {
        if ONLY {
            return self.inner.visit_u128(value);
        }
        self.inner.visit_u64(self.context.accept(narrow(value))?)
    }

    #[inline]
    fn visit_f32<E: Error>(self, value: f32) -> Result<V::Value, E> {
        if !ONLY {
            self.context.accept(finite(value.into()))?;
        }
        self.inner.visit_f32(value)
    }

    #[inline]
    fn visit_f64<E: Error>(self, value: f64) -> Result<V::Value, E> {
        if ONLY {
            return self.inner.visit_f64(value);
        }
        self.inner.visit_f64(self.context.accept(finite(value))?)
    }

    #[inline]
    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.inner.visit_none()
    }

    #[inline]
    fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
        self.inner.visit_unit()
    }

    #[inline]
    fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        let context = self.context.layer()?;
        self.inner.visit_some(GuardedDeserializer::<_, V::Value, ONLY>::new(inner, context))
    }

    #[inline]
    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        let context = self.context.layer()?;
        self.inner.visit_newtype_struct(GuardedDeserializer::<_, V::Value, ONLY>::new(inner, context))
    }

    #[inline]
    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<V::Value, A::Error> {
        let context = self.context.container()?;
        if FIXED {
            return self.inner.visit_seq(GuardedFields { inner: seq, context });
        }
        self.inner.visit_seq(GuardedSeq::new(seq, context))
    }

    #[inline]
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<V::Value, A::Error> {
        let context = self.context.container()?;
        if FIXED {
            return self.inner.visit_map(GuardedFields { inner: map, context });
        }
        self.inner.visit_map(GuardedMap::new(map, context))
    }

    #[inline]
    fn visit_enum<A: EnumAccess<'de>>(self, inner: A) -> Result<V::Value, A::Error> {
        self.inner.visit_enum(GuardedEnum { inner, context: self.context })
    }
}
