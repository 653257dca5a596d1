//! Those who want nothing but their turn: an echo that goes on, and connections that come new.

use std::{
    fmt,
    time::{Duration, Instant},
};

use converse::{
    Client, SessionOptions,
    rpc::{self, Router},
};
use converse_benches::Result;
use tokio::time::{sleep, timeout};

/// How long an honest client waits at all.
const PATIENCE: Duration = Duration::from_secs(2);

/// What they have seen.
#[derive(Clone, Copy, Debug, Default)]
pub struct Seen {
    echoes: usize,
    longest_echo: Duration,
    calls: usize,
    longest_call: Duration,
    failed: usize,
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} echoes of 16 KiB, {:.1} ms at the longest; {} new connections with a call each, {:.1} ms at the \
             longest; {} failures",
            self.echoes,
            self.longest_echo.as_secs_f64() * 1e3,
            self.calls,
            self.longest_call.as_secs_f64() * 1e3,
            self.failed
        )
    }
}

/// Goes on for so long.
///
/// # Errors
/// When the echo cannot be connected to.
pub async fn watch(address: &str, time: Duration) -> Result<Seen> {
    let mut session = Client::new(SessionOptions::default()).connect(&format!("ws://{address}/echo")).await?;
    let (begun, mut seen) = (Instant::now(), Seen::default());
    let text = "x".repeat(16 * 1024);
    while begun.elapsed() < time {
        let sent = Instant::now();
        session.send(text.clone()).await?;
        match timeout(PATIENCE, session.receive()).await {
            Ok(Ok(Some(_))) => seen.echoes += 1,
            _ => seen.failed += 1,
        }
        seen.longest_echo = seen.longest_echo.max(sent.elapsed());
        let called = Instant::now();
        match timeout(PATIENCE, call(address)).await {
            Ok(Ok(42)) => seen.calls += 1,
            _ => seen.failed += 1,
        }
        seen.longest_call = seen.longest_call.max(called.elapsed());
        sleep(Duration::from_millis(10)).await;
    }
    Ok(seen)
}

/// Connects, and calls.
async fn call(address: &str) -> Result<i64> {
    let peer = rpc::connect(&format!("ws://{address}/"), Router::new()).await?;
    Ok(peer.call("add", (40, 2)).await?)
}
