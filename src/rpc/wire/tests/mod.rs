//! Frames as values, written and read whole, for the tests beside this file.
#![allow(clippy::unwrap_used)]

mod foreign;
mod hostile;
mod object;
mod properties;
mod vectors;

use std::fmt::Debug;

use converse_core::{ContentConverter, ConvertError, ConvertErrorKind, Format, Message};
use serde::{
    Serialize,
    de::{DeserializeOwned, DeserializeSeed},
};

use super::{BadFrame, Codec, Control, Envelope, GoAway, Head, Hello};
use crate::{
    rpc::{Kind, Metadata, Status, window::Window},
    session::AnyConverter,
};

/// A whole frame.
#[derive(Clone, Debug, PartialEq)]
enum Frame<T> {
    Hello(Hello),
    Invoke { id: Option<u32>, method: String, meta: Metadata, args: T },
    Ok { id: u32, value: T },
    OkEmpty { id: u32 },
    Err { id: u32, status: Status },
    Item { id: u32, value: T },
    End { id: u32 },
    Cancel { id: u32 },
    Credit { id: u32, more: Window },
    Ping,
    GoAway(GoAway),
    Answer(Vec<u8>),
}

impl<T: Serialize> Frame<T> {
    fn write(&self, codec: &Codec) -> Vec<u8> {
        let (envelope, value) = match self {
            Self::Invoke { id: Some(id), method, meta, args } => {
                (Envelope::Call { id: *id, kind: Kind::Unary, method, meta }, args)
            }
            Self::Invoke { id: None, method, meta, args } => (Envelope::Notify { method, meta }, args),
            Self::Ok { id, value } => (Envelope::Ok { id: *id }, value),
            Self::Item { id, value } => (Envelope::Item { id: *id }, value),
            Self::Hello(hello) => return codec.control(Control::Hello(hello)),
            Self::OkEmpty { id } => return codec.control(Control::Done { id: *id }),
            Self::Err { id, status } => return codec.control(Control::Err { id: *id, status }),
            Self::End { id } => return codec.control(Control::End { id: *id }),
            Self::Cancel { id } => return codec.control(Control::Cancel { id: *id }),
            Self::Credit { id, more } => return codec.control(Control::Credit { id: *id, more: *more }),
            Self::Ping => return codec.control(Control::Ping),
            Self::GoAway(go_away) => return codec.control(Control::GoAway(go_away)),
            Self::Answer(bytes) => return bytes.clone(),
        };
        codec.frame(envelope, value).unwrap()
    }
}

/// Writes frames as one message.
fn write<T: Serialize>(codec: &Codec, frames: &[Frame<T>]) -> Message {
    let frames: Vec<_> = frames.iter().map(|frame| frame.write(codec)).collect();
    codec.message(frames.join(codec.separator().unwrap()))
}

/// What may be wrong with a message.
#[derive(Debug, PartialEq)]
enum Wrong {
    Frame(BadFrame),
    /// The frames are whole, but a payload does not fit.
    Payload(ConvertErrorKind),
}

/// Reads all frames of a message, each by a reader of its own that begins where the last one has stopped. No test's payload can be made of null, so an absent value is told by that.
fn read<T: DeserializeOwned>(codec: &Codec, message: &Message) -> Result<Vec<Frame<T>>, Wrong> {
    let mut reader = codec.reader(message);
    let (mut frames, mut wrong) = (Vec::new(), None);
    while let Some(head) = reader.next().map_err(Wrong::Frame)? {
        if let Head::Item { id } = head {
            // As where there is no memory for it.
            let _ = reader.payload::<T>();
            reader = codec.reader_at(message, reader.place_of_frame(message).unwrap());
            assert!(matches!(reader.next(), Ok(Some(Head::Item { id: again })) if again == id));
        }
        let payload = match head {
            Head::Invoke { .. } | Head::Ok { .. } | Head::Item { .. } => Some(reader.payload::<T>()),
            _ => None,
        };
        let tail = reader.finish().map_err(Wrong::Frame)?;
        reader = codec.reader_at(message, reader.place(message).unwrap());
        frames.push(match (head, payload) {
            (Head::Invoke { method }, Some(Ok(args))) => {
                Frame::Invoke { id: tail.id, method: method.into_owned(), meta: tail.meta, args }
            }
            (Head::Ok { id }, Some(Ok(value))) => Frame::Ok { id, value },
            (Head::Ok { id }, Some(Err(_))) => Frame::OkEmpty { id },
            (Head::Item { id }, Some(Ok(value))) => Frame::Item { id, value },
            (_, Some(Err(error))) => {
                wrong = wrong.or(Some(error.kind()));
                continue;
            }
            (Head::Hello(hello), _) => Frame::Hello(hello),
            (Head::Err { id, status }, _) => Frame::Err { id, status },
            (Head::End { id }, _) => Frame::End { id },
            (Head::Cancel { id }, _) => Frame::Cancel { id },
            (Head::Credit { id, more }, _) => Frame::Credit { id, more },
            (Head::Ping, _) => Frame::Ping,
            (Head::GoAway(go_away), _) => Frame::GoAway(go_away),
            (Head::Answer(bytes), _) => Frame::Answer(bytes),
            (Head::Nothing, _) => continue,
            (head, None) => unreachable!("{head:?} has a payload"),
        });
    }
    wrong.map_or(Ok(frames), |kind| Err(Wrong::Payload(kind)))
}

/// Reads bytes as the message that this codec would get.
fn read_bytes<T: DeserializeOwned>(codec: &Codec, bytes: &[u8]) -> Result<Vec<Frame<T>>, Wrong> {
    read(codec, &codec.message(bytes.to_vec()))
}

fn bad<T: DeserializeOwned + Debug>(codec: &Codec, bytes: &[u8]) -> String {
    match read_bytes::<T>(codec, bytes) {
        Err(Wrong::Frame(bad)) => {
            assert!(bad.text().len() <= 100);
            bad.text().to_owned()
        }
        other => panic!("{:?} is read as {other:?}", String::from_utf8_lossy(bytes)),
    }
}

/// A format that does not describe itself.
struct Postcard;

impl ContentConverter for Postcard {
    fn format(&self) -> Format {
        Format::Binary
    }

    fn subprotocol(&self) -> &str {
        "postcard"
    }

    fn encode<T: Serialize + ?Sized>(&self, value: &T, out: &mut Vec<u8>) -> Result<(), ConvertError> {
        let written = postcard::to_io(value, out).map(|_| ());
        written.map_err(|error| ConvertError::new(ConvertErrorKind::Encode, error.to_string()))
    }

    fn decode_seed<'de, S>(&self, seed: S, bytes: &'de [u8]) -> Result<S::Value, ConvertError>
    where
        S: DeserializeSeed<'de>,
    {
        match self.decode_prefix_seed(seed, bytes)? {
            (value, len) if len == bytes.len() => Ok(value),
            _ => Err(ConvertError::new(ConvertErrorKind::TrailingBytes, "bytes follow the value")),
        }
    }

    fn decode_prefix_seed<'de, S>(&self, seed: S, bytes: &'de [u8]) -> Result<(S::Value, usize), ConvertError>
    where
        S: DeserializeSeed<'de>,
    {
        let mut deserializer = postcard::Deserializer::from_bytes(bytes);
        let decoded = seed.deserialize(&mut deserializer);
        let decoded = decoded.and_then(|value| Ok((value, deserializer.finalize()?.len())));
        match decoded {
            Ok((value, left)) => Ok((value, bytes.len() - left)),
            Err(error) => Err(ConvertError::new(ConvertErrorKind::Decode, error.to_string())),
        }
    }
}

fn codec(converter: impl ContentConverter) -> Codec {
    Codec::native(AnyConverter::new(converter))
}

fn json() -> Codec {
    codec(converse_json::JsonConverter::default())
}

fn msgpack() -> Codec {
    codec(converse_msgpack::MessagePackConverter::default())
}

fn cbor() -> Codec {
    codec(converse_cbor::CborConverter::default())
}

fn plain() -> Codec {
    codec(Postcard)
}
