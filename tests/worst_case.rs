//! What one session, and what all connections of a server together, can be made to hold: counted by the allocator, over
//! TCP, with and without compression. Conversations have tests of their own for what one of them holds.
#![allow(clippy::unwrap_used)]

#[path = "support/compact.rs"]
mod compact;
#[path = "deflate/heap.rs"]
mod heap;
#[path = "support/hostile.rs"]
mod hostile;

use std::{future::pending, sync::Arc};

use compact::{HELLO, LONGEST, NIL, NONE, array_of, call, id, lasting_call, one};
use converse::{
    Server, Session,
    rpc::{Router, Status},
};
use futures::stream;
use heap::Heap;
use hostile::{Attack, Held, KIB, MIB, Packing, alone, frame};
use serde_json::Value;

#[global_allocator]
static HEAP: Heap = Heap::new();

/// What one connection may be made to hold above an idle one.
const MOST: usize = 8 * MIB;
/// What a connection holds without asking the server's memory.
const FLOOR: usize = 64 * KIB;

/// A handler that takes nothing.
async fn silent(session: Session) -> converse::Result<()> {
    pending::<()>().await;
    drop(session);
    Ok(())
}

async fn echo(mut session: Session) -> converse::Result<()> {
    while let Some(message) = session.receive().await? {
        session.send(message).await?;
    }
    Ok(())
}

/// A handler that sends as fast as it is let, once it was told to.
async fn pours(mut session: Session) -> converse::Result<()> {
    session.receive().await?;
    loop {
        session.send("x".repeat(LONGEST)).await?;
    }
}

#[derive(Clone, Copy)]
enum Handler {
    Silent,
    Echoes,
    Pours,
}

fn server(packing: Packing, handler: Handler) -> Server {
    let server = Server::new(packing.options());
    match handler {
        Handler::Silent => server.route("/", silent),
        Handler::Echoes => server.route("/", echo),
        Handler::Pours => server.route("/", pours),
    }
}

/// Attacks a session, with and without compression.
fn is_bounded(what: &str, handler: Handler, frames: impl Fn(Packing) -> Vec<Vec<u8>>) {
    let _alone = alone();
    let held = Packing::BOTH.map(|packing| {
        let frames = frames(packing).into_iter().map(Arc::new).collect();
        let attacks = vec![Attack { subprotocol: "", frames, reads: false }];
        let held = hostile::attack(&HEAP, server(packing, handler), packing, attacks);
        let Held { peak, kept, outcome } = held;
        println!("{what}, {packing:?}: {} KiB at the most, {} KiB kept, {outcome:?}", peak / KIB, kept / KIB);
        held
    });
    let peaks = held.map(|held| held.peak / KIB);
    assert!(held.iter().all(|held| held.peak <= MOST), "{what}: {peaks:?} KiB, plain and compressed");
}

#[test]
fn a_session_that_takes_nothing_with_messages_of_a_mebibyte() {
    is_bounded("long messages", Handler::Silent, |packing| {
        let long = packing.message(2, &vec![7; LONGEST]);
        vec![long; 8]
    });
}

#[test]
fn a_session_that_takes_nothing_with_many_small_messages() {
    is_bounded("small messages", Handler::Silent, |packing| {
        let small = packing.message(2, &[7; 1]).repeat(1000);
        vec![small; 100]
    });
}

#[test]
fn a_session_that_takes_nothing_with_a_message_in_many_fragments() {
    is_bounded("fragments", Handler::Silent, |_| {
        let mut bytes = frame(0x02, &[]);
        (0..32 * KIB).for_each(|_| bytes.extend(frame(0, &[7; 32])));
        vec![bytes]
    });
}

#[test]
fn a_session_with_a_message_that_lacks_a_byte() {
    is_bounded("a message that lacks a byte", Handler::Echoes, |packing| {
        let mut long = packing.message(2, &vec![7; LONGEST]);
        long.pop();
        vec![long]
    });
}

#[test]
fn a_session_that_echoes_to_a_peer_that_never_reads() {
    is_bounded("echoes that are not read", Handler::Echoes, |packing| {
        let long = packing.message(2, &vec![7; LONGEST]);
        vec![long; 24]
    });
}

#[test]
fn a_session_that_sends_all_the_time_to_a_peer_that_never_reads() {
    is_bounded("sent and not read", Handler::Pours, |packing| vec![packing.message(2, b"hello")]);
}

#[test]
fn pings_to_a_session_whose_peer_never_reads() {
    is_bounded("pings", Handler::Echoes, |_| {
        let pings = frame(0x89, &[7; 125]).repeat(1000);
        vec![pings; 100]
    });
}

/// Limits what a server's connections hold together.
fn limited(server: Server, bytes: usize) -> Server {
    server.memory(bytes)
}

async fn held<T>(what: T) -> Result<(), Status> {
    pending::<()>().await;
    drop(what);
    Ok(())
}

/// Attacks a server that may hold 8 MiB with 40 connections, each of which may hold half of that.
fn all_together(what: &str, subprotocol: &'static str, frames: impl Fn(Packing) -> Vec<Vec<u8>>) {
    const MEMORY: usize = 8 * MIB;
    const CONNECTIONS: usize = 40;
    let _alone = alone();
    let held = Packing::BOTH.map(|packing| {
        let frames: Vec<_> = frames(packing).into_iter().map(Arc::new).collect();
        let attacks = vec![Attack { subprotocol, frames, reads: false }; CONNECTIONS];
        let router = Router::new()
            .call("value", |_, (value,): (Value,)| held(value))
            .call("bytes", |_, (bytes,): (Vec<u8>,)| held(bytes))
            .call("large", |_, _: [(); 0]| async { Ok::<_, Status>("x".repeat(MIB / 2)) })
            .stream("flow", |_, _: [(); 0]| stream::repeat_with(|| Ok::<_, Status>("x".repeat(MIB / 2))));
        let server = match subprotocol {
            "" => Server::new(packing.options()).route("/", silent),
            _ => Server::new(packing.options()).rpc("/", router),
        };
        let held = hostile::attack(&HEAP, limited(server, MEMORY), packing, attacks);
        let Held { peak, kept, .. } = held;
        println!("{what}, {packing:?}: {} KiB at the most, {} KiB kept", peak / KIB, kept / KIB);
        held
    });
    // What the thread keeps for all, and what one decodes at a time, comes on top.
    let most = MEMORY + CONNECTIONS * FLOOR + MOST;
    let peaks = held.map(|held| held.peak / KIB);
    assert!(held.iter().all(|held| held.peak <= most), "{what}: {peaks:?} of {} KiB", most / KIB);
}

#[test]
fn connections_with_half_a_message_each() {
    all_together("40 halves of a message", "", |packing| {
        let mut long = packing.message(2, &vec![7; LONGEST]);
        long.pop();
        vec![long]
    });
}

#[test]
fn connections_with_messages_that_nobody_takes() {
    all_together("40 connections of long messages", "", |packing| {
        vec![packing.message(2, &vec![7; LONGEST]); 3]
    });
}

#[test]
fn connections_with_arguments_that_are_held() {
    all_together("40 connections of bytes", "converse.v1.msgpack", |packing| {
        let args = one(&array_of(1, LONGEST - 64));
        let calls = (0..4).map(|n| packing.message(2, &lasting_call(id(n), "bytes", &args)));
        [packing.message(2, HELLO)].into_iter().chain(calls).collect()
    });
}

#[test]
fn connections_with_values_that_are_held() {
    all_together("40 connections of values", "converse.v1.msgpack", |packing| {
        let args = one(&array_of(NIL, 64 * KIB));
        let calls = (0..8).map(|n| packing.message(2, &lasting_call(id(n), "value", &args)));
        let hello = [packing.message(2, HELLO), packing.message(2, &call(99, "none", NONE))];
        hello.into_iter().chain(calls).collect()
    });
}

#[test]
fn connections_whose_answers_and_items_are_not_read() {
    for method in ["large", "flow"] {
        all_together(&format!("40 connections of {method} answers"), "converse.v1.msgpack", |packing| {
            let calls: Vec<u8> = (0..32).flat_map(|n| call(id(n), method, NONE)).collect();
            vec![packing.message(2, HELLO), packing.message(2, &calls)]
        });
    }
}
