//! Reads maps of known keys, each at most once. Knows no key.

use std::{fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{self, Error, MapAccess, SeqAccess},
};

use super::text::Text;

/// What is read from a map, key by key.
pub(super) trait Keyed: Default {
    /// Takes the value of a key, or passes it.
    fn take<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error>;
}

/// Reads a map.
pub(super) fn deserialize<'de, T: Keyed, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    struct Visitor<T>(PhantomData<T>);
    impl<'de, T: Keyed> de::Visitor<'de> for Visitor<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a map")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<T, A::Error> {
            let mut value = T::default();
            while let Some(key) = map.next_key::<Text<'de>>()? {
                value.take(&key.0, &mut map)?;
            }
            Ok(value)
        }
    }
    deserializer.deserialize_map(Visitor(PhantomData))
}

/// Reads the value of a key that may come once.
pub(super) fn once<'de, T: Deserialize<'de>, A: MapAccess<'de>>(
    slot: &mut Option<T>,
    map: &mut A,
) -> Result<(), A::Error> {
    match slot.replace(map.next_value()?) {
        Some(_) => Err(A::Error::custom("a key comes twice")),
        None => Ok(()),
    }
}

/// Texts that are few.
pub(super) struct Few(pub(super) Vec<String>);

/// How many texts, or headers, there may be.
pub(super) const MAX_FEW: usize = 64;

impl<'de> Deserialize<'de> for Few {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Few;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array of texts")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Few, A::Error> {
                let mut texts = Vec::new();
                while let Some(text) = seq.next_element()? {
                    if texts.len() == MAX_FEW {
                        return Err(A::Error::custom("more than 64 texts"));
                    }
                    texts.push(text);
                }
                Ok(Few(texts))
            }
        }
        deserializer.deserialize_seq(Visitor)
    }
}
