//! The park and wake protocol between a driver and other threads: seeded stress with a fixed number of rounds,
//! each of which ends only if no wake is lost. Knows no policy.
#![allow(clippy::unwrap_used)]

mod support;

use std::{
    future::Future,
    time::{Duration, Instant},
};

use converse::{CloseReason, Message, Sender, Session, SessionOptions, frame::Role};
use futures::FutureExt;
use rand::{RngExt, SeedableRng, rngs::SmallRng};
use support::{Peer, TEXT, frame_bytes, pair};
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

/// Far beyond what a run takes: who is still waiting then was not woken.
const HANG: Duration = Duration::from_secs(20);

fn quiet() -> SessionOptions {
    // No timer may come to the rescue.
    SessionOptions::default().ping_interval(None).write_timeout(HANG * 10).close_timeout(HANG * 10)
}

async fn awake<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(HANG, future).await.unwrap()
}

/// Passes some time without giving the thread up.
fn dawdle(random: &mut SmallRng) {
    for _ in 0..random.random_range(0..400) {
        std::hint::spin_loop();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_driver_whose_inbox_was_just_full_reads_on() {
    // Each burst fills the inbox to the last place and leaves nothing over, so that the driver parks
    // without a look at the transport, while the receiver takes the first message on another thread.
    const BURST: usize = 64;
    let (here, there) = duplex(64 * 1024);
    let mut session = Session::over(here, Role::Client, &quiet());
    let mut peer = Peer::server(there);
    let burst = frame_bytes(TEXT, b"x", false).repeat(BURST);
    let run = tokio::task::spawn_blocking(move || {
        let mut random = SmallRng::seed_from_u64(1);
        for round in 0..1_500 {
            peer.io.write_all(&burst).now_or_never().unwrap().unwrap();
            let began = Instant::now();
            for index in 0..BURST {
                // Asks all the time instead of being woken, so as to come as early as can be.
                while session.receive().now_or_never().is_none_or(|heard| heard.unwrap().is_none()) {
                    assert!(began.elapsed() < HANG / 2, "round {round}");
                    dawdle(&mut random);
                }
                if index == 0 {
                    dawdle(&mut random);
                }
            }
        }
    });
    awake(run).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_sent_while_the_driver_parks_leaves() {
    let (session, mut peer) = {
        let (here, there) = duplex(64 * 1024);
        (Session::over(here, Role::Server, &quiet()), Peer::client(there))
    };
    let run = tokio::spawn(async move {
        let mut random = SmallRng::seed_from_u64(2);
        for round in 0..20_000_u32 {
            dawdle(&mut random);
            session.send(round.to_be_bytes().as_slice()).await.unwrap();
            // The driver may be parked, about to park, or writing the last one.
            let (_, payload) = peer.frame().await.unwrap();
            assert_eq!(payload, round.to_be_bytes());
        }
    });
    awake(run).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_senders_at_the_mark_all_get_their_turn() {
    const SENDERS: u32 = 8;
    const EACH: u32 = 500;
    let (here, mut there) = duplex(256);
    let session = Session::over(here, Role::Server, &quiet().send_queue(64, 64));
    let send = |sender: Sender, who: u32| async move {
        let mut random = SmallRng::seed_from_u64(who.into());
        for index in 0..EACH {
            let message = [who.to_be_bytes(), index.to_be_bytes()].concat();
            match random.random_range(0..4) {
                0 => {
                    while sender.try_send(message.clone()).is_err() {
                        tokio::task::yield_now().await;
                    }
                }
                // Dropped at its first poll, and taken or not: the refusal of a `select!` is sent again.
                1 => loop {
                    tokio::select! {
                        biased;
                        sent = sender.send(message.clone()) => break sent.unwrap(),
                        () = tokio::task::yield_now() => {}
                    }
                },
                _ => sender.send(message).await.unwrap(),
            }
        }
    };
    let senders: Vec<_> = (0..SENDERS).map(|who| tokio::spawn(send(session.sender(), who))).collect();
    let read = tokio::spawn(async move {
        let mut random = SmallRng::seed_from_u64(99);
        let mut next = [0; SENDERS as usize];
        let mut frame = [0; 10];
        for _ in 0..SENDERS * EACH {
            there.read_exact(&mut frame).await.unwrap();
            let word = |at: usize| u32::from_be_bytes(frame[at..at + 4].try_into().unwrap());
            assert_eq!(word(6), next[word(2) as usize], "sender {}", word(2));
            next[word(2) as usize] += 1;
            dawdle(&mut random);
        }
        there
    });
    let _there = awake(async {
        for sender in senders {
            sender.await.unwrap();
        }
        read.await.unwrap()
    })
    .await;
    awake(session.send("one more")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn flushes_pings_and_closes_from_any_thread_come_back() {
    let run = async {
        for seed in 0..500 {
            let (session, mut other) = pair(32, &quiet().send_queue(16, 16));
            let listener = tokio::spawn(async move {
                let mut heard = 0;
                while let Ok(Some(_)) = other.receive().await {
                    heard += 1;
                }
                (heard, other.closed().await)
            });
            let speakers: Vec<_> = (0..3)
                .map(|who| {
                    let sender = session.sender();
                    tokio::spawn(async move {
                        let mut random = SmallRng::seed_from_u64(seed * 3 + who);
                        let mut sent = 0;
                        for _ in 0..8 {
                            dawdle(&mut random);
                            sent += usize::from(sender.send("a message").await.is_ok());
                            match random.random_range(0..8) {
                                0 | 1 => _ = sender.flush().await,
                                2 | 3 => _ = sender.ping().await,
                                4 if seed % 2 == 0 => _ = sender.close(CloseReason::NORMAL).await,
                                _ => {}
                            }
                        }
                        sent
                    })
                })
                .collect();
            let mut sent = 0;
            for speaker in speakers {
                sent += speaker.await.unwrap();
            }
            drop(session);
            let (heard, closed) = listener.await.unwrap();
            // What was accepted has arrived, and nothing else.
            assert_eq!(heard, sent, "seed {seed}");
            assert_eq!(closed.received, Some(CloseReason::NORMAL));
        }
    };
    awake(run).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_dropped_while_their_driver_parks_are_closed() {
    let run = async {
        let mut random = SmallRng::seed_from_u64(4);
        for _ in 0..2_000 {
            let (session, mut other) = pair(64, &quiet());
            let receiver = tokio::spawn(async move { (other.receive().await, other.receive().await) });
            session.send("only this").await.unwrap();
            dawdle(&mut random);
            drop(session);
            let (first, end) = receiver.await.unwrap();
            assert_eq!(first.unwrap(), Some(Message::text("only this")));
            assert_eq!(end.unwrap(), None);
        }
    };
    awake(run).await;
}

#[tokio::test(start_paused = true)]
async fn a_receiver_elsewhere_hears_of_the_close_although_tcp_stays_open() {
    for role in [Role::Client, Role::Server] {
        let (here, there) = duplex(1024);
        let mut session = Session::over(here, role, &quiet());
        let mut peer = if role == Role::Client { Peer::server(there) } else { Peer::client(there) };
        let receiving = tokio::spawn(async move { session.receive().await.unwrap() });
        // Lets it begin to wait.
        tokio::time::sleep(Duration::from_millis(1)).await;
        peer.close(1000, "").await;
        assert_eq!(peer.closing().await.0, 1000);
        let told = tokio::time::timeout(Duration::from_millis(100), receiving).await;
        assert_eq!(told.unwrap().unwrap(), None, "{role:?}");
    }
}
