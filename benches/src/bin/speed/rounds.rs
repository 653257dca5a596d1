//! Who is measured when: in rounds, each contender once in each, so that what disturbs the machine disturbs all.

use converse_benches::{Result, rounds::order, stats::Rounds};

use crate::load::{Sample, Window};

/// How often, and how long each time.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Rounds of each cell.
    pub rounds: usize,
    /// Time of each contender in each round.
    pub window: Window,
}

/// What all rounds gave for one contender.
#[derive(Clone, Debug, Default)]
pub struct Row {
    /// Who it is.
    pub contender: String,
    /// See [`Sample::cpu`].
    pub cpu: Rounds,
    /// CPU time, as a multiple of the base of the same round.
    pub ratio: Rounds,
    /// See [`Sample::p50`].
    pub p50: Rounds,
    /// See [`Sample::p99`].
    pub p99: Rounds,
    /// See [`Sample::rate`].
    pub rate: Rounds,
    /// See [`Sample::load`].
    pub load: Rounds,
    /// See [`Sample::server`].
    pub server: Rounds,
    /// Why there is no more.
    pub failed: Option<String>,
}

impl Row {
    /// Starts with no round.
    pub fn new(contender: &str) -> Self {
        Self { contender: contender.into(), ..Self::default() }
    }

    fn push(&mut self, sample: &Sample, base: Option<f64>) {
        self.cpu.push(sample.cpu);
        self.p50.push(sample.p50);
        self.p99.push(sample.p99);
        self.rate.push(sample.rate);
        self.load.push(sample.load);
        self.server.push(sample.server);
        if let Some(base) = base {
            self.ratio.push(sample.cpu / base);
        }
    }
}

/// What the ratios of a round refer to.
#[derive(Clone, Copy, Debug)]
pub struct Base<'a> {
    /// The contender whose CPU time is one.
    pub contender: &'a str,
    /// What is added to that time, in microseconds.
    pub more: f64,
}

/// Measures all rows that have not failed, in as many rounds as are planned, and returns the CPU times of the base. `base` is asked before
/// each round.
pub fn run<'a>(
    rows: &mut [Row],
    rounds: usize,
    mut base: impl FnMut() -> Base<'a>,
    mut once: impl FnMut(&str) -> Result<Sample>,
) -> Rounds {
    let mut bases = Rounds::default();
    for round in 0..rounds {
        let (base, mut samples) = (base(), Vec::new());
        for at in order(rows.len(), round) {
            if rows[at].failed.is_some() {
                continue;
            }
            match once(&rows[at].contender) {
                Ok(sample) => samples.push((at, sample)),
                Err(error) => rows[at].failed = Some(error.to_string()),
            }
        }
        let one = samples.iter().find(|(at, _)| rows[*at].contender == base.contender);
        let one = one.map(|(_, sample)| sample.cpu + base.more);
        one.into_iter().for_each(|one| bases.push(one));
        for (at, sample) in &samples {
            rows[*at].push(sample, one);
        }
    }
    bases
}
