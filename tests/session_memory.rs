//! What the connections of a server hold together: counted by the allocator, over TCP. A binary of its own, because of
//! that allocator. How one session waits for memory is in src/session/tests.rs.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod deflate;
mod wire;

use std::{
    future::Future,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use converse::{Client, Message, PerMessageDeflate, Server, Session, SessionOptions, session::BoxError};
use converse_zlib_oracle::Deflater;
use deflate::{RSV1, heap::Heap};
use tokio::{io::AsyncWriteExt, net::TcpStream, time::sleep};
use wire::{BINARY, FIN, HEAD, Running, Wire, echo, in_time, start};

#[global_allocator]
static HEAP: Heap = Heap::new();

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;
/// What each connection may hold, whatever the others do.
const FLOOR: usize = 64 * KIB;
/// What a connection has beside: its session and its task, what was read and carried.
const CONNECTION: usize = 16 * KIB;
/// A state of zlib while a compressed message is under way. It is counted, and not refused.
const STATE: usize = 48 * KIB;
const HOARDERS: usize = 100;

/// Runs one test at a time, because all count one heap.
fn alone(test: impl Future<Output = ()>) {
    static ONE: Mutex<()> = Mutex::new(());
    let _alone = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test);
}

/// Waits until something is so.
async fn until(what: impl Fn() -> bool) {
    let began = Instant::now();
    while !what() {
        assert!(began.elapsed() < Duration::from_secs(30), "still not so after 30 s");
        sleep(Duration::from_millis(5)).await;
    }
}

/// Waits until a number has not changed for a while, and returns it.
async fn rested(number: impl Fn() -> usize) -> usize {
    let (mut last, mut same) = (number(), 0);
    while same < 20 {
        sleep(Duration::from_millis(10)).await;
        let now = number();
        same = if now == last { same + 1 } else { 0 };
        last = now;
    }
    last
}

/// Opens a connection by hand.
async fn dial(server: &Running, offer: Option<&str>) -> Wire {
    let mut wire = Wire::connect(server.address).await;
    let offer = offer.map(|offer| format!("Sec-WebSocket-Extensions: {offer}\r\n")).unwrap_or_default();
    wire.send(format!("{HEAD}{offer}\r\n").as_bytes()).await;
    wire.head().await;
    wire
}

/// Writes what is taken at once, and no more.
async fn push(io: &mut TcpStream, bytes: &[u8]) {
    drop(tokio::time::timeout(Duration::from_millis(20), io.write_all(bytes)).await);
}

/// All of a message of a mebibyte but its last byte.
fn begun() -> Vec<u8> {
    let mut bytes = wire::frame(FIN | BINARY, &vec![7; MIB], true);
    bytes.pop();
    bytes
}

/// The same, compressed to about a kibibyte: its frame lacks a byte.
fn begun_compressed() -> Vec<u8> {
    let payload = Deflater::new(9, 15).message(&vec![0; MIB]);
    let mut bytes = wire::frame(FIN | RSV1 | BINARY, &payload, true);
    bytes.pop();
    bytes
}

async fn echoed(session: &mut Session, len: usize) {
    let message = Message::binary(vec![5; len]);
    session.send(message.clone()).await.unwrap();
    assert_eq!(in_time(session.receive()).await.unwrap(), Some(message));
}

fn options() -> SessionOptions {
    SessionOptions::default().message_timeout(None)
}

/// Long enough for all that is seen while they hoard.
fn hoarding() -> SessionOptions {
    let time = Duration::from_secs(10);
    options().message_timeout(time).max_message_time(time)
}

#[test]
fn a_message_that_lacks_a_byte_is_held_until_its_time_is_over() {
    alone(async {
        let options = options().message_timeout(Duration::from_secs(2));
        let server = start(Server::new(options).route("/", echo)).await;
        let mut peer = dial(&server, None).await;
        let bytes = begun();
        let mark = HEAP.mark();
        peer.send(&bytes).await;
        until(|| server.handle.memory() == MIB - FLOOR).await;
        let peak = HEAP.peak_over(mark);
        assert!((MIB..MIB + FLOOR).contains(&peak), "{peak}");
        let told = in_time(peer.frames()).await;
        assert_eq!(told[0].close_code(), Some(1008));
        until(|| server.handle.memory() == 0).await;
    });
}

#[test]
fn a_state_of_zlib_counts_while_its_message_is_under_way() {
    alone(async {
        let options = options().extension(PerMessageDeflate::new());
        let server = start(Server::new(options).route("/", echo)).await;
        let mut peer = dial(&server, Some("permessage-deflate")).await;
        let payload = Deflater::new(9, 15).message(&vec![0; 48 * KIB]);
        let mut bytes = wire::frame(FIN | RSV1 | BINARY, &payload, true);
        let last = bytes.pop().unwrap();
        peer.send(&bytes).await;
        // What has been unpacked is below the floor; with the state it is above.
        until(|| server.handle.memory() > 20 * KIB).await;
        assert!(rested(|| server.handle.memory()).await < 64 * KIB);
        peer.send(&[last]).await;
        until(|| server.handle.memory() == 0).await;
    });
}

/// Lets many peers begin a message and not end it; sees what that comes to, and that others are served meanwhile.
async fn hoarded(server: Server, offer: Option<&str>, bytes: Vec<u8>) {
    let limit = 8 * MIB;
    let server = start(server.memory(limit).route("/", echo)).await;
    let url = format!("ws://{}/", server.address);
    let client = Client::new(options());
    let mut honest = client.connect(&url).await.unwrap();
    echoed(&mut honest, 100).await;

    let mut peers = Vec::new();
    for _ in 0..HOARDERS {
        peers.push(dial(&server, offer).await);
    }
    let mark = HEAP.mark();
    for peer in &mut peers {
        push(&mut peer.io, &bytes).await;
    }
    let held = rested(|| server.handle.memory()).await;
    let peak = HEAP.peak_over(mark);
    println!("{offer:?}: {held} bytes held, {peak} at the peak");
    // Bytes that were read before the room ended are carried, whatever that comes to.
    let state = if offer.is_some() { STATE } else { 0 };
    assert!((limit - MIB..limit + HOARDERS * (KIB + state)).contains(&held), "{held}");
    let most = limit + HOARDERS * (FLOOR + CONNECTION + state);
    assert!(peak <= most, "{peak} of {most}");

    for len in [0, 100, 10 * KIB, 40 * KIB] {
        echoed(&mut honest, len).await;
    }
    let mut newcomer = client.connect(&url).await.unwrap();
    for len in [1000, 40 * KIB] {
        echoed(&mut newcomer, len).await;
    }
    // Those who are not read are not heard to leave before the time of their message is over.
    drop(peers);
    until(|| server.handle.memory() == 0).await;
    echoed(&mut newcomer, MIB).await;
    echoed(&mut honest, MIB).await;
    drop((newcomer, honest));
    until(|| server.handle.sessions() == 0).await;
    assert_eq!(server.handle.memory(), 0);
}

#[test]
fn those_who_hoard_take_neither_the_process_nor_the_others() {
    alone(hoarded(Server::new(hoarding()), None, begun()));
}

#[test]
fn those_who_hoard_compressed_take_neither_the_process_nor_the_others() {
    let options = hoarding().extension(PerMessageDeflate::new());
    alone(hoarded(Server::new(options), Some("permessage-deflate"), begun_compressed()));
}

#[test]
fn memory_is_given_back_however_sessions_end() {
    alone(async {
        let options = options().receive_queue(4 * MIB);
        let server = Server::new(options)
            .route("/deaf", |session: Session| async move {
                session.closed().await;
                Ok::<(), BoxError>(())
            })
            .route("/fails", |mut session: Session| async move {
                session.receive().await?;
                Err::<(), BoxError>("failed".into())
            })
            .route("/panics", |mut session: Session| async move {
                assert_eq!(session.receive().await?, None, "a handler that panics");
                Ok::<(), BoxError>(())
            });
        let server = start(server).await;
        for path in ["deaf", "fails", "panics"] {
            let url = format!("ws://{}/{path}", server.address);
            for reset in [true, false] {
                let client = Client::new(SessionOptions::default());
                let session = client.connect(&url).await.unwrap();
                for _ in 0..3 {
                    // The other end may be gone already.
                    drop(session.send(vec![1; 500 * KIB]).await);
                }
                if path == "deaf" {
                    until(|| server.handle.memory() > MIB).await;
                }
                if reset {
                    drop(session);
                } else {
                    session.close(converse::CloseReason::NORMAL).await;
                }
                until(|| server.handle.sessions() == 0 && server.handle.memory() == 0).await;
            }
        }
    });
}

#[test]
fn a_client_shares_its_memory_with_its_clones() {
    alone(async {
        let server = Server::new(options()).route("/", |session: Session| async move {
            session.send(vec![1; 200 * KIB]).await?;
            session.closed().await;
            Ok::<(), BoxError>(())
        });
        let server = start(server).await;
        let url = format!("ws://{}/", server.address);
        // Three messages of 136 KiB above the floor, and four times as much that is kept for others.
        let client = Client::new(options()).memory(MIB);
        let mut unread = Vec::new();
        for _ in 0..3 {
            unread.push(client.clone().connect(&url).await.unwrap());
            sleep(Duration::from_millis(200)).await;
        }
        let mut last = client.connect(&url).await.unwrap();
        assert!(tokio::time::timeout(Duration::from_millis(500), last.receive()).await.is_err());
        unread.pop();
        assert_eq!(in_time(last.receive()).await.unwrap(), Some(Message::binary(vec![1; 200 * KIB])));
        for mut session in unread {
            assert_eq!(in_time(session.receive()).await.unwrap(), Some(Message::binary(vec![1; 200 * KIB])));
        }
    });
}
