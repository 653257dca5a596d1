//! Deadlines other than the ping's: the close, a stalled write, a slow message, the end of TCP.

use std::time::Duration;

use super::{Solo, Wire, config, harness::only_closed, masked, ms, secs};
use crate::{
    engine::{CloseCause, ClosedBy, EngineConfig, Phase},
    frame::{CloseReason, Role},
};

#[test]
fn peer_that_does_not_answer_a_close_is_given_up() {
    let mut client = Solo::client();
    client.engine.close(CloseReason::NORMAL, client.now);
    client.flush();
    client.wait(ms(4999));
    assert_eq!((client.phase(), client.events()), (Phase::Closing, vec![]));
    client.wait(ms(1));
    let events = client.events();
    let closed = only_closed(&events);
    assert_eq!((closed.by, closed.cause), (ClosedBy::Local, CloseCause::CloseTimeout));
    assert_eq!((closed.sent, closed.received), (Some(CloseReason::NORMAL), None));
    assert_eq!((client.phase(), client.engine.poll_timeout()), (Phase::Done, None));
}

#[test]
fn answer_that_cannot_leave_is_given_up() {
    let mut server = Solo::server();
    server.feed_frame(0x88, "");
    server.wait(secs(5));
    let events = server.events();
    let closed = only_closed(&events);
    assert_eq!((closed.by, closed.cause), (ClosedBy::Peer, CloseCause::CloseTimeout));
    assert_eq!(closed.received, Some(CloseReason::EMPTY));
}

#[test]
fn close_of_the_peer_does_not_prolong_a_local_one_that_cannot_leave() {
    let mut server = Solo::server();
    server.engine.close(CloseReason::NORMAL, server.now);
    server.wait(ms(4999));
    server.feed_frame(0x88, "");
    assert_eq!(server.phase(), Phase::Answering);
    server.wait(ms(1));
    assert_eq!(server.phase(), Phase::Done);
}

#[test]
fn fault_whose_close_cannot_leave_is_still_told_as_a_violation() {
    let mut server = Solo::server();
    server.feed([0x83, 0x80]);
    server.wait(secs(5));
    let events = server.events();
    let closed = only_closed(&events);
    assert!(matches!(closed.cause, CloseCause::Violation(_)));
    assert_eq!(closed.sent, None);
}

#[test]
fn server_lingers_half_a_second_for_the_end_of_tcp() {
    let mut server = Solo::server();
    server.feed_frame(0x88, "");
    server.flush();
    assert!(server.engine.wants_shutdown());
    server.wait(ms(499));
    assert_eq!(server.phase(), Phase::Draining);
    server.wait(ms(1));
    assert_eq!((server.phase(), server.engine.poll_timeout()), (Phase::Done, None));
    assert!(server.end().is_clean());
}

#[test]
fn client_waits_for_the_server_to_end_tcp_for_the_close_timeout() {
    let mut client = Solo::client();
    client.feed_frame(0x88, "");
    client.flush();
    client.wait(ms(4999));
    assert_eq!((client.phase(), client.engine.wants_shutdown()), (Phase::Draining, false));
    client.wait(ms(1));
    assert_eq!(client.phase(), Phase::Done);
    assert_eq!(client.end().cause, CloseCause::Handshake);
}

#[test]
fn client_that_refuses_the_server_ends_tcp_itself() {
    let mut client = Solo::client();
    client.feed([0x83, 0]);
    client.flush();
    assert!(client.engine.wants_shutdown());
    client.wait(ms(1999));
    assert_eq!(client.phase(), Phase::Draining);
    client.wait(ms(1));
    assert_eq!(client.phase(), Phase::Done);
}

#[test]
fn peer_that_is_still_sending_behind_the_verdict_is_heard_out_for_the_close_timeout() {
    let mut server = Solo::server();
    server.feed([0x83, 0x80]);
    server.flush();
    for _ in 0..4 {
        server.wait(ms(1100));
        server.feed([7; 1000]);
        assert_eq!(server.phase(), Phase::Draining);
    }
    server.wait(ms(599));
    assert_eq!(server.phase(), Phase::Draining);
    server.wait(ms(1));
    assert_eq!(server.phase(), Phase::Done);
}

#[test]
fn peer_that_sends_without_end_behind_the_verdict_is_heard_out_for_64_mib() {
    let mut server = Solo::server();
    server.feed([0x83, 0x80]);
    server.flush();
    for _ in 0..64 {
        assert_eq!(server.phase(), Phase::Draining);
        server.feed(vec![7; 1 << 20]);
    }
    server.feed([7]);
    assert_eq!(server.phase(), Phase::Done);
}

#[test]
fn application_hears_of_the_end_though_the_peer_does_not_take_the_close_frame() {
    let mut server = Solo::server();
    server.send(vec![7; 1000].into()).unwrap();
    server.write(1);
    server.feed([0x83, 0x80]);
    assert_eq!(server.events(), []);
    server.write(0);
    let events = server.events();
    let closed = only_closed(&events);
    assert!(matches!(closed.cause, CloseCause::Violation(_)) && closed.sent.is_none(), "{closed:?}");
    server.wait(ms(4000));
    assert_eq!(server.phase(), Phase::Failing);
    // The peer reads on, and the end is told once.
    server.flush();
    assert_eq!((server.events(), server.phase()), (vec![], Phase::Draining));
    let sent = server.engine.closed().and_then(|closed| closed.sent.clone());
    assert_eq!(sent.map(|reason| reason.code().get()), Some(1002));
}

#[test]
fn ping_that_bytes_stand_in_front_of_waits_while_they_are_acknowledged_up_to_a_limit() {
    let mut server = Solo::server();
    server.wait(secs(20));
    assert_eq!(server.sent(), [Wire::new(0x89, 1_u32.to_be_bytes())]);
    let mut missing = 1_000_000;
    let mut passed = 0;
    while server.phase() == Phase::Open {
        let at = server.engine.poll_timeout().unwrap();
        passed += at.saturating_duration_since(server.now).as_millis();
        server.now = server.now.max(at);
        missing -= 1;
        server.engine.handle_timeout(server.now, || Some(missing));
    }
    // `max_write_time` of 100 s.
    assert_eq!(passed, 100_000);
    assert_eq!(server.end().cause, CloseCause::PingTimeout);
}

#[test]
fn peer_that_takes_no_byte_is_given_up() {
    let mut server = Solo::server();
    server.send(vec![7; 1000].into()).unwrap();
    server.write(0);
    server.wait(ms(9999));
    server.write(1);
    server.wait(ms(9999));
    assert_eq!(server.phase(), Phase::Open);
    server.wait(ms(1));
    let events = server.events();
    let closed = only_closed(&events);
    assert_eq!((closed.by, closed.cause), (ClosedBy::Local, CloseCause::WriteTimeout));
    assert_eq!((server.phase(), server.engine.poll_timeout()), (Phase::Done, None));
}

#[test]
fn write_that_begins_after_a_long_quiet_has_its_whole_time() {
    let mut server = Solo::with(EngineConfig { ping_interval: None, ..config(Role::Server) });
    server.wait(secs(1000));
    server.send("x".into()).unwrap();
    server.write(0);
    server.wait(ms(9999));
    assert_eq!(server.phase(), Phase::Open);
}

#[test]
fn message_of_which_little_comes_is_refused_with_1008() {
    let mut server = Solo::server();
    server.feed_frame(0x01, "be");
    for _ in 0..3 {
        server.wait(secs(29));
        server.feed_frame(0x00, "x".repeat(16 * 1024));
    }
    server.wait(secs(15));
    server.feed_frame(0x00, "x".repeat(10_000));
    server.wait(ms(14_999));
    assert_eq!(server.phase(), Phase::Open);
    server.wait(ms(1));
    server.has_failed_with(1008);
}

#[test]
fn message_that_takes_too_long_is_refused_with_1008() {
    let mut server = Solo::server();
    server.feed_frame(0x01, "be");
    for _ in 0..23 {
        server.wait(secs(5));
        server.feed_frame(0x00, "x".repeat(16 * 1024));
    }
    server.wait(ms(4999));
    assert_eq!(server.phase(), Phase::Open);
    server.wait(ms(1));
    server.has_failed_with(1008);
}

#[test]
fn single_frame_that_takes_too_long_is_refused_with_1008() {
    let mut server = Solo::server();
    for byte in masked(0x82, [7; 100]) {
        server.feed([byte]);
        server.wait(ms(400));
        if server.phase() != Phase::Open {
            break;
        }
    }
    server.has_failed_with(1008);
}

#[test]
fn whole_message_stops_the_clock() {
    let mut server = Solo::server();
    server.feed_frame(0x01, "a");
    server.wait(secs(15));
    server.feed_frame(0x80, "b");
    server.feed_frame(0x01, "c");
    server.wait(secs(19));
    server.feed_frame(0x89, "");
    server.wait(secs(10));
    assert_eq!(server.phase(), Phase::Open);
    server.wait(secs(1));
    server.has_failed_with(1008);
}

#[test]
fn slow_message_is_excused_when_this_end_did_not_read() {
    let config = EngineConfig { raw: true, receive_queue: 5, ping_interval: None, ..config(Role::Server) };
    let mut server = Solo::with(config);
    server.hand(&[masked(0x01, "open"), masked(0x89, "filling")].concat());
    server.wait(ms(29_999));
    assert_eq!(server.events().len(), 2);
    server.wait(ms(1));
    assert_eq!(server.phase(), Phase::Open, "the rest may wait in the socket");
    server.wait(secs(30));
    server.has_failed_with(1008);
}

#[test]
fn time_without_end_never_comes() {
    let endless = EngineConfig {
        ping_interval: Some(Duration::MAX),
        timeout: Duration::MAX,
        close_timeout: Duration::MAX,
        write_timeout: Duration::MAX,
        message_timeout: Some(Duration::MAX),
        ..config(Role::Client)
    };
    let mut client = Solo::with(endless);
    client.feed_frame(0x01, "open");
    client.engine.ping(client.now);
    client.send("x".into()).unwrap();
    client.write(1);
    client.wait(secs(1_000_000));
    client.engine.close(CloseReason::NORMAL, client.now);
    client.wait(secs(1_000_000));
    assert_eq!((client.phase(), client.engine.poll_timeout()), (Phase::Closing, None));
    client.flush();
    client.feed_frame(0x88, "");
    assert_eq!((client.sent(), client.phase()), (Vec::<Wire>::new(), Phase::Draining));
    client.wait(secs(1_000_000));
    assert_eq!(client.phase(), Phase::Draining);
}

#[test]
fn close_waits_while_the_peer_still_sends_up_to_a_limit() {
    let mut client = Solo::client();
    client.engine.close(CloseReason::NORMAL, client.now);
    client.flush();
    for _ in 0..3 {
        client.wait(ms(4900));
        client.feed_frame(0x82, "more");
        assert_eq!(client.phase(), Phase::Closing);
    }
    client.wait(ms(4999));
    assert_eq!(client.phase(), Phase::Closing);
    client.wait(ms(1));
    assert_eq!((client.phase(), client.end().cause), (Phase::Done, CloseCause::CloseTimeout));

    let mut client = Solo::client();
    client.engine.close(CloseReason::NORMAL, client.now);
    client.flush();
    for _ in 0..59 {
        client.wait(secs(1));
        client.feed_frame(0x82, "more");
    }
    assert_eq!(client.phase(), Phase::Closing);
    client.wait(secs(1));
    assert_eq!(client.phase(), Phase::Done);
}

#[test]
fn ping_is_not_late_while_what_was_sent_is_acknowledged() {
    let mut server = Solo::server();
    server.send(vec![7; 100_000].into()).unwrap();
    server.write(60_000);
    let id = server.engine.ping(server.now);
    server.write(1);
    assert!(id.is_some());
    let mut missing = 60_000;
    for _ in 0..12 {
        // As a slow peer does, which reads and answers no ping.
        server.now += secs(5);
        missing -= 4_000;
        server.engine.handle_timeout(server.now, || Some(missing));
        server.write(4_000);
        missing += 3_000;
        assert_eq!(server.phase(), Phase::Open);
    }
}

#[test]
fn connection_that_is_dropped_while_it_closes_was_aborted() {
    let mut server = Solo::server();
    server.engine.close(CloseReason::NORMAL, server.now);
    server.flush();
    server.engine.abort(server.now);
    assert_eq!(server.end().cause, CloseCause::Aborted);
}

#[test]
fn verdict_that_is_on_its_way_to_a_slow_peer_has_the_time_of_a_write() {
    for draining in [false, true] {
        let mut server = Solo::server();
        server.send(vec![7; 10_000].into()).unwrap();
        server.write(5_000);
        server.feed([0x83, 0x80]);
        if draining {
            server.flush();
        } else {
            server.write(1);
        }
        let phase = server.phase();
        assert_eq!(phase, if draining { Phase::Draining } else { Phase::Failing });
        // Acknowledged nine seconds apart.
        let mut missing = 10_000;
        for _ in 0..3 {
            for _ in 0..9 {
                server.now += secs(1);
                server.engine.handle_timeout(server.now, || Some(missing));
                assert_eq!(server.phase(), phase);
            }
            missing -= 3_000;
        }
    }
}
