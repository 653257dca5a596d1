//! Cuts a message into frames. Knows no compression.

use arbitrary::{Arbitrary, Result, Unstructured};
use bytes::Bytes;
use converse::{Frame, OpCode, frame::Rsv};

/// The most frames of a message, about; what is left goes into the last.
const MOST_FRAMES: usize = 200;

/// The lengths of the frames of a message, over and over again; none of them: one frame.
#[derive(Debug)]
pub struct Cuts(Vec<u8>);

impl Cuts {
    pub const NONE: Self = Self(Vec::new());

    /// Cuts a payload.
    pub fn pieces(&self, payload: &[u8]) -> Vec<Bytes> {
        let mut rest = Bytes::copy_from_slice(payload);
        let mut pieces = Vec::new();
        for len in self.0.iter().cycle().take(MOST_FRAMES) {
            if rest.is_empty() {
                break;
            }
            pieces.push(rest.split_to(rest.len().min((*len).into())));
        }
        pieces.push(rest);
        pieces
    }

    /// Makes the frames of a message; `rsv` is for the first.
    pub fn frames(&self, payload: &[u8], opcode: OpCode, rsv: Rsv) -> Vec<Frame> {
        let pieces = self.pieces(payload);
        let last = pieces.len() - 1;
        let frame = |(index, payload)| Frame {
            fin: index == last,
            rsv: if index == 0 { rsv } else { Rsv::NONE },
            opcode: if index == 0 { opcode } else { OpCode::Continuation },
            payload,
        };
        pieces.into_iter().enumerate().map(frame).collect()
    }
}

impl<'a> Arbitrary<'a> for Cuts {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let count = usize::from(u.arbitrary::<u8>()? % 8).min(u.len());
        Ok(Self(u.bytes(count)?.to_vec()))
    }
}
