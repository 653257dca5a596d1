//! Options at the ends of their ranges: for ever and at once, everything and nothing. None of them panics.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod wire;

use std::time::Duration;

use converse::{Client, CloseReason, Server, SessionOptions};
use wire::{echo, in_time, run};

fn all(time: Duration, bytes: usize) -> SessionOptions {
    SessionOptions::default()
        .ping_interval(time)
        .timeout(time)
        .close_timeout(time)
        .write_timeout(time)
        .message_timeout(time)
        .max_message_size(bytes)
        .max_frame_size(bytes)
        .fragment_size(bytes)
        .send_queue(bytes, bytes)
        .receive_queue(bytes)
}

#[tokio::test]
async fn the_longest_times_and_largest_sizes_mean_no_limit() {
    let server = Server::new(all(Duration::MAX, usize::MAX)).route("/", echo);
    let server = server.handshake_timeout(Duration::MAX).shutdown_timeout(Duration::MAX);
    let server = run(server.max_connections(usize::MAX).bind("127.0.0.1:0").await.unwrap());
    let client = Client::new(all(Duration::MAX, usize::MAX)).connect_timeout(Duration::MAX);
    let url = format!("ws://{}/", server.address);
    let mut session = in_time(client.connect(&url)).await.unwrap();
    session.set_ping_interval(Duration::MAX);
    session.set_timeout(Duration::MAX);
    for size in [0, 1, 100_000] {
        session.send(vec![7; size]).await.unwrap();
        assert_eq!(in_time(session.receive()).await.unwrap(), Some(vec![7; size].into()));
    }
    in_time(session.ping()).await.unwrap();
    assert!(in_time(session.close(CloseReason::NORMAL)).await.is_clean());
    let _second = in_time(client.connect(&url)).await.unwrap();
    server.handle.stop();
    in_time(server.task).await.unwrap();
}

#[tokio::test]
async fn no_time_and_no_size_at_all_refuse_and_end() {
    let server = Server::new(all(Duration::ZERO, 0)).route("/", echo).shutdown_timeout(Duration::ZERO);
    let server = run(server.bind("127.0.0.1:0").await.unwrap());
    let url = format!("ws://{}/", server.address);
    let mut session = in_time(Client::new(SessionOptions::default()).connect(&url)).await.unwrap();
    let _ = session.send("not even a byte").await;
    let _ = in_time(session.receive()).await;
    in_time(session.closed()).await;
    let hasty = Client::new(all(Duration::ZERO, 0)).connect_timeout(Duration::ZERO);
    // No time is up to a millisecond: what matters is that it ends, one way or the other.
    if let Ok(session) = in_time(hasty.connect(&url)).await {
        in_time(session.closed()).await;
    }
    server.handle.stop();
    in_time(server.task).await.unwrap();
}
