//! The whole run: everything in its order, and all that it gave.

use std::time::Duration;

use converse_benches::{Result, memory};

use crate::{
    broadcast,
    cell::{self, Cell},
    child,
    echo::{self, Measured},
    firehose,
    idle::{self, Idle},
    load::{Sample, Window},
    rounds::{self, Base, Plan, Row},
};

/// Connections that have nothing to say.
pub const IDLE: usize = 10_000;

/// What clients receive: its length, and how many messages.
const RECEIVED: [(usize, usize); 2] = [(125, 1_000_000), (16 * 1024, 40_000)];

/// Rounds of each contender in memory.
pub const IN_MEMORY_ROUNDS: usize = 9;

/// Rounds and times of the whole run.
pub const PLAN: Plan = Plan {
    rounds: 7,
    window: Window { warm_up: Duration::from_millis(250), measured: Duration::from_millis(500) },
};

/// All that was measured.
#[derive(Debug)]
pub struct Results {
    /// Rounds of each cell, and their times.
    pub plan: Plan,
    /// The echo cells of all families.
    pub echoes: Vec<Measured>,
    /// Idle connections.
    pub idle: Vec<Idle>,
    /// One message to many.
    pub broadcast: Vec<Row>,
    /// Clients, by the length of what they receive.
    pub clients: Vec<(usize, Vec<Row>)>,
    /// The libraries without a socket.
    pub in_memory: Vec<memory::Measured>,
    /// What could not be measured at all.
    pub missing: Vec<String>,
}

impl Results {
    /// Measures everything.
    ///
    /// # Errors
    /// When the servers are not built.
    pub fn measure(plan: Plan) -> Result<Self> {
        let (all, mut missing) = (child::contenders()?, Vec::new());
        let of = |cell: &Cell| all.iter().filter(|name| cell.has(name)).cloned().collect::<Vec<_>>();
        let echoes = cell::ALL.iter().map(|cell| echo::measure(cell, &of(cell), plan)).collect();
        let idle: Vec<String> = all.iter().filter(|name| is_idle(name)).cloned().collect();
        let clients = child::clients().unwrap_or_else(|error| {
            missing.push(format!("clients: {error}"));
            Vec::new()
        });
        eprintln!("in memory");
        let in_memory = memory::measure(IN_MEMORY_ROUNDS).unwrap_or_else(|error| {
            missing.push(format!("in memory: {error}"));
            Vec::new()
        });
        Ok(Self {
            plan,
            echoes,
            idle: idle::measure(&idle, IDLE),
            broadcast: broadcasts(&all, plan),
            clients: RECEIVED
                .map(|(length, messages)| (length, receive(&clients, length, messages, plan)))
                .into(),
            in_memory,
            missing,
        })
    }

    /// Returns an echo cell by its name.
    pub fn echo(&self, name: &str) -> Option<&Measured> {
        self.echoes.iter().find(|measured| measured.cell.name == name)
    }
}

/// Whether a contender is asked for its idle connections: how it would send makes no difference there.
pub fn is_idle(contender: &str) -> bool {
    cell::LATENCY.has(contender) && !cell::is_batched(contender)
}

/// Measures one message to many.
pub fn broadcasts(all: &[String], plan: Plan) -> Vec<Row> {
    eprintln!("broadcast");
    let mut rows: Vec<Row> =
        all.iter().filter(|name| name.ends_with("-broadcast")).map(|name| Row::new(name)).collect();
    let Some(first) = rows.first().map(|row| row.contender.clone()) else { return rows };
    let base = || Base { contender: &first, more: 0.0 };
    rounds::run(&mut rows, plan.rounds, base, |contender| broadcast::once(contender, plan.window));
    rows
}

/// Measures clients that receive.
pub fn receive(clients: &[String], length: usize, messages: usize, plan: Plan) -> Vec<Row> {
    eprintln!("clients that receive {length} bytes");
    let mut rows: Vec<Row> = clients.iter().map(|name| Row::new(name)).collect();
    let Some(first) = clients.first() else { return rows };
    let base = || Base { contender: first, more: 0.0 };
    let once = |contender: &str| {
        Ok(Sample { cpu: firehose::once(contender, length, messages)?, ..Sample::default() })
    };
    rounds::run(&mut rows, plan.rounds, base, once);
    rows
}
