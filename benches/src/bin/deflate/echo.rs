//! What an echo costs: bytes on the wire, and CPU time of the server's thread.

use std::{collections::HashMap, rc::Rc};

use converse_benches::{
    Result,
    deflate::{Agreed, Inflate, frames},
    payload::Traffic,
    server::Running,
    stats::Rounds,
    wire::Client,
};

use crate::peers::Contender;

/// How often each cell is measured. A round before these checks every echo and is not counted.
pub const ROUNDS: usize = 7;

/// Messages that go before the measured ones: windows are full, buffers have grown.
pub const WARM_UP: usize = 100;

/// A contender with one kind of traffic.
#[derive(Clone, Debug, Default)]
pub struct Cell {
    /// Mean bytes of an echo on the wire, with its frame's header.
    pub wire: f64,
    /// Microseconds of CPU for an echo.
    pub cpu: Rounds,
    /// Why there is nothing else.
    pub failed: Option<String>,
}

/// Measured messages of a run.
pub fn count(traffic: Traffic) -> usize {
    match traffic {
        Traffic::Chat | Traffic::Tick | Traffic::Trade => 2000,
        Traffic::Book => 1000,
        Traffic::Room => 200,
    }
}

/// Measures each contender with this traffic, in turns.
pub fn measure(contenders: &[Contender], traffic: Traffic) -> Vec<Cell> {
    let mut conversation = Conversation::new(traffic);
    let mut cells = vec![Cell::default(); contenders.len()];
    for round in 0..=ROUNDS {
        eprintln!("{}: round {round} of {ROUNDS}", traffic.name());
        for turn in 0..contenders.len() {
            let at = (turn + round * 5) % contenders.len();
            let cell = &mut cells[at];
            if cell.failed.is_some() {
                continue;
            }
            match conversation.hold(&contenders[at], round == 0) {
                Ok((wire, _)) if round == 0 => cell.wire = wire,
                Ok((_, cpu)) => cell.cpu.push(cpu),
                Err(error) => cell.failed = Some(format!("{}: {error}", contenders[at].name())),
            }
        }
    }
    cells
}

struct Conversation {
    messages: Vec<String>,
    frames: HashMap<Option<Agreed>, Rc<Vec<Vec<u8>>>>,
}

impl Conversation {
    fn new(traffic: Traffic) -> Self {
        Self { messages: traffic.messages(WARM_UP + count(traffic)), frames: HashMap::new() }
    }

    /// Returns the mean bytes and the mean microseconds of an echo.
    fn hold(&mut self, contender: &Contender, check: bool) -> Result<(f64, f64)> {
        let server = Running::start(contender.serve.clone())?;
        let mut client = Client::connect(server.address, contender.offer)?;
        if contender.offer.is_some() && client.agreed.is_none() {
            return Err("the offer was declined".into());
        }
        let messages = &self.messages;
        let made = || Rc::new(frames(messages, client.agreed));
        let frames = Rc::clone(self.frames.entry(client.agreed).or_insert_with(made));
        let mut inflate = check.then(|| Inflate::new(client.agreed));
        let mut buffer = vec![0; 64 * 1024];
        let (mut wire, mut start) = (0, server.clock.now());
        for (number, (frame, message)) in frames.iter().zip(messages).enumerate() {
            if number == WARM_UP {
                (wire, start) = (0, server.clock.now());
            }
            let check = inflate.as_mut().map(|inflate| (inflate, message.as_bytes()));
            wire += client.echo(frame, &mut buffer, check)?;
        }
        let cpu = server.clock.now() - start;
        let count = (messages.len() - WARM_UP) as f64;
        Ok((wire as f64 / count, cpu.as_secs_f64() * 1e6 / count))
    }
}
