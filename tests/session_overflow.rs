//! The overflow policies, with exact counts. Knows nothing of a `send` that waits.
#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use std::time::Duration;

use converse::{
    CloseCause, CloseCode, Message, Overflow, Session, SessionOptions,
    session::{SendErrorKind, SessionError},
};
use support::{CLOSE, Peer, TEXT, settle, with_peer};
use tokio::time::Instant;

/// Bytes that the transport takes of what is sent.
const TAKEN: usize = 64;

/// A session with 64 bytes of transport and marks of 1,000 and 2,000 bytes.
fn stuck(overflow: Overflow) -> (Session, Peer) {
    stuck_at(2_000, overflow)
}

/// A session with 64 bytes of transport and a soft mark of 1,000 bytes.
fn stuck_at(hard: usize, overflow: Overflow) -> (Session, Peer) {
    let never = Duration::from_secs(1_000_000);
    let options = SessionOptions::default().ping_interval(None).write_timeout(never).send_queue(1_000, hard);
    with_peer(TAKEN, &options.overflow(overflow))
}

/// A message of 100 bytes with its header.
fn said(index: usize) -> String {
    format!("{index:098}")
}

async fn everything(peer: &mut Peer) -> Vec<usize> {
    let mut heard = Vec::new();
    loop {
        match peer.frame().await {
            Some((TEXT, payload)) => heard.push(String::from_utf8(payload).unwrap().parse().unwrap()),
            end => {
                assert_eq!(end.map(|(first, _)| first), Some(CLOSE));
                return heard;
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn fail_refuses_at_the_hard_mark_and_gives_the_message_back() {
    let (session, mut peer) = stuck(Overflow::Fail);
    for index in 0..30 {
        match session.send(said(index)).await {
            Ok(()) => assert!(index < 20),
            Err(SessionError::Send(refused)) => {
                assert!(index >= 20);
                assert_eq!(*refused.kind(), SendErrorKind::Full);
                assert_eq!(refused.into_message(), Message::from(said(index)));
            }
            Err(other) => panic!("{other:?}"),
        }
    }
    assert_eq!((session.sender().queued_bytes(), session.sender().dropped_messages()), (2_000 - TAKEN, 0));
    drop(session);
    assert_eq!(everything(&mut peer).await, Vec::from_iter(0..20));
}

#[tokio::test(start_paused = true)]
async fn drop_newest_keeps_what_came_first() {
    let (session, mut peer) = stuck(Overflow::DropNewest);
    for index in 0..30 {
        session.send(said(index)).await.unwrap();
    }
    assert_eq!((session.sender().queued_bytes(), session.sender().dropped_messages()), (2_000 - TAKEN, 10));
    drop(session);
    assert_eq!(everything(&mut peer).await, Vec::from_iter(0..20));
}

#[tokio::test(start_paused = true)]
async fn drop_oldest_keeps_what_came_last() {
    let (session, mut peer) = stuck(Overflow::DropOldest);
    for index in 0..30 {
        session.send(said(index)).await.unwrap();
        let queued = session.sender().queued_bytes();
        assert!(queued <= 2_000, "{queued} after {index}");
    }
    // Eleven were on their way at the soft mark; of the nineteen kept back those that fit are left: five, each
    // of 98 bytes and its place of 72.
    let dropped = session.sender().dropped_messages() as usize;
    assert_eq!(dropped, 14);
    drop(session);
    assert_eq!(everything(&mut peer).await, Vec::from_iter((0..11).chain(11 + dropped..30)));
}

#[tokio::test(start_paused = true)]
async fn conflate_keeps_the_newest_of_each_key_in_the_place_of_the_first() {
    let (session, mut peer) = stuck_at(3_000, Overflow::Conflate);
    let sender = session.sender();
    for index in 0..30 {
        match index % 5 {
            4 => sender.send(said(index)).await.unwrap(),
            rest if index % 2 == 0 => sender.send_keyed([rest as u8], said(index)).await.unwrap(),
            rest => sender.try_send_keyed([rest as u8], said(index)).unwrap(),
        }
    }
    // Eleven are on their way; of the fifteen behind them that have one of four keys the newest are left.
    assert_eq!(session.sender().dropped_messages(), 11);
    drop(session);
    assert_eq!(everything(&mut peer).await, Vec::from_iter((0..11).chain([26, 27, 28, 14, 25, 19, 24, 29])));
}

#[tokio::test(start_paused = true)]
async fn a_value_is_conflated_by_its_key_too() {
    let (session, mut peer) = stuck(Overflow::Conflate);
    let sender = session.sender();
    for _ in 0..11 {
        sender.send(said(0)).await.unwrap();
    }
    for (key, value) in [("a", 1), ("b", 2), ("a", 3)] {
        sender.send_serialized_keyed(key, &value).await.unwrap();
    }
    sender.try_send_serialized_keyed("b", &4).unwrap();
    assert_eq!(sender.dropped_messages(), 2);
    drop(session);
    assert_eq!(everything(&mut peer).await, [&[0; 11][..], &[3, 4]].concat());
}

#[tokio::test(start_paused = true)]
async fn a_key_replaces_nothing_under_the_other_policies() {
    for overflow in
        [Overflow::Fail, Overflow::DropNewest, Overflow::DropOldest, Overflow::Close, Overflow::Wait]
    {
        let (session, mut peer) = stuck_at(1_000_000, overflow);
        let sender = session.sender();
        for index in 0..11 {
            sender.send_keyed("key", said(index)).await.unwrap();
        }
        let waits = matches!(overflow, Overflow::Wait);
        for index in 11..20 {
            let accepted = sender.try_send_keyed("key", said(index));
            assert_eq!(accepted.is_ok(), !waits, "{overflow:?}");
        }
        assert_eq!(sender.dropped_messages(), 0, "{overflow:?}");
        drop(session);
        assert_eq!(everything(&mut peer).await, Vec::from_iter(0..if waits { 11 } else { 20 }));
    }
}

#[tokio::test(start_paused = true)]
async fn keys_count_to_what_waits_and_once() {
    let (session, _peer) = stuck_at(10_000, Overflow::Conflate);
    let sender = session.sender();
    for _ in 0..11 {
        sender.send(said(0)).await.unwrap();
    }
    let key = [7; 1000];
    sender.try_send_keyed(key, said(1)).unwrap();
    let one = sender.queued_bytes();
    assert!(one > 11 * 98 + 1000 + 98);
    sender.try_send_keyed(key, said(2)).unwrap();
    assert_eq!((sender.queued_bytes(), sender.dropped_messages()), (one, 1));
    for index in 0..1000_u32 {
        sender.try_send_keyed(index.to_be_bytes(), "x").unwrap();
        assert!(sender.queued_bytes() <= 10_000);
    }
    // Each counts its place, and that of its key in a table.
    assert!(sender.dropped_messages() > 900);
}

#[tokio::test(start_paused = true)]
async fn conflate_without_a_key_drops_the_oldest() {
    let (session, mut peer) = stuck(Overflow::Conflate);
    for index in 0..30 {
        session.send(said(index)).await.unwrap();
    }
    let dropped = session.sender().dropped_messages() as usize;
    assert_eq!(dropped, 14);
    drop(session);
    assert_eq!(everything(&mut peer).await, Vec::from_iter((0..11).chain(25..30)));
}

#[tokio::test(start_paused = true)]
async fn the_application_hears_of_the_end_at_once_though_the_peer_takes_nothing() {
    // A policy that closes, and a peer that answers no ping.
    let (mut session, _peer) = stuck(Overflow::Close);
    while session.send(said(0)).await.is_ok() {}
    let begun = Instant::now();
    let Err(SessionError::Closed(closed)) = session.receive().await else { panic!("a message") };
    assert_eq!((closed.cause, &closed.sent, begun.elapsed()), (CloseCause::Overflow, &None, Duration::ZERO));

    let never = Duration::from_secs(1_000_000);
    let options = SessionOptions::default().write_timeout(never);
    let options = options.ping_interval(Duration::from_secs(1)).timeout(Duration::from_secs(1));
    let (mut session, _peer) = with_peer(TAKEN, &options);
    let begun = Instant::now();
    tokio::time::sleep(Duration::from_millis(1500)).await;
    // Behind the ping, that the peer has not read.
    session.send(said(0)).await.unwrap();
    let Err(SessionError::Closed(closed)) = session.receive().await else { panic!("a message") };
    assert_eq!((closed.cause, begun.elapsed()), (CloseCause::PingTimeout, Duration::from_secs(2)));
}

#[tokio::test(start_paused = true)]
async fn close_tells_the_peer_1013_in_place_of_what_waited() {
    let (session, mut peer) = stuck(Overflow::Close);
    for index in 0..20 {
        session.send(said(index)).await.unwrap();
    }
    // The first write has begun, and its frames leave whole.
    settle().await;
    let refused = session.sender().send(said(20)).await.unwrap_err();
    assert_eq!(*refused.kind(), SendErrorKind::Closed);
    assert_eq!(refused.into_message(), Message::from(said(20)));
    let heard = {
        let mut heard = 0;
        loop {
            let (first, payload) = peer.frame().await.unwrap();
            if first == CLOSE {
                assert_eq!(payload[..2], 1013_u16.to_be_bytes());
                break heard;
            }
            assert_eq!(payload, said(heard).as_bytes());
            heard += 1;
        }
    };
    assert!(heard <= 20);
    drop(peer);
    let closed = session.closed().await;
    assert_eq!(closed.cause, CloseCause::Overflow);
    assert_eq!(closed.sent.as_ref().unwrap().code(), CloseCode::TRY_AGAIN_LATER);
}

#[tokio::test(start_paused = true)]
async fn close_cuts_a_peer_that_does_not_even_take_the_1013() {
    let (session, _peer) = stuck(Overflow::Close);
    session.send(said(0)).await.unwrap();
    settle().await;
    while session.send(said(0)).await.is_ok() {}
    let closed = session.closed().await;
    assert_eq!((&closed.sent, &closed.received, closed.cause), (&None, &None, CloseCause::Overflow));
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_comes_back_gets_all_again() {
    for overflow in [Overflow::Fail, Overflow::DropNewest, Overflow::DropOldest, Overflow::Conflate] {
        let (session, mut peer) = stuck(overflow);
        let mut taken = 0;
        for index in 0..40 {
            taken += u64::from(session.send(said(index)).await.is_ok());
        }
        let sender = session.sender();
        let flush = tokio::spawn(async move { sender.flush().await.unwrap() });
        settle().await;
        assert!(!flush.is_finished());
        for _ in session.sender().dropped_messages()..taken {
            assert_eq!(peer.frame().await.unwrap().0, TEXT);
        }
        flush.await.unwrap();
        assert_eq!(session.sender().queued_bytes(), 0, "{overflow:?}");
        for index in 0..20 {
            session.send(said(index)).await.unwrap();
            assert_eq!(peer.text().await, (TEXT, said(index)), "{overflow:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn empty_messages_count_against_the_mark_as_well() {
    for overflow in [Overflow::Fail, Overflow::DropNewest, Overflow::DropOldest, Overflow::Conflate] {
        let (session, mut peer) = stuck(overflow);
        for _ in 0..100_000 {
            let _ = session.send("").await;
        }
        drop(session);
        let mut heard = 0;
        while peer.frame().await.unwrap().0 == TEXT {
            heard += 1;
        }
        // Two bytes of header each, and 2,000 bytes of mark.
        assert!(heard <= 1_100, "{heard} of {overflow:?}");
    }
}
