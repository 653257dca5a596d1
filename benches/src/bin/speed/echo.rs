//! The cells in which messages come back: one contender's turn, and the check that its echoes are right.

use converse_benches::{
    Result,
    deflate::{Inflate, Packer},
    stats::Rounds,
    wire::{self, Client},
};

use crate::{
    bare,
    cell::{self, Cell, Name, Payload, RAW},
    child::Server,
    connection::Connection,
    load::{Load, Sample, Window},
    rounds::{self, Base, Plan, Row},
};

/// A cell, measured.
#[derive(Clone, Debug)]
pub struct Measured {
    /// Which one.
    pub cell: Cell,
    /// Its contenders.
    pub rows: Vec<Row>,
    /// CPU time that the ratios refer to, in microseconds: raw TCP, and the work of the format where there is one.
    pub base: Rounds,
}

/// Measures a cell for these contenders.
pub fn measure(cell: &Cell, contenders: &[String], plan: Plan) -> Measured {
    eprintln!("{}", cell.title);
    let mut rows: Vec<Row> = contenders.iter().map(|contender| Row::new(contender)).collect();
    for row in rows.iter_mut().filter(|row| !cell::is_bare(&row.contender)) {
        row.failed = verify(cell, &row.contender).err().map(|error| error.to_string());
    }
    let base = || Base { contender: RAW, more: format_work(cell) };
    let base = rounds::run(&mut rows, plan.rounds, base, |contender| once(cell, contender, plan.window));
    Measured { cell: *cell, rows, base }
}

/// What a cell's format costs by itself, in microseconds.
fn format_work(cell: &Cell) -> f64 {
    match cell.payload {
        Payload::Value(format, large) => bare::work(format, large).expect("every format says these values"),
        _ => 0.0,
    }
}

/// Starts a server, connects, and measures once.
fn once(cell: &Cell, contender: &str, window: Window) -> Result<Sample> {
    let server = Server::start(contender)?;
    let connect = || {
        if cell::is_bare(contender) {
            return Client::bare(server.address);
        }
        Client::connect_to(server.address, cell.path(), cell.offer())
    };
    let clients = (0..cell.connections).map(|_| connect()).collect::<Result<Vec<_>>>()?;
    let script = cell.script(clients.first().and_then(|client| client.agreed))?;
    let connections =
        clients.into_iter().map(|client| Connection::new(client.into_stream())).collect::<Result<_>>()?;
    Load::new(connections, &script)?.run(cell.burst, server.clock(), window)
}

/// Sends some messages one after the other, and compares what comes back.
fn verify(cell: &Cell, contender: &str) -> Result<()> {
    let server = Server::start(contender)?;
    let mut client = Client::connect_to(server.address, cell.path(), cell.offer())?;
    if cell.offer().is_some() && client.agreed.is_none() {
        return Err("it does not agree to compress".into());
    }
    let mut packer = client.agreed.map(Packer::new);
    let (mut inflate, mut buffer) = (Inflate::new(client.agreed), vec![0; 2 << 20]);
    for payload in &cell.plain()? {
        let frame = match (&mut packer, cell.payload) {
            (Some(packer), _) => wire::frame(packer.pack(payload), true),
            (None, Payload::Value(Name::MessagePack | Name::Cbor, _)) => wire::binary(payload),
            (None, _) => wire::frame(payload, false),
        };
        client.echo(&frame, &mut buffer, Some((&mut inflate, payload)))?;
    }
    Ok(())
}
