//! Sending futures dropped at every poll: a message has left whole and once, or not at all. Knows no
//! receiving side.
#![allow(clippy::unwrap_used)]

mod support;

use std::time::Duration;

use converse::{CloseCode, CloseReason, Message, Session, SessionOptions, frame::Role};
use support::{CLOSE, PING, PONG, Peer, TEXT, Trickle, interrupted, settle, with_peer};
use tokio::{io::duplex, task::JoinHandle, time::Instant};

const POLLS: std::ops::RangeInclusive<usize> = 1..=40;

fn said(index: usize) -> String {
    format!("{index:02}{}", "x".repeat([0, 1, 17, 125, 126, 300][index % 6]))
}

fn script() -> Vec<String> {
    (0..12).map(said).collect()
}

/// Every message is over the soft mark, so each `send` but the first waits for the one before it.
fn narrow() -> SessionOptions {
    SessionOptions::default().send_queue(1, 1)
}

/// A session whose peer takes down what it hears until the Close frame, which it answers.
fn heard(buffer: usize, options: &SessionOptions) -> (Session, JoinHandle<Vec<String>>) {
    let (here, there) = duplex(buffer);
    let session = Session::over(Trickle::new(here), Role::Server, options);
    let peer = tokio::spawn(async move {
        let mut peer = Peer::client(there);
        let mut heard = Vec::new();
        loop {
            let (first, payload) = peer.frame().await.unwrap();
            match first {
                TEXT => heard.push(String::from_utf8(payload).unwrap()),
                PING => peer.send(PONG, payload).await,
                CLOSE => {
                    peer.send(CLOSE, payload).await;
                    return heard;
                }
                other => panic!("{other:#x}"),
            }
        }
    });
    (session, peer)
}

#[tokio::test(start_paused = true)]
async fn a_send_that_was_dropped_while_it_waited_has_queued_nothing() {
    for polls in POLLS {
        for buffer in [1, 7, 64] {
            let (session, peer) = heard(buffer, &narrow());
            let mut dropped = 0;
            for text in script() {
                while interrupted(session.send(text.as_str()), polls).await.map(Result::unwrap).is_none() {
                    dropped += 1;
                }
            }
            assert!(dropped > 0 || polls > 1);
            session.close(CloseReason::NORMAL).await;
            assert_eq!(peer.await.unwrap(), script(), "dropped after {polls} polls, {buffer} bytes");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_send_serialized_that_was_dropped_while_it_waited_has_queued_nothing() {
    let json = |text: &String| serde_json::to_string(text).unwrap();
    for polls in POLLS {
        let (session, peer) = heard(7, &narrow());
        for text in script() {
            while interrupted(session.send_serialized(&text), polls).await.map(Result::unwrap).is_none() {}
        }
        session.close(CloseReason::NORMAL).await;
        let expected: Vec<String> = script().iter().map(json).collect();
        assert_eq!(peer.await.unwrap(), expected, "dropped after {polls} polls");
    }
}

#[tokio::test(start_paused = true)]
async fn a_send_that_is_ready_at_once_is_never_taken_back() {
    let (session, peer) = heard(1, &SessionOptions::default());
    for text in script() {
        // There is room, so the first poll takes the message, and there is nothing left to drop.
        assert!(interrupted(session.send(text.as_str()), 1).await.is_some());
    }
    session.close(CloseReason::NORMAL).await;
    assert_eq!(peer.await.unwrap(), script());
}

#[tokio::test(start_paused = true)]
async fn a_dropped_send_passes_its_turn_on() {
    for victim in 0..4 {
        for rounds in 0..24 {
            let (session, mut peer) = with_peer(8, &narrow());
            session.send("fills the queue").await.unwrap();
            let waiting: Vec<_> = (0..4)
                .map(|index| {
                    let sender = session.sender();
                    tokio::spawn(async move { sender.send(format!("message {index}")).await.unwrap() })
                })
                .collect();
            settle().await;
            let reader = tokio::spawn(async move {
                let mut heard = Vec::new();
                while let Some((TEXT, payload)) = peer.frame().await {
                    heard.push(String::from_utf8(payload).unwrap());
                }
                heard
            });
            // The reader comes back; at some point of that the victim is dropped, its turn in hand or not.
            for _ in 0..rounds {
                tokio::task::yield_now().await;
            }
            waiting[victim].abort();
            let mut expected = vec!["fills the queue".to_owned()];
            for (index, sender) in waiting.into_iter().enumerate() {
                if sender.await.is_ok() {
                    expected.push(format!("message {index}"));
                }
            }
            session.sender().start_close(CloseReason::NORMAL);
            assert_eq!(reader.await.unwrap(), expected, "victim {victim} after {rounds} rounds");
            assert!(expected.len() >= 4);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_flush_dropped_at_any_poll_changes_nothing() {
    for polls in POLLS {
        let (session, peer) = heard(7, &SessionOptions::default());
        for text in script() {
            session.send(text).await.unwrap();
        }
        while interrupted(session.flush(), polls).await.map(Result::unwrap).is_none() {}
        assert_eq!(session.sender().queued_bytes(), 0);
        session.close(CloseReason::NORMAL).await;
        assert_eq!(peer.await.unwrap(), script());
    }
}

#[tokio::test(start_paused = true)]
async fn a_ping_dropped_at_any_poll_disturbs_nothing() {
    for polls in POLLS {
        let (session, peer) = heard(3, &SessionOptions::default());
        session.send("before").await.unwrap();
        let began = Instant::now();
        let _ = interrupted(session.ping(), polls).await;
        session.ping().await.unwrap();
        assert_eq!(began.elapsed(), Duration::ZERO);
        session.send("behind").await.unwrap();
        session.close(CloseReason::NORMAL).await;
        assert_eq!(peer.await.unwrap(), ["before", "behind"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_close_dropped_at_any_poll_goes_on() {
    for polls in POLLS {
        let (session, peer) = heard(7, &SessionOptions::default());
        for text in script() {
            session.send(text).await.unwrap();
        }
        let reason = CloseReason::new(CloseCode::GOING_AWAY, "done");
        let _ = interrupted(session.close(reason.clone()), polls).await;
        assert!(session.sender().is_closed());
        // A second close has no say.
        while interrupted(session.close(CloseReason::NORMAL), polls).await.is_none() {}
        let closed = loop {
            if let Some(closed) = interrupted(session.closed(), polls).await {
                break closed;
            }
        };
        assert_eq!((closed.sent.as_ref(), closed.received.as_ref()), (Some(&reason), Some(&reason)));
        assert_eq!(peer.await.unwrap(), script());
    }
}

#[tokio::test(start_paused = true)]
async fn a_close_that_was_never_polled_does_nothing() {
    let (mut session, mut peer) = with_peer(64, &SessionOptions::default());
    drop(session.close(CloseReason::NORMAL));
    session.send("still here").await.unwrap();
    assert_eq!(peer.text().await, (TEXT, "still here".to_owned()));
    peer.send(TEXT, "so am I").await;
    assert_eq!(session.receive().await.unwrap(), Some(Message::text("so am I")));
}
