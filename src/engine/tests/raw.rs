//! Raw mode: every frame goes to the application, which answers control frames itself.

use super::{Solo, Wire, harness::only_closed, harness::raw_frame, secs};
use crate::{
    engine::{CloseCause, ClosedBy, FrameRefused, Phase},
    frame::{CloseCode, CloseReason, Frame, OpCode, Role, Rsv},
};

fn bye() -> CloseReason {
    CloseReason::new(CloseCode::NORMAL, "bye")
}

#[test]
fn every_frame_is_delivered_and_none_is_answered() {
    let mut server = Solo::raw(Role::Server);
    assert_eq!(server.feed_frame(0x01, "a"), [raw_frame(Frame::text("a").unfinished())]);
    assert_eq!(server.feed_frame(0x89, "p"), [raw_frame(Frame::ping("p").unwrap())]);
    assert_eq!(server.feed_frame(0x80, "b"), [raw_frame(Frame::continuation("b", true))]);
    assert_eq!(server.feed_frame(0x8a, "q"), [raw_frame(Frame::pong("q").unwrap())]);
    assert_eq!(server.feed_frame(0x82, [0xff]), [raw_frame(Frame::binary(vec![0xff]))]);
    assert_eq!(server.sent(), []);
}

#[test]
fn header_rules_hold_in_raw_mode_too() {
    for (bytes, code) in [
        (&[0x83, 0x80][..], 1002),
        (&[0x81, 0x00], 1002),
        (&[0xc1, 0x80], 1002),
        (&[0x80, 0x80, 0, 0, 0, 0], 1002),
        (&[0x88, 0x81, 0, 0, 0, 0, 7], 1002),
        (&[0x88, 0x83, 0, 0, 0, 0, 3, 0xe8, 0xff], 1007),
    ] {
        let mut server = Solo::raw(Role::Server);
        assert_eq!(server.feed(bytes), []);
        server.has_failed_with(code);
    }
}

#[test]
fn frames_leave_as_they_are() {
    let mut server = Solo::raw(Role::Server);
    let frames = [
        Frame::text("a").unfinished(),
        Frame::ping("p").unwrap(),
        Frame::continuation("", false),
        Frame::continuation("b", true),
        Frame::pong("unasked").unwrap(),
        Frame::binary("c"),
    ];
    for frame in frames {
        server.engine.send_frame(frame, server.now).unwrap();
    }
    let heads: Vec<u8> = server.sent().iter().map(|wire| wire.head).collect();
    assert_eq!(heads, [0x01, 0x89, 0x00, 0x80, 0x8a, 0x82]);
}

#[test]
fn frame_that_breaks_the_protocol_is_refused_and_changes_nothing() {
    let mut server = Solo::raw(Role::Server);
    let now = server.now;
    let long = vec![b'x'; 126];
    let control = |opcode, payload: &[u8], fin| Frame { opcode, fin, ..Frame::binary(payload.to_vec()) };
    let mut refuse = |frame: Frame| server.engine.send_frame(frame, now).unwrap_err();
    for opcode in [OpCode::Ping, OpCode::Pong, OpCode::Close] {
        assert_eq!(refuse(control(opcode, &long, true)), FrameRefused::BadControl, "{opcode:?}");
        assert_eq!(refuse(control(opcode, b"", false)), FrameRefused::BadControl, "{opcode:?}");
    }
    assert_eq!(refuse(control(OpCode::Close, &[3], true)), FrameRefused::BadClose);
    assert_eq!(refuse(control(OpCode::Close, &[3, 0xee], true)), FrameRefused::BadClose);
    assert_eq!(refuse(control(OpCode::Close, &[3, 0xe8, 0xff], true)), FrameRefused::BadClose);
    assert_eq!(refuse(Frame { rsv: Rsv::RSV1, ..Frame::text("x") }), FrameRefused::ReservedBit);
    assert_eq!(refuse(Frame { rsv: Rsv::RSV1, ..Frame::close(&bye()) }), FrameRefused::ReservedBit);
    assert_eq!(refuse(Frame::continuation("x", true)), FrameRefused::OutOfOrder);
    server.engine.send_frame(Frame::text("x").unfinished(), now).unwrap();
    assert_eq!(server.engine.send_frame(Frame::text("y"), now), Err(FrameRefused::OutOfOrder));
    server.engine.send_frame(Frame::continuation("z", true), now).unwrap();
    assert_eq!(server.sent(), [Wire::new(0x01, "x"), Wire::new(0x80, "z")]);
    assert_eq!(server.phase(), Phase::Open);
}

#[test]
fn longest_legal_close_payload_is_taken() {
    let mut server = Solo::raw(Role::Server);
    let payload = [&[3, 0xe8][..], &[b'x'; 123]].concat();
    let close = Frame { opcode: OpCode::Close, ..Frame::binary(payload.clone()) };
    server.engine.send_frame(close, server.now).unwrap();
    assert_eq!(server.sent(), [Wire::new(0x88, payload)]);
}

#[test]
fn close_of_the_peer_waits_for_the_application_to_answer() {
    let mut server = Solo::raw(Role::Server);
    assert_eq!(server.feed_frame(0x88, b"\x03\xe8bye"), [raw_frame(Frame::close(&bye()))]);
    assert_eq!((server.sent(), server.phase()), (vec![], Phase::Answering));
    assert_eq!(server.engine.send_frame(Frame::text("late"), server.now), Err(FrameRefused::Closed));
    server.engine.send_frame(Frame::close(&CloseReason::EMPTY), server.now).unwrap();
    let again = server.engine.send_frame(Frame::close(&bye()), server.now);
    assert_eq!(again, Err(FrameRefused::Closed));
    assert_eq!(server.sent(), [Wire::new(0x88, "")]);
    let closed = server.end();
    assert_eq!((closed.by, closed.cause), (ClosedBy::Peer, CloseCause::Handshake));
    assert_eq!((closed.sent, closed.received), (Some(CloseReason::EMPTY), Some(bye())));
}

#[test]
fn close_of_the_peer_may_be_answered_by_close_as_well() {
    let mut client = Solo::raw(Role::Client);
    client.feed_frame(0x88, "");
    assert!(client.engine.close(bye(), client.now));
    assert!(!client.engine.close(bye(), client.now));
    assert_eq!(client.sent(), [Wire::close(1000, "bye")]);
    assert!(client.end().is_clean());
}

#[test]
fn close_of_the_peer_may_be_answered_by_close_now_as_well() {
    let mut server = Solo::raw(Role::Server);
    server.feed_frame(0x88, "");
    server.engine.close_now(bye(), server.now);
    server.engine.close_now(CloseReason::EMPTY, server.now);
    assert_eq!(server.sent(), [Wire::close(1000, "bye")]);
    assert!(server.end().is_clean());
}

#[test]
fn application_that_never_answers_a_close_is_given_up() {
    let mut server = Solo::raw(Role::Server);
    server.feed_frame(0x88, "");
    server.wait(secs(5));
    let events = server.events();
    assert_eq!(only_closed(&events).cause, CloseCause::CloseTimeout);
    assert!(!server.engine.close(bye(), server.now));
}

#[test]
fn answer_of_the_peer_to_a_local_close_is_delivered_before_closed() {
    let mut server = Solo::raw(Role::Server);
    server.engine.send_frame(Frame::close(&bye()), server.now).unwrap();
    assert_eq!(server.sent(), [Wire::close(1000, "bye")]);
    let events = server.feed_frame(0x88, b"\x03\xe8bye");
    assert_eq!(events[0], raw_frame(Frame::close(&bye())));
    let closed = only_closed(&events[1..]);
    assert_eq!((closed.by, closed.is_clean()), (ClosedBy::Local, true));
    assert_eq!(server.sent(), []);
}

#[test]
fn close_leaves_behind_the_frames_before_it_and_nothing_follows() {
    let mut server = Solo::raw(Role::Server);
    server.engine.send_frame(Frame::text("first"), server.now).unwrap();
    server.engine.send_frame(Frame::close(&bye()), server.now).unwrap();
    for frame in [Frame::text("late"), Frame::ping("late").unwrap(), Frame::close(&bye())] {
        assert_eq!(server.engine.send_frame(frame, server.now), Err(FrameRefused::Closed));
    }
    assert_eq!(server.sent(), [Wire::new(0x81, "first"), Wire::close(1000, "bye")]);
}

#[test]
fn pings_of_this_end_still_leave_between_fragments() {
    let mut server = Solo::raw(Role::Server);
    server.engine.send_frame(Frame::text("open").unfinished(), server.now).unwrap();
    server.flush();
    server.wait(secs(20));
    assert_eq!(server.sent(), [Wire::new(0x89, [0, 0, 0, 1])]);
    let pong = Frame::pong(vec![0, 0, 0, 1]).unwrap();
    assert_eq!(server.feed_frame(0x8a, [0, 0, 0, 1]), [raw_frame(pong)]);
    assert!(server.engine.answered_ping().is_some());
}

#[test]
fn nothing_is_sent_behind_a_fault() {
    let mut server = Solo::raw(Role::Server);
    server.feed([0x83, 0x80]);
    assert_eq!(server.engine.send_frame(Frame::text("x"), server.now), Err(FrameRefused::Closed));
    assert_eq!(server.engine.send_frame(Frame::close(&bye()), server.now), Err(FrameRefused::Closed));
    server.has_failed_with(1002);
}
