//! Sessions that share a pool: what waits for memory, for how long, and that nothing of it is lost.
#![allow(clippy::unwrap_used)]

use std::{sync::Arc, time::Duration};

use converse_core::Message;
use proptest::prelude::*;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
    time::{Instant, sleep, timeout},
};

use crate::{
    engine::CloseCause,
    extension::ExtensionStack,
    frame::Role,
    session::{
        Session, SessionError, SessionOptions, Setup,
        link::LOCKS,
        memory::{FLOOR, Pool},
        transport::Foreign,
    },
};

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;
const BINARY: u8 = 0x82;

/// A pool of which the connections under test get nothing.
fn empty() -> Arc<Pool> {
    let pool = Pool::new(64 * MIB);
    pool.take_anyway(64 * MIB);
    pool
}

fn setup(role: Role, pool: Option<&Arc<Pool>>, options: &SessionOptions) -> Setup {
    Setup { pool: pool.map(Arc::clone), ..Setup::bare(role, options) }
}

/// A server's session, and the bytes of its client.
fn open(pool: &Arc<Pool>, options: &SessionOptions) -> (Session, DuplexStream) {
    let (here, there) = duplex(64 * KIB);
    (setup(Role::Server, Some(pool), options).spawn(Foreign(here)), there)
}

/// A server's and a client's session, with the extensions of both; the client's memory is its own.
fn pair(buffer: usize, pool: &Arc<Pool>, options: &SessionOptions) -> (Session, Session) {
    let (here, there) = duplex(buffer);
    let mut server = setup(Role::Server, Some(pool), options);
    let mut client = setup(Role::Client, None, options);
    let offers: Vec<_> = options.extensions.iter().flat_map(|extension| extension.offers()).collect();
    let (answers, stack) = ExtensionStack::accept(&options.extensions, &offers);
    server.stack = stack;
    client.stack = ExtensionStack::confirm(&options.extensions, &answers).unwrap();
    (server.spawn(Foreign(here)), client.spawn(Foreign(there)))
}

fn quiet() -> SessionOptions {
    let never = Duration::from_secs(1_000_000);
    SessionOptions::default().ping_interval(None).message_timeout(None).write_timeout(never)
}

#[cfg(feature = "deflate")]
fn compressed() -> SessionOptions {
    quiet().extension(crate::extension::PerMessageDeflate::new().threshold(0))
}

#[cfg(not(feature = "deflate"))]
fn compressed() -> SessionOptions {
    quiet()
}

/// A client's frame, with the key 0.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload.len() {
        len @ 0..126 => bytes.push(0x80 | len as u8),
        len @ 126..=0xffff => {
            bytes.push(0xfe);
            bytes.extend((len as u16).to_be_bytes());
        }
        len => {
            bytes.push(0xff);
            bytes.extend((len as u64).to_be_bytes());
        }
    }
    bytes.extend([0; 4]);
    bytes.extend(payload);
    bytes
}

/// Sends bytes in a task of its own.
fn send(mut io: DuplexStream, bytes: Vec<u8>) -> tokio::task::JoinHandle<DuplexStream> {
    tokio::spawn(async move {
        // The other end may be gone before all has left.
        drop(io.write_all(&bytes).await);
        io
    })
}

async fn received(session: &mut Session) -> Vec<u8> {
    session.receive().await.unwrap().unwrap().into_bytes().to_vec()
}

#[tokio::test(start_paused = true)]
async fn a_message_that_finds_no_memory_waits_for_it() {
    let pool = empty();
    let (mut session, io) = open(&pool, &quiet());
    let payload: Vec<u8> = (0..300 * KIB).map(|index| index as u8).collect();
    let sending = send(io, frame(BINARY, &payload));
    assert!(timeout(Duration::from_secs(3600), session.receive()).await.is_err());
    let held = session.sender.account().held();
    assert!((FLOOR / 2..=FLOOR).contains(&held), "{held}");
    assert_eq!(pool.used(), 64 * MIB);
    assert!(!sending.is_finished());

    let began = Instant::now();
    pool.give_back(64 * MIB);
    assert_eq!(received(&mut session).await, payload);
    assert!(began.elapsed() <= Duration::from_millis(641), "{:?}", began.elapsed());
    assert_eq!((session.sender.account().held(), pool.used()), (0, 0));
    drop(sending.await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn small_messages_pass_while_there_is_no_memory() {
    for options in [quiet(), compressed()] {
        let pool = empty();
        let (mut session, client) = pair(64 * KIB, &pool, &options);
        let began = Instant::now();
        for len in [0, 1, 100, 3 * KIB, 40 * KIB] {
            let payload: Vec<u8> = (0..len).map(|index| (index * index / 7) as u8).collect();
            client.send(payload.clone()).await.unwrap();
            assert_eq!(received(&mut session).await, payload);
        }
        assert_eq!((began.elapsed(), pool.used()), (Duration::ZERO, 64 * MIB));
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_that_is_taken_makes_room_at_once() {
    let pool = empty();
    let options = quiet().receive_queue(MIB);
    let (mut session, io) = open(&pool, &options);
    let bytes = (0..20_u8).flat_map(|index| frame(BINARY, &vec![index; 20 * KIB])).collect();
    let sending = send(io, bytes);
    sleep(Duration::from_secs(60)).await;
    let held = session.sender.account().held();
    assert!((FLOOR / 2..=FLOOR).contains(&held), "{held}");
    let began = Instant::now();
    for index in 0..20 {
        assert_eq!(received(&mut session).await, vec![index; 20 * KIB]);
    }
    assert_eq!((began.elapsed(), pool.used()), (Duration::ZERO, 64 * MIB));
    drop(sending.await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_is_not_read_is_not_held_to_be_silent() {
    let pool = empty();
    let second = Duration::from_secs(1);
    let (mut session, io) = open(&pool, &quiet().ping_interval(second).timeout(second));
    let sending = send(io, frame(BINARY, &vec![7; 200 * KIB]));
    assert!(timeout(600 * second, session.receive()).await.is_err());
    pool.give_back(64 * MIB);
    assert_eq!(received(&mut session).await.len(), 200 * KIB);
    // From now on silence counts again.
    let io = sending.await.unwrap();
    match session.receive().await.unwrap_err() {
        SessionError::Closed(closed) => assert_eq!(closed.cause, CloseCause::PingTimeout),
        other => panic!("{other:?}"),
    }
    drop(io);
}

#[tokio::test(start_paused = true)]
async fn the_time_of_a_message_goes_on_while_nothing_is_read() {
    let pool = empty();
    let thirty = Duration::from_secs(30);
    let (mut session, io) = open(&pool, &SessionOptions::default().message_timeout(thirty));
    let account = Arc::clone(session.sender.account());
    let began = Instant::now();
    let sending = send(io, frame(BINARY, &vec![7; 200 * KIB]));
    match session.receive().await.unwrap_err() {
        SessionError::Closed(closed) => assert_eq!(closed.sent.as_ref().unwrap().code().get(), 1008),
        other => panic!("{other:?}"),
    }
    assert_eq!(began.elapsed().as_secs(), 30);
    assert_eq!((account.held(), pool.used()), (0, 64 * MIB));
    drop(sending.await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn compressed_messages_grow_no_further_than_there_is_memory() {
    for buffer in [1, 100, 64 * KIB] {
        let pool = empty();
        let (mut session, client) = pair(buffer, &pool, &compressed().max_message_size(2 * MIB));
        client.send(vec![0; 2 * MIB]).await.unwrap();
        assert!(timeout(Duration::from_secs(3600), session.receive()).await.is_err());
        let held = session.sender.account().held();
        // What was read before the room ended is carried. The state of zlib is counted beside.
        assert!((FLOOR / 2..=FLOOR + (8 + 47) * KIB).contains(&held), "{buffer}: {held}");
        pool.give_back(64 * MIB);
        assert_eq!(received(&mut session).await, vec![0; 2 * MIB]);
        assert_eq!((session.sender.account().held(), pool.used()), (0, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_lent_counts_as_received() {
    let pool = Pool::new(MIB);
    let (mut session, io) = open(&pool, &quiet());
    let sender = session.sender();
    sender.lend(100 * KIB);
    assert_eq!((sender.account().held(), pool.used()), (100 * KIB, 100 * KIB - FLOOR));
    let sending = send(io, frame(BINARY, b"later"));
    let minute = Duration::from_secs(60);
    assert!(timeout(minute, session.receive()).await.is_err(), "an inbox of which so much is lent is full");
    let began = Instant::now();
    sender.lend(0);
    assert_eq!(received(&mut session).await, b"later");
    assert_eq!((began.elapsed(), sender.account().held(), pool.used()), (Duration::ZERO, 0, 0));
    drop(sending.await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn what_nobody_will_receive_is_given_back_with_the_session() {
    let pool = Pool::new(64 * MIB);
    for end_first in [true, false] {
        let (session, io) = open(&pool, &quiet().receive_queue(MIB));
        let sender = session.sender();
        let io = send(io, frame(BINARY, &vec![7; 500 * KIB])).await.unwrap();
        sleep(Duration::from_secs(1)).await;
        assert_eq!((sender.account().held(), pool.used()), (500 * KIB, 500 * KIB - FLOOR));
        if end_first {
            drop(io);
            sender.closed().await;
            drop(session);
        } else {
            drop(session);
            drop(io);
            sender.closed().await;
        }
        assert_eq!((sender.account().held(), pool.used()), (0, 0), "a sender is left");
    }
}

#[tokio::test(start_paused = true)]
async fn the_limit_of_charges_follows_that_of_messages() {
    let (session, _io) = open(&Pool::new(MIB), &quiet());
    assert_eq!(session.sender.account().limit(), 4 * MIB);
    session.set_max_message_size(1000);
    assert_eq!(session.sender.account().limit(), 4000);
    let (session, _io) = open(&Pool::new(MIB), &quiet().memory(10));
    session.set_max_message_size(1000);
    assert_eq!(session.sender.account().limit(), 10);
}

/// Sends messages of these sizes over each connection, and sees that they arrive; returns the most that was used.
async fn exchange(pool: &Arc<Pool>, options: &SessionOptions, buffer: usize, sizes: &[Vec<usize>]) -> usize {
    let mut ends = Vec::new();
    let mut most = 0;
    for sizes in sizes {
        let (mut session, client) = pair(buffer, pool, options);
        let messages: Vec<Vec<u8>> = sizes
            .iter()
            .enumerate()
            .map(|(index, size)| (0..*size).map(|at| (at / 3 + index) as u8).collect())
            .collect();
        let expected = messages.clone();
        ends.push(tokio::spawn(async move {
            for message in messages {
                client.send(Message::from(message)).await.unwrap();
            }
            client.closed().await;
        }));
        ends.push(tokio::spawn(async move {
            for (index, expected) in expected.into_iter().enumerate() {
                if index % 3 == 0 {
                    sleep(Duration::from_millis(index as u64)).await;
                }
                assert!(received(&mut session).await == expected, "message {index}");
            }
        }));
    }
    while ends.iter().any(|end| !end.is_finished()) {
        most = most.max(pool.used());
        sleep(Duration::from_millis(1)).await;
    }
    for end in ends {
        end.await.unwrap();
    }
    most
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn messages_arrive_whole_and_in_order_however_tight_memory_is(
        sizes in prop::collection::vec(prop::collection::vec(0..50 * KIB, 0..20), 1..4),
        limit in prop_oneof![Just(0), 0..400 * KIB],
        buffer in prop_oneof![Just(997_usize), 1..200 * KIB],
        queue in 1..200 * KIB,
        fragment in prop_oneof![Just(usize::MAX), 1000..100 * KIB],
        compresses in any::<bool>(),
    ) {
        let options = if compresses { compressed() } else { quiet() };
        let options = options.receive_queue(queue).fragment_size(fragment);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
        let pool = Pool::new(limit);
        let most = runtime.unwrap().block_on(async {
            let exchange = exchange(&pool, &options, buffer, &sizes);
            timeout(Duration::from_secs(36_000), exchange).await
        });
        let most = most.map_err(|_| TestCaseError::fail("still nothing after ten hours"))?;
        prop_assert!(most <= limit + sizes.len() * FLOOR, "{most} of {limit}");
        prop_assert_eq!(pool.used(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_burst_of_echoes_takes_one_lock() {
    const BURSTS: usize = 100;
    for (burst, by_value) in [(1, false), (16, false), (16, true), (63, false)] {
        let (here, mut there) = duplex(64 * KIB);
        let echo = move |mut session: Session| async move {
            while by_value && let Some(value) = session.receive_deserialized::<String>().await? {
                session.send_serialized(&value).await?;
            }
            while let Some(message) = session.receive().await? {
                session.send(message).await?;
            }
            Ok::<(), SessionError>(())
        };
        tokio::spawn(async move { Session::run_over(here, Role::Server, &quiet(), echo).await });
        let bytes = frame(0x81, br#""hello""#).repeat(burst);
        let mut echoes = vec![0; 9 * burst];
        let mut locks = 0;
        for round in 0..BURSTS + 10 {
            if round == 10 {
                locks = LOCKS.get();
            }
            there.write_all(&bytes).await.unwrap();
            there.read_exact(&mut echoes).await.unwrap();
        }
        let locks = LOCKS.get() - locks;
        assert!(locks <= BURSTS + 10, "{locks} locks for {BURSTS} bursts of {burst}, values: {by_value}");
    }
}
