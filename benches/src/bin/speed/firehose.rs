//! A server that sends as fast as its client reads: for what receiving costs a client.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    process::{Command, Stdio},
    thread,
};

use converse_benches::Result;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::{
    child::{SERVER_CORE, beside},
    script::Script,
};

/// Bytes that are written at once.
const AT_ONCE: usize = 256 * 1024;

/// Starts a client that receives so many messages of so many bytes, and returns its CPU time for each, in microseconds.
///
/// # Errors
/// When the client fails, or does not say what it has measured.
pub fn once(contender: &str, length: usize, messages: usize) -> Result<f64> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?.to_string();
    let (count, core) = (messages.to_string(), SERVER_CORE.to_string());
    let mut command = Command::new(beside("client")?);
    command.args([contender, &address, &count, "--core", &core]);
    let client = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
    let sending = thread::spawn(move || send(&listener.accept()?.0, length, messages));
    let output = client.wait_with_output()?;
    if !output.status.success() {
        return Err(format!("the client of {contender} has failed").into());
    }
    sending.join().map_err(|_| "the sending thread has failed")??;
    Ok(String::from_utf8(output.stdout)?.trim().parse::<f64>()? / 1_000.0)
}

/// Answers the handshake, and sends.
fn send(mut stream: &TcpStream, length: usize, messages: usize) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut bytes = [0; 1024];
        let read = stream.read(&mut bytes)?;
        if read == 0 {
            return Err("the client has gone".into());
        }
        head.extend_from_slice(&bytes[..read]);
    }
    let head = String::from_utf8(head)?;
    let key = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("sec-websocket-key").then(|| value.trim())
    });
    let accept = derive_accept_key(key.ok_or("no key")?.as_bytes());
    write!(
        stream,
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    )?;
    let frame = unmasked(length);
    let block = frame.repeat(AT_ONCE / frame.len() + 1);
    let (mut at, mut rest) = (0, messages * frame.len());
    while rest > 0 {
        match stream.write(&block[at..block.len().min(at + rest)]) {
            Ok(sent) => (at, rest) = ((at + sent) % frame.len(), rest - sent),
            // It has all that it wanted to have, or it says itself what it has missed.
            Err(_) => return Ok(()),
        }
    }
    // Until the client has gone: an end of the connection could be measured too.
    let _ = stream.read(&mut [0; 64]);
    Ok(())
}

fn unmasked(length: usize) -> Vec<u8> {
    let mut frame = match length {
        ..126 => vec![0x81, length as u8],
        126..0x1_0000 => [&[0x81, 126][..], &(length as u16).to_be_bytes()].concat(),
        _ => [&[0x81, 127][..], &(length as u64).to_be_bytes()].concat(),
    };
    frame.extend(Script::letters(length));
    frame
}
