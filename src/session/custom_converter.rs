//! A third party's converter behind a pointer, through erased-serde. Knows no built-in converter.

use std::sync::Arc;

use converse_core::{ContentConverter, ConvertError, ConvertErrorKind, Format, Message, guard::ChargeGuard};
use serde::{
    Deserializer, Serialize,
    de::{DeserializeSeed, Error as _},
};

/// Any converter, shared by the sessions that use it.
#[derive(Clone)]
pub(crate) struct CustomConverter(Arc<dyn Erased>);

impl CustomConverter {
    /// Erases a converter's types.
    pub(crate) fn new(converter: impl ContentConverter) -> Self {
        Self(Arc::new(Eraser(converter)))
    }
}

impl ContentConverter for CustomConverter {
    fn format(&self) -> Format {
        self.0.format()
    }

    fn subprotocol(&self) -> &str {
        self.0.subprotocol()
    }

    /// Text is checked here: a wrong one would make the peer close the connection.
    fn encode<T>(&self, value: &T, out: &mut Vec<u8>) -> Result<(), ConvertError>
    where
        T: Serialize + ?Sized,
    {
        let start = out.len();
        self.0.encode(&value, out)?;
        let written = out.get(start..).unwrap_or_default();
        if self.format() == Format::Text && simdutf8::basic::from_utf8(written).is_err() {
            let text = format!("the {} converter wrote text that is not UTF-8", self.subprotocol());
            return Err(ConvertError::new(ConvertErrorKind::Encode, text));
        }
        Ok(())
    }

    fn decode_seed<'de, S>(&self, seed: S, bytes: &'de [u8]) -> Result<S::Value, ConvertError>
    where
        S: DeserializeSeed<'de>,
    {
        take(seed, bytes.len(), |visit| self.0.decode(visit, bytes))
    }

    fn decode_text_seed<'de, S>(&self, seed: S, text: &'de str) -> Result<S::Value, ConvertError>
    where
        S: DeserializeSeed<'de>,
    {
        take(seed, text.len(), |visit| self.0.decode_text(visit, text))
    }

    fn decode_prefix_seed<'de, S>(&self, seed: S, bytes: &'de [u8]) -> Result<(S::Value, usize), ConvertError>
    where
        S: DeserializeSeed<'de>,
    {
        let mut len = 0;
        let value = take(seed, bytes.len(), |visit| {
            len = self.0.decode_prefix(visit, bytes)?;
            Ok(())
        })?;
        Ok((value, len))
    }

    fn prefix_len(&self, bytes: &[u8]) -> Result<usize, ConvertError> {
        self.0.prefix_len(bytes)
    }

    fn is_applicable(&self, message: &Message) -> bool {
        self.0.is_applicable(message)
    }
}

/// What takes the value out of an erased deserializer.
type Visit<'a, 'de> =
    &'a mut dyn FnMut(&mut dyn erased_serde::Deserializer<'de>) -> Result<(), erased_serde::Error>;

/// Takes a seed's value out of what the converter visits, and charges it: here its type is known.
fn take<'de, S: DeserializeSeed<'de>>(
    seed: S,
    len: usize,
    decode: impl FnOnce(Visit<'_, 'de>) -> Result<(), ConvertError>,
) -> Result<S::Value, ConvertError> {
    let guard = ChargeGuard::new(len);
    let mut seed = Some(seed);
    let mut value = None;
    let mut visit = |deserializer: &mut dyn erased_serde::Deserializer<'de>| {
        if let Some(seed) = seed.take() {
            value = Some(guard.deserialize(seed, deserializer)?);
        }
        Ok(())
    };
    if let Err(error) = decode(&mut visit) {
        return Err(guard.into_error(error));
    }
    value.ok_or_else(|| ConvertError::new(ConvertErrorKind::Decode, "the converter decoded nothing"))
}

/// A converter without type parameters.
trait Erased: Send + Sync {
    fn format(&self) -> Format;
    fn subprotocol(&self) -> &str;
    fn is_applicable(&self, message: &Message) -> bool;
    fn encode(&self, value: &dyn erased_serde::Serialize, out: &mut Vec<u8>) -> Result<(), ConvertError>;
    fn decode<'de>(&self, visit: Visit<'_, 'de>, bytes: &'de [u8]) -> Result<(), ConvertError>;
    fn decode_text<'de>(&self, visit: Visit<'_, 'de>, text: &'de str) -> Result<(), ConvertError>;
    fn decode_prefix<'de>(&self, visit: Visit<'_, 'de>, bytes: &'de [u8]) -> Result<usize, ConvertError>;
    fn prefix_len(&self, bytes: &[u8]) -> Result<usize, ConvertError>;
}

struct Eraser<C>(C);

impl<C: ContentConverter> Erased for Eraser<C> {
    fn format(&self) -> Format {
        self.0.format()
    }

    fn subprotocol(&self) -> &str {
        self.0.subprotocol()
    }

    fn is_applicable(&self, message: &Message) -> bool {
        self.0.is_applicable(message)
    }

    fn encode(&self, value: &dyn erased_serde::Serialize, out: &mut Vec<u8>) -> Result<(), ConvertError> {
        self.0.encode(value, out)
    }

    fn decode<'de>(&self, visit: Visit<'_, 'de>, bytes: &'de [u8]) -> Result<(), ConvertError> {
        self.0.decode_seed(ErasedSeed(visit), bytes)
    }

    fn decode_text<'de>(&self, visit: Visit<'_, 'de>, text: &'de str) -> Result<(), ConvertError> {
        self.0.decode_text_seed(ErasedSeed(visit), text)
    }

    fn decode_prefix<'de>(&self, visit: Visit<'_, 'de>, bytes: &'de [u8]) -> Result<usize, ConvertError> {
        self.0.decode_prefix_seed(ErasedSeed(visit), bytes).map(|((), len)| len)
    }

    fn prefix_len(&self, bytes: &[u8]) -> Result<usize, ConvertError> {
        self.0.prefix_len(bytes)
    }
}

struct ErasedSeed<'a, 'de>(Visit<'a, 'de>);

impl<'de> DeserializeSeed<'de> for ErasedSeed<'_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        let mut erased = <dyn erased_serde::Deserializer<'_>>::erase(deserializer);
        (self.0)(&mut erased).map_err(D::Error::custom)
    }
}
