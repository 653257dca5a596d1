//! Values that borrow from the messages they come in. Knows no format beyond the payloads it writes by hand.
#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use std::borrow::Cow;

use converse::{
    CborConverter, CloseReason, ContentConverter, ConvertError, JsonConverter, Message, MessagePackConverter,
    SessionOptions, session::SessionError,
};
use converse_core::{ConvertErrorKind, Format};
use serde::{Deserialize, Serialize, de::DeserializeSeed};
use support::{interrupted, pair};

#[derive(Debug, PartialEq, Deserialize)]
struct Tick<'a> {
    symbol: &'a str,
    sizes: Vec<u32>,
}

#[derive(Debug, PartialEq, Deserialize)]
struct Blob<'a> {
    name: &'a str,
    bytes: &'a [u8],
}

/// Calls JSON for text, and nothing for bytes.
struct TextOnly;

impl ContentConverter for TextOnly {
    fn format(&self) -> Format {
        Format::Text
    }

    fn subprotocol(&self) -> &str {
        "text-only"
    }

    fn encode<T: Serialize + ?Sized>(&self, value: &T, out: &mut Vec<u8>) -> Result<(), ConvertError> {
        JsonConverter::default().encode(value, out)
    }

    fn decode_seed<'de, S: DeserializeSeed<'de>>(
        &self,
        _: S,
        _: &'de [u8],
    ) -> Result<S::Value, ConvertError> {
        Err(ConvertError::new(ConvertErrorKind::Decode, "text was taken for bytes"))
    }

    fn decode_text_seed<'de, S: DeserializeSeed<'de>>(
        &self,
        seed: S,
        text: &'de str,
    ) -> Result<S::Value, ConvertError> {
        JsonConverter::default().decode_text_seed(seed, text)
    }
}

fn json() -> SessionOptions {
    SessionOptions::default().content_converter(JsonConverter::default())
}

fn is_within(part: &[u8], message: &Message) -> bool {
    message.as_bytes().as_ptr_range().contains(&part.as_ptr())
}

fn convert(error: SessionError) -> ConvertError {
    match error {
        SessionError::Convert(error) => error,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn text_is_borrowed_from_json() {
    for options in [json(), SessionOptions::default().content_converter(TextOnly)] {
        let (server, mut client) = pair(512, &options);
        server.send(r#"{"symbol":"BTC-€","sizes":[1,2]}"#).await.unwrap();
        let message = client.receive().await.unwrap().unwrap();
        let tick: Tick<'_> = client.deserialize(&message).unwrap();
        assert_eq!(tick, Tick { symbol: "BTC-€", sizes: vec![1, 2] });
        assert!(is_within(tick.symbol.as_bytes(), &message));
    }
}

#[tokio::test(start_paused = true)]
async fn text_and_bytes_are_borrowed_from_binary_formats() {
    let msgpack = SessionOptions::default().content_converter(MessagePackConverter::default());
    let cbor = SessionOptions::default().content_converter(CborConverter::default());
    let payloads: [(_, &[u8]); 2] = [
        (msgpack, b"\x82\xa4name\xa2ab\xa5bytes\xc4\x03\x00\xff\x01"),
        (cbor, b"\xa2dnamebabebytesC\x00\xff\x01"),
    ];
    for (options, payload) in payloads {
        let (server, mut client) = pair(512, &options);
        server.send(payload).await.unwrap();
        let message = client.receive().await.unwrap().unwrap();
        let blob: Blob<'_> = client.deserialize(&message).unwrap();
        assert_eq!(blob, Blob { name: "ab", bytes: b"\x00\xff\x01" });
        assert!(is_within(blob.name.as_bytes(), &message) && is_within(blob.bytes, &message));
    }
}

#[tokio::test(start_paused = true)]
async fn an_escape_in_json_cannot_be_borrowed_and_the_message_comes_back() {
    let (server, mut client) = pair(512, &json());
    let escaped = Message::text(r#"{"symbol":"B\u0054C","sizes":[]}"#);
    server.send(escaped.clone()).await.unwrap();
    server.send(r#"{"symbol":"ETH","sizes":[]}"#).await.unwrap();

    let message = client.receive().await.unwrap().unwrap();
    let error = convert(client.deserialize::<Tick<'_>>(&message).unwrap_err());
    assert_eq!(error.kind(), ConvertErrorKind::Decode);
    assert!(error.to_string().contains("expected a borrowed string"), "{error}");
    assert_eq!(error.into_message(), Some(escaped));

    let next = client.receive().await.unwrap().unwrap();
    assert_eq!(client.deserialize::<Tick<'_>>(&next).unwrap().symbol, "ETH");
}

#[tokio::test(start_paused = true)]
async fn a_cow_copies_only_what_it_must() {
    #[derive(Deserialize)]
    struct Line<'a>(#[serde(borrow)] Cow<'a, str>);

    let (server, mut client) = pair(512, &json());
    for (json, text, borrows) in [(r#""plain""#, "plain", true), (r#""two\nlines""#, "two\nlines", false)] {
        server.send(json).await.unwrap();
        let message = client.receive().await.unwrap().unwrap();
        let line: Line<'_> = client.deserialize(&message).unwrap();
        assert_eq!(line.0, text);
        assert_eq!(matches!(line.0, Cow::Borrowed(_)), borrows);
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_converter_does_not_read_comes_back() {
    let options = SessionOptions::default().content_converter(CborConverter::default());
    let (server, mut client) = pair(512, &options);
    server.send("text").await.unwrap();
    let message = client.receive().await.unwrap().unwrap();
    let error = convert(client.deserialize::<&str>(&message).unwrap_err());
    assert_eq!((error.kind(), error.message()), (ConvertErrorKind::NotApplicable, Some(&message)));
}

#[tokio::test(start_paused = true)]
async fn messages_received_by_interrupted_calls_are_all_there() {
    let (server, mut client) = pair(1, &json());
    let sends = async {
        for index in 0..20 {
            server.send_serialized(&format!("tick {index}")).await.unwrap();
        }
        server.close(CloseReason::NORMAL).await;
    };
    let receives = async {
        let mut next = 0;
        loop {
            let Some(received) = interrupted(client.receive(), 1).await else { continue };
            let Some(message) = received.unwrap() else { break next };
            assert_eq!(client.deserialize::<&str>(&message).unwrap(), format!("tick {next}"));
            next += 1;
        }
    };
    assert_eq!(tokio::join!(sends, receives).1, 20);
}

#[tokio::test(start_paused = true)]
async fn text_in_a_stream_of_values_takes_the_way_for_text() {
    use futures::StreamExt;

    let (server, mut client) = pair(512, &SessionOptions::default().content_converter(TextOnly));
    server.send_serialized(&1).await.unwrap();
    server.send_serialized(&2).await.unwrap();
    assert_eq!(client.receive_deserialized::<u8>().await.unwrap(), Some(1));
    assert_eq!(client.incoming_deserialized::<u8>().next().await.unwrap().unwrap(), 2);
}
