//! The pings and pongs that wait to leave: a bounded few, however many the peer asks for. Knows no
//! Close frame and no time.

use bytes::Bytes;

use crate::frame::{Encoder, Lane, OpCode, WriteQueue};

/// Pongs are queued one by one up to this many bytes; beyond it only the newest waits, as RFC 6455
/// §5.5.3 allows.
const QUEUED_PONGS: usize = 2 * 1024;

/// What waits to pass the data at the next frame boundary. Boxed while there is something.
#[derive(Debug, Default)]
pub(crate) struct ControlLane(Option<Box<Waiting>>);

#[derive(Debug, Default)]
struct Waiting {
    pongs: WriteQueue,
    newest_pong: Option<Bytes>,
    ping: Option<[u8; 4]>,
}

impl ControlLane {
    /// Queues the answer to a ping.
    pub(crate) fn pong(&mut self, payload: &[u8], encoder: &Encoder) {
        let waiting = self.0.get_or_insert_default();
        if waiting.pongs.len() > QUEUED_PONGS {
            waiting.newest_pong = Some(Bytes::copy_from_slice(payload));
        } else {
            encoder.encode_whole(OpCode::Pong, payload, Lane::Control, &mut waiting.pongs);
        }
    }

    /// Queues a ping, in place of one that still waits.
    pub(crate) fn ping(&mut self, payload: [u8; 4]) {
        self.0.get_or_insert_default().ping = Some(payload);
    }

    /// Moves everything over to the end of `to`; tells whether a ping was among it.
    pub(crate) fn drain(&mut self, encoder: &Encoder, to: &mut WriteQueue) -> bool {
        let Some(mut waiting) = self.0.take() else { return false };
        waiting.pongs.move_frames(to, usize::MAX);
        if let Some(payload) = waiting.newest_pong {
            encoder.encode_whole(OpCode::Pong, &payload, Lane::Control, to);
        }
        if let Some(payload) = waiting.ping {
            encoder.encode_whole(OpCode::Ping, &payload, Lane::Control, to);
        }
        waiting.ping.is_some()
    }

    /// Drops what waits.
    pub(crate) fn clear(&mut self) {
        self.0 = None;
    }

    /// Tells whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_none()
    }
}
