//! What an engine holds for its peer: that it grows by no more than there is room for, and what is lent.

use proptest::prelude::*;

use super::{Solo, config, harness::binary, masked, secs};
use crate::{
    engine::{EngineConfig, Event},
    frame::Role,
};

const KIB: usize = 1024;

#[test]
fn a_message_under_way_is_held_with_all_that_is_allocated_for_it() {
    let mut server = Solo::server();
    let bytes = masked(0x82, vec![7; 100 * KIB]);
    let (most, last) = bytes.split_at(60 * KIB);
    assert_eq!(server.feed(most), []);
    assert_eq!(server.engine.held(), 100 * KIB, "never more than the header says");
    assert_eq!(server.hand(last), last.len());
    assert_eq!(server.engine.held(), 100 * KIB);
    assert_eq!(server.events().len(), 1);
    assert_eq!(server.engine.held(), 0);
    // A message that never ends is gone with its time.
    server.feed(&bytes[..50 * KIB]);
    assert!(server.engine.held() > 0);
    server.wait(secs(31));
    assert_eq!(server.engine.held(), 0);
}

#[test]
fn what_is_lent_counts_as_waiting() {
    let mut server = Solo::with(EngineConfig { receive_queue: 100, ..config(Role::Server) });
    assert!(!server.engine.lend(99));
    assert!(server.engine.wants_bytes());
    assert!(!server.engine.lend(100));
    assert!(!server.engine.wants_bytes());
    assert_eq!((server.engine.held(), server.hand(&masked(0x82, [7; 5]))), (100, 0));
    assert!(server.engine.lend(40));
    assert_eq!(server.feed(masked(0x82, [7; 5])), [binary([7; 5])]);
    assert_eq!(server.engine.held(), 40);
    server.hand(&masked(0x82, [7; 60]));
    assert!(!server.engine.wants_bytes());
    assert!(server.engine.lend(0));
    assert_eq!(server.events(), [binary([7; 60])]);
    assert_eq!(server.engine.held(), 0);
}

/// A message in frames of at most so many bytes.
fn fragments(payload: &[u8], size: usize) -> Vec<u8> {
    let count = payload.len().div_ceil(size).max(1);
    let chunk = |index: usize| &payload[index * size..payload.len().min((index + 1) * size)];
    (0..count)
        .flat_map(|index| {
            let opcode = if index == 0 { 0x02 } else { 0x00 };
            let fin = if index + 1 == count { 0x80 } else { 0x00 };
            masked(fin | opcode, chunk(index))
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn what_is_held_grows_by_no_more_than_there_is_room_for(
        messages in prop::collection::vec((0..80 * KIB, 1000..100 * KIB), 1..8),
        rooms in prop::collection::vec(prop_oneof![0..2 * KIB, 0..100 * KIB], 1..50),
        read in 1..70 * KIB,
        raw in any::<bool>(),
    ) {
        let mut server = Solo::with(EngineConfig { raw, ..config(Role::Server) });
        let payload = |len: usize| (0..len).map(|at| at as u8).collect::<Vec<_>>();
        let wire: Vec<u8> = messages.iter().flat_map(|(len, size)| fragments(&payload(*len), *size)).collect();
        let mut rooms = rooms.into_iter().chain([4 * KIB]).cycle();
        let (mut at, mut got) = (0, Vec::new());
        while at < wire.len() {
            let room = rooms.next().unwrap_or_default();
            let rest = &wire[at..wire.len().min(at + read)];
            let portion = server.engine.portion(rest.len(), room);
            let before = server.engine.held();
            let taken = server.engine.handle_portion(&mut rest[..portion].to_vec(), room, server.now);
            let held = server.engine.held();
            prop_assert!(held <= before + room, "{before} and {room} became {held}");
            at += taken;
            if taken < portion || at % 3 == 0 {
                got.extend(server.events());
            }
        }
        got.extend(server.events());
        let got: Vec<u8> = got.iter().flat_map(bytes_of).collect();
        let sent: Vec<u8> = messages.iter().flat_map(|(len, _)| payload(*len)).collect();
        prop_assert!(got == sent);
    }
}

fn bytes_of(event: &Event) -> Vec<u8> {
    match event {
        Event::Message(message) => message.as_bytes().to_vec(),
        Event::Frame(frame) => frame.payload.to_vec(),
        Event::Closed(closed) => panic!("{closed}"),
    }
}
