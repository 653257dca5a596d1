//! What a frame carries (RFC 6455 §5.2). Knows no other header field.

/// A frame's opcode. Reserved opcodes have no value here: they end the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum OpCode {
    /// The next fragment of a message (0).
    Continuation = 0,
    /// The first fragment of a text message (1).
    Text = 1,
    /// The first fragment of a binary message (2).
    Binary = 2,
    /// The closing handshake (8).
    Close = 8,
    /// A ping (9).
    Ping = 9,
    /// A pong (10).
    Pong = 10,
}

impl OpCode {
    /// Reads the low four bits of a frame's first byte; `None` for a reserved opcode.
    pub(crate) const fn from_bits(bits: u8) -> Option<Self> {
        Some(match bits & 0x0f {
            0 => Self::Continuation,
            1 => Self::Text,
            2 => Self::Binary,
            8 => Self::Close,
            9 => Self::Ping,
            10 => Self::Pong,
            _ => return None,
        })
    }

    /// Tells whether this is a control opcode (RFC 6455 §5.5).
    pub const fn is_control(self) -> bool {
        self as u8 >= 8
    }
}
