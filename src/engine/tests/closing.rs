//! RFC 6455 §5.5.1 and §7: the closing handshake, by either end and by both.

use super::{Pair, Solo, Wire, config, harness::only_closed, harness::text, masked, ms};
use crate::{
    engine::{CloseCause, ClosedBy, EngineConfig, Phase, SendRefused},
    frame::{CloseCode, CloseReason, Role},
};

fn bye(text: &'static str) -> CloseReason {
    CloseReason::new(CloseCode::NORMAL, text)
}

#[test]
fn close_of_the_peer_is_answered_with_its_own_code_and_text() {
    let mut server = Solo::server();
    assert_eq!(server.feed_frame(0x88, b"\x0b\xb8bye"), []);
    assert_eq!(server.phase(), Phase::Answering);
    assert_eq!(server.sent(), [Wire::close(3000, "bye")]);
    let closed = server.end();
    assert_eq!((closed.by, closed.cause), (ClosedBy::Peer, CloseCause::Handshake));
    assert_eq!((closed.sent.clone(), closed.is_clean()), (closed.received.clone(), true));
    assert!(server.engine.wants_shutdown(), "the server ends TCP first");
    assert_eq!(server.engine.closed().map(|closed| (**closed).clone()), Some(closed));
}

#[test]
fn empty_close_is_answered_empty() {
    let mut client = Solo::client();
    client.feed_frame(0x88, "");
    assert_eq!(client.sent(), [Wire::new(0x88, "")]);
    assert_eq!(client.end().received, Some(CloseReason::EMPTY));
    assert!(!client.engine.wants_shutdown(), "the client lets the server end TCP");
}

#[test]
fn close_payload_of_one_byte_is_refused_with_1002() {
    let mut server = Solo::server();
    assert_eq!(server.feed_frame(0x88, [3]), []);
    assert_eq!(server.has_failed_with(1002).received, None);
}

#[test]
fn close_codes_that_may_not_be_sent_are_refused_with_1002() {
    for code in [0_u16, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535] {
        let mut server = Solo::server();
        assert_eq!(server.feed_frame(0x88, code.to_be_bytes()), [], "{code}");
        server.has_failed_with(1002);
    }
}

#[test]
fn close_text_that_is_not_utf8_is_refused_with_1007() {
    for text in [&b"\x03\xe8\xff"[..], b"\x03\xe8\xce"] {
        let mut client = Solo::client();
        assert_eq!(client.feed_frame(0x88, text), []);
        client.has_failed_with(1007);
    }
}

#[test]
fn local_close_leaves_behind_queued_data() {
    let mut server = Solo::with(EngineConfig { fragment_size: 16 * 1024, ..config(Role::Server) });
    server.send(vec![7; 300_000].into()).unwrap();
    assert!(server.engine.close(bye("done"), server.now));
    assert!(!server.engine.close(bye("again"), server.now));
    let sent = server.sent();
    let data: usize = sent.iter().filter(|wire| wire.head & 8 == 0).map(|wire| wire.payload.len()).sum();
    assert_eq!((data, sent.last()), (300_000, Some(&Wire::close(1000, "done"))));
    assert_eq!((server.phase(), server.events()), (Phase::Closing, vec![]));
    assert_eq!(server.feed_frame(0x81, "still heard"), [text("still heard")]);
    let events = server.feed_frame(0x88, b"\x03\xe9");
    let closed = only_closed(&events);
    assert_eq!((closed.by, closed.received.map(|r| r.code().get())), (ClosedBy::Local, Some(1001)));
    assert_eq!(server.sent(), []);
}

#[test]
fn message_after_a_local_close_comes_back_to_the_sender() {
    let mut client = Solo::client();
    client.engine.close(CloseReason::NORMAL, client.now);
    match client.send("late".into()) {
        Err(SendRefused::Closed(message)) => assert_eq!(message.as_text(), Some("late")),
        other => panic!("{other:?}"),
    }
    assert!(!client.engine.send_copied(crate::frame::OpCode::Text, b"late"));
    assert_eq!(client.engine.ping(client.now), None);
    assert_eq!(client.sent(), [Wire::close(1000, "")]);
}

#[test]
fn close_of_the_peer_lets_queued_data_leave_before_the_answer() {
    let mut server = Solo::server();
    server.send("behind".into()).unwrap();
    server.feed_frame(0x88, "");
    assert_eq!(server.sent(), [Wire::new(0x81, "behind"), Wire::new(0x88, "")]);
}

#[test]
fn both_ends_close_at_once() {
    let mut pair = Pair::new();
    pair.client.engine.close(bye("c"), pair.client.now);
    pair.server.engine.close(bye("s"), pair.server.now);
    let (to_client, to_server) = pair.carry();
    let (client, server) = (only_closed(&to_client), only_closed(&to_server));
    assert_eq!((client.by, server.by), (ClosedBy::Local, ClosedBy::Local));
    assert_eq!((client.sent, client.received), (Some(bye("c")), Some(bye("s"))));
    assert_eq!((server.sent, server.received), (Some(bye("s")), Some(bye("c"))));
    assert_eq!((pair.client.phase(), pair.server.phase()), (Phase::Draining, Phase::Draining));
}

#[test]
fn close_of_the_peer_crosses_one_that_still_waits_behind_data() {
    let mut server = Solo::server();
    server.send(vec![7; 200_000].into()).unwrap();
    server.engine.close(bye("mine"), server.now);
    server.write(10);
    server.feed_frame(0x88, b"\x03\xe9");
    assert_eq!(server.phase(), Phase::Answering);
    let closed = server.end();
    assert_eq!(closed.sent, Some(bye("mine")));
    assert_eq!(closed.by, ClosedBy::Local);
    assert!(closed.is_clean());
}

#[test]
fn fault_is_answered_behind_accepted_data() {
    let mut server = Solo::server();
    server.send(vec![7; 100_000].into()).unwrap();
    server.send("before".into()).unwrap();
    let begun = server.write(10);
    server.feed([0x83, 0x80]);
    server.send("the reply to what came before".into()).unwrap();
    let sent = Wire::parse(&[begun, server.flush()].concat(), Role::Server);
    let [.., before, reply, close] = &sent[..] else { panic!("{sent:?}") };
    assert_eq!(before, &Wire::new(0x81, "before"));
    assert_eq!(reply, &Wire::new(0x81, "the reply to what came before"));
    assert_eq!(close.close_code(), Some(1002));
    assert_eq!(server.engine.queued(), 0);
    assert!(server.send("after".into()).is_err());
}

#[test]
fn fault_behind_a_sent_close_puts_out_no_second_one() {
    let mut client = Solo::client();
    client.engine.close(bye("one"), client.now);
    assert_eq!(client.sent(), [Wire::close(1000, "one")]);
    assert_eq!(client.feed_frame(0x83, "").len(), 1);
    assert_eq!((client.sent(), client.phase()), (vec![], Phase::Draining));
    let closed = client.engine.closed().unwrap();
    assert_eq!(closed.sent, Some(bye("one")));
    assert!(matches!(closed.cause, CloseCause::Violation(_)));
    assert!(client.engine.wants_shutdown());
}

#[test]
fn fault_while_the_close_is_on_its_way_puts_out_no_second_one() {
    let mut server = Solo::server();
    server.engine.close(bye("one"), server.now);
    let begun = server.write(3);
    server.feed([0x83, 0x80]);
    let sent = Wire::parse(&[begun, server.flush()].concat(), Role::Server);
    assert_eq!(sent, [Wire::close(1000, "one")]);
    let closed = server.end();
    assert_eq!(closed.sent, Some(bye("one")));
    assert!(matches!(closed.cause, CloseCause::Violation(_)));
}

#[test]
fn fault_takes_the_place_of_a_close_that_still_waits() {
    let mut server = Solo::server();
    server.send("dropped".into()).unwrap();
    server.engine.close(bye("waits"), server.now);
    server.feed([0x83, 0x80]);
    server.has_failed_with(1002);
}

#[test]
fn close_now_drops_queued_data() {
    let mut server = Solo::server();
    server.send("dropped".into()).unwrap();
    server.engine.close_now(CloseReason::new(CloseCode::GOING_AWAY, "stop"), server.now);
    assert_eq!(server.sent(), [Wire::close(1001, "stop")]);
    let closed = server.end();
    assert_eq!((closed.by, closed.cause), (ClosedBy::Local, CloseCause::Overflow));
    assert_eq!(closed.received, None);
}

#[test]
fn abort_says_nothing_more() {
    let mut server = Solo::server();
    server.send("dropped".into()).unwrap();
    server.engine.abort(server.now);
    assert_eq!((server.flush(), server.phase()), (vec![], Phase::Done));
    assert_eq!(server.end().cause, CloseCause::Aborted);
    server.engine.abort(server.now);
    assert_eq!(server.events(), []);
}

#[test]
fn bytes_behind_the_close_of_the_peer_are_taken_and_dropped() {
    let mut server = Solo::server();
    let bytes = [masked(0x88, ""), masked(0x81, "late"), vec![0xff; 100]].concat();
    assert_eq!(server.hand(&bytes), bytes.len());
    assert_eq!(server.sent(), [Wire::new(0x88, "")]);
    assert!(server.end().is_clean());
}

#[test]
fn close_that_is_half_written_is_not_told_as_sent() {
    let mut server = Solo::server();
    server.engine.close(bye("cut off"), server.now);
    server.write(3);
    server.wait(ms(5000));
    let events = server.events();
    assert_eq!(only_closed(&events).sent, None);
}

#[test]
fn local_close_is_normal_only_if_it_left() {
    let mut server = Solo::server();
    server.send("lost".into()).unwrap();
    server.engine.close(CloseReason::NORMAL, server.now);
    server.engine.handle_error(std::io::ErrorKind::ConnectionReset, server.now);
    assert!(!server.end().is_normal());
    let mut server = Solo::server();
    server.send("left".into()).unwrap();
    server.engine.close(CloseReason::NORMAL, server.now);
    server.flush();
    server.engine.handle_error(std::io::ErrorKind::ConnectionReset, server.now);
    assert!(server.end().is_normal());
}

#[test]
fn nobody_takes_messages_after_stop_delivery() {
    let mut server = Solo::server();
    server.hand(&masked(0x81, "dropped"));
    server.engine.stop_delivery();
    for _ in 0..100 {
        assert_eq!(server.feed_frame(0x81, "dropped too"), []);
    }
    assert!(server.engine.wants_bytes());
    server.feed_frame(0x88, "");
    server.flush();
    assert_eq!(server.events(), []);
    assert!(server.engine.closed().unwrap().is_clean());
}
