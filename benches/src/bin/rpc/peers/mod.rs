//! The contenders, and their processes.

mod converse;
mod jsonrpsee;
mod tarpc;

use std::{
    future::Future,
    io::{self, Write},
    pin::Pin,
    thread,
    time::Duration,
};

use ::converse::{JsonConverter, MessagePackConverter, rpc::Protocol};
use converse_benches::{Result, process, typed};
use tokio::{net::TcpListener, runtime::Runtime};

use crate::{
    cell,
    load::{Load, Sample, Window},
};

/// What a server does until the process ends.
type Serving = Pin<Box<dyn Future<Output = Result<()>>>>;

/// What a client does.
type Calling = Pin<Box<dyn Future<Output = Result<Sample>> + Send>>;

/// A name, what is done with a listener, and what with an address.
type Contender = (&'static str, fn(TcpListener) -> Serving, fn(String, Load) -> Calling);

/// Every contender.
const CONTENDERS: &[Contender] = &[
    ("converse-msgpack", |at| converse::serve(at, msgpack()), |to, load| converse::call(to, load, msgpack())),
    ("converse-json", |at| converse::serve(at, json()), |to, load| converse::call(to, load, json())),
    (
        "converse-msgpack-1024",
        |at| converse::serve(at, msgpack()),
        |to, load| converse::call_far_ahead(to, load, msgpack()),
    ),
    (
        "converse-json-1024",
        |at| converse::serve(at, json()),
        |to, load| converse::call_far_ahead(to, load, json()),
    ),
    (
        "converse-jsonrpc",
        |at| converse::serve(at, json_rpc()),
        |to, load| converse::call(to, load, json_rpc()),
    ),
    (cell::BASE, jsonrpsee::serve, jsonrpsee::call),
    ("jsonrpsee-to-converse", |at| converse::serve(at, json_rpc()), jsonrpsee::call),
    ("converse-to-jsonrpsee", jsonrpsee::serve, |to, load| converse::call(to, load, json_rpc())),
    ("tarpc-bincode", tarpc::serve_bincode, tarpc::call_bincode),
    ("tarpc-json", tarpc::serve_json, tarpc::call_json),
];

fn msgpack() -> Protocol {
    Protocol::converse(MessagePackConverter::default())
}

fn json() -> Protocol {
    Protocol::converse(JsonConverter::default())
}

fn json_rpc() -> Protocol {
    Protocol::json_rpc()
}

/// Returns the contenders' names.
pub fn names() -> Vec<&'static str> {
    CONTENDERS.iter().map(|(name, ..)| *name).collect()
}

/// The process of a server: `NAME CORE`. It prints where it listens, and serves until its standard input ends.
///
/// # Errors
/// When an argument is not understood, or the contender gives up.
pub fn serve(arguments: &[String]) -> Result<()> {
    let [name, core] = arguments else { return Err("usage: serve CONTENDER CORE".into()) };
    let (_, serve, _) = find(name)?;
    process::pin_to(core.parse()?)?;
    thread::spawn(process::exit_with_input);
    runtime()?.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        println!("{}", listener.local_addr()?);
        io::stdout().flush()?;
        serve(listener).await
    })
}

/// The process of a client: `NAME CORE ADDRESS CELL SERVER WARM-UP MEASURED`, with the server's process and times in
/// milliseconds. It prints a sample.
///
/// # Errors
/// When an argument is not understood, or a call fails.
pub fn call(arguments: &[String]) -> Result<()> {
    let [name, core, address, cell, server, warm_up, measured] = arguments else {
        return Err("usage: call CONTENDER CORE ADDRESS CELL SERVER WARM-UP MEASURED".into());
    };
    let (_, _, call) = find(name)?;
    let cell = *cell::ALL.iter().find(|known| known.name == cell).ok_or("no such cell")?;
    let [warm_up, measured] = [warm_up.parse()?, measured.parse()?].map(Duration::from_millis);
    let load = Load { cell, server: server.parse()?, window: Window { warm_up, measured } };
    process::pin_to(core.parse()?)?;
    let runtime = runtime()?;
    // In a task of its own, since the one that a runtime blocks on is woken by a system call.
    let sample = runtime.block_on(runtime.spawn(call(address.clone(), load)))??;
    println!("{}", sample.write());
    Ok(())
}

fn find(name: &str) -> Result<&'static Contender> {
    CONTENDERS
        .iter()
        .find(|(contender, ..)| *contender == name)
        .ok_or_else(|| format!("no contender is called {name}").into())
}

fn runtime() -> io::Result<Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}

/// What servers send as a stream, again and again. It lives as long as the process.
fn lines() -> &'static [typed::Chat] {
    (0..crate::load::CYCLE as u64).map(typed::small).collect::<Vec<_>>().leak()
}
