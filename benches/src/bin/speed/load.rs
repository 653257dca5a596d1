//! The load generator: one thread, many connections, each with a number of messages under way.

use std::time::{Duration, Instant};

use converse_benches::{Result, clock::CpuClock};

use crate::{connection::Connection, latency::Latency, poll::Poll, script::Script};

/// What is read at once, from any connection.
const BUFFER: usize = 256 * 1024;

/// How long a server may say nothing.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long is measured.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    /// Before it counts.
    pub warm_up: Duration,
    /// While it counts.
    pub measured: Duration,
}

/// What a window gave.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sample {
    /// CPU time of the server for a message, in microseconds.
    pub cpu: f64,
    /// The middle of the times from a message's sending to its reply, in microseconds.
    pub p50: f64,
    /// What one of a hundred such times exceeds.
    pub p99: f64,
    /// Messages in a second.
    pub rate: f64,
    /// The share of the time that the load generator itself was busy.
    pub load: f64,
    /// The share of the time that the server was busy.
    pub server: f64,
}

/// Connections, and what they send.
pub struct Load<'a> {
    poll: Poll,
    connections: Vec<Connection>,
    script: &'a Script,
    latency: Latency,
    buffer: Vec<u8>,
    ready: Vec<usize>,
}

impl<'a> Load<'a> {
    /// Takes over connections after their handshakes.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn new(connections: Vec<Connection>, script: &'a Script) -> Result<Self> {
        let poll = Poll::new()?;
        for (token, connection) in connections.iter().enumerate() {
            poll.add(connection.socket(), token)?;
        }
        let (latency, buffer, ready) = (Latency::default(), vec![0; BUFFER], Vec::new());
        Ok(Self { poll, connections, script, latency, buffer, ready })
    }

    /// Keeps `burst` messages of each connection under way, and measures the server meanwhile.
    ///
    /// # Errors
    /// When a connection fails, or the server falls silent.
    pub fn run(&mut self, burst: usize, server: CpuClock, window: Window) -> Result<Sample> {
        let now = Instant::now();
        for connection in &mut self.connections {
            connection.send(self.script, burst, now)?;
        }
        for token in 0..self.connections.len() {
            self.watch(token)?;
        }
        self.turn(window.warm_up)?;
        self.latency.clear();
        let own = CpuClock::of_this_thread();
        let before = (Instant::now(), server.now(), own.now());
        let messages = self.turn(window.measured)? as f64;
        let wall = before.0.elapsed().as_secs_f64();
        let busy = (server.now() - before.1).as_secs_f64();
        Ok(Sample {
            cpu: busy / messages * 1e6,
            p50: self.latency.quantile(0.5),
            p99: self.latency.quantile(0.99),
            rate: messages / wall,
            load: (own.now() - before.2).as_secs_f64() / wall,
            server: busy / wall,
        })
    }

    /// Answers each reply with a message for so long, and returns how many replies there were.
    fn turn(&mut self, time: Duration) -> Result<usize> {
        let (start, mut count) = (Instant::now(), 0);
        while start.elapsed() < time {
            let mut ready = std::mem::take(&mut self.ready);
            self.poll.wait(&mut ready, PATIENCE)?;
            if ready.is_empty() {
                return Err("the server has fallen silent".into());
            }
            for token in &ready {
                count += self.serve(*token)?;
            }
            self.ready = ready;
        }
        Ok(count)
    }

    /// Reads from a connection, and sends as many messages as came.
    fn serve(&mut self, token: usize) -> Result<usize> {
        let connection = &mut self.connections[token];
        let came = connection.receive(self.script, &mut self.buffer, &mut self.latency)?;
        if came > 0 {
            connection.send(self.script, came, Instant::now())?;
        } else {
            connection.flush(self.script)?;
        }
        self.watch(token)?;
        Ok(came)
    }

    fn watch(&mut self, token: usize) -> Result<()> {
        let connection = &mut self.connections[token];
        match connection.new_interest() {
            Some(interest) => self.poll.change(connection.socket(), token, interest),
            None => Ok(()),
        }
    }
}
