//! How long one end waits for the other to take something of what is there for it. Knows no session.

use std::time::Duration;

use tokio::time::Instant;

/// Time in which a peer takes at least a byte, while frames or handlers wait for that.
const PATIENCE: Duration = Duration::from_secs(10);

/// The wait for a peer to take something. Boxed, since it is rare.
#[derive(Debug, Default)]
pub(crate) struct Patience {
    until: Option<Box<Instant>>,
}

impl Patience {
    /// Begins to wait, or goes on.
    pub(crate) fn begin(&mut self) {
        self.until.get_or_insert_with(|| Box::new(Instant::now() + PATIENCE));
    }

    /// Ends the wait: nothing waits.
    pub(crate) fn end(&mut self) {
        self.until = None;
    }

    /// Returns when the wait is over.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.until.as_deref().copied()
    }

    /// Tells whether the wait was in vain; `progress` tells when the peer has last taken something, which is asked only
    /// then.
    pub(crate) fn is_over(&mut self, progress: impl FnOnce() -> Instant, now: Instant) -> bool {
        if self.due().is_none_or(|until| until > now) {
            return false;
        }
        let again = progress() + PATIENCE;
        self.until = (again > now).then(|| Box::new(again));
        self.until.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_wait_is_over_when_nothing_was_taken_and_begins_anew_when_something_was() {
        let (begun, mut patience) = (Instant::now(), Patience::default());
        assert!(!patience.is_over(|| begun, Instant::now()));
        patience.begin();
        tokio::time::advance(PATIENCE / 2).await;
        patience.begin();
        let taken = Instant::now();
        assert!(!patience.is_over(|| taken, Instant::now()));
        tokio::time::advance(PATIENCE / 2).await;
        assert!(!patience.is_over(|| taken, Instant::now()));
        assert_eq!(patience.due(), Some(taken + PATIENCE));
        tokio::time::advance(PATIENCE / 2).await;
        assert!(patience.is_over(|| taken, Instant::now()));
        assert_eq!(patience.due(), None);
    }
}
