//! From the clock: what is due, and when to look again. Knows no timer.

use std::time::{Duration, Instant};

use crate::{
    engine::{CloseCause, ClosedBy, Engine, Phase, Signal},
    frame::{CloseCode, CloseReason, ProtocolError, Role},
};

/// How long an end that has said everything waits for the peer to end TCP, so that its last bytes are
/// not lost to a reset.
const LINGER: Duration = Duration::from_millis(500);

/// How long a peer that broke a rule has to take its Close frame.
const FAREWELL: Duration = Duration::from_millis(500);

const SLOW_MESSAGE: ProtocolError =
    ProtocolError::new(CloseCode::POLICY_VIOLATION, "limit", "message took too long to arrive");

impl Engine {
    /// Returns when [`handle_timeout`](Self::handle_timeout) has something to do, if nothing changes.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let open = matches!(self.phase(), Phase::Open | Phase::Closing);
        let message = self.message_due().filter(|_| open);
        let keepalive = self.keepalive_due().filter(|_| self.phase() == Phase::Open);
        [self.close_deadline, self.write_due(), message, keepalive].into_iter().flatten().min()
    }

    /// Does what is due.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        let due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        if due(self.close_deadline) {
            return self.give_up(CloseCause::CloseTimeout, now);
        }
        if due(self.write_due()) {
            return self.give_up(CloseCause::WriteTimeout, now);
        }
        if self.inbox.take_was_full() || !self.wants_bytes() {
            self.excuse_silence(now);
        }
        if self.starved {
            self.keepalive.heard(now);
        }
        if due(self.message_due()) {
            return self.fail(SLOW_MESSAGE, now);
        }
        if self.phase() == Phase::Open && due(self.keepalive_due()) {
            self.check_alive(now);
        }
    }

    /// Returns the deadline that a phase brings with it. One that no clock can show never comes.
    pub(super) fn deadline_of(&self, phase: Phase, now: Instant) -> Option<Instant> {
        let whole = now.checked_add(self.config.close_timeout);
        match phase {
            Phase::Open | Phase::Done => None,
            Phase::Closing => whole,
            Phase::Answering => self.close_deadline.or(whole),
            Phase::Failing => Some(now + FAREWELL.min(self.config.close_timeout)),
            Phase::Draining if self.config.role == Role::Client && !self.wants_shutdown() => whole,
            Phase::Draining => Some(now + LINGER.min(self.config.close_timeout)),
        }
    }

    /// Returns when a write that makes no progress is given up. What was in flight when the
    /// transport ended never leaves: it is waited for no more.
    fn write_due(&self) -> Option<Instant> {
        let waits = self.in_flight > 0 && self.phase() != Phase::Done;
        if waits { self.write_progress.checked_add(self.config.write_timeout) } else { None }
    }

    fn message_due(&self) -> Option<Instant> {
        self.message_began?.checked_add(self.config.message_timeout?)
    }

    fn keepalive_due(&self) -> Option<Instant> {
        let dead = self.keepalive.dead_at(self.config.timeout);
        dead.or_else(|| self.keepalive.ping_at(self.config.ping_interval?))
    }

    fn check_alive(&mut self, now: Instant) {
        if self.keepalive.dead_at(self.config.timeout).is_some() {
            let reason = CloseReason::new(CloseCode::INTERNAL_ERROR, "no answer to a ping in time");
            self.discard();
            return self.end(reason, CloseCause::PingTimeout, now);
        }
        self.begin_ping(now);
    }

    /// This end is or was not reading, so the peer's silence says nothing.
    pub(super) fn excuse_silence(&mut self, now: Instant) {
        self.keepalive.heard(now);
        if self.message_began.is_some() {
            self.message_began = Some(now);
        }
    }

    fn give_up(&mut self, cause: CloseCause, now: Instant) {
        let (by, why) = self.farewell.cause().unwrap_or((ClosedBy::Local, cause));
        // Only a closing handshake can come too late; what this end failed for stays the cause.
        self.farewell.blame(by, if why == CloseCause::Handshake { cause } else { why });
        self.signal(Signal::Abort, now);
    }
}
