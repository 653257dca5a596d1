//! An application that has a tokio-tungstenite stream adopts typed messages with one line.
#![allow(clippy::unwrap_used)]

use converse::{CloseCode, CloseReason, Message, Session, SessionOptions};
use futures::{SinkExt, StreamExt};
use serde::{Deserialize, Serialize};
use tokio::io::{DuplexStream, duplex};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{self, protocol::Role},
};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Chat {
    text: String,
}

async fn pair() -> (Session, WebSocketStream<DuplexStream>) {
    let (ours, theirs) = duplex(1000);
    let server = WebSocketStream::from_raw_socket(ours, Role::Server, None).await;
    let client = WebSocketStream::from_raw_socket(theirs, Role::Client, None).await;
    (Session::from_tungstenite(server, &SessionOptions::default()), client)
}

#[tokio::test(start_paused = true)]
async fn typed_messages_go_both_ways() {
    let (mut session, mut client) = pair().await;
    client.send(r#"{"text":"hello"}"#.into()).await.unwrap();
    let received: Option<Chat> = session.receive_deserialized().await.unwrap();
    assert_eq!(received, Some(Chat { text: "hello".to_owned() }));
    session.send_serialized(&Chat { text: "hi".to_owned() }).await.unwrap();
    assert_eq!(client.next().await.unwrap().unwrap(), r#"{"text":"hi"}"#.into());
}

#[tokio::test(start_paused = true)]
async fn a_large_message_passes_whole() {
    let (mut session, mut client) = pair().await;
    let payload = vec![7; 500_000];
    let (sent, received) = tokio::join!(client.send(payload.clone().into()), session.receive());
    sent.unwrap();
    assert_eq!(received.unwrap(), Some(Message::binary(payload.clone())));
    let (sent, received) = tokio::join!(session.send(payload.clone()), client.next());
    sent.unwrap();
    assert_eq!(received.unwrap().unwrap(), payload.into());
}

#[tokio::test(start_paused = true)]
async fn both_ends_can_close() {
    let (session, mut client) = pair().await;
    let closing = CloseReason::new(CloseCode::GOING_AWAY, "bye");
    let reading = async { while let Some(Ok(_)) = client.next().await {} };
    let (closed, ()) = tokio::join!(session.close(closing.clone()), reading);
    assert_eq!((closed.sent.as_ref(), closed.received.as_ref()), (Some(&closing), Some(&closing)));

    let (mut session, mut client) = pair().await;
    client.close(None).await.unwrap();
    let (received, _) = tokio::join!(session.receive(), client.next());
    assert_eq!(received.unwrap(), None);
    let closed = session.closed().await;
    assert_eq!(
        (closed.sent.as_ref(), closed.received.as_ref()),
        (Some(&CloseReason::EMPTY), Some(&CloseReason::EMPTY))
    );
}

#[tokio::test(start_paused = true)]
async fn pings_keep_a_silent_peer_and_find_a_dead_one() {
    let (session, mut client) = pair().await;
    let reading = tokio::spawn(async move {
        let mut pings = 0;
        while pings < 3 {
            pings += usize::from(matches!(client.next().await, Some(Ok(tungstenite::Message::Ping(_)))));
        }
        client
    });
    let client = reading.await.unwrap();
    let closed = session.closed().await;
    assert_eq!(closed.cause, converse::CloseCause::PingTimeout);
    drop(client);
}
