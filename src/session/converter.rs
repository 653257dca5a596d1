//! The converter chosen in the options: a built-in one called statically, or any other behind a
//! pointer. Knows no session.

use std::{any::Any, fmt, marker::PhantomData};

use converse_core::{ContentConverter, ConvertError, ConvertErrorKind, Format, Message};
use serde::{Deserialize, Serialize, de::DeserializeSeed};

use crate::{frame::OpCode, session::custom_converter::CustomConverter};

/// Any content converter. The built-in ones are dispatched by a match; the others through
/// erased-serde.
#[derive(Clone)]
pub struct AnyConverter(Choice);

#[derive(Clone)]
enum Choice {
    #[cfg(feature = "json")]
    Json(converse_json::JsonConverter),
    #[cfg(feature = "msgpack")]
    MessagePack(converse_msgpack::MessagePackConverter),
    #[cfg(feature = "cbor")]
    Cbor(converse_cbor::CborConverter),
    Custom(CustomConverter),
    /// No format's feature is on, and none was chosen.
    #[cfg_attr(any(feature = "json", feature = "msgpack", feature = "cbor"), allow(dead_code))]
    Missing,
}

impl AnyConverter {
    /// Wraps a converter.
    pub fn new<C: ContentConverter>(converter: C) -> Self {
        let mut slot = Some(converter);
        let any: &mut dyn Any = &mut slot;
        #[cfg(feature = "json")]
        if let Some(json) = any.downcast_mut::<Option<converse_json::JsonConverter>>().and_then(Option::take)
        {
            return Self(Choice::Json(json));
        }
        #[cfg(feature = "msgpack")]
        if let Some(msgpack) =
            any.downcast_mut::<Option<converse_msgpack::MessagePackConverter>>().and_then(Option::take)
        {
            return Self(Choice::MessagePack(msgpack));
        }
        #[cfg(feature = "cbor")]
        if let Some(cbor) = any.downcast_mut::<Option<converse_cbor::CborConverter>>().and_then(Option::take)
        {
            return Self(Choice::Cbor(cbor));
        }
        if let Some(itself) = any.downcast_mut::<Option<Self>>().and_then(Option::take) {
            return itself;
        }
        slot.map_or(Self(Choice::Missing), |custom| Self(Choice::Custom(CustomConverter::new(custom))))
    }
}

impl AnyConverter {
    /// Decodes the payload of a message, if a built-in converter reads such messages, and it is such a value.
    #[inline]
    pub(crate) fn decode_payload<'de, T: Deserialize<'de>>(
        &self,
        opcode: OpCode,
        payload: &'de [u8],
    ) -> Option<T> {
        match (opcode, self.format()) {
            // What an own converter takes it says of messages.
            _ if matches!(self.0, Choice::Custom(_) | Choice::Missing) => None,
            (OpCode::Text, Format::Text) => {
                self.decode_text_seed(PhantomData, simdutf8::basic::from_utf8(payload).ok()?).ok()
            }
            (OpCode::Binary, Format::Binary) => self.decode(payload).ok(),
            _ => None,
        }
    }
}

impl Default for AnyConverter {
    /// JSON, or the first of MessagePack and CBOR whose feature is on.
    #[allow(unreachable_code)]
    fn default() -> Self {
        #[cfg(feature = "json")]
        return Self(Choice::Json(converse_json::JsonConverter::default()));
        #[cfg(feature = "msgpack")]
        return Self(Choice::MessagePack(converse_msgpack::MessagePackConverter::default()));
        #[cfg(feature = "cbor")]
        return Self(Choice::Cbor(converse_cbor::CborConverter::default()));
        Self(Choice::Missing)
    }
}

/// Calls the chosen converter: a built-in one statically.
macro_rules! dispatch {
    ($self:expr, $converter:ident => $call:expr, $missing:expr) => {
        match &$self.0 {
            #[cfg(feature = "json")]
            Choice::Json($converter) => $call,
            #[cfg(feature = "msgpack")]
            Choice::MessagePack($converter) => $call,
            #[cfg(feature = "cbor")]
            Choice::Cbor($converter) => $call,
            Choice::Custom($converter) => $call,
            Choice::Missing => $missing,
        }
    };
}

impl ContentConverter for AnyConverter {
    fn format(&self) -> Format {
        dispatch!(self, converter => converter.format(), Format::Binary)
    }

    fn subprotocol(&self) -> &str {
        dispatch!(self, converter => converter.subprotocol(), "none")
    }

    fn encode<T>(&self, value: &T, out: &mut Vec<u8>) -> Result<(), ConvertError>
    where
        T: Serialize + ?Sized,
    {
        dispatch!(self, converter => converter.encode(value, out), Err(missing(ConvertErrorKind::Encode)))
    }

    fn decode_seed<'de, S>(&self, seed: S, bytes: &'de [u8]) -> Result<S::Value, ConvertError>
    where
        S: DeserializeSeed<'de>,
    {
        dispatch!(self, converter => converter.decode_seed(seed, bytes), Err(missing(ConvertErrorKind::Decode)))
    }

    fn decode_text_seed<'de, S>(&self, seed: S, text: &'de str) -> Result<S::Value, ConvertError>
    where
        S: DeserializeSeed<'de>,
    {
        dispatch!(self, converter => converter.decode_text_seed(seed, text), Err(missing(ConvertErrorKind::Decode)))
    }

    fn decode_prefix_seed<'de, S>(&self, seed: S, bytes: &'de [u8]) -> Result<(S::Value, usize), ConvertError>
    where
        S: DeserializeSeed<'de>,
    {
        dispatch!(self, converter => converter.decode_prefix_seed(seed, bytes), Err(missing(ConvertErrorKind::Decode)))
    }

    fn prefix_len(&self, bytes: &[u8]) -> Result<usize, ConvertError> {
        dispatch!(self, converter => converter.prefix_len(bytes), Err(missing(ConvertErrorKind::Decode)))
    }

    fn is_applicable(&self, message: &Message) -> bool {
        dispatch!(self, converter => converter.is_applicable(message), true)
    }
}

fn missing(kind: ConvertErrorKind) -> ConvertError {
    ConvertError::new(kind, "no content converter is chosen, and no format's feature is on")
}

impl fmt::Debug for AnyConverter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AnyConverter").field(&self.subprotocol()).finish()
    }
}
