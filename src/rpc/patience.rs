//! How long one end waits for the other to take something of what is there for it. Knows no session.

use std::time::Duration;

use tokio::time::Instant;

/// Time in which a peer takes at least a byte, while frames or handlers wait for that.
const PATIENCE: Duration = Duration::from_secs(10);

/// The wait for a peer to take something. Boxed, since it is rare.
#[derive(Debug, Default)]
pub(crate) struct Patience(Option<Box<Wait>>);

#[derive(Debug)]
struct Wait {
    until: Instant,
    /// Bytes that waited in the session when it began.
    queued: usize,
}

impl Patience {
    /// Begins to wait, or goes on.
    pub(crate) fn begin(&mut self, queued: usize) {
        self.0.get_or_insert_with(|| Box::new(Wait { until: Instant::now() + PATIENCE, queued }));
    }

    /// Ends the wait: the peer has taken something, or nothing waits.
    pub(crate) fn end(&mut self) {
        self.0 = None;
    }

    /// Returns when the wait is over.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.0.as_ref().map(|wait| wait.until)
    }

    /// Tells whether the wait was in vain; it begins anew when the session holds less than it did.
    pub(crate) fn is_over(&mut self, queued: usize, now: Instant) -> bool {
        let Some(wait) = self.0.take_if(|wait| wait.until <= now) else { return false };
        if queued < wait.queued {
            self.begin(queued);
        }
        self.0.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_wait_is_over_when_nothing_was_taken_and_begins_anew_when_something_was() {
        let mut patience = Patience::default();
        assert!(!patience.is_over(100, Instant::now()));
        patience.begin(100);
        tokio::time::advance(PATIENCE / 2).await;
        patience.begin(1);
        assert!(!patience.is_over(100, Instant::now()));
        tokio::time::advance(PATIENCE / 2).await;
        assert!(!patience.is_over(99, Instant::now()));
        tokio::time::advance(PATIENCE).await;
        assert!(patience.is_over(99, Instant::now()));
        assert_eq!(patience.due(), None);
    }
}
