//! The whole run: each cell in rounds, each contender once in each round.

use std::time::Duration;

use converse_benches::{Result, rounds::order, stats::Rounds};

use crate::{
    cell::{self, BASE, Cell},
    child,
    load::{Sample, Window},
    peers,
    wish::Wish,
};

/// How often, and how long each time.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Rounds of each cell.
    pub rounds: usize,
    /// Time of each contender in each round.
    pub window: Window,
}

/// Rounds and times of the whole run.
const PLAN: Plan = Plan {
    rounds: 7,
    window: Window { warm_up: Duration::from_millis(250), measured: Duration::from_millis(500) },
};

/// Rounds and times of a look.
const QUICK: Plan = Plan {
    rounds: 3,
    window: Window { warm_up: Duration::from_millis(100), measured: Duration::from_millis(250) },
};

/// All that was measured.
#[derive(Debug)]
pub struct Results {
    /// Rounds of each cell, and their times.
    pub plan: Plan,
    /// The cells.
    pub cells: Vec<Measured>,
}

/// What a cell gave.
#[derive(Debug)]
pub struct Measured {
    /// What it is.
    pub cell: Cell,
    /// What each contender gave.
    pub rows: Vec<Row>,
}

/// What all rounds gave for one contender.
#[derive(Clone, Debug, Default)]
pub struct Row {
    /// Who it is.
    pub contender: &'static str,
    /// See [`Sample::rate`].
    pub rate: Rounds,
    /// CPU times.
    pub cpu: Sides,
    /// The same, as multiples of those of [`BASE`] in the same round.
    pub ratio: Sides,
    /// Why there is no more.
    pub failed: Option<String>,
}

/// The server's process, the client's, and both together.
#[derive(Clone, Debug, Default)]
pub struct Sides {
    /// The server's process.
    pub server: Rounds,
    /// The client's process.
    pub client: Rounds,
    /// Their sum.
    pub both: Rounds,
}

impl Sides {
    fn push(&mut self, server: f64, client: f64, both: f64) {
        self.server.push(server);
        self.client.push(client);
        self.both.push(both);
    }
}

impl Row {
    fn push(&mut self, sample: Sample, base: Option<Sample>) {
        let both = |sample: Sample| sample.server + sample.client;
        self.rate.push(sample.rate);
        self.cpu.push(sample.server, sample.client, both(sample));
        if let Some(base) = base {
            let [server, client] = [sample.server / base.server, sample.client / base.client];
            self.ratio.push(server, client, both(sample) / both(base));
        }
    }
}

impl Results {
    /// Measures what is wished for.
    ///
    /// # Errors
    /// When there is nothing to measure.
    pub fn measure(wish: &Wish) -> Result<Self> {
        let plan = if wish.quick { QUICK } else { PLAN };
        let plan = Plan { rounds: wish.rounds.unwrap_or(plan.rounds), ..plan };
        let contenders: Vec<&str> = peers::names().into_iter().filter(|name| wish.wants(name)).collect();
        if contenders.is_empty() {
            return Err("no such contender".into());
        }
        let wanted = cell::ALL.into_iter().filter(|cell| wish.has(cell));
        let cells = wanted.map(|cell| Measured { cell, rows: measure(&cell, &contenders, plan) }).collect();
        Ok(Self { plan, cells })
    }

    /// Returns what a contender gave in a cell.
    pub fn row(&self, cell: &str, contender: &str) -> Option<&Row> {
        let measured = self.cells.iter().find(|measured| measured.cell.name == cell)?;
        measured.rows.iter().find(|row| row.contender == contender && row.failed.is_none())
    }
}

fn measure(cell: &Cell, contenders: &[&'static str], plan: Plan) -> Vec<Row> {
    eprintln!("{}", cell.name);
    let takes_part = contenders.iter().filter(|contender| cell.has(contender));
    let mut rows: Vec<Row> = takes_part.map(|contender| Row { contender, ..Row::default() }).collect();
    for round in 0..plan.rounds {
        let mut samples = Vec::new();
        for at in order(rows.len(), round) {
            let row = &mut rows[at];
            if row.failed.is_none() {
                match child::once(row.contender, cell, plan.window) {
                    Ok(sample) => samples.push((at, sample)),
                    Err(error) => row.failed = Some(error.to_string()),
                }
            }
        }
        let base = samples.iter().find(|(at, _)| rows[*at].contender == BASE).map(|(_, sample)| *sample);
        samples.into_iter().for_each(|(at, sample)| rows[at].push(sample, base));
    }
    rows
}
