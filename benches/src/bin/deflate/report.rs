//! The results in Markdown.

use std::fmt::Write;

use converse::MemoryMode;
use converse_benches::{Result, machine, payload::Traffic, stats::Rounds, table::Table};

use crate::{
    codec::{self, Codec, Lengths},
    echo::{self, Cell},
    idle::Idle,
    peers::Contender,
};

/// All that was measured, in the order of the contenders.
pub struct Results {
    /// Who took part.
    pub contenders: Vec<Contender>,
    /// A task with a socket and nothing else.
    pub bare: Idle,
    /// Heap of idle connections.
    pub idle: Vec<Result<Idle>>,
    /// Echoes of each traffic.
    pub echoes: Vec<(Traffic, Vec<Cell>)>,
    /// What was measured without a connection.
    pub codecs: Vec<Codec>,
    /// Each traffic through these.
    pub halves: Vec<Vec<codec::Cell>>,
    /// Short messages, in the order of [`MODES_BY_LENGTH`].
    pub lengths: Vec<[Lengths; 8]>,
}

/// Modes that short messages are tried with.
pub const MODES_BY_LENGTH: [(&str, MemoryMode); 3] = [
    ("Dedicated", MemoryMode::Dedicated),
    ("Compact 2048", MemoryMode::Compact { history: 2048 }),
    ("NoTakeover", MemoryMode::NoTakeover),
];

/// Writes them down.
pub fn write(results: &Results) -> String {
    let mut text = String::from("# permessage-deflate, measured\n\n");
    head(&mut text, results)
        .and_then(|()| body(&mut text, results))
        .and_then(|()| halves(&mut text, results))
        .and_then(|()| lengths(&mut text, results))
        .expect("a String takes all");
    text
}

fn head(text: &mut String, results: &Results) -> std::fmt::Result {
    let mut versions: Vec<String> = Vec::new();
    for package in
        results.contenders.iter().map(|contender| contender.package).chain(["flate2", "zlib-rs", "libz-sys"])
    {
        let version = format!("{package} {}", machine::version(package));
        if !versions.contains(&version) {
            versions.push(version);
        }
    }
    writeln!(
        text,
        "`cargo run --release --manifest-path benches/Cargo.toml --bin deflate` writes this file.\n"
    )?;
    writeln!(text, "- Machine: {}", machine::describe())?;
    writeln!(text, "- Versions: {}", versions.join(", "))?;
    writeln!(
        text,
        "- Echo: one connection over 127.0.0.1, one message at a time; the client packs with zlib, level 6. B: mean bytes of \
         a reply with its frame's header, after {} messages; every reply is unpacked and compared once. µs: CPU time of \
         the server's thread for a message, system calls included: the median of {} rounds, in which the contenders take \
         turns; ± is the distance of the quartiles. The rows without compression show what is not deflate.",
        echo::WARM_UP,
        echo::ROUNDS
    )?;
    writeln!(
        text,
        "- Idle: live bytes on the server's heap for each connection that has echoed 3 messages of 1 KiB, above those of a \
         task with a bare socket ({:.0} B). 10,000 connections; marked ¹ are 1,000, where one takes more than 100 kB. Kept: \
         what the server's thread holds when its first connection has gone, for all to come. ws-tool allocates in C: \
         its figures are malloc's.\n- Not here, though they build: ratchet_rs 1.2.1, which turns on zlib in C for all users \
         of flate2 in the binary; soketto 0.8.1, which cannot unpack with flate2 1.1.11 (\"incomplete deflate stream\").\n",
        results.bare.each
    )
}

fn body(text: &mut String, results: &Results) -> std::fmt::Result {
    let mut sums =
        Table::new(["Contender", "idle, KiB", "kept, KiB", "chat, B", "33 B", "90 B", "1 KiB", "16 KiB"]);
    for (at, contender) in results.contenders.iter().enumerate() {
        let [each, kept] = idle_cells(&results.idle[at], results.bare.each);
        let wires = results.echoes.iter().map(|(_, cells)| wire(&cells[at]));
        sums.row([contender.name(), each, kept].into_iter().chain(wires).collect());
    }
    writeln!(text, "## Memory and bytes\n\n{sums}")?;
    let mut cpus = Table::new(["Contender", "chat, µs", "33 B", "90 B", "1 KiB", "16 KiB"]);
    for (at, contender) in results.contenders.iter().enumerate() {
        let times = results.echoes.iter().map(|(_, cells)| time(&cells[at].cpu));
        cpus.row([contender.name()].into_iter().chain(times).collect());
    }
    writeln!(text, "## CPU of an echo\n\n{cpus}")?;
    let failures = results.echoes.iter().flat_map(|(traffic, cells)| {
        cells.iter().filter_map(move |cell| Some(format!("- {}: {}", traffic.name(), cell.failed.as_ref()?)))
    });
    let failures: Vec<String> = failures.collect();
    if !failures.is_empty() {
        writeln!(text, "## What failed\n\n{}", failures.join("\n"))?;
    }
    Ok(())
}

fn halves(text: &mut String, results: &Results) -> std::fmt::Result {
    let mut table = Table::new([
        "Codec",
        "chat, B",
        "pack, µs",
        "unpack",
        "33 B",
        "pack",
        "unpack",
        "90 B",
        "pack",
        "unpack",
        "1 KiB",
        "pack",
        "unpack",
        "16 KiB",
        "pack",
        "unpack",
    ]);
    for (at, codec) in results.codecs.iter().enumerate() {
        let cells = results.halves.iter().map(|cells| &cells[at]);
        let cells =
            cells.flat_map(|cell| [format!("{:.1}", cell.wire), time(&cell.pack), time(&cell.unpack)]);
        table.row([codec.name.clone()].into_iter().chain(cells).collect());
    }
    writeln!(
        text,
        "## The halves alone\n\nconverse's encoder and decoder of a server, driven without a connection, answering a \
         browser's offer. B: mean payload of a packed message. Unpacked is what zlib, level 6, has packed as was agreed. \
         `zlib-rs alone` is one state for each direction with nothing around it.\n\n{table}"
    )
}

fn lengths(text: &mut String, results: &Results) -> std::fmt::Result {
    let mut table =
        Table::new(["Length of a chat line", "lines", "mean, B", "Dedicated", "Compact 2048", "NoTakeover"]);
    for range in 0..8 {
        let of = results.lengths.iter().map(|sums| sums[range]);
        let Some(first) = of.clone().next().filter(|first| first.count > 0) else { continue };
        let mean = |sum: usize| format!("{:.1}", sum as f64 / first.count as f64);
        let from = range * codec::RANGE;
        let heads =
            [format!("{from} to {}", from + codec::RANGE - 1), first.count.to_string(), mean(first.plain)];
        table.row(heads.into_iter().chain(of.map(|lengths| mean(lengths.packed))).collect());
    }
    writeln!(text, "## Short messages\n\nMean payload of packed chat lines, level 1.\n\n{table}")
}

fn idle_cells(idle: &Result<Idle>, bare: f64) -> [String; 2] {
    let Ok(idle) = idle else { return [String::from("failed"), String::new()] };
    let mark = if idle.connections < 10_000 { "¹" } else { "" };
    [format!("{:.1}{mark}", (idle.each - bare) / 1024.0), format!("{:.0}", idle.kept as f64 / 1024.0)]
}

fn wire(cell: &Cell) -> String {
    if cell.failed.is_some() { "failed".into() } else { format!("{:.1}", cell.wire) }
}

/// A median with its spread.
fn time(rounds: &Rounds) -> String {
    match (rounds.median(), rounds.spread()) {
        (Some(median), Some(spread)) => format!("{median:.1} ±{spread:.0} %"),
        _ => "failed".into(),
    }
}
