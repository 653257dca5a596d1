//! A peer that reads is no slow peer: what a policy drops, refuses or closes for is what the transport does not take.
#![allow(clippy::unwrap_used)]

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::SeqCst},
};

use converse::{Client, Overflow, Server, Session, SessionOptions};

const MESSAGES: usize = 50;
const LEN: usize = 10_000;
/// Both marks are below what is sent at once.
const MARKS: (usize, usize) = (16 * 1024, 64 * 1024);

/// Sends the history of a room, from the handler or from a task of its own; returns how many messages a client that
/// reads has received.
async fn received(overflow: Overflow, apart: bool) -> usize {
    let options = SessionOptions::default().overflow(overflow).send_queue(MARKS.0, MARKS.1);
    let refused = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&refused);
    let server = Server::new(options).route("/", move |session: Session| {
        let refused = Arc::clone(&counted);
        async move {
            let sender = session.sender();
            let history = async move {
                for _ in 0..MESSAGES {
                    if sender.send(vec![7; LEN]).await.is_err() {
                        refused.fetch_add(1, SeqCst);
                    }
                }
            };
            if apart {
                tokio::spawn(history).await.unwrap();
            } else {
                history.await;
            }
            session.flush().await
        }
    });
    let server = server.bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/", server.local_addr());
    let serving = tokio::spawn(server.serve());
    let mut client = Client::new(SessionOptions::default()).connect(&url).await.unwrap();
    let mut count = 0;
    while let Ok(Some(message)) = client.receive().await {
        assert_eq!(message.len(), LEN);
        count += 1;
    }
    serving.abort();
    assert_eq!(refused.load(SeqCst), 0);
    count
}

/// On one thread, so that the client reads whenever it has its turn.
#[tokio::test]
async fn a_peer_that_reads_gets_all_that_is_sent_under_each_policy() {
    use Overflow::{Close, Conflate, DropNewest, DropOldest, Fail};
    let policies = [Close, Fail, DropNewest, DropOldest, Conflate];
    for (overflow, apart) in policies.into_iter().flat_map(|policy| [(policy, false), (policy, true)]) {
        let count = received(overflow, apart).await;
        assert_eq!(count, MESSAGES, "{overflow:?}, in a task of its own: {apart}");
    }
}

/// A message that is longer than what may wait beside another one.
#[tokio::test]
async fn a_long_message_behind_a_short_one_finds_room_where_the_peer_reads() {
    for overflow in [Overflow::Close, Overflow::Fail, Overflow::DropNewest] {
        let options = SessionOptions::default().overflow(overflow);
        let server = Server::new(options).route("/", |session: Session| async move {
            session.send(vec![7; 1000]).await?;
            session.send(vec![7; 1024 * 1024]).await?;
            session.flush().await
        });
        let server = server.bind("127.0.0.1:0").await.unwrap();
        let url = format!("ws://{}/", server.local_addr());
        let serving = tokio::spawn(server.serve());
        let mut client = Client::new(SessionOptions::default()).connect(&url).await.unwrap();
        let mut lens = Vec::new();
        while let Ok(Some(message)) = client.receive().await {
            lens.push(message.len());
        }
        assert_eq!(lens, [1000, 1024 * 1024], "{overflow:?}");
        serving.abort();
    }
}
