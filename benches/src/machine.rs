//! What a result is worth knowing with: the machine and the versions.

use std::{env, fs, thread};

/// Describes the machine in one line.
pub fn describe() -> String {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model =
        cpu.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": ")).map_or("", |at| at.1);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or_default();
    format!("{model}, {cores} cores, {} {}, load {load}", env::consts::OS, kernel.trim())
}

/// Returns the version of a package as this crate's lock file has it: of several, the one that this crate itself uses.
pub fn version(package: &str) -> &'static str {
    let lock = include_str!("../Cargo.lock");
    let of = |package: &str| {
        let name = format!("name = \"{package}\"");
        lock.split("[[package]]").find(move |entry| entry.lines().any(|line| line == name))
    };
    // Where there are several, a dependency is written with its version.
    let start = format!(" \"{package} ");
    let chosen = of(env!("CARGO_PKG_NAME"))
        .and_then(|own| own.lines().find_map(|line| line.strip_prefix(&start)?.split('"').next()));
    let only = || of(package)?.split("version = \"").nth(1)?.split('"').next();
    chosen.or_else(only).unwrap_or("?")
}
