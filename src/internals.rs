//! Single steps of the engine, for the project's own micro benches; no part of the public interface.

use bytes::Bytes;

use crate::{
    frame::{
        Decoder, Encoder, Frame, FrameHeader, HeaderRules, Lane, MAX_HEADER, OpCode, Role, Rsv, WriteQueue,
        apply_mask,
    },
    message::Assembler,
};

/// Reads the header of a client's frame; returns how many bytes it takes.
pub fn parse_header(bytes: &[u8]) -> Option<usize> {
    let rules = HeaderRules { expect_mask: true, rsv: Rsv::NONE, max_len: u64::MAX };
    FrameHeader::parse(bytes, rules).ok()?.map(|(_, len)| len)
}

/// Writes the header of a server's frame; returns how many bytes it takes.
pub fn write_header(len: u64, out: &mut [u8; MAX_HEADER]) -> usize {
    FrameHeader { fin: true, rsv: Rsv::NONE, opcode: OpCode::Binary, mask: None, len }.write(out)
}

/// Masks in place.
pub fn mask(payload: &mut [u8], key: [u8; 4]) {
    apply_mask(payload, key, 0);
}

/// Takes a client's frames apart, unmasking them in place, and joins them to messages; returns how many messages
/// there were.
pub fn assemble(frames: &mut [u8]) -> usize {
    let (mut decoder, mut assembler) =
        (Decoder::new(Role::Server, Rsv::NONE, u64::MAX), Assembler::new(u64::MAX));
    let (mut taken, mut messages) = (0, 0);
    while let Some(rest) = frames.get_mut(taken..).filter(|rest| !rest.is_empty()) {
        let Ok((count, piece)) = decoder.decode(rest) else { return messages };
        taken += count;
        if let Some(piece) = piece {
            messages += usize::from(matches!(assembler.piece(&piece), Ok(Some(_))));
        }
    }
    messages
}

/// Writes a server's frames to a queue, as many times as told; returns how many bytes they take.
pub fn encode(payload: &Bytes, times: usize) -> usize {
    let (encoder, mut queue) = (Encoder::new(Role::Server, || [0; 4]), WriteQueue::default());
    for _ in 0..times {
        encoder.encode(Frame::binary(payload.clone()), Lane::Data, &mut queue);
    }
    queue.len()
}
