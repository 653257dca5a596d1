//! How a converter fits into messages. Knows nothing of what it makes of values.

use std::marker::PhantomData;

use serde::de::IgnoredAny;

use super::values::{Rich, rich};
use crate::{ContentConverter, ConvertErrorKind, Format, Message};

/// A converter reads messages of the kind it writes.
pub fn a_message_of_its_own_kind_is_applicable(converter: &impl ContentConverter) {
    let own = match converter.format() {
        Format::Text => Message::text("1"),
        Format::Binary => Message::binary(&b"\x01"[..]),
    };
    assert!(converter.is_applicable(&own));
}

/// A text message is nothing a binary format could read.
pub fn a_binary_format_reads_no_text_messages(converter: &impl ContentConverter) {
    if converter.format() == Format::Binary {
        assert!(!converter.is_applicable(&Message::text("1")));
    }
}

/// The subprotocol can stand in a header (RFC 6455 §4.1, RFC 9110 §5.6.2).
pub fn the_subprotocol_is_a_token(converter: &impl ContentConverter) {
    let token = converter.subprotocol();
    assert!(!token.is_empty());
    assert!(token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)));
}

/// What was in the buffer stays, and a second value follows the first.
pub fn encoding_appends_and_leaves_the_prefix_alone(converter: &impl ContentConverter) {
    let mut alone = Vec::new();
    converter.encode(&rich().shapes, &mut alone).unwrap();

    let mut out = b"prefix".to_vec();
    converter.encode(&rich().shapes, &mut out).unwrap();
    converter.encode(&rich().shapes, &mut out).unwrap();
    assert_eq!(out, [b"prefix", &alone[..], &alone].concat());
}

/// What a text format writes can be sent as text.
pub fn a_text_format_writes_utf8(converter: &impl ContentConverter) {
    if converter.format() == Format::Text {
        let mut out = Vec::new();
        converter.encode(&rich(), &mut out).unwrap();
        assert!(std::str::from_utf8(&out).is_ok());
    }
}

/// A value becomes a message of the converter's kind, and that message the value.
pub fn a_value_survives_as_a_message(converter: &impl ContentConverter) {
    let value = rich();
    let message = converter.encode_message(&value).unwrap();
    assert_eq!(message.is_text(), converter.format() == Format::Text);
    assert_eq!(message.as_bytes(), super::encode(converter, &value));
    assert_eq!(converter.decode_message::<Rich>(&message).unwrap(), value);
}

/// The way for text ends where the way for bytes does, and with the same verdict.
pub fn text_decodes_as_its_bytes_do(converter: &impl ContentConverter) {
    let mut texts = vec![String::new(), "[".repeat(100), "[[1],1]".to_owned(), "\u{e9}".to_owned()];
    if converter.format() == Format::Text {
        let whole = String::from_utf8(super::encode(converter, &rich())).unwrap();
        texts.extend([format!("{whole}1"), format!("{whole} "), whole]);
    }
    for text in texts {
        let from_text = converter.decode_text_seed(PhantomData::<Rich>, &text);
        let from_bytes = converter.decode::<Rich>(text.as_bytes());
        assert_eq!(from_text.map_err(|error| error.kind()), from_bytes.map_err(|error| error.kind()));
        let from_text = converter.decode_text_seed(PhantomData::<IgnoredAny>, &text);
        let from_bytes = converter.decode::<IgnoredAny>(text.as_bytes());
        assert_eq!(from_text.map_err(|error| error.kind()), from_bytes.map_err(|error| error.kind()));
    }
}

/// What does not decode is in the error.
pub fn a_message_that_does_not_decode_comes_back(converter: &impl ContentConverter) {
    let message = converter.encode_message("no number").unwrap();
    let error = converter.decode_message::<u8>(&message).unwrap_err();
    assert_eq!((error.kind(), error.into_message()), (ConvertErrorKind::Decode, Some(message)));

    let (text, binary) = (Message::text("1"), Message::binary(&b"1"[..]));
    for other in [text, binary].into_iter().filter(|message| !converter.is_applicable(message)) {
        let error = converter.decode_message::<u8>(&other).unwrap_err();
        assert_eq!((error.kind(), error.into_message()), (ConvertErrorKind::NotApplicable, Some(other)));
    }
}
