//! `floods`: how long another connection waits while one floods the thread that serves both, breaking no limit. `floods`
//! measures every flood five times, beside as many times without it; `floods ROUNDS` takes another number, and
//! `floods ROUNDS NAME` only those whose name begins so.

mod attack;
mod prober;
mod server;

use std::{env, time::Duration};

use converse_benches::Result;

use crate::attack::{FLOODS, Flood};

/// Before the flood begins.
const BEFORE: Duration = Duration::from_millis(200);
/// How long another connection calls from then on.
const MEANWHILE: Duration = Duration::from_millis(3_300);

fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let rounds = arguments.first().map_or(Ok(5), |rounds| rounds.parse())?;
    let only = arguments.get(1).map_or("", String::as_str);
    println!("| Flood | longest wait, ms | without it | answered meanwhile | the flooder |");
    println!("|---|---:|---:|---:|---|");
    for flood in FLOODS.iter().filter(|flood| flood.name.starts_with(only)) {
        let mut with = Vec::new();
        let mut without = Vec::new();
        let mut last = (0, String::new());
        for _ in 0..rounds {
            without.push(measure(None)?.0);
            let (longest, answered, ended) = measure(Some(flood))?;
            with.push(longest);
            last = (answered, ended);
        }
        let (with, without) = (median(with), median(without));
        println!("| {} | {with:.1} | {without:.1} | {} | {} |", flood.name, last.0, last.1);
    }
    Ok(())
}

/// Returns the longest wait in milliseconds, how many calls were answered, and how the flood came out.
fn measure(flood: Option<&Flood>) -> Result<(f64, usize, String)> {
    let server = server::start(tokio::runtime::Builder::new_current_thread(), server::router())?;
    let prober = prober::start(server.url(), BEFORE + MEANWHILE);
    std::thread::sleep(BEFORE);
    let flooder = flood.map(|flood| attack::start(server.url(), flood.clone(), MEANWHILE));
    let waits = prober.join().map_err(|_| "the prober has failed")??;
    let ended = match flooder {
        Some(flooder) => flooder.join().map_err(|_| "the flooder has failed")??,
        None => String::new(),
    };
    Ok((waits.longest.as_secs_f64() * 1e3, waits.answered, ended))
}

/// Returns the middle one.
fn median(mut waits: Vec<f64>) -> f64 {
    waits.sort_by(f64::total_cmp);
    waits[waits.len() / 2]
}
