//! What the peer has acknowledged of what was written, as far as the transport tells. Knows no transport.

use std::time::Instant;

/// The acknowledgements of one connection, from one look at the transport to the next.
///
/// TLS writes some bytes more than it is given, which counts as a little less acknowledged.
#[derive(Debug)]
pub(crate) struct Acknowledged {
    /// Bytes that were not acknowledged at the last look.
    missing: usize,
    /// Bytes that were written since.
    written: usize,
    looked: Instant,
    /// When a look last showed that some were acknowledged.
    progress: Option<Instant>,
}

impl Acknowledged {
    /// Begins with a first look, at which so many bytes were not acknowledged.
    pub(crate) fn new(missing: usize, now: Instant) -> Self {
        Self { missing, written: 0, looked: now, progress: None }
    }

    /// Takes note of bytes that were written.
    pub(crate) fn wrote(&mut self, bytes: usize) {
        self.written = self.written.saturating_add(bytes);
    }

    /// Takes note of a look at the transport; returns how many bytes were acknowledged since the last one.
    pub(crate) fn look(&mut self, missing: usize, now: Instant) -> usize {
        let acknowledged = self.missing.saturating_add(self.written).saturating_sub(missing);
        (self.missing, self.written, self.looked) = (missing, 0, now);
        if acknowledged > 0 {
            self.progress = Some(now);
        }
        acknowledged
    }

    /// Returns how many bytes were not acknowledged at the last look, or were written since.
    pub(crate) fn missing(&self) -> usize {
        self.missing.saturating_add(self.written)
    }

    /// Returns when the last look was.
    pub(crate) fn looked(&self) -> Instant {
        self.looked
    }

    /// Returns when bytes were last seen to be acknowledged.
    pub(crate) fn progress(&self) -> Option<Instant> {
        self.progress
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn bytes_are_acknowledged_that_are_not_missing_any_more() {
        let begun = Instant::now();
        let at = |seconds| begun + Duration::from_secs(seconds);
        let mut acknowledged = Acknowledged::new(100, begun);
        assert_eq!((acknowledged.look(100, at(1)), acknowledged.progress()), (0, None));
        acknowledged.wrote(50);
        assert_eq!((acknowledged.look(150, at(2)), acknowledged.progress()), (0, None));
        acknowledged.wrote(50);
        assert_eq!((acknowledged.look(150, at(3)), acknowledged.progress()), (50, Some(at(3))));
        // TLS has written more than it was given.
        acknowledged.wrote(50);
        assert_eq!((acknowledged.look(222, at(4)), acknowledged.progress()), (0, Some(at(3))));
        assert_eq!((acknowledged.look(0, at(5)), acknowledged.looked()), (222, at(5)));
    }
}
