//! How long an item waits for memory. Knows no item.

use std::time::Duration;

use tokio::time::Instant;

/// Time in which memory for an item may be found; then its stream is ended.
const PATIENCE: Duration = Duration::from_secs(10);
/// The shortest and the longest time until an item is tried again: each try decodes what there is memory for.
const PAUSE: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(160));

/// The wait of an item, and of all frames behind it, for what is held to be taken. Boxed, since it is rare.
#[derive(Debug, Default)]
pub(crate) struct Shortage(Option<Box<Wait>>);

#[derive(Debug)]
struct Wait {
    since: Instant,
    pause: Duration,
    /// When the item is tried again; `None` when it may be now.
    retry: Option<Instant>,
}

impl Shortage {
    /// Begins to wait, or goes on; `false` when the wait was too long.
    pub(crate) fn begins(&mut self) -> bool {
        let now = Instant::now();
        let wait = self.0.get_or_insert_with(|| Box::new(Wait { since: now, pause: PAUSE.0, retry: None }));
        let goes_on = now.saturating_duration_since(wait.since) < PATIENCE;
        wait.retry = goes_on.then_some(now + wait.pause);
        wait.pause = (wait.pause * 2).min(PAUSE.1);
        goes_on
    }

    /// Ends the wait.
    pub(crate) fn end(&mut self) {
        self.0 = None;
    }

    /// Tells whether nothing is tried now.
    pub(crate) fn waits(&self) -> bool {
        self.due().is_some()
    }

    /// Returns when the item is tried again.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.0.as_ref()?.retry
    }

    /// Lets the item be tried again, when it is time.
    pub(crate) fn expire(&mut self, now: Instant) {
        if let Some(wait) = &mut self.0 {
            wait.retry.take_if(|retry| *retry <= now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_item_is_tried_again_and_again_but_not_for_ever() {
        let (mut shortage, begun) = (Shortage::default(), Instant::now());
        assert!(!shortage.waits());
        while shortage.begins() {
            assert!(shortage.waits());
            tokio::time::sleep_until(shortage.due().unwrap_or(begun)).await;
            shortage.expire(Instant::now());
            assert!(!shortage.waits());
        }
        assert!(begun.elapsed() >= PATIENCE && begun.elapsed() < PATIENCE + PAUSE.1);
        shortage.end();
        assert!(shortage.begins());
    }
}
