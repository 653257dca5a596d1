//! Frames → bytes in a write queue. Knows who masks; knows no message and no order between lanes.

use crate::frame::{Frame, FrameHeader, Lane, OpCode, Role, Rsv, WriteQueue, apply_mask, header::MAX_HEADER};

/// Where masking keys come from: unpredictable ones in real use (RFC 6455 §10.3).
pub(crate) type MaskSource = fn() -> [u8; 4];

/// From this size on a payload is queued by reference instead of being copied, where it is not masked, in
/// bytes.
pub(crate) const BY_REFERENCE: usize = 8 * 1024;

/// Writes frames for one end of a connection.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Encoder {
    mask: Option<MaskSource>,
}

impl Encoder {
    /// Builds an encoder; a client masks with keys from `source`, a server never masks.
    pub(crate) fn new(role: Role, source: MaskSource) -> Self {
        Self { mask: (role == Role::Client).then_some(source) }
    }

    /// Appends a frame to a lane of the queue.
    pub(crate) fn encode(&self, frame: Frame, lane: Lane, queue: &mut WriteQueue) {
        let header = self.header(&frame);
        if header.mask.is_some() || frame.payload.len() < BY_REFERENCE {
            copy(header, &frame.payload, lane, queue);
        } else {
            let mut head = [0; MAX_HEADER];
            let end = header.write(&mut head);
            queue.append_shared(lane, &head[..end], frame.payload);
        }
    }

    /// Appends a whole unextended frame whose payload is copied.
    #[inline]
    pub(crate) fn encode_whole(&self, opcode: OpCode, payload: &[u8], lane: Lane, queue: &mut WriteQueue) {
        let mask = self.mask.map(|source| source());
        let len = payload.len() as u64;
        copy(FrameHeader { fin: true, rsv: Rsv::NONE, opcode, mask, len }, payload, lane, queue);
    }

    fn header(&self, frame: &Frame) -> FrameHeader {
        let &Frame { fin, rsv, opcode, ref payload } = frame;
        let mask = self.mask.map(|source| source());
        FrameHeader { fin, rsv, opcode, mask, len: payload.len() as u64 }
    }
}

#[inline]
fn copy(header: FrameHeader, payload: &[u8], lane: Lane, queue: &mut WriteQueue) {
    let mut head = [0; MAX_HEADER];
    let end = header.write(&mut head);
    queue.append(lane, &head[..end], payload, |payload| {
        if let Some(key) = header.mask {
            apply_mask(payload, key, 0);
        }
    });
}
