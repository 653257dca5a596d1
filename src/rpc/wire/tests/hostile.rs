//! What a peer may try: depth, lengths that lie, numbers without end. Each costs its call or its connection, no more.

use converse_core::ConvertErrorKind;
use serde_json::Value;

use super::{Wrong, bad, cbor, json, msgpack, plain, read_bytes};
use crate::rpc::{
    Kind, Metadata,
    wire::{Codec, Control, Envelope},
};

/// Reads what holds one payload that fits nothing, and behind it a ping.
fn one_payload_fails(codec: &Codec, bytes: &[u8]) -> ConvertErrorKind {
    let message = codec.message(bytes.to_vec());
    let mut reader = codec.reader(&message);
    assert!(reader.next().unwrap().is_some());
    let kind = reader.payload::<Value>().unwrap_err().kind();
    reader.finish().unwrap();
    assert_eq!(reader.next(), Ok(Some(super::Head::Ping)), "the next frame is found");
    reader.finish().unwrap();
    assert_eq!(reader.next(), Ok(None));
    kind
}

#[test]
fn a_payload_that_is_nested_too_deep_costs_its_call_only() {
    let deep = ["[".repeat(65), "]".repeat(65)].concat();
    for text in [
        format!(r#"{{"id":1,"method":"a","params":{deep}}}{{}}"#),
        format!(r#"{{"params":{deep},"id":1,"method":"a"}}{{}}"#),
        format!(r#"{{"id":1,"result":{deep}}}{{}}"#),
        format!(r#"{{"item":{deep},"id":1}}{{}}"#),
    ] {
        assert_eq!(one_payload_fails(&json(), text.as_bytes()), ConvertErrorKind::TooDeep);
    }
    let bytes = [&b"\x93\x03\x01"[..], &[0x91; 65], b"\x01\x91\x0c"].concat();
    assert_eq!(one_payload_fails(&msgpack(), &bytes), ConvertErrorKind::TooDeep);
    let bytes = [&b"\x83\x03\x01"[..], &[0x81; 65], b"\x01\x81\x0c"].concat();
    assert_eq!(one_payload_fails(&cbor(), &bytes), ConvertErrorKind::TooDeep);
}

#[test]
fn a_number_that_is_none_costs_its_call_only() {
    let nan = b"\x93\x03\x01\xcb\x7f\xf8\0\0\0\0\0\0\x91\x0c";
    assert_eq!(one_payload_fails(&msgpack(), nan), ConvertErrorKind::Number);
    let nan = b"\x83\x03\x01\xf9\x7e\0\x81\x0c";
    assert_eq!(one_payload_fails(&cbor(), nan), ConvertErrorKind::Number);
    let wide = b"\x83\x03\x01\xc2\x49\x01\0\0\0\0\0\0\0\0\x81\x0c";
    assert_eq!(one_payload_fails(&cbor(), wide), ConvertErrorKind::Number);
    let huge = br#"{"id":1,"result":1e999}{}"#;
    assert_eq!(one_payload_fails(&json(), huge), ConvertErrorKind::Decode);
}

/// Puts a lie, once and repeated, where a value of each kind of frame would be.
fn refuse_lies(codec: &Codec, heads: [&[u8]; 5], lies: [&[u8]; 6]) {
    for (head, lie) in heads.iter().flat_map(|head| lies.map(|lie| (head, lie))) {
        bad::<Value>(codec, &[head, lie].concat());
        bad::<Value>(codec, &[head, &*lie.repeat(10_000)].concat());
    }
}

#[test]
fn depth_without_end_and_lengths_that_lie_are_refused() {
    bad::<Value>(&json(), "[".repeat(1_000_000).as_bytes());
    bad::<Value>(&json(), [r#"{"id":1,"result":"#, &"[".repeat(1_000_000)].concat().as_bytes());
    bad::<Value>(&json(), r#"{"a":"#.repeat(1_000_000).as_bytes());
    bad::<Value>(&json(), [r#"{"method":"a","meta":"#, &r#"{"a":"#.repeat(100)].concat().as_bytes());
    refuse_lies(
        &msgpack(),
        [b"\x93\x03\x01", b"\x92\x00", b"\x95\x01\x01\xa1a", b"\x95\x04\x01\x03\xa0", b"\x9f\x09"],
        [
            b"\xdd\xff\xff\xff\xff",
            b"\xdf\xff\xff\xff\xff",
            b"\xdb\xff\xff\xff\xff",
            b"\xc6\xff\xff\xff\xff",
            b"\x91",
            b"\x81",
        ],
    );
    refuse_lies(
        &cbor(),
        [b"\x83\x03\x01", b"\x82\x00", b"\x85\x01\x01\x61a", b"\x85\x04\x01\x03\x60", b"\x8f\x09"],
        [
            b"\x9b\x7f\xff\xff\xff\xff\xff\xff\xff",
            b"\xbb\x7f\xff\xff\xff\xff\xff\xff\xff",
            b"\x7b\x7f\xff\xff\xff\xff\xff\xff\xff",
            b"\x5b\x7f\xff\xff\xff\xff\xff\xff\xff",
            b"\x9f",
            b"\xd8\x20",
        ],
    );
    bad::<Value>(&msgpack(), b"\xdd\xff\xff\xff\xff\x09\x01\x01");
    bad::<Value>(&plain(), b"\xff\xff\xff\xff\x0f\x02\x03\x01");
}

#[test]
fn only_so_many_headers_and_capabilities_are_taken() {
    let call = |count: u32| {
        let headers: Vec<_> = (0..count).map(|n| format!(r#""h{n}":"v""#)).collect();
        format!(r#"{{"method":"a","meta":{{"dl":1,"tp":"x",{}}},"params":[]}}"#, headers.join(","))
    };
    assert!(read_bytes::<Value>(&json(), call(64).as_bytes()).is_ok());
    bad::<Value>(&json(), call(65).as_bytes());

    let hello = |count: usize| format!(r#"{{"hello":{{"caps":[{}]}}}}"#, vec![r#""c""#; count].join(","));
    assert!(read_bytes::<Value>(&json(), hello(64).as_bytes()).is_ok());
    bad::<Value>(&json(), hello(65).as_bytes());

    let mut meta = Metadata::new();
    (0..65).for_each(|n| meta.set_header(format!("h{n}"), "v"));
    for codec in [json(), msgpack(), cbor(), plain()] {
        let error = codec.frame(Envelope::Notify { method: "a", meta: &meta }, &()).unwrap_err();
        assert_eq!(error.kind(), ConvertErrorKind::Encode);
    }
}

#[test]
fn a_payload_is_passed_when_nobody_asks_for_it() {
    for codec in [json(), msgpack(), cbor(), plain()] {
        let call = Envelope::Call { id: 1, kind: Kind::Unary, method: "a", meta: &Metadata::new() };
        let frames = [
            codec.frame(call, &("text", [1.5; 3])).unwrap(),
            codec.frame(Envelope::Item { id: 1 }, &vec!["x"; 100]).unwrap(),
            codec.control(Control::Ping),
        ];
        let message = codec.message(frames.concat());
        let mut reader = codec.reader(&message);
        for _ in 0..3 {
            assert!(reader.next().unwrap().is_some());
            reader.finish().unwrap();
        }
        assert_eq!(reader.next(), Ok(None));
    }
}

#[test]
fn texts_are_utf8_wherever_they_are_read() {
    for bytes in [
        &b"{\"method\":\"\xff\"}"[..],
        b"{\"\xff\":1}",
        b"{\"id\":1,\"error\":{\"code\":1,\"message\":\"\xff\"}}",
    ] {
        bad::<Value>(&json(), bytes);
    }
    let kind = one_payload_fails(&json(), b"{\"id\":1,\"result\":\"\xff\"}{}");
    assert_eq!(kind, ConvertErrorKind::Decode);
    bad::<Value>(&msgpack(), b"\x93\x02\xa1\xff\x90");
    bad::<Value>(&cbor(), b"\x83\x02\x61\xff\x80");
}

#[test]
fn the_text_of_a_refusal_fits_a_close_frame() {
    let long = "\u{e9}".repeat(1_000);
    bad::<Value>(&json(), format!(r#"{{"{long}":1,"id":"{long}"}}"#).as_bytes());
    let Err(Wrong::Frame(bad)) = read_bytes::<Value>(&json(), br#"{"id":[1]}"#) else { panic!("no refusal") };
    assert!(!bad.text().is_empty());
}
