//! Charges what a value makes, where its type is known. Passes no other verdict, and knows no concrete format.

use serde::de::{DeserializeSeed, Deserializer};

use super::{
    allowance::Aside,
    decode::{Context, DecodeGuard, GuardedDeserializer},
};
use crate::{ConvertError, ConvertErrorKind};

/// Charges a value that is decoded by a converter which does not see the value's type.
///
/// Behind erased types (`erased-serde`) a [`DecodeGuard`] takes all elements for equally large. This guard stands before
/// them, where the seed is: between it and the erased deserializer. It charges by the table of [this module](super), to
/// the same scope, and leaves all else to the format: depth, numbers, hints, `is_human_readable`.
///
/// While it decodes, guards which were open before on this thread charge nothing, so nothing is charged twice. Those that
/// are opened meanwhile, by a value that decodes a payload which it holds, charge as ever.
///
/// ```
/// use converse_core::guard::{ChargeGuard, within};
/// # use serde::de::value::{Error, SeqDeserializer};
///
/// let erased = SeqDeserializer::<_, Error>::new(0..1_000u32);
/// let payload_len = 1_000;
/// let (numbers, bytes) = within(64 * 1024, || {
///     ChargeGuard::new(payload_len).deserialize(std::marker::PhantomData::<Vec<u32>>, erased)
/// });
/// assert_eq!(numbers?.len(), 1_000);
/// assert_eq!(bytes, 4_000);
/// # Ok::<_, Error>(())
/// ```
#[derive(Debug)]
pub struct ChargeGuard(DecodeGuard);

impl ChargeGuard {
    /// Charges the decoding of a payload of `len` bytes.
    pub fn new(len: usize) -> Self {
        Self(DecodeGuard::new(len))
    }

    /// Decodes a value through its seed from an erased deserializer.
    ///
    /// # Errors
    /// Those of the deserializer and of the value, and one where the value takes too much memory.
    pub fn deserialize<'de, S, D>(&self, seed: S, deserializer: D) -> Result<S::Value, D::Error>
    where
        S: DeserializeSeed<'de>,
        D: Deserializer<'de>,
    {
        let _allowance = self.0.open();
        let _aside = Aside::set();
        let context = Context::new(&self.0);
        seed.deserialize(GuardedDeserializer::<_, S::Value, true>::new(deserializer, context))
    }

    /// Returns the error of a converter, of the kind [`TooLarge`](ConvertErrorKind::TooLarge) if that was the verdict.
    pub fn into_error(self, error: ConvertError) -> ConvertError {
        match self.0.too_large() {
            Some(refused) if error.kind() != ConvertErrorKind::TooLarge => {
                ConvertError::new(ConvertErrorKind::TooLarge, refused.to_string()).with_source(error)
            }
            _ => error,
        }
    }
}
