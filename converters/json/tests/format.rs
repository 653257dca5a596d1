//! What only JSON has: its bytes, written by hand from RFC 8259, and its own edges.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::{borrow::Cow, collections::HashMap};

use converse_core::{ContentConverter, ConvertErrorKind, Format, Message};
use converse_json::JsonConverter;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Order<'a> {
    id: u8,
    name: &'a str,
    paid: bool,
    #[serde(with = "serde_bytes")]
    raw: Vec<u8>,
    kind: Kind,
    note: Option<i16>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Kind {
    Unit,
    Pair(u8, i8),
}

const ORDER: &str = r#"{"id":7,"name":"ab","paid":true,"raw":[0,255],"kind":{"Pair":[1,-1]},"note":null}"#;

fn order() -> Order<'static> {
    Order { id: 7, name: "ab", paid: true, raw: vec![0, 255], kind: Kind::Pair(1, -1), note: None }
}

fn encode<T: Serialize>(value: &T) -> String {
    let mut out = Vec::new();
    JsonConverter::default().encode(value, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn refusal<T: DeserializeOwned>(text: impl AsRef<[u8]>) -> Option<ConvertErrorKind> {
    JsonConverter::default().decode::<T>(text.as_ref()).err().map(|error| error.kind())
}

#[test]
fn a_struct_is_an_object() {
    assert_eq!(encode(&order()), ORDER);
    assert_eq!(JsonConverter::default().decode::<Order<'_>>(ORDER.as_bytes()).unwrap(), order());
}

#[test]
fn scalars_are_written_as_rfc_8259_has_them() {
    assert_eq!(encode(&(u64::MAX, i64::MIN)), "[18446744073709551615,-9223372036854775808]");
    assert_eq!(encode(&(1.5f64, 0.1f32, 1.0f64)), "[1.5,0.1,1.0]");
    assert_eq!(encode(&("\"\\\n\u{1}", 'ß', ())), "[\"\\\"\\\\\\n\\u0001\",\"ß\",null]");
    assert_eq!(encode(&Kind::Unit), "\"Unit\"");
    assert_eq!(encode(&HashMap::from([(7, true)])), "{\"7\":true}");
}

#[test]
fn it_writes_text_and_reads_both() {
    assert_eq!(JsonConverter::default().format(), Format::Text);
    assert_eq!(JsonConverter::default().subprotocol(), "json");
    assert!(JsonConverter::default().is_applicable(&Message::text("1")));
    assert!(JsonConverter::default().is_applicable(&Message::binary(&b"1"[..])));
}

#[test]
fn white_space_around_the_value_is_fine() {
    assert_eq!(JsonConverter::default().decode::<u8>(b" \t\r\n 1 \t\r\n ").unwrap(), 1);
}

#[test]
fn what_is_not_json_is_refused() {
    let texts: [&[u8]; 9] =
        [b"", b" ", b"NaN", b"'a'", b"[1,]", b"\xef\xbb\xbf1", b"\"\\ud800\"", b"\"\xff\"", b"\"\n\""];
    for text in texts {
        assert_eq!(refusal::<Option<String>>(text), Some(ConvertErrorKind::Decode), "{text:?}");
        assert_eq!(refusal::<serde::de::IgnoredAny>(text), Some(ConvertErrorKind::Decode), "{text:?}");
    }
}

#[test]
fn numbers_outside_their_range_are_refused() {
    assert_eq!(refusal::<u64>("18446744073709551616"), Some(ConvertErrorKind::Decode));
    assert_eq!(refusal::<u128>("18446744073709551616"), Some(ConvertErrorKind::Decode));
    assert_eq!(refusal::<f64>("1e999"), Some(ConvertErrorKind::Decode));
    assert_eq!(refusal::<serde::de::IgnoredAny>("1e999"), Some(ConvertErrorKind::Decode));
}

#[test]
fn text_with_escapes_is_read_where_it_need_not_be_borrowed() {
    #[derive(Deserialize)]
    struct Named<'a> {
        #[serde(borrow)]
        name: Cow<'a, str>,
    }
    let text = br#"{"name":"a\u00e9\n"}"#;
    assert_eq!(JsonConverter::default().decode::<Named<'_>>(text).unwrap().name, "aé\n");
    assert!(JsonConverter::default().decode::<&str>(br#""\n""#).is_err());
}
