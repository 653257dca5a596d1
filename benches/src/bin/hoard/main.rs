//! `hoard`: what a whole server can be made to hold. `hoard` opens 1,000 connections, each of which takes as much as it is
//! let, then lets 200 hoard inside of what the server may hold, while an honest connection goes on and new ones come;
//! `hoard CONNECTIONS` takes another number, and `hoard CONNECTIONS deflate` compresses. The server is a process of its
//! own, so that its memory is not the clients'.

mod greed;
#[path = "../../../../tests/deflate/heap.rs"]
#[allow(dead_code)]
mod heap;
mod honest;
mod served;

use std::{
    env,
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::Duration,
};

use converse_benches::{Result, process};

use crate::greed::Greed;

#[global_allocator]
static HEAP: heap::Heap = heap::Heap::new();

/// What the server's process is asked for.
const SERVE: &str = "serve";
/// What the server may hold.
const MEMORY: usize = 256 * MIB;
/// What a connection holds beside, and what may come on top for all.
const FLOOR: usize = 64 * 1024;
const SLACK: usize = 64 * MIB;
const MIB: usize = 1024 * 1024;
/// Seconds that the server has for what was sent.
const PATIENCE: usize = 60;
/// Connections that hoard inside of what the server may hold.
const HOARDERS: usize = 200;

fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (connections, deflate) = match arguments[..] {
        [SERVE] => return served::run(MEMORY),
        [] => (1_000, false),
        [connections] => (connections.parse()?, false),
        [connections, "deflate"] => (connections.parse()?, true),
        _ => return Err("usage: hoard [CONNECTIONS [deflate]]".into()),
    };
    process::allow_all_descriptors()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(greedy(connections, deflate))?;
    runtime.block_on(hoarders(deflate))
}

/// Lets all of them take as much as they are let.
async fn greedy(connections: usize, deflate: bool) -> Result<()> {
    let mut server = Server::start()?;
    let attacks = greed::attack(&server.address, connections, &Greed::all(deflate), deflate).await?;
    let budget = MEMORY + connections * FLOOR + SLACK;
    println!("{connections} greedy connections, {attacks}");
    match server.settled().await {
        Ok(after) => {
            let verdict = if after.peak.max(after.resident_at_most) <= budget { "within" } else { "over" };
            println!(
                "heap: {} MiB at the most, {} MiB now; VmHWM {} MiB: {verdict} {} MiB",
                after.peak / MIB,
                after.live / MIB,
                after.resident_at_most / MIB,
                budget / MIB,
            );
        }
        Err(error) => println!("the server has died, as at {} GiB it does: {error}", served::MOST >> 30),
    }
    Ok(())
}

/// Lets some hoard, and looks how others get on.
async fn hoarders(deflate: bool) -> Result<()> {
    let mut server = Server::start()?;
    let before = server.memory("mark")?;
    let kept = greed::attack(&server.address, HOARDERS, &Greed::some(deflate), deflate).await?;
    server.settled().await?;
    let seen = honest::watch(&server.address, Duration::from_secs(5)).await?;
    let after = server.memory("report")?;
    println!(
        "{HOARDERS} hoarders, {} of them still connected, hold {} MiB",
        kept.alive(),
        (after.live - before.live) / MIB
    );
    println!("meanwhile, {seen}");
    Ok(())
}

/// The server's process. It ends when it is dropped.
struct Server {
    address: String,
    process: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

/// What a server's process holds, in bytes.
#[derive(Clone, Copy, Debug)]
struct Memory {
    live: usize,
    peak: usize,
    resident_at_most: usize,
}

impl Server {
    fn start() -> Result<Self> {
        let mut command = Command::new(env::current_exe()?);
        let mut process = command.arg(SERVE).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let input = process.stdin.take();
        let mut output = BufReader::new(process.stdout.take().ok_or("no output")?);
        let mut address = String::new();
        output.read_line(&mut address)?;
        Ok(Self { address: address.trim().to_owned(), process, input, output })
    }

    /// Asks for what is held; `mark` begins to look for a new peak.
    fn memory(&mut self, word: &str) -> Result<Memory> {
        writeln!(self.input.as_mut().ok_or("no input")?, "{word}")?;
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        let numbers: Vec<usize> =
            line.split_whitespace().map(|number| Ok(number.parse()?)).collect::<Result<_>>()?;
        match numbers[..] {
            [live, peak, resident_at_most] => Ok(Memory { live, peak, resident_at_most }),
            _ => Err("the server says nothing".into()),
        }
    }
}

impl Server {
    /// Waits until the server is done with what was sent, and asks.
    async fn settled(&mut self) -> Result<Memory> {
        let mut before = self.memory("report")?;
        for _ in 0..PATIENCE {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let now = self.memory("report")?;
            if now.live.abs_diff(before.live) < MIB {
                return Ok(now);
            }
            before = now;
        }
        Ok(before)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.input.take();
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
