//! The results in Markdown.

use std::fmt::Write;

use converse_benches::{
    machine, memory,
    stats::Rounds,
    table::{Table, thousands},
};

use crate::{
    broadcast,
    cell::{Family, RAW},
    echo::Measured,
    goals,
    idle::Idle,
    results::{IDLE, Results},
    rounds::Row,
};

/// Packages whose versions a reader needs.
const PACKAGES: [&str; 9] = [
    "converse",
    "tokio-tungstenite",
    "axum",
    "fastwebsockets",
    "tokio-websockets",
    "yawc",
    "tokio",
    "zlib-rs",
    "serde_json",
];

/// Writes them down.
pub fn write(results: &Results, machine: &str) -> String {
    let mut text = String::from("# Speed and memory, measured\n\n");
    head(&mut text, results, machine)
        .and_then(|()| goals(&mut text, results))
        .and_then(|()| echoes(&mut text, results))
        .and_then(|()| others(&mut text, results))
        .and_then(|()| failures(&mut text, results))
        .expect("a String takes all");
    text
}

fn head(text: &mut String, results: &Results, machine: &str) -> std::fmt::Result {
    let versions: Vec<String> =
        PACKAGES.iter().map(|package| format!("{package} {}", machine::version(package))).collect();
    let plan = results.plan;
    writeln!(text, "`benches/run` writes this file and `plot.svg`.\n")?;
    writeln!(text, "- Machine: {machine}")?;
    writeln!(text, "- Versions: {}", versions.join(", "))?;
    writeln!(
        text,
        "- What: each contender is a server process of its own on one core, with tokio's current-thread runtime, written \
         as its README has it; `-batched` are rewritten by hand to gather what is ready before they flush. `raw-64k` \
         (\"raw TCP\") reads into a buffer of 64 KiB that all connections share and writes once, `raw-8k` is tokio's own \
         copy of bytes, `epoll` does as the first without tokio. None of the three knows a WebSocket."
    )?;
    writeln!(
        text,
        "- How: one thread on the other core holds all connections and keeps a number of messages under way on each \
         (64 × 125 B × 16: 64 connections, 125 bytes, 16 messages each). Echoes are compared once, their lengths always. \
         CPU is what the server's process used for a message, in user and in system mode: {} rounds of {} ms behind \
         {} ms of warm-up, a new process each. Contenders take turns, every second round in the opposite order.",
        plan.rounds,
        plan.window.measured.as_millis(),
        plan.window.warm_up.as_millis()
    )?;
    let busiest =
        results.echoes.iter().flat_map(|measured| &measured.rows).filter_map(|row| row.load.median());
    let busiest = busiest.fold(0.0, f64::max) * 100.0;
    writeln!(
        text,
        "- Figures are medians of the rounds. \"× raw\" is the median of the ratios to raw-64k of the same round, ± the \
         distance of their quartiles: two contenders that lie closer than that are equal. Latency (p50, p99) is from \
         sending to the whole reply, under that load. The generator's core was busy {busiest:.0} % of the time at most.\n"
    )
}

fn goals(text: &mut String, results: &Results) -> std::fmt::Result {
    let mut table = Table::new(["Goal", "wanted", "measured", "met"]);
    for goal in goals::all(results) {
        let (got, met) = match goal.got {
            Some(got) => (got.text, if got.met { "yes" } else { "**no**" }),
            None => ("–".into(), "–"),
        };
        table.row(vec![goal.what, goal.wanted, got, met.into()]);
    }
    writeln!(text, "## Goals\n\n{table}")
}

fn echoes(text: &mut String, results: &Results) -> std::fmt::Result {
    writeln!(text, "## Echo\n")?;
    cells(text, results, |family| family == Family::Echo, "× raw")?;
    writeln!(
        text,
        "## Echo with permessage-deflate\n\nMessages are JSON as markets send it, packed by zlib, level 6. raw-64k sends \
         the packed bytes back. More in [RESULTS-deflate.md](RESULTS-deflate.md).\n"
    )?;
    cells(text, results, |family| family == Family::Deflate, "× raw")?;
    writeln!(
        text,
        "## Echo of values\n\nThe server decodes a value of serde, and encodes it. `hand-` calls the format's crate itself, on \
         fastwebsockets. Ratios are to the CPU time of raw-64k and the bare work of the format together.\n"
    )?;
    cells(text, results, |family| matches!(family, Family::Typed(_)), "× (raw + serde)")
}

fn cells(
    text: &mut String,
    results: &Results,
    wanted: fn(Family) -> bool,
    ratio: &'static str,
) -> std::fmt::Result {
    for measured in results.echoes.iter().filter(|measured| wanted(measured.cell.family)) {
        writeln!(text, "### {}\n\n{}", measured.cell.title, table(measured, ratio))?;
    }
    Ok(())
}

/// Makes the table of an echo cell.
pub fn table(measured: &Measured, ratio: &'static str) -> Table {
    let mut table =
        Table::new(["Contender", "CPU, µs", ratio, "p50, µs", "p99, µs", "messages/s", "core busy, %"]);
    let mut rows: Vec<&Row> = measured.rows.iter().filter(|row| row.cpu.median().is_some()).collect();
    rows.sort_by(|one, other| one.cpu.median().partial_cmp(&other.cpu.median()).expect("times are numbers"));
    for row in rows {
        table.row(vec![
            emphasised(&row.contender),
            figure(&row.cpu),
            with_spread(&row.ratio, 2),
            figure(&row.p50),
            figure(&row.p99),
            thousands(row.rate.median().unwrap_or_default()),
            figure_of(row.server.median().map(|share| share * 100.0), 0),
        ]);
    }
    if matches!(measured.cell.family, Family::Typed(_)) {
        let mut cells = vec![format!("{RAW} + serde alone"), figure(&measured.base), "1.00".into()];
        cells.resize(7, String::new());
        table.row(cells);
    }
    table
}

fn others(text: &mut String, results: &Results) -> std::fmt::Result {
    writeln!(
        text,
        "## Idle connections\n\nResident KiB of the server's process for each of {IDLE} connections, without compression: after \
         the handshakes, after a message of 125 B on each, when one of 64 KiB has come back on each, and a second \
         later.\n\n{}",
        idle(&results.idle)
    )?;
    writeln!(
        text,
        "## One message to {}\n\n125 B of text; CPU for each delivery, and the time until the last member has it.\n\n{}",
        broadcast::MEMBERS,
        broadcasts(&results.broadcast)
    )?;
    writeln!(
        text,
        "## Clients that receive\n\nCPU of a client for a message that it receives, sent as fast as it reads.\n"
    )?;
    for (length, rows) in &results.clients {
        writeln!(text, "{} B:\n\n{}", thousands(*length as f64), receiving(rows))?;
    }
    writeln!(
        text,
        "## In memory\n\nNanoseconds for an echoed message without a socket; calls to read and to write in brackets.\n\n{}",
        in_memory(&results.in_memory)
    )
}

fn failures(text: &mut String, results: &Results) -> std::fmt::Result {
    let mut failed = results.missing.clone();
    let of_rows = |place: &str, rows: &[Row]| -> Vec<String> {
        let text = |row: &Row| Some(format!("{place}, {}: {}", row.contender, row.failed.as_ref()?));
        rows.iter().filter_map(text).collect()
    };
    failed.extend(results.echoes.iter().flat_map(|measured| of_rows(measured.cell.title, &measured.rows)));
    failed.extend(of_rows("broadcast", &results.broadcast));
    failed.extend(results.clients.iter().flat_map(|(_, rows)| of_rows("client", rows)));
    failed.extend(
        results
            .idle
            .iter()
            .filter_map(|idle| Some(format!("idle, {}: {}", idle.contender, idle.sizes.as_ref().err()?))),
    );
    if failed.is_empty() {
        return Ok(());
    }
    writeln!(text, "## What failed\n")?;
    failed.iter().try_for_each(|line| writeln!(text, "- {}", line.trim()))
}

/// Makes the table of idle connections.
pub fn idle(idles: &[Idle]) -> Table {
    let mut table = Table::new(["Contender", "connected", "after 125 B", "after 64 KiB", "1 s later"]);
    for (name, sizes) in idles.iter().filter_map(|idle| Some((&idle.contender, idle.sizes.as_ref().ok()?))) {
        let sizes = [sizes.connected, sizes.small, sizes.large, sizes.later];
        let cells = sizes.map(|bytes| format!("{:.2}", bytes / 1024.0));
        table.row([emphasised(name)].into_iter().chain(cells).collect());
    }
    table
}

/// Makes the table of one message to many.
pub fn broadcasts(rows: &[Row]) -> Table {
    let mut table = Table::new(["Contender", "CPU, µs", "to all, p50, ms", "p99, ms", "deliveries/s"]);
    for row in rows.iter().filter(|row| row.cpu.median().is_some()) {
        let millis = |rounds: &Rounds| figure_of(rounds.median().map(|micros| micros / 1_000.0), 2);
        let rate = thousands(row.rate.median().unwrap_or_default());
        table.row(vec![
            emphasised(&row.contender),
            with_spread(&row.cpu, 3),
            millis(&row.p50),
            millis(&row.p99),
            rate,
        ]);
    }
    table
}

/// Makes the table of clients.
pub fn receiving(rows: &[Row]) -> Table {
    let mut table = Table::new(["Contender", "CPU, µs"]);
    for row in rows.iter().filter(|row| row.cpu.median().is_some()) {
        table.row(vec![emphasised(&row.contender), with_spread(&row.cpu, 3)]);
    }
    table
}

/// Makes the table of what costs no socket: a row for each contender, a column for each cell.
pub fn in_memory(lines: &[memory::Measured]) -> String {
    let distinct = |of: fn(&memory::Measured) -> &'static str| {
        lines.iter().map(of).fold(Vec::new(), |mut seen: Vec<&str>, name| {
            if !seen.contains(&name) {
                seen.push(name);
            }
            seen
        })
    };
    let (contenders, columns) = (distinct(|line| line.contender), distinct(|line| line.cell));
    let mut table = Table::with_heads(
        std::iter::once("Contender".into()).chain(columns.iter().map(|cell| cell.to_string())).collect(),
    );
    for contender in contenders {
        let of = |cell: &&str| {
            let line = lines.iter().find(|line| line.contender == contender && line.cell == *cell);
            line.map_or("–".into(), |line| {
                let [nanoseconds, reads, writes] = [&line.nanoseconds, &line.reads, &line.writes]
                    .map(|rounds| rounds.median().unwrap_or_default());
                format!("{nanoseconds:.0} ({reads:.2}, {writes:.2})")
            })
        };
        table.row(std::iter::once(emphasised(contender)).chain(columns.iter().map(of)).collect());
    }
    table.to_string()
}

fn emphasised(contender: &str) -> String {
    if crate::cell::is_ours(contender) { format!("**{contender}**") } else { contender.into() }
}

fn figure(rounds: &Rounds) -> String {
    let digits = rounds.median().map_or(0, |median| {
        if median < 10.0 {
            2
        } else if median < 100.0 {
            1
        } else {
            0
        }
    });
    figure_of(rounds.median(), digits)
}

fn figure_of(figure: Option<f64>, digits: usize) -> String {
    figure.map_or("–".into(), |figure| format!("{figure:.digits$}"))
}

fn with_spread(rounds: &Rounds, digits: usize) -> String {
    let spread = rounds.spread().map_or(String::new(), |spread| format!(" ±{spread:.0} %"));
    figure_of(rounds.median(), digits) + &spread
}
