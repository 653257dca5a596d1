//! `calls`: calls and streams in memory, both ends in one thread, for callgrind. `calls PROTOCOL COUNT` makes so many calls
//! of `add(40, 2)`, 64 in flight; `calls PROTOCOL COUNT items` streams so many items to a reader. A protocol is `msgpack`,
//! `cbor`, `json` or `jsonrpc`. `benches/instructions` takes the difference of two counts, so that what happens once does
//! not count.

use std::{
    env,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use converse::{
    CborConverter, JsonConverter, MessagePackConverter,
    rpc::{self, Options, Peer, Protocol, Router, Status},
};
use converse_benches::Result;
use futures_util::stream;
use tokio::task::JoinSet;

/// Calls under way at a time.
const IN_FLIGHT: usize = 64;

fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (protocol, count, items) = match arguments[..] {
        [protocol, count] => (protocol, count, false),
        [protocol, count, "items"] => (protocol, count, true),
        _ => return Err("usage: calls msgpack|cbor|json|jsonrpc COUNT [items]".into()),
    };
    let (protocol, count) = (spoken(protocol)?, count.parse()?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    runtime.block_on(async move {
        let peer = rpc::duplex(router(protocol));
        if items { read(&peer, count).await } else { call(&peer, count).await }
    })
}

fn spoken(name: &str) -> Result<Protocol> {
    Ok(match name {
        "msgpack" => Protocol::converse(MessagePackConverter::default()),
        "cbor" => Protocol::converse(CborConverter::default()),
        "json" => Protocol::converse(JsonConverter::default()),
        "jsonrpc" => Protocol::json_rpc(),
        _ => return Err(format!("no protocol is called {name}").into()),
    })
}

fn router(protocol: Protocol) -> Router {
    Router::new()
        .options(Options::default().protocols([protocol]))
        .call("add", |_, (a, b): (i64, i64)| async move { Ok::<_, Status>(a + b) })
        .stream("count", |_, (to,): (u64,)| stream::iter((0..to).map(Ok::<_, Status>)))
}

/// Keeps calls under way until there were so many.
async fn call(peer: &Peer, count: u64) -> Result<()> {
    let begun = Arc::new(AtomicU64::new(0));
    let mut callers: JoinSet<Result<()>> = JoinSet::new();
    for _ in 0..IN_FLIGHT {
        let (peer, begun) = (peer.clone(), Arc::clone(&begun));
        callers.spawn(async move {
            while begun.fetch_add(1, Relaxed) < count {
                let sum: i64 = peer.call("add", (40, 2)).await?;
                if sum != 42 {
                    return Err(format!("40 and 2 are {sum}").into());
                }
            }
            Ok(())
        });
    }
    while let Some(ended) = callers.join_next().await {
        ended??;
    }
    Ok(())
}

/// Reads a stream of so many items.
async fn read(peer: &Peer, count: u64) -> Result<()> {
    let mut items = peer.open::<_, u64>("count", (count,)).await?;
    let mut read = 0;
    while let Some(item) = items.next().await {
        if item? != read {
            return Err(format!("item {read} is another").into());
        }
        read += 1;
    }
    if read == count { Ok(()) } else { Err(format!("{read} of {count} items came").into()) }
}
