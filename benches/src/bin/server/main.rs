//! `server CONTENDER [--core N]`: one contender on one thread. It prints where it listens, and serves until its standard
//! input ends. `server --list` prints the contenders.

mod axum;
mod converse;
mod epoll;
mod fastwebsockets;
mod raw;
mod serve;
mod tokio_websockets;
mod tungstenite;
mod yawc;

use std::{
    env,
    io::{self, Write},
    process, thread,
};

use ::converse::{CborConverter, JsonConverter, MemoryMode, MessagePackConverter};
use converse_benches::{Result, process as system, typed};
use tokio::net::TcpListener;

use crate::serve::Serving;

/// A name, and what is done with a listener.
type Contender = (&'static str, fn(TcpListener) -> Serving);

/// Every contender.
const CONTENDERS: &[Contender] = &[
    ("raw-8k", raw::copy),
    ("raw-64k", raw::shared),
    ("epoll", epoll::echo),
    ("converse", converse::echo),
    ("converse-sender", converse::sender),
    ("tungstenite", tungstenite::echo),
    ("tungstenite-batched", tungstenite::echo_batched),
    ("axum", axum::echo),
    ("fastwebsockets", fastwebsockets::echo),
    ("fastwebsockets-batched", fastwebsockets::echo_batched),
    ("tokio-websockets", tokio_websockets::echo),
    ("tokio-websockets-batched", tokio_websockets::echo_batched),
    ("yawc", yawc::echo),
    ("yawc-batched", yawc::echo_batched),
    ("converse-deflate", |listener| converse::deflate(listener, MemoryMode::default())),
    ("converse-deflate-dedicated", |listener| converse::deflate(listener, MemoryMode::Dedicated)),
    ("converse-deflate-none", |listener| converse::deflate(listener, MemoryMode::NoTakeover)),
    ("yawc-deflate", yawc::deflate),
    ("yawc-deflate-none", yawc::deflate_alone),
    ("converse-json", |listener| converse::typed(listener, JsonConverter::default())),
    ("converse-msgpack", |listener| converse::typed(listener, MessagePackConverter::default())),
    ("converse-cbor", |listener| converse::typed(listener, CborConverter::default())),
    ("hand-json", fastwebsockets::typed::<typed::Json>),
    ("hand-msgpack", fastwebsockets::typed::<typed::MessagePack>),
    ("hand-cbor", fastwebsockets::typed::<typed::Cbor>),
    ("converse-broadcast", converse::broadcast),
    ("tungstenite-broadcast", tungstenite::broadcast),
    ("axum-broadcast", axum::broadcast),
];

fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (name, core) = match arguments[..] {
        ["--list"] => {
            CONTENDERS.iter().for_each(|(name, _)| println!("{name}"));
            return Ok(());
        }
        [name] => (name, None),
        [name, "--core", core] => (name, Some(core.parse()?)),
        _ => fail("usage: server CONTENDER [--core N] | --list"),
    };
    let Some((_, serve)) = CONTENDERS.iter().find(|(contender, _)| *contender == name) else {
        fail(&format!("no contender is called {name}; see --list"));
    };
    core.map_or(Ok(()), system::pin_to)?;
    system::allow_all_descriptors()?;
    thread::spawn(system::exit_with_input);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        println!("{}", listener.local_addr()?);
        io::stdout().flush()?;
        serve(listener).await;
        Ok(())
    })
}

fn fail(message: &str) -> ! {
    eprintln!("{message}");
    process::exit(2);
}
