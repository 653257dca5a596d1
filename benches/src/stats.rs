//! Medians and spread.

/// What several rounds of one measurement gave.
#[derive(Clone, Debug, Default)]
pub struct Rounds(Vec<f64>);

impl Rounds {
    /// Adds a round.
    pub fn push(&mut self, value: f64) {
        self.0.push(value);
        self.0.sort_by(f64::total_cmp);
    }

    /// Returns the value in the middle, or `None` without a round.
    pub fn median(&self) -> Option<f64> {
        self.quantile(0.5)
    }

    /// Returns the distance between the quartiles, in percent of the median: the noise of the middle half.
    pub fn spread(&self) -> Option<f64> {
        Some((self.quantile(0.75)? - self.quantile(0.25)?) / self.median()? * 100.0)
    }

    fn quantile(&self, part: f64) -> Option<f64> {
        let at = part * self.0.len().checked_sub(1)? as f64;
        let (below, above) = (self.0[at.floor() as usize], self.0[at.ceil() as usize]);
        Some(below + (above - below) * at.fract())
    }
}
