//! How much a connection reads while the memory that it shares is scarce. Knows no transport.

use std::{
    mem,
    time::{Duration, Instant},
};

use crate::session::{
    memory::{Account, FLOOR},
    state::State,
};

/// The shortest and the longest pause before a connection that found no memory looks again, in milliseconds.
const PAUSE_MILLIS: (u16, u16) = (10, 640);

/// With less room than this, reads are short, in bytes: so little is carried when the room ends.
pub(crate) const SCARCE: usize = 1024 * 1024;
/// The longest read while memory is scarce, in bytes.
const SHORT: u32 = 8 * 1024;

/// What a driver knows of its room.
#[derive(Debug, Default)]
pub(crate) struct Ration {
    /// Whether this turn could not read for want of memory.
    starved: bool,
    /// The last pause, in milliseconds.
    pause: u16,
    /// How many bytes the message under way takes without another allocation, as far as one read may need.
    spare: u32,
    /// When to look again.
    retry: Option<Instant>,
}

impl Ration {
    /// Begins for a connection that shares a pool; others read what comes.
    pub(crate) fn new(account: &Account) -> Option<Self> {
        account.has_pool().then(Self::default)
    }

    /// Begins a turn.
    #[inline]
    pub(crate) fn begin(&mut self) {
        if !mem::take(&mut self.starved) {
            self.retry = None;
        }
    }

    /// Tells whether this turn could not read for want of memory.
    pub(crate) fn is_starved(&self) -> bool {
        self.starved
    }

    /// Returns a deadline, or when to look again if this turn could not read and that is earlier.
    #[inline]
    pub(crate) fn deadline(&self, other: Option<Instant>) -> Option<Instant> {
        if !self.starved {
            return other;
        }
        self.retry.map(|retry| other.map_or(retry, |other| other.min(retry))).or(other)
    }

    /// Returns how many bytes may be read at once, `most` at most.
    #[inline]
    pub(crate) fn limit(&mut self, account: &Account, most: usize, now: Instant) -> usize {
        if account.has_reading_room(SCARCE) { most } else { self.scarce_limit(account, most, now) }
    }

    #[cold]
    fn scarce_limit(&mut self, account: &Account, most: usize, now: Instant) -> usize {
        let room = account.reading_room();
        // What does not fit into the engine is carried, and half of the room is there for that.
        let limit = most.min(SHORT as usize).min(room / 2 + self.spare as usize);
        if limit == 0 {
            self.stop(now);
        }
        limit
    }

    /// Hands bytes to the engine as far as there is room for what they may become; returns how many were taken.
    #[inline]
    pub(crate) fn feed(
        &mut self,
        state: &mut State,
        account: &Account,
        bytes: &mut [u8],
        now: Instant,
    ) -> usize {
        if state.engine.could_hold(bytes.len()) <= FLOOR {
            self.spare = 0;
            return state.engine.handle_bytes(bytes, now);
        }
        self.feed_portions(state, account, bytes, now)
    }

    fn feed_portions(
        &mut self,
        state: &mut State,
        account: &Account,
        bytes: &mut [u8],
        now: Instant,
    ) -> usize {
        // Bytes that were carried need no room where they go.
        state.note(account, 0);
        let mut taken = 0;
        while let Some(rest) = bytes.get_mut(taken..).filter(|rest| !rest.is_empty()) {
            let room = account.reading_room();
            let portion = state.engine.portion(rest.len(), room);
            if portion == 0 {
                self.stop(now);
                break;
            }
            let rest = rest.get_mut(..portion).unwrap_or_default();
            let count = state.engine.handle_portion(rest, room, now);
            taken += count;
            state.note(account, 0);
            if count < portion {
                break;
            }
        }
        self.spare = u32::try_from(state.engine.spare()).unwrap_or(SHORT);
        taken
    }

    fn stop(&mut self, now: Instant) {
        self.starved = true;
        self.pause = match self.retry {
            None => PAUSE_MILLIS.0,
            Some(at) if at <= now => (self.pause * 2).min(PAUSE_MILLIS.1),
            Some(_) => return,
        };
        self.retry = Some(now + Duration::from_millis(self.pause.into()));
    }
}
