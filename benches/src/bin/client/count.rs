//! How many messages came, and what CPU time they took.

use std::{process, time::Duration};

use converse_benches::{Result, clock::CpuClock};

/// Counts messages from the first on.
pub(crate) struct Count {
    wanted: u64,
    received: u64,
    first: Duration,
    last: Duration,
}

impl Count {
    /// Counts until this many have come.
    pub(crate) fn new(wanted: u64) -> Self {
        Self { wanted, received: 0, first: Duration::ZERO, last: Duration::ZERO }
    }

    /// Notes a message; tells whether it was the last one.
    pub(crate) fn is_last(&mut self) -> bool {
        self.received += 1;
        if self.received == 1 {
            self.first = CpuClock::of_process(process::id()).now();
        }
        if self.received == self.wanted {
            self.last = CpuClock::of_process(process::id()).now();
        }
        self.received >= self.wanted
    }

    /// Returns the CPU time for each message behind the first.
    ///
    /// # Errors
    /// When the connection ended before the last one, or when two are too many.
    pub(crate) fn nanoseconds(&self) -> Result<f64> {
        if self.received < self.wanted || self.wanted < 2 {
            return Err(format!("{} messages of {} came", self.received, self.wanted).into());
        }
        Ok((self.last - self.first).as_nanos() as f64 / (self.wanted - 1) as f64)
    }
}
