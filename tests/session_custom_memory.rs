//! What a third party's converter may make of a message: counted by the allocator. A binary of its own, because of that
//! allocator.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::{
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError},
};

use converse::{
    JsonConverter, Message, MessagePackConverter, Session, SessionOptions, session::SessionError,
};
use converse_core::{ContentConverter, ConvertError, ConvertErrorKind, Format};
use peak_alloc::PeakAlloc;
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{DeserializeOwned, DeserializeSeed, Error as _},
};
use serde_json::Value;
use support::pair;

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

const MIB: usize = 1 << 20;
/// What a session may hold by default.
const LIMIT: usize = 4 * MIB;
/// A vector that is moved as it grows is there twice, which is half more.
const GROWING: usize = LIMIT / 2;
const SLACK: usize = 64 << 10;

/// A converter of one's own over another one, which has a guard.
struct Own<C>(C);

impl<C: ContentConverter> ContentConverter for Own<C> {
    fn format(&self) -> Format {
        self.0.format()
    }

    fn subprotocol(&self) -> &str {
        "own"
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
}

/// One without a guard.
struct Postcard;

impl ContentConverter for Postcard {
    fn format(&self) -> Format {
        Format::Binary
    }

    fn subprotocol(&self) -> &str {
        "postcard"
    }

    fn encode<T: Serialize + ?Sized>(&self, value: &T, out: &mut Vec<u8>) -> Result<(), ConvertError> {
        postcard::to_io(value, out).map(drop).map_err(failed)
    }

    fn decode_seed<'de, S>(&self, seed: S, bytes: &'de [u8]) -> Result<S::Value, ConvertError>
    where
        S: DeserializeSeed<'de>,
    {
        seed.deserialize(&mut postcard::Deserializer::from_bytes(bytes)).map_err(failed)
    }
}

fn failed(error: postcard::Error) -> ConvertError {
    ConvertError::of_format(ConvertErrorKind::Decode, error)
}

/// Runs one test at a time, because all count one heap.
fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn session(converter: impl ContentConverter) -> Session {
    pair(64, &SessionOptions::default().content_converter(converter)).0
}

fn message(converter: &impl ContentConverter, value: &(impl Serialize + ?Sized)) -> Message {
    let mut bytes = Vec::new();
    converter.encode(value, &mut bytes).unwrap();
    Message::binary(bytes)
}

/// Decodes a message; returns the most that was allocated for it at once.
fn decode<T: DeserializeOwned>(session: &Session, message: &Message) -> (Result<T, ConvertErrorKind>, usize) {
    let before = ALLOCATOR.current_usage();
    ALLOCATOR.reset_peak_usage();
    let decoded = session.deserialize(message);
    let peak = ALLOCATOR.peak_usage().saturating_sub(before);
    let decoded = decoded.map_err(|error| match error {
        SessionError::Convert(error) => error.kind(),
        error => panic!("{error}"),
    });
    (decoded, peak)
}

/// Asserts that a message is too large, and held no more than the limit before that was known.
fn assert_too_large<T: DeserializeOwned>(session: &Session, message: &Message) {
    let (decoded, peak) = decode::<T>(session, message);
    assert_eq!(decoded.err(), Some(ConvertErrorKind::TooLarge));
    assert!(peak <= LIMIT + GROWING + SLACK, "{peak} bytes");
}

/// A MessagePack array of a mebibyte: each element is the same byte.
fn array(element: u8) -> Message {
    let len = MIB - 5;
    let mut bytes = vec![0xdd];
    bytes.extend_from_slice(&u32::try_from(len).unwrap().to_be_bytes());
    bytes.resize(MIB, element);
    Message::binary(bytes)
}

/// A JSON array of a mebibyte.
fn json(element: &str) -> Message {
    let count = MIB / (element.len() + 1) - 1;
    Message::text(format!("[{}]", vec![element; count].join(",")))
}

/// A postcard sequence of a mebibyte.
fn sequence(element: u8) -> Message {
    let mut bytes = postcard::to_stdvec(&(MIB - 3)).unwrap();
    bytes.resize(MIB, element);
    Message::binary(bytes)
}

#[tokio::test]
async fn a_mebibyte_of_small_numbers_passes_a_converter_of_ones_own() {
    let _alone = alone();
    let session_of = session(Own(MessagePackConverter::default()));
    assert_eq!(decode::<Vec<u8>>(&session_of, &array(7)).0.map(|value| value.len()), Ok(MIB - 5));
    assert_eq!(decode::<Vec<u32>>(&session_of, &array(7)).0.map(|value| value.len()), Ok(MIB - 5));

    let session_of = session(Own(JsonConverter::default()));
    assert_eq!(decode::<Vec<u8>>(&session_of, &json("7")).0.map(|value| value.len()), Ok(MIB / 2 - 1));
    assert_eq!(decode::<Vec<u32>>(&session_of, &json("7")).0.map(|value| value.len()), Ok(MIB / 2 - 1));

    let session_of = session(Postcard);
    assert_eq!(decode::<Vec<u8>>(&session_of, &sequence(7)).0.map(|value| value.len()), Ok(MIB - 3));
    assert_eq!(decode::<Vec<u32>>(&session_of, &sequence(7)).0.map(|value| value.len()), Ok(MIB - 3));
}

#[tokio::test]
async fn a_mebibyte_of_nulls_is_too_large_for_a_converter_of_ones_own() {
    let _alone = alone();
    let session_of = session(Own(MessagePackConverter::default()));
    assert_too_large::<Value>(&session_of, &array(0xc0));
    assert_too_large::<Vec<Option<[u64; 16]>>>(&session_of, &array(0xc0));
    assert_too_large::<Value>(&session(Own(JsonConverter::default())), &json("null"));
}

#[tokio::test]
async fn a_mebibyte_of_nothing_is_too_large_for_a_converter_without_a_guard() {
    let _alone = alone();
    let session_of = session(Postcard);
    assert_too_large::<Vec<Option<[u64; 16]>>>(&session_of, &sequence(0));
    assert_too_large::<Vec<Vec<u8>>>(&session_of, &sequence(0));
    // What comes after it has the whole limit again.
    assert_eq!(decode::<Vec<u32>>(&session_of, &sequence(7)).0.map(|value| value.len()), Ok(MIB - 3));
}

/// Holds a payload in JSON, which it decodes itself.
#[derive(Debug)]
struct Envelope(Value);

impl<'de> Deserialize<'de> for Envelope {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        JsonConverter::default().decode(text.as_bytes()).map(Self).map_err(D::Error::custom)
    }
}

#[tokio::test]
async fn a_payload_inside_the_value_shares_its_memory() {
    let _alone = alone();
    let large = format!("[{}]", vec!["0"; 200_000].join(","));
    let guarded = Own(MessagePackConverter::default());
    let guarded = (message(&guarded, &large), message(&guarded, "[1,2]"), session(guarded));
    let free = (message(&Postcard, &large), message(&Postcard, "[1,2]"), session(Postcard));
    for (large, small, session) in [guarded, free] {
        let (decoded, peak) = decode::<Envelope>(&session, &large);
        assert_eq!(
            decoded.map(drop),
            Err(ConvertErrorKind::Decode),
            "the value names the kind, not the guard"
        );
        assert!(peak <= LIMIT + GROWING + SLACK, "{peak} bytes");
        assert_eq!(decode::<Envelope>(&session, &small).0.unwrap().0, serde_json::json!([1, 2]));
    }
}

#[tokio::test]
async fn nesting_counts_once() {
    let _alone = alone();
    let session = session(Own(JsonConverter::default()));
    let nested = |depth| Message::text(format!("{}{}", "[".repeat(depth), "]".repeat(depth)));
    assert!(decode::<Value>(&session, &nested(64)).0.is_ok());
    assert_eq!(decode::<Value>(&session, &nested(65)).0, Err(ConvertErrorKind::TooDeep));
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Chain(Option<Box<Chain>>);

/// All that a guard would say something about.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Free {
    address: IpAddr,
    wide: (i128, u128),
    infinite: (f32, f64),
    chain: Chain,
}

#[tokio::test]
async fn a_converter_without_a_guard_passes_its_own_verdicts() {
    let _alone = alone();
    let session = session(Postcard);
    let chain = (0..200).fold(Chain(None), |chain, _| Chain(Some(Box::new(chain))));
    let free = Free {
        address: [127, 0, 0, 1].into(),
        wide: (i128::MIN, u128::MAX),
        infinite: (f32::INFINITY, f64::NEG_INFINITY),
        chain,
    };
    let message = message(&Postcard, &free);
    assert_eq!(decode::<Free>(&session, &message).0, Ok(free));
}
