//! Reads frames that are JSON objects, with their keys in any order. Knows no writing but that of an answer.

use std::borrow::Cow;

use bytes::Bytes;
use converse_core::ConvertError;
use serde::Deserialize;

use super::{
    BadFrame, Codec, Control, Head, Tail, codes,
    hello::{GoAway, Hello},
    metadata::Incoming,
    object::{Object, trim_start},
    payload::Payload,
    text::Text,
};
use crate::{
    rpc::{Code, Metadata, Status, status::StatusData, window::Window},
    session::AnyConverter,
};

/// Reads the frames of one message.
pub(crate) struct JsonReader<'m> {
    codec: &'m Codec,
    /// What is behind the frame, or from its payload on where it stopped there.
    rest: &'m [u8],
    /// The frame where it stopped at its payload.
    object: Option<Object<'m, 'm>>,
    seen: Keys,
    fields: Fields<'m>,
    payload: Payload<'m>,
    /// How many bytes were not read when the frame began.
    begun: usize,
}

/// What the keys of a frame said.
#[derive(Default)]
struct Fields<'m> {
    id: u32,
    method: Cow<'m, str>,
    meta: Metadata,
    status: Option<Status>,
    hello: Option<Hello>,
    go_away: Option<GoAway>,
    cancel: u32,
    credit: Option<Window>,
}

impl<'m> JsonReader<'m> {
    pub(super) fn new(codec: &'m Codec, rest: &'m [u8]) -> Self {
        let (seen, fields) = (Keys::default(), Fields::default());
        Self { codec, rest, object: None, seen, fields, payload: Payload::None, begun: 0 }
    }

    /// Returns how many bytes were not read yet when the frame began.
    pub(super) fn begun(&self) -> usize {
        self.begun
    }

    /// Returns how many bytes are not read yet, between two frames.
    pub(super) fn left(&self) -> usize {
        self.rest.len()
    }

    pub(super) fn next(&mut self) -> Result<Option<Head<'m>>, BadFrame> {
        self.rest = trim_start(self.rest);
        if self.rest.is_empty() {
            return Ok(None);
        }
        self.begun = self.rest.len();
        (self.seen, self.fields, self.payload) = (Keys::default(), Fields::default(), Payload::None);
        let mut object = Object::begin(&self.codec.converter, self.rest)?;
        let stopped = self.walk(&mut object, true)?;
        self.rest = object.rest();
        if stopped {
            self.object = Some(object);
        }
        self.head().map(Some)
    }

    pub(super) fn payload<T: Deserialize<'m>>(&mut self) -> Result<T, ConvertError> {
        match (&mut self.object, self.payload) {
            (Some(object), Payload::Ahead) => {
                let value = object.value()?;
                self.payload = Payload::None;
                Ok(value)
            }
            _ => self.payload.decode(&self.codec.converter, &mut self.rest),
        }
    }

    pub(super) fn finish(&mut self) -> Result<Tail, BadFrame> {
        if let Some(mut object) = self.object.take() {
            self.walk(&mut object, false)?;
            self.rest = object.rest();
            self.seen.shape()?;
        }
        let id = self.seen.has(Keys::ID).then_some(self.fields.id);
        Ok(Tail { id, meta: std::mem::take(&mut self.fields.meta), len: self.begun - self.rest.len() })
    }

    /// Reads keys, to the end of the object or, if it may `stop`, to a payload that can be decoded where it stands.
    /// Tells whether it stopped.
    fn walk(&mut self, object: &mut Object<'m, 'm>, stop: bool) -> Result<bool, BadFrame> {
        while let Some(name) = object.next_key()? {
            let key = Keys::named(&name);
            if self.seen.has(key) && key != Keys::UNKNOWN {
                return Err(BadFrame::new(format!("the key {name:?} comes twice")));
            }
            let ready = stop && self.seen.lets_decode(key);
            self.seen.insert(key);
            if ready {
                self.payload = Payload::Ahead;
                return Ok(true);
            }
            self.field(key, object)?;
        }
        Ok(false)
    }

    /// Reads the value of a key.
    fn field(&mut self, key: u16, object: &mut Object<'m, 'm>) -> Result<(), BadFrame> {
        let fields = &mut self.fields;
        match key {
            Keys::ID => fields.id = object.value()?,
            Keys::METHOD => fields.method = object.value::<Text<'m>>()?.0,
            Keys::META => fields.meta = object.value::<Incoming>()?.into(),
            Keys::PARAMS | Keys::RESULT | Keys::ITEM => self.payload = Payload::Whole(object.skip()?),
            Keys::ERROR => fields.status = Some(error_object(&self.codec.converter, object.skip()?)?.1),
            Keys::END if !object.value::<bool>()? => return Err(BadFrame::new("an end that is not true")),
            Keys::END => {}
            Keys::CANCEL => fields.cancel = object.value()?,
            Keys::CREDIT => fields.credit = Some(object.value()?),
            Keys::HELLO => fields.hello = Some(object.value()?),
            Keys::GO_AWAY => fields.go_away = Some(object.value()?),
            _ => object.skip().map(|_| ())?,
        }
        Ok(())
    }

    /// Tells what the frame is by the keys it has so far.
    fn head(&mut self) -> Result<Head<'m>, BadFrame> {
        let fields = &mut self.fields;
        let id = fields.id;
        let shape = self.seen.shape()?;
        let head = match shape {
            Keys::METHOD => Some(Head::Invoke { method: std::mem::take(&mut fields.method) }),
            Keys::RESULT => Some(Head::Ok { id }),
            Keys::ITEM => Some(Head::Item { id }),
            Keys::ERROR => fields.status.take().map(|status| Head::Err { id, status }),
            Keys::END => Some(Head::End { id }),
            Keys::CANCEL => Some(Head::Cancel { id: fields.cancel }),
            Keys::CREDIT => fields.credit.map(|more| Head::Credit { id, more }),
            Keys::HELLO => fields.hello.take().map(Head::Hello),
            Keys::GO_AWAY => fields.go_away.take().map(Head::GoAway),
            Keys::UNKNOWN => Some(self.unknown()),
            _ => Some(Head::Ping),
        };
        if shape == Keys::METHOD && !self.seen.has(Keys::PARAMS) {
            self.payload = Payload::Whole(b"[]");
        }
        head.ok_or_else(mixed)
    }

    fn unknown(&mut self) -> Head<'m> {
        let status = Status::new(Code::UNIMPLEMENTED, "unknown frame");
        Head::Answer(self.codec.control(Control::Err { id: 0, status: &status }))
    }
}

/// Reads the value of `error`, with its code as it travels.
pub(super) fn error_object(converter: &AnyConverter, bytes: &[u8]) -> Result<(i64, Status), BadFrame> {
    let (mut code, mut message, mut data) = (None, None, None);
    let mut object = Object::begin(converter, bytes)?;
    while let Some(name) = object.next_key()? {
        let twice = match &*name {
            "code" => code.replace(object.value::<i64>()?).is_some(),
            "message" => message.replace(object.value::<Text<'_>>()?.0).is_some(),
            "data" => data.replace(object.skip()?).is_some(),
            _ => false,
        };
        if twice {
            return Err(BadFrame::new(format!("the key {name:?} comes twice")));
        }
    }
    let code = code.ok_or_else(|| BadFrame::new("an error without a code"))?;
    let data =
        data.map(|data| StatusData { converter: converter.clone(), bytes: Bytes::copy_from_slice(data) });
    let status = Status::new(codes::from_json(code), message.unwrap_or_default());
    Ok((code, status.with_data(data)))
}

/// Which keys a frame has.
#[derive(Clone, Copy, Default)]
struct Keys(u16);

impl Keys {
    const ID: u16 = 1;
    const METHOD: u16 = 1 << 1;
    const PARAMS: u16 = 1 << 2;
    const META: u16 = 1 << 3;
    const RESULT: u16 = 1 << 4;
    const ERROR: u16 = 1 << 5;
    const ITEM: u16 = 1 << 6;
    const END: u16 = 1 << 7;
    const CANCEL: u16 = 1 << 8;
    const CREDIT: u16 = 1 << 9;
    const HELLO: u16 = 1 << 10;
    const GO_AWAY: u16 = 1 << 11;
    /// All others.
    const UNKNOWN: u16 = 1 << 12;

    fn named(name: &str) -> u16 {
        match name {
            "id" => Self::ID,
            "method" => Self::METHOD,
            "params" => Self::PARAMS,
            "meta" => Self::META,
            "result" => Self::RESULT,
            "error" => Self::ERROR,
            "item" => Self::ITEM,
            "end" => Self::END,
            "cancel" => Self::CANCEL,
            "credit" => Self::CREDIT,
            "hello" => Self::HELLO,
            "goaway" => Self::GO_AWAY,
            _ => Self::UNKNOWN,
        }
    }

    fn has(self, key: u16) -> bool {
        self.0 & key != 0
    }

    fn insert(&mut self, key: u16) {
        self.0 |= key;
    }

    /// Tells whether this key's value is a payload and the keys before it say all that is needed to decode it.
    fn lets_decode(self, key: u16) -> bool {
        let before = self.0 & !Self::UNKNOWN;
        match key {
            Self::PARAMS => before & !(Self::ID | Self::META) == Self::METHOD,
            Self::RESULT | Self::ITEM => before == Self::ID,
            _ => false,
        }
    }

    /// Returns the key that says what the frame is: none for a ping.
    fn shape(self) -> Result<u16, BadFrame> {
        const EMPTY: u16 = 0;
        let known = self.0 & !Keys::UNKNOWN;
        let beside = |key: u16| known & !key;
        for key in [Self::RESULT, Self::ITEM, Self::END, Self::CREDIT] {
            if self.has(key) && beside(key) == Self::ID {
                return Ok(key);
            }
        }
        for key in [Self::CANCEL, Self::HELLO, Self::GO_AWAY] {
            if known == key {
                return Ok(key);
            }
        }
        if self.has(Self::METHOD) && beside(Self::METHOD) & !(Self::ID | Self::PARAMS | Self::META) == 0 {
            return Ok(Self::METHOD);
        }
        if self.has(Self::ERROR) && beside(Self::ERROR) & !Self::ID == 0 {
            return Ok(Self::ERROR);
        }
        let unspecific = known & !(Self::ID | Self::PARAMS | Self::META) == 0;
        match (self.has(Self::UNKNOWN), known) {
            (true, _) if unspecific => Ok(Self::UNKNOWN),
            (false, EMPTY) => Ok(EMPTY),
            _ => Err(mixed()),
        }
    }
}

fn mixed() -> BadFrame {
    BadFrame::new("a frame is several at once, or lacks a key")
}
