//! Converters beside the serde crates below them. Knows no session and no socket.

use converse::{
    CborConverter, ContentConverter, ConvertError, JsonConverter, Message, MessagePackConverter,
    session::AnyConverter,
};
use converse_benches::typed::{large, small};
use converse_core::Format;
use divan::{Bencher, black_box};
use serde::{
    Serialize,
    de::{DeserializeOwned, DeserializeSeed},
};

/// One way to encode and to decode.
trait Codec {
    /// Makes it, as it is used for many messages.
    fn new() -> Self;

    /// Appends a value.
    fn encode<T: Serialize>(&self, value: &T, out: &mut Vec<u8>);

    /// Decodes a message that was received.
    fn decode<T: DeserializeOwned>(&self, message: &Message) -> T;

    /// Builds the message that is received.
    fn message<T: Serialize>(&self, value: &T) -> Message {
        let mut out = Vec::new();
        self.encode(value, &mut out);
        match String::from_utf8(out) {
            Ok(text) if text.starts_with(['{', '[']) => Message::from(text),
            Ok(text) => Message::from(text.into_bytes()),
            Err(binary) => Message::from(binary.into_bytes()),
        }
    }
}

/// A converter called by its type.
struct Direct<C>(C);

/// A built-in converter as a session holds it.
struct InSession<C>(AnyConverter, std::marker::PhantomData<C>);

/// A third party's converter as a session holds it: behind a pointer.
struct Custom<C>(AnyConverter, std::marker::PhantomData<C>);

/// A third party's converter, which is one of ours underneath.
struct ThirdParty<C>(C);

impl<C: ContentConverter> ContentConverter for ThirdParty<C> {
    fn format(&self) -> Format {
        self.0.format()
    }

    fn subprotocol(&self) -> &str {
        "third-party"
    }

    fn encode<T: Serialize + ?Sized>(&self, value: &T, out: &mut Vec<u8>) -> Result<(), ConvertError> {
        self.0.encode(value, out)
    }

    fn decode_seed<'de, S>(&self, seed: S, bytes: &'de [u8]) -> Result<S::Value, ConvertError>
    where
        S: DeserializeSeed<'de>,
    {
        self.0.decode_seed(seed, bytes)
    }

    fn decode_text_seed<'de, S>(&self, seed: S, text: &'de str) -> Result<S::Value, ConvertError>
    where
        S: DeserializeSeed<'de>,
    {
        self.0.decode_text_seed(seed, text)
    }
}

macro_rules! converters {
    ($($way:ident($default:ident) => $made:expr;)*) => {$(
        impl<C: ContentConverter + Default> Codec for $way<C> {
            fn new() -> Self {
                let $default = C::default();
                $made
            }

            fn encode<T: Serialize>(&self, value: &T, out: &mut Vec<u8>) {
                self.0.encode(value, out).expect("the value can be expressed");
            }

            fn decode<T: DeserializeOwned>(&self, message: &Message) -> T {
                self.0.decode_message(message).expect("the message is such a value")
            }
        }
    )*};
}

converters! {
    Direct(converter) => Self(converter);
    InSession(converter) => Self(AnyConverter::new(converter), std::marker::PhantomData);
    Custom(converter) => Self(AnyConverter::new(ThirdParty(converter)), std::marker::PhantomData);
}

/// serde_json, from text that is known to be UTF-8.
struct SerdeJson;

/// serde_json, from bytes.
struct SerdeJsonSlice;

/// rmp-serde, with structs as maps.
struct RmpSerde;

/// ciborium.
struct Ciborium;

/// minicbor-serde.
struct MinicborSerde;

macro_rules! bare {
    ($($crate_of:ident: $value:ident, $out:ident => $encode:expr; $message:ident => $decode:expr;)*) => {$(
        impl Codec for $crate_of {
            fn new() -> Self {
                Self
            }

            fn encode<T: Serialize>(&self, $value: &T, $out: &mut Vec<u8>) {
                $encode.expect("the value can be expressed");
            }

            fn decode<T: DeserializeOwned>(&self, $message: &Message) -> T {
                $decode.expect("the message is such a value")
            }
        }
    )*};
}

bare! {
    SerdeJson: value, out => serde_json::to_writer(out, value);
        message => serde_json::from_str(message.as_text().expect("it is text"));
    SerdeJsonSlice: value, out => serde_json::to_writer(out, value);
        message => serde_json::from_slice(message.as_bytes());
    RmpSerde: value, out => rmp_serde::encode::write_named(out, value);
        message => rmp_serde::from_slice(message.as_bytes());
    Ciborium: value, out => ciborium::into_writer(value, out);
        message => ciborium::from_reader(message.as_bytes());
    MinicborSerde: value, out => value.serialize(&mut minicbor_serde::Serializer::new(out)).map(|_| ());
        message => minicbor_serde::from_slice(message.as_bytes());
}

macro_rules! benches {
    ($($name:ident: $value:expr, $kind:ty;)*) => {$(
        mod $name {
            use super::*;

            #[divan::bench(types = [
                SerdeJson, Direct<JsonConverter>, InSession<JsonConverter>, Custom<JsonConverter>,
                RmpSerde, Direct<MessagePackConverter>, InSession<MessagePackConverter>,
                Custom<MessagePackConverter>,
                Ciborium, MinicborSerde, Direct<CborConverter>, InSession<CborConverter>, Custom<CborConverter>,
            ])]
            fn encode<C: Codec>(bencher: Bencher<'_, '_>) {
                let (codec, value, mut out) = (C::new(), $value, Vec::new());
                bencher.bench_local(|| {
                    out.clear();
                    codec.encode(black_box(&value), &mut out);
                    black_box(out.len())
                });
            }

            #[divan::bench(types = [
                SerdeJson, SerdeJsonSlice, Direct<JsonConverter>, InSession<JsonConverter>, Custom<JsonConverter>,
                RmpSerde, Direct<MessagePackConverter>, InSession<MessagePackConverter>,
                Custom<MessagePackConverter>,
                Ciborium, MinicborSerde, Direct<CborConverter>, InSession<CborConverter>, Custom<CborConverter>,
            ])]
            fn decode<C: Codec>(bencher: Bencher<'_, '_>) {
                let codec = C::new();
                let message = codec.message(&$value);
                assert!(codec.decode::<$kind>(&message) == $value);
                bencher.bench_local(|| codec.decode::<$kind>(black_box(&message)));
            }
        }
    )*};
}

benches! {
    small_120_bytes: small(7), converse_benches::typed::Chat;
    large_5_kilobytes: large(7), converse_benches::typed::Room;
}
