//! One message to all: it goes out of one connection, and comes back on every one.

use std::{
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    os::fd::AsRawFd,
    time::{Duration, Instant},
};

use converse_benches::{Result, wire, wire::Client};

use crate::{
    child::Server,
    latency::Latency,
    load::{Sample, Window},
    poll::Poll,
    replies::Replies,
    script::Script,
};

/// Connections.
pub const MEMBERS: usize = 1_000;

/// Bytes of the message.
const LENGTH: usize = 125;

/// How long a server may say nothing.
const PATIENCE: Duration = Duration::from_secs(5);

/// Measures a contender: CPU time is that of a delivery, the times are those until the last member has the message.
///
/// # Errors
/// When a connection fails, or a message comes to nobody.
pub fn once(contender: &str, window: Window) -> Result<Sample> {
    let server = Server::start(contender)?;
    let mut room = Room::enter(&server)?;
    let (mut latency, clock) = (Latency::default(), server.clock());
    let own = converse_benches::clock::CpuClock::of_this_thread();
    let start = Instant::now();
    while start.elapsed() < window.warm_up {
        room.say()?;
    }
    let (before, start, mut count) = ((clock.now(), own.now()), Instant::now(), 0);
    while start.elapsed() < window.measured {
        latency.push(room.say()?);
        count += MEMBERS;
    }
    let (wall, busy) = (start.elapsed().as_secs_f64(), (clock.now() - before.0).as_secs_f64());
    Ok(Sample {
        cpu: busy / count as f64 * 1e6,
        p50: latency.quantile(0.5),
        p99: latency.quantile(0.99),
        rate: count as f64 / wall,
        load: (own.now() - before.1).as_secs_f64() / wall,
        server: busy / wall,
    })
}

/// All members.
struct Room {
    poll: Poll,
    members: Vec<(TcpStream, Replies)>,
    frame: Vec<u8>,
    ready: Vec<usize>,
    buffer: Vec<u8>,
}

impl Room {
    fn enter(server: &Server) -> Result<Self> {
        let (poll, mut members) = (Poll::new()?, Vec::new());
        for token in 0..MEMBERS {
            let stream = Client::connect(server.address, None)?.into_stream();
            stream.set_nonblocking(true)?;
            poll.add(stream.as_raw_fd(), token)?;
            members.push((stream, Replies::default()));
        }
        let frame = wire::frame(&Script::letters(LENGTH), false);
        Ok(Self { poll, members, frame, ready: Vec::new(), buffer: vec![0; 64 * 1024] })
    }

    /// Sends the message, and returns how long it took until all had it.
    fn say(&mut self) -> Result<Duration> {
        let (start, mut missing) = (Instant::now(), MEMBERS);
        self.members[0].0.write_all(&self.frame)?;
        while missing > 0 {
            self.poll.wait(&mut self.ready, PATIENCE)?;
            if self.ready.is_empty() {
                return Err(format!("{missing} members wait in vain").into());
            }
            for token in &self.ready {
                let (stream, replies) = &mut self.members[*token];
                let read = match stream.read(&mut self.buffer) {
                    Ok(0) => return Err("the server has ended a connection".into()),
                    Ok(read) => read,
                    Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
                    Err(error) => return Err(error.into()),
                };
                replies.read(&self.buffer[..read], |length| {
                    missing = missing.checked_sub(1).ok_or("a message that nobody has sent")?;
                    if length == LENGTH as u64 { Ok(()) } else { Err("another length was sent".into()) }
                })?;
            }
        }
        Ok(start.elapsed())
    }
}
