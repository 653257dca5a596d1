//! RFC 6455 §5.4 and §8.1: fragments, and text across them.

use super::{Solo, Wire, config, harness::binary, harness::text, masked};
use crate::{engine::EngineConfig, frame::Role};

#[test]
fn fragments_become_one_message() {
    let mut server = Solo::server();
    assert_eq!(server.feed_frame(0x01, "Hel"), []);
    assert_eq!(server.feed_frame(0x00, ""), []);
    assert_eq!(server.feed_frame(0x80, "lo"), [text("Hello")]);
    assert_eq!(server.feed_frame(0x82, [1]), [binary([1])]);
}

#[test]
fn ping_is_answered_between_fragments() {
    let mut server = Solo::server();
    assert_eq!(server.feed_frame(0x02, [1]), []);
    assert_eq!(server.feed_frame(0x89, "now"), []);
    assert_eq!(server.sent(), [Wire::new(0x8a, "now")]);
    assert_eq!(server.feed_frame(0x80, [2]), [binary([1, 2])]);
}

#[test]
fn close_between_fragments_drops_the_open_message() {
    let mut server = Solo::server();
    assert_eq!(server.feed_frame(0x01, "half"), []);
    assert_eq!(server.feed_frame(0x88, [3, 0xe8]), []);
    assert_eq!(server.sent(), [Wire::close(1000, "")]);
    assert!(server.end().is_clean());
}

#[test]
fn stray_continuation_is_refused_with_1002() {
    for head in [0x00, 0x80] {
        let mut server = Solo::server();
        assert_eq!(server.feed_frame(0x81, "whole"), [text("whole")]);
        assert_eq!(server.feed_frame(head, "stray"), []);
        server.has_failed_with(1002);
    }
}

#[test]
fn message_inside_a_message_is_refused_with_1002() {
    for head in [0x01, 0x81, 0x02, 0x82] {
        let mut server = Solo::server();
        assert_eq!(server.feed_frame(0x01, "open"), []);
        assert_eq!(server.feed_frame(head, ""), []);
        server.has_failed_with(1002);
    }
}

#[test]
fn order_of_fragments_is_checked_at_the_header() {
    let mut server = Solo::server();
    let stray = masked(0x80, "never arrives");
    assert_eq!(server.feed(&stray[..6]), []);
    server.has_failed_with(1002);
}

#[test]
fn character_may_be_cut_by_fragments_and_by_reads() {
    let whole = "κόσμε 𝄞";
    for cut in 0..=whole.len() {
        let mut server = Solo::server();
        let (one, two) = whole.as_bytes().split_at(cut);
        let bytes = [masked(0x01, one), masked(0x80, two)].concat();
        let events: Vec<_> = bytes.iter().flat_map(|&byte| server.feed([byte])).collect();
        assert_eq!(events, [text(whole)], "cut at {cut}");
    }
}

#[test]
fn impossible_byte_is_refused_with_1007_before_its_frame_is_complete() {
    let mut server = Solo::server();
    let bytes = masked(0x81, [&b"ok \xf4\x90"[..], &[b'x'; 100]].concat());
    let header = 6;
    assert_eq!(server.feed(&bytes[..header + 4]), []);
    assert_eq!(server.sent(), []);
    assert_eq!(server.feed(&bytes[header + 4..header + 5]), []);
    server.has_failed_with(1007);
}

#[test]
fn text_cut_inside_a_character_is_refused_with_1007_at_the_end() {
    let mut server = Solo::server();
    assert_eq!(server.feed_frame(0x81, b"a\xe1\xbd"), []);
    server.has_failed_with(1007);
    let mut server = Solo::server();
    assert_eq!(server.feed_frame(0x01, b"a\xe1\xbd"), []);
    assert_eq!(server.feed_frame(0x00, ""), []);
    assert_eq!(server.sent(), []);
    assert_eq!(server.feed_frame(0x80, ""), []);
    server.has_failed_with(1007);
}

#[test]
fn surrogates_and_overlong_forms_are_refused_with_1007() {
    for bad in [&b"\xed\xa0\x80"[..], b"\xc0\xaf", b"\xff", b"\x80", b"\xf8\x88\x80\x80\x80"] {
        let mut client = Solo::client();
        assert_eq!(client.feed_frame(0x81, bad), []);
        client.has_failed_with(1007);
    }
}

#[test]
fn binary_may_hold_anything() {
    let mut client = Solo::client();
    assert_eq!(client.feed_frame(0x82, b"\xff\xfe"), [binary(b"\xff\xfe")]);
}

#[test]
fn many_fragments_without_bytes_are_refused_with_1008() {
    let mut server = Solo::server();
    assert_eq!(server.feed_frame(0x02, ""), []);
    for _ in 0..1023 {
        assert_eq!(server.feed_frame(0x00, ""), []);
    }
    assert_eq!(server.sent(), []);
    assert_eq!(server.feed_frame(0x00, ""), []);
    server.has_failed_with(1008);
}

#[test]
fn four_mebibytes_in_fragments_of_64_bytes_pass_and_in_single_bytes_do_not() {
    let roomy = EngineConfig { max_message_size: 4 << 20, receive_queue: 8 << 20, ..config(Role::Client) };
    let mut client = Solo::with(roomy);
    let mut events = client.feed_frame(0x02, [7; 64]);
    for _ in 0..65_534 {
        events.extend(client.feed_frame(0x00, [7; 64]));
    }
    events.extend(client.feed_frame(0x80, [7; 64]));
    assert_eq!(events, [binary(vec![7; 4 << 20])]);

    let mut client = Solo::with(roomy);
    client.feed_frame(0x02, [7]);
    let taken = (1..4 << 20).take_while(|_| {
        client.feed_frame(0x00, [7]);
        client.engine.closed().is_none() && !client.engine.has_output()
    });
    assert_eq!(taken.count(), 1024 + 1024 / 32 - 1 + 1);
    client.has_failed_with(1008);
}
