//! Bounds of this end: sizes, the inbox, and changing them while the connection is open.

use super::{Solo, config, harness::binary, harness::text, masked};
use crate::{engine::EngineConfig, frame::Role};

fn limited(max_frame_size: u64, max_message_size: u64) -> Solo {
    Solo::with(EngineConfig {
        max_frame_size: Some(max_frame_size),
        max_message_size,
        ..config(Role::Server)
    })
}

#[test]
fn frame_over_the_limit_is_refused_with_1009_when_it_is_declared() {
    let mut server = limited(100, 1000);
    assert_eq!(server.feed(masked(0x82, [7; 100])), [binary([7; 100])]);
    assert_eq!(server.feed(&masked(0x82, [7; 101])[..2]), []);
    server.has_failed_with(1009);
}

#[test]
fn frame_of_126_bytes_is_refused_with_1009_before_its_masking_key() {
    let mut server = limited(125, 125);
    assert_eq!(server.feed([0x82, 0xfe, 0]), []);
    assert_eq!(server.sent(), []);
    assert_eq!(server.feed([126]), []);
    server.has_failed_with(1009);
}

#[test]
fn message_over_the_limit_is_refused_with_1009_when_its_last_fragment_is_declared() {
    let mut server = limited(100, 150);
    assert_eq!(server.feed(masked(0x02, [7; 100])), []);
    assert_eq!(server.feed(&masked(0x80, [7; 51])[..6]), []);
    server.has_failed_with(1009);
    let mut server = limited(100, 150);
    server.feed(masked(0x02, [7; 100]));
    assert_eq!(server.feed(masked(0x80, [7; 50])), [binary([7; 150])]);
}

#[test]
fn whole_message_over_the_limit_is_refused_with_1009() {
    let mut server = limited(1000, 99);
    assert_eq!(server.feed(&masked(0x82, [7; 100])[..6]), []);
    server.has_failed_with(1009);
}

#[test]
fn limits_do_not_concern_control_frames_inside_a_message() {
    let mut server = limited(125, 4);
    server.feed_frame(0x01, "full");
    assert_eq!(server.feed_frame(0x89, "longer than four"), []);
    assert_eq!(server.feed_frame(0x80, ""), [text("full")]);
}

#[test]
fn memory_grows_with_what_arrives_and_not_with_what_is_declared() {
    let mut server = limited(u64::MAX, u64::MAX);
    let mut header = vec![0x82, 0xff];
    header.extend((1_u64 << 62).to_be_bytes());
    header.extend([0; 4]);
    assert_eq!(server.feed(header), []);
    assert_eq!(server.feed([7; 1000]), []);
    assert_eq!(server.sent(), []);
}

#[test]
fn reading_stops_when_the_inbox_is_full_of_bytes() {
    let mut server = Solo::with(EngineConfig { receive_queue: 100, ..config(Role::Server) });
    let message = masked(0x82, [7; 60]);
    let bytes = message.repeat(5);
    assert_eq!(server.hand(&bytes), 2 * message.len());
    assert!(!server.engine.wants_bytes());
    assert_eq!(server.hand(&bytes), 0);
    assert_eq!(server.next_event(), Some(binary([7; 60])));
    assert!(server.engine.wants_bytes());
    assert_eq!(server.hand(&bytes), message.len());
    assert_eq!(server.events().len(), 2);
}

#[test]
fn reading_stops_when_the_inbox_is_full_of_empty_messages() {
    let mut server = Solo::server();
    let bytes = masked(0x81, "").repeat(1000);
    let taken = server.hand(&bytes);
    assert_eq!((taken, server.events().len()), (64 * 6, 64));
    assert_eq!(server.feed(&bytes[taken..]).len(), 936);
}

#[test]
fn empty_inbox_takes_a_message_whatever_its_bound() {
    let mut server = Solo::with(EngineConfig { receive_queue: 0, ..config(Role::Server) });
    assert_eq!(server.feed(masked(0x81, "one").repeat(3)), vec![text("one"); 3]);
}

#[test]
fn limits_change_from_the_next_header_on() {
    let mut server = limited(100, 100);
    let long = masked(0x82, [7; 90]);
    server.feed(&long[..50]);
    server.engine.reconfigure(|config| {
        config.max_frame_size = Some(50);
        config.max_message_size = 50;
    });
    assert_eq!(server.feed(&long[50..]), [binary([7; 90])]);
    assert_eq!(server.feed(masked(0x82, [7; 50])), [binary([7; 50])]);
    assert_eq!(server.feed(&masked(0x82, [7; 51])[..2]), []);
    server.has_failed_with(1009);
}

#[test]
fn frame_without_a_limit_of_its_own_may_be_as_large_as_a_message() {
    let mut server =
        Solo::with(EngineConfig { max_frame_size: None, max_message_size: 50, ..config(Role::Server) });
    server.engine.reconfigure(|config| config.max_message_size = 100);
    assert_eq!(server.feed(masked(0x82, [7; 100])), [binary([7; 100])]);
    assert_eq!(server.feed(&masked(0x82, [7; 101])[..2]), []);
    server.has_failed_with(1009);
}

#[test]
fn lowered_limit_leaves_no_room_to_an_open_message_that_is_over_it() {
    let mut server = limited(100, 100);
    server.feed(masked(0x02, [7; 90]));
    server.engine.reconfigure(|config| config.max_message_size = 10);
    assert_eq!(server.feed(masked(0x00, "")), []);
    assert_eq!(server.feed(masked(0x80, "x")), []);
    server.has_failed_with(1009);
}

#[test]
fn receive_queue_changes_while_messages_wait() {
    let mut server = Solo::with(EngineConfig { receive_queue: 100, ..config(Role::Server) });
    server.hand(&masked(0x82, [7; 60]));
    assert!(server.engine.wants_bytes());
    server.engine.reconfigure(|config| config.receive_queue = 50);
    assert!(!server.engine.wants_bytes());
    server.engine.reconfigure(|config| config.receive_queue = 70);
    assert!(server.engine.wants_bytes());
}
