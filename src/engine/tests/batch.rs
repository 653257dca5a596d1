//! Messages that a handler takes out of what was read, and reads straight into a long message: the events, the answers and
//! the faults are those of an engine that has read it all by itself.

use bytes::{BufMut, BytesMut};
use converse_core::Message;
use proptest::{collection::vec, prelude::*};

use super::{
    Solo, Wire, config, masked, ms,
    properties::{either_fault, play, setting, step, stream},
};
use crate::{
    engine::{Batch, EngineConfig, Event, TURN},
    frame::{CloseCode, OpCode, Role},
};

/// One read, and what a handler does with it.
#[derive(Clone, Copy, Debug)]
struct Read {
    len: usize,
    takes: usize,
    is_block: bool,
    in_place: bool,
}

fn read() -> impl Strategy<Value = Read> {
    (1_usize..400, 0_usize..6, any::<bool>(), any::<bool>())
        .prop_map(|(len, takes, is_block, in_place)| Read { len, takes, is_block, in_place })
}

fn batch(config: &EngineConfig, bytes: &[u8], is_block: bool, most: usize) -> Batch {
    let mut batch = Batch::new();
    if is_block {
        batch.input.put(BytesMut::from(bytes));
    } else {
        batch.input.space(bytes.len()).copy_from_slice(bytes);
        batch.input.fill(bytes.len());
    }
    batch.begin(config, most, 1000, true);
    batch
}

/// Takes a message, as it is or where it lies.
fn next(batch: &mut Batch, in_place: bool) -> Option<Message> {
    if !in_place {
        return batch.next();
    }
    batch.read(|opcode, payload| match opcode {
        OpCode::Text => Some(Message::text(std::str::from_utf8(payload).ok()?)),
        _ => Some(Message::binary(payload.to_vec())),
    })
}

/// Plays one read: what a handler takes, and then the rest.
fn play_read(solo: &mut Solo, bytes: &[u8], read: Read, events: &mut Vec<Event>) {
    events.extend(solo.events());
    if solo.engine.lends_behind() != Some(0) {
        return events.extend(solo.feed(bytes));
    }
    let config = solo.engine.config().clone();
    let mut batch = batch(&config, bytes, read.is_block, TURN);
    for _ in 0..read.takes {
        events.extend(next(&mut batch, read.in_place).map(Event::Message));
    }
    let rest = batch.input.rest().to_vec();
    events.extend(solo.feed(rest));
}

proptest! {
    #[test]
    fn a_stream_that_a_handler_takes_from_gives_the_same(
        setting in setting(),
        steps in vec(step(), 1..8),
        reads in vec(read(), 1..6),
    ) {
        let bytes = stream(setting, &steps, None);
        let whole = either_fault(setting, play(setting, &bytes, &[usize::MAX]));
        let mut solo = setting.solo();
        let (mut events, mut rest) = (Vec::new(), &bytes[..]);
        for read in reads.into_iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (piece, behind) = rest.split_at(read.len.min(rest.len()));
            play_read(&mut solo, piece, read, &mut events);
            rest = behind;
        }
        events.extend(solo.eof());
        let output = solo.flush();
        solo.wait(ms(5000));
        events.extend(solo.events());
        prop_assert_eq!(either_fault(setting, (events, output)), whole);
    }

    #[test]
    fn a_long_message_that_is_read_into_is_the_same_however_it_comes(
        is_text: bool,
        len in 100_000_usize..400_000,
        reads in vec(1_usize..90_000, 1..5),
        damaged in prop::option::of(0_usize..400_000),
    ) {
        let mut payload = "κόσμε 𝄞 ".repeat(len / 16).into_bytes();
        if let Some(at) = damaged.filter(|at| *at < payload.len()) {
            payload[at] = 0xff;
        }
        let head = if is_text { 0x81 } else { 0x82 };
        let bytes = [masked(head, &payload), masked(0x82, b"behind")].concat();
        let mut whole = Solo::server();
        let expected = (whole.feed(&bytes), whole.sent());
        let mut solo = Solo::server();
        let (mut events, mut rest) = (Vec::new(), &bytes[..]);
        for len in reads.into_iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let Some(mut lent) = solo.engine.lend_payload(usize::MAX) else {
                let (piece, behind) = rest.split_at(len.min(rest.len()));
                events.extend(solo.feed(piece));
                rest = behind;
                continue;
            };
            let taken = lent.read(|space| {
                let taken = len.min(space.remaining_mut()).min(rest.len());
                space.put_slice(&rest[..taken]);
                taken
            });
            rest = &rest[taken..];
            solo.engine.handle_payload(lent, solo.now);
            events.extend(solo.events());
        }
        prop_assert_eq!((events, solo.sent()), expected);
    }
}

#[test]
fn no_more_messages_are_taken_than_a_turn_has() {
    let bytes = masked(0x82, b"x").repeat(100);
    let mut batch = batch(&config(Role::Server), &bytes, false, 64);
    assert_eq!(std::iter::from_fn(|| batch.next()).count(), 64);
    assert!(batch.is_spent() && !batch.is_read());
    assert_eq!(batch.input.take_rest().len(), 36 * 7);
}

#[test]
fn text_that_is_not_utf8_is_left_as_it_came() {
    for (is_block, len) in [(false, 3), (true, 3), (true, 100_000)] {
        let bad = masked(0x81, vec![0xff; len]);
        let bytes = [masked(0x82, b"good"), bad.clone()].concat();
        let mut batch = batch(&config(Role::Server), &bytes, is_block, 64);
        assert_eq!(batch.next(), Some(Message::binary(&b"good"[..])));
        assert_eq!((batch.next(), next(&mut batch, true)), (None, None));
        assert_eq!(batch.input.rest(), bad, "block {is_block}, {len} bytes");
    }
}

#[test]
fn replies_leave_before_what_others_have_sent_meanwhile() {
    let mut solo = Solo::server();
    let mut batch = batch(&config(Role::Server), &masked(0x82, b"ask"), false, 64);
    assert!(batch.next().is_some());
    assert!(batch.send_copied(OpCode::Binary, b"reply"));
    solo.send(Message::binary(&b"other"[..])).unwrap();
    assert!(batch.send(&mut Message::binary(vec![7; 9000])));
    solo.engine.take_replies(batch.replies());
    let sent: Vec<usize> = solo.sent().iter().map(|frame: &Wire| frame.payload.len()).collect();
    assert_eq!(sent, [5, 9000, 5]);
    assert_eq!(solo.engine.data_queued(), solo.engine.data_written());
}

#[test]
fn a_reply_finds_no_room_above_the_mark() {
    let mut batch = batch(&config(Role::Server), b"", false, 64);
    assert!(batch.send_copied(OpCode::Binary, &[7; 999]));
    assert!(!batch.send_copied(OpCode::Binary, b""), "999 bytes and a header");
    let mut message = Message::binary(&b"kept"[..]);
    assert!(!batch.send(&mut message));
    assert_eq!(message, Message::binary(&b"kept"[..]));
    batch.end_replies();
    batch.replies().clear();
    assert!(!batch.send_copied(OpCode::Binary, b""), "the engine has taken them over");
}

#[test]
fn a_payload_whose_connection_has_failed_meanwhile_is_dropped() {
    let mut solo = Solo::server();
    let bytes = masked(0x82, vec![7; 200_000]);
    solo.feed(&bytes[..20_000]);
    let mut lent = solo.engine.lend_payload(usize::MAX).unwrap();
    assert!(solo.engine.lend_payload(usize::MAX).is_none(), "it is lent once");
    lent.read(|space| space.put_slice(&bytes[20_000..30_000]));
    let reason = crate::frame::CloseReason::new(CloseCode::TRY_AGAIN_LATER, "too slow");
    solo.engine.close_now(reason, solo.now);
    solo.engine.handle_payload(lent, solo.now);
    assert_eq!(solo.engine.held(), 0);
    assert_eq!(solo.sent().last().and_then(Wire::close_code), Some(1013));
}
