//! What one connection of a conversation can be made to hold, with every limit at its default and each at its most:
//! counted by the allocator, over TCP, with and without compression.
#![allow(clippy::unwrap_used)]

#[path = "support/compact.rs"]
mod compact;
#[path = "deflate/heap.rs"]
mod heap;
#[path = "support/hostile.rs"]
mod hostile;

use std::{future::pending, sync::Arc};

use compact::{
    HELLO, LONGEST, NIL, NONE, UNKNOWN, array_of, call, call_with_headers, cancel, go_away, hello_with_token,
    id, item, lasting_call, many, number, one,
};
use converse::{
    Server,
    rpc::{Options, Protocol, Router, Status, Streaming},
};
use futures::stream;
use heap::Heap;
use hostile::{Attack, Held, MIB, Packing, alone};
use serde_json::Value;

#[global_allocator]
static HEAP: Heap = Heap::new();

/// What one connection may be made to hold above an idle one.
const MOST: usize = 8 * MIB;
/// Calls that a server takes at a time.
const CALLS: usize = 64;
/// Those of a mebibyte, which is slow to decode where nothing is optimised: then there are fewer, and still too many.
const LARGE: usize = if cfg!(debug_assertions) { 16 } else { CALLS };
/// How often each stream's items are sent: as far as credit goes when it counts items only would be 32 times.
const ROUNDS: usize = 4;
/// The bytes of a value that a call or an item can hold.
const VALUE: usize = LONGEST - 64;

const MESSAGE_PACK: &str = "converse.v1.msgpack";
const JSON_RPC: &str = "jsonrpc";

fn router() -> Router {
    let options = Options::default().without_subprotocol(Protocol::json_rpc());
    Router::new()
        .options(options)
        .call("add", |_, (a, b): (i64, i64)| async move { Ok::<_, Status>(a + b) })
        .call("value", |_, (value,): (Value,)| held(value))
        .call("bytes", |_, (bytes,): (Vec<u8>,)| held(bytes))
        .call("texts", |_, (texts,): (Vec<String>,)| held(texts))
        .call("never", |cx, _: [(); 0]| held(cx))
        .call("large", |_, _: [(); 0]| async move { Ok::<_, Status>("x".repeat(VALUE)) })
        .client_stream("take", |_, _: [(); 0], items: Streaming<Vec<u8>>| held(items))
        .client_stream("take.values", |_, _: [(); 0], items: Streaming<Value>| held(items))
        .stream("flow", |_, _: [(); 0]| stream::repeat_with(|| Ok::<_, Status>("x".repeat(VALUE))))
}

/// A handler that never ends.
async fn held<T>(what: T) -> Result<(), Status> {
    pending::<()>().await;
    drop(what);
    Ok(())
}

/// What a peer says in MessagePack.
fn said(messages: impl IntoIterator<Item = Vec<u8>>) -> Vec<Vec<u8>> {
    [HELLO.to_vec()].into_iter().chain(messages).collect()
}

fn calls(count: usize, method: &str, args: &[u8]) -> Vec<Vec<u8>> {
    said((0..count).map(|n| lasting_call(id(n), method, args)))
}

/// Opens streams of the caller, and sends these items on each of them in turn.
fn items(method: &str, value: &[u8], times: usize) -> Vec<Vec<u8>> {
    let opened = many(CALLS, |n| lasting_call(id(n), method, NONE));
    let sent = (0..times * LARGE).map(|n| item(id(n % CALLS), value));
    said([opened].into_iter().chain(sent))
}

fn batch(calls: &[String]) -> Vec<u8> {
    format!("[{}]", calls.join(",")).into_bytes()
}

fn zeros() -> Vec<Vec<u8>> {
    vec![batch(&vec!["0".to_owned(); 999]); 60]
}

/// Batches with answers that wait for one that never comes.
fn held_batches() -> Vec<Vec<u8>> {
    let request =
        |id: String, method: &str| format!(r#"{{"jsonrpc":"2.0","id":"{id}","method":"{method}"}}"#);
    (0..CALLS - 1)
        .map(|batch_of| {
            let large = (0..4).map(|n| request(format!("{batch_of}.{n}"), "large"));
            let calls: Vec<_> = [request(format!("{batch_of}"), "never")].into_iter().chain(large).collect();
            batch(&calls)
        })
        .collect()
}

/// All there is, one behind the other: what is held first, then what is answered, then half a message.
fn greedy() -> Vec<Vec<u8>> {
    let mut next = (0..).map(id);
    let mut some = |count: usize, frame: &dyn Fn(u32) -> Vec<u8>| -> Vec<Vec<u8>> {
        next.by_ref().take(count).map(frame).collect()
    };
    let mut messages = vec![hello_with_token(VALUE)];
    messages.extend(some(12, &|id| lasting_call(id, "value", &one(&array_of(NIL, VALUE)))));
    messages.extend(some(12, &|id| lasting_call(id, "bytes", &one(&array_of(1, VALUE)))));
    messages.extend(some(12, &|id| call_with_headers(id, "never", (64, VALUE / 64 - 16), NONE)));
    let opened = some(12, &|id| lasting_call(id, "take", NONE));
    messages.extend(opened);
    let streams: Vec<u32> = (36..48).map(id).collect();
    for _ in 0..ROUNDS {
        messages.extend(streams.iter().map(|id| item(*id, &array_of(1, VALUE))));
    }
    messages.extend(some(8, &|id| lasting_call(id, "flow", NONE)));
    messages.extend(some(8, &|id| lasting_call(id, "large", NONE)));
    messages.push(many(LONGEST / 2, |_| UNKNOWN.to_vec()));
    messages.push(go_away(VALUE));
    messages
}

/// Ends the name of what is played against handlers in tasks of their own.
const SPAWNED: &str = "handlers in tasks of their own";

/// Runs an attack with and without compression, and prints what was held.
fn measured(what: &str, subprotocol: &'static str, messages: Vec<Vec<u8>>, reads: bool) -> Vec<Held> {
    measured_with(what, subprotocol, &messages, reads, |frame| frame)
}

fn measured_with(
    what: &str,
    subprotocol: &'static str,
    messages: &[Vec<u8>],
    reads: bool,
    last: impl Fn(Vec<u8>) -> Vec<u8>,
) -> Vec<Held> {
    attacked(what, subprotocol, messages, (1, reads), last)
}

/// Lets so many connections say the same.
fn attacked(
    what: &str,
    subprotocol: &'static str,
    messages: &[Vec<u8>],
    (connections, reads): (usize, bool),
    last: impl Fn(Vec<u8>) -> Vec<u8>,
) -> Vec<Held> {
    let _alone = alone();
    let opcode = if subprotocol == JSON_RPC { 1 } else { 2 };
    Packing::BOTH
        .into_iter()
        .map(|packing| {
            let mut frames: Vec<_> = messages.iter().map(|message| packing.message(opcode, message)).collect();
            let end = frames.pop().unwrap();
            frames.push(last(end));
            let wire: usize = frames.iter().map(Vec::len).sum();
            let frames: Vec<_> = frames.into_iter().map(Arc::new).collect();
            let sendable = frames.len();
            let router = if what.ends_with(SPAWNED) { router().spawned() } else { router() };
            let server = Server::new(packing.options()).rpc("/", router);
            let attacks = vec![Attack { subprotocol, frames, reads }; connections];
            let held = hostile::attack(&HEAP, server, packing, attacks);
            println!(
                "{what}, {packing:?}: {} KiB at the most, {} KiB kept; {} of {sendable} frames ({} KiB) sent, {:?}",
                held.peak / 1024,
                held.kept / 1024,
                held.outcome.sent,
                wire / 1024,
                held.outcome.closed,
            );
            held
        })
        .collect()
}

#[track_caller]
fn is_bounded(held: &[Held]) {
    let peaks: Vec<_> = held.iter().map(|held| held.peak / 1024).collect();
    assert!(held.iter().all(|held| held.peak <= MOST), "{peaks:?} KiB at the most, plain and compressed");
}

#[test]
fn calls_with_a_mebibyte_of_nil() {
    is_bounded(&measured(
        "calls with 1 MiB of nil",
        MESSAGE_PACK,
        calls(LARGE, "value", &one(&array_of(NIL, VALUE))),
        false,
    ));
}

#[test]
fn calls_with_a_mebibyte_of_maps_of_one_entry() {
    let maps = one(&array_of_pieces(&[0x81, 0xa0, NIL]));
    // Each of them is a quarter of a gibibyte where nothing stops it.
    let calls = (0..4).map(|n| lasting_call(id(n), "value", &maps));
    is_bounded(&measured("4 × 1 MiB of maps", MESSAGE_PACK, said(calls), false));
}

#[test]
fn calls_with_a_mebibyte_of_arrays_of_one_element() {
    let arrays = one(&array_of_pieces(&[0x91, NIL]));
    let calls = (0..4).map(|n| lasting_call(id(n), "value", &arrays));
    is_bounded(&measured("4 × 1 MiB of arrays", MESSAGE_PACK, said(calls), false));
}

#[test]
fn calls_with_a_mebibyte_of_bytes() {
    is_bounded(&measured(
        "calls with 1 MiB of bytes",
        MESSAGE_PACK,
        calls(LARGE, "bytes", &one(&array_of(1, VALUE))),
        false,
    ));
}

#[test]
fn calls_with_a_mebibyte_of_empty_texts() {
    let texts = one(&array_of(0xa0, VALUE));
    is_bounded(&measured(
        "calls with 1 MiB of empty texts",
        MESSAGE_PACK,
        calls(LARGE, "texts", &texts),
        false,
    ));
}

#[test]
fn calls_with_a_mebibyte_of_headers() {
    let headers = (64, VALUE / 64 - 16);
    let calls = (0..LARGE).map(|n| call_with_headers(id(n), "never", headers, NONE));
    is_bounded(&measured("calls with 1 MiB of headers", MESSAGE_PACK, said(calls), false));
}

#[test]
fn streams_of_the_caller_with_items_of_a_mebibyte() {
    let items = items("take", &array_of(1, VALUE), ROUNDS);
    is_bounded(&measured("64 streams, 1 MiB items", MESSAGE_PACK, items, false));
}

#[test]
fn streams_of_the_caller_with_items_of_nil() {
    let items = items("take.values", &array_of(NIL, 32 * 1024), 2 * ROUNDS);
    is_bounded(&measured("64 streams, items of 32 KiB of nil", MESSAGE_PACK, items, false));
}

#[test]
fn streams_of_the_caller_with_many_small_items() {
    let opened = many(CALLS, |n| lasting_call(id(n), "take.values", NONE));
    let sent = (0..8).map(|_| many(90_000, |n| item(id(n % CALLS), &array_of(NIL, 2))));
    let sent = said([opened].into_iter().chain(sent));
    is_bounded(&measured("64 streams of small items", MESSAGE_PACK, sent, false));
}

#[test]
fn streams_to_the_caller_with_items_of_a_mebibyte_that_are_not_read() {
    is_bounded(&measured(
        "64 streams to a peer that never reads",
        MESSAGE_PACK,
        calls(CALLS, "flow", NONE),
        false,
    ));
}

#[test]
fn answers_of_a_mebibyte_that_are_not_read() {
    is_bounded(&measured("64 answers that are not read", MESSAGE_PACK, calls(CALLS, "large", NONE), false));
}

#[test]
fn answers_of_spawned_handlers_that_are_not_read() {
    let what = format!("64 answers that are not read, {SPAWNED}");
    is_bounded(&measured(&what, MESSAGE_PACK, calls(CALLS, "large", NONE), false));
}

#[test]
fn a_message_that_lacks_one_byte() {
    let messages = said([call(1, "bytes", &one(&array_of(1, VALUE)))]);
    let held = measured_with("a message that lacks a byte", MESSAGE_PACK, &messages, false, |mut frame| {
        frame.pop();
        frame
    });
    is_bounded(&held);
}

#[test]
fn a_token_and_a_goaway_of_a_mebibyte() {
    let messages = vec![hello_with_token(VALUE), go_away(VALUE)];
    let held = measured("a token and a goaway", MESSAGE_PACK, messages, false);
    is_bounded(&held);
    // Neither is anything that a server needs a mebibyte for.
    let kept: Vec<_> = held.iter().map(|held| held.kept / 1024).collect();
    println!("a token and a goaway: {kept:?} KiB kept");
}

#[test]
fn unknown_frames_whose_answers_are_not_read() {
    let messages = said([many(LONGEST / 2, |_| UNKNOWN.to_vec())]);
    is_bounded(&measured("524,288 unknown frames", MESSAGE_PACK, messages, false));
}

#[test]
fn refusals_that_are_not_read() {
    let full = many(CALLS, |n| lasting_call(id(n), "never", NONE));
    let over = (0..8).map(|_| many(70_000, |n| call(id(CALLS + n), "never", NONE)));
    let messages = said([full].into_iter().chain(over));
    is_bounded(&measured("refusals", MESSAGE_PACK, messages, false));
}

#[test]
fn calls_that_are_cancelled_and_not_read() {
    let cancelled = (0..8).map(|_| many(40_000, |n| [call(id(n), "never", NONE), cancel(id(n))].concat()));
    is_bounded(&measured("cancelled calls", MESSAGE_PACK, said(cancelled), false));
}

#[test]
fn unfit_arguments_that_are_not_read() {
    let unfit = (0..8).map(|_| many(70_000, |n| call(id(n), "add", &one(&number(1)))));
    is_bounded(&measured("unfit arguments", MESSAGE_PACK, said(unfit), false));
}

#[test]
fn batches_of_zeros_to_a_peer_that_reads_all_the_time_close_nothing() {
    let held = measured("60 batches of 999 zeros, read", JSON_RPC, zeros(), true);
    for held in &held {
        assert_eq!((held.outcome.closed, held.outcome.sent), (None, 60));
    }
    is_bounded(&held);
}

#[test]
fn batches_of_zeros_to_a_peer_that_never_reads() {
    is_bounded(&measured("60 batches of 999 zeros, unread", JSON_RPC, zeros(), false));
}

#[test]
fn replies_of_batches_that_wait_for_one_of_them() {
    is_bounded(&measured("replies that wait for others", JSON_RPC, held_batches(), false));
}

#[test]
fn all_of_it_at_once() {
    let held = measured_with("all at once", MESSAGE_PACK, &greedy(), false, |mut frame| {
        frame.pop();
        frame
    });
    is_bounded(&held);
}

#[test]
fn arguments_answers_items_and_half_a_message_at_once() {
    // What is to be sent comes last, where what is received has left the thread its spare buffers.
    let arguments = calls(4, "bytes", &one(&array_of(1, VALUE)));
    let unread = (4..12).map(|n| lasting_call(id(n), "flow", NONE));
    let answers = (12..32).map(|n| lasting_call(id(n), "large", NONE));
    let half = many(LONGEST / 2, |_| UNKNOWN.to_vec());
    let messages: Vec<_> = arguments.into_iter().chain(unread).chain(answers).chain([half]).collect();
    let half = |mut frame: Vec<u8>| {
        frame.pop();
        frame
    };
    let one = measured_with("arguments, answers, items", MESSAGE_PACK, &messages, false, half);
    let both = attacked("the same by two", MESSAGE_PACK, &messages, (2, false), half);
    // The spare buffers are the thread's, once for all connections.
    assert!(one.iter().all(|held| held.peak <= MOST + 2 * MIB), "{one:?}");
    for (one, both) in one.iter().zip(both) {
        let second = both.peak.saturating_sub(one.peak);
        assert!(second <= MOST, "the second connection adds {} KiB", second / 1024);
    }
}

/// An array of a mebibyte that is one piece again and again.
fn array_of_pieces(piece: &[u8]) -> Vec<u8> {
    let count = (VALUE - 8) / piece.len();
    let mut array = array_of(0, 0);
    array[1..].copy_from_slice(&(count as u32).to_be_bytes());
    array.extend(piece.iter().cycle().take(count * piece.len()));
    array
}
