//! The header of a frame (RFC 6455 §5.2), and the rules that need no payload byte. Knows no payload.

use crate::frame::{MAX_CONTROL_PAYLOAD, OpCode, ProtocolError, Role, Rsv};

/// The longest header: two bytes, eight of length, four of masking key.
pub(crate) const MAX_HEADER: usize = 14;

const FIN: u8 = 0x80;
const MASKED: u8 = 0x80;

/// A frame's header as it stands on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FrameHeader {
    /// Whether this is the last fragment of its message.
    pub(crate) fin: bool,
    /// The reserved bits.
    pub(crate) rsv: Rsv,
    /// What the frame carries.
    pub(crate) opcode: OpCode,
    /// The masking key, which a client's frames have and a server's have not.
    pub(crate) mask: Option<[u8; 4]>,
    /// The payload's length in bytes.
    pub(crate) len: u64,
}

/// What a header must keep to on this connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HeaderRules {
    pub(crate) expect_mask: bool,
    pub(crate) rsv: Rsv,
    pub(crate) max_len: u64,
}

impl HeaderRules {
    /// Builds the rules for what one end receives; `rsv` are the bits that extensions have claimed.
    pub(crate) fn new(role: Role, rsv: Rsv, max_len: u64) -> Self {
        Self { expect_mask: role == Role::Server, rsv, max_len }
    }
}

const SECTION: &str = "RFC 6455 §5.2";
const RESERVED_OPCODE: ProtocolError = ProtocolError::framing(SECTION, "reserved opcode");
const RESERVED_BITS: ProtocolError = ProtocolError::framing(SECTION, "reserved bit without an extension");
const NOT_MASKED: ProtocolError = ProtocolError::framing("RFC 6455 §5.1", "client frame is not masked");
const MASKED_BY_SERVER: ProtocolError = ProtocolError::framing("RFC 6455 §5.1", "server frame is masked");
const LONG_CONTROL: ProtocolError = ProtocolError::framing("RFC 6455 §5.5", "control frame over 125 bytes");
const SPLIT_CONTROL: ProtocolError = ProtocolError::framing("RFC 6455 §5.5", "control frame is fragmented");
const RSV_ON_CONTROL: ProtocolError =
    ProtocolError::framing("RFC 6455 §5.5", "reserved bit on a control frame");
const NOT_MINIMAL: ProtocolError = ProtocolError::framing(SECTION, "length is not minimally encoded");
const TOP_BIT: ProtocolError = ProtocolError::framing(SECTION, "length has its top bit set");
const OVER_LIMIT: ProtocolError = ProtocolError::too_big("frame is over the limit");

impl FrameHeader {
    /// Reads a header from the beginning of `bytes`, with the number of bytes it takes; `None`
    /// while it is incomplete. A rule is checked as soon as the bytes it speaks of are there.
    #[inline]
    pub(crate) fn parse(bytes: &[u8], rules: HeaderRules) -> Result<Option<(Self, usize)>, ProtocolError> {
        let &[first, second, ref rest @ ..] = bytes else {
            return Ok(None);
        };
        let opcode = OpCode::from_bits(first).ok_or(RESERVED_OPCODE)?;
        let (fin, rsv) = (first & FIN != 0, Rsv::from_first_byte(first));
        let short = second & !MASKED;
        check_flags(fin, rsv, opcode, short, second & MASKED != 0, rules)?;

        let (len, rest, len_bytes) = match short {
            126 => match rest.split_first_chunk::<2>() {
                Some((len, rest)) => (u64::from(u16::from_be_bytes(*len)), rest, 2),
                None => return Ok(None),
            },
            127 => match rest.split_first_chunk::<8>() {
                Some((len, rest)) => (u64::from_be_bytes(*len), rest, 8),
                None => return Ok(None),
            },
            short => (u64::from(short), rest, 0),
        };
        check_len(len, len_bytes, rules)?;

        if !rules.expect_mask {
            return Ok(Some((Self { fin, rsv, opcode, mask: None, len }, 2 + len_bytes)));
        }
        let Some(mask) = rest.first_chunk::<4>() else {
            return Ok(None);
        };
        Ok(Some((Self { fin, rsv, opcode, mask: Some(*mask), len }, 6 + len_bytes)))
    }

    /// Writes the header to the beginning of `out`, and returns how many bytes it takes.
    #[inline]
    pub(crate) fn write(&self, out: &mut [u8; MAX_HEADER]) -> usize {
        out[0] = if self.fin { FIN } else { 0 } | self.rsv.bits() | self.opcode as u8;
        let masked = if self.mask.is_some() { MASKED } else { 0 };
        let mut end = match self.len {
            len @ 0..=125 => {
                out[1] = masked | len as u8;
                2
            }
            len @ 126..=0xffff => {
                out[1] = masked | 126;
                out[2..4].copy_from_slice(&(len as u16).to_be_bytes());
                4
            }
            len => {
                out[1] = masked | 127;
                out[2..10].copy_from_slice(&len.to_be_bytes());
                10
            }
        };
        if let Some(mask) = self.mask {
            out[end..end + 4].copy_from_slice(&mask);
            end += 4;
        }
        end
    }
}

fn check_flags(
    fin: bool,
    rsv: Rsv,
    opcode: OpCode,
    short: u8,
    masked: bool,
    rules: HeaderRules,
) -> Result<(), ProtocolError> {
    if !rules.rsv.contains(rsv) {
        return Err(RESERVED_BITS);
    }
    if opcode.is_control() {
        if !fin {
            return Err(SPLIT_CONTROL);
        }
        if usize::from(short) > MAX_CONTROL_PAYLOAD {
            return Err(LONG_CONTROL);
        }
        if !rsv.is_empty() {
            return Err(RSV_ON_CONTROL);
        }
    }
    match (rules.expect_mask, masked) {
        (true, false) => Err(NOT_MASKED),
        (false, true) => Err(MASKED_BY_SERVER),
        _ => Ok(()),
    }
}

fn check_len(len: u64, len_bytes: usize, rules: HeaderRules) -> Result<(), ProtocolError> {
    let minimal = match len_bytes {
        2 => len > 125,
        8 => len > 0xffff,
        _ => true,
    };
    if len >> 63 != 0 {
        return Err(TOP_BIT);
    }
    if !minimal {
        return Err(NOT_MINIMAL);
    }
    if len > rules.max_len { Err(OVER_LIMIT) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RULES: HeaderRules = HeaderRules { expect_mask: true, rsv: Rsv::NONE, max_len: u64::MAX };

    proptest! {
        #[test]
        fn a_written_header_is_read_back(fin: bool, code in 0u8..3, len in 0..u64::MAX >> 1, key: Option<[u8; 4]>) {
            let opcode = OpCode::from_bits(code).unwrap_or(OpCode::Text);
            let header = FrameHeader { fin, rsv: Rsv::NONE, opcode, mask: key, len };
            let mut bytes = [0; MAX_HEADER];
            let end = header.write(&mut bytes);
            let rules = HeaderRules { expect_mask: key.is_some(), ..RULES };
            prop_assert_eq!(FrameHeader::parse(&bytes[..end], rules), Ok(Some((header, end))));
            for cut in 0..end {
                prop_assert_eq!(FrameHeader::parse(&bytes[..cut], rules), Ok(None));
            }
        }
    }

    #[test]
    fn a_broken_rule_is_found_in_the_first_two_bytes() {
        let verdict = |bytes: &[u8]| FrameHeader::parse(bytes, RULES).map_err(|error| error.text());
        assert_eq!(verdict(&[0x83, 0x80]), Err(RESERVED_OPCODE.text()));
        assert_eq!(verdict(&[0xc1, 0x80]), Err(RESERVED_BITS.text()));
        assert_eq!(verdict(&[0x81, 0x00]), Err(NOT_MASKED.text()));
        assert_eq!(verdict(&[0x09, 0x80]), Err(SPLIT_CONTROL.text()));
        assert_eq!(verdict(&[0x89, 0xfe]), Err(LONG_CONTROL.text()));
    }

    #[test]
    fn a_length_is_checked_before_the_masking_key() {
        let verdict = |bytes: &[u8]| FrameHeader::parse(bytes, RULES).map_err(|error| error.text());
        assert_eq!(verdict(&[0x82, 0xfe, 0, 125]), Err(NOT_MINIMAL.text()));
        assert_eq!(verdict(&[0x82, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff]), Err(NOT_MINIMAL.text()));
        assert_eq!(verdict(&[0x82, 0xff, 0x80, 0, 0, 0, 0, 1, 0, 0]), Err(TOP_BIT.text()));
    }
}
