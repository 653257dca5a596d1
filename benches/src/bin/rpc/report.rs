//! The results in Markdown.

use std::fmt::{Result, Write};

use converse_benches::{
    machine,
    stats::Rounds,
    table::{Table, thousands},
};

use crate::{
    cell::BASE,
    results::{Measured, Results, Row},
};

/// Packages whose versions a reader needs.
const PACKAGES: [&str; 8] =
    ["converse", "jsonrpsee", "soketto", "tarpc", "tokio", "serde_json", "rmp-serde", "bincode"];

/// The cells of the goal: calls that are 64 in flight.
const GOAL_CELLS: [&str; 3] = ["add-64", "chat-64", "room-64"];

/// Who should reach it.
const GOAL_CONTENDERS: [&str; 2] = ["converse-msgpack", "converse-json"];

/// What is wanted, as a multiple of jsonrpsee's CPU time.
const GOAL: f64 = 1.0 / 3.0;

/// Writes them down.
pub fn write(results: &Results, machine: &str) -> String {
    let mut text = String::from("# Calls and streams, measured\n\n");
    head(&mut text, results, machine)
        .and_then(|()| goals(&mut text, results))
        .and_then(|()| results.cells.iter().try_for_each(|measured| cell(&mut text, measured)))
        .and_then(|()| failures(&mut text, results))
        .expect("a String takes all");
    text
}

fn head(text: &mut String, results: &Results, machine: &str) -> Result {
    let versions: Vec<String> =
        PACKAGES.iter().map(|package| format!("{package} {}", machine::version(package))).collect();
    let plan = results.plan;
    writeln!(text, "`benches/run rpc` writes this file.\n")?;
    writeln!(text, "- Machine: {machine}")?;
    writeln!(text, "- Versions: {}", versions.join(", "))?;
    writeln!(
        text,
        "- What: each contender is a server and a client with one connection over 127.0.0.1, processes of their own on one core \
         each, with tokio's current-thread runtime, default settings and `TCP_NODELAY`. Handlers are `async` functions. A number \
         of calls is in flight: so many tasks, each with one call behind the other; each call takes an owned value along, which \
         is compared once as a whole and then by a part. jsonrpsee is its server and its WebSocket client; `a-to-b` is the client \
         of a and the server of b, in JSON-RPC. tarpc is its `serde_transport::tcp`: with Bincode, as most of its examples have it, \
         and with JSON. It has no streams."
    )?;
    writeln!(
        text,
        "- Streams: the server sends as fast as it may. converse lets a sender be 32 items ahead of its reader by default, and \
         `-1024` lets it be 1,024 ahead. jsonrpsee's sender does not wait for its reader, and ends the subscription of one that is \
         1,024 behind; since that happened here, it may be 2²⁰ behind, which is memory of the client."
    )?;
    writeln!(
        text,
        "- How: CPU is what a process used for a call or an item, in user and in system mode: {} rounds of {} ms behind {} ms of \
         warm-up, new processes each. Contenders take turns, every second round in the opposite order.",
        plan.rounds,
        plan.window.measured.as_millis(),
        plan.window.warm_up.as_millis()
    )?;
    writeln!(
        text,
        "- Figures are medians of the rounds, ± the distance of the quartiles. Ratios are medians of those to {BASE} in the same \
         round, by CPU time; \"both\" is the sum of the two processes.\n"
    )
}

fn goals(text: &mut String, results: &Results) -> Result {
    let mut table =
        Table::new(["Goal: CPU of a call, client and server", "contender", "wanted", "measured", "met"]);
    for (cell, contender) in GOAL_CELLS.iter().flat_map(|cell| GOAL_CONTENDERS.map(|name| (cell, name))) {
        let Some(measured) = results.cells.iter().find(|measured| measured.cell.name == *cell) else {
            continue;
        };
        let ratio = results.row(cell, contender).and_then(|row| row.ratio.both.median());
        let (got, met) = match ratio {
            Some(ratio) => (format!("{ratio:.2}"), if ratio <= GOAL { "yes" } else { "**no**" }),
            None => ("–".into(), "–"),
        };
        let wanted = format!("≤ {GOAL:.2} × {BASE}");
        table.row(vec![measured.cell.title.into(), contender.into(), wanted, got, met.into()]);
    }
    writeln!(text, "## Goals\n\n{table}")
}

fn cell(text: &mut String, measured: &Measured) -> Result {
    let (rate, each) = match measured.cell.is_stream() {
        true => ("items/s", "an item"),
        false => ("calls/s", "a call"),
    };
    let heads = ["Contender", rate, "server, µs", "client, µs", "both, µs", "× server", "× client", "× both"];
    let mut table = Table::new(heads);
    let mut rows: Vec<&Row> = measured.rows.iter().filter(|row| row.failed.is_none()).collect();
    let cpu = |row: &Row| row.cpu.both.median().unwrap_or(f64::INFINITY);
    rows.sort_by(|one, other| cpu(one).total_cmp(&cpu(other)));
    for row in rows {
        let mut cells = vec![name(row.contender), row.rate.median().map_or_else(|| "–".into(), thousands)];
        cells.extend([&row.cpu.server, &row.cpu.client, &row.cpu.both].map(spread));
        cells.extend([&row.ratio.server, &row.ratio.client].map(ratio));
        cells.push(spread(&row.ratio.both));
        table.row(cells);
    }
    writeln!(text, "## {}\n\nCPU of {each}.\n\n{table}", measured.cell.title)
}

fn failures(text: &mut String, results: &Results) -> Result {
    let failures = results.cells.iter().flat_map(|measured| {
        let title = measured.cell.title;
        measured
            .rows
            .iter()
            .filter_map(move |row| Some(format!("- {title}: {}: {}", row.contender, row.failed.as_ref()?)))
    });
    let failures: Vec<String> = failures.collect();
    if failures.is_empty() { Ok(()) } else { writeln!(text, "## What failed\n\n{}", failures.join("\n")) }
}

fn name(contender: &str) -> String {
    if contender.starts_with("converse") { format!("**{contender}**") } else { contender.into() }
}

fn ratio(rounds: &Rounds) -> String {
    rounds.median().map_or_else(|| "–".into(), |median| format!("{median:.2}"))
}

/// A median with its spread.
fn spread(rounds: &Rounds) -> String {
    match (rounds.median(), rounds.spread()) {
        (Some(median), Some(spread)) if median < 10.0 => format!("{median:.2} ±{spread:.0} %"),
        (Some(median), Some(spread)) => format!("{median:.1} ±{spread:.0} %"),
        _ => "–".into(),
    }
}
