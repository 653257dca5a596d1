//! Bytes that are cut, damaged or too many. Knows nothing of depth and lengths.

use std::panic::{AssertUnwindSafe, catch_unwind};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error as _, IgnoredAny},
    ser::Error as _,
};

use super::{
    decode_error, encode,
    values::{External, Internal, Point, Rich, Untagged, external, rich},
};
use crate::{ContentConverter, ConvertError, ConvertErrorKind};

/// A payload that ends too early is an error wherever it is cut.
pub fn truncated_payloads_are_refused(converter: &impl ContentConverter) {
    let bytes = encode(converter, &rich());
    for end in 0..bytes.len() {
        let error = converter.decode::<Rich>(&bytes[..end]).expect_err("the payload is cut");
        assert_eq!(error.kind(), ConvertErrorKind::Decode, "cut at {end}");
        converter.decode::<IgnoredAny>(&bytes[..end]).expect_err("the payload is cut");
    }
}

/// What is damaged byte by byte.
type Sample<'a> = (Vec<External>, Point, Option<&'a str>, f64, u64);

/// Any change of a single byte leads to a value or an error.
pub fn payloads_with_one_byte_changed_do_no_harm(converter: &impl ContentConverter) {
    let sample: Sample<'_> = (external(), Point { x: 1, y: -1 }, Some("text"), 1.5, u64::MAX);
    let mut bytes = encode(converter, &sample).to_vec();
    for at in 0..bytes.len() {
        for change in 1..=255 {
            bytes[at] ^= change;
            decode_as_anything(converter, &bytes);
            bytes[at] ^= change;
        }
    }
}

/// Decodes bytes as types of all shapes, and names the bytes if that panics.
pub(super) fn decode_as_anything(converter: &impl ContentConverter, bytes: &[u8]) {
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        let _: Result<IgnoredAny, _> = converter.decode(bytes);
        let _: Result<Untagged, _> = converter.decode(bytes);
        let _: Result<Internal, _> = converter.decode(bytes);
        let _: Result<Rich, _> = converter.decode(bytes);
        let _ = converter.decode::<Sample<'_>>(bytes);
    }));
    assert!(outcome.is_ok(), "decoding {bytes:02x?} panicked");
}

/// A message holds one value and nothing else.
pub fn trailing_bytes_are_refused(converter: &impl ContentConverter) {
    let value = (external(), Some(Point { x: 1, y: 2 }));
    let bytes = encode(converter, &value);
    for tail in [&b"\0"[..], b"\x7f", b"x", &bytes] {
        let long = [&bytes, tail].concat();
        let kind = decode_error::<(Vec<External>, Option<Point>)>(converter, &long);
        assert_eq!(kind, ConvertErrorKind::TrailingBytes);
        assert_eq!(decode_error::<IgnoredAny>(converter, &long), ConvertErrorKind::TrailingBytes);
    }
}

/// A tuple leaves no element behind that the next value could be mistaken for.
pub fn arrays_longer_than_the_tuple_are_refused(converter: &impl ContentConverter) {
    let bytes = encode(converter, &((1, 2, 3), 4));
    let error: Result<((u8, u8), u8), ConvertError> = converter.decode(&bytes);
    assert_eq!(error.unwrap_err().kind(), ConvertErrorKind::Decode);
}

/// What a type's own implementation has to say is in the error's text.
pub fn errors_of_the_value_itself_are_kept(converter: &impl ContentConverter) {
    #[derive(Debug)]
    struct Failing;
    impl Serialize for Failing {
        fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(S::Error::custom("no way out"))
        }
    }
    impl<'de> Deserialize<'de> for Failing {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            u8::deserialize(deserializer)?;
            Err(D::Error::custom("no way in"))
        }
    }
    let error = converter.encode(&[Failing], &mut Default::default()).unwrap_err();
    assert_eq!(error.kind(), ConvertErrorKind::Encode);
    assert!(error.detail().contains("no way out"), "{error}");

    let error = converter.decode::<[Failing; 1]>(&encode(converter, &[1])).unwrap_err();
    assert_eq!(error.kind(), ConvertErrorKind::Decode);
    assert!(error.detail().contains("no way in"), "{error}");
}
