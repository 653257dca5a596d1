//! A data frame that is a whole message and lies in one piece, as most do: found without a decoder's state. Knows no
//! fault.

use crate::frame::{FrameHeader, OpCode, apply_mask, header::HeaderRules};

/// Where a frame's payload lies, which is masked still.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WholeFrame {
    /// Text or binary.
    pub(crate) opcode: OpCode,
    mask: Option<[u8; 4]>,
    /// Where the payload begins.
    pub(crate) start: usize,
    /// Where it ends, and so the frame.
    pub(crate) end: usize,
}

impl WholeFrame {
    /// Returns how long the payload is, in bytes.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.end - self.start
    }

    /// Masks or unmasks the payload.
    #[inline]
    pub(crate) fn apply_mask(&self, payload: &mut [u8]) {
        if let Some(key) = self.mask {
            apply_mask(payload, key, 0);
        }
    }

    /// Looks at the beginning of `bytes`; `None` for all that is no whole message of at most `most` bytes there.
    #[inline]
    pub(crate) fn find(bytes: &[u8], rules: HeaderRules, most: u64) -> Option<Self> {
        let Ok(Some((header, start))) = FrameHeader::parse(bytes, rules) else { return None };
        let is_message = header.fin && matches!(header.opcode, OpCode::Text | OpCode::Binary);
        let end = start.checked_add(usize::try_from(header.len).ok()?)?;
        let is_here = end <= bytes.len() && header.len <= most;
        (is_message && is_here).then_some(Self { opcode: header.opcode, mask: header.mask, start, end })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::frame::{Role, Rsv};

    const HELLO: [u8; 11] = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];

    fn find(bytes: &[u8], most: u64) -> Option<WholeFrame> {
        WholeFrame::find(bytes, HeaderRules::new(Role::Server, Rsv::NONE, 100), most)
    }

    #[test]
    fn a_whole_message_is_found_and_nothing_else() {
        let found = find(&[&HELLO[..], b"more"].concat(), 100).unwrap();
        assert_eq!((found.opcode, found.start, found.end), (OpCode::Text, 6, 11));
        for cut in 0..HELLO.len() {
            assert_eq!(find(&HELLO[..cut], 100), None, "cut at {cut}");
        }
        assert_eq!(find(&HELLO, 4), None, "longer than a message may be");
        for first in [0x01, 0x80, 0x88, 0x89, 0x8a, 0x83, 0xc1] {
            assert_eq!(find(&[&[first], &HELLO[1..]].concat(), 100), None, "first byte {first:#x}");
        }
    }
}
