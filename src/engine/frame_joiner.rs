//! Pieces → frames: joined, where a payload is needed whole (control frames, and data frames for the application
//! or an extension that works frame by frame), or as parts. Knows no message.

use bytes::Bytes;
use converse_core::PayloadBuffer;

use crate::frame::{Frame, FrameHeader, OpCode, Piece, ProtocolError, Rsv};

/// The longest part of a frame, in bytes: with the 32 KiB that a decoder unpacks at a time, less than 64 KiB beyond
/// the message, however long the frame is.
const PART: usize = 16 * 1024;

/// One frame under way.
#[derive(Debug)]
pub(crate) struct FrameJoiner {
    /// Boxed: most frames arrive whole.
    payload: Option<Box<PayloadBuffer>>,
    /// How many bytes may be allocated for frames of several pieces, where fewer than usual are enough.
    room: usize,
    /// Whether the last data frame left its message unfinished.
    message_open: bool,
    /// Whether the last piece left its frame unfinished.
    frame_open: bool,
}

impl FrameJoiner {
    /// Takes a piece; returns the frame that it completes.
    pub(crate) fn piece(&mut self, piece: &Piece<'_>) -> Result<Option<Frame>, ProtocolError> {
        let header = &piece.header;
        if piece.first {
            self.begin(header)?;
        }
        self.frame_open = piece.remaining > 0;
        if self.frame_open || self.payload.is_some() {
            let most = usize::try_from(header.len).unwrap_or(usize::MAX);
            let begun = self.payload.get_or_insert_default();
            begun.reserve_within(piece.payload.len(), most, &mut self.room);
            begun.extend_from_slice(piece.payload);
        }
        if self.frame_open {
            return Ok(None);
        }
        let payload = match self.payload.take() {
            None => Bytes::copy_from_slice(piece.payload),
            Some(begun) => begun.finish(),
        };
        Ok(Some(Frame { fin: header.fin, rsv: header.rsv, opcode: header.opcode, payload }))
    }

    /// Takes a piece, and returns it as frames of at most [`PART`] bytes, as if the peer had fragmented its
    /// message there.
    pub(crate) fn parts<'a>(
        &mut self,
        piece: &'a Piece<'_>,
    ) -> Result<impl Iterator<Item = Frame> + use<'a>, ProtocolError> {
        let header = piece.header;
        if piece.first {
            self.begin(&header)?;
        }
        self.frame_open = piece.remaining > 0;
        let (first, last) = (piece.first, header.fin && !self.frame_open);
        let count = piece.payload.len().div_ceil(PART).max(1);
        Ok((0..count).map(move |index| {
            let payload = piece.payload.get(index * PART..).unwrap_or_default();
            let begins = first && index == 0;
            Frame {
                fin: last && index + 1 == count,
                rsv: if begins { header.rsv } else { Rsv::NONE },
                opcode: if begins { header.opcode } else { OpCode::Continuation },
                payload: Bytes::copy_from_slice(&payload[..payload.len().min(PART)]),
            }
        }))
    }

    /// Tells whether a frame, or a message of several frames, has begun and not ended.
    pub(crate) fn is_open(&self) -> bool {
        self.message_open || self.frame_open
    }

    /// Sets how many bytes may be allocated from now on, where fewer than usual are enough.
    pub(crate) fn set_room(&mut self, room: usize) {
        self.room = room;
    }

    /// Returns how many bytes are allocated for the frame under way.
    pub(crate) fn held(&self) -> usize {
        self.payload.as_ref().map_or(0, |begun| begun.capacity())
    }

    /// Returns how many bytes the frame under way takes without another allocation.
    pub(crate) fn spare(&self) -> usize {
        self.payload.as_ref().map_or(0, |begun| begun.capacity() - begun.len())
    }

    /// Drops what is under way.
    pub(crate) fn clear(&mut self) {
        *self = Self { room: self.room, ..Self::default() };
    }

    fn begin(&mut self, header: &FrameHeader) -> Result<(), ProtocolError> {
        if header.opcode.is_control() {
            return Ok(());
        }
        match (header.opcode == OpCode::Continuation, self.message_open) {
            (true, false) => Err(ProtocolError::STRAY_CONTINUATION),
            (false, true) => Err(ProtocolError::INTERLEAVED),
            _ => {
                self.message_open = !header.fin;
                Ok(())
            }
        }
    }
}

impl Default for FrameJoiner {
    fn default() -> Self {
        Self { payload: None, room: usize::MAX, message_open: false, frame_open: false }
    }
}
