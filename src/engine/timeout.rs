//! From the clock: what is due, and when to look again. Knows no timer.

use std::time::{Duration, Instant};

use crate::{
    engine::{CloseCause, ClosedBy, Closing, Engine, MessageTime, Phase, Signal, acknowledged::Acknowledged},
    frame::{CloseCode, CloseReason, ProtocolError, Role},
};

/// How long an end that has said everything waits for the peer to end TCP, so that its last bytes are
/// not lost to a reset.
const LINGER: Duration = Duration::from_millis(500);

/// The same where this end has ended the connection: a peer that is still sending reads why when it has sent, and has this
/// time again while bytes come.
const VERDICT: Duration = Duration::from_secs(2);

/// Bytes of such a peer that are read and dropped.
const DROPPED: usize = 64 * 1024 * 1024;

const SLOW_MESSAGE: ProtocolError =
    ProtocolError::new(CloseCode::POLICY_VIOLATION, "limit", "message took too long to arrive");

/// Bytes of a message that give it its time again: so a peer that sends byte by byte has no more than that.
const PROGRESS: usize = 16 * 1024;

/// How often the transport is asked what is acknowledged, in each of the times that wait for it.
const LOOKS: u32 = 4;

/// The longest time of a write that looks are a part of: a conversation asks what was seen of the last ten seconds.
const SEEN: Duration = Duration::from_secs(10);

/// Bytes in front of a ping that are not worth asking for: even a slow peer has them in a second.
const LITTLE: usize = 16 * 1024;

impl Engine {
    /// Returns when [`handle_timeout`](Self::handle_timeout) has something to do, if nothing changes.
    #[inline]
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let sends = self.in_flight > 0 || self.ping_left || self.keepalive.outstanding().is_some();
        if sends || self.closing.is_some() || self.message.is_some() {
            return self.first_timeout();
        }
        if self.phase() == Phase::Open { self.keepalive_due() } else { None }
    }

    /// Returns the same, where more than one thing may be due.
    fn first_timeout(&self) -> Option<Instant> {
        let open = matches!(self.phase(), Phase::Open | Phase::Closing);
        let message = self.message_due().filter(|_| open);
        let keepalive = self.keepalive_due().filter(|_| self.phase() == Phase::Open);
        let look = if self.is_told { self.look_due() } else { None };
        [self.close_due(), self.write_due(), message, keepalive, look].into_iter().flatten().min()
    }

    /// Tells whether the transport is to be asked now how many bytes are not acknowledged.
    fn wants_look(&self, now: Instant) -> bool {
        let due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        // Before a verdict, too: what was acknowledged since the last look counts.
        let is_verdict = || due(self.close_due()) || due(self.write_due()) || due(self.keepalive_due());
        self.is_told && (due(self.look_due()) || self.waits_for_acknowledgements() && is_verdict())
    }

    /// Takes note of how many bytes that were written the peer has not acknowledged; a transport that does not tell is
    /// asked no more.
    fn look(&mut self, missing: Option<usize>, now: Instant) {
        let Some(missing) = missing else {
            (self.is_told, self.ping_left, self.acknowledged) = (false, false, None);
            return;
        };
        let acknowledged = match &mut self.acknowledged {
            Some(acknowledged) => acknowledged.look(missing, now),
            None => 0,
        };
        self.keepalive.acknowledged(acknowledged, now);
        if std::mem::take(&mut self.ping_left) {
            let front = missing.saturating_add(self.in_flight);
            self.keepalive.ping_waits(if front > LITTLE { front } else { 0 });
        }
        if self.acknowledged.is_none() && self.waits_for_acknowledgements() {
            self.acknowledged = Some(Box::new(Acknowledged::new(missing, now)));
        }
    }

    fn waits_for_acknowledgements(&self) -> bool {
        self.in_flight > 0 || self.closing.is_some() || self.keepalive.waits_in_front()
    }

    /// Returns when to look next at what is acknowledged; `None` while nothing waits for it.
    fn look_due(&self) -> Option<Instant> {
        if self.ping_left {
            // Long ago.
            return Some(self.write_progress);
        }
        if !self.waits_for_acknowledgements() || self.phase() == Phase::Done {
            return None;
        }
        let times = [
            (self.in_flight > 0).then_some(self.config.write_timeout.min(SEEN)),
            self.keepalive.waits_in_front().then_some(self.config.timeout),
            self.close_time(self.phase()),
        ];
        let since = match &self.acknowledged {
            Some(acknowledged) => acknowledged.looked(),
            None => self.closing.as_ref().map_or(self.write_progress, |closing| closing.began),
        };
        times.into_iter().flatten().min().map(|time| since + (time / LOOKS).max(Duration::from_millis(1)))
    }

    /// Does what is due. `unacknowledged` asks the transport how many bytes that were written the peer has not
    /// acknowledged, where that matters; `None` when it does not tell.
    pub(crate) fn handle_timeout(&mut self, now: Instant, unacknowledged: impl FnOnce() -> Option<usize>) {
        if self.wants_look(now) {
            self.look(unacknowledged(), now);
        }
        let due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        if due(self.close_due()) {
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

    /// Returns the deadline that a phase brings with it, if nothing is acknowledged. One that no clock can show never
    /// comes.
    pub(super) fn deadline_of(&self, phase: Phase, now: Instant) -> Option<Instant> {
        match self.closing.as_deref() {
            Some(closing) if phase == Phase::Answering => Some(closing.deadline),
            _ => now.checked_add(self.close_time(phase)?),
        }
    }

    /// Returns the time of a phase of the close.
    fn close_time(&self, phase: Phase) -> Option<Duration> {
        let whole = self.config.close_timeout;
        match phase {
            Phase::Open | Phase::Done => None,
            Phase::Closing | Phase::Answering | Phase::Failing => Some(whole),
            Phase::Draining if self.is_verdict() => Some(VERDICT.min(whole)),
            Phase::Draining if self.config.role == Role::Client && !self.wants_shutdown() => Some(whole),
            Phase::Draining => Some(LINGER.min(whole)),
        }
    }

    /// Returns when the close is given up: its phase has its time again whenever the peer takes some of what was sent, up
    /// to the limit for all of it.
    fn close_due(&self) -> Option<Instant> {
        let Closing { began, deadline, .. } = **self.closing.as_ref()?;
        let again = self.send_progress().checked_add(self.time_again()?)?;
        let within = (self.config.close_timeout, self.config.max_close_time);
        let deadline = match self.phase() {
            Phase::Draining => self.while_sending(deadline),
            // What the peer has sent before it hears of the close comes first.
            Phase::Closing => {
                let heard = self.keepalive.last_received().checked_add(self.config.close_timeout);
                heard.map_or(deadline, |heard| deadline.max(heard))
            }
            _ => deadline,
        };
        Some(limited(deadline.max(again), began, within))
    }

    /// Returns the deadline of a peer that may still be sending, and reads its verdict behind that: later while bytes come, up
    /// to the close timeout.
    fn while_sending(&self, deadline: Instant) -> Instant {
        let time = VERDICT.min(self.config.close_timeout);
        let again = self.keepalive.last_received().checked_add(time);
        let last = deadline.checked_add(self.config.close_timeout - time);
        match again.zip(last) {
            Some((again, last)) if self.is_verdict() => deadline.max(again.min(last)),
            _ => deadline,
        }
    }

    /// Takes note of bytes that a peer sends behind the end.
    #[cold]
    pub(super) fn drop_bytes(&mut self, bytes: usize, now: Instant) {
        let Some(closing) = &mut self.closing else { return };
        closing.dropped += bytes;
        if closing.dropped > DROPPED {
            self.signal(Signal::Abort, now);
        }
    }

    /// Returns the time that a phase of the close has again. While bytes are on their way to the peer that is not less than
    /// that of a write: on a slow line they are acknowledged seconds apart.
    fn time_again(&self) -> Option<Duration> {
        let time = self.close_time(self.phase())?;
        let on_its_way = self.acknowledged.as_ref().is_some_and(|acknowledged| acknowledged.missing() > 0);
        // Behind a clean close nothing is lost with the socket.
        let waits = self.phase() != Phase::Draining || self.is_verdict();
        Some(if waits && on_its_way { time.max(self.config.write_timeout) } else { time })
    }

    /// Tells whether this end has ended the connection, and not by a closing handshake.
    fn is_verdict(&self) -> bool {
        let cause = self.close_record.cause();
        cause.is_some_and(|(by, cause)| by == ClosedBy::Local && cause != CloseCause::Handshake)
    }

    /// Returns when the peer has last taken some of what was sent, as far as is known.
    pub(crate) fn send_progress(&self) -> Instant {
        let acknowledged = self.acknowledged.as_ref().and_then(|acknowledged| acknowledged.progress());
        acknowledged.map_or(self.write_progress, |at| at.max(self.write_progress))
    }

    /// Returns when a write that makes no progress is given up. What was in flight when the
    /// transport ended never leaves: it is waited for no more.
    fn write_due(&self) -> Option<Instant> {
        if self.in_flight == 0 || self.phase() == Phase::Done {
            return None;
        }
        let timeout = self.config.write_timeout;
        let silent = self.send_progress().checked_add(timeout)?;
        Some(limited(silent, self.write_progress, (timeout, self.config.max_write_time)))
    }

    fn message_due(&self) -> Option<Instant> {
        let MessageTime { began, progress, .. } = **self.message.as_ref()?;
        let timeout = self.config.message_timeout?;
        let silent = progress.checked_add(timeout)?;
        Some(limited(silent, began, (timeout, self.config.max_message_time)))
    }

    fn keepalive_due(&self) -> Option<Instant> {
        let dead = if self.keepalive.outstanding().is_some() { self.dead_at() } else { None };
        dead.or_else(|| self.keepalive.ping_at(self.config.ping_interval?))
    }

    #[cold]
    fn dead_at(&self) -> Option<Instant> {
        let timeout = self.config.timeout;
        let (at, asked) = self.keepalive.dead_at(timeout)?;
        Some(limited(at, asked, (timeout, self.config.max_write_time)))
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
        if let Some(time) = &mut self.message {
            **time = MessageTime::new(now);
        }
    }

    pub(super) fn give_up(&mut self, cause: CloseCause, now: Instant) {
        let (by, why) = self.close_record.cause().unwrap_or((ClosedBy::Local, cause));
        // Only a closing handshake can come too late; what this end failed for stays the cause.
        self.close_record.blame(by, if why == CloseCause::Handshake { cause } else { why });
        self.signal(Signal::Abort, now);
    }
}

impl MessageTime {
    /// Begins with the first byte.
    pub(super) fn new(now: Instant) -> Self {
        Self { began: now, progress: now, bytes: 0 }
    }

    /// Takes note of bytes that came.
    pub(super) fn add(&mut self, bytes: usize, now: Instant) {
        self.bytes += bytes;
        if self.bytes >= PROGRESS {
            (self.progress, self.bytes) = (now, 0);
        }
    }
}

/// Returns an instant, or the end of what a time may take from its beginning in all, if that is earlier. That is never less
/// than the time without progress.
fn limited(at: Instant, began: Instant, (timeout, most): (Duration, Option<Duration>)) -> Instant {
    let last = most.and_then(|most| began.checked_add(most.max(timeout)));
    last.map_or(at, |last| at.min(last))
}
