//! What other implementations may write otherwise, and what is passed.

use std::{slice::from_ref, time::Duration};

use converse_core::{ContentConverter, ConvertError, Format, Message};
use serde::{Serialize, de::DeserializeSeed};
use serde_json::{Value, json as value};

use super::{Frame, Postcard, Wrong, bad, cbor, json, msgpack, plain, read, read_bytes, write};
use crate::rpc::{
    Code, Metadata, Status,
    window::Window,
    wire::{Control, GoAway, Hello, metadata::LONGEST},
};

fn add(id: Option<u32>) -> Frame<Value> {
    Frame::Invoke { id, method: "add".into(), meta: Metadata::new(), args: value!([40, 2]) }
}

fn json_frames(text: &str) -> Result<Vec<Frame<Value>>, Wrong> {
    read(&json(), &Message::text(text))
}

#[test]
fn json_keys_come_in_any_order() {
    let mut meta = Metadata::new();
    meta.deadline = Some(Duration::from_millis(5));
    let call = Frame::Invoke { id: Some(1), method: "add".into(), meta, args: value!([40, 2]) };
    let keys =
        [r#""id":1"#, r#""method":"add""#, r#""params":[40,2]"#, r#""meta":{"dl":5}"#, r#""new":{"id":7}"#];
    for first in 0..keys.len() {
        for second in 0..keys.len() {
            let mut order = keys;
            order.swap(0, first);
            order.swap(1, second);
            order.reverse();
            let text = format!("{{{}}}", order.join(","));
            assert_eq!(json_frames(&text), Ok(vec![call.clone()]), "{text}");
        }
    }
    let ok = Ok(vec![Frame::Ok { id: 3, value: value!({"a": [1]}) }]);
    assert_eq!(json_frames(r#"{"result":{"a":[1]},"id":3}"#), ok);
    assert_eq!(json_frames(r#"{"id":3,"result":{"a":[1]},"x":0}"#), ok);
    assert_eq!(json_frames(r#"{"item":0,"id":3}"#), Ok(vec![Frame::Item { id: 3, value: value!(0) }]));
    assert_eq!(json_frames(r#"{"end":true,"id":3}"#), Ok(vec![Frame::End { id: 3 }]));
    let more = Window { items: 9, bytes: 1 };
    assert_eq!(json_frames(r#"{"credit":[9,1],"id":3}"#), Ok(vec![Frame::Credit { id: 3, more }]));
    let status = Status::new(Code::INTERNAL, "oh");
    let text = r#"{"error":{"more":1,"message":"oh","code":-32603},"id":3}"#;
    assert_eq!(json_frames(text), Ok(vec![Frame::Err { id: 3, status }]));
}

#[test]
fn json_may_be_spaced_and_escaped() {
    let text = "\r\n\t {\n \"id\" : 1 , \"\\u006dethod\"\t:\"\\u0061dd\",\r\"params\" : [ 40 , 2 ] } \n\n{ } {\"cancel\":1}\n";
    let frames = vec![add(Some(1)), Frame::Ping, Frame::Cancel { id: 1 }];
    assert_eq!(json_frames(text), Ok(frames));
    assert_eq!(json_frames("{}{}\t{}"), Ok(vec![Frame::Ping, Frame::Ping, Frame::Ping]));
    assert_eq!(json_frames(" \n"), Ok(vec![]));
    assert_eq!(json_frames("\u{feff}{}"), json_frames("\u{feff}"), "a byte order mark is no white space");
    let binary = Message::binary(br#"{"id":1,"method":"add","params":[40,2]}"#.to_vec());
    assert_eq!(read(&json(), &binary), Ok(vec![add(Some(1))]));
}

#[test]
fn arguments_that_are_left_out_are_none() {
    let bare = |args| Frame::Invoke { id: Some(1), method: "now".into(), meta: Metadata::new(), args };
    assert_eq!(json_frames(r#"{"id":1,"method":"now"}"#), Ok(vec![bare(value!([]))]));
    assert_eq!(json_frames(r#"{"method":"now","id":1}"#), Ok(vec![bare(value!([]))]));
}

#[test]
fn json_that_is_no_frame_is_refused() {
    let codec = json();
    for (text, why) in [
        ("1", "not a JSON object"),
        ("[{}]", "not a JSON object"),
        ("{},{}", "not a JSON object"),
        ("{} x", "not a JSON object"),
        (r#"{"id":1,"#, ""),
        (r#"{"id":1,}"#, ""),
        (r#"{,"id":1}"#, ""),
        (r#"{"id" 1}"#, "a colon behind a key is missing"),
        (r#"{"method":"a" "id":1}"#, "a comma or the end of an object is missing"),
        (r#"{"method":"a""#, "a comma or the end of an object is missing"),
        (r#"{"id":1,"id":1,"result":2}"#, "the key \"id\" comes twice"),
        (r#"{"id":1,"result":2,"result":2}"#, "the key \"result\" comes twice"),
        (r#"{"method":"a","params":[],"params":[]}"#, "the key \"params\" comes twice"),
        (r#"{"id":1,"error":{"code":1,"code":1}}"#, "the key \"code\" comes twice"),
        (r#"{"method":"a","meta":{"dl":1,"dl":1}}"#, ""),
        (r#"{"method":"a","meta":{"x":"1","x":"1"}}"#, ""),
        (r#"{"id":1}"#, "a frame is several at once, or lacks a key"),
        (r#"{"params":[]}"#, "a frame is several at once, or lacks a key"),
        (r#"{"result":1}"#, "a frame is several at once, or lacks a key"),
        (r#"{"item":1}"#, "a frame is several at once, or lacks a key"),
        (r#"{"end":true}"#, "a frame is several at once, or lacks a key"),
        (r#"{"credit":[1,1]}"#, "a frame is several at once, or lacks a key"),
        (r#"{"id":1,"cancel":1}"#, "a frame is several at once, or lacks a key"),
        (r#"{"id":1,"result":1,"error":{"code":1}}"#, "a frame is several at once, or lacks a key"),
        (r#"{"id":1,"result":1,"item":1}"#, "a frame is several at once, or lacks a key"),
        (r#"{"id":1,"result":1,"method":"a"}"#, "a frame is several at once, or lacks a key"),
        (r#"{"method":"a","params":[],"result":1}"#, "a frame is several at once, or lacks a key"),
        (r#"{"method":"a","hello":{}}"#, "a frame is several at once, or lacks a key"),
        (r#"{"id":null,"result":1}"#, ""),
        (r#"{"id":"1","result":1}"#, ""),
        (r#"{"id":-1,"result":1}"#, ""),
        (r#"{"id":1.0,"result":1}"#, ""),
        (r#"{"id":4294967296,"result":1}"#, ""),
        (r#"{"id":1,"method":null}"#, ""),
        (r#"{"id":1,"end":false}"#, "an end that is not true"),
        (r#"{"id":1,"error":null}"#, "not a JSON object"),
        (r#"{"id":1,"error":{}}"#, "an error without a code"),
        (r#"{"id":1,"error":{"code":"x"}}"#, ""),
        (r#"{"id":1,"credit":1}"#, ""),
        (r#"{"id":1,"credit":[1]}"#, ""),
        (r#"{"id":1,"credit":[1,1,1]}"#, ""),
        (r#"{"id":1,"credit":[1,-1]}"#, ""),
        (r#"{"id":1,"credit":[4294967296,1]}"#, ""),
        (r#"{"method":"a","meta":{"dl":"1"}}"#, ""),
        (r#"{"method":"a","meta":{"dl":1.5}}"#, ""),
        (r#"{"method":"a","meta":{"x":1}}"#, ""),
        (r#"{"method":"a","meta":null}"#, ""),
        (r#"{"hello":{"window":"x"}}"#, ""),
        (r#"{"hello":{"window":32}}"#, ""),
        (r#"{"hello":{"window":[32]}}"#, ""),
        (r#"{"hello":{"window":[32,65536,1]}}"#, ""),
        (r#"{"hello":{"window":null}}"#, ""),
        (r#"{"hello":{"v":1,"v":1}}"#, ""),
        (r#"{"goaway":{"code":70000}}"#, ""),
    ] {
        let text_given = bad::<Value>(&codec, text.as_bytes());
        assert!(why.is_empty() || text_given == why, "{text}: {text_given}");
    }
}

#[test]
fn hellos_and_goaways_may_leave_things_out_and_say_more() {
    let hello = Hello { window: Window { items: 1, bytes: 2 }, ..Hello::default() };
    let text = r#"{"hello":{"new":[{}],"window":[1,2],"token":null}}{"hello":{}}"#;
    assert_eq!(json_frames(text), Ok(vec![Frame::Hello(hello), Frame::Hello(Hello::default())]));
    let go_away = GoAway { code: 4001, reason: String::new(), retry: Duration::ZERO };
    assert_eq!(json_frames(r#"{"goaway":{"x":1}}"#), Ok(vec![Frame::GoAway(go_away)]));
}

#[test]
fn arrays_may_have_long_headers() {
    let body = b"\x01\x01\xa3add\x92\x28\x02";
    for header in [&b"\x94"[..], b"\xdc\0\x04", b"\xdd\0\0\0\x04"] {
        let bytes = [header, body].concat();
        assert_eq!(read_bytes(&msgpack(), &bytes), Ok(vec![add(Some(1))]));
    }
    // Numbers and texts in longer forms than they need.
    let long =
        b"\x94\xcd\0\x01\xcf\0\0\0\0\0\0\0\x01\xdb\0\0\0\x03add\xdd\0\0\0\x02\xd3\0\0\0\0\0\0\0\x28\xd0\x02";
    assert_eq!(read_bytes(&msgpack(), long), Ok(vec![add(Some(1))]));

    let body = b"\x01\x01\x63add\x82\x18\x28\x02";
    for header in [&b"\x84"[..], b"\x98\x04", b"\x99\0\x04", b"\x9a\0\0\0\x04"] {
        let bytes = [header, body].concat();
        assert_eq!(read_bytes(&cbor(), &bytes), Ok(vec![add(Some(1))]));
    }
    // A payload and a text of indefinite length, and a tag.
    let long = b"\x84\x18\x01\x01\x7f\x62ad\x61d\xff\x9f\xc1\x18\x28\x02\xff";
    assert_eq!(read_bytes(&cbor(), long), Ok(vec![add(Some(1))]));
}

#[test]
fn arrays_that_are_no_frames_are_refused() {
    for (codec, frames) in [
        (
            msgpack(),
            [&b"\x90"[..], b"\x80", b"\x01", b"\xc1", b"\x91", b"\x91\xa0", b"\x92\x0c\x01", b"\x91\x06"],
        ),
        (
            cbor(),
            [&b"\x80"[..], b"\xa0", b"\x01", b"\xff", b"\x81", b"\x81\x60", b"\x82\x0c\x01", b"\x81\x06"],
        ),
        (
            cbor(),
            [
                &b"\x9f\x0c\xff"[..],
                b"\x9b",
                b"\xc1\x81\x0c",
                b"\xf6",
                b"\x98",
                b"\x98\x01",
                b"\x99\0",
                b"\x84",
            ],
        ),
        (
            msgpack(),
            [
                &b"\xdc"[..],
                b"\xdc\0",
                b"\xdd\0\0\0",
                b"\xdd\0\0\0\x01",
                b"\xc0",
                b"\x9f\x01",
                b"\x92\x07\xff",
                b"\x92\x07\xcf\0\0\0\x01\0\0\0\0",
            ],
        ),
        (
            plain(),
            [
                &b"\x01"[..],
                b"\0",
                b"\x01\0",
                b"\x02\x01\x06",
                b"\x03\x01\x0c\x00",
                b"\x02\x02\x0c",
                b"\xff\xff\xff\xff\x0f",
                b"\x80",
            ],
        ),
    ] {
        for frame in frames {
            bad::<Value>(&codec, frame);
        }
    }
    // Every kind with every wrong count of elements.
    let counts: [&[u8]; 14] =
        [&[2], &[4, 5], &[3, 4], &[2, 3], &[4, 5], &[3], &[2], &[2], &[4], &[], &[], &[], &[1], &[2]];
    for (kind, counts) in counts.iter().enumerate() {
        for count in (1..=15).filter(|count| !counts.is_empty() && !counts.contains(count)) {
            let frame = [&[0x90 | count, kind as u8][..], &[1; 20][..usize::from(count) - 1]].concat();
            let why = bad::<Value>(&msgpack(), &frame);
            assert_eq!(why, format!("a frame of kind {kind} has {count} elements"));
        }
    }
}

#[test]
fn frames_of_unknown_kinds_are_answered_and_passed() {
    let answer = |codec: &super::Codec, text: &str| {
        let status = Status::new(Code::UNIMPLEMENTED, text);
        Frame::<Value>::Answer(codec.control(Control::Err { id: 0, status: &status }))
    };
    let text = r#"{"topic":"room:42","offset":1394,"data":{"a":[]}}{"id":1,"new":2}{}"#;
    let frames = vec![answer(&json(), "unknown frame"), answer(&json(), "unknown frame"), Frame::Ping];
    assert_eq!(json_frames(text), Ok(frames));

    let bytes = b"\x94\x09\xa1t\xcd\x05\x72\x81\xa1a\x90\x91\xcd\x01\x2c\x91\x0c";
    let codec = msgpack();
    let frames =
        vec![answer(&codec, "unknown frame kind 9"), answer(&codec, "unknown frame kind 300"), Frame::Ping];
    assert_eq!(read_bytes(&codec, bytes), Ok(frames));

    let codec = cbor();
    let frames = vec![answer(&codec, "unknown frame kind 11"), Frame::Ping];
    assert_eq!(read_bytes(&codec, b"\x82\x0b\x9f\x01\xff\x81\x0c"), Ok(frames));

    let codec = plain();
    let frames = vec![answer(&codec, "unknown frame kind 9"), Frame::Ping];
    assert_eq!(read_bytes(&codec, b"\x05\x04\x09\xaa\xbb\xcc\x02\x01\x0c"), Ok(frames));
}

#[test]
fn a_text_message_holds_no_binary_frames() {
    let codec = msgpack();
    let message = Message::text("{}");
    let mut reader = codec.reader(&message);
    assert_eq!(reader.next().unwrap_err().text(), "msgpack frames do not come in text messages");
}

#[test]
fn a_time_longer_than_a_year_is_a_year() {
    let text = format!(r#"{{"id":1,"method":"add","params":[40,2],"meta":{{"dl":{}}}}}"#, u64::MAX);
    let Ok(frames) = json_frames(&text) else { panic!("no frame") };
    assert!(matches!(&frames[..], [Frame::Invoke { meta, .. }] if meta.deadline == Some(LONGEST)));
}

#[test]
fn headers_under_the_names_of_others_do_not_travel() {
    let mut meta = Metadata::new();
    meta.set_header("dl", "x");
    meta.set_header("tp", "y");
    let call = Frame::Invoke { id: None, method: "add".into(), meta, args: value!([40, 2]) };
    for codec in [json(), msgpack(), cbor()] {
        assert_eq!(read(&codec, &write(&codec, from_ref(&call))), Ok(vec![add(None)]));
    }
}

#[test]
fn the_data_of_another_format_stays_behind() {
    let status = Status::new(Code::ABORTED, "no").with_value(msgpack().converter(), &1).unwrap();
    let err = Frame::<Value>::Err { id: 1, status };
    let bare = Frame::<Value>::Err { id: 1, status: Status::new(Code::ABORTED, "no") };
    assert_eq!(read(&json(), &write(&json(), from_ref(&err))), Ok(vec![bare]));
    assert_eq!(read(&msgpack(), &write(&msgpack(), from_ref(&err))), Ok(vec![err]));
}

/// Postcard without the ability to tell where a value ends.
struct Endless(Postcard);

impl ContentConverter for Endless {
    fn format(&self) -> Format {
        self.0.format()
    }

    fn subprotocol(&self) -> &str {
        "endless"
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

#[test]
fn a_format_that_does_not_tell_where_a_value_ends_carries_no_frames() {
    let codec = super::codec(Endless(Postcard));
    let message = codec.message(codec.control(Control::Hello(&Hello::default())));
    let error = codec.reader(&message).next().unwrap_err();
    assert_eq!(error.text(), "the endless converter does not tell where a value ends");
}
