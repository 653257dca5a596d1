//! Pings of this end, and the silence they make sure of.

use super::{Pair, Solo, Wire, config, harness::only_closed, harness::text, masked, ms, secs};
use crate::{
    engine::{CloseCause, EngineConfig, Phase},
    frame::Role,
};

fn ping(id: u32) -> Wire {
    Wire::new(0x89, id.to_be_bytes())
}

#[test]
fn ping_leaves_after_the_interval_of_silence() {
    let mut server = Solo::server();
    server.wait(ms(19_999));
    assert_eq!(server.sent(), []);
    server.wait(ms(1));
    assert_eq!(server.sent(), [ping(1)]);
}

#[test]
fn any_byte_puts_the_ping_off() {
    let mut server = Solo::server();
    for byte in masked(0x82, [7; 10]) {
        server.wait(secs(1));
        server.feed([byte]);
    }
    server.wait(ms(19_999));
    assert_eq!(server.sent(), []);
    server.wait(ms(1));
    assert_eq!(server.sent(), [ping(1)]);
}

#[test]
fn silence_after_a_ping_ends_the_connection_with_1011() {
    let mut server = Solo::server();
    server.wait(secs(20));
    assert_eq!(server.sent(), [ping(1)]);
    server.wait(secs(19));
    assert_eq!(server.phase(), Phase::Open);
    server.wait(secs(1));
    assert_eq!(server.sent().last().and_then(Wire::close_code), Some(1011));
    let closed = server.end();
    assert_eq!((closed.cause, closed.received), (CloseCause::PingTimeout, None));
}

#[test]
fn silent_peer_that_takes_no_close_is_given_up_and_told_as_ping_timeout() {
    let mut server = Solo::server();
    server.wait(secs(20));
    assert_eq!(server.sent(), [ping(1)]);
    server.wait(secs(20));
    assert_eq!(server.phase(), Phase::Failing);
    server.wait(secs(5));
    let events = server.events();
    let closed = only_closed(&events);
    assert_eq!((closed.cause, closed.sent), (CloseCause::PingTimeout, None));
    assert_eq!((server.phase(), server.engine.poll_timeout()), (Phase::Done, None));
}

#[test]
fn any_byte_after_a_ping_is_a_sign_of_life() {
    let mut server = Solo::server();
    server.wait(secs(20));
    assert_eq!(server.sent(), [ping(1)]);
    server.wait(secs(10));
    server.feed(&masked(0x81, "x")[..1]);
    server.wait(ms(19_999));
    assert_eq!((server.sent(), server.phase()), (vec![], Phase::Open));
    server.wait(ms(1));
    assert_eq!(server.sent(), [ping(2)]);
}

#[test]
fn pong_tells_the_round_trip() {
    let mut client = Solo::client();
    assert_eq!(client.engine.ping(client.now), Some(1));
    assert_eq!(client.engine.ping(client.now), Some(1), "one ping is under way at a time");
    assert_eq!(client.sent(), [ping(1)]);
    client.wait(ms(70));
    client.feed_frame(0x8a, 2_u32.to_be_bytes());
    assert_eq!(client.engine.answered_ping(), None);
    client.feed_frame(0x8a, 1_u32.to_be_bytes());
    assert_eq!(client.engine.answered_ping(), Some((1, ms(70))));
    assert_eq!(client.engine.ping(client.now), Some(2));
}

#[test]
fn asked_for_ping_is_watched_even_without_an_interval() {
    let mut client = Solo::with(EngineConfig { ping_interval: None, ..config(Role::Client) });
    assert_eq!(client.engine.poll_timeout(), None);
    client.engine.ping(client.now);
    assert_eq!(client.sent(), [ping(1)]);
    client.wait(secs(20));
    assert_eq!(client.phase(), Phase::Failing);
}

#[test]
fn two_live_ends_stay_open() {
    let mut pair = Pair::new();
    for _ in 0..300 {
        pair.client.wait(secs(1));
        pair.server.wait(secs(1));
        assert_eq!(pair.carry(), (vec![], vec![]));
    }
    assert_eq!((pair.client.phase(), pair.server.phase()), (Phase::Open, Phase::Open));
}

#[test]
fn silence_is_excused_while_the_inbox_is_full() {
    let mut server = Solo::server();
    server.hand(&masked(0x81, "x").repeat(64));
    server.wait(secs(1000));
    assert_eq!((server.sent(), server.phase()), (vec![], Phase::Open));
    assert_eq!(server.events(), vec![text("x"); 64]);
    server.wait(secs(40));
    assert_eq!(server.sent(), [ping(1)]);
    server.wait(secs(19));
    assert_eq!(server.phase(), Phase::Open);
    server.wait(secs(1));
    assert_eq!(server.phase(), Phase::Failing);
}

#[test]
fn ping_that_has_not_left_is_not_held_against_the_peer() {
    let mut server = Solo::server();
    server.wait(secs(1000));
    assert_eq!(server.phase(), Phase::Open);
    let [left] = &server.sent()[..] else { panic!("one ping waits, the newest") };
    server.wait(secs(19));
    server.feed_frame(0x8a, &left.payload);
    server.wait(secs(19));
    assert_eq!(server.phase(), Phase::Open);
}

#[test]
fn silence_is_excused_when_the_inbox_was_full_until_a_moment_ago() {
    let mut server = Solo::server();
    server.hand(&masked(0x81, "x").repeat(64));
    server.engine.ping(server.now);
    server.wait(ms(19_999));
    assert_eq!(server.events().len(), 64);
    server.wait(ms(1));
    assert_eq!(server.phase(), Phase::Open, "the pong may wait in the socket");
}

#[test]
fn interval_and_timeout_change_while_open() {
    let mut server = Solo::server();
    server.engine.reconfigure(|config| {
        config.ping_interval = Some(secs(2));
        config.timeout = secs(3);
    });
    server.wait(secs(2));
    assert_eq!(server.sent(), [ping(1)]);
    server.wait(secs(3));
    assert_eq!(server.phase(), Phase::Failing);
    let mut server = Solo::server();
    server.engine.reconfigure(|config| config.ping_interval = None);
    server.wait(secs(1000));
    assert_eq!((server.sent(), server.phase()), (vec![], Phase::Open));
}

#[test]
fn close_of_this_end_is_watched_by_its_own_deadline_and_not_by_pings() {
    let mut server = Solo::with(EngineConfig { close_timeout: secs(100), ..config(Role::Server) });
    server.engine.close(crate::frame::CloseReason::NORMAL, server.now);
    server.flush();
    server.wait(secs(99));
    assert_eq!((server.sent(), server.phase()), (vec![], Phase::Closing));
}
