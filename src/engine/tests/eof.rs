//! RFC 6455 §7.1.5: TCP ends, or breaks, in every phase.

use std::io::ErrorKind;

use super::{Solo, Wire, harness::only_closed, harness::text, masked};
use crate::{
    engine::{CloseCause, ClosedBy, Phase},
    frame::{CloseReason, Role},
};

#[test]
fn eof_while_open_is_an_end_by_the_peer() {
    let mut server = Solo::server();
    server.send("dropped".into()).unwrap();
    let events = server.eof();
    let closed = only_closed(&events);
    assert_eq!((closed.by, closed.cause), (ClosedBy::Peer, CloseCause::Eof));
    assert_eq!((closed.sent, closed.received), (None, None));
    assert_eq!((server.sent(), server.eof(), server.phase()), (vec![], vec![], Phase::Done));
    assert!(!server.engine.wants_bytes());
}

#[test]
fn eof_inside_a_message_delivers_nothing_of_it() {
    let mut server = Solo::server();
    server.feed_frame(0x01, "half");
    server.feed(&masked(0x80, "cut off")[..9]);
    let events = server.eof();
    assert_eq!(only_closed(&events).cause, CloseCause::Eof);
}

#[test]
fn messages_received_before_the_eof_come_before_closed() {
    let mut server = Solo::server();
    server.hand(&masked(0x81, "last words"));
    let events = server.eof();
    assert_eq!(events[0], text("last words"));
    assert_eq!(only_closed(&events[1..]).cause, CloseCause::Eof);
}

#[test]
fn eof_instead_of_an_answer_ends_a_local_close() {
    let mut client = Solo::client();
    client.engine.close(CloseReason::NORMAL, client.now);
    client.flush();
    let events = client.eof();
    let closed = only_closed(&events);
    assert_eq!((closed.by, closed.cause), (ClosedBy::Local, CloseCause::Handshake));
    assert_eq!((closed.sent, closed.received), (Some(CloseReason::NORMAL), None));
    assert_eq!(client.phase(), Phase::Done);
}

#[test]
fn eof_behind_the_close_of_the_peer_does_not_keep_the_answer_back() {
    let mut server = Solo::server();
    server.feed_frame(0x88, b"\x03\xe8");
    assert_eq!((server.eof(), server.phase()), (vec![], Phase::Answering));
    assert_eq!(server.sent(), [Wire::close(1000, "")]);
    assert_eq!(server.phase(), Phase::Done);
    assert!(server.end().is_clean());
}

#[test]
fn eof_behind_a_fault_does_not_keep_the_close_back() {
    let mut client = Solo::client();
    client.feed([0x83, 0]);
    assert_eq!((client.eof(), client.phase()), (vec![], Phase::Failing));
    assert_eq!(client.sent().last().and_then(Wire::close_code), Some(1002));
    assert_eq!(client.phase(), Phase::Done);
}

#[test]
fn eof_while_draining_is_the_end() {
    for role in [Role::Server, Role::Client] {
        let mut solo = Solo::with(super::config(role));
        solo.feed_frame(0x88, "");
        solo.flush();
        assert_eq!(solo.phase(), Phase::Draining);
        assert!(only_closed(&solo.eof()).is_clean());
        assert_eq!((solo.phase(), solo.engine.poll_timeout()), (Phase::Done, None));
    }
}

#[test]
fn broken_transport_is_told_by_its_kind_and_only_once() {
    let mut server = Solo::server();
    server.send("dropped".into()).unwrap();
    server.write(3);
    server.engine.handle_error(ErrorKind::ConnectionReset, server.now);
    server.engine.handle_error(ErrorKind::BrokenPipe, server.now);
    server.engine.handle_eof(server.now);
    let events = server.events();
    assert_eq!(only_closed(&events).cause, CloseCause::Transport(ErrorKind::ConnectionReset));
    assert_eq!(server.engine.poll_timeout(), None);
}

#[test]
fn broken_transport_after_the_closing_handshake_changes_nothing() {
    let mut server = Solo::server();
    server.feed_frame(0x88, "");
    server.flush();
    server.engine.handle_error(ErrorKind::ConnectionReset, server.now);
    assert_eq!(server.end().cause, CloseCause::Handshake);
}

#[test]
fn broken_transport_while_answering_keeps_what_the_peer_said() {
    let mut server = Solo::server();
    server.feed_frame(0x88, b"\x03\xe9");
    server.engine.handle_error(ErrorKind::BrokenPipe, server.now);
    let closed = server.end();
    assert_eq!((closed.sent, closed.by), (None, ClosedBy::Peer));
    assert_eq!(closed.received.map(|reason| reason.code().get()), Some(1001));
}
