//! Frames nobody thought of, whole, cut and damaged, in every layout.

use std::time::Duration;

use proptest::{arbitrary::any, collection::vec, num, option, prelude::Strategy, prop_oneof, proptest};
use serde::{Deserialize, Serialize};

use super::{Frame, Wrong, cbor, json, msgpack, plain, read, read_bytes, write};
use crate::rpc::{
    Code, Metadata, Status,
    window::Window,
    wire::{Codec, GoAway, Hello, metadata::LONGEST},
};

/// A payload, the same in all formats.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Body {
    number: u64,
    text: String,
    list: Vec<i64>,
    ratio: f64,
    maybe: Option<bool>,
}

fn body() -> impl Strategy<Value = Body> {
    let finite = num::f64::NORMAL | num::f64::ZERO;
    (any::<u64>(), any::<String>(), vec(any::<i64>(), 0..4), finite, any::<Option<bool>>())
        .prop_map(|(number, text, list, ratio, maybe)| Body { number, text, list, ratio, maybe })
}

fn meta() -> impl Strategy<Value = Metadata> {
    let headers = vec((any::<String>(), any::<String>()), 0..4);
    (option::of(any::<u64>()), option::of(any::<String>()), headers).prop_map(
        |(deadline, traceparent, headers)| {
            let mut meta = Metadata::new();
            meta.deadline = deadline.map(|millis| Duration::from_millis(millis).min(LONGEST));
            meta.traceparent = traceparent;
            let free = headers.into_iter().filter(|(name, _)| !["dl", "tp"].contains(&&**name));
            free.for_each(|(name, value)| meta.set_header(name, value));
            meta
        },
    )
}

fn window() -> impl Strategy<Value = Window> {
    (any::<u32>(), any::<u32>()).prop_map(|(items, bytes)| Window { items, bytes })
}

fn hello() -> impl Strategy<Value = Hello> {
    let numbers = (any::<u32>(), window(), any::<u32>(), any::<u64>(), any::<u64>());
    let texts = (vec(any::<String>(), 0..4), any::<Option<String>>(), any::<Option<String>>());
    (numbers, texts).prop_map(|((version, window, in_flight, max_message, ping), texts)| {
        let (capabilities, token, schema) = texts;
        Hello { version, capabilities, window, in_flight, max_message, ping, token, schema }
    })
}

/// A status without data: that depends on the codec.
fn status() -> impl Strategy<Value = Status> {
    (1..=i32::MAX, any::<String>()).prop_map(|(code, text)| Status::new(Code::new(code), text))
}

fn frame() -> impl Strategy<Value = Frame<Body>> {
    let id = any::<u32>;
    prop_oneof![
        hello().prop_map(Frame::Hello),
        (any::<Option<u32>>(), any::<String>(), meta(), body())
            .prop_map(|(id, method, meta, args)| Frame::Invoke { id, method, meta, args }),
        (id(), body()).prop_map(|(id, value)| Frame::Ok { id, value }),
        id().prop_map(|id| Frame::OkEmpty { id }),
        (id(), status()).prop_map(|(id, status)| Frame::Err { id, status }),
        (id(), body()).prop_map(|(id, value)| Frame::Item { id, value }),
        id().prop_map(|id| Frame::End { id }),
        id().prop_map(|id| Frame::Cancel { id }),
        (id(), window()).prop_map(|(id, more)| Frame::Credit { id, more }),
        proptest::strategy::Just(Frame::Ping),
        (any::<u16>(), any::<String>(), 0..1_000_000u64).prop_map(|(code, reason, retry)| {
            Frame::GoAway(GoAway { code, reason, retry: Duration::from_millis(retry) })
        }),
    ]
}

fn codecs() -> [Codec; 4] {
    [json(), msgpack(), cbor(), plain()]
}

/// Gives some of the failures data.
fn with_data(codec: &Codec, frames: Vec<Frame<Body>>) -> Vec<Frame<Body>> {
    let dress = |frame| match frame {
        Frame::Err { id, status } if id % 2 == 1 => {
            let value = (status.message().to_owned(), id);
            Frame::Err { id, status: status.with_value(codec.converter(), &value).unwrap() }
        }
        frame => frame,
    };
    frames.into_iter().map(dress).collect()
}

proptest! {
    #![proptest_config(proptest::test_runner::Config { cases: 64, failure_persistence: None, ..Default::default() })]

    #[test]
    fn frames_in_one_message_come_back_in_order(frames in vec(frame(), 0..6)) {
        for codec in codecs() {
            let frames = with_data(&codec, frames.clone());
            assert_eq!(read(&codec, &write(&codec, &frames)), Ok(frames));
        }
    }

    #[test]
    fn a_frame_has_the_bytes_that_were_written(frames in vec(frame(), 1..6), decodes in any::<bool>()) {
        for codec in codecs() {
            let frames = with_data(&codec, frames.clone());
            let message = write(&codec, &frames);
            let mut reader = codec.reader(&message);
            for frame in &frames {
                reader.next().unwrap();
                if decodes {
                    let _ = reader.payload::<Body>();
                }
                let len = frame.write(&codec).len();
                assert_eq!((reader.finish().unwrap().len, reader.finish().unwrap().len), (len, len));
            }
            assert_eq!(reader.next(), Ok(None));
        }
    }

    #[test]
    fn a_message_that_is_cut_gives_the_frames_before_the_cut_at_most(frames in vec(frame(), 1..4)) {
        for codec in codecs() {
            let frames = with_data(&codec, frames.clone());
            let message = write(&codec, &frames);
            for end in 0..message.len() {
                match read_bytes(&codec, &message.as_bytes()[..end]) {
                    Ok(read) => assert_eq!(read, frames[..read.len()]),
                    Err(Wrong::Frame(bad)) => assert!(bad.text().len() <= 100),
                    Err(payload) => panic!("a cut is taken for a payload that does not fit: {payload:?}"),
                }
            }
        }
    }

    #[test]
    fn a_damaged_byte_does_no_harm(frame in frame(), behind in frame(), change in 1..=255u8) {
        for codec in codecs() {
            let frames = with_data(&codec, vec![frame.clone(), behind.clone()]);
            let mut bytes = write(&codec, &frames).into_bytes().to_vec();
            for at in 0..bytes.len() {
                bytes[at] ^= change;
                if let Err(Wrong::Frame(bad)) = read_bytes::<Body>(&codec, &bytes) {
                    assert!(bad.text().len() <= 100);
                }
                bytes[at] ^= change;
            }
        }
    }

    #[test]
    fn arbitrary_bytes_do_no_harm(bytes in vec(any::<u8>(), 0..100)) {
        for codec in codecs() {
            let _ = read_bytes::<Body>(&codec, &bytes);
        }
    }
}
