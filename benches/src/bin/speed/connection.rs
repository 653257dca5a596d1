//! One connection of the load generator: what it still has to send, and what it waits for.

use std::{
    collections::VecDeque,
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    os::fd::{AsRawFd, RawFd},
    time::Instant,
};

use converse_benches::Result;

use crate::{latency::Latency, poll::Interest, replies::Replies, script::Script};

/// A socket that never blocks, and where its script has come to.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    replies: Replies,
    /// The place in the script's cycle of what is sent next.
    place: usize,
    /// Bytes that are to be sent now.
    owed: usize,
    /// Messages that were put to be sent.
    sent: usize,
    /// Messages that have come back.
    came: usize,
    /// When the messages that have not come back were put to be sent.
    times: VecDeque<Instant>,
    interest: Interest,
}

impl Connection {
    /// Takes over a connection after its handshake.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn new(stream: TcpStream) -> Result<Self> {
        stream.set_nonblocking(true)?;
        let (replies, times) = (Replies::default(), VecDeque::new());
        Ok(Self { stream, replies, place: 0, owed: 0, sent: 0, came: 0, times, interest: Interest::Read })
    }

    /// Returns its descriptor.
    pub fn socket(&self) -> RawFd {
        self.stream.as_raw_fd()
    }

    /// Sends so many messages more, or as much of them as the socket takes.
    ///
    /// # Errors
    /// When the connection has failed.
    pub fn send(&mut self, script: &Script, count: usize, now: Instant) -> Result<()> {
        for _ in 0..count {
            self.owed += script.frame(self.sent);
            self.sent += 1;
            self.times.push_back(now);
        }
        self.flush(script)
    }

    /// Sends what is owed, or as much of it as the socket takes.
    ///
    /// # Errors
    /// When the connection has failed.
    pub fn flush(&mut self, script: &Script) -> Result<()> {
        while self.owed > 0 {
            match self.stream.write(script.bytes(self.place, self.owed)) {
                Ok(sent) => (self.place, self.owed) = (script.after(self.place, sent), self.owed - sent),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Reads once, notes how long each reply took, and returns how many there were.
    ///
    /// # Errors
    /// When the connection has failed or ended, or when a reply is not what was sent.
    pub fn receive(&mut self, script: &Script, buffer: &mut [u8], latency: &mut Latency) -> Result<usize> {
        let read = match self.stream.read(buffer) {
            Ok(0) => return Err("the server has ended a connection".into()),
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(0),
            Err(error) => return Err(error.into()),
        };
        let (now, before) = (Instant::now(), self.came);
        let (came, times) = (&mut self.came, &mut self.times);
        self.replies.read(&buffer[..read], |length| {
            script.check(*came, length)?;
            let time = times.pop_front().ok_or("a message that nobody has sent")?;
            latency.push(now - time);
            *came += 1;
            Ok(())
        })?;
        Ok(self.came - before)
    }

    /// Returns what it is to be watched for, when that has changed.
    pub fn new_interest(&mut self) -> Option<Interest> {
        let wanted = if self.owed > 0 { Interest::Both } else { Interest::Read };
        (std::mem::replace(&mut self.interest, wanted) != wanted).then_some(wanted)
    }
}
