//! Joins the pieces of a frame whose payload is needed whole: control frames, and data frames that an
//! extension or the application takes as frames. Knows no message.

use bytes::{Bytes, BytesMut};

use crate::frame::{Frame, FrameHeader, OpCode, Piece, ProtocolError};

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
