//! A short look at some cells: printed, and written nowhere.

use std::time::Duration;

use converse_benches::{Result, memory};

use crate::{
    cell::{self, Family},
    child, echo, idle,
    load::Window,
    report, results,
    rounds::{Plan, Row},
    wish::Wish,
};

/// Rounds and times of a look.
const PLAN: Plan = Plan {
    rounds: 4,
    window: Window { warm_up: Duration::from_millis(150), measured: Duration::from_millis(350) },
};

/// Connections that have nothing to say, here.
const IDLE: usize = 2_000;

/// Messages that a client receives, here.
const RECEIVED: usize = 300_000;

/// Measures what is wished for, and prints it.
///
/// # Errors
/// When a program that is needed is not built.
pub fn look(wish: &Wish) -> Result<()> {
    let plan = Plan { rounds: wish.rounds.unwrap_or(PLAN.rounds), ..PLAN };
    let mut all = child::contenders()?;
    all.retain(|contender| wish.wants(contender));
    for cell in cell::ALL.iter().filter(|cell| wish.has(cell)) {
        let contenders: Vec<String> = all.iter().filter(|contender| cell.has(contender)).cloned().collect();
        let measured = echo::measure(cell, &contenders, plan);
        warn(&measured.rows);
        let ratio = if matches!(cell.family, Family::Typed(_)) { "× (raw + serde)" } else { "× raw" };
        println!("{}\n{}", report::table(&measured, ratio), busiest(&measured.rows));
    }
    if wish.has_other("idle") {
        let plain: Vec<String> = all.iter().filter(|name| results::is_idle(name)).cloned().collect();
        let idles = idle::measure(&plain, IDLE);
        idles.iter().filter_map(|idle| idle.sizes.as_ref().err()).for_each(|error| eprintln!("{error}"));
        println!("KiB for each of {IDLE} connections\n{}", report::idle(&idles));
    }
    if wish.has_other("broadcast") {
        let rows = results::broadcasts(&all, plan);
        warn(&rows);
        println!("{}", report::broadcasts(&rows));
    }
    if wish.has_other("client") {
        let mut clients = child::clients()?;
        clients.retain(|contender| wish.wants(contender));
        let rows = results::receive(&clients, 125, RECEIVED, plan);
        warn(&rows);
        println!("{}", report::receiving(&rows));
    }
    if wish.has_other("memory") {
        println!("{}", report::in_memory(&memory::measure(results::IN_MEMORY_ROUNDS)?));
    }
    Ok(())
}

fn warn(rows: &[Row]) {
    for row in rows {
        row.failed.iter().for_each(|failed| eprintln!("{}: {failed}", row.contender));
    }
}

/// Tells whether it was the server that was measured: at 100 % it was the generator.
fn busiest(rows: &[Row]) -> String {
    let share = rows.iter().filter_map(|row| row.load.median()).fold(0.0, f64::max);
    format!("load generator: {:.0} % of its core at most\n", share * 100.0)
}
