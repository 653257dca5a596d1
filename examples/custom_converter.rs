//! Shows: a converter for another format, here postcard: what a crate of yours would hold, and both ends using it.
//! Run: `cargo run --example custom_converter`
//! Next: `custom_extension`, one floor below: what happens to a message on its way.

use converse::{Client, CloseReason, Server, Session, SessionOptions};
use serde::{Deserialize, Serialize};

use crate::postcard_converter::PostcardConverter;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A crate of its own would depend on `converse-core`, on serde and on the format, and on nothing else of converse.
mod postcard_converter {
    use converse_core::{ContentConverter, ConvertError, ConvertErrorKind, Format};
    use serde::{Serialize, de::DeserializeSeed};

    /// Converts values to postcard in binary messages. Both ends must know the type: postcard sends no names.
    pub(crate) struct PostcardConverter;

    impl ContentConverter for PostcardConverter {
        fn format(&self) -> Format {
            Format::Binary
        }

        fn subprotocol(&self) -> &str {
            "postcard"
        }

        fn encode<T>(&self, value: &T, out: &mut Vec<u8>) -> Result<(), ConvertError>
        where
            T: Serialize + ?Sized,
        {
            postcard::to_io(value, out)
                .map_err(|error| ConvertError::of_format(ConvertErrorKind::Encode, error))?;
            Ok(())
        }

        fn decode_seed<'de, S>(&self, seed: S, bytes: &'de [u8]) -> Result<S::Value, ConvertError>
        where
            S: DeserializeSeed<'de>,
        {
            let mut deserializer = postcard::Deserializer::from_bytes(bytes);
            let decoded = seed.deserialize(&mut deserializer);
            let value = decoded.map_err(|error| ConvertError::of_format(ConvertErrorKind::Decode, error))?;
            match deserializer.finalize() {
                Ok([]) => Ok(value),
                Ok(rest) => {
                    let text = format!("{} bytes follow the value", rest.len());
                    Err(ConvertError::new(ConvertErrorKind::TrailingBytes, text))
                }
                Err(error) => Err(ConvertError::of_format(ConvertErrorKind::Decode, error)),
            }
        }
    }
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Reading {
    sensor: u16,
    celsius: Option<f32>,
    notes: Vec<String>,
}

/// Cools what it receives.
async fn cool(mut session: Session) -> converse::Result<()> {
    while let Some(mut reading) = session.receive_deserialized::<Reading>().await? {
        reading.celsius = reading.celsius.map(|celsius| celsius - 1.5);
        session.send_serialized(&reading).await?;
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let options = SessionOptions::default().content_converter(PostcardConverter).subprotocol("postcard");
    let server = Server::new(options.clone()).route("/", cool).bind("127.0.0.1:0").await?;
    let (url, handle) = (format!("ws://{}/", server.local_addr()), server.handle());
    let serving = tokio::spawn(server.serve());

    let mut session = Client::new(options).connect(&url).await?;
    println!("agreed on {}", session.subprotocol().ok_or("no subprotocol")?);
    let reading = Reading { sensor: 7, celsius: Some(21.5), notes: vec!["north wall".into()] };
    session.send_serialized(&reading).await?;
    println!("said  {reading:?}");
    // The same conversation below the types: what a converter makes is a message like any other.
    let message = session.receive().await?.ok_or("the server hung up")?;
    let reply: Reading = session.deserialize(&message)?;
    println!("heard {reply:?}");
    println!("      {:02x?}", message.as_bytes());
    if reply != (Reading { celsius: Some(20.0), ..reading }) {
        return Err("the server did not cool".into());
    }
    session.close(CloseReason::NORMAL).await;

    handle.stop();
    Ok(serving.await?)
}
