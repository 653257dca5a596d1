//! How much a conversation does before others have their turn: so many steps, and so much time.

use std::{
    sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use tokio::time::Instant;

/// Steps of one turn. A step is a frame that is handled, or a handler that is continued.
const STEPS: u32 = 64;
/// Time after which a turn ends with its step.
const TIME: Duration = Duration::from_millis(1);
/// Steps between two looks at the clock: reading it costs a part of a short step.
const STRIDE: u32 = 4;

/// The turn of one conversation, which its task takes and its handlers keep to.
#[derive(Debug)]
pub(crate) struct Turn {
    epoch: Instant,
    /// When the time is up, in nanoseconds behind the epoch.
    until: AtomicU64,
    steps: AtomicU32,
    /// Steps between two looks at the clock: 1 behind a turn whose time was up, since its steps are long.
    stride: AtomicU32,
}

impl Turn {
    pub(crate) fn new() -> Self {
        let (until, steps, stride) = (AtomicU64::new(u64::MAX), AtomicU32::new(0), AtomicU32::new(STRIDE));
        Self { epoch: Instant::now(), until, steps, stride }
    }

    /// Begins a turn.
    pub(crate) fn begin(&self) {
        let is_short_of_time = self.until.swap(self.now().saturating_add(nanos(TIME)), Relaxed) == 0;
        self.stride.store(if is_short_of_time { 1 } else { STRIDE }, Relaxed);
        self.steps.store(0, Relaxed);
    }

    /// Takes a step; tells whether it was the last one.
    pub(crate) fn step(&self) -> bool {
        let steps = self.steps.load(Relaxed) + 1;
        self.steps.store(steps, Relaxed);
        if steps.is_multiple_of(self.stride.load(Relaxed)) && self.now() >= self.until.load(Relaxed) {
            self.until.store(0, Relaxed);
        }
        self.is_over()
    }

    /// Tells whether others have their turn now.
    pub(crate) fn is_over(&self) -> bool {
        self.steps.load(Relaxed) >= STEPS || self.until.load(Relaxed) == 0
    }

    fn now(&self) -> u64 {
        nanos(self.epoch.elapsed())
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps_of(turn: &Turn, step: impl Fn()) -> usize {
        turn.begin();
        let steps = std::iter::from_fn(|| {
            step();
            (!turn.step()).then_some(())
        });
        steps.count() + 1
    }

    #[test]
    fn a_turn_of_short_steps_ends_by_their_number() {
        let turn = Turn { until: AtomicU64::new(u64::MAX), ..Turn::new() };
        let steps = std::iter::from_fn(|| (!turn.step()).then_some(()));
        assert_eq!(steps.count() + 1, STEPS as usize);
        assert!(turn.is_over());
    }

    #[test]
    fn a_turn_of_long_steps_ends_by_the_clock_and_the_next_one_looks_at_it_more_often() {
        let turn = Turn::new();
        turn.begin();
        assert!(!turn.is_over());
        let long = || std::thread::sleep(TIME);
        assert_eq!(steps_of(&turn, long), STRIDE as usize);
        assert_eq!(steps_of(&turn, long), 1);
        turn.begin();
        turn.begin();
        assert_eq!(turn.stride.load(Relaxed), STRIDE);
    }
}
