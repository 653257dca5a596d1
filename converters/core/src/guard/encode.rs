//! Guards a serializer: depth, numbers, one `is_human_readable`. Knows no concrete format.

use std::{borrow::Cow, fmt};

use serde::ser::{Error, Serialize, Serializer};

use super::{
    compound::GuardedCompound,
    depth::{Depth, Refused, Verdict, finite, narrow},
};
use crate::{ConvertError, ConvertErrorKind};

/// Guards the encoding of one value.
///
/// It refuses what a peer's [`DecodeGuard`](super::DecodeGuard) would refuse, before it is sent.
#[derive(Debug, Default)]
pub struct EncodeGuard {
    verdict: Verdict,
}

impl EncodeGuard {
    /// Wraps the value, for a format crate that takes a value rather than handing out a serializer.
    #[inline]
    pub fn wrap<'a, T: ?Sized>(&'a self, value: &'a T) -> Guarded<'a, T> {
        Guarded { value, context: Context { guard: self, depth: Depth::default() } }
    }

    /// Encodes a value into a format's serializer.
    ///
    /// # Errors
    /// Those of the serializer and of the value, and the verdicts of [this module](super).
    #[inline]
    pub fn serialize<T, S>(&self, value: &T, serializer: S) -> Result<S::Ok, S::Error>
    where
        T: Serialize + ?Sized,
        S: Serializer,
    {
        self.wrap(value).serialize(serializer)
    }

    /// Builds the error of an encoding that failed: of the kind of the verdict, if one was passed, else
    /// [`ConvertErrorKind::Encode`].
    pub fn into_error(self, error: impl fmt::Display) -> ConvertError {
        self.verdict.into_error(error, |error| ConvertError::of_format(ConvertErrorKind::Encode, error))
    }

    /// Builds the error as [`into_error`](Self::into_error) does, for what is known to hold no value of the payload: unless
    /// a verdict was passed, `text` is shown.
    pub fn into_error_saying(
        self,
        text: impl Into<Cow<'static, str>>,
        error: impl fmt::Display,
    ) -> ConvertError {
        self.verdict.into_error_saying(ConvertErrorKind::Encode, text, error)
    }
}

/// Where a serializer stands, and under which guard.
#[derive(Clone, Copy, Debug)]
pub(super) struct Context<'g> {
    guard: &'g EncodeGuard,
    depth: Depth,
}

impl<'g> Context<'g> {
    #[inline]
    fn accept<T, E: Error>(self, result: Result<T, Refused>) -> Result<T, E> {
        self.guard.verdict.accept(result, E::custom)
    }

    #[inline]
    fn container<E: Error>(self) -> Result<Self, E> {
        self.accept(self.depth.container()).map(|depth| Self { depth, ..self })
    }

    #[inline]
    fn layer<E: Error>(self) -> Result<Self, E> {
        self.accept(self.depth.layer()).map(|depth| Self { depth, ..self })
    }

    #[inline]
    pub(super) fn wrap<'a, T: ?Sized>(self, value: &'a T) -> Guarded<'a, T>
    where
        'g: 'a,
    {
        Guarded { value, context: self }
    }
}

/// A value that is encoded under guard; see [`EncodeGuard::wrap`].
#[derive(Debug)]
pub struct Guarded<'a, T: ?Sized> {
    value: &'a T,
    context: Context<'a>,
}

impl<T: Serialize + ?Sized> Serialize for Guarded<'_, T> {
    #[inline]
    fn serialize<S: Serializer>(&self, inner: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(GuardedSerializer { inner, context: self.context })
    }
}

/// A serializer under guard: what a [`Guarded`] value encodes itself into.
#[derive(Debug)]
pub struct GuardedSerializer<'g, S> {
    inner: S,
    context: Context<'g>,
}

impl<'g, S: Serializer> GuardedSerializer<'g, S> {
    /// Opens a container; `levels` is 2 for a variant whose content is a container in its own right.
    #[inline]
    fn open<C>(
        self,
        levels: u8,
        begin: impl FnOnce(S) -> Result<C, S::Error>,
    ) -> Result<GuardedCompound<'g, C>, S::Error> {
        let mut context = self.context;
        for _ in 0..levels {
            context = context.container()?;
        }
        Ok(GuardedCompound { inner: begin(self.inner)?, context })
    }
}

macro_rules! forward {
    ($($method:ident($($name:ident : $kind:ty),*))*) => {$(
        #[inline]
        fn $method(self, $($name: $kind),*) -> Result<S::Ok, S::Error> {
            self.inner.$method($($name),*)
        }
    )*};
}

macro_rules! open {
    ($($method:ident($($name:ident : $kind:ty),*) -> $compound:ident, $levels:literal;)*) => {$(
        #[inline]
        fn $method(self, $($name: $kind),*) -> Result<Self::$compound, S::Error> {
            self.open($levels, |inner| inner.$method($($name),*))
        }
    )*};
}

impl<'g, S: Serializer> Serializer for GuardedSerializer<'g, S> {
    type Ok = S::Ok;
    type Error = S::Error;
    type SerializeSeq = GuardedCompound<'g, S::SerializeSeq>;
    type SerializeTuple = GuardedCompound<'g, S::SerializeTuple>;
    type SerializeTupleStruct = GuardedCompound<'g, S::SerializeTupleStruct>;
    type SerializeTupleVariant = GuardedCompound<'g, S::SerializeTupleVariant>;
    type SerializeMap = GuardedCompound<'g, S::SerializeMap>;
    type SerializeStruct = GuardedCompound<'g, S::SerializeStruct>;
    type SerializeStructVariant = GuardedCompound<'g, S::SerializeStructVariant>;

    forward! {
        serialize_bool(value: bool)
        serialize_i8(value: i8) serialize_i16(value: i16) serialize_i32(value: i32) serialize_i64(value: i64)
        serialize_u8(value: u8) serialize_u16(value: u16) serialize_u32(value: u32) serialize_u64(value: u64)
        serialize_char(value: char) serialize_str(value: &str) serialize_bytes(value: &[u8])
        serialize_none() serialize_unit()
        serialize_unit_variant(name: &'static str, index: u32, variant: &'static str)
    }

    open! {
        serialize_seq(len: Option<usize>) -> SerializeSeq, 1;
        serialize_tuple(len: usize) -> SerializeTuple, 1;
        serialize_tuple_struct(name: &'static str, len: usize) -> SerializeTupleStruct, 1;
        serialize_map(len: Option<usize>) -> SerializeMap, 1;
        serialize_struct(name: &'static str, len: usize) -> SerializeStruct, 1;
        serialize_tuple_variant(name: &'static str, index: u32, variant: &'static str, len: usize)
            -> SerializeTupleVariant, 2;
        serialize_struct_variant(name: &'static str, index: u32, variant: &'static str, len: usize)
            -> SerializeStructVariant, 2;
    }

    #[inline]
    fn serialize_i128(self, value: i128) -> Result<S::Ok, S::Error> {
        let value = self.context.accept(narrow(value))?;
        self.inner.serialize_i64(value)
    }

    #[inline]
    fn serialize_u128(self, value: u128) -> Result<S::Ok, S::Error> {
        let value = self.context.accept(narrow(value))?;
        self.inner.serialize_u64(value)
    }

    #[inline]
    fn serialize_f32(self, value: f32) -> Result<S::Ok, S::Error> {
        self.context.accept(finite(value.into()))?;
        self.inner.serialize_f32(value)
    }

    #[inline]
    fn serialize_f64(self, value: f64) -> Result<S::Ok, S::Error> {
        let value = self.context.accept(finite(value))?;
        self.inner.serialize_f64(value)
    }

    #[inline]
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        self.inner.serialize_some(&self.context.layer()?.wrap(value))
    }

    #[inline]
    fn serialize_unit_struct(self, _name: &'static str) -> Result<S::Ok, S::Error> {
        self.inner.serialize_unit()
    }

    #[inline]
    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        self.inner.serialize_newtype_struct(name, &self.context.layer()?.wrap(value))
    }

    #[inline]
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        let value = self.context.container()?.wrap(value);
        self.inner.serialize_newtype_variant(name, index, variant, &value)
    }

    #[inline]
    fn collect_str<T: fmt::Display + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        self.inner.collect_str(value)
    }

    #[inline]
    fn is_human_readable(&self) -> bool {
        true
    }
}
