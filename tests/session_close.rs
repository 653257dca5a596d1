//! What `flush` and `close` wait for, and what both ends are told in the end. Knows no deadline but those of the
//! close itself.
#![allow(clippy::unwrap_used)]

mod support;

use std::{sync::Arc, task::Poll};

use converse::{
    CloseCause, CloseCode, CloseReason, Message, Overflow, Session, SessionOptions, engine::ClosedBy,
    session::SessionError,
};
use support::{CLOSE, PONG, TEXT, frame_bytes, interrupted, pair, poll_once, settle, with_peer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

fn quiet() -> SessionOptions {
    SessionOptions::default().ping_interval(None).write_timeout(std::time::Duration::from_secs(1_000_000))
}

fn reason(code: u16, text: &'static str) -> CloseReason {
    CloseReason::new(CloseCode::new(code).unwrap(), text)
}

/// The policies that do not end the conversation.
fn keeping_policies() -> [Overflow; 5] {
    [Overflow::Wait, Overflow::Fail, Overflow::DropNewest, Overflow::DropOldest, Overflow::Conflate]
}

#[tokio::test(start_paused = true)]
async fn flush_returns_with_the_last_byte_of_what_was_accepted() {
    for overflow in keeping_policies() {
        // All but two messages are over the soft mark, and kept back by the policies that do so.
        let options = quiet().send_queue(200, 2_000).overflow(overflow);
        let (session, mut peer) = with_peer(64, &options);
        let mut accepted = 0;
        while accepted < 10 && session.try_send("x".repeat(98)).is_ok() {
            accepted += 1;
        }
        let mut flush = Box::pin(session.flush());
        let mut left = accepted * 100;
        while left > 64 {
            settle().await;
            assert!(poll_once(&mut flush).await.is_pending(), "{overflow:?}: {left} bytes left");
            let step = (left - 64).min(13);
            peer.io.read_exact(&mut vec![0; step]).await.unwrap();
            left -= step;
        }
        // The rest is in the transport.
        settle().await;
        assert!(matches!(poll_once(&mut flush).await, Poll::Ready(Ok(()))), "{overflow:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn flush_does_not_wait_for_what_comes_later() {
    for overflow in [Overflow::Wait, Overflow::DropOldest, Overflow::Conflate] {
        let options = quiet().send_queue(150, 10_000).overflow(overflow);
        let (session, mut peer) = with_peer(64, &options);
        session.send("x".repeat(98)).await.unwrap();
        settle().await;
        let mut flush = Box::pin(session.flush());
        assert!(poll_once(&mut flush).await.is_pending());
        session.send("y".repeat(98)).await.unwrap();
        session.try_send("z".repeat(98)).ok();
        peer.io.read_exact(&mut [0; 36]).await.unwrap();
        settle().await;
        assert!(poll_once(&mut flush).await.is_ready(), "{overflow:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_flush_of_nothing_returns_at_once_and_one_that_cannot_end_fails() {
    let (session, mut peer) = with_peer(64, &quiet());
    assert!(matches!(interrupted(session.flush(), 1).await, Some(Ok(()))));
    session.send("x".repeat(100)).await.unwrap();
    let mut flush = Box::pin(session.flush());
    settle().await;
    assert!(poll_once(&mut flush).await.is_pending());
    peer.io.read_u8().await.unwrap();
    drop(peer);
    assert!(matches!(flush.await, Err(SessionError::Closed(_))));
}

#[tokio::test(start_paused = true)]
async fn a_flush_under_conflate_ends_when_its_message_was_replaced() {
    let options = quiet().send_queue(1, 10_000).overflow(Overflow::Conflate);
    let (session, mut peer) = with_peer(64, &options);
    session.send("x".repeat(98)).await.unwrap();
    session.sender().send_keyed("key", "replaced").await.unwrap();
    let mut flush = Box::pin(session.flush());
    assert!(poll_once(&mut flush).await.is_pending());
    session.sender().send_keyed("key", "replaces").await.unwrap();
    assert_eq!(peer.text().await.1, "x".repeat(98));
    assert_eq!(peer.text().await.1, "replaces");
    flush.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn close_delivers_everything_that_was_accepted_before() {
    for overflow in keeping_policies() {
        let options = quiet().send_queue(300, 2_000).overflow(overflow);
        let (session, mut other) = pair(64, &options);
        let mut accepted = Vec::new();
        for index in 0..10 {
            let text = format!("{index:098}");
            if session.try_send(text.as_str()).is_ok() {
                accepted.push(Message::from(text));
            }
        }
        session.sender().start_close(reason(4000, "all said"));
        assert!(session.try_send("too late").is_err());
        let mut heard = Vec::new();
        let end = loop {
            match other.receive().await {
                Ok(Some(message)) => heard.push(message),
                Err(SessionError::Closed(closed)) => break closed,
                end => unreachable!("{end:?}"),
            }
        };
        assert_eq!(heard, accepted, "{overflow:?}");
        assert_eq!(end.received, Some(reason(4000, "all said")));
        assert!(session.closed().await.is_clean());
    }
}

#[tokio::test(start_paused = true)]
async fn both_ends_may_close_at_once() {
    let (here, there) = pair(64, &quiet());
    let (first, second) = tokio::join!(here.close(reason(4001, "here")), there.close(reason(4002, "there")));
    for (closed, sent, received) in [
        (first, reason(4001, "here"), reason(4002, "there")),
        (second, reason(4002, "there"), reason(4001, "here")),
    ] {
        assert_eq!((&closed.sent, &closed.received), (&Some(sent), &Some(received)));
        assert_eq!((closed.by, closed.cause), (ClosedBy::Local, CloseCause::Handshake));
    }
}

#[tokio::test(start_paused = true)]
async fn a_sender_in_another_task_closes_while_the_owner_receives() {
    let (mut session, mut peer) = with_peer(64, &quiet());
    let sender = session.sender();
    let closer = tokio::spawn(async move {
        settle().await;
        sender.close(CloseReason::NORMAL).await
    });
    let owner = tokio::spawn(async move {
        let mut heard = 0;
        while session.receive().await.unwrap().is_some() {
            heard += 1;
        }
        (heard, session.closed().await)
    });
    assert_eq!(peer.closing().await.0, 1000);
    // What was under way before the peer had seen the Close frame still arrives.
    peer.send(TEXT, "under way").await;
    peer.close(1000, "").await;
    assert_eq!(peer.frame().await, None);
    let (heard, closed) = owner.await.unwrap();
    assert_eq!(heard, 1);
    assert!(Arc::ptr_eq(&closed, &closer.await.unwrap()));
}

#[tokio::test(start_paused = true)]
async fn many_callers_learn_the_same_end() {
    let (session, mut peer) = with_peer(64, &quiet());
    let callers: Vec<_> = (0..20)
        .map(|index| {
            let sender = session.sender();
            tokio::spawn(async move {
                match index % 2 {
                    0 => sender.closed().await,
                    _ => sender.close(reason(4000 + index, "")).await,
                }
            })
        })
        .collect();
    // The first of them to call is the one the peer hears.
    assert_eq!(peer.farewell().await, 4001);
    let first = session.closed().await;
    assert_eq!(first.sent, Some(reason(4001, "")));
    for caller in callers {
        assert!(Arc::ptr_eq(&first, &caller.await.unwrap()));
    }
}

#[tokio::test(start_paused = true)]
async fn a_reply_to_what_came_with_the_close_still_leaves() {
    let (mut session, mut peer) = with_peer(1024, &quiet());
    let request = frame_bytes(TEXT, b"a last question", true);
    let close = frame_bytes(CLOSE, &support::close_payload(1000, ""), true);
    peer.io.write_all(&[request, close].concat()).await.unwrap();
    let handler = async {
        assert!(session.receive().await.unwrap().is_some());
        session.try_send("the answer").is_ok()
    };
    let taken = handler.await;
    let (first, _) = peer.frame().await.unwrap();
    // Taken and delivered, or refused: nothing between.
    assert_eq!(first, if taken { TEXT } else { CLOSE });
}

#[tokio::test(start_paused = true)]
async fn a_senders_clone_does_not_keep_the_transport_open() {
    let (session, mut peer) = with_peer(64, &quiet());
    let senders = [session.sender(), session.sender()];
    drop(session);
    assert_eq!(peer.closing().await.0, 1000);
    peer.close(1000, "").await;
    assert_eq!(peer.frame().await, None);
    // A moment later the other direction is gone as well: nobody is there to be written to.
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    assert!(peer.io.write_all(b"anybody?").await.is_err());
    for sender in senders {
        assert!(sender.is_closed() && sender.try_send("no").is_err());
        assert!(sender.closed().await.is_clean());
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_left_without_a_word_is_an_error_once() {
    let (mut session, mut peer) = with_peer(64, &quiet());
    peer.send(TEXT, "and off").await;
    drop(peer);
    assert_eq!(session.receive().await.unwrap(), Some(Message::text("and off")));
    match session.receive().await {
        Err(SessionError::Closed(closed)) => {
            assert_eq!((closed.by, closed.cause), (ClosedBy::Peer, CloseCause::Eof));
            assert_eq!((&closed.sent, &closed.received), (&None, &None));
        }
        other => unreachable!("{other:?}"),
    }
    assert!(session.receive().await.unwrap().is_none());
}

#[tokio::test(start_paused = true)]
async fn what_a_peer_said_before_it_left_is_heard_although_it_cannot_be_written_to() {
    for count in [0, 3, 100] {
        let (mut session, mut peer) = with_peer(16 * 1024, &quiet());
        for index in 0..count {
            peer.send(TEXT, format!("message {index}")).await;
        }
        peer.close(4003, "kicked").await;
        drop(peer);
        // Nobody takes this; what the peer said is still in the transport.
        session.try_send("are you there?").unwrap();
        for index in 0..count {
            assert_eq!(session.receive().await.unwrap(), Some(Message::from(format!("message {index}"))));
        }
        match session.receive().await {
            Err(SessionError::Closed(closed)) => {
                assert_eq!(
                    (closed.sent.as_ref(), closed.received.as_ref()),
                    (None, Some(&reason(4003, "kicked")))
                );
                assert_eq!((closed.by, closed.cause), (ClosedBy::Peer, CloseCause::Handshake));
            }
            other => unreachable!("{other:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_transport_that_cannot_be_written_to_ends_the_conversation() {
    let (mut session, peer) = with_peer(64, &quiet());
    let (read, write) = tokio::io::split(peer.io);
    drop((read, write));
    session.try_send("are you there?").unwrap();
    assert!(matches!(session.receive().await, Err(SessionError::Closed(_))));
    assert!(session.flush().await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_close_in_a_handler_that_has_received_nothing_ends_well() {
    let (session, mut peer) = with_peer(64, &quiet().receive_queue(1));
    for _ in 0..2 {
        peer.send(TEXT, "nobody takes this").await;
    }
    settle().await;
    let close = tokio::spawn(async move { session.close(CloseReason::NORMAL).await });
    let flood = async {
        for _ in 0..100 {
            peer.send(TEXT, "nor these").await;
        }
        peer.send(PONG, "").await;
        peer.farewell().await
    };
    assert_eq!(flood.await, 1000);
    assert!(close.await.unwrap().is_clean());
}

#[tokio::test(start_paused = true)]
async fn what_is_heard_after_a_close_has_no_gap() {
    let (mut session, mut peer) = with_peer(16 * 1024, &quiet());
    session.sender().start_close(CloseReason::NORMAL);
    assert_eq!(peer.closing().await.0, 1000);
    let burst: Vec<u8> =
        (0..200).flat_map(|index| frame_bytes(TEXT, format!("{index}").as_bytes(), true)).collect();
    peer.io.write_all(&burst).await.unwrap();
    settle().await;
    let mut heard = Vec::new();
    for _ in 0..10 {
        heard.push(session.receive().await.unwrap().unwrap());
    }
    for index in 200..300 {
        peer.send(TEXT, format!("{index}")).await;
    }
    peer.close(1000, "").await;
    while let Some(message) = session.receive().await.unwrap() {
        heard.push(message);
    }
    let expected: Vec<Message> = (0..heard.len()).map(|index| Message::from(format!("{index}"))).collect();
    assert!(heard.len() >= 64);
    assert_eq!(heard, expected);
}

#[tokio::test(start_paused = true)]
async fn tasks_and_memory_of_a_conversation_go_with_it() {
    let (here, there) = pair(64, &quiet());
    let alive = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    assert_eq!(alive(), 2);
    tokio::join!(here.close(CloseReason::NORMAL), there.closed());
    settle().await;
    assert_eq!(alive(), 0);
    let kept: [Session; 2] = [here, there];
    drop(kept);
}
