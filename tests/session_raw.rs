//! Sessions of frames, end to end over TCP. Knows no message.
#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use std::future::Future;

use bytes::Bytes;
use converse::{
    Client, CloseCode, CloseReason, Frame, OpCode, Overflow, RawSession, Server, SessionOptions,
    frame::Rsv,
    server::ServerHandle,
    session::{FrameRefused, SessionError},
};
use support::{Peer, interrupted};
use tokio::{sync::mpsc, task::JoinHandle};

fn quiet() -> SessionOptions {
    SessionOptions::default().ping_interval(None)
}

struct Running {
    url: String,
    handle: ServerHandle,
    serve: JoinHandle<()>,
}

impl Running {
    async fn raw<H, F>(options: SessionOptions, handler: H) -> Self
    where
        H: Fn(RawSession) -> F + Send + Sync + 'static,
        F: Future<Output = Result<(), SessionError>> + Send + 'static,
    {
        let server = Server::new(options).route_raw("/", handler).bind("127.0.0.1:0").await.unwrap();
        let (url, handle) = (format!("ws://{}/", server.local_addr()), server.handle());
        Self { url, handle, serve: tokio::spawn(server.serve()) }
    }

    async fn connect(&self) -> RawSession {
        Client::new(quiet()).connect_raw(&self.url).await.unwrap()
    }

    async fn stop(self) {
        self.handle.stop();
        self.serve.await.unwrap();
    }
}

async fn echo(mut session: RawSession) -> Result<(), SessionError> {
    while let Some(frame) = session.receive().await? {
        if frame.opcode == OpCode::Close {
            break;
        }
        session.send(frame).await?;
    }
    Ok(())
}

fn script() -> Vec<Frame> {
    vec![
        Frame::text("whole"),
        Frame::text("").unfinished(),
        Frame::ping("between").unwrap(),
        Frame::continuation(vec![b'x'; 300], false),
        Frame::pong("unasked").unwrap(),
        Frame::continuation("", true),
        Frame::binary(vec![0xff; 70_000]),
        // Nobody looks at text here.
        Frame::text(vec![0xff, 0xfe]),
    ]
}

#[tokio::test]
async fn frames_arrive_as_they_were_sent() {
    let server = Running::raw(quiet(), echo).await;
    let mut client = server.connect().await;
    for frame in script() {
        client.send(frame).await.unwrap();
    }
    for frame in script() {
        assert_eq!(client.receive().await.unwrap(), Some(frame));
    }
    client.send(Frame::close(&CloseReason::NORMAL)).await.unwrap();
    assert_eq!(client.receive().await.unwrap(), Some(Frame::close(&CloseReason::NORMAL)));
    assert_eq!(client.receive().await.unwrap(), None);
    assert!(client.closed().await.is_clean());
    server.stop().await;
}

#[tokio::test]
async fn pings_and_closes_are_the_owners_to_answer() {
    let server = Running::raw(quiet(), |mut session| async move {
        let ping = session.receive().await?.unwrap();
        assert_eq!(ping, Frame::ping("anybody?").unwrap());
        session.send(Frame::text("heard")).await?;
        session.send(Frame::pong(ping.payload).unwrap()).await?;
        let close = session.receive().await?.unwrap();
        assert_eq!(close.opcode, OpCode::Close);
        session.send(Frame::text("not any more")).await.unwrap_err();
        session.send(Frame::close(&CloseReason::new(CloseCode::GOING_AWAY, "my own words"))).await?;
        assert!(session.receive().await?.is_none());
        Ok(())
    })
    .await;
    let mut client = server.connect().await;
    client.send(Frame::ping("anybody?").unwrap()).await.unwrap();
    assert_eq!(client.receive().await.unwrap(), Some(Frame::text("heard")));
    assert_eq!(client.receive().await.unwrap(), Frame::pong("anybody?"));
    let closed = client.close(CloseReason::NORMAL).await;
    assert_eq!(closed.sent, Some(CloseReason::NORMAL));
    assert_eq!(closed.received, Some(CloseReason::new(CloseCode::GOING_AWAY, "my own words")));
    server.stop().await;
}

#[tokio::test]
async fn a_frame_that_breaks_a_rule_comes_back_and_the_session_goes_on() {
    let server = Running::raw(quiet(), echo).await;
    let mut client = server.connect().await;
    let long = Bytes::from(vec![b'x'; 126]);
    let whole = |opcode, payload: Bytes| Frame { fin: true, rsv: Rsv::NONE, opcode, payload };
    for (frame, why) in [
        (whole(OpCode::Ping, long.clone()), FrameRefused::BadControl),
        (whole(OpCode::Pong, Bytes::new()).unfinished(), FrameRefused::BadControl),
        (whole(OpCode::Close, Bytes::from([&[3, 0xe8], &long[2..]].concat())), FrameRefused::BadControl),
        (whole(OpCode::Close, Bytes::from_static(&[3])), FrameRefused::BadClose),
        (whole(OpCode::Close, Bytes::from_static(&[3, 0xed])), FrameRefused::BadClose),
        (whole(OpCode::Close, Bytes::from_static(&[3, 0xe8, 0xff])), FrameRefused::BadClose),
        (Frame { rsv: Rsv::RSV1, ..Frame::text("x") }, FrameRefused::ReservedBit),
        (Frame::continuation("x", true), FrameRefused::OutOfOrder),
    ] {
        let refused = client.send(frame.clone()).await.unwrap_err();
        assert_eq!((refused.why(), refused.into_frame()), (why, frame));
    }
    client.send(Frame::text("begins").unfinished()).await.unwrap();
    let refused = client.send(Frame::text("inside")).await.unwrap_err();
    assert_eq!((refused.why(), refused.into_frame()), (FrameRefused::OutOfOrder, Frame::text("inside")));
    client.send(Frame::continuation("ends", true)).await.unwrap();
    assert_eq!(client.receive().await.unwrap(), Some(Frame::text("begins").unfinished()));
    assert_eq!(client.receive().await.unwrap(), Some(Frame::continuation("ends", true)));
    client.close(CloseReason::NORMAL).await;
    let refused = client.send(Frame::text("too late")).await.unwrap_err();
    assert_eq!((refused.why(), refused.into_frame()), (FrameRefused::Closed, Frame::text("too late")));
    server.stop().await;
}

#[tokio::test]
async fn a_send_waits_for_a_reader_that_stopped_whatever_the_policy() {
    for overflow in [Overflow::Wait, Overflow::Fail, Overflow::DropNewest, Overflow::DropOldest] {
        let (tell, mut told) = mpsc::unbounded_channel();
        let options = quiet().overflow(overflow).max_message_size(2 << 20);
        let server = Running::raw(options, move |session| {
            let tell = tell.clone();
            async move {
                let frame = Frame::binary(vec![0; 1 << 20]);
                let mut sent = 0;
                // Far more than the system's buffers take.
                while sent < 256 && interrupted(session.send(frame.clone()), 100).await.is_some() {
                    sent += 1;
                }
                // Once the close has begun there is nothing to wait for.
                assert!(interrupted(session.close(CloseReason::NORMAL), 1).await.is_none());
                let refused = interrupted(session.send(frame), 100).await.unwrap().unwrap_err();
                assert_eq!(refused.why(), FrameRefused::Closed);
                tell.send(sent).unwrap();
                session.closed().await;
                Ok::<_, SessionError>(())
            }
        })
        .await;
        let client = server.connect().await;
        let sent = told.recv().await;
        assert!(sent.is_some_and(|sent| sent < 256), "{sent:?} under {overflow:?}");
        drop(client);
        server.serve.abort();
    }
}

#[tokio::test]
async fn receive_and_send_dropped_at_any_poll_lose_and_double_nothing() {
    for polls in 1..=30 {
        let server = Running::raw(quiet().send_queue(1, 1), move |mut session| async move {
            loop {
                let Some(frame) = interrupted(session.receive(), polls).await else { continue };
                match frame? {
                    Some(frame) if frame.opcode != OpCode::Close => {
                        while interrupted(session.send(frame.clone()), polls).await.transpose()?.is_none() {}
                    }
                    _ => return Ok(()),
                }
            }
        })
        .await;
        let mut client = server.connect().await;
        for frame in script() {
            client.send(frame).await.unwrap();
        }
        for frame in script() {
            assert_eq!(client.receive().await.unwrap(), Some(frame), "dropped after {polls} polls");
        }
        client.close(CloseReason::NORMAL).await;
        server.stop().await;
    }
}

#[tokio::test]
async fn framing_rules_hold_for_the_peer_as_well() {
    let server = Running::raw(quiet(), |mut session| async move {
        match session.receive().await {
            Err(SessionError::Closed(_)) => Ok(()),
            other => panic!("{other:?}"),
        }
    })
    .await;
    for (first, payload) in [(0x80, "stray"), (0xc1, "reserved bit"), (0x83, "opcode"), (0x09, "in parts")] {
        let client = server.connect_by_hand().await;
        let mut peer = Peer::client(client);
        peer.send(first, payload).await;
        assert_eq!(peer.closing().await.0, 1002, "{payload}");
    }
    server.stop().await;
}

impl Running {
    /// An upgraded connection of which only TCP is left.
    async fn connect_by_hand(&self) -> tokio::net::TcpStream {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let address = self.url.trim_start_matches("ws://").trim_end_matches('/');
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let request = format!(
            "GET / HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        stream
    }
}

#[tokio::test]
async fn a_raw_handlers_end_closes_the_connection() {
    let server = Running::raw(quiet(), |_| async { Ok(()) }).await;
    let mut client = server.connect().await;
    assert_eq!(client.receive().await.unwrap(), Some(Frame::close(&CloseReason::NORMAL)));
    assert_eq!(client.close(CloseReason::NORMAL).await.sent, Some(CloseReason::NORMAL));
    server.stop().await;
}
