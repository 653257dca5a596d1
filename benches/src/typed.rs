//! Values of an application, and how they become bytes by hand: one of about 120 bytes of JSON, and one of about 5 KB.
//! The same number gives the same value.

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::Result;

/// A line of a chat: about 120 bytes of JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Chat {
    /// Which one it is.
    pub id: u64,
    /// Who says it.
    pub from: String,
    /// When, in milliseconds since 1970.
    pub sent: u64,
    /// How many like it.
    pub likes: u32,
    /// What is said.
    pub text: String,
}

/// The lines of a room: about 5 KB of JSON.
pub type Room = Vec<Chat>;

/// How many lines a room has.
const LINES: u64 = 42;

const NAMES: [&str; 4] = ["Ada", "Grace", "Edsger", "Barbara"];

const TEXTS: [&str; 4] = [
    "Is anybody there who hears values in place of bytes?",
    "Yes, and they come in three formats, as you like it.",
    "Then what does one of them cost, both ways together?",
    "Très bien! Let us measure that, and write it down.",
];

/// Makes the value of the path `/small`.
pub fn small(number: u64) -> Chat {
    let at = number as usize;
    Chat {
        id: 80_412_337 + number * 3,
        from: NAMES[at % NAMES.len()].into(),
        sent: 1_790_000_000_000 + number * 397,
        likes: (number * 7 % 300) as u32,
        text: TEXTS[at % TEXTS.len()].into(),
    }
}

/// Makes the value of the path `/large`.
pub fn large(number: u64) -> Room {
    (number * LINES..).take(LINES as usize).map(small).collect()
}

/// A format as one uses it without any of this crate's converters.
pub trait Format {
    /// Whether its messages are text.
    const TEXT: bool;

    /// Encodes a value, with structs as maps.
    ///
    /// # Errors
    /// When the format has no way to say it.
    fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>>;

    /// Decodes a value.
    ///
    /// # Errors
    /// When the bytes are no such value.
    fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T>;
}

/// JSON, with serde_json.
#[derive(Debug)]
pub struct Json;

impl Format for Json {
    const TEXT: bool = true;

    fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>> {
        Ok(serde_json::to_vec(value)?)
    }

    fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
        Ok(serde_json::from_slice(bytes)?)
    }
}

/// MessagePack, with rmp-serde.
#[derive(Debug)]
pub struct MessagePack;

impl Format for MessagePack {
    const TEXT: bool = false;

    fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>> {
        Ok(rmp_serde::to_vec_named(value)?)
    }

    fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
        Ok(rmp_serde::from_slice(bytes)?)
    }
}

/// CBOR, with ciborium.
#[derive(Debug)]
pub struct Cbor;

impl Format for Cbor {
    const TEXT: bool = false;

    fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        ciborium::into_writer(value, &mut bytes)?;
        Ok(bytes)
    }

    fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
        Ok(ciborium::from_reader(bytes)?)
    }
}
