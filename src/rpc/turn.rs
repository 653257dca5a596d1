//! How much a conversation does before others have their turn: so many steps, and so much time.

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU16, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::time::Instant;

/// Steps of one turn. A step is a frame that is handled, or a handler that is continued.
const STEPS: u16 = 64;
/// Time after which a turn ends with its step.
const TIME: Duration = Duration::from_millis(1);
/// Steps between two looks at the clock: reading it costs a part of a short step.
const STRIDE: u16 = 4;
/// The step that starts the clock: a turn with one frame is shorter.
const FIRST: u16 = 4;

/// The turn of one conversation, which its task takes and its handlers keep to.
#[derive(Debug)]
pub(crate) struct Turn {
    /// When the time of the last turn is up that has looked at the clock.
    until: Mutex<Option<Instant>>,
    /// Whether a look at the clock has told so.
    late: AtomicBool,
    steps: AtomicU16,
    /// The step that looks at the clock next.
    look: AtomicU16,
    /// Steps between two looks: 1 behind a turn whose time was up, since its steps are long.
    stride: AtomicU16,
}

impl Turn {
    pub(crate) fn new() -> Self {
        let [steps, look, stride] = [0, FIRST, STRIDE].map(AtomicU16::new);
        Self { until: Mutex::new(None), late: AtomicBool::new(false), steps, look, stride }
    }

    /// Begins a turn.
    pub(crate) fn begin(&self) {
        let was_late = self.late.load(Relaxed);
        self.late.store(false, Relaxed);
        self.steps.store(0, Relaxed);
        self.look.store(FIRST, Relaxed);
        self.stride.store(STRIDE, Relaxed);
        if was_late {
            *self.until() = Some(Instant::now() + TIME);
            self.look.store(1, Relaxed);
            self.stride.store(1, Relaxed);
        }
    }

    /// Takes a step; tells whether it was the last one.
    #[inline]
    pub(crate) fn step(&self) -> bool {
        let steps = self.steps.load(Relaxed).saturating_add(1);
        self.steps.store(steps, Relaxed);
        if steps >= self.look.load(Relaxed) {
            self.look(steps);
        }
        self.is_over()
    }

    /// Tells whether others have their turn now.
    #[inline]
    pub(crate) fn is_over(&self) -> bool {
        self.steps.load(Relaxed) >= STEPS || self.late.load(Relaxed)
    }

    /// Looks at the clock, which the first look starts, unless the turn's begin has.
    #[inline(never)]
    fn look(&self, steps: u16) {
        let (mut until, now) = (self.until(), Instant::now());
        let starts = steps == FIRST && self.stride.load(Relaxed) == STRIDE;
        if starts {
            *until = Some(now + TIME);
        } else if until.is_some_and(|until| until <= now) {
            self.late.store(true, Relaxed);
        }
        // Of long steps there have been some already.
        let next = if starts { 1 } else { self.stride.load(Relaxed) };
        self.look.store(steps.saturating_add(next), Relaxed);
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
        assert_eq!(steps_of(&turn, long), FIRST as usize + 1);
        assert_eq!(steps_of(&turn, long), 1);
        turn.begin();
        turn.begin();
        assert_eq!(turn.stride.load(Relaxed), STRIDE);
    }
}
