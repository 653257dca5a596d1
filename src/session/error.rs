//! What can go wrong in a session. Knows no handshake.

use std::{fmt, sync::Arc};

use converse_core::{ConvertError, Message};

pub use crate::engine::FrameRefused;
use crate::{engine::Closed, extension::ExtensionError, frame::Frame};

/// Why a session's call failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SessionError {
    /// A value did not become a message, or a message a value. The session goes on; a message that
    /// could not be decoded is in the error.
    #[error(transparent)]
    Convert(#[from] ConvertError),
    /// A message was not taken; it is in the error.
    #[error(transparent)]
    Send(#[from] SendError),
    /// A frame was not taken; it is in the error.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// The conversation ended otherwise than by a normal close.
    #[error("{0}")]
    Closed(Arc<Closed>),
}

/// A message that was not taken. Its `Debug` shows how long the message is, and not what is in it.
pub struct SendError {
    kind: SendErrorKind,
    message: Message,
}

/// Why a message was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SendErrorKind {
    /// The conversation is closing or has ended.
    Closed,
    /// The send queue is over its mark.
    Full,
    /// An extension could not encode it.
    Extension(ExtensionError),
}

impl SendError {
    pub(crate) fn new(kind: SendErrorKind, message: Message) -> Self {
        Self { kind, message }
    }

    /// Returns why the message was not taken.
    pub fn kind(&self) -> &SendErrorKind {
        &self.kind
    }

    /// Returns the message.
    pub fn message(&self) -> &Message {
        &self.message
    }

    /// Takes the message out.
    pub fn into_message(self) -> Message {
        self.message
    }
}

impl fmt::Debug for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendError")
            .field("kind", &self.kind)
            .field("message_len", &self.message.len())
            .finish()
    }
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            SendErrorKind::Closed => f.write_str("the conversation is closed"),
            SendErrorKind::Full => f.write_str("the send queue is full: the peer reads too slowly"),
            SendErrorKind::Extension(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for SendError {}

/// A frame that was not taken. Its `Debug` shows how long the frame is, and not what is in it.
#[derive(thiserror::Error)]
#[error("{why}")]
pub struct FrameError {
    why: FrameRefused,
    frame: Frame,
}

impl FrameError {
    pub(crate) fn new(why: FrameRefused, frame: Frame) -> Self {
        Self { why, frame }
    }

    /// Returns why the frame was not taken.
    pub fn why(&self) -> FrameRefused {
        self.why
    }

    /// Returns the frame.
    pub fn frame(&self) -> &Frame {
        &self.frame
    }

    /// Takes the frame out.
    pub fn into_frame(self) -> Frame {
        self.frame
    }
}

impl fmt::Debug for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FrameError")
            .field("why", &self.why)
            .field("opcode", &self.frame.opcode)
            .field("payload_len", &self.frame.payload.len())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_taken_is_shown_by_its_length() {
        let send = SendError::new(SendErrorKind::Full, Message::text("password=hunter2"));
        assert_eq!(format!("{send:?}"), "SendError { kind: Full, message_len: 16 }");
        let frame = FrameError::new(FrameRefused::Closed, Frame::binary("password=hunter2"));
        assert_eq!(
            format!("{:?}", SessionError::from(frame)),
            "Frame(FrameError { why: Closed, opcode: Binary, payload_len: 16 })"
        );
    }
}
