//! Guards a visitor: what a format hands over is checked before the value sees it. Knows no concrete format.

use std::fmt;

use serde::de::{Deserializer, EnumAccess, Error, MapAccess, SeqAccess, Visitor};

use super::{
    access::{GuardedEnum, GuardedMap, GuardedSeq},
    decode::{Context, GuardedDeserializer},
    depth::{finite, narrow},
};

/// A visitor under guard.
pub(super) struct GuardedVisitor<'g, V> {
    pub(super) inner: V,
    pub(super) context: Context<'g>,
}

macro_rules! forward {
    ($($method:ident($kind:ty))*) => {$(
        #[inline]
        fn $method<E: Error>(self, value: $kind) -> Result<V::Value, E> {
            self.inner.$method(value)
        }
    )*};
}

impl<'de, V: Visitor<'de>> Visitor<'de> for GuardedVisitor<'_, V> {
    type Value = V::Value;

    forward! {
        visit_bool(bool)
        visit_i8(i8) visit_i16(i16) visit_i32(i32) visit_i64(i64)
        visit_u8(u8) visit_u16(u16) visit_u32(u32) visit_u64(u64)
        visit_char(char)
        visit_str(&str) visit_borrowed_str(&'de str) visit_string(String)
        visit_bytes(&[u8]) visit_borrowed_bytes(&'de [u8]) visit_byte_buf(Vec<u8>)
    }

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.expecting(f)
    }

    #[inline]
    fn visit_i128<E: Error>(self, value: i128) -> Result<V::Value, E> {
        self.inner.visit_i64(self.context.accept(narrow(value))?)
    }

    #[inline]
    fn visit_u128<E: Error>(self, value: u128) -> Result<V::Value, E> {
        self.inner.visit_u64(self.context.accept(narrow(value))?)
    }

    #[inline]
    fn visit_f32<E: Error>(self, value: f32) -> Result<V::Value, E> {
        self.context.accept(finite(value.into()))?;
        self.inner.visit_f32(value)
    }

    #[inline]
    fn visit_f64<E: Error>(self, value: f64) -> Result<V::Value, E> {
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
        self.inner.visit_some(GuardedDeserializer { inner, context })
    }

    #[inline]
    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        let context = self.context.layer()?;
        self.inner.visit_newtype_struct(GuardedDeserializer { inner, context })
    }

    #[inline]
    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<V::Value, A::Error> {
        self.inner.visit_seq(GuardedSeq::new(seq, self.context.container()?))
    }

    #[inline]
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<V::Value, A::Error> {
        self.inner.visit_map(GuardedMap::new(map, self.context.container()?))
    }

    #[inline]
    fn visit_enum<A: EnumAccess<'de>>(self, inner: A) -> Result<V::Value, A::Error> {
        self.inner.visit_enum(GuardedEnum { inner, context: self.context })
    }
}
