//! How long replies took: a histogram whose steps are less than two percent apart.

use std::time::Duration;

/// Bits of a step within a power of two.
const BITS: u32 = 6;

/// Counts of times from a nanosecond to some centuries.
#[derive(Clone, Debug)]
pub struct Latency {
    counts: Vec<u64>,
    total: u64,
}

impl Default for Latency {
    fn default() -> Self {
        Self { counts: vec![0; (64 << BITS) as usize], total: 0 }
    }
}

impl Latency {
    /// Adds one.
    pub fn push(&mut self, time: Duration) {
        let nanos = (time.as_nanos() as u64).max(1);
        let power = nanos.ilog2();
        let step = if power >= BITS { nanos >> (power - BITS) } else { nanos << (BITS - power) };
        let at = (u64::from(power) << BITS) + (step & ((1 << BITS) - 1));
        self.counts[at as usize] += 1;
        self.total += 1;
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.counts.fill(0);
        self.total = 0;
    }

    /// Returns the time that this part of the replies did not exceed, in microseconds.
    pub fn quantile(&self, part: f64) -> f64 {
        let wanted = (self.total as f64 * part).ceil().max(1.0) as u64;
        let mut seen = 0;
        for (at, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                let (power, step) = (at >> BITS, at & ((1 << BITS) - 1));
                let width = (1u64 << BITS) as f64;
                return 2f64.powi(power as i32) * (1.0 + (step as f64 + 0.5) / width) / 1_000.0;
            }
        }
        f64::NAN
    }
}
