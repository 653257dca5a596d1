//! `client CONTENDER ADDRESS MESSAGES [--core N]`: receives this many messages from the server at an address, and prints
//! the CPU time of this process for each, in nanoseconds, between the first and the last.

mod count;
mod receive;

use std::{env, future::Future, pin::Pin, process};

use converse_benches::{Result, process as system};

use crate::count::Count;

/// Receives from an address until enough was counted.
type Receiving = Pin<Box<dyn Future<Output = Result<Count>> + Send>>;

/// A name, and what is done with an address.
type Contender = (&'static str, fn(String, Count) -> Receiving);

/// Every contender.
const CONTENDERS: &[Contender] = &[
    ("converse", |address, count| Box::pin(receive::converse(address, count))),
    ("tungstenite", |address, count| Box::pin(receive::tungstenite(address, count))),
    ("fastwebsockets", |address, count| Box::pin(receive::fastwebsockets(address, count))),
    ("tokio-websockets", |address, count| Box::pin(receive::tokio_websockets(address, count))),
    ("yawc", |address, count| Box::pin(receive::yawc(address, count))),
];

fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (name, address, messages, core) = match arguments[..] {
        ["--list"] => {
            CONTENDERS.iter().for_each(|(name, _)| println!("{name}"));
            return Ok(());
        }
        [name, address, messages] => (name, address, messages, None),
        [name, address, messages, "--core", core] => (name, address, messages, Some(core.parse()?)),
        _ => fail("usage: client CONTENDER ADDRESS MESSAGES [--core N] | --list"),
    };
    let Some((_, receive)) = CONTENDERS.iter().find(|(contender, _)| *contender == name) else {
        fail(&format!("no contender is called {name}; see --list"));
    };
    core.map_or(Ok(()), system::pin_to)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    // In a task of its own, since the one that a runtime blocks on is woken by a system call.
    let count =
        runtime.block_on(runtime.spawn(receive(address.to_owned(), Count::new(messages.parse()?))))??;
    println!("{}", count.nanoseconds()?);
    Ok(())
}

fn fail(message: &str) -> ! {
    eprintln!("{message}");
    process::exit(2);
}
