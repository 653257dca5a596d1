//! RFC 6455 §5.5: pings, pongs and the rules of control frames.

use super::{Solo, Wire, config, frame, harness::text, masked};
use crate::engine::{EngineConfig, Phase};
use crate::frame::Role;

#[test]
fn control_frame_over_125_bytes_is_refused_with_1002() {
    for head in [0x88, 0x89, 0x8a] {
        let mut server = Solo::server();
        assert_eq!(server.feed(masked(head, [b'x'; 126])), []);
        server.has_failed_with(1002);
    }
    let mut server = Solo::server();
    assert_eq!(server.feed(masked(0x89, [b'x'; 125])), []);
    assert_eq!(server.sent(), [Wire::new(0x8a, [b'x'; 125])]);
}

#[test]
fn fragmented_control_frame_is_refused_with_1002() {
    for head in [0x08, 0x09, 0x0a] {
        let mut client = Solo::client();
        assert_eq!(client.feed(frame(head, "")), []);
        client.has_failed_with(1002);
    }
}

#[test]
fn ten_pings_in_one_read_get_ten_pongs_in_order() {
    let mut client = Solo::client();
    let pings: Vec<u8> = (0..10).flat_map(|i| frame(0x89, [i])).collect();
    assert_eq!(client.feed(pings), []);
    let pongs: Vec<Wire> = (0..10).map(|i| Wire::new(0x8a, [i])).collect();
    assert_eq!(client.sent(), pongs);
}

#[test]
fn unsolicited_pong_is_ignored() {
    let mut server = Solo::server();
    assert_eq!(server.feed_frame(0x8a, "hm"), []);
    assert_eq!(server.feed_frame(0x8a, 1_u32.to_be_bytes()), []);
    assert_eq!((server.sent(), server.phase()), (vec![], Phase::Open));
    assert_eq!(server.engine.answered_ping(), None);
}

#[test]
fn two_million_pings_to_a_peer_that_reads_nothing_stay_in_64_kib_and_the_newest_wins() {
    let mut server = Solo::server();
    let burst: Vec<u8> = (0..1000).flat_map(|_| masked(0x89, [b'x'; 125])).collect();
    for _ in 0..2000 {
        assert_eq!(server.hand(&burst), burst.len());
    }
    server.hand(&masked(0x89, "newest"));
    let sent = server.flush();
    assert!(sent.len() < 64 * 1024, "{} bytes", sent.len());
    assert_eq!(Wire::parse(&sent, Role::Server).last(), Some(&Wire::new(0x8a, "newest")));
}

#[test]
fn ping_flood_after_what_was_given_out_adds_no_more_than_one_bound() {
    let mut server = Solo::server();
    let burst: Vec<u8> = (0..1000).flat_map(|_| masked(0x89, "x")).collect();
    server.hand(&burst);
    server.engine.poll_output(&mut server.socket, false, server.now);
    let given = server.socket.len();
    for _ in 0..100 {
        server.hand(&burst);
    }
    assert_eq!(server.socket.len(), given);
    assert!(server.flush().len() < 2 * 4096);
}

#[test]
fn pong_passes_queued_data_at_a_frame_boundary() {
    let mut server = Solo::with(EngineConfig { fragment_size: 16 * 1024, ..config(Role::Server) });
    server.send(vec![7; 1 << 20].into()).unwrap();
    let mut sent = server.write(10_000);
    server.feed_frame(0x89, "quick");
    sent.extend(server.flush());
    let frames = Wire::parse(&sent, Role::Server);
    let place = frames.iter().position(|wire| *wire == Wire::new(0x8a, "quick")).unwrap();
    assert_eq!(place, 1, "the pong is frame {place} of {}", frames.len());
    let data: usize = frames.iter().filter(|wire| wire.head & 8 == 0).map(|wire| wire.payload.len()).sum();
    assert_eq!(data, 1 << 20);
}

#[test]
fn ping_while_the_inbox_is_full_is_answered_once_it_is_read() {
    let mut server = Solo::server();
    let bytes = [masked(0x81, "x").repeat(64), masked(0x89, "later")].concat();
    let taken = server.hand(&bytes);
    assert_eq!(taken, bytes.len() - masked(0x89, "later").len());
    assert_eq!(server.sent(), []);
    assert_eq!(server.events(), vec![text("x"); 64]);
    assert_eq!(server.feed(&bytes[taken..]), []);
    assert_eq!(server.sent(), [Wire::new(0x8a, "later")]);
}

#[test]
fn ping_behind_a_close_of_either_end_is_not_answered() {
    let mut server = Solo::server();
    server.engine.close(crate::frame::CloseReason::NORMAL, server.now);
    server.feed_frame(0x89, "too late");
    assert_eq!(server.sent(), [Wire::close(1000, "")]);
    let mut server = Solo::server();
    server.feed([masked(0x88, ""), masked(0x89, "too late")].concat());
    assert_eq!(server.sent(), [Wire::new(0x88, "")]);
}
