//! Futures dropped at every poll while messages are compressed: nothing is lost, doubled or torn, and both ends keep
//! the same window. Knows no deflate but zlib's.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod deflate;
mod support;
mod wire;

use converse::{CloseReason, MemoryMode, Message, PerMessageDeflate, Session, SessionOptions};
use deflate::{PLAIN_OFFER, Served, with};
use support::interrupted;
use tokio::task::JoinHandle;

const POLLS: std::ops::RangeInclusive<usize> = 1..=40;
const MODES: [MemoryMode; 3] =
    [MemoryMode::Dedicated, MemoryMode::Compact { history: 512 }, MemoryMode::NoTakeover];

/// Messages that refer to each other, some of them empty, some in fragments.
fn script() -> Vec<String> {
    let said = |index: usize| {
        format!("{index:02} was said after {}", "so much ".repeat([0, 1, 5, 40, 200][index % 5]))
    };
    (0..15).map(|index| if index % 7 == 3 { String::new() } else { said(index) }).collect()
}

fn options(mode: MemoryMode) -> SessionOptions {
    with(PerMessageDeflate::new().threshold(0).memory(mode)).fragment_size(50)
}

/// A session that is told the script a few bytes at a time, and then that it is over.
async fn told(served: &mut Served) -> Session {
    let (session, mut far, _) = served.open(&[PLAIN_OFFER]).await;
    tokio::spawn(async move {
        let mut bytes: Vec<u8> = script().iter().flat_map(|text| far.pack(text.as_bytes())).collect();
        bytes.extend(wire::masked(wire::CLOSE, &wire::close(1000)));
        for part in bytes.chunks(3) {
            far.wire.send(part).await;
            tokio::task::yield_now().await;
        }
        assert_eq!(far.wire.frame().await.close_code(), Some(1000));
    });
    session
}

/// A session whose far end takes down what it hears until the Close frame, which it answers.
async fn heard(served: &mut Served) -> (Session, JoinHandle<Vec<String>>) {
    let (session, mut far, _) = served.open(&[PLAIN_OFFER]).await;
    let hearing = tokio::spawn(async move {
        let expected = script().len();
        let mut heard = Vec::new();
        while heard.len() < expected {
            heard.push(String::from_utf8(far.message().await.data).unwrap());
        }
        let close = far.wire.frame().await;
        assert_eq!(close.close_code(), Some(1000), "a message came twice: {close:?}");
        far.wire.send(&wire::masked(wire::CLOSE, &close.payload)).await;
        heard
    });
    (session, hearing)
}

#[tokio::test]
async fn receive_dropped_at_any_poll_loses_and_doubles_nothing() {
    for mode in MODES {
        let mut served = Served::start(options(mode)).await;
        for polls in POLLS {
            let mut session = told(&mut served).await;
            let mut heard = Vec::new();
            loop {
                match interrupted(session.receive(), polls).await {
                    None => {}
                    Some(Ok(Some(message))) => {
                        heard.push(String::from_utf8(message.as_bytes().to_vec()).unwrap())
                    }
                    Some(end) => break assert!(matches!(end, Ok(None)), "{end:?}"),
                }
            }
            assert_eq!(heard, script(), "{mode:?}, dropped after {polls} polls");
        }
    }
}

#[tokio::test]
async fn send_dropped_while_it_waits_leaves_nothing_in_the_window() {
    for mode in MODES {
        // Every message is over the soft mark, so each `send` but the first waits for the one before it.
        let mut served = Served::start(options(mode).send_queue(1, 1)).await;
        let mut dropped = 0;
        for polls in POLLS {
            let (session, hearing) = heard(&mut served).await;
            for text in script() {
                while interrupted(session.send(text.as_str()), polls).await.map(Result::unwrap).is_none() {
                    dropped += 1;
                }
            }
            session.close(CloseReason::NORMAL).await;
            assert_eq!(hearing.await.unwrap(), script(), "{mode:?}, dropped after {polls} polls");
        }
        assert!(dropped > 0, "{mode:?}");
    }
}

#[tokio::test]
async fn sends_of_secrets_dropped_while_they_wait_change_no_other_message() {
    for mode in MODES {
        let mut served = Served::start(options(mode).send_queue(1, 1)).await;
        for polls in POLLS {
            let (session, hearing) = heard(&mut served).await;
            for (index, text) in script().into_iter().enumerate() {
                // A secret that is given up, in front of each message.
                let secret = session.sender().uncompressed();
                if index > 0 {
                    assert!(interrupted(secret.send("never".repeat(50)), 1).await.is_none());
                }
                while interrupted(session.send(text.as_str()), polls).await.map(Result::unwrap).is_none() {}
            }
            session.close(CloseReason::NORMAL).await;
            assert_eq!(hearing.await.unwrap(), script(), "{mode:?}, dropped after {polls} polls");
        }
    }
}

/// The bytes of a conversation, split at each place in turn, or everywhere.
#[tokio::test]
async fn any_split_of_the_bytes_gives_the_same_messages() {
    for mode in MODES {
        let mut served = Served::start(options(mode)).await;
        let (_session, mut far, _) = served.open(&[PLAIN_OFFER]).await;
        let bytes: Vec<u8> = script().iter().flat_map(|text| far.pack(text.as_bytes())).collect();
        let mut splits: Vec<Vec<&[u8]>> =
            (1..bytes.len()).map(|at| vec![&bytes[..at], &bytes[at..]]).collect();
        splits.push(bytes.chunks(1).collect());
        for parts in splits {
            let (mut session, mut far, _) = served.open(&[PLAIN_OFFER]).await;
            let telling = async {
                for part in &parts {
                    far.wire.send(part).await;
                    tokio::task::yield_now().await;
                }
            };
            let hearing = async {
                for text in script() {
                    let message = wire::in_time(session.receive()).await.unwrap();
                    assert_eq!(message, Some(Message::from(text.as_bytes())), "{mode:?}, {}", parts[0].len());
                }
            };
            tokio::join!(telling, hearing);
        }
    }
}
