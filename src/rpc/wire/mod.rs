//! Bytes and frames of a conversation. Knows no table and no task.
//!
//! A frame is written whole and read in three steps: its head, which tells what it is; its payload, which is decoded
//! as the type that the head asks for; and its tail, where JSON may have put what stands in front elsewhere.

mod bad_frame;
mod codes;
mod compact;
mod compact_reader;
mod hello;
mod json;
mod json_reader;
mod json_rpc;
mod map;
mod metadata;
mod number;
mod object;
mod payload;
mod place;
mod plain;
#[cfg(all(test, feature = "json", feature = "msgpack", feature = "cbor"))]
mod tests;
mod text;

use std::{
    borrow::Cow,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use bytes::Bytes;
use converse_core::{ContentConverter, ConvertError, ConvertErrorKind, Format, Message, Utf8Bytes};
use serde::{Deserialize, Serialize};

pub(crate) use bad_frame::BadFrame;
pub(crate) use hello::{GoAway, Hello};
pub(crate) use place::Place;

use crate::{
    frame::Role,
    rpc::{Kind, Metadata, Status, window::Window},
    session::{Account, AnyConverter},
};
use compact_reader::CompactReader;
use json_reader::JsonReader;
use json_rpc::{JsonRpc, JsonRpcReader};

/// Bytes that a short frame fits in, so that writing it allocates once.
const FRAME: usize = 64;
/// Bytes that a frame's buffer may be longer than the frame.
const SPARE: usize = 4 * 1024;

/// Writes and reads the frames of one conversation.
pub(crate) struct Codec {
    converter: AnyConverter,
    layout: Layout,
    /// What an absent value decodes from.
    null: Vec<u8>,
}

/// How frames are put into bytes. What is in them is the converter's.
enum Layout {
    Json,
    Compact(Array),
    #[cfg_attr(not(feature = "json"), allow(dead_code))]
    JsonRpc(Box<JsonRpc>),
}

/// How an array of elements is put into bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Array {
    MessagePack,
    Cbor,
    Plain,
}

/// What a frame is, up to its payload.
#[derive(Debug, PartialEq)]
pub(crate) enum Head<'m> {
    Hello(Hello),
    /// A call, or a notification: the tail tells. The payload is the arguments.
    Invoke {
        method: Cow<'m, str>,
    },
    /// The payload is the value.
    Ok {
        id: u32,
    },
    Err {
        id: u32,
        status: Status,
    },
    /// The payload is the item.
    Item {
        id: u32,
    },
    End {
        id: u32,
    },
    Cancel {
        id: u32,
    },
    Credit {
        id: u32,
        more: Window,
    },
    Ping,
    GoAway(GoAway),
    /// Something that is answered with this frame and with nothing else.
    Answer(Vec<u8>),
    /// Something that was done with when it was read.
    Nothing,
}

/// A frame that carries a value of the application, up to that value.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Envelope<'a> {
    Call { id: u32, kind: Kind, method: &'a str, meta: &'a Metadata },
    Notify { method: &'a str, meta: &'a Metadata },
    Ok { id: u32 },
    Item { id: u32 },
}

/// A frame that carries none.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Control<'a> {
    Hello(&'a Hello),
    /// Ends a call that gives no value, such as one whose items have all been sent.
    Done {
        id: u32,
    },
    /// Ends a call that failed; `id` 0: about no call. Data goes as it is, and only to a peer of its own format.
    Err {
        id: u32,
        status: &'a Status,
    },
    End {
        id: u32,
    },
    Cancel {
        id: u32,
    },
    Credit {
        id: u32,
        more: Window,
    },
    Ping,
    GoAway(&'a GoAway),
}

/// What is known of a frame when it is read to its end.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Tail {
    /// The call's; `None` for what speaks of no call, such as a notification.
    pub(crate) id: Option<u32>,
    pub(crate) meta: Metadata,
    /// Bytes of the frame as it stands in the message, without what separates it from others.
    pub(crate) len: usize,
}

/// Reads the frames of one message.
pub(crate) enum Reader<'m> {
    Json(JsonReader<'m>),
    Compact(CompactReader<'m>),
    JsonRpc(JsonRpcReader<'m>),
    /// A text message where the format is binary.
    Inapplicable(BadFrame),
}

impl Codec {
    /// Writes frames with a converter: as JSON objects, or as compact arrays in any other format.
    ///
    /// A converter that does not tell where a value ends (see `ContentConverter::decode_prefix_seed`) reads no frame.
    pub(crate) fn native(converter: AnyConverter) -> Self {
        let layout = match converter.subprotocol() {
            "json" => Layout::Json,
            "msgpack" => Layout::Compact(Array::MessagePack),
            "cbor" => Layout::Compact(Array::Cbor),
            _ => Layout::Compact(Array::Plain),
        };
        let mut null = Vec::new();
        // A converter that cannot express it has no absent values.
        let _ = converter.encode(&(), &mut null);
        Self { converter, layout, null }
    }

    /// Writes the messages of JSON-RPC 2.0, with a converter that writes JSON, at this end of a connection. What waits
    /// for others is charged to the account.
    #[cfg_attr(not(feature = "json"), allow(dead_code))]
    pub(crate) fn json_rpc(converter: AnyConverter, role: Role, account: &Arc<Account>) -> Self {
        let rpc = JsonRpc::new(role, Arc::clone(account));
        Self { converter, layout: Layout::JsonRpc(Box::new(rpc)), null: b"null".to_vec() }
    }

    /// Returns the converter of the values.
    pub(crate) fn converter(&self) -> &AnyConverter {
        &self.converter
    }

    /// Tells whether the frames are those of JSON-RPC 2.0.
    pub(crate) fn is_json_rpc(&self) -> bool {
        matches!(self.layout, Layout::JsonRpc(_))
    }

    /// Announces the stream that a call is answered with, before its first item. May write nothing.
    pub(crate) fn accept(&self, id: u32, method: &str, out: &mut Vec<u8>) {
        if let Layout::JsonRpc(rpc) = &self.layout {
            rpc.accept(&self.converter, id, method, out);
        }
    }

    /// Takes back a call of this end whose frame was written and will not be sent.
    pub(crate) fn forget(&self, id: u32) {
        if let Layout::JsonRpc(rpc) = &self.layout {
            rpc.forget(id);
        }
    }

    /// Lets go of what waits to be sent: the conversation has ended.
    pub(crate) fn end(&self) {
        if let Layout::JsonRpc(rpc) = &self.layout {
            rpc.end();
        }
    }

    /// Takes the one frame that ends a call which was served, just before it is sent, and gives what is to be sent.
    pub(crate) fn commit(&self, id: u32, frame: Vec<u8>) -> Option<Vec<u8>> {
        match &self.layout {
            Layout::JsonRpc(rpc) => rpc.commit(&self.converter, id, frame),
            _ => Some(frame),
        }
    }

    /// Returns what stands between two frames in one message; `None` where each frame is a message of its own.
    pub(crate) fn separator(&self) -> Option<&'static [u8]> {
        match self.layout {
            Layout::Json => Some(b"\n"),
            Layout::Compact(_) => Some(b""),
            Layout::JsonRpc(_) => None,
        }
    }

    /// Builds the message of frames that were written here.
    pub(crate) fn message(&self, frames: Vec<u8>) -> Message {
        let frames = Bytes::from(frames);
        match self.converter.format() {
            Format::Binary => Message::Binary(frames),
            // A converter's text was checked when it was written, so the second arm is for none that is known.
            Format::Text => {
                Utf8Bytes::try_from(frames).map_or_else(|invalid| Message::Binary(invalid.0), Message::Text)
            }
        }
    }

    /// Writes a frame that carries a value.
    pub(crate) fn frame<T>(&self, envelope: Envelope<'_>, value: &T) -> Result<Vec<u8>, ConvertError>
    where
        T: Serialize + ?Sized,
    {
        let (converter, mut out) = (&self.converter, Vec::with_capacity(FRAME));
        match &self.layout {
            Layout::Json => json::frame(converter, envelope, value, &mut out)?,
            Layout::Compact(array) => compact::frame(converter, *array, envelope, value, &mut out)?,
            Layout::JsonRpc(rpc) => rpc.frame(converter, envelope, value, &mut out)?,
        }
        // A buffer that has grown by doubling would wait with up to twice the frame's bytes.
        if out.capacity() - out.len() > SPARE {
            out.shrink_to_fit();
        }
        Ok(out)
    }

    /// Writes a frame that carries none: empty where the layout has no words for it.
    pub(crate) fn control(&self, control: Control<'_>) -> Vec<u8> {
        let (converter, mut out) = (&self.converter, Vec::new());
        let written = match &self.layout {
            Layout::Json => json::control(converter, control, &mut out),
            Layout::Compact(array) => compact::control(converter, *array, control, &mut out),
            Layout::JsonRpc(rpc) => rpc.control(converter, control, &mut out),
        };
        // Numbers and text every converter writes (`native` has tried).
        written.map_or_else(|_| Vec::new(), |()| out)
    }

    /// Reads the frames of a message.
    #[cfg(test)]
    pub(crate) fn reader<'m>(&'m self, message: &'m Message) -> Reader<'m> {
        self.reader_at(message, Place::default())
    }

    /// Reads the frames of a message, from a place on.
    pub(crate) fn reader_at<'m>(&'m self, message: &'m Message, place: Place) -> Reader<'m> {
        if !self.converter.is_applicable(message) {
            let kind = if message.is_text() { "text" } else { "binary" };
            let text = format!("{} frames do not come in {kind} messages", self.converter.subprotocol());
            return Reader::Inapplicable(BadFrame::new(text));
        }
        let bytes = message.as_bytes();
        match &self.layout {
            Layout::Json => Reader::Json(JsonReader::new(self, place.rest(bytes))),
            Layout::Compact(array) => Reader::Compact(CompactReader::new(self, *array, place.rest(bytes))),
            Layout::JsonRpc(rpc) => Reader::JsonRpc(JsonRpcReader::new(&self.converter, rpc, bytes, place)),
        }
    }
}

impl<'m> Reader<'m> {
    /// Reads the next frame up to its payload; `None` at the end of the message. [`finish`](Self::finish) follows.
    pub(crate) fn next(&mut self) -> Result<Option<Head<'m>>, BadFrame> {
        match self {
            Self::Json(reader) => reader.next(),
            Self::Compact(reader) => reader.next(),
            Self::JsonRpc(reader) => reader.next(),
            Self::Inapplicable(bad) => Err(bad.clone()),
        }
    }

    /// Returns where the frames begin that were not read yet, of the message that the reader was made for. `None` where
    /// what comes next does not stand in it.
    pub(crate) fn place(&self, message: &Message) -> Option<Place> {
        match self {
            Self::Json(reader) => Some(Place::At(message.len() - reader.left())),
            Self::Compact(reader) => Some(Place::At(message.len() - reader.left())),
            Self::JsonRpc(reader) => reader.place(),
            Self::Inapplicable(_) => None,
        }
    }

    /// Tells whether the frame that `next` gave can be read again.
    pub(crate) fn can_go_back(&self) -> bool {
        match self {
            Self::Json(_) | Self::Compact(_) => true,
            Self::JsonRpc(reader) => reader.can_go_back(),
            Self::Inapplicable(_) => false,
        }
    }

    /// Returns where that frame begins; `None` where it cannot be read again.
    pub(crate) fn place_of_frame(&self, message: &Message) -> Option<Place> {
        match self {
            Self::Json(reader) => Some(Place::At(message.len() - reader.begun())),
            Self::Compact(reader) => Some(Place::At(message.len() - reader.begun())),
            Self::JsonRpc(reader) => reader.place_of_frame(),
            Self::Inapplicable(_) => None,
        }
    }

    /// Decodes the payload of the frame that `next` gave, once. An absent one decodes as null, absent arguments as an
    /// empty array. When that fails, the frame is still to be finished, which passes the payload.
    pub(crate) fn payload<T: Deserialize<'m>>(&mut self) -> Result<T, ConvertError> {
        let decode = AssertUnwindSafe(|| match self {
            Self::Json(reader) => reader.payload(),
            Self::Compact(reader) => reader.payload(),
            Self::JsonRpc(reader) => reader.payload(),
            Self::Inapplicable(bad) => {
                Err(ConvertError::new(ConvertErrorKind::NotApplicable, bad.text().to_owned()))
            }
        });
        // The application's code: what panics in it is its call, and not the connection.
        catch_unwind(decode).unwrap_or_else(|_| {
            tracing::error!(value = std::any::type_name::<T>(), "panicked when decoded");
            Err(ConvertError::new(ConvertErrorKind::Decode, "the value's type panicked when decoded"))
        })
    }

    /// Ends the frame that `next` gave: passes what was not decoded, and reads what comes late. Once more does nothing.
    pub(crate) fn finish(&mut self) -> Result<Tail, BadFrame> {
        match self {
            Self::Json(reader) => reader.finish(),
            Self::Compact(reader) => reader.finish(),
            Self::JsonRpc(reader) => reader.finish(),
            Self::Inapplicable(bad) => Err(bad.clone()),
        }
    }
}
