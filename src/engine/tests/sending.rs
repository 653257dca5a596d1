//! RFC 6455 §5.4 and §6.1: messages out, their fragments, and the account of what left.

use converse_core::Message;

use super::{Pair, Solo, Wire, config, harness::binary};
use crate::{
    engine::EngineConfig,
    frame::{CloseCode, CloseReason, OpCode, Role},
};

fn cutting(role: Role, fragment_size: usize) -> Solo {
    Solo::with(EngineConfig { fragment_size, ..config(role) })
}

#[test]
fn long_message_leaves_in_fragments_of_the_size() {
    for role in [Role::Server, Role::Client] {
        let mut solo = cutting(role, 4);
        solo.send("123456789".into()).unwrap();
        let expected = [Wire::new(0x01, "1234"), Wire::new(0x00, "5678"), Wire::new(0x80, "9")];
        assert_eq!(solo.sent(), expected);
    }
}

#[test]
fn empty_message_is_one_empty_frame() {
    let mut server = Solo::server();
    server.send(Message::text("")).unwrap();
    server.send(Message::binary(vec![])).unwrap();
    assert_eq!(server.flush(), [0x81, 0, 0x82, 0]);
}

#[test]
fn ping_interleaves_with_the_fragments_of_a_message() {
    let mut client = cutting(Role::Client, 1000);
    client.send(vec![7; 200_000].into()).unwrap();
    let mut sent = client.write(1);
    client.engine.ping(client.now);
    sent.extend(client.flush());
    let frames = Wire::parse(&sent, Role::Client);
    let place = frames.iter().position(|wire| wire.head == 0x89).unwrap();
    assert!(place < 20, "the ping is frame {place}");
    assert_eq!((frames[0].head, frames[1].head, frames.last().unwrap().head), (0x02, 0x00, 0x80));
    assert!(frames.iter().all(|wire| wire.payload.len() <= 1000));
}

#[test]
fn long_messages_arrive_whole_in_both_directions() {
    let mut pair = Pair::new();
    let long: Vec<u8> = (0..700_000_u32).map(|i| (i * 7) as u8).collect();
    pair.client.send(long.clone().into()).unwrap();
    pair.server.send(long.clone().into()).unwrap();
    assert_eq!(pair.carry(), (vec![binary(&long)], vec![binary(&long)]));
}

#[test]
fn position_of_a_message_is_reached_when_its_last_byte_has_left() {
    let mut server = Solo::server();
    server.feed_frame(0x89, "pongs do not count");
    server.send(vec![7; 100_000].into()).unwrap();
    let first = server.engine.data_queued();
    assert!(server.engine.send_copied(OpCode::Binary, &[7; 10]));
    assert_eq!(server.engine.data_queued(), first + 12);
    while server.engine.data_written() < first {
        assert!(!server.write(997).is_empty());
    }
    server.flush();
    assert_eq!(server.engine.data_written(), first + 12);
    assert_eq!(server.engine.queued(), 0);
}

#[test]
fn what_waits_is_counted_until_it_has_left() {
    let mut server = Solo::server();
    server.send(vec![7; 1000].into()).unwrap();
    assert_eq!(server.engine.queued(), 1004);
    server.engine.poll_output(&mut server.socket, false, server.now);
    assert_eq!(server.engine.queued(), 1004);
    server.write(4);
    assert_eq!(server.engine.queued(), 1000);
}

#[test]
fn at_most_1_mib_and_one_frame_are_given_out_at_once() {
    let mut server = cutting(Role::Server, 16 * 1024);
    server.send(vec![7; 3 << 20].into()).unwrap();
    server.engine.poll_output(&mut server.socket, false, server.now);
    assert!(server.socket.len() <= (1 << 20) + 16 * 1024 + 14);
}

#[test]
fn what_has_not_begun_to_leave_comes_back() {
    let mut server = cutting(Role::Server, 16 * 1024);
    server.send(vec![7; 3 << 20].into()).unwrap();
    let queued = server.engine.queued();
    server.write(10);
    assert_eq!(server.socket.len(), 4 + 16 * 1024 - 10);
    assert_eq!(server.engine.queued(), queued - 10);
}

#[test]
fn data_that_comes_back_behind_a_close_that_passes_it_is_dropped() {
    let mut server = cutting(Role::Server, 16 * 1024);
    server.send(vec![7; 1 << 20].into()).unwrap();
    let begun = server.engine.queued();
    server.engine.poll_output(&mut server.socket, false, server.now);
    server.engine.close_now(CloseReason::new(CloseCode::TRY_AGAIN_LATER, "too slow"), server.now);
    server.engine.take_back(&mut server.socket);
    assert!(server.engine.queued() < 17 * 1024, "of {begun}");
    let heads: Vec<u8> = Wire::parse(&server.flush(), Role::Server).iter().map(|wire| wire.head).collect();
    assert_eq!(heads, [0x02, 0x88]);
}

#[test]
fn a_failed_transport_gives_nothing_back() {
    let mut server = cutting(Role::Server, 16 * 1024);
    server.send(vec![7; 1 << 20].into()).unwrap();
    server.engine.poll_output(&mut server.socket, false, server.now);
    server.engine.handle_error(std::io::ErrorKind::BrokenPipe, server.now);
    server.engine.take_back(&mut server.socket);
    assert!(server.engine.queued() < 17 * 1024);
}

#[test]
fn copies_are_for_short_payloads_without_extensions() {
    let server = cutting(Role::Server, 100);
    assert!(server.engine.copies(100));
    assert!(!server.engine.copies(101));
}

#[test]
fn nothing_is_given_out_twice() {
    let mut server = Solo::server();
    server.send("once".into()).unwrap();
    assert!(server.engine.has_output());
    server.engine.poll_output(&mut server.socket, false, server.now);
    assert!(!server.engine.has_output());
    server.engine.poll_output(&mut server.socket, false, server.now);
    assert_eq!(server.flush(), b"\x81\x04once");
}
