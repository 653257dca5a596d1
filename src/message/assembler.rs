//! Pieces of data frames → messages (RFC 6455 §5.4). Keeps the message limits where memory grows, and
//! validates text as it arrives (§8.1). Knows no control frame and no clock.

use bytes::Bytes;
use converse_core::{Message, PayloadBuffer, Utf8Buffer, Utf8Bytes};

use crate::{
    frame::{CloseCode, Frame, OpCode, Piece, ProtocolError},
    message::{
        FragmentCount,
        payload::{LentPayload, Payload},
    },
};

const NOT_UTF8: ProtocolError =
    ProtocolError::new(CloseCode::INVALID_PAYLOAD, "RFC 6455 §8.1", "text is not UTF-8");

/// Builds messages out of data frames.
#[derive(Debug)]
pub(crate) struct Assembler {
    max_message_size: u64,
    /// How many bytes may be allocated for messages of several pieces, where fewer than usual are enough.
    room: usize,
    /// Boxed: most messages are one whole frame and never get here.
    open: Option<Box<Open>>,
}

/// The message under way.
#[derive(Debug)]
struct Open {
    payload: Payload,
    frames: FragmentCount,
}

impl Assembler {
    /// Builds an assembler; a message over `max_message_size` bytes is refused.
    pub(crate) fn new(max_message_size: u64) -> Self {
        Self { max_message_size, room: usize::MAX, open: None }
    }

    /// Changes the limit, from the next frame on.
    pub(crate) fn set_max_message_size(&mut self, max_message_size: u64) {
        self.max_message_size = max_message_size;
    }

    /// Sets how many bytes may be allocated from now on, where fewer than usual are enough.
    pub(crate) fn set_room(&mut self, room: usize) {
        self.room = room;
    }

    /// Returns how many bytes are allocated for the message under way.
    pub(crate) fn held(&self) -> usize {
        self.open.as_ref().map_or(0, |open| open.payload.capacity())
    }

    /// Returns how many bytes the message under way takes without another allocation.
    pub(crate) fn spare(&self) -> usize {
        self.open.as_ref().map_or(0, |open| open.payload.capacity() - open.payload.len())
    }

    /// Tells whether a message has begun and not ended.
    pub(crate) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Returns how many bytes the open message may still take.
    pub(crate) fn budget(&self) -> u64 {
        let declared = self.open.as_ref().map_or(0, |open| open.frames.bytes());
        self.max_message_size.saturating_sub(declared)
    }

    /// Drops the message under way.
    pub(crate) fn clear(&mut self) {
        self.open = None;
    }

    /// Takes a piece of a data frame; returns the message that it completes.
    #[inline]
    pub(crate) fn piece(&mut self, piece: &Piece<'_>) -> Result<Option<Message>, ProtocolError> {
        let header = &piece.header;
        if piece.first {
            self.check(header.opcode, header.len)?;
            if header.fin && piece.remaining == 0 && header.opcode != OpCode::Continuation {
                return whole(header.opcode, PayloadBuffer::copy(piece.payload)).map(Some);
            }
            self.open(header.opcode).frames.add(header.len)?;
        }
        self.push(piece.payload, header.fin.then_some(piece.remaining))?;
        if header.fin && piece.remaining == 0 { self.finish() } else { Ok(None) }
    }

    /// Takes a whole data frame that extensions made; returns the message that it completes.
    pub(crate) fn frame(&mut self, frame: Frame) -> Result<Option<Message>, ProtocolError> {
        let Frame { fin, opcode, payload, .. } = frame;
        let len = payload.len() as u64;
        self.check(opcode, len)?;
        if fin && opcode != OpCode::Continuation {
            return whole(opcode, payload).map(Some);
        }
        self.open(opcode).frames.add_made(len);
        self.push(&payload, fin.then_some(0))?;
        if fin { self.finish() } else { Ok(None) }
    }

    /// Checks what a frame's header tells, before any of its payload is awaited.
    fn check(&self, opcode: OpCode, len: u64) -> Result<(), ProtocolError> {
        match (opcode, &self.open) {
            (OpCode::Continuation, None) => Err(ProtocolError::STRAY_CONTINUATION),
            (OpCode::Text | OpCode::Binary, Some(_)) => Err(ProtocolError::INTERLEAVED),
            _ if len > self.budget() => Err(ProtocolError::MESSAGE_TOO_BIG),
            _ => Ok(()),
        }
    }

    /// Returns the message under way, or begins one.
    fn open(&mut self, opcode: OpCode) -> &mut Open {
        self.open.get_or_insert_with(|| {
            let payload = match opcode {
                OpCode::Text => Payload::Text(Utf8Buffer::default()),
                _ => Payload::Binary(PayloadBuffer::default()),
            };
            Box::new(Open { payload, frames: FragmentCount::default() })
        })
    }

    /// Appends bytes; `remaining` tells how many more the message has, once that is known.
    fn push(&mut self, bytes: &[u8], remaining: Option<u64>) -> Result<(), ProtocolError> {
        let Self { max_message_size: limit, room, open } = self;
        let Some(open) = open else { return Ok(()) };
        let most = |len: usize| {
            let most = remaining.map_or(*limit, |more| (*limit).min((len + bytes.len()) as u64 + more));
            usize::try_from(most).unwrap_or(usize::MAX)
        };
        let payload = &mut open.payload;
        payload.reserve_within(bytes.len(), most(payload.len()), room);
        payload.push(bytes).map_err(|_| NOT_UTF8)
    }

    fn finish(&mut self) -> Result<Option<Message>, ProtocolError> {
        let finished = self.open.take().map(|open| open.payload.finish());
        finished.transpose().map_err(|_| NOT_UTF8)
    }

    /// Lends the payload of the message under way, whose frame has `most` bytes more, with room for some of them; so many
    /// bytes are allocated on top of it at most as `room` tells.
    pub(crate) fn lend(&mut self, most: usize, room: usize) -> Option<LentPayload> {
        let payload = &mut self.open.as_mut()?.payload;
        if matches!(payload, Payload::Lent(_)) { None } else { Some(LentPayload::take(payload, most, room)) }
    }

    /// Takes the payload back, with bytes of a frame of which `remaining` more follow; returns the message that they
    /// complete. One whose message was dropped meanwhile is dropped.
    pub(crate) fn take_back(
        &mut self,
        lent: LentPayload,
        fin: bool,
        remaining: u64,
    ) -> Result<Option<Message>, ProtocolError> {
        let Some(open) = self.open.as_mut().filter(|open| matches!(open.payload, Payload::Lent(_))) else {
            return Ok(None);
        };
        open.payload = lent.into_payload();
        open.payload.push(&[]).map_err(|_| NOT_UTF8)?;
        if fin && remaining == 0 { self.finish() } else { Ok(None) }
    }
}

/// Builds the message of a single frame.
#[inline]
pub(crate) fn whole(opcode: OpCode, payload: Bytes) -> Result<Message, ProtocolError> {
    match opcode {
        OpCode::Text => Utf8Bytes::try_from(payload).map(Message::Text).map_err(|_| NOT_UTF8),
        _ => Ok(Message::Binary(payload)),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn data(opcode: OpCode, payload: &'static [u8], fin: bool) -> Frame {
        Frame { fin, rsv: crate::frame::Rsv::NONE, opcode, payload: Bytes::from_static(payload) }
    }

    fn text_of(error: Result<Option<Message>, ProtocolError>) -> (u16, &'static str) {
        error.map_err(|error| (error.close_code().get(), error.text())).unwrap_err()
    }

    #[test]
    fn fragments_become_one_message() {
        let mut assembler = Assembler::new(100);
        assert_eq!(assembler.frame(data(OpCode::Text, b"\xce", false)), Ok(None));
        assert_eq!(assembler.frame(data(OpCode::Continuation, b"\xba", false)), Ok(None));
        let message = assembler.frame(data(OpCode::Continuation, b"", true));
        assert_eq!(message, Ok(Some(Message::text("κ"))));
        assert!(!assembler.is_open());
    }

    #[test]
    fn text_cut_inside_a_character_is_refused_at_an_empty_final_frame() {
        let mut assembler = Assembler::new(100);
        assert_eq!(assembler.frame(data(OpCode::Text, b"\xce", false)), Ok(None));
        assert_eq!(text_of(assembler.frame(data(OpCode::Continuation, b"", true))).0, 1007);
    }

    #[test]
    fn the_sum_of_fragments_is_limited_by_what_headers_declare() {
        let mut assembler = Assembler::new(5);
        assert_eq!(assembler.frame(data(OpCode::Binary, b"123", false)), Ok(None));
        assert_eq!(text_of(assembler.frame(data(OpCode::Continuation, b"456", true))).0, 1009);
    }

    #[test]
    fn fragments_out_of_order_are_refused() {
        let mut assembler = Assembler::new(5);
        assert_eq!(text_of(assembler.frame(data(OpCode::Continuation, b"", true))).0, 1002);
        assert_eq!(assembler.frame(data(OpCode::Text, b"", false)), Ok(None));
        assert_eq!(text_of(assembler.frame(data(OpCode::Binary, b"", true))).0, 1002);
    }
}
