//! Pieces → frames: joined, where a payload is needed whole (control frames, and data frames for the application
//! or an extension that works frame by frame), or as parts. Knows no message.

use bytes::{Bytes, BytesMut};

use crate::frame::{Frame, FrameHeader, OpCode, Piece, ProtocolError, Rsv};

/// The longest part of a frame, in bytes: with the 32 KiB that a decoder unpacks at a time, less than 64 KiB beyond
/// the message, however long the frame is.
const PART: usize = 16 * 1024;

/// One frame under way.
#[derive(Debug, Default)]
pub(crate) struct Collector {
    /// Boxed: most frames arrive whole.
    payload: Option<Box<BytesMut>>,
    /// Whether the last data frame left its message unfinished.
    message_open: bool,
    /// Whether the last piece left its frame unfinished.
    frame_open: bool,
}

impl Collector {
    /// Takes a piece; returns the frame that it completes.
    pub(crate) fn piece(&mut self, piece: &Piece<'_>) -> Result<Option<Frame>, ProtocolError> {
        let header = &piece.header;
        if piece.first {
            self.begin(header)?;
        }
        self.frame_open = piece.remaining > 0;
        if self.frame_open {
            self.payload.get_or_insert_default().extend_from_slice(piece.payload);
            return Ok(None);
        }
        let payload = match self.payload.take() {
            None => Bytes::copy_from_slice(piece.payload),
            Some(mut begun) => {
                begun.extend_from_slice(piece.payload);
                begun.freeze()
            }
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

    /// Drops what is under way.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
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
