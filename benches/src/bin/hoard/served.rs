//! The server's process: it tells what it holds when it is asked.

use std::{
    fs,
    future::pending,
    io::{self, BufRead},
    thread,
};

use converse::{
    PerMessageDeflate, Server, Session, SessionOptions,
    rpc::{Router, Status, Streaming},
};
use converse_benches::{Result, process};
use futures_util::stream;
use serde_json::Value;

use crate::HEAP;

/// What the process may have of addresses, so that the machine outlives it.
pub const MOST: u64 = 6 << 30;

/// Serves until the input ends.
///
/// # Errors
/// When no port can be had.
pub fn run(memory: usize) -> Result<()> {
    process::allow_all_descriptors()?;
    limit_addresses()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let options = SessionOptions::default().extension(PerMessageDeflate::new());
        let server = Server::new(options).rpc("/", router()).route("/echo", echo);
        let server = limited(server, memory).bind("127.0.0.1:0").await?;
        println!("{}", server.local_addr());
        thread::spawn(tell);
        tokio::spawn(server.serve()).await?;
        Ok(())
    })
}

/// Limits what the connections hold together.
fn limited(server: Server, bytes: usize) -> Server {
    server.memory(bytes)
}

async fn echo(mut session: Session) -> converse::Result<()> {
    while let Some(message) = session.receive().await? {
        session.send(message).await?;
    }
    Ok(())
}

fn router() -> Router {
    Router::new()
        .call("add", |_, (a, b): (i64, i64)| async move { Ok::<_, Status>(a + b) })
        .call("value", |_, (value,): (Value,)| held(value))
        .call("bytes", |_, (bytes,): (Vec<u8>,)| held(bytes))
        .call("never", |cx, _: [(); 0]| held(cx))
        .call("large", |_, _: [(); 0]| async move { Ok::<_, Status>("x".repeat(1_000_000)) })
        .client_stream("take", |_, _: [(); 0], items: Streaming<Vec<u8>>| held(items))
        .stream("flow", |_, _: [(); 0]| stream::repeat_with(|| Ok::<_, Status>("x".repeat(1_000_000))))
}

/// A handler that never ends.
async fn held<T>(what: T) -> std::result::Result<(), Status> {
    pending::<()>().await;
    drop(what);
    Ok(())
}

/// Answers each line of the input with what is held now, what was held at the most, and VmHWM.
fn tell() {
    for line in io::stdin().lock().lines() {
        let Ok(line) = line else { break };
        println!("{} {} {}", HEAP.now_over(0), HEAP.peak_over(0), resident_at_most());
        if line == "mark" {
            HEAP.mark();
        }
    }
    std::process::exit(0);
}

/// Returns VmHWM, in bytes.
fn resident_at_most() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kibibytes = line.and_then(|line| line.trim().trim_end_matches(" kB").trim().parse::<usize>().ok());
    kibibytes.unwrap_or_default() * 1024
}

fn limit_addresses() -> Result<()> {
    let limit = libc::rlimit { rlim_cur: MOST, rlim_max: MOST };
    // SAFETY: the kernel only reads the structure.
    let failed = unsafe { libc::setrlimit(libc::RLIMIT_AS, &limit) != 0 };
    if failed { Err(io::Error::last_os_error().into()) } else { Ok(()) }
}
