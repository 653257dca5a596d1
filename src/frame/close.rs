//! Close codes and the payload of a Close frame (RFC 6455 §5.5.1 and §7.4). Knows no state.

use std::fmt;

use bytes::{BufMut, Bytes, BytesMut};
use converse_core::Utf8Bytes;

use crate::frame::{MAX_CONTROL_PAYLOAD, ProtocolError};

/// A close code that may stand on the wire, or [`NO_STATUS`](Self::NO_STATUS) for a Close frame
/// without one (RFC 6455 §7.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CloseCode(u16);

impl CloseCode {
    /// 1000: the conversation has done what it was for.
    pub const NORMAL: Self = Self(1000);
    /// 1001: the server goes down, or the client leaves the page.
    pub const GOING_AWAY: Self = Self(1001);
    /// 1002: the peer broke the protocol.
    pub const PROTOCOL_ERROR: Self = Self(1002);
    /// 1003: a kind of message (text, binary) that this end does not take.
    pub const UNSUPPORTED_DATA: Self = Self(1003);
    /// 1005: the Close frame held no code. Never on the wire: it is sent as an empty Close frame.
    pub const NO_STATUS: Self = Self(1005);
    /// 1007: the payload does not fit its type, such as text that is not UTF-8.
    pub const INVALID_PAYLOAD: Self = Self(1007);
    /// 1008: a policy of this end was broken, and no other code fits.
    pub const POLICY_VIOLATION: Self = Self(1008);
    /// 1009: a frame or message is over the limit.
    pub const MESSAGE_TOO_BIG: Self = Self(1009);
    /// 1010: the server did not negotiate an extension that the client needs.
    pub const MANDATORY_EXTENSION: Self = Self(1010);
    /// 1011: this end met a condition that it did not expect.
    pub const INTERNAL_ERROR: Self = Self(1011);
    /// 1012: the service restarts (IANA registry).
    pub const SERVICE_RESTART: Self = Self(1012);
    /// 1013: try again later, such as after being too slow (IANA registry).
    pub const TRY_AGAIN_LATER: Self = Self(1013);
    /// 1014: a gateway got a bad answer from upstream (IANA registry).
    pub const BAD_GATEWAY: Self = Self(1014);

    /// Makes a code that may be sent: 1000–1003, 1007–1014 and 3000–4999; `None` for all others.
    pub const fn new(code: u16) -> Option<Self> {
        match code {
            1000..=1003 | 1007..=1014 | 3000..=4999 => Some(Self(code)),
            _ => None,
        }
    }

    /// Returns the number.
    pub const fn get(self) -> u16 {
        self.0
    }

    /// Tells whether this is how a conversation ends when nothing went wrong: 1000, 1001 or none.
    pub const fn is_normal(self) -> bool {
        matches!(self, Self::NORMAL | Self::GOING_AWAY | Self::NO_STATUS)
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Why a connection is closed: the content of a Close frame (RFC 6455 §5.5.1).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CloseReason {
    code: CloseCode,
    text: Utf8Bytes,
}

impl CloseReason {
    /// A normal end: code 1000 without a text.
    pub const NORMAL: Self = Self { code: CloseCode::NORMAL, text: Utf8Bytes::from_static("") };
    /// A Close frame without code and text.
    pub const EMPTY: Self = Self { code: CloseCode::NO_STATUS, text: Utf8Bytes::from_static("") };

    /// Builds a reason. A text over 123 bytes is cut at a character; a reason without a code
    /// ([`CloseCode::NO_STATUS`]) has no text.
    pub fn new(code: CloseCode, text: impl Into<Utf8Bytes>) -> Self {
        if code == CloseCode::NO_STATUS {
            return Self::EMPTY;
        }
        let text: Utf8Bytes = text.into();
        let room = MAX_CONTROL_PAYLOAD - 2;
        if text.len() <= room {
            return Self { code, text };
        }
        let end = (0..=room).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
        Self { code, text: Utf8Bytes::from(text.get(..end).unwrap_or_default()) }
    }

    /// Returns the code.
    pub fn code(&self) -> CloseCode {
        self.code
    }

    /// Returns the text: UTF-8, 123 bytes at most.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Reads the payload of a Close frame.
    pub(crate) fn from_payload(payload: &[u8]) -> Result<Self, ProtocolError> {
        let Some((code, text)) = payload.split_first_chunk::<2>() else {
            return match payload {
                [] => Ok(Self::EMPTY),
                _ => Err(ProtocolError::framing("RFC 6455 §5.5.1", "close payload of one byte")),
            };
        };
        let Some(code) = CloseCode::new(u16::from_be_bytes(*code)) else {
            return Err(ProtocolError::framing("RFC 6455 §7.4.2", "close code that may not be sent"));
        };
        match Utf8Bytes::try_from(Bytes::copy_from_slice(text)) {
            Ok(text) => Ok(Self { code, text }),
            Err(_) => Err(ProtocolError::new(
                CloseCode::INVALID_PAYLOAD,
                "RFC 6455 §5.5.1",
                "close reason is not UTF-8",
            )),
        }
    }

    /// Writes the payload of a Close frame.
    pub(crate) fn to_payload(&self) -> Bytes {
        if self.code == CloseCode::NO_STATUS {
            return Bytes::new();
        }
        let mut payload = BytesMut::with_capacity(2 + self.text.len());
        payload.put_u16(self.code.get());
        payload.put_slice(self.text.as_bytes());
        payload.freeze()
    }
}

impl From<ProtocolError> for CloseReason {
    fn from(error: ProtocolError) -> Self {
        Self::new(error.close_code(), Utf8Bytes::from_static(error.text()))
    }
}

impl From<CloseCode> for CloseReason {
    fn from(code: CloseCode) -> Self {
        Self::new(code, "")
    }
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.text() {
            "" => self.code.fmt(f),
            text => write!(f, "{} {text:?}", self.code),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_codes_that_may_be_sent_are_built() {
        let good = (0..=u16::MAX).filter(|&code| CloseCode::new(code).is_some()).count();
        assert_eq!(good, 4 + 8 + 2000);
        for bad in [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, u16::MAX] {
            assert_eq!(CloseCode::new(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_reason_survives_the_wire() {
        for reason in
            [CloseReason::EMPTY, CloseReason::NORMAL, CloseReason::new(CloseCode::GOING_AWAY, "tschüß")]
        {
            assert_eq!(CloseReason::from_payload(&reason.to_payload()), Ok(reason));
        }
    }

    #[test]
    fn a_long_text_is_cut_at_a_character() {
        let reason = CloseReason::new(CloseCode::NORMAL, "ä".repeat(100));
        assert_eq!(reason.text().len(), 122);
        assert_eq!(reason.to_payload().len(), 124);
    }

    #[test]
    fn bad_payloads_know_their_code() {
        let code = |payload: &[u8]| CloseReason::from_payload(payload).map_err(|e| e.close_code().get());
        assert_eq!(code(&[3]), Err(1002));
        assert_eq!(code(&[3, 0xed]), Err(1002));
        assert_eq!(code(&[3, 0xe8, 0xff]), Err(1007));
    }
}
