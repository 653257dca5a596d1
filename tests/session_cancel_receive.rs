//! Receiving futures dropped at every poll: nothing is lost, doubled or torn. Knows no sending side.
#![allow(clippy::unwrap_used)]

mod support;

use converse::{
    CloseCode, CloseReason, Message, Session, SessionOptions, frame::Role, session::SessionError,
};
use futures::StreamExt;
use support::{Peer, TEXT, Trickle, interrupted, settle, with_peer};
use tokio::io::duplex;

/// Polls after which a call is dropped.
const POLLS: std::ops::RangeInclusive<usize> = 1..=40;
const BUFFERS: [usize; 3] = [1, 7, 64];

fn said(index: usize) -> String {
    // Sizes on both sides of each length encoding, and an empty one.
    let len = [0, 1, 2, 17, 125, 126, 300][index % 7];
    format!("{index:02}{}", "x".repeat(len))
}

fn script() -> Vec<String> {
    (0..14).map(said).collect()
}

/// A session that is told the script as JSON strings, and then 1001 or 3001.
fn told(buffer: usize, code: u16) -> Session {
    let (here, there) = duplex(buffer);
    tokio::spawn(async move {
        let mut peer = Peer::client(there);
        for text in script() {
            peer.send(TEXT, serde_json::to_vec(&text).unwrap()).await;
        }
        peer.close(code, "the end").await;
        assert_eq!(peer.closing().await, (code, "the end".to_owned()));
    });
    Session::over(Trickle::new(here), Role::Server, &SessionOptions::default())
}

fn plain(message: Message) -> String {
    serde_json::from_slice(message.as_bytes()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn receive_dropped_at_any_poll_loses_and_doubles_nothing() {
    for polls in POLLS {
        for buffer in BUFFERS {
            let mut session = told(buffer, 1001);
            let mut heard = Vec::new();
            loop {
                match interrupted(session.receive(), polls).await {
                    None => {}
                    Some(Ok(Some(message))) => heard.push(plain(message)),
                    Some(end) => break assert!(matches!(end, Ok(None))),
                }
            }
            assert_eq!(heard, script(), "dropped after {polls} polls, {buffer} bytes");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn receive_deserialized_dropped_at_any_poll_loses_and_doubles_nothing() {
    for polls in POLLS {
        let mut session = told(7, 1001);
        let mut heard: Vec<String> = Vec::new();
        loop {
            match interrupted(session.receive_deserialized(), polls).await {
                None => {}
                Some(Ok(Some(text))) => heard.push(text),
                Some(end) => break assert!(matches!(end, Ok(None))),
            }
        }
        assert_eq!(heard, script(), "dropped after {polls} polls");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_dropped_at_any_poll_loses_and_doubles_nothing() {
    for polls in POLLS {
        let mut session = told(7, 1001);
        let mut heard = Vec::new();
        loop {
            // Both the stream and its next() are new each time.
            match interrupted(session.incoming().next(), polls).await {
                None => {}
                Some(Some(message)) => heard.push(plain(message.unwrap())),
                Some(None) => break,
            }
            match interrupted(session.incoming_deserialized::<String>().next(), polls).await {
                None => {}
                Some(Some(text)) => heard.push(text.unwrap()),
                Some(None) => break,
            }
        }
        assert_eq!(heard, script(), "dropped after {polls} polls");
    }
}

#[tokio::test(start_paused = true)]
async fn an_abnormal_end_is_told_once_however_often_receive_is_dropped() {
    for polls in POLLS {
        let mut session = told(7, 3001);
        let mut heard = 0;
        let closed = loop {
            match interrupted(session.receive(), polls).await {
                None => {}
                Some(Ok(Some(_))) => heard += 1,
                Some(Err(SessionError::Closed(closed))) => break closed,
                Some(end) => panic!("{end:?}"),
            }
        };
        assert_eq!(heard, script().len());
        assert_eq!(closed.received, Some(CloseReason::new(CloseCode::new(3001).unwrap(), "the end")));
        assert!(matches!(session.receive().await, Ok(None)));
        assert_eq!(session.closed().await, closed);
    }
}

#[tokio::test(start_paused = true)]
async fn one_of_two_branches_of_a_select_takes_each_message() {
    let mut session = told(1, 1000);
    let mut heard = Vec::new();
    let mut ticks = 0;
    loop {
        tokio::select! {
            biased;
            () = tokio::task::yield_now(), if ticks % 3 != 2 => ticks += 1,
            message = session.receive() => match message.unwrap() {
                Some(message) => { ticks += 1; heard.push(plain(message)) }
                None => break,
            },
        }
    }
    assert_eq!(heard, script());
}

#[tokio::test(start_paused = true)]
async fn a_receive_that_was_dropped_does_not_keep_the_next_owner_from_waking() {
    let (mut session, mut peer) = with_peer(64, &SessionOptions::default());
    assert!(interrupted(session.receive(), 1).await.is_none());
    let owner = tokio::spawn(async move {
        let first = session.receive().await.unwrap();
        (first, session)
    });
    settle().await;
    peer.send(TEXT, "for the new owner").await;
    let (first, mut session) = owner.await.unwrap();
    assert_eq!(first, Some(Message::text("for the new owner")));
    peer.send(TEXT, "for the old one").await;
    assert_eq!(session.receive().await.unwrap(), Some(Message::text("for the old one")));
}
