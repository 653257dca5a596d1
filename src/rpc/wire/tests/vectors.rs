//! The golden vectors, both ways. The files were written by hand; what they stand for is written here.

use std::{fs, path::Path, time::Duration};

use serde::{Deserialize, Serialize};

use super::{Frame, cbor, json, msgpack, read_bytes};
use crate::rpc::{
    Code, Metadata, Status,
    window::Window,
    wire::{Codec, GoAway, Hello},
};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Body {
    Number(u64),
    Text(String),
    Pair(i64, i64),
    Texts(Vec<String>),
    Bound { max: u8 },
}

fn meta(headers: &[(&str, &str)]) -> Metadata {
    let mut meta = Metadata::new();
    headers.iter().for_each(|(name, value)| meta.set_header(*name, *value));
    meta
}

fn add(meta: Metadata) -> Frame<Body> {
    Frame::Invoke { id: Some(1), method: "calc.add".into(), meta, args: Body::Pair(40, 2) }
}

fn log(meta: Metadata) -> Frame<Body> {
    Frame::Invoke { id: None, method: "calc.log".into(), meta, args: Body::Texts(vec!["hi".into()]) }
}

/// Returns what each file stands for.
fn frames(codec: &Codec) -> Vec<(&'static str, Frame<Body>)> {
    let mut traced = meta(&[("lang", "en")]);
    traced.deadline = Some(Duration::from_millis(1500));
    traced.set_traceparent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
    let hello = Hello {
        version: 1,
        capabilities: vec![],
        window: Window { items: 32, bytes: 65_536 },
        in_flight: 16,
        max_message: 1_048_576,
        ping: 0,
        token: None,
        schema: None,
    };
    let full = Hello {
        version: 1,
        capabilities: vec!["topics".into()],
        window: Window { items: 64, bytes: 4096 },
        in_flight: 8,
        max_message: 65_536,
        ping: 20_000,
        token: Some("secret".into()),
        schema: Some("calc/1".into()),
    };
    let invalid = Status::new(Code::INVALID_ARGUMENT, "b is 0");
    let overflow = Status::new(Code::new(77), "overflow");
    let overflow = overflow.with_value(codec.converter(), &Body::Bound { max: 9 }).unwrap();
    let unknown = Status::new(Code::UNIMPLEMENTED, "unknown frame");
    let restart = GoAway { code: 4001, reason: "restart".into(), retry: Duration::from_millis(500) };
    vec![
        ("hello", Frame::Hello(hello)),
        ("hello_full", Frame::Hello(full)),
        ("call", add(Metadata::new())),
        ("call_meta", add(traced)),
        ("notify", log(Metadata::new())),
        ("notify_meta", log(meta(&[("lang", "en")]))),
        ("ok", Frame::Ok { id: 1, value: Body::Number(42) }),
        ("ok_empty", Frame::OkEmpty { id: 1 }),
        ("err", Frame::Err { id: 1, status: invalid }),
        ("err_data", Frame::Err { id: 1, status: overflow }),
        ("err_not_found", Frame::Err { id: 3, status: Status::new(Code::NOT_FOUND, "") }),
        ("err_no_call", Frame::Err { id: 0, status: unknown }),
        ("item", Frame::Item { id: 300, value: Body::Text("tick".into()) }),
        ("end", Frame::End { id: 300 }),
        ("cancel", Frame::Cancel { id: 1 }),
        ("credit", Frame::Credit { id: 1, more: Window { items: 32, bytes: 65_536 } }),
        ("ping", Frame::Ping),
        ("goaway", Frame::GoAway(restart)),
    ]
}

/// Returns the bytes in a file.
fn vector(name: &str, kind: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors").join(format!("{name}.{kind}"));
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    if kind == "json" {
        return text.strip_suffix('\n').unwrap().into();
    }
    let bytes = text.lines().flat_map(|line| line.split('#').next().unwrap().split_whitespace());
    bytes.map(|digits| u8::from_str_radix(digits, 16).unwrap()).collect()
}

fn check(codec: &Codec, kind: &str) {
    for (name, frame) in frames(codec) {
        let vector = vector(name, kind);
        let written = frame.write(codec);
        assert_eq!(written, vector, "{name}.{kind}: {:?}", String::from_utf8_lossy(&written));
        assert_eq!(read_bytes(codec, &vector), Ok(vec![frame]), "{name}.{kind}");
    }
}

#[test]
fn json_frames_are_the_vectors() {
    check(&json(), "json");
}

#[test]
fn messagepack_frames_are_the_vectors() {
    check(&msgpack(), "msgpack.hex");
}

#[test]
fn cbor_frames_are_the_vectors() {
    check(&cbor(), "cbor.hex");
}

#[test]
fn every_vector_has_its_frame() {
    let expected = frames(&json()).len() * 3;
    let files = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors")).unwrap();
    let vectors = files.filter(|file| !file.as_ref().unwrap().file_name().eq_ignore_ascii_case("README.md"));
    assert_eq!(vectors.count(), expected);
}

#[test]
fn a_small_call_costs_what_the_specification_says() {
    for (kind, request, response) in [("json", 44, 20), ("msgpack.hex", 15, 4), ("cbor.hex", 16, 5)] {
        assert_eq!((vector("call", kind).len(), vector("ok", kind).len()), (request, response), "{kind}");
    }
}
