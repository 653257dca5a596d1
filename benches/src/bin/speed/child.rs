//! The measured process: a contender's server, started beside this program and ended with its standard input.

use std::{
    env, fs,
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use converse_benches::{Result, clock::CpuClock};

/// Where servers run. The load generator has the other core.
pub const SERVER_CORE: usize = 0;

/// Where the load generator runs.
pub const LOAD_CORE: usize = 1;

/// A contender's server. It ends when it is dropped.
#[derive(Debug)]
pub struct Server {
    /// Where it listens.
    pub address: SocketAddr,
    process: Child,
}

impl Server {
    /// Starts a contender.
    ///
    /// # Errors
    /// When it does not start, or does not say where it listens.
    pub fn start(contender: &str) -> Result<Self> {
        let mut command = Command::new(beside("server")?);
        command.args([contender, "--core", &SERVER_CORE.to_string()]);
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        let output = process.stdout.take().ok_or("no output")?;
        BufReader::new(output).read_line(&mut line)?;
        let address = line.trim().parse().map_err(|_| format!("{contender} does not serve"))?;
        Ok(Self { address, process })
    }

    /// Returns the CPU clock of the process.
    pub fn clock(&self) -> CpuClock {
        CpuClock::of_process(self.process.id())
    }

    /// Returns the bytes of memory that the process holds.
    ///
    /// # Errors
    /// When it has ended.
    pub fn resident(&self) -> Result<u64> {
        // `status` would count some pages late.
        let sums = fs::read_to_string(format!("/proc/{}/smaps_rollup", self.process.id()))?;
        let line = sums.lines().find_map(|line| line.strip_prefix("Rss:")).ok_or("no Rss")?;
        Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? * 1024)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.process.stdin.take();
        // It ends with its input. One that has crashed has failed its clients, and they have said so.
        let _ = self.process.wait();
    }
}

/// Returns the names that the server knows.
///
/// # Errors
/// When it has not been built.
pub fn contenders() -> Result<Vec<String>> {
    list("server")
}

/// Returns the names that the client knows.
///
/// # Errors
/// When it has not been built.
pub fn clients() -> Result<Vec<String>> {
    list("client")
}

fn list(program: &str) -> Result<Vec<String>> {
    let output = Command::new(beside(program)?).arg("--list").output()?;
    Ok(String::from_utf8(output.stdout)?.lines().map(String::from).collect())
}

/// Returns the path of a program of this package.
///
/// # Errors
/// When it has not been built.
pub fn beside(program: &str) -> Result<PathBuf> {
    let path = env::current_exe()?.with_file_name(program);
    if path.exists() {
        Ok(path)
    } else {
        Err(format!("{} is not built: see benches/run", path.display()).into())
    }
}
