//! No WebSocket and no runtime: what the system takes for an echo. One buffer of 64 KiB for all, edge-triggered.

use std::io::{self, ErrorKind, Read, Write};

use mio::{
    Events, Interest, Poll, Token,
    net::{TcpListener, TcpStream},
};

use crate::serve::Serving;

/// The listener's; connections have the numbers behind it.
const LISTENER: Token = Token(0);

struct Connection {
    stream: TcpStream,
    /// What was read and the socket would not take.
    rest: Vec<u8>,
}

/// Each read is written at once.
pub(crate) fn echo(listener: tokio::net::TcpListener) -> Serving {
    Box::pin(async { run(listener).expect("epoll works") })
}

fn run(listener: tokio::net::TcpListener) -> io::Result<()> {
    let mut listener = TcpListener::from_std(listener.into_std()?);
    let (mut poll, mut events, mut buffer) = (Poll::new()?, Events::with_capacity(1024), vec![0; 64 * 1024]);
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    let mut connections: Vec<Option<Connection>> = vec![None];
    loop {
        poll.poll(&mut events, None)?;
        for event in &events {
            if event.token() == LISTENER {
                while let Some((mut stream, _)) = ready(listener.accept())? {
                    stream.set_nodelay(true)?;
                    let token = Token(connections.len());
                    poll.registry().register(&mut stream, token, Interest::READABLE | Interest::WRITABLE)?;
                    connections.push(Some(Connection { stream, rest: Vec::new() }));
                }
                continue;
            }
            let connection = &mut connections[event.token().0];
            let alive = connection.as_mut().is_none_or(|open| open.turn(&mut buffer).unwrap_or(false));
            if !alive {
                *connection = None;
            }
        }
    }
}

impl Connection {
    /// Passes on what there is; tells whether more may come.
    fn turn(&mut self, buffer: &mut [u8]) -> io::Result<bool> {
        loop {
            let left = self.rest.len();
            let written = if left == 0 { 0 } else { ready(self.stream.write(&self.rest))?.unwrap_or(0) };
            self.rest.drain(..written);
            if written < left {
                return Ok(true);
            }
            let Some(read) = ready(self.stream.read(buffer))? else { return Ok(true) };
            if read == 0 {
                return Ok(false);
            }
            let written = ready(self.stream.write(&buffer[..read]))?.unwrap_or(0);
            self.rest.extend_from_slice(&buffer[written..read]);
            // A read that does not fill the buffer has emptied the socket.
            if self.rest.is_empty() && read < buffer.len() {
                return Ok(true);
            }
        }
    }
}

/// Turns "not now" into `None`.
fn ready<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
        other => other.map(Some),
    }
}
