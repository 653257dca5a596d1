//! What the crate wants to reach, and whether it does.

use crate::{cell, results::Results, rounds::Row};

/// A goal, held against what was measured.
#[derive(Clone, Debug)]
pub struct Goal {
    /// Where.
    pub what: String,
    /// What is wanted.
    pub wanted: String,
    /// What was measured, `None` when it was not.
    pub got: Option<Got>,
}

/// What was measured for a goal.
#[derive(Clone, Debug)]
pub struct Got {
    /// In the words of the report.
    pub text: String,
    /// Whether it is what was wanted.
    pub met: bool,
}

/// Holds all goals against the results, in the order of the report.
pub fn all(results: &Results) -> Vec<Goal> {
    let mut goals = echoes(results);
    goals.extend(in_memory(results));
    goals.extend(idle(results));
    goals.extend(typed(results));
    goals.push(sender(results));
    goals.push(deflate(results, "converse-deflate-none", "no takeover", 30.0));
    goals.push(deflate(results, "converse-deflate", "compact takeover", 35.0));
    goals
}

fn echoes(results: &Results) -> Vec<Goal> {
    vec![
        ratio(results, "64x125x16", 1.2),
        cheapest(results, "64x125x16"),
        ratio(results, "512x1k", 1.05),
        cheapest(results, "512x1k"),
        ratio(results, "8x64kx4", 1.0),
        cheapest(results, "8x64kx4"),
        most(results, "8x64kx4", "p99, ms", 2.0, |row| Some(row.p99.median()? / 1_000.0)),
        against_best(results, "4x1m", "time per message", |row| Some(1.0 / row.rate.median()?)),
        against_best(results, "1x20", "p50", |row| row.p50.median()),
    ]
}

fn row<'a>(results: &'a Results, cell: &str, contender: &str) -> Option<&'a Row> {
    let row = results.echo(cell)?.rows.iter().find(|row| row.contender == contender)?;
    row.failed.is_none().then_some(row)
}

fn title(results: &Results, cell: &str) -> String {
    results.echo(cell).map_or_else(|| cell.into(), |measured| measured.cell.title.into())
}

/// A goal of which the figure must be no more than the limit.
fn limit(what: String, unit: &str, limit: f64, got: Option<f64>) -> Goal {
    let got = got.map(|got| Got { text: short(got), met: got <= limit });
    Goal { what, wanted: format!("≤ {}{unit}", short(limit)), got }
}

/// Writes a figure with about three digits.
fn short(figure: f64) -> String {
    match figure.abs() {
        100.0.. => format!("{figure:.0}"),
        10.0..100.0 => format!("{figure:.1}"),
        _ => format!("{figure:.2}"),
    }
}

fn ratio(results: &Results, cell: &str, most: f64) -> Goal {
    let got = row(results, cell, "converse").and_then(|row| row.ratio.median());
    limit(format!("{}: CPU", title(results, cell)), " × raw TCP", most, got)
}

fn most(results: &Results, cell: &str, unit: &str, most: f64, of: fn(&Row) -> Option<f64>) -> Goal {
    let got = row(results, cell, "converse").and_then(of);
    limit(format!("{}: {unit}", title(results, cell)), "", most, got)
}

/// The least figure of all peers, and whose it is.
fn best<'a>(results: &'a Results, cell: &str, of: fn(&Row) -> Option<f64>) -> Option<(&'a str, f64)> {
    let peers = results.echo(cell)?.rows.iter().filter(|row| {
        row.failed.is_none() && !cell::is_bare(&row.contender) && !cell::is_ours(&row.contender)
    });
    peers
        .filter_map(|row| Some((row.contender.as_str(), of(row)?)))
        .min_by(|one, other| one.1.total_cmp(&other.1))
}

fn cheapest(results: &Results, cell: &str) -> Goal {
    against_best(results, cell, "CPU", |row| row.cpu.median())
}

fn against_best(results: &Results, cell: &str, figure: &str, of: fn(&Row) -> Option<f64>) -> Goal {
    let got = || {
        let (peer, theirs) = best(results, cell, of)?;
        let ours = of(row(results, cell, "converse")?)?;
        Some(Got { text: format!("{} × {peer}", short(ours / theirs)), met: ours <= theirs })
    };
    let what = format!("{}: {figure}", title(results, cell));
    Goal { what, wanted: "no peer below, hand-batched or not".into(), got: got() }
}

fn in_memory(results: &Results) -> Vec<Goal> {
    let cells = [("125 B × 1", 180.0), ("125 B × 16", 90.0), ("64 KiB × 1", 2_500.0)];
    let goal = |(cell, most): (&str, f64)| {
        let line = results.in_memory.iter().find(|line| line.contender == "converse" && line.cell == cell);
        limit(format!("In memory, {cell}"), " ns", most, line.and_then(|line| line.nanoseconds.median()))
    };
    cells.map(goal).into()
}

fn idle(results: &Results) -> Vec<Goal> {
    let sizes = |name: &str| {
        let idle = results.idle.iter().find(|idle| idle.contender == name)?;
        idle.sizes.as_ref().ok()
    };
    let both = sizes("converse").zip(sizes("raw-64k"));
    let [small, later] =
        [both.map(|(ours, raw)| ours.small - raw.small), both.map(|(ours, raw)| ours.later - raw.later)]
            .map(|bytes| bytes.map(|bytes| bytes / 1024.0));
    vec![
        limit("Idle connection, beyond raw TCP without a buffer".into(), " KiB", 2.0, small),
        limit("The same, 1 s after a message of 64 KiB".into(), " KiB", 2.0, later),
    ]
}

fn typed(results: &Results) -> Vec<Goal> {
    let goal = |name: &&str| {
        let format = name.split('-').next().unwrap_or_default();
        let got = row(results, name, &format!("converse-{format}")).and_then(|row| row.ratio.median());
        limit(title(results, name), " × (raw TCP + serde)", 1.15, got)
    };
    ["json-small", "json-large", "msgpack-small", "msgpack-large", "cbor-small", "cbor-large"]
        .iter()
        .map(goal)
        .collect()
}

fn sender(results: &Results) -> Goal {
    let cpu = |name: &str| row(results, "64x125x16", name).and_then(|row| row.cpu.median());
    let got = cpu("converse-sender").zip(cpu("converse")).map(|(sender, plain)| sender / plain);
    limit(format!("{}: through a sender task", title(results, "64x125x16")), " × without", 1.3, got)
}

fn deflate(results: &Results, contender: &str, mode: &str, most: f64) -> Goal {
    let got = row(results, "deflate-8x1k", contender).and_then(|row| row.cpu.median());
    limit(format!("Deflate, 1 KiB, {mode}: CPU"), " µs", most, got)
}
