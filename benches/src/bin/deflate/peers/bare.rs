//! No WebSocket at all: a task with a socket and no buffer, that answers an upgrade, and each read with an empty message.

use std::io::{self, ErrorKind};

use converse_benches::{Result, heap::Scope, server};
use tokio::{io::AsyncWriteExt, net::TcpStream};

use super::Contender;

pub(super) fn contender() -> Contender {
    Contender {
        package: "bare task",
        mode: String::new(),
        offer: None,
        scope: Scope::Rust,
        serve: server::each(serve),
    }
}

async fn serve(mut stream: TcpStream) -> Result<()> {
    loop {
        stream.readable().await?;
        match read(&stream) {
            Ok(None) => return Ok(()),
            Ok(Some(reply)) => stream.write_all(reply).await?,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Returns the reply to what came. Its buffer does not outlive the call, so that an idle task has none.
fn read(stream: &TcpStream) -> io::Result<Option<&'static [u8]>> {
    let mut buffer = [0; 4096];
    Ok(match stream.try_read(&mut buffer)? {
        0 => None,
        _ if buffer.starts_with(b"GET") => Some(b"HTTP/1.1 101 Switching Protocols\r\n\r\n"),
        // An empty text is reply enough to any message.
        _ => Some(&[0x81, 0]),
    })
}
