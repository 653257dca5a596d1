//! The payload of a message under way, which may be lent to be read into. Knows no frame.

use bytes::{BufMut, Bytes};
use converse_core::{Message, PayloadBuffer, Utf8Buffer, Utf8Error};

/// What a message under way has come to.
#[derive(Debug)]
pub(super) enum Payload {
    Text(Utf8Buffer),
    Binary(PayloadBuffer),
    /// It is being read into, and has so many bytes allocated.
    Lent(usize),
}

impl Payload {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Text(buffer) => buffer.len(),
            Self::Binary(buffer) => buffer.len(),
            Self::Lent(_) => 0,
        }
    }

    pub(super) fn capacity(&self) -> usize {
        match self {
            Self::Text(buffer) => buffer.capacity(),
            Self::Binary(buffer) => buffer.capacity(),
            Self::Lent(capacity) => *capacity,
        }
    }

    /// Makes room for `add` more bytes of a message of at most `most`, as [`PayloadBuffer::reserve_within`] does.
    pub(super) fn reserve_within(&mut self, add: usize, most: usize, room: &mut usize) {
        match self {
            Self::Text(buffer) => buffer.reserve_within(add, most, room),
            Self::Binary(buffer) => buffer.reserve_within(add, most, room),
            Self::Lent(_) => {}
        }
    }

    /// Appends bytes; an error when text is not UTF-8.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<(), Utf8Error> {
        match self {
            Self::Text(buffer) => buffer.push(bytes)?,
            Self::Binary(buffer) => buffer.extend_from_slice(bytes),
            Self::Lent(_) => {}
        }
        Ok(())
    }

    /// Ends the message.
    pub(super) fn finish(self) -> Result<Message, Utf8Error> {
        match self {
            Self::Text(mut buffer) => {
                buffer.trim();
                buffer.finish().map(Message::Text)
            }
            Self::Binary(mut buffer) => {
                buffer.trim();
                Ok(Message::Binary(buffer.finish()))
            }
            Self::Lent(_) => Ok(Message::Binary(Bytes::new())),
        }
    }
}

/// A payload that is lent, and may have been read into.
#[derive(Debug)]
pub(crate) struct LentPayload {
    payload: Payload,
    before: usize,
    /// How many bytes may be read.
    most: usize,
}

impl LentPayload {
    /// Lends a payload of which `most` bytes more are to come, with room for some of them.
    pub(super) fn take(payload: &mut Payload, most: usize, mut room: usize) -> Self {
        let (len, capacity) = (payload.len(), payload.capacity());
        let total = len.saturating_add(most);
        match payload {
            Payload::Text(buffer) => buffer.take_kept(total, capacity.saturating_add(room)),
            Payload::Binary(buffer) => buffer.take_kept(total, capacity.saturating_add(room)),
            Payload::Lent(_) => {}
        }
        // Twice what has arrived, if there is no room yet.
        payload.reserve_within(1.min(most), total, &mut room);
        let lent = Payload::Lent(payload.capacity());
        Self { payload: std::mem::replace(payload, lent), before: len, most }
    }

    pub(super) fn into_payload(self) -> Payload {
        self.payload
    }

    /// Lends where to read to.
    pub(crate) fn read<R>(&mut self, read: impl FnOnce(&mut dyn BufMut) -> R) -> R {
        match &mut self.payload {
            Payload::Text(buffer) => read(&mut buffer.spare(self.most)),
            Payload::Binary(buffer) => read(&mut buffer.spare(self.most)),
            Payload::Lent(_) => read(&mut Vec::new().limit(0)),
        }
    }

    /// Returns what was read.
    pub(crate) fn added(&mut self) -> &mut [u8] {
        let added = self.payload.len() - self.before;
        let bytes = match &mut self.payload {
            // Of text, that which was found to be text cannot be changed any more.
            Payload::Text(buffer) => buffer.as_mut_slice(),
            Payload::Binary(buffer) => buffer.as_mut_slice(),
            Payload::Lent(_) => &mut [],
        };
        let before = bytes.len() - added;
        bytes.get_mut(before..).unwrap_or_default()
    }
}
