//! Values through a session: every converter, and what goes wrong with one. Knows no format's details.
#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use std::collections::HashMap;

use converse::{
    CborConverter, CloseReason, ContentConverter, ConvertError, JsonConverter, Message, MessagePackConverter,
    SessionOptions, session::SessionError,
};
use converse_core::{ConvertErrorKind, Format};
use futures::StreamExt;
use serde::{Deserialize, Serialize, de::DeserializeSeed};
use support::{BINARY, TEXT, pair, with_peer};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Chat {
    from: String,
    text: String,
    stamps: Vec<Option<u64>>,
}

fn chat(index: usize) -> Chat {
    let text = "κόσμε ".repeat(index * 500);
    Chat { from: format!("guest {index}"), text, stamps: vec![None, Some(u64::MAX), Some(index as u64)] }
}

/// Wraps JSON in a version byte, as a third party's format; leaves text unwrapped, or spoils it.
struct Wrapped {
    format: Format,
    spoils: bool,
}

impl ContentConverter for Wrapped {
    fn format(&self) -> Format {
        self.format
    }

    fn subprotocol(&self) -> &str {
        "wrapped"
    }

    fn encode<T: Serialize + ?Sized>(&self, value: &T, out: &mut Vec<u8>) -> Result<(), ConvertError> {
        out.push(if self.spoils { 0xff } else { b'1' });
        JsonConverter::default().encode(value, out)
    }

    fn decode_seed<'de, S: DeserializeSeed<'de>>(
        &self,
        seed: S,
        bytes: &'de [u8],
    ) -> Result<S::Value, ConvertError> {
        match bytes.split_first() {
            Some((b'1', json)) => JsonConverter::default().decode_seed(seed, json),
            _ => Err(ConvertError::new(ConvertErrorKind::Decode, "no version")),
        }
    }
}

const WRAPPED: Wrapped = Wrapped { format: Format::Binary, spoils: false };

fn all() -> Vec<(Format, SessionOptions)> {
    let options = || SessionOptions::default().max_message_size(1 << 20);
    vec![
        (Format::Text, options().content_converter(JsonConverter::default())),
        (Format::Binary, options().content_converter(MessagePackConverter::default())),
        (Format::Binary, options().content_converter(CborConverter::default())),
        (Format::Binary, options().content_converter(WRAPPED)),
        (Format::Text, options().content_converter(Wrapped { format: Format::Text, spoils: false })),
    ]
}

fn convert(error: SessionError) -> ConvertError {
    match error {
        SessionError::Convert(error) => error,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn values_of_all_sizes_arrive_through_every_converter() {
    for (format, options) in all() {
        let (server, mut client) = pair(512, &options);
        let (said, mut heard) = (Vec::from_iter((0..8).map(chat)), Vec::new());
        tokio::join!(
            async {
                for value in &said {
                    server.send_serialized(value).await.unwrap();
                }
                server.close(CloseReason::NORMAL).await;
            },
            async {
                let first = client.receive().await.unwrap().unwrap();
                assert_eq!(first.is_text(), format == Format::Text, "{options:?}");
                heard.push(client.converter().decode(first.as_bytes()).unwrap());
                while let Some(value) = client.receive_deserialized::<Chat>().await.unwrap() {
                    heard.push(value);
                }
            },
        );
        assert_eq!(heard, said, "{options:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_does_not_decode_comes_back_and_the_session_goes_on() {
    for (format, options) in all() {
        let (server, mut client) = pair(512, &options);
        let bad = match format {
            Format::Text => Message::text("1\"not a chat\""),
            Format::Binary => Message::binary(vec![0xc1, 0, 0]),
        };
        for index in 0..3 {
            server.send(bad.clone()).await.unwrap();
            server.send_serialized(&chat(index)).await.unwrap();
            let error = convert(client.receive_deserialized::<Chat>().await.unwrap_err());
            assert_eq!(error.message(), Some(&bad));
            assert_eq!(error.into_message(), Some(bad.clone()));
            assert_eq!(client.receive_deserialized().await.unwrap(), Some(chat(index)), "{options:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_of_the_wrong_kind_comes_back_and_the_session_goes_on() {
    for (format, options) in all() {
        let (server, mut client) = pair(512, &options);
        let mut encoded = Vec::new();
        client.converter().encode(&chat(1), &mut encoded).unwrap();
        let other = match format {
            Format::Text => Message::binary(encoded),
            Format::Binary => Message::text("{}"),
        };
        server.send(other.clone()).await.unwrap();
        server.send_serialized(&chat(2)).await.unwrap();
        match client.receive_deserialized::<Chat>().await {
            // JSON reads its text from a binary message as well.
            Ok(value) => assert_eq!((value, client.converter().subprotocol()), (Some(chat(1)), "json")),
            Err(error) => {
                let error = convert(error);
                assert_eq!(error.kind(), ConvertErrorKind::NotApplicable);
                assert_eq!(error.into_message(), Some(other));
            }
        }
        assert_eq!(client.receive_deserialized().await.unwrap(), Some(chat(2)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_bad_item_in_the_middle_does_not_end_the_stream() {
    let (mut session, mut peer) = with_peer(512, &SessionOptions::default());
    for (first, payload) in [(TEXT, "1"), (TEXT, "two"), (BINARY, "3"), (TEXT, "4 4"), (TEXT, "5")] {
        peer.send(first, payload).await;
    }
    peer.close(1000, "").await;
    let items = session.incoming_deserialized::<u32>();
    let items: Vec<Result<u32, Message>> =
        items.map(|item| item.map_err(|error| convert(error).into_message().unwrap())).collect().await;
    let bad = |text: &str| Err(Message::text(text));
    assert_eq!(items, [Ok(1), bad("two"), Ok(3), bad("4 4"), Ok(5)]);
    assert!(session.receive_deserialized::<u32>().await.unwrap().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_value_that_cannot_be_encoded_leaves_the_session_as_it_was() {
    struct Stubborn;
    impl Serialize for Stubborn {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            use serde::ser::{Error, SerializeSeq};
            let mut seq = serializer.serialize_seq(Some(2))?;
            seq.serialize_element("the first half of something long")?;
            Err(S::Error::custom("no second half"))
        }
    }
    for (_, options) in all() {
        let (server, mut client) = pair(512, &options);
        for index in 0..3 {
            let error = convert(server.send_serialized(&Stubborn).await.unwrap_err());
            assert!(error.message().is_none());
            convert(server.sender().try_send_serialized(&Stubborn).unwrap_err());
            server.send_serialized(&index).await.unwrap();
            assert_eq!(client.receive_deserialized::<i32>().await.unwrap(), Some(index), "{options:?}");
        }
        assert_eq!(server.sender().queued_bytes(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_while_encoding_leaves_the_session_as_it_was() {
    struct Bomb;
    impl Serialize for Bomb {
        fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            panic!("a bug in the application");
        }
    }
    let (server, mut client) = pair(512, &SessionOptions::default());
    let sender = server.sender();
    assert!(tokio::spawn(async move { sender.send_serialized(&Bomb).await }).await.is_err());
    server.send_serialized("after").await.unwrap();
    assert_eq!(client.receive_deserialized::<String>().await.unwrap().unwrap(), "after");
}

#[tokio::test(start_paused = true)]
async fn text_that_is_not_utf8_is_refused_where_it_was_written() {
    let spoils = Wrapped { format: Format::Text, spoils: true };
    let (server, mut client) = pair(512, &SessionOptions::default().content_converter(spoils));
    let error = convert(server.send_serialized(&1).await.unwrap_err());
    assert_eq!(error.kind(), ConvertErrorKind::Encode);
    // Long ones take another way, by reference.
    convert(server.send_serialized(&"x".repeat(100_000)).await.unwrap_err());
    server.send("good text").await.unwrap();
    assert_eq!(client.receive().await.unwrap(), Some(Message::text("good text")));
}

#[tokio::test(start_paused = true)]
async fn maps_with_borrowed_and_missing_parts_arrive() {
    for (_, options) in all() {
        let (server, mut client) = pair(512, &options);
        let said = HashMap::from([("from", "me"), ("text", "hello")]);
        server.send_serialized(&said).await.unwrap();
        let error = convert(client.receive_deserialized::<Chat>().await.unwrap_err());
        assert!(error.to_string().contains("stamps"), "{error}");
        let heard: HashMap<String, String> =
            client.converter().decode(error.message().unwrap().as_bytes()).unwrap();
        assert_eq!(heard["text"], said["text"]);
    }
}
