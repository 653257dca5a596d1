//! Another connection: it calls every millisecond, from a thread of its own.

use std::{
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use converse::rpc::{self, Router};
use converse_benches::Result;

/// Between an answer and the next call.
const PAUSE: Duration = Duration::from_millis(1);

/// What the calls have seen.
#[derive(Clone, Copy, Debug, Default)]
pub struct Waits {
    /// The longest time from a call to its answer.
    pub longest: Duration,
    /// How many there were.
    pub answered: usize,
}

/// Calls for so long.
pub fn start(url: String, time: Duration) -> JoinHandle<Result<Waits>> {
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let peer = rpc::connect(&url, Router::new()).await?;
            let (begun, mut waits) = (Instant::now(), Waits::default());
            while begun.elapsed() < time {
                let called = Instant::now();
                let sum: i64 = peer.call("add", (40, 2)).await?;
                if sum != 42 {
                    return Err("40 and 2 are something else".into());
                }
                waits.longest = waits.longest.max(called.elapsed());
                waits.answered += 1;
                tokio::time::sleep(PAUSE).await;
            }
            Ok(waits)
        })
    })
}
