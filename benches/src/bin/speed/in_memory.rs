//! What the libraries cost without a socket: the measurement of the program `memory`, as the report has it.

use converse_benches::{Result, memory};

/// Rounds of each contender.
const ROUNDS: usize = 9;

/// What one contender's message costs.
#[derive(Clone, Debug)]
pub struct Line {
    /// Who it is.
    pub contender: &'static str,
    /// What was measured.
    pub cell: &'static str,
    /// Nanoseconds for a message.
    pub nanos: f64,
    /// Reads for a message.
    pub reads: f64,
    /// Writes for a message.
    pub writes: f64,
}

/// Measures all of them.
///
/// # Errors
/// When the program `memory` is not built, or a contender fails.
pub fn measure() -> Result<Vec<Line>> {
    eprintln!("in memory");
    let line = |measured: &memory::Measured| {
        let (contender, cell) = (measured.contender, measured.cell);
        let (reads, writes) = (measured.reads.median()?, measured.writes.median()?);
        Some(Line { contender, cell, nanos: measured.nanoseconds.median()?, reads, writes })
    };
    Ok(memory::measure(ROUNDS)?.iter().filter_map(line).collect())
}
