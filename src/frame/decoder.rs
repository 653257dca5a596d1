//! Bytes → pieces of frames, cut wherever the bytes are cut. Holds a header under way, never a payload.

use crate::frame::{
    FrameHeader, ProtocolError, Role, Rsv, apply_mask,
    header::{HeaderRules, MAX_HEADER},
};

/// Reads frames off a byte stream and unmasks them in place.
#[derive(Debug)]
pub(crate) struct Decoder {
    rules: HeaderRules,
    head: [u8; MAX_HEADER],
    head_len: u8,
    frame: Option<Open>,
}

/// The frame whose payload is under way.
#[derive(Clone, Copy, Debug)]
struct Open {
    header: FrameHeader,
    received: u64,
}

/// Some bytes of one frame's payload.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Piece<'a> {
    pub(crate) header: FrameHeader,
    /// Whether the header was not told of before.
    pub(crate) first: bool,
    pub(crate) payload: &'a [u8],
    /// How many bytes of the frame follow this piece.
    pub(crate) remaining: u64,
}

impl Decoder {
    /// Builds a decoder for one end; `rsv` are the bits that extensions have claimed.
    pub(crate) fn new(role: Role, rsv: Rsv, max_frame_size: u64) -> Self {
        Self {
            rules: HeaderRules::new(role, rsv, max_frame_size),
            head: [0; MAX_HEADER],
            head_len: 0,
            frame: None,
        }
    }

    /// Returns how many bytes end the frame under way, and its message with it; none between two frames. `None` while that is
    /// not known, or the frame ends no message.
    #[inline]
    pub(crate) fn remaining(&self) -> Option<u32> {
        match self.frame {
            _ if self.head_len > 0 => None,
            None => Some(0),
            Some(Open { header, received }) => {
                let ends = header.fin && !header.opcode.is_control();
                u32::try_from(header.len - received).ok().filter(|_| ends)
            }
        }
    }

    /// Returns how many bytes of a data frame's payload are to come, once its header has.
    #[inline]
    pub(crate) fn left_of_frame(&self) -> Option<u64> {
        let Open { header, received } = self.frame?;
        (!header.opcode.is_control()).then_some(header.len - received)
    }

    /// Unmasks bytes of the frame under way where they lie; returns whether it ends its message, and how many bytes follow.
    pub(crate) fn go_on(&mut self, payload: &mut [u8]) -> Option<(bool, u64)> {
        let fin = self.frame?.header.fin;
        match self.decode(payload) {
            Ok((_, Some(piece))) => Some((fin, piece.remaining)),
            _ => None,
        }
    }

    /// Changes the limit, from the next header on.
    pub(crate) fn set_max_frame_size(&mut self, max_frame_size: u64) {
        self.rules.max_len = max_frame_size;
    }

    /// Takes bytes from the beginning of `input`: returns how many, and the piece they hold. No
    /// piece means that all of `input` was taken and a header is incomplete.
    #[inline]
    pub(crate) fn decode<'a>(
        &mut self,
        input: &'a mut [u8],
    ) -> Result<(usize, Option<Piece<'a>>), ProtocolError> {
        let (open, taken, first) = match self.frame {
            Some(open) => (open, 0, false),
            None => match self.header(input)? {
                (Some(header), taken) => (Open { header, received: 0 }, taken, true),
                (None, taken) => return Ok((taken, None)),
            },
        };
        let Open { header, received } = open;
        let wanted = header.len - received;
        let rest = input.get_mut(taken..).unwrap_or_default();
        let end = usize::try_from(wanted).map_or(rest.len(), |wanted| wanted.min(rest.len()));
        let payload = rest.get_mut(..end).unwrap_or_default();
        if let Some(key) = header.mask {
            apply_mask(payload, key, received);
        }
        let remaining = wanted - end as u64;
        self.frame = (remaining > 0).then_some(Open { header, received: received + end as u64 });
        Ok((taken + end, Some(Piece { header, first, payload, remaining })))
    }

    /// Reads a header that may have begun in earlier input.
    #[inline]
    fn header(&mut self, input: &[u8]) -> Result<(Option<FrameHeader>, usize), ProtocolError> {
        let held = usize::from(self.head_len);
        if held == 0
            && let Some((header, len)) = FrameHeader::parse(input, self.rules)?
        {
            return Ok((Some(header), len));
        }
        let more = input.len().min(MAX_HEADER - held);
        self.head[held..held + more].copy_from_slice(&input[..more]);
        match FrameHeader::parse(&self.head[..held + more], self.rules)? {
            Some((header, len)) => {
                self.head_len = 0;
                Ok((Some(header), len - held))
            }
            None => {
                self.head_len = (held + more) as u8;
                Ok((None, more))
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::frame::OpCode;

    /// Three masked frames: a text, an empty ping, a binary of 300 bytes.
    fn stream() -> Vec<u8> {
        let mut bytes = vec![0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
        bytes.extend([0x89, 0x80, 1, 2, 3, 4]);
        bytes.extend([0x82, 0xfe, 0x01, 0x2c, 0, 0, 0, 0]);
        bytes.extend((0..300).map(|i| i as u8));
        bytes
    }

    /// Feeds `chunks` and joins the pieces of each frame.
    fn frames(chunks: &mut [&mut [u8]]) -> Vec<(OpCode, Vec<u8>)> {
        let mut decoder = Decoder::new(Role::Server, Rsv::NONE, u64::MAX);
        let mut frames: Vec<(OpCode, Vec<u8>)> = Vec::new();
        for chunk in chunks {
            let mut at = 0;
            while at < chunk.len() {
                let (taken, piece) = decoder.decode(&mut chunk[at..]).unwrap();
                at += taken;
                let Some(piece) = piece else { break };
                if piece.first {
                    frames.push((piece.header.opcode, Vec::new()));
                }
                frames.last_mut().unwrap().1.extend_from_slice(piece.payload);
            }
        }
        frames
    }

    #[test]
    fn any_split_gives_the_same_frames() {
        let whole = frames(&mut [&mut stream()]);
        assert_eq!(whole[0], (OpCode::Text, b"Hello".to_vec()));
        assert_eq!(whole[1], (OpCode::Ping, Vec::new()));
        assert_eq!(whole[2].1.len(), 300);
        let bytes = stream();
        for first in 0..40 {
            for second in first..bytes.len() {
                let mut bytes = bytes.clone();
                let (one, rest) = bytes.split_at_mut(first);
                let (two, three) = rest.split_at_mut(second - first);
                assert_eq!(frames(&mut [one, two, three]), whole, "cut at {first} and {second}");
            }
        }
    }
}
