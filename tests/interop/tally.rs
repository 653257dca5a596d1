//! Tells what became of each check, in the words that `tests/interop/run` reads. Knows no check.

use std::{error::Error, process::ExitCode};

use tokio::time::error::Elapsed;

/// What a check ends with.
pub(crate) type Outcome<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

/// How many checks have passed, and how many have failed.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    passed: usize,
    failed: usize,
}

impl Tally {
    /// Counts a check, and prints its line.
    pub(crate) fn count(&mut self, name: &str, outcome: Result<Outcome, Elapsed>) {
        match outcome.unwrap_or_else(|_| Err("timed out".into())) {
            Ok(()) => {
                self.passed += 1;
                println!("ok {name}");
            }
            Err(error) => {
                self.failed += 1;
                println!("FAILED {name}: {error}");
            }
        }
    }

    /// Prints the sums.
    pub(crate) fn end(self) -> ExitCode {
        println!("{} passed, {} failed", self.passed, self.failed);
        if self.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}
