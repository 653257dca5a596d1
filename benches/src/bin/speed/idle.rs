//! What connections cost that have nothing to say: resident memory of the server's process.

use std::{
    io::{Read, Write},
    net::TcpStream,
    thread,
    time::Duration,
};

use converse_benches::{Result, wire, wire::Client};

use crate::{cell, child::Server, replies::Replies, script::Script};

/// Messages that are under way at once.
const AT_ONCE: usize = 100;

/// What one contender holds for each connection, in bytes.
#[derive(Clone, Debug)]
pub struct Idle {
    /// Who it is.
    pub contender: String,
    /// Its sizes, or why there are none.
    pub sizes: std::result::Result<Sizes, String>,
}

/// Resident bytes for each connection, beyond those of the process that had none.
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    /// After the handshakes.
    pub connected: f64,
    /// After a message of 125 bytes on each.
    pub small: f64,
    /// As soon as a message of 64 KiB has come back on each.
    pub large: f64,
    /// A second later.
    pub later: f64,
}

/// Measures these contenders, each with so many connections.
pub fn measure(contenders: &[String], connections: usize) -> Vec<Idle> {
    let mut idles = Vec::new();
    for contender in contenders {
        eprintln!("idle connections: {contender}");
        let sizes = sizes(contender, connections).map_err(|error| error.to_string());
        idles.push(Idle { contender: contender.clone(), sizes });
    }
    idles
}

fn sizes(contender: &str, connections: usize) -> Result<Sizes> {
    let server = Server::start(contender)?;
    // What the first connection makes the process hold for all is none of a connection's cost.
    let mut first = vec![connect(&server, contender)?];
    let (small, large) =
        (wire::frame(&Script::letters(125), false), wire::frame(&Script::letters(64 << 10), false));
    exchange(&mut first, &small)?;
    settle();
    let before = server.resident()?;
    let each = |server: &Server| -> Result<f64> {
        Ok((server.resident()? as f64 - before as f64) / connections as f64)
    };
    let mut streams = Vec::with_capacity(connections);
    for _ in 0..connections {
        streams.push(connect(&server, contender)?);
    }
    settle();
    let connected = each(&server)?;
    exchange(&mut streams, &small)?;
    settle();
    let after_small = each(&server)?;
    exchange(&mut streams, &large)?;
    let after_large = each(&server)?;
    thread::sleep(Duration::from_secs(1));
    Ok(Sizes { connected, small: after_small, large: after_large, later: each(&server)? })
}

fn settle() {
    thread::sleep(Duration::from_millis(300));
}

fn connect(server: &Server, contender: &str) -> Result<TcpStream> {
    let client = if cell::is_bare(contender) {
        Client::bare(server.address)?
    } else {
        Client::connect(server.address, None)?
    };
    Ok(client.into_stream())
}

/// Sends a message on each connection, and waits for the echoes.
fn exchange(streams: &mut [TcpStream], frame: &[u8]) -> Result<()> {
    let mut buffer = vec![0; 256 * 1024];
    for streams in streams.chunks_mut(AT_ONCE) {
        for stream in &mut *streams {
            stream.write_all(frame)?;
        }
        for stream in streams {
            let (mut replies, mut came) = (Replies::default(), false);
            while !came {
                let read = stream.read(&mut buffer)?;
                if read == 0 {
                    return Err("the server has ended a connection".into());
                }
                replies.read(&buffer[..read], |_| {
                    came = true;
                    Ok(())
                })?;
            }
        }
    }
    Ok(())
}
