//! Times and limits, and their change while a session runs. Time is the runtime's, and stands still while
//! anything happens. Knows no queue.
#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use std::{sync::Arc, time::Duration};

use converse::{CloseCause, CloseReason, Closed, Message, Session, SessionOptions, session::SessionError};
use support::{BINARY, CLOSE, PING, PONG, TEXT, pair, settle, with_peer};
use tokio::time::{Instant, sleep};

const SECOND: Duration = Duration::from_secs(1);

fn timed(interval: u32, timeout: u32) -> SessionOptions {
    SessionOptions::default().ping_interval(SECOND * interval).timeout(SECOND * timeout)
}

async fn abnormal_end(session: &mut Session) -> Arc<Closed> {
    match session.receive().await {
        Err(SessionError::Closed(closed)) => closed,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_ping_leaves_after_silence_only() {
    let (_session, mut peer) = with_peer(64, &timed(10, 100));
    let began = Instant::now();
    sleep(SECOND * 6).await;
    peer.send(TEXT, "not silent").await;
    let (first, payload) = peer.frame().await.unwrap();
    assert_eq!((first, began.elapsed().as_secs()), (PING, 16));
    // A pong is a sign of life like any other.
    sleep(SECOND * 2).await;
    peer.send(PONG, payload).await;
    assert_eq!(peer.frame().await.unwrap().0, PING);
    assert_eq!(began.elapsed().as_secs(), 28);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_says_nothing_after_a_ping_is_told_and_left() {
    let (mut session, mut peer) = with_peer(64, &timed(10, 3));
    let began = Instant::now();
    assert_eq!(peer.frame().await.unwrap().0, PING);
    let closed = abnormal_end(&mut session).await;
    assert_eq!(closed.cause, CloseCause::PingTimeout);
    assert_eq!(began.elapsed().as_secs(), 13);
    assert_eq!(peer.closing().await.0, 1011);
    assert_eq!(peer.frame().await, None);
}

#[tokio::test(start_paused = true)]
async fn any_byte_after_a_ping_is_a_sign_of_life() {
    let (session, mut peer) = with_peer(64, &timed(10, 3));
    for _ in 0..5 {
        assert_eq!(peer.frame().await.unwrap().0, PING);
        sleep(SECOND * 2).await;
        peer.send(PONG, "an answer to nothing").await;
    }
    assert!(!session.sender().is_closed());
}

#[tokio::test(start_paused = true)]
async fn two_idle_ends_stay_connected_for_a_day() {
    let (session, mut other) = pair(64, &SessionOptions::default());
    sleep(SECOND * 86_400).await;
    session.send("good morning").await.unwrap();
    assert_eq!(other.receive().await.unwrap(), Some(Message::text("good morning")));
}

#[tokio::test(start_paused = true)]
async fn a_new_ping_interval_counts_at_once() {
    let (session, mut peer) = with_peer(64, &timed(1_000, 1_000));
    let began = Instant::now();
    settle().await;
    session.set_ping_interval(SECOND * 5);
    assert_eq!(peer.frame().await.unwrap().0, PING);
    assert_eq!(began.elapsed().as_secs(), 5);
    peer.send(PONG, "").await;
    session.set_ping_interval(None);
    assert!(tokio::time::timeout(SECOND * 100_000, peer.frame()).await.is_err());
    session.set_ping_interval(SECOND);
    assert_eq!(peer.frame().await.unwrap().0, PING);
}

#[tokio::test(start_paused = true)]
async fn a_new_timeout_counts_for_the_ping_under_way() {
    let (mut session, mut peer) = with_peer(64, &timed(10, 1_000));
    let began = Instant::now();
    assert_eq!(peer.frame().await.unwrap().0, PING);
    session.set_timeout(SECOND * 2);
    assert_eq!(abnormal_end(&mut session).await.cause, CloseCause::PingTimeout);
    assert_eq!(began.elapsed().as_secs(), 12);
}

#[tokio::test(start_paused = true)]
async fn new_limits_count_from_the_next_frame_on() {
    let (mut session, mut peer) = with_peer(1024, &SessionOptions::default().max_message_size(10));
    peer.send(TEXT, "x".repeat(10)).await;
    assert!(session.receive().await.unwrap().is_some());
    session.set_max_message_size(20);
    session.set_max_frame_size(20);
    peer.send(TEXT, "x".repeat(20)).await;
    assert!(session.receive().await.unwrap().is_some());
    session.set_max_frame_size(15);
    // Two frames of a message: each within the frame limit, and the sum within the message limit.
    peer.send(0x01, "x".repeat(15)).await;
    peer.send(0x80, "x".repeat(5)).await;
    assert_eq!(session.receive().await.unwrap().unwrap().len(), 20);
    peer.send(BINARY, "x".repeat(16)).await;
    assert_eq!(peer.closing().await.0, 1009);
    assert!(matches!(abnormal_end(&mut session).await.cause, CloseCause::Violation(_)));
}

#[tokio::test(start_paused = true)]
async fn ping_tells_the_round_trip_time() {
    let (session, mut peer) = with_peer(64, &timed(1_000, 1_000));
    let ping = session.ping();
    let answer = async {
        let (first, payload) = peer.frame().await.unwrap();
        assert_eq!(first, PING);
        sleep(Duration::from_millis(1_234)).await;
        peer.send(PONG, payload).await;
    };
    assert_eq!(tokio::join!(ping, answer).0.unwrap(), Duration::from_millis(1_234));
}

#[tokio::test(start_paused = true)]
async fn pings_that_overlap_share_one_and_later_ones_do_not() {
    let (session, mut peer) = with_peer(64, &timed(1_000, 1_000));
    for round in 0..3 {
        let sender = session.sender();
        let late = async {
            sleep(SECOND).await;
            sender.ping().await
        };
        let answer = async {
            let (first, payload) = peer.frame().await.unwrap();
            assert_eq!(first, PING);
            sleep(SECOND * 3).await;
            peer.send(PONG, "not this one").await;
            settle().await;
            peer.send(PONG, payload).await;
        };
        let (first, second, third, ()) = tokio::join!(session.ping(), sender.ping(), late, answer);
        for time in [first, second, third] {
            assert_eq!(time.unwrap(), SECOND * 3, "round {round}");
        }
    }
    session.sender().start_close(CloseReason::NORMAL);
    assert_eq!(peer.frame().await.unwrap().0, CLOSE);
}

#[tokio::test(start_paused = true)]
async fn a_ping_fails_when_the_conversation_ends_first() {
    let (session, mut peer) = with_peer(64, &timed(1_000, 1_000));
    let end = async {
        assert_eq!(peer.frame().await.unwrap().0, PING);
        peer.close(1000, "").await;
        peer.closing().await
    };
    let (ping, _) = tokio::join!(session.ping(), end);
    assert!(matches!(ping, Err(SessionError::Closed(_))));
    assert!(matches!(session.ping().await, Err(SessionError::Closed(_))));
}

#[tokio::test(start_paused = true)]
async fn a_ping_of_a_silent_peer_ends_with_the_timeout() {
    let options = SessionOptions::default().ping_interval(None).timeout(SECOND * 4);
    let (session, _peer) = with_peer(64, &options);
    let began = Instant::now();
    match session.ping().await {
        Err(SessionError::Closed(closed)) => assert_eq!(closed.cause, CloseCause::PingTimeout),
        other => panic!("{other:?}"),
    }
    assert_eq!(began.elapsed().as_secs(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_does_not_answer_a_close_is_left_after_the_close_timeout() {
    let (session, mut peer) = with_peer(64, &timed(1, 1).close_timeout(SECOND * 9));
    let began = Instant::now();
    let closed = session.close(CloseReason::NORMAL).await;
    assert_eq!((began.elapsed().as_secs(), closed.cause), (9, CloseCause::CloseTimeout));
    assert_eq!((closed.sent.as_ref(), closed.received.as_ref()), (Some(&CloseReason::NORMAL), None));
    assert_eq!(peer.closing().await.0, 1000);
    assert_eq!(peer.frame().await, None);
}

#[tokio::test(start_paused = true)]
async fn a_message_that_takes_too_long_is_1008() {
    let (mut session, mut peer) = with_peer(64, &timed(1_000, 1_000).message_timeout(SECOND * 8));
    let began = Instant::now();
    peer.send(0x01, "a fragment, ").await;
    sleep(SECOND * 7).await;
    peer.send(PING, "a ping is no part of it").await;
    assert_eq!(peer.frame().await.unwrap().0, PONG);
    assert_eq!(peer.closing().await.0, 1008);
    assert_eq!(began.elapsed().as_secs(), 8);
    assert!(matches!(abnormal_end(&mut session).await.cause, CloseCause::Violation(_)));
}

#[tokio::test(start_paused = true)]
async fn a_message_that_waits_for_a_slow_receiver_is_not_too_slow() {
    let options = timed(1_000, 1_000).message_timeout(SECOND * 8).receive_queue(1);
    let (mut session, mut peer) = with_peer(4096, &options);
    peer.send(TEXT, "fills the inbox").await;
    peer.send(0x01, "begins").await;
    peer.send(0x00, " and").await;
    sleep(SECOND * 100).await;
    assert_eq!(session.receive().await.unwrap(), Some(Message::text("fills the inbox")));
    sleep(SECOND * 7).await;
    peer.send(0x80, " ends").await;
    assert_eq!(session.receive().await.unwrap(), Some(Message::text("begins and ends")));
}

#[tokio::test(start_paused = true)]
async fn times_that_never_come_are_no_panic() {
    let options = SessionOptions::default()
        .ping_interval(Duration::MAX)
        .timeout(Duration::MAX)
        .close_timeout(Duration::MAX)
        .write_timeout(Duration::MAX)
        .message_timeout(Duration::MAX);
    let (mut session, mut other) = pair(64, &options);
    session.set_ping_interval(Duration::MAX);
    session.set_timeout(Duration::MAX);
    session.send("x".repeat(1_000)).await.unwrap();
    assert!(other.receive().await.unwrap().is_some());
    tokio::spawn(async move { while let Ok(Some(_)) = other.receive().await {} });
    session.ping().await.unwrap();
    assert!(session.close(CloseReason::NORMAL).await.is_clean());
    assert!(session.receive().await.unwrap().is_none());
}
