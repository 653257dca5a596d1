//! A peer that stops reading, or floods: who waits, how much is held, and that nobody else notices. Knows the
//! policy that waits; the others are in session_overflow.rs.
#![allow(clippy::unwrap_used)]

mod support;

use std::time::Duration;

use converse::{
    CloseCause, Message, SessionOptions,
    frame::Role,
    session::{SendErrorKind, Session, SessionError},
};
use support::{PING, PONG, Peer, TEXT, frame_bytes, pair, settle, with_peer};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, duplex},
    time::Instant,
};

/// No timer acts, and the marks are 1,000 and 4,000 bytes.
fn marked() -> SessionOptions {
    let never = Duration::from_secs(1_000_000);
    SessionOptions::default().ping_interval(None).write_timeout(never).send_queue(1_000, 4_000)
}

fn full(error: SessionError) -> Message {
    match error {
        SessionError::Send(refused) => {
            assert_eq!(*refused.kind(), SendErrorKind::Full);
            refused.into_message()
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn send_waits_for_a_reader_that_stopped_and_resumes_with_it() {
    let (session, mut peer) = with_peer(64, &marked());
    let sender = session.sender();
    let send = tokio::spawn(async move {
        for index in 0..100 {
            sender.send(format!("{index:098}")).await.unwrap();
        }
    });
    settle().await;
    // 64 bytes are in the transport; the queue went over its mark by less than a message.
    assert!(!send.is_finished());
    let queued = session.sender().queued_bytes();
    assert!((1_000..1_100).contains(&queued), "{queued}");
    for index in 0..100 {
        assert_eq!(peer.text().await, (TEXT, format!("{index:098}")));
        assert!(session.sender().queued_bytes() < 1_100);
    }
    send.await.unwrap();
    settle().await;
    assert_eq!(session.sender().queued_bytes(), 0);
    assert_eq!(session.sender().dropped_messages(), 0);
}

#[tokio::test(start_paused = true)]
async fn try_send_refuses_at_the_mark_and_gives_the_message_back() {
    let (session, mut peer) = with_peer(64, &marked());
    let mut taken = 0;
    let back = loop {
        match session.try_send(format!("{taken:098}")) {
            Ok(()) => taken += 1,
            Err(error) => break full(error),
        }
    };
    assert_eq!((taken, back), (10, Message::text(format!("{:098}", 10))));
    assert_eq!(session.sender().queued_bytes(), 1_000);
    let value = "typed";
    let refused = session.sender().try_send_serialized(value).unwrap_err();
    assert_eq!(full(refused), Message::text("\"typed\""));
    for index in 0..10 {
        assert_eq!(peer.text().await, (TEXT, format!("{index:098}")));
    }
    settle().await;
    session.try_send("again").unwrap();
    assert_eq!(peer.text().await, (TEXT, "again".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn senders_that_wait_leave_in_the_order_of_their_calls() {
    let (session, mut peer) = with_peer(64, &marked());
    while session.try_send("x".repeat(98)).is_ok() {}
    let mut senders = Vec::new();
    for index in 0..50 {
        let sender = session.sender();
        let message = format!("{index:0400}");
        senders.push(tokio::spawn(async move { sender.send(message).await.unwrap() }));
        tokio::task::yield_now().await;
    }
    let mut heard = Vec::new();
    while heard.len() < 50 {
        let (_, text) = peer.text().await;
        if text.len() == 400 {
            heard.push(text);
        }
    }
    let expected: Vec<String> = (0..50).map(|index| format!("{index:0400}")).collect();
    assert_eq!(heard, expected);
    for sender in senders {
        sender.await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_room_is_not_overtaken_for_ever() {
    let (session, mut peer) = with_peer(64, &marked().send_queue(100, 100));
    session.send("x".repeat(98)).await.unwrap();
    let patient = session.sender();
    let patient = tokio::spawn(async move { patient.send("patient").await.unwrap() });
    settle().await;
    for _ in 0..3 {
        let greedy = session.sender();
        tokio::spawn(async move { while greedy.send("g".repeat(98)).await.is_ok() {} });
    }
    let mut before = 0;
    while peer.text().await.1 != "patient" {
        before += 1;
        assert!(before < 10, "overtaken {before} times");
    }
    patient.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn other_sessions_do_not_notice_a_reader_that_stopped() {
    let (stuck, _peer) = with_peer(64, &marked());
    while stuck.try_send("x".repeat(98)).is_ok() {}
    let (session, mut other) = pair(64, &marked());
    for index in 0..100 {
        let text = format!("{index:098}");
        session.send(text.as_str()).await.unwrap();
        assert_eq!(other.receive().await.unwrap(), Some(Message::from(text)));
    }
    assert_eq!(session.sender().queued_bytes(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_message_over_the_hard_mark_is_sent_when_the_queue_is_empty() {
    for overflow in [
        converse::Overflow::Wait,
        converse::Overflow::Fail,
        converse::Overflow::DropNewest,
        converse::Overflow::DropOldest,
        converse::Overflow::Conflate,
        converse::Overflow::Close,
    ] {
        let (session, mut peer) = with_peer(64, &marked().overflow(overflow));
        for _ in 0..3 {
            session.send("x".repeat(20_000)).await.unwrap();
            assert_eq!(peer.text().await, (TEXT, "x".repeat(20_000)), "{overflow:?}");
            session.flush().await.unwrap();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_flood_to_a_session_that_never_receives_stops_in_the_transport() {
    let options = marked().receive_queue(1_000);
    let (mut session, peer) = with_peer(256, &options);
    let mut io = peer.io;
    let flood = tokio::spawn(async move {
        let frame = frame_bytes(TEXT, &[b'x'; 100], true);
        let mut written = 0;
        while written < 100 * frame.len() {
            io.write_all(&frame).await.unwrap();
            written += frame.len();
        }
        io
    });
    settle().await;
    // What is held is the inbox, what came with its last message, and what the transport holds.
    assert!(!flood.is_finished());
    for _ in 0..100 {
        assert_eq!(session.receive().await.unwrap(), Some(Message::text("x".repeat(100))));
    }
    flood.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn how_much_a_flood_gets_rid_of_is_bounded() {
    for (size, receive_queue) in [(0, 1_000), (1, 1_000_000), (100, 1_000), (100, 1)] {
        let (mut here, there) = duplex(512);
        let _session = Session::over(there, Role::Server, &marked().receive_queue(receive_queue));
        let frame = frame_bytes(TEXT, &vec![b'x'; size], true);
        let mut taken = 0;
        while tokio::time::timeout(Duration::from_secs(3600), here.write_all(&frame)).await.is_ok() {
            taken += 1;
            assert!(taken < 10_000);
        }
        // The transport once in its own buffer and once in what the driver has read of it.
        let frames = (receive_queue / size.max(1) + 1).min(64) + 2 * 512 / frame.len() + 1;
        assert!(taken <= frames, "{taken} frames of {size} bytes, expected {frames} at most");
    }
}

#[tokio::test(start_paused = true)]
async fn pings_of_a_peer_that_never_reads_are_answered_with_the_newest() {
    let (session, peer) = with_peer(1024, &marked());
    let (mut read, mut write) = tokio::io::split(peer.io);
    for index in 0..2_000_u32 {
        write.write_all(&frame_bytes(PING, &index.to_be_bytes(), true)).await.unwrap();
    }
    settle().await;
    let queued = session.sender().queued_bytes();
    assert!(queued < 8 * 1024, "{queued}");
    let mut last = 0;
    let mut count = 0;
    while last != 1_999 {
        let mut frame = [0; 6];
        read.read_exact(&mut frame).await.unwrap();
        assert_eq!(frame[..2], [PONG, 4]);
        let pong = u32::from_be_bytes(frame[2..].try_into().unwrap());
        assert!(count == 0 || pong > last);
        (last, count) = (pong, count + 1);
    }
    assert!(count < 2_000, "{count}");
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_takes_no_byte_is_cut_after_the_write_timeout() {
    let options = SessionOptions::default().write_timeout(Duration::from_secs(7)).ping_interval(None);
    let (mut session, peer) = with_peer(64, &options);
    let began = Instant::now();
    session.send("x".repeat(1_000)).await.unwrap();
    let sender = session.sender();
    let flush = tokio::spawn(async move { sender.flush().await });
    match session.receive().await.unwrap_err() {
        SessionError::Closed(closed) => assert_eq!(closed.cause, CloseCause::WriteTimeout),
        other => panic!("{other:?}"),
    }
    assert_eq!(began.elapsed().as_secs(), 7);
    assert!(matches!(flush.await.unwrap(), Err(SessionError::Closed(_))));
    drop(peer);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_reads_slowly_is_not_cut() {
    let options = SessionOptions::default().write_timeout(Duration::from_secs(7)).ping_interval(None);
    let (session, mut peer) = with_peer(64, &options);
    session.send("x".repeat(1_000)).await.unwrap();
    for _ in 0..1_004 {
        tokio::time::sleep(Duration::from_secs(6)).await;
        peer.io.read_u8().await.unwrap();
    }
    session.flush().await.unwrap();
    session.send("still here").await.unwrap();
    assert_eq!(Peer::client(peer.io).text().await, (TEXT, "still here".to_owned()));
}
