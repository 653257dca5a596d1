//! Guards a deserializer: depth, memory, size hints, numbers, one `is_human_readable`. Knows no concrete format.

use std::{borrow::Cow, cell::Cell, fmt, marker::PhantomData};

use serde::de::{DeserializeSeed, Deserializer, Error, Visitor};

use super::{
    allowance::{self, Allowance},
    depth::{Depth, Refused, Verdict},
    visitor::GuardedVisitor,
};
use crate::{ConvertError, ConvertErrorKind};

/// Guards the decoding of one payload.
///
/// What it makes of memory counts for the scope around it (see [`within`](super::within)). Without one it may make
/// [`DEFAULT_ALLOWANCE`](super::DEFAULT_ALLOWANCE), or four times the payload's length where that is more. While it
/// decodes it is such a scope itself, for a value that decodes a payload which it holds.
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
    /// How many bytes it may make; for the error.
    limit: Cell<usize>,
    verdict: Verdict,
}

impl DecodeGuard {
    /// Guards the decoding of a payload of `len` bytes.
    #[inline]
    pub fn new(len: usize) -> Self {
        Self { hints: Cell::new(len), limit: Cell::new(0), verdict: Verdict::default() }
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
        let _allowance = self.open();
        let context = Context::<'_, false>::new(self);
        // The value itself goes where the caller puts it.
        seed.deserialize(GuardedDeserializer::<_, S::Value>::new(deserializer, context))
    }

    /// Opens what it may make. Before anything is decoded: then all of the payload is left for hints.
    #[inline]
    pub(super) fn open(&self) -> Allowance {
        let allowance = Allowance::open(self.hints.get());
        self.limit.set(allowance.limit());
        allowance
    }

    /// Returns the verdict against a value that would have been too large.
    pub(super) fn too_large(&self) -> Option<Refused> {
        let is_passed = self.verdict.kind() == Some(ConvertErrorKind::TooLarge);
        is_passed.then(|| Refused::TooLarge(self.limit.get()))
    }

    /// Builds the error of a decoding that failed: of the kind of the verdict, if one was passed, else
    /// [`ConvertErrorKind::Decode`].
    pub fn into_error(self, error: impl fmt::Display) -> ConvertError {
        self.verdict.into_error(error, |error| ConvertError::of_format(ConvertErrorKind::Decode, error))
    }

    /// Builds the error as [`into_error`](Self::into_error) does, of what ends with a `place` in the payload, which is shown.
    pub fn into_error_at(self, error: impl fmt::Display, place: &str) -> ConvertError {
        self.verdict
            .into_error(error, |error| ConvertError::of_format_at(ConvertErrorKind::Decode, error, place))
    }

    /// Builds the error as [`into_error`](Self::into_error) does, for what is known to hold no value of the payload: unless
    /// a verdict was passed, `text` is shown.
    pub fn into_error_saying(
        self,
        text: impl Into<Cow<'static, str>>,
        error: impl fmt::Display,
    ) -> ConvertError {
        self.verdict.into_error_saying(ConvertErrorKind::Decode, text, error)
    }
}

/// Where a deserializer stands, and under which guard: one that `ONLY` charges, and charges what is set aside, or one
/// with all verdicts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Context<'g, const ONLY: bool> {
    guard: &'g DecodeGuard,
    depth: Depth,
}

impl<'g, const ONLY: bool> Context<'g, ONLY> {
    #[inline]
    pub(super) fn new(guard: &'g DecodeGuard) -> Self {
        Self { guard, depth: Depth::default() }
    }

    #[inline]
    pub(super) fn accept<T, E: Error>(self, result: Result<T, Refused>) -> Result<T, E> {
        self.guard.verdict.accept(result, E::custom)
    }

    #[inline]
    pub(super) fn container<E: Error>(self) -> Result<Self, E> {
        if ONLY {
            return Ok(self);
        }
        self.accept(self.depth.container()).map(|depth| Self { depth, ..self })
    }

    #[inline]
    pub(super) fn layer<E: Error>(self) -> Result<Self, E> {
        if ONLY {
            return Ok(self);
        }
        self.accept(self.depth.layer()).map(|depth| Self { depth, ..self })
    }

    /// Charges memory that is about to be made.
    #[inline]
    pub(super) fn charge<E: Error>(self, bytes: usize) -> Result<(), E> {
        let fits = if ONLY { allowance::take_aside(bytes) } else { allowance::take(bytes) };
        if fits { Ok(()) } else { Err(self.too_large()) }
    }

    /// Gives back what was charged for memory that is gone.
    #[inline]
    pub(super) fn give_back(self, bytes: usize) {
        if ONLY { allowance::give_back_aside(bytes) } else { allowance::give_back(bytes) }
    }

    #[cold]
    #[inline(never)]
    fn too_large<E: Error>(self) -> E {
        self.guard.verdict.refuse(Refused::TooLarge(self.guard.limit.get()), E::custom)
    }

    /// Grants as much of a size hint as the payload has bytes left for.
    #[inline]
    pub(super) fn grant(self, hint: usize) -> usize {
        if ONLY {
            return hint;
        }
        let left = self.guard.hints.get();
        let granted = hint.min(left);
        self.guard.hints.set(left - granted);
        granted
    }
}

/// A deserializer under guard; see [`DecodeGuard::deserialize`].
///
/// The value goes to a place the size of a `P`, which is charged already: an element of a vector, a field.
#[derive(Debug)]
pub struct GuardedDeserializer<'g, D, P, const ONLY: bool = false> {
    inner: D,
    context: Context<'g, ONLY>,
    place: PhantomData<fn() -> P>,
}

impl<'g, D, P, const ONLY: bool> GuardedDeserializer<'g, D, P, ONLY> {
    #[inline]
    pub(super) fn new(inner: D, context: Context<'g, ONLY>) -> Self {
        Self { inner, context, place: PhantomData }
    }

    /// Charges a value that is larger than its place, and so lies behind a pointer.
    #[inline]
    fn fit<T, E: Error>(&self) -> Result<(), E> {
        if size_of::<T>() > size_of::<P>() { self.context.charge(size_of::<T>()) } else { Ok(()) }
    }
}

macro_rules! forward {
    ($fixed:literal: $($method:ident => $inner:ident ( $($name:ident : $kind:ty),* ))*) => {$(
        #[inline]
        fn $method<V: Visitor<'de>>(self, $($name: $kind,)* visitor: V) -> Result<V::Value, D::Error> {
            self.fit::<V::Value, _>()?;
            let visitor = GuardedVisitor::<_, $fixed, ONLY> { inner: visitor, context: self.context };
            if ONLY { self.inner.$method($($name,)* visitor) } else { self.inner.$inner($($name,)* visitor) }
        }
    )*};
}

impl<'de, D, P, const ONLY: bool> Deserializer<'de> for GuardedDeserializer<'_, D, P, ONLY>
where
    D: Deserializer<'de>,
{
    type Error = D::Error;

    forward! { false:
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
        deserialize_map => deserialize_map()
        deserialize_enum => deserialize_enum(name: &'static str, variants: &'static [&'static str])
        deserialize_identifier => deserialize_identifier()
        // A format's own way of skipping may count depth differently, or not at all.
        deserialize_ignored_any => deserialize_any()
    }

    // Of a fixed shape: what is inside lies in the value itself.
    forward! { true:
        deserialize_tuple => deserialize_tuple(len: usize)
        deserialize_tuple_struct => deserialize_tuple_struct(name: &'static str, len: usize)
        deserialize_struct => deserialize_struct(name: &'static str, fields: &'static [&'static str])
    }

    #[inline]
    fn is_human_readable(&self) -> bool {
        !ONLY || self.inner.is_human_readable()
    }
}

#[cfg(test)]
mod tests {
    use serde::{
        Deserialize,
        de::{
            SeqAccess,
            value::{self, SeqDeserializer},
        },
    };

    use super::*;
    use crate::guard::within;

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

    /// Holds payloads which it decodes itself, each with a guard of its own.
    struct Envelope(Vec<Vec<u32>>);

    impl<'de> Deserialize<'de> for Envelope {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            let lens = Vec::<u32>::deserialize(deserializer)?;
            let decode = |len| numbers(&DecodeGuard::new(0), len).map_err(D::Error::custom);
            lens.into_iter().map(decode).collect::<Result<_, _>>().map(Self)
        }
    }

    fn numbers(guard: &DecodeGuard, len: u32) -> Result<Vec<u32>, value::Error> {
        guard.deserialize(PhantomData, SeqDeserializer::new(0..len))
    }

    fn envelope(guard: &DecodeGuard, lens: &[u32]) -> Result<Envelope, value::Error> {
        guard.deserialize(PhantomData, SeqDeserializer::new(lens.iter().copied()))
    }

    #[test]
    fn a_decoding_within_another_shares_its_memory() {
        // A vector of 2 MiB fits where 4 MiB are left, and does not fit a second time, beside the lengths.
        let half = 1 << 19;
        assert_eq!(numbers(&DecodeGuard::new(0), half).map(|numbers| numbers.len()), Ok(1 << 19));
        let guard = DecodeGuard::new(0);
        assert_eq!(envelope(&guard, &[half, 1]).map(|envelope| envelope.0.len()), Ok(2));
        let error = envelope(&guard, &[half, half]).map(|_| ()).map_err(|error| error.to_string());
        assert!(error.is_err_and(|text| text.starts_with("the value takes more than")));
        // What comes after them has its own again.
        assert!(envelope(&guard, &[half]).is_ok());
        let (decoded, made) = within(1_000, || envelope(&DecodeGuard::new(0), &[10, 10]).is_ok());
        assert_eq!((decoded, made), (true, 4 * 4 + 2 * 16 * 4));
    }

    #[test]
    fn a_value_that_takes_too_much_is_too_large() {
        let guard = DecodeGuard::new(10);
        let error = numbers(&guard, (1 << 20) + 1).map(|_| ()).expect_err("it takes 8 MiB");
        let error = guard.into_error(error);
        assert_eq!(error.kind(), ConvertErrorKind::TooLarge);
        assert_eq!(error.to_string(), "the value takes more than 4194304 bytes of memory");
    }
}
