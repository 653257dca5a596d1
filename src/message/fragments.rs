//! A message → the frames that carry it (RFC 6455 §5.4). Knows no lane and no extension.

use bytes::Bytes;
use converse_core::Message;

use crate::frame::{Frame, OpCode, Rsv};

/// The frames of one message, none over a given size; an empty message is one empty frame.
#[derive(Debug)]
pub(crate) struct Fragments {
    opcode: OpCode,
    rest: Option<Bytes>,
    size: usize,
}

impl Fragments {
    /// Cuts a message into frames of at most `size` bytes, one byte at least.
    pub(crate) fn new(message: Message, size: usize) -> Self {
        Self { opcode: opcode_of(&message), rest: Some(message.into_bytes()), size: size.max(1) }
    }
}

/// Returns the opcode of a message's first frame.
pub(crate) fn opcode_of(message: &Message) -> OpCode {
    if message.is_text() { OpCode::Text } else { OpCode::Binary }
}

impl Iterator for Fragments {
    type Item = Frame;

    fn next(&mut self) -> Option<Frame> {
        let mut payload = self.rest.take()?;
        if payload.len() > self.size {
            self.rest = Some(payload.split_off(self.size));
        }
        let opcode = std::mem::replace(&mut self.opcode, OpCode::Continuation);
        Some(Frame { fin: self.rest.is_none(), rsv: Rsv::NONE, opcode, payload })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shapes(len: usize, size: usize) -> Vec<(OpCode, bool, usize)> {
        Fragments::new(Message::binary(vec![0; len]), size)
            .map(|frame| (frame.opcode, frame.fin, frame.payload.len()))
            .collect()
    }

    #[test]
    fn a_message_is_cut_at_the_size() {
        use OpCode::{Binary, Continuation};
        assert_eq!(shapes(0, 4), [(Binary, true, 0)]);
        assert_eq!(shapes(4, 4), [(Binary, true, 4)]);
        assert_eq!(shapes(9, 4), [(Binary, false, 4), (Continuation, false, 4), (Continuation, true, 1)]);
    }
}
