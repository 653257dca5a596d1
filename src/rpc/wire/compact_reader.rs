//! Reads frames that are arrays. Knows no writing but that of an answer.

use bytes::Bytes;
use converse_core::{ContentConverter, ConvertError};
use serde::Deserialize;

use super::{
    Array, BadFrame, Codec, Control, Head, Tail, codes, compact::kind, metadata::Incoming, number,
    payload::Payload, plain, text::Text,
};
use crate::rpc::{Code, Metadata, Status, status::StatusData, window::Window};

/// Reads the frames of one message.
pub(crate) struct CompactReader<'m> {
    codec: &'m Codec,
    array: Array,
    /// What is not read yet; of the frame only, where frames tell their length.
    rest: &'m [u8],
    /// The frames behind this one, where frames tell their length.
    behind: &'m [u8],
    payload: Payload<'m>,
    tail: Tail,
    /// How many bytes were not read when the frame began.
    begun: usize,
}

impl<'m> CompactReader<'m> {
    pub(super) fn new(codec: &'m Codec, array: Array, bytes: &'m [u8]) -> Self {
        let (rest, behind) = match array {
            Array::Plain => (&[][..], bytes),
            _ => (bytes, &[][..]),
        };
        Self { codec, array, rest, behind, payload: Payload::None, tail: Tail::default(), begun: 0 }
    }

    /// Returns how many bytes were not read yet when the frame began.
    pub(super) fn begun(&self) -> usize {
        self.begun
    }

    /// Returns how many bytes are not read yet, between two frames.
    pub(super) fn left(&self) -> usize {
        self.rest.len() + self.behind.len()
    }

    pub(super) fn next(&mut self) -> Result<Option<Head<'m>>, BadFrame> {
        self.begun = self.unread();
        if self.begun == 0 {
            return Ok(None);
        }
        self.payload = Payload::None;
        self.tail = Tail::default();
        let count = self.count()?;
        if count == 0 {
            return Err(BadFrame::new("a frame is an empty array"));
        }
        let kind = self.number()?;
        self.head(kind, count).map(Some)
    }

    pub(super) fn payload<T: Deserialize<'m>>(&mut self) -> Result<T, ConvertError> {
        self.payload.decode(&self.codec.converter, &mut self.rest)
    }

    pub(super) fn finish(&mut self) -> Result<Tail, BadFrame> {
        self.payload.pass(&self.codec.converter, &mut self.rest)?;
        if self.array == Array::Plain && !self.rest.is_empty() {
            return Err(BadFrame::new("a frame is longer than what is in it"));
        }
        self.tail.len = self.begun - self.unread();
        Ok(std::mem::take(&mut self.tail))
    }

    fn unread(&self) -> usize {
        self.rest.len() + self.behind.len()
    }

    /// Reads how many elements the frame has.
    fn count(&mut self) -> Result<u32, BadFrame> {
        if self.array == Array::Plain {
            (self.rest, self.behind) = plain::split(&self.codec.converter, self.behind)?;
            return self.element::<u8>().map(u32::from);
        }
        let (&first, mut rest) = self.rest.split_first().ok_or_else(no_array)?;
        let (short, digits) = match (self.array, first) {
            (Array::MessagePack, 0x90..=0x9f) => (first & 0x0f, 0),
            (Array::MessagePack, 0xdc) => (0, 2),
            (Array::MessagePack, 0xdd) => (0, 4),
            (Array::Cbor, 0x80..=0x97) => (first & 0x1f, 0),
            (Array::Cbor, 0x98) => (0, 1),
            (Array::Cbor, 0x99) => (0, 2),
            (Array::Cbor, 0x9a) => (0, 4),
            _ => return Err(no_array()),
        };
        let mut count = u32::from(short);
        for _ in 0..digits {
            let (&digit, behind) = rest.split_first().ok_or_else(no_array)?;
            (count, rest) = (count << 8 | u32::from(digit), behind);
        }
        self.rest = rest;
        Ok(count)
    }

    /// Reads the next element.
    fn element<T: Deserialize<'m>>(&mut self) -> Result<T, BadFrame> {
        let (value, len) = self.codec.converter.decode_prefix(self.rest)?;
        self.rest = self.rest.get(len..).unwrap_or_default();
        Ok(value)
    }

    /// Reads the next element, a number.
    fn number(&mut self) -> Result<u32, BadFrame> {
        let Some((number, len)) = number::take(self.array, self.rest) else { return self.element() };
        self.rest = self.rest.get(len..).unwrap_or_default();
        Ok(number)
    }

    /// Reads the id of the call.
    fn id(&mut self) -> Result<u32, BadFrame> {
        let id = self.number()?;
        self.tail.id = Some(id);
        Ok(id)
    }

    /// Reads a frame up to its payload.
    fn head(&mut self, kind: u32, count: u32) -> Result<Head<'m>, BadFrame> {
        Ok(match (kind, count) {
            (kind::HELLO, 2) => Head::Hello(self.element()?),
            (kind::CALL, 4 | 5) => {
                self.id()?;
                self.invoke(count == 5)?
            }
            (kind::NOTIFY, 3 | 4) => self.invoke(count == 4)?,
            (kind::OK, 2 | 3) => {
                let id = self.id()?;
                self.payload = if count == 3 { self.last() } else { Payload::Whole(&self.codec.null) };
                Head::Ok { id }
            }
            (kind::ERR, 4 | 5) => self.err(count == 5)?,
            (kind::ITEM, 3) => {
                let id = self.id()?;
                self.payload = self.last();
                Head::Item { id }
            }
            (kind::END, 2) => Head::End { id: self.id()? },
            (kind::CANCEL, 2) => Head::Cancel { id: self.id()? },
            (kind::CREDIT, 4) => {
                let id = self.id()?;
                Head::Credit { id, more: Window { items: self.number()?, bytes: self.number()? } }
            }
            (kind::PING, 1) => Head::Ping,
            (kind::GO_AWAY, 2) => Head::GoAway(self.element()?),
            (kind::HELLO..=kind::CREDIT | kind::PING | kind::GO_AWAY, _) => {
                return Err(BadFrame::new(format!("a frame of kind {kind} has {count} elements")));
            }
            _ => self.unknown(kind, count)?,
        })
    }

    fn invoke(&mut self, has_meta: bool) -> Result<Head<'m>, BadFrame> {
        let method = self.element::<Text<'m>>()?.0;
        if has_meta {
            self.tail.meta = Metadata::from(self.element::<Incoming>()?);
        }
        self.payload = self.last();
        Ok(Head::Invoke { method })
    }

    fn err(&mut self, has_data: bool) -> Result<Head<'m>, BadFrame> {
        let id = self.id()?;
        let code = codes::from_compact(self.element()?);
        let status = Status::new(code, self.element::<Text<'m>>()?.0);
        let data = if has_data { Some(self.last_bytes()?) } else { None };
        let data = data.map(|bytes| StatusData {
            converter: self.codec.converter.clone(),
            bytes: Bytes::copy_from_slice(bytes),
        });
        Ok(Head::Err { id, status: status.with_data(data) })
    }

    /// Passes a frame that a later version may know.
    fn unknown(&mut self, kind: u32, count: u32) -> Result<Head<'m>, BadFrame> {
        if self.array == Array::Plain {
            self.rest = &[];
        } else {
            for _ in 1..count {
                self.last_bytes()?;
            }
        }
        let status = Status::new(Code::UNIMPLEMENTED, format!("unknown frame kind {kind}"));
        let answer = self.codec.control(Control::Err { id: 0, status: &status });
        Ok(Head::Answer(answer))
    }

    /// Finds the payload where it is the last element.
    fn last(&mut self) -> Payload<'m> {
        match self.array {
            Array::Plain => Payload::Whole(std::mem::take(&mut self.rest)),
            _ => Payload::Ahead,
        }
    }

    /// Takes the bytes of the last element.
    fn last_bytes(&mut self) -> Result<&'m [u8], BadFrame> {
        if self.array == Array::Plain {
            return Ok(std::mem::take(&mut self.rest));
        }
        let len = self.codec.converter.prefix_len(self.rest)?;
        let (bytes, rest) = self.rest.split_at_checked(len).unwrap_or((self.rest, &[]));
        self.rest = rest;
        Ok(bytes)
    }
}

fn no_array() -> BadFrame {
    BadFrame::new("a frame is no array of known length")
}
