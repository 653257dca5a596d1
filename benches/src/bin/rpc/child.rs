//! The measured processes: a contender's server and its client, each on a core of its own.

use std::{
    env,
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

use converse_benches::Result;

use crate::{
    cell::Cell,
    load::{Sample, Window},
};

/// What a server's process is asked for.
pub const SERVE: &str = "serve";

/// What a client's process is asked for.
pub const CALL: &str = "call";

/// Where servers run.
const SERVER_CORE: usize = 0;

/// Where clients run.
const CLIENT_CORE: usize = 1;

/// A contender's server. It ends when it is dropped.
struct Server {
    address: String,
    process: Child,
}

impl Server {
    fn start(contender: &str) -> Result<Self> {
        let mut command = Command::new(env::current_exe()?);
        command.args([SERVE, contender, &SERVER_CORE.to_string()]);
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let mut address = String::new();
        let output = process.stdout.take().ok_or("no output")?;
        BufReader::new(output).read_line(&mut address)?;
        let server = Self { address: address.trim().to_owned(), process };
        if server.address.is_empty() { Err(format!("{contender} does not serve").into()) } else { Ok(server) }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.process.stdin.take();
        // It ends with its input. One that has crashed has failed its client, which has said so.
        let _ = self.process.wait();
    }
}

/// Starts a server and its client, and returns what the client has measured.
///
/// # Errors
/// When one of them fails.
pub fn once(contender: &str, cell: &Cell, window: Window) -> Result<Sample> {
    let server = Server::start(contender)?;
    let mut command = Command::new(env::current_exe()?);
    command.args([CALL, contender, &CLIENT_CORE.to_string(), &server.address]);
    command.args([cell.name, &server.process.id().to_string()]);
    command.args([window.warm_up, window.measured].map(|time| time.as_millis().to_string()));
    let output = command.stdin(Stdio::null()).stderr(Stdio::piped()).output()?;
    if output.status.success() {
        return Sample::read(&String::from_utf8(output.stdout)?);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(said.lines().next().unwrap_or("the client has failed").to_owned().into())
}
