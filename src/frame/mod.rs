//! Floor 1: bytes ⇄ frames (RFC 6455 §5). Knows no message, no HTTP, no socket and no clock.

mod close;
mod decoder;
mod encoder;
mod error;
mod header;
mod mask;
mod opcode;
mod role;
mod rsv;
mod spares;
mod whole_frame;
mod write_queue;

pub use close::{CloseCode, CloseReason};
pub(crate) use decoder::{Decoder, Piece};
pub(crate) use encoder::{BY_REFERENCE, Encoder, MaskSource};
pub use error::ProtocolError;
pub(crate) use header::{FrameHeader, HeaderRules, MAX_HEADER};
pub(crate) use mask::apply_mask;
pub use opcode::OpCode;
pub use role::Role;
pub use rsv::Rsv;
pub(crate) use spares::Spares;
pub(crate) use whole_frame::WholeFrame;
pub(crate) use write_queue::{Lane, WriteQueue, Written};

use bytes::Bytes;

/// The largest payload of a control frame, in bytes (RFC 6455 §5.5).
pub(crate) const MAX_CONTROL_PAYLOAD: usize = 125;

/// One frame with its payload, unmasked (RFC 6455 §5.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Whether this is the last fragment of its message.
    pub fin: bool,
    /// The reserved bits; empty unless an extension has claimed them.
    pub rsv: Rsv,
    /// What the frame carries.
    pub opcode: OpCode,
    /// The payload: 125 bytes at most in a control frame.
    pub payload: Bytes,
}

impl Frame {
    /// Builds a frame that is a whole text message. The payload must be UTF-8.
    pub fn text(text: impl Into<Bytes>) -> Self {
        Self::data(OpCode::Text, text.into())
    }

    /// Builds a frame that is a whole binary message.
    pub fn binary(payload: impl Into<Bytes>) -> Self {
        Self::data(OpCode::Binary, payload.into())
    }

    /// Builds a continuation of a fragmented message (RFC 6455 §5.4).
    pub fn continuation(payload: impl Into<Bytes>, fin: bool) -> Self {
        Self { fin, ..Self::data(OpCode::Continuation, payload.into()) }
    }

    /// Builds a ping; `None` when the payload is over 125 bytes.
    pub fn ping(payload: impl Into<Bytes>) -> Option<Self> {
        Self::control(OpCode::Ping, payload.into())
    }

    /// Builds a pong; `None` when the payload is over 125 bytes.
    pub fn pong(payload: impl Into<Bytes>) -> Option<Self> {
        Self::control(OpCode::Pong, payload.into())
    }

    /// Builds a Close frame.
    pub fn close(reason: &CloseReason) -> Self {
        Self::data(OpCode::Close, reason.to_payload())
    }

    /// Marks the frame as one that more fragments follow.
    #[must_use]
    pub fn unfinished(self) -> Self {
        Self { fin: false, ..self }
    }

    fn control(opcode: OpCode, payload: Bytes) -> Option<Self> {
        (payload.len() <= MAX_CONTROL_PAYLOAD).then(|| Self::data(opcode, payload))
    }

    fn data(opcode: OpCode, payload: Bytes) -> Self {
        Self { fin: true, rsv: Rsv::NONE, opcode, payload }
    }
}
