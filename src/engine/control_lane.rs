//! The pings and pongs that wait to leave: a bounded few, however many the peer asks for. Knows no
//! Close frame and no time.

use bytes::Bytes;

use crate::frame::{Encoder, Lane, OpCode, WriteQueue};

/// Pongs are queued one by one up to this many bytes; beyond it only the newest waits, as RFC 6455
/// §5.5.3 allows.
const QUEUED_PONGS: usize = 2 * 1024;

/// What waits to pass the data at the next frame boundary.
#[derive(Debug, Default)]
pub(crate) struct ControlLane {
    pongs: WriteQueue,
    newest_pong: Option<Bytes>,
    ping: Option<[u8; 4]>,
}

impl ControlLane {
    /// Queues the answer to a ping.
    pub(crate) fn pong(&mut self, payload: &[u8], encoder: &Encoder) {
        if self.pongs.len() > QUEUED_PONGS {
            self.newest_pong = Some(Bytes::copy_from_slice(payload));
        } else {
            encoder.encode_whole(OpCode::Pong, payload, Lane::Control, &mut self.pongs);
        }
    }

    /// Queues a ping, in place of one that still waits.
    pub(crate) fn ping(&mut self, payload: [u8; 4]) {
        self.ping = Some(payload);
    }

    /// Moves everything over to the end of `to`; tells whether a ping was among it.
    pub(crate) fn drain(&mut self, encoder: &Encoder, to: &mut WriteQueue) -> bool {
        self.pongs.move_frames(to, usize::MAX);
        if let Some(payload) = self.newest_pong.take() {
            encoder.encode_whole(OpCode::Pong, &payload, Lane::Control, to);
        }
        let ping = self.ping.take();
        if let Some(payload) = ping {
            encoder.encode_whole(OpCode::Ping, &payload, Lane::Control, to);
        }
        ping.is_some()
    }

    /// Drops what waits.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Tells whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.pongs.is_empty() && self.newest_pong.is_none() && self.ping.is_none()
    }
}
