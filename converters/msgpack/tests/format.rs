//! What only MessagePack has: its bytes, written by hand from the specification, and its own edges.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeMap;

use converse_core::{ContentConverter, ConvertErrorKind, Format};
use converse_msgpack::MessagePackConverter;
use serde::{
    Deserialize, Serialize,
    de::{DeserializeOwned, IgnoredAny},
};
use serde_bytes::ByteBuf;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Order<'a> {
    id: u8,
    name: &'a str,
    paid: bool,
    #[serde(with = "serde_bytes")]
    raw: &'a [u8],
    kind: Kind,
    note: Option<i16>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Kind {
    Unit,
    Pair(u8, i8),
}

const ORDER: &[u8] = b"\x86\
    \xa2id\x07\
    \xa4name\xa2ab\
    \xa4paid\xc3\
    \xa3raw\xc4\x02\x00\xff\
    \xa4kind\x81\xa4Pair\x92\x01\xff\
    \xa4note\xc0";

fn order() -> Order<'static> {
    Order { id: 7, name: "ab", paid: true, raw: &[0, 255], kind: Kind::Pair(1, -1), note: None }
}

fn encode<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
    let mut out = Vec::new();
    MessagePackConverter::default().encode(value, &mut out).unwrap();
    out
}

fn decode<T: DeserializeOwned>(bytes: &[u8]) -> T {
    MessagePackConverter::default().decode(bytes).unwrap()
}

fn refusal<T: DeserializeOwned>(bytes: &[u8]) -> Option<ConvertErrorKind> {
    MessagePackConverter::default().decode::<T>(bytes).err().map(|error| error.kind())
}

#[test]
fn a_struct_is_a_map() {
    assert_eq!(encode(&order()), ORDER);
    assert_eq!(MessagePackConverter::default().decode::<Order<'_>>(ORDER).unwrap(), order());
}

#[test]
fn a_struct_is_read_from_an_array() {
    let bytes = b"\x96\x07\xa2ab\xc3\xc4\x02\x00\xff\x81\xa4Pair\x92\x01\xff\xc0";
    assert_eq!(MessagePackConverter::default().decode::<Order<'_>>(bytes).unwrap(), order());
}

#[test]
fn scalars_take_their_shortest_form() {
    assert_eq!(encode(&(127, 128, 65_536u32)), &b"\x93\x7f\xcc\x80\xce\x00\x01\x00\x00"[..]);
    assert_eq!(encode(&u64::MAX), &b"\xcf\xff\xff\xff\xff\xff\xff\xff\xff"[..]);
    assert_eq!(encode(&(-32, -300)), &b"\x92\xe0\xd1\xfe\xd4"[..]);
    assert_eq!(encode(&(1.5f32, 1.5f64)), &b"\x92\xca\x3f\xc0\0\0\xcb\x3f\xf8\0\0\0\0\0\0"[..]);
    assert_eq!(encode(&((), Kind::Unit, 'ß')), &b"\x93\xc0\xa4Unit\xa2\xc3\x9f"[..]);
    assert_eq!(encode(&BTreeMap::from([(7, true)])), &b"\x81\x07\xc3"[..]);
}

#[test]
fn it_is_binary() {
    assert_eq!(MessagePackConverter::default().format(), Format::Binary);
    assert_eq!(MessagePackConverter::default().subprotocol(), "msgpack");
}

#[test]
fn numbers_that_are_not_finite_are_refused() {
    for bytes in [&b"\xca\x7f\xc0\0\0"[..], b"\xca\xff\x80\0\0", b"\xcb\x7f\xf0\0\0\0\0\0\0"] {
        assert_eq!(refusal::<f32>(bytes), Some(ConvertErrorKind::Number));
        assert_eq!(refusal::<Option<f64>>(bytes), Some(ConvertErrorKind::Number));
        assert_eq!(refusal::<IgnoredAny>(bytes), Some(ConvertErrorKind::Number));
    }
}

#[test]
fn extension_types_are_skipped_in_unknown_fields() {
    #[derive(Debug, PartialEq, Deserialize)]
    struct Known {
        known: u8,
    }
    let timestamp = b"\x82\xa2at\xd6\xff\0\0\0\0\xa5known\x01";
    assert_eq!(decode::<Known>(timestamp), Known { known: 1 });
    let custom = b"\x82\xa2at\xc7\x03\x05abc\xa5known\x01";
    assert_eq!(decode::<Known>(custom), Known { known: 1 });
}

#[test]
fn extension_types_are_no_values_of_other_types() {
    let timestamp = b"\xd6\xff\0\0\0\0";
    assert_eq!(refusal::<u32>(timestamp), Some(ConvertErrorKind::Decode));
    assert_eq!(refusal::<String>(timestamp), Some(ConvertErrorKind::Decode));
    assert_eq!(refusal::<ByteBuf>(timestamp), Some(ConvertErrorKind::Decode));
}

#[test]
fn what_is_not_messagepack_is_refused() {
    for bytes in [&b""[..], b"\xc1", b"\x92\x01", b"\xa1\xff", b"\xd9\x02\xc3"] {
        assert_eq!(refusal::<(String, u8)>(bytes), Some(ConvertErrorKind::Decode), "{bytes:?}");
        assert_eq!(refusal::<String>(bytes), Some(ConvertErrorKind::Decode), "{bytes:?}");
    }
}

#[test]
fn a_variant_without_content_may_come_with_nil() {
    assert_eq!(decode::<Kind>(b"\x81\xa4Unit\xc0"), Kind::Unit);
    assert_eq!(refusal::<Kind>(b"\x81\xa4Unit\x01"), Some(ConvertErrorKind::Decode));
    assert_eq!(refusal::<Kind>(b"\x82\xa4Unit\xc0\xa4Unit\xc0"), Some(ConvertErrorKind::Decode));
}

#[test]
fn whatever_follows_the_value_is_refused() {
    for bytes in [&b"\x01\x01"[..], b"\x01\xc1", b"\x90\xdd"] {
        assert_eq!(refusal::<IgnoredAny>(bytes), Some(ConvertErrorKind::TrailingBytes), "{bytes:02x?}");
    }
}

#[test]
fn a_type_may_ask_for_an_extension() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(rename = "_ExtStruct")]
    struct Extension((i8, ByteBuf));

    let value = Extension((5, ByteBuf::from(*b"abc")));
    assert_eq!(encode(&value), &b"\xc7\x03\x05abc"[..]);
    assert_eq!(decode::<Extension>(b"\xc7\x03\x05abc"), value);
}
