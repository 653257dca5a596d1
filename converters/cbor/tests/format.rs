//! What only CBOR has: its bytes, written by hand from RFC 8949, and its own edges.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeMap;

use converse_cbor::CborConverter;
use converse_core::{ContentConverter, ConvertErrorKind, Format};
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

const ORDER: &[u8] = b"\xa6\
    \x62id\x07\
    \x64name\x62ab\
    \x64paid\xf5\
    \x63raw\x42\x00\xff\
    \x64kind\xa1\x64Pair\x82\x01\x20\
    \x64note\xf6";

fn order() -> Order<'static> {
    Order { id: 7, name: "ab", paid: true, raw: &[0, 255], kind: Kind::Pair(1, -1), note: None }
}

fn encode<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
    let mut out = Vec::new();
    CborConverter::default().encode(value, &mut out).unwrap();
    out
}

fn decode<T: DeserializeOwned>(bytes: &[u8]) -> T {
    CborConverter::default().decode(bytes).unwrap()
}

fn refusal<T: DeserializeOwned>(bytes: &[u8]) -> Option<ConvertErrorKind> {
    CborConverter::default().decode::<T>(bytes).err().map(|error| error.kind())
}

#[test]
fn a_struct_is_a_map() {
    assert_eq!(encode(&order()), ORDER);
    assert_eq!(CborConverter::default().decode::<Order<'_>>(ORDER).unwrap(), order());
}

#[test]
fn a_struct_is_read_from_an_array() {
    let bytes = b"\x86\x07\x62ab\xf5\x42\x00\xff\xa1\x64Pair\x82\x01\x20\xf6";
    assert_eq!(CborConverter::default().decode::<Order<'_>>(bytes).unwrap(), order());
}

#[test]
fn scalars_take_their_shortest_form() {
    assert_eq!(encode(&(23, 24, 65_536u32)), &b"\x83\x17\x18\x18\x1a\x00\x01\x00\x00"[..]);
    assert_eq!(encode(&u64::MAX), &b"\x1b\xff\xff\xff\xff\xff\xff\xff\xff"[..]);
    assert_eq!(encode(&(-1, -300)), &b"\x82\x20\x39\x01\x2b"[..]);
    assert_eq!(encode(&(1.5f64, 100_000.0f64)), &b"\x82\xf9\x3e\x00\xfa\x47\xc3\x50\x00"[..]);
    assert_eq!(encode(&1.1f64), &b"\xfb\x3f\xf1\x99\x99\x99\x99\x99\x9a"[..]);
    assert_eq!(encode(&((), Kind::Unit, 'ß')), &b"\x83\xf6\x64Unit\x62\xc3\x9f"[..]);
    assert_eq!(encode(&BTreeMap::from([(7, true)])), &b"\xa1\x07\xf5"[..]);
}

#[test]
fn it_is_binary() {
    assert_eq!(CborConverter::default().format(), Format::Binary);
    assert_eq!(CborConverter::default().subprotocol(), "cbor");
}

#[test]
fn numbers_that_are_not_finite_are_refused() {
    for bytes in [&b"\xf9\x7e\x00"[..], b"\xf9\xfc\x00", b"\xfa\x7f\x80\0\0", b"\xfb\x7f\xf0\0\0\0\0\0\0"] {
        assert_eq!(refusal::<f32>(bytes), Some(ConvertErrorKind::Number));
        assert_eq!(refusal::<Option<f64>>(bytes), Some(ConvertErrorKind::Number));
        assert_eq!(refusal::<IgnoredAny>(bytes), Some(ConvertErrorKind::Number));
    }
}

#[test]
fn items_of_indefinite_length_are_read() {
    assert_eq!(decode::<Vec<u8>>(b"\x9f\x01\x02\xff"), [1, 2]);
    assert_eq!(decode::<(u8, u8)>(b"\x9f\x01\x02\xff"), (1, 2));
    assert_eq!(decode::<Vec<Vec<u8>>>(b"\x9f\x9f\xff\x9f\x01\xff\xff"), [vec![], vec![1]]);
    assert_eq!(decode::<BTreeMap<u8, u8>>(b"\xbf\x01\x02\xff"), BTreeMap::from([(1, 2)]));
    assert_eq!(decode::<String>(b"\x7f\x62ab\x60\x61c\xff"), "abc");
    assert_eq!(decode::<ByteBuf>(b"\x5f\x42ab\x41c\xff"), ByteBuf::from(*b"abc"));
    assert_eq!(decode::<Vec<u8>>(b"\x5f\x42ab\x41c\xff"), b"abc");
    assert_eq!(decode::<Kind>(b"\xbf\x64Pair\x9f\x01\x20\xff\xff"), Kind::Pair(1, -1));
    assert_eq!(decode::<Kind>(b"\x7f\x62Un\x62it\xff"), Kind::Unit);
}

#[test]
fn breaks_in_the_wrong_place_are_refused() {
    let decode_error = Some(ConvertErrorKind::Decode);
    assert_eq!(refusal::<IgnoredAny>(b"\xff"), decode_error);
    assert_eq!(refusal::<Vec<u8>>(b"\x82\x01\xff"), decode_error);
    assert_eq!(refusal::<BTreeMap<u8, u8>>(b"\xbf\x01\xff"), decode_error);
    assert_eq!(refusal::<(u8, u8)>(b"\x9f\x01\x02\x03\xff"), decode_error);
    assert_eq!(refusal::<Kind>(b"\xbf\x64Unit\xf6\x64Unit\xf6\xff"), decode_error);
}

#[test]
fn chunks_are_definite_and_of_their_strings_kind() {
    for bytes in [&b"\x7f\x7f\x61a\xff\xff"[..], b"\x7f\x41a\xff", b"\x7f\x61\xc3\x61\x9f\xff", b"\x7f\x61a"]
    {
        assert_eq!(refusal::<String>(bytes), Some(ConvertErrorKind::Decode), "{bytes:02x?}");
        assert_eq!(refusal::<IgnoredAny>(bytes), Some(ConvertErrorKind::Decode), "{bytes:02x?}");
    }
    assert_eq!(refusal::<ByteBuf>(b"\x5f\x61a\xff"), Some(ConvertErrorKind::Decode));
}

#[test]
fn undefined_is_read_as_null() {
    assert_eq!(decode::<Option<u8>>(b"\xf7"), None);
    decode::<()>(b"\xf7");
}

#[test]
fn tags_are_skipped() {
    assert_eq!(decode::<String>(b"\xc0\x642026"), "2026");
    assert_eq!(decode::<f64>(b"\xc1\x01"), 1.0);
    assert_eq!(decode::<Vec<u8>>(b"\xd9\xd9\xf7\x82\xd8\x20\x01\x02"), [1, 2]);
    assert_eq!(decode::<Kind>(b"\xc6\xa1\xc6\x64Pair\xc6\x82\x01\x20"), Kind::Pair(1, -1));
    assert_eq!(decode::<Option<u8>>(b"\xc6\x01"), Some(1));
    let many = [b"\xc6".repeat(100_000), b"\x01".to_vec()].concat();
    assert_eq!(decode::<u8>(&many), 1);
}

#[test]
fn bignums_are_read_if_they_fit_64_bits() {
    assert_eq!(decode::<u64>(b"\xc2\x41\x05"), 5);
    assert_eq!(decode::<u64>(b"\xc2\x40"), 0);
    assert_eq!(decode::<u64>(b"\xc2\x49\0\xff\xff\xff\xff\xff\xff\xff\xff"), u64::MAX);
    assert_eq!(decode::<i64>(b"\xc3\x48\x7f\xff\xff\xff\xff\xff\xff\xff"), i64::MIN);
    assert_eq!(decode::<u64>(b"\xc2\x5f\x41\x01\x41\x00\xff"), 256);
    assert_eq!(refusal::<u64>(b"\xc2\x01"), Some(ConvertErrorKind::Decode));
}

#[test]
fn integers_wider_than_64_bits_are_refused() {
    let wide = Some(ConvertErrorKind::Number);
    assert_eq!(refusal::<u128>(b"\xc2\x49\x01\0\0\0\0\0\0\0\0"), wide);
    assert_eq!(refusal::<i64>(b"\xc3\x48\x80\0\0\0\0\0\0\0"), wide);
    assert_eq!(refusal::<i64>(b"\x3b\xff\xff\xff\xff\xff\xff\xff\xff"), wide);
    assert_eq!(refusal::<IgnoredAny>(b"\x3b\x80\0\0\0\0\0\0\0"), wide);
    let huge = [&b"\xc2\x58\xff"[..], &[1; 255]].concat();
    assert_eq!(refusal::<u64>(&huge), wide);
    assert_eq!(refusal::<i64>(&[&b"\xc3"[..], &huge[1..]].concat()), wide);
}

#[test]
fn what_is_not_cbor_is_refused() {
    for bytes in
        [&b""[..], b"\x1c", b"\x1f", b"\xdf\x01", b"\xf8\xff", b"\xe0", b"\x61\xff", b"\x82\x01", b"\xc6"]
    {
        assert_eq!(refusal::<String>(bytes), Some(ConvertErrorKind::Decode), "{bytes:02x?}");
        assert_eq!(refusal::<IgnoredAny>(bytes), Some(ConvertErrorKind::Decode), "{bytes:02x?}");
    }
}

#[test]
fn a_variant_without_content_may_come_with_null() {
    assert_eq!(decode::<Kind>(b"\xa1\x64Unit\xf6"), Kind::Unit);
    assert_eq!(refusal::<Kind>(b"\xa1\x64Unit\x01"), Some(ConvertErrorKind::Decode));
    assert_eq!(refusal::<Kind>(b"\x64Pair"), Some(ConvertErrorKind::Decode));
    assert_eq!(refusal::<Kind>(b"\xa2\x64Unit\xf6\x64Unit\xf6"), Some(ConvertErrorKind::Decode));
    assert_eq!(refusal::<Kind>(b"\x01"), Some(ConvertErrorKind::Decode));
}

#[test]
fn whatever_follows_the_value_is_refused() {
    for bytes in [&b"\x01\x01"[..], b"\x01\xff", b"\x80\x9b"] {
        assert_eq!(refusal::<IgnoredAny>(bytes), Some(ConvertErrorKind::TrailingBytes), "{bytes:02x?}");
    }
}
