//! `spawned`: two handlers that compute, on a runtime with two workers, and how long a third connection waits meanwhile.
//! `cargo run --release --features workers --bin spawned` measures five times, and with a number so often.

#[path = "../floods/prober.rs"]
mod prober;
#[path = "../floods/server.rs"]
mod server;

use std::{env, time::Duration};

use converse::rpc::{self, Router};
use converse_benches::Result;
use tokio::runtime::Builder;

/// How long each of them computes.
const COMPUTED: u64 = 300;
/// How long the third connection calls.
const MEANWHILE: Duration = Duration::from_millis(1_200);

/// Who computes.
#[derive(Clone, Copy)]
struct Case {
    name: &'static str,
    /// Connections, and calls that compute on each.
    connections: usize,
    calls: usize,
    spawned: bool,
}

const CASES: &[Case] = &[
    Case { name: "nobody", connections: 0, calls: 0, spawned: false },
    Case { name: "one connection, two calls", connections: 1, calls: 2, spawned: false },
    Case { name: "two connections, a call each", connections: 2, calls: 1, spawned: false },
    Case { name: "one connection, two calls, spawned", connections: 1, calls: 2, spawned: true },
    Case { name: "two connections, a call each, spawned", connections: 2, calls: 1, spawned: true },
];

/// Lets a router's handlers be tasks of their own.
fn spawned(router: Router) -> Router {
    router.spawned()
}

fn main() -> Result<()> {
    let rounds = env::args().nth(1).map_or(Ok(5), |rounds| rounds.parse::<usize>())?;
    println!(
        "| Two workers; 300 ms each are computed by | longest wait of a third connection, ms | both had computed after, ms |"
    );
    println!("|---|---:|---:|");
    for case in CASES {
        let rounds = (0..rounds).map(|_| measure(*case)).collect::<Result<Vec<_>>>()?;
        let waits = median(rounds.iter().map(|(wait, _)| *wait).collect());
        let took = median(rounds.iter().map(|(_, took)| *took).collect());
        println!("| {} | {waits:.1} | {took:.0} |", case.name);
    }
    Ok(())
}

/// Returns the longest wait, and when all had computed, in milliseconds.
fn measure(case: Case) -> Result<(f64, f64)> {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(2);
    let router = if case.spawned { spawned(server::router()) } else { server::router() };
    let server = server::start(builder, router)?;
    let prober = prober::start(server.url(), MEANWHILE);
    std::thread::sleep(Duration::from_millis(200));
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let took = runtime.block_on(async {
        let begun = std::time::Instant::now();
        let mut peers = Vec::new();
        for _ in 0..case.connections {
            peers.push(rpc::connect(&server.url(), Router::new()).await?);
        }
        let calls = peers.iter().flat_map(|peer| {
            (0..case.calls).map(move |_| peer.call::<_, ()>("compute", (COMPUTED,)).into_future())
        });
        futures_util::future::try_join_all(calls).await?;
        Ok::<_, Box<dyn std::error::Error + Send + Sync>>(begun.elapsed())
    })?;
    let waits = prober.join().map_err(|_| "the prober has failed")??;
    Ok((waits.longest.as_secs_f64() * 1e3, took.as_secs_f64() * 1e3))
}

/// Returns the middle one.
fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}
