//! The limits and times that one engine keeps. Knows no defaults: those are the session's.

use std::time::Duration;

use crate::{
    extension::wire_limit,
    frame::{MaskSource, Role},
};

/// The longest time that can be told; more is cut to it, so that adding it to the time never overflows.
pub(crate) const LONGEST: Duration = Duration::from_secs(60 * 60 * 24 * 365 * 30);

/// The shortest pause between two pings, so that an interval of zero is no busy loop.
const SHORTEST_PING: Duration = Duration::from_millis(1);

/// Returns a ping interval that can be kept.
pub(crate) fn ping_interval(interval: Duration) -> Duration {
    interval.clamp(SHORTEST_PING, LONGEST)
}

/// What an engine is told when it is built.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EngineConfig {
    pub(crate) role: Role,
    /// Bytes of payload in one received frame; `None` means as many as a message may have.
    pub(crate) max_frame_size: Option<u64>,
    /// Bytes of payload in one received message, after the extensions.
    pub(crate) max_message_size: u64,
    /// Bytes of payload in one sent frame; a longer message leaves in fragments.
    pub(crate) fragment_size: usize,
    /// Bytes of received messages that wait for the application; beyond that nothing is read.
    pub(crate) receive_queue: usize,
    /// Silence after which a ping leaves.
    pub(crate) ping_interval: Option<Duration>,
    /// Time for any byte to arrive after a ping.
    pub(crate) timeout: Duration,
    /// Time of the closing handshake in which the peer takes nothing.
    pub(crate) close_timeout: Duration,
    /// Time of the closing handshake in all.
    pub(crate) max_close_time: Option<Duration>,
    /// Time for the peer to take some of what waits to be written.
    pub(crate) write_timeout: Duration,
    /// Time for the transport to take some of it.
    pub(crate) max_write_time: Option<Duration>,
    /// Time in which a message comes on, or ends.
    pub(crate) message_timeout: Option<Duration>,
    /// Time for a message to arrive whole.
    pub(crate) max_message_time: Option<Duration>,
    /// Whether every frame goes to the application, which answers control frames itself.
    pub(crate) raw: bool,
    pub(crate) mask_source: MaskSource,
}

impl EngineConfig {
    /// Returns the most bytes of payload that a received frame may have; with extensions it may be a little longer
    /// than a message, because what does not shrink grows.
    pub(crate) fn frame_limit(&self, extended: bool) -> u64 {
        let message = self.max_message_size;
        self.max_frame_size.unwrap_or(if extended { wire_limit(message) } else { message })
    }
}
