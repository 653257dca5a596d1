//! RFC 6455 §5.1 and §5.2: headers, masks, reserved bits, lengths.

use super::{Solo, Wire, config, frame, harness::binary, harness::text, masked};
use crate::{engine::EngineConfig, frame::Role};

#[test]
fn server_takes_masked_frames_and_sends_unmasked_ones() {
    let mut server = Solo::server();
    assert_eq!(server.feed(masked(0x81, "Hello")), [text("Hello")]);
    server.send("Hello".into()).unwrap();
    assert_eq!(server.flush(), b"\x81\x05Hello");
}

#[test]
fn client_takes_unmasked_frames_and_sends_masked_ones() {
    let mut client = Solo::client();
    assert_eq!(client.feed(frame(0x81, "Hello")), [text("Hello")]);
    client.send("Hello".into()).unwrap();
    assert_eq!(client.flush(), b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58");
}

#[test]
fn unmasked_frame_from_a_client_is_refused_with_1002() {
    let mut server = Solo::server();
    assert_eq!(server.feed(frame(0x81, "Hello")), []);
    let closed = server.has_failed_with(1002);
    assert_eq!((closed.received, closed.sent.unwrap().text()), (None, "client frame is not masked"));
}

#[test]
fn masked_frame_from_a_server_is_refused_with_1002() {
    let mut client = Solo::client();
    assert_eq!(client.feed(masked(0x81, "Hello")), []);
    assert_eq!(client.has_failed_with(1002).sent.unwrap().text(), "server frame is masked");
}

#[test]
fn every_reserved_bit_is_refused_with_1002_on_data_and_control() {
    for opcode in [0x81, 0x82, 0x88, 0x89, 0x8a] {
        for bits in [0x40, 0x20, 0x10, 0x70] {
            let mut server = Solo::server();
            assert_eq!(server.feed(masked(opcode | bits, "")), []);
            server.has_failed_with(1002);
        }
    }
}

#[test]
fn every_reserved_opcode_is_refused_with_1002() {
    for opcode in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] {
        let mut client = Solo::client();
        assert_eq!(client.feed([0x80 | opcode, 0]), [], "opcode {opcode}");
        client.has_failed_with(1002);
    }
}

#[test]
fn length_over_125_that_would_fit_seven_bits_is_refused_with_1002() {
    for len in [0, 1, 125] {
        let mut server = Solo::server();
        assert_eq!(server.feed([0x82, 0xfe, 0, len]), []);
        server.has_failed_with(1002);
    }
    let mut client = Solo::client();
    let bytes = [&[0x82, 126, 0, 126][..], &[7; 126]].concat();
    assert_eq!(client.feed(bytes), [binary([7; 126])]);
}

#[test]
fn length_in_64_bits_that_would_fit_16_is_refused_with_1002() {
    for len in [0_u64, 125, 126, 0xffff] {
        let mut client = Solo::client();
        assert_eq!(client.feed([&[0x82, 127][..], &len.to_be_bytes()].concat()), []);
        client.has_failed_with(1002);
    }
    let mut client = Solo::client();
    let bytes = [&[0x82, 127][..], &0x1_0000_u64.to_be_bytes(), &[7; 0x1_0000]].concat();
    assert_eq!(client.feed(bytes), [binary([7; 0x1_0000])]);
}

#[test]
fn length_with_its_top_bit_set_is_refused_with_1002_and_not_as_too_big() {
    for len in [1 << 63, u64::MAX] {
        let mut client = Solo::client();
        assert_eq!(client.feed([&[0x82, 127][..], &len.to_be_bytes()].concat()), []);
        client.has_failed_with(1002);
    }
}

#[test]
fn largest_legal_length_is_only_a_question_of_limits() {
    let len = u64::MAX >> 1;
    let header = [&[0x82, 127][..], &len.to_be_bytes()].concat();
    let mut client = Solo::client();
    client.feed(&header);
    client.has_failed_with(1009);
    let endless =
        EngineConfig { max_frame_size: Some(u64::MAX), max_message_size: u64::MAX, ..config(Role::Client) };
    let mut client = Solo::with(endless);
    assert_eq!(client.feed(&header), []);
    assert_eq!(client.feed([7; 100]), []);
    assert_eq!(client.sent(), []);
}

#[test]
fn rule_is_enforced_before_a_payload_byte_arrives() {
    let mut server = Solo::server();
    assert_eq!(server.feed([0x83]), []);
    assert_eq!(server.sent(), []);
    assert_eq!(server.feed([0x80]), []);
    server.has_failed_with(1002);
}

#[test]
fn frames_glued_into_one_read_come_out_one_by_one() {
    let mut server = Solo::server();
    let bytes = [masked(0x81, "one"), masked(0x89, ""), masked(0x82, [2]), masked(0x81, "")].concat();
    assert_eq!(server.feed(bytes), [text("one"), binary([2]), text("")]);
    assert_eq!(server.sent(), [Wire::new(0x8a, "")]);
}

#[test]
fn messages_before_a_fault_are_delivered_and_those_behind_it_are_not() {
    let mut server = Solo::server();
    let bytes = [masked(0x81, "good"), vec![0x83, 0x80], masked(0x81, "never")].concat();
    assert_eq!(server.feed(bytes), [text("good")]);
    server.has_failed_with(1002);
}
