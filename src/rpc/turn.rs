//! How much a conversation does before others have their turn: so many steps, and so much time.

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU32, Ordering::Relaxed},
    },
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
    /// When the time is up; `None` before the first turn.
    until: Mutex<Option<Instant>>,
    /// Whether a look at the clock has told so.
    late: AtomicBool,
    steps: AtomicU32,
    /// Steps between two looks at the clock: 1 behind a turn whose time was up, since its steps are long.
    stride: AtomicU32,
}

impl Turn {
    pub(crate) fn new() -> Self {
        let (steps, stride) = (AtomicU32::new(0), AtomicU32::new(STRIDE));
        Self { until: Mutex::new(None), late: AtomicBool::new(false), steps, stride }
    }

    /// Begins a turn.
    pub(crate) fn begin(&self) {
        *self.until() = Some(Instant::now() + TIME);
        self.stride.store(if self.late.load(Relaxed) { 1 } else { STRIDE }, Relaxed);
        self.late.store(false, Relaxed);
        self.steps.store(0, Relaxed);
    }

    /// Takes a step; tells whether it was the last one.
    #[inline]
    pub(crate) fn step(&self) -> bool {
        let steps = self.steps.load(Relaxed) + 1;
        self.steps.store(steps, Relaxed);
        // A power of two, or 1.
        if steps & (self.stride.load(Relaxed) - 1) == 0 {
            self.look();
        }
        self.is_over()
    }

    /// Tells whether others have their turn now.
    #[inline]
    pub(crate) fn is_over(&self) -> bool {
        self.steps.load(Relaxed) >= STEPS || self.late.load(Relaxed)
    }

    /// Looks at the clock.
    fn look(&self) {
        if self.until().is_some_and(|until| until <= Instant::now()) {
            self.late.store(true, Relaxed);
        }
    }

    fn until(&self) -> MutexGuard<'_, Option<Instant>> {
        self.until.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
        let turn = Turn::new();
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
