//! What a library costs without a socket: echoes over a transport in memory, by the CPU clock of their thread.

mod contender;
mod duplex;

use std::{env, process::Command, sync::Arc};

pub use self::{
    contender::{CONTENDERS, Contender},
    duplex::{Counts, Duplex},
};

use crate::{
    Result,
    clock::CpuClock,
    stats::Rounds,
    table::Table,
    typed::{self, Format, Json},
    wire,
};

/// What the other end says.
#[derive(Clone, Copy, Debug)]
pub struct Cell {
    /// What it is called.
    pub name: &'static str,
    /// Who takes part, and what for.
    pub task: Task,
    /// The payload of each message, in bytes; of a value, what it comes to.
    pub length: usize,
    /// How many messages come in one read, if the buffer takes them.
    pub burst: u64,
    /// How many bursts are a round.
    pub bursts: u64,
}

/// What a contender does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// It is a server that sends back what it receives.
    Echo,
    /// The same with values of JSON, decoded and encoded.
    EchoJson,
    /// It is a client that receives.
    Receive,
}

/// What is measured.
pub const CELLS: [Cell; 8] = [
    Cell { name: "125 B × 1", task: Task::Echo, length: 125, burst: 1, bursts: 40_000 },
    Cell { name: "125 B × 16", task: Task::Echo, length: 125, burst: 16, bursts: 5_000 },
    Cell { name: "64 KiB × 1", task: Task::Echo, length: 64 * 1024, burst: 1, bursts: 1_500 },
    Cell { name: "64 KiB × 4", task: Task::Echo, length: 64 * 1024, burst: 4, bursts: 400 },
    Cell { name: "1 MiB × 1", task: Task::Echo, length: 1024 * 1024, burst: 1, bursts: 80 },
    Cell { name: "JSON × 16", task: Task::EchoJson, length: 0, burst: 16, bursts: 3_000 },
    Cell { name: "client, 125 B × 512", task: Task::Receive, length: 125, burst: 512, bursts: 300 },
    Cell { name: "client, 16 KiB × 16", task: Task::Receive, length: 16 * 1024, burst: 16, bursts: 500 },
];

/// What one message costs a contender.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    /// CPU time, in nanoseconds.
    pub nanoseconds: f64,
    /// Reads that gave bytes.
    pub reads: f64,
    /// Writes.
    pub writes: f64,
}

/// What the rounds of a contender gave.
#[derive(Clone, Debug)]
pub struct Measured {
    /// Who.
    pub contender: &'static str,
    /// What.
    pub cell: &'static str,
    /// CPU time of each round, in nanoseconds for a message.
    pub nanoseconds: Rounds,
    /// Reads that gave bytes, for a message.
    pub reads: Rounds,
    /// Writes, for a message.
    pub writes: Rounds,
}

impl Contender {
    /// Does one round in a process of its own, because the heap that one contender leaves would be another's: malloc
    /// gives long buffers back to the system or keeps them, as it finds its heap.
    fn run_apart(&self, cell: usize) -> Result<Cost> {
        let memory = env::current_exe()?.with_file_name("memory");
        let output = Command::new(memory).args(["--only", self.name, &cell.to_string()]).output()?;
        let error = || format!("{}: {}", self.name, String::from_utf8_lossy(&output.stderr));
        let numbers = String::from_utf8_lossy(&output.stdout);
        let mut numbers = numbers.split_whitespace().map(str::parse);
        let mut number = || numbers.next().ok_or_else(error)?.map_err(|_| error());
        Ok(Cost { nanoseconds: number()?, reads: number()?, writes: number()? })
    }

    /// Does one round, after a short one that is forgotten.
    ///
    /// # Errors
    /// When not every message comes back.
    pub fn run(&self, cell: Cell) -> Result<Cost> {
        self.run_once(Cell { bursts: cell.bursts / 8, ..cell })?;
        self.run_once(cell)
    }

    /// Does one round.
    ///
    /// # Errors
    /// When not every message comes back.
    pub fn run_once(&self, cell: Cell) -> Result<Cost> {
        let payload = match cell.task {
            Task::EchoJson => Json::encode(&typed::small(3))?,
            Task::Echo | Task::Receive => text(cell.length),
        };
        let frame = match cell.task {
            Task::Receive => wire::server_frame(&payload),
            Task::Echo | Task::EchoJson => wire::frame(&payload, false),
        };
        let reply = match cell.task {
            Task::Receive => 0,
            Task::Echo | Task::EchoJson => frame.len() as u64 - if self.frames { 4 } else { 0 },
        };
        let messages = cell.burst * cell.bursts;
        let (duplex, counts) = Duplex::new(Arc::from(frame.repeat(cell.burst as usize)), cell.bursts);
        // No I/O driver, which would add its system calls; some contenders do need the clock.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        let (clock, echo) = (CpuClock::of_this_thread(), (self.echo)(duplex));
        let before = clock.now();
        // The connection ends without a Close frame, which most call an error; what came back is checked below.
        let _ = runtime.block_on(runtime.spawn(echo))?;
        let took = clock.now() - before;
        let counts = counts.get().copied().unwrap_or_default();
        // A long reply may leave in fragments, with a header each.
        let least = messages * reply;
        if cell.task != Task::Receive && !(least..=least + least / 1000).contains(&counts.written) {
            return Err(format!("{}, {}: {} bytes came back", self.name, cell.name, counts.written).into());
        }
        let each = |sum: u64| sum as f64 / messages as f64;
        Ok(Cost {
            nanoseconds: each(took.as_nanos() as u64),
            reads: each(counts.reads),
            writes: each(counts.writes),
        })
    }
}

/// Measures all contenders in all cells, in this many interleaved rounds, every second of them in reverse. The bin `memory`
/// must be beside this executable.
///
/// # Errors
/// When a contender fails.
pub fn measure(rounds: usize) -> Result<Vec<Measured>> {
    let mut all = Vec::new();
    for (number, cell) in CELLS.iter().enumerate() {
        let contenders: Vec<_> = CONTENDERS.iter().filter(|contender| contender.task == cell.task).collect();
        let mut measured: Vec<_> =
            contenders.iter().map(|contender| Measured::new(contender.name, cell.name)).collect();
        for round in 0..rounds {
            for place in 0..contenders.len() {
                let place = if round % 2 == 0 { place } else { contenders.len() - 1 - place };
                measured[place].push(contenders[place].run_apart(number)?);
            }
        }
        all.append(&mut measured);
    }
    Ok(all)
}

impl Measured {
    fn new(contender: &'static str, cell: &'static str) -> Self {
        let rounds = Rounds::default;
        Self { contender, cell, nanoseconds: rounds(), reads: rounds(), writes: rounds() }
    }

    fn push(&mut self, cost: Cost) {
        self.nanoseconds.push(cost.nanoseconds);
        self.reads.push(cost.reads);
        self.writes.push(cost.writes);
    }
}

/// Writes what was measured as a table, a line for each contender in each cell.
pub fn table(measured: &[Measured]) -> Table {
    let mut table = Table::new([
        "in memory",
        "messages",
        "ns a message",
        "spread",
        "reads a message",
        "writes a message",
    ]);
    for line in measured {
        table.row(vec![
            line.contender.into(),
            line.cell.into(),
            format!("{:.0}", line.nanoseconds.median().unwrap_or_default()),
            format!("{:.0} %", line.nanoseconds.spread().unwrap_or_default()),
            format!("{:.2}", line.reads.median().unwrap_or_default()),
            format!("{:.2}", line.writes.median().unwrap_or_default()),
        ]);
    }
    table
}

/// Plain text of this length.
fn text(length: usize) -> Vec<u8> {
    const WORDS: &[u8] = b"Is anybody there who hears values in place of bytes? ";
    let mut text = WORDS.repeat(length.div_ceil(WORDS.len()));
    text.truncate(length);
    text
}
