//! What an idle connection holds on the heap of its server.

use std::{
    env,
    io::{BufRead, BufReader, Write},
    net::SocketAddr,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    thread,
    time::Duration,
};

use converse_benches::{
    Result,
    deflate::frames,
    heap::{Scope, live},
    payload::Traffic,
    server::Running,
    wire::Client,
};

use crate::peers::Contender;

/// The name of the command that [`clients`] serves.
pub const CLIENTS: &str = "clients";

/// Messages that each connection echoes before it is idle.
const MESSAGES: usize = 3;

/// Connections to tell the cheap contenders from the dear ones.
const PROBE: usize = 100;

/// What one contender holds.
#[derive(Clone, Copy, Debug)]
pub struct Idle {
    /// How many connections there were.
    pub connections: usize,
    /// Bytes for each of them.
    pub each: f64,
    /// Bytes that stay when the first connection has gone: what the thread keeps for all.
    pub kept: usize,
}

/// Counts a contender's heap.
///
/// # Errors
/// When a connection fails.
pub fn measure(contender: &Contender) -> Result<Idle> {
    eprintln!("idle connections: {}", contender.name());
    let server = Running::start(contender.serve.clone())?;
    let start = settled(contender.scope);
    let mut first = Clients::start(server.address, contender.offer)?;
    first.connect(1)?;
    drop(first);
    let base = settled(contender.scope);
    let mut clients = Clients::start(server.address, contender.offer)?;
    clients.connect(PROBE)?;
    let probed = (settled(contender.scope).saturating_sub(base)) / PROBE;
    let connections = if probed > 100_000 { 1_000 } else { 10_000 };
    clients.connect(connections - PROBE)?;
    let each = settled(contender.scope).saturating_sub(base) as f64 / connections as f64;
    Ok(Idle { connections, each, kept: base.saturating_sub(start) })
}

/// Waits until the server has nothing to do, and returns the live bytes.
fn settled(scope: Scope) -> usize {
    let (mut last, mut same) = (live(scope), 0);
    for _ in 0..200 {
        thread::sleep(Duration::from_millis(20));
        let now = live(scope);
        same = if now == last { same + 1 } else { 0 };
        last = now;
        if same == 10 {
            break;
        }
    }
    last
}

/// Clients in a process of their own: their descriptors do not count with the server's, nor does their heap.
struct Clients {
    process: Child,
    say: ChildStdin,
    hear: BufReader<ChildStdout>,
}

impl Clients {
    fn start(address: SocketAddr, offer: Option<&str>) -> Result<Self> {
        let mut command = Command::new(env::current_exe()?);
        command.arg(CLIENTS).arg(address.to_string()).args(offer);
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let say = process.stdin.take().ok_or("no stdin")?;
        let hear = BufReader::new(process.stdout.take().ok_or("no stdout")?);
        Ok(Self { process, say, hear })
    }

    fn connect(&mut self, count: usize) -> Result<()> {
        writeln!(self.say, "{count}")?;
        let mut line = String::new();
        self.hear.read_line(&mut line)?;
        if line.trim() == "ready" { Ok(()) } else { Err("the clients have failed".into()) }
    }
}

impl Drop for Clients {
    fn drop(&mut self) {
        // All that they hold is sockets.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The other process: opens as many connections as each line of its input says.
///
/// # Errors
/// When a connection fails.
pub fn clients(arguments: &[String]) -> Result<()> {
    let address: SocketAddr = arguments.first().ok_or("no address")?.parse()?;
    let messages = Traffic::Book.messages(MESSAGES);
    let (mut made, mut open, mut buffer) = (None, Vec::new(), vec![0; 64 * 1024]);
    for line in std::io::stdin().lines() {
        for _ in 0..line?.trim().parse::<usize>()? {
            let mut client = Client::connect(address, arguments.get(1).map(String::as_str))?;
            for frame in made.get_or_insert_with(|| frames(&messages, client.agreed)).iter() {
                client.echo(frame, &mut buffer, None)?;
            }
            open.push(client);
        }
        println!("ready");
    }
    Ok(())
}
