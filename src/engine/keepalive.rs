//! Whether the peer is alive: when something last came, and the ping that waits for its answer. Knows no
//! queue and no socket.

use std::time::{Duration, Instant};

/// The liveness of one connection. Any byte counts as a sign of life.
#[derive(Debug)]
pub(crate) struct Keepalive {
    last_received: Instant,
    /// Boxed: most of the time no ping is under way.
    outstanding: Option<Box<Ping>>,
    last_id: u32,
    /// The last ping that was answered.
    answered: u32,
    /// In nanoseconds.
    round_trip: u64,
}

#[derive(Clone, Copy, Debug)]
struct Ping {
    id: u32,
    asked: Instant,
    /// When it was given out to be written; before, the peer cannot answer.
    left: Option<Instant>,
    /// Bytes in front of it that the peer has not acknowledged, and cannot answer before it has them.
    front: usize,
    /// Whether nothing has been heard since.
    silent: bool,
}

impl Keepalive {
    /// Begins to watch.
    pub(crate) fn new(now: Instant) -> Self {
        Self { last_received: now, outstanding: None, last_id: 0, answered: 0, round_trip: 0 }
    }

    /// Notes that bytes came, or that this end is not listening.
    pub(crate) fn heard(&mut self, now: Instant) {
        self.last_received = now;
        if let Some(ping) = &mut self.outstanding {
            ping.silent = false;
        }
    }

    /// Returns the id of the ping that waits for its pong.
    pub(crate) fn outstanding(&self) -> Option<u32> {
        self.outstanding.as_ref().map(|ping| ping.id)
    }

    /// Notes a new ping, and returns its id.
    pub(crate) fn ping(&mut self, now: Instant) -> u32 {
        self.last_id = self.last_id.wrapping_add(1);
        self.outstanding =
            Some(Box::new(Ping { id: self.last_id, asked: now, left: None, front: 0, silent: true }));
        self.last_id
    }

    /// Notes that the ping was given out to be written.
    pub(crate) fn ping_left(&mut self, now: Instant) {
        if let Some(ping) = &mut self.outstanding {
            ping.left = Some(now);
            ping.silent = true;
        }
    }

    /// Notes how many bytes in front of the ping the peer has not acknowledged.
    pub(crate) fn ping_waits(&mut self, front: usize) {
        if let Some(ping) = &mut self.outstanding {
            ping.front = front;
        }
    }

    /// Tells whether bytes in front of the ping are not acknowledged.
    pub(crate) fn waits_in_front(&self) -> bool {
        self.outstanding.as_ref().is_some_and(|ping| ping.front > 0)
    }

    /// Notes that the peer has acknowledged so many bytes, while more wait for that: the time of a ping begins again.
    pub(crate) fn acknowledged(&mut self, bytes: usize, now: Instant) {
        if let Some(ping) = self.outstanding.as_mut().filter(|ping| ping.left.is_some() && bytes > 0) {
            ping.front = ping.front.saturating_sub(bytes);
            ping.left = Some(now);
        }
    }

    /// Notes a pong; one that answers no ping of this end is ignored (RFC 6455 §5.5.3).
    pub(crate) fn pong(&mut self, payload: &[u8], now: Instant) {
        if let Some(ping) = self.outstanding.take_if(|ping| payload == ping.id.to_be_bytes()) {
            self.answered = ping.id;
            // A clock that did not move between the two has only told that it was short.
            let time = now.saturating_duration_since(ping.left.unwrap_or(ping.asked));
            self.round_trip = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX).max(1);
        }
    }

    /// Returns the last ping that was answered, with its round-trip time.
    pub(crate) fn answered(&self) -> Option<(u32, Duration)> {
        (self.answered != 0).then_some((self.answered, Duration::from_nanos(self.round_trip)))
    }

    /// Returns when the peer counts as dead, and when it was asked for a sign of life; `None` while no ping is unanswered
    /// by any byte.
    pub(crate) fn dead_at(&self, timeout: Duration) -> Option<(Instant, Instant)> {
        let ping = self.outstanding.as_ref().filter(|ping| ping.silent)?;
        Some((ping.left?.checked_add(timeout)?, ping.asked))
    }

    /// Returns when something last came.
    pub(crate) fn last_received(&self) -> Instant {
        self.last_received
    }

    /// Returns when the next ping is due.
    pub(crate) fn ping_at(&self, interval: Duration) -> Option<Instant> {
        let unanswered = self.outstanding.as_ref().map(|ping| ping.asked);
        let since = unanswered.map_or(self.last_received, |asked| asked.max(self.last_received));
        since.checked_add(interval)
    }
}
