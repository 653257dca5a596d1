//! RFC 6455 §9: frames through extensions, in the order that was negotiated and back.

use std::sync::{Arc, Mutex};

use super::{
    Pair, Solo, Wire, config,
    harness::{binary, text},
    masked,
    toys::{Double, Toy, Xor, checksum, server_stack, shred, sloppy, stacks, xor},
};
use crate::{
    engine::{CloseCause, EngineConfig, Phase, SendRefused},
    extension::{Extension, ExtensionError, ExtensionOffer, ExtensionStack},
    frame::{Frame, Role, Rsv},
};

fn pair(toys: &[Arc<dyn Extension>], fragment_size: usize) -> Pair {
    let (client, server) = stacks(toys);
    let config = |role| EngineConfig { fragment_size, ..config(role) };
    Pair {
        client: Solo::extended(config(Role::Client), client),
        server: Solo::extended(config(Role::Server), server),
    }
}

fn server(toys: &[Arc<dyn Extension>]) -> Solo {
    Solo::extended(config(Role::Server), server_stack(toys))
}

#[test]
fn encoding_follows_the_order_of_the_answer() {
    let mut one = server(&[xor(), checksum()]);
    one.send(vec![1, 2].into()).unwrap();
    assert_eq!(one.sent(), [Wire::new(0xb2, [0x5b, 0x58, 0xb3])]);
    let mut other = server(&[checksum(), xor()]);
    other.send(vec![1, 2].into()).unwrap();
    assert_eq!(other.sent(), [Wire::new(0xb2, [0x5b, 0x58, 0x59])]);
}

#[test]
fn decoding_goes_in_reverse() {
    let mut one = server(&[xor(), checksum()]);
    assert_eq!(one.feed(masked(0xb2, [0x5b, 0x58, 0xb3])), [binary([1, 2])]);
    let mut other = server(&[checksum(), xor()]);
    assert_eq!(other.feed(masked(0xb2, [0x5b, 0x58, 0x59])), [binary([1, 2])]);
}

#[test]
fn messages_survive_every_order_of_extensions_and_every_fragment_size() {
    let orders: [&[Arc<dyn Extension>]; 7] = [
        &[xor(), checksum()],
        &[checksum(), xor()],
        &[shred()],
        &[shred(), checksum()],
        &[xor(), shred(), checksum()],
        &[shred(), xor(), checksum()],
        &[shred(), checksum(), xor()],
    ];
    survive(&orders);
}

#[cfg(feature = "deflate")]
#[test]
fn messages_survive_compression_before_and_behind_extensions_that_work_frame_by_frame() {
    use super::toys::deflate;

    survive(&[
        &[deflate(), checksum()],
        &[checksum(), deflate()],
        &[xor(), deflate()],
        &[xor(), deflate(), checksum()],
        &[checksum(), deflate(), xor()],
        &[shred(), deflate(), checksum()],
    ]);
}

fn survive(orders: &[&[Arc<dyn Extension>]]) {
    let long = "κόσμε and more, and more, and more";
    for (index, toys) in orders.iter().enumerate() {
        for fragment_size in [1, 3, 1000] {
            let mut pair = pair(toys, fragment_size);
            for message in ["", "x", long, long] {
                pair.client.send(message.into()).unwrap();
                pair.server.send(message.into()).unwrap();
            }
            let expected = vec![text(""), text("x"), text(long), text(long)];
            assert_eq!(pair.carry(), (expected.clone(), expected), "order {index}, size {fragment_size}");
        }
    }
}

#[test]
fn one_frame_may_become_many_and_pings_pass_between_them() {
    let mut server = server(&[shred()]);
    server.send("abc".into()).unwrap();
    assert_eq!(server.sent(), [Wire::new(0x01, "a"), Wire::new(0x00, "b"), Wire::new(0x80, "c")]);
    assert_eq!(server.feed_frame(0x01, "a"), []);
    assert_eq!(server.feed_frame(0x89, "p"), []);
    assert_eq!(server.feed_frame(0x80, "b"), [text("ab")]);
    assert_eq!(server.sent(), [Wire::new(0x8a, "p")]);
}

#[test]
fn extensions_that_claim_one_bit_are_refused_when_they_are_configured() {
    let twin: Arc<dyn Extension> = Arc::new(Toy("twin", Rsv::RSV2 | Rsv::RSV1, Xor(1)));
    let verdict = ExtensionStack::check(&[xor(), checksum(), twin]);
    assert_eq!(verdict, Err(ExtensionError::BitTaken("xor".to_owned(), "twin".to_owned())));
    let named: Arc<dyn Extension> = Arc::new(Toy("XOR", Rsv::NONE, Xor(1)));
    assert_eq!(ExtensionStack::check(&[xor(), named]), Err(ExtensionError::NameTaken("XOR".to_owned())));
}

#[test]
fn server_takes_each_extension_once_in_the_order_of_the_offers() {
    let offers = ["nobody", "checksum", "xor; a", "checksum; b"].map(|offer| offer.parse().unwrap());
    let (answers, stack) = ExtensionStack::accept(&[xor(), checksum()], &offers);
    assert_eq!(ExtensionOffer::join(&answers), "checksum, xor; a");
    assert_eq!(stack.rsv(), Rsv::RSV2 | Rsv::RSV3);
}

#[test]
fn answer_that_was_not_offered_or_stands_twice_is_refused_by_the_client() {
    for answer in ["nobody", "xor, xor", "xor, XOR", "xor, checksum, Xor"] {
        let answers = ExtensionOffer::parse_lines([answer.as_bytes()]).unwrap();
        let verdict = ExtensionStack::confirm(&[xor(), checksum()], &answers);
        assert!(matches!(verdict, Err(ExtensionError::BadAnswer { .. })), "{answer}");
    }
}

#[test]
fn bit_that_no_extension_in_use_claims_is_refused_with_1002_at_the_header() {
    let mut server = server(&[xor()]);
    assert_eq!(server.feed(&masked(0xc1, "x")[..2]), []);
    server.has_failed_with(1002);
}

#[test]
fn claimed_bit_on_a_control_frame_is_refused_with_1002() {
    let mut server = server(&[xor()]);
    assert_eq!(server.feed(masked(0xa9, "")), []);
    server.has_failed_with(1002);
}

#[test]
fn bit_that_is_left_after_decoding_is_refused_with_1002() {
    let mut server = server(&[sloppy()]);
    assert_eq!(server.feed(masked(0x81, "plain")), [text("plain")]);
    assert_eq!(server.feed(masked(0xc1, "marked")), []);
    server.has_failed_with(1002);
}

#[test]
fn decoder_that_refuses_ends_the_connection_with_its_code() {
    let mut server = server(&[checksum()]);
    assert_eq!(server.feed(masked(0x92, [1, 2, 4])), []);
    let closed = server.has_failed_with(1007);
    assert_eq!(closed.sent.unwrap().text(), "wrong checksum");
}

#[test]
fn decoder_is_told_what_the_open_message_may_still_take() {
    let limits = Arc::new(Mutex::new(Vec::new()));
    let double: Arc<dyn Extension> = Arc::new(Toy("double", Rsv::NONE, Double(Arc::clone(&limits))));
    let limit = EngineConfig { max_message_size: 50, ..config(Role::Server) };
    let mut server = Solo::extended(limit, server_stack(&[double]));
    assert_eq!(server.feed(masked(0x02, [7; 10])), []);
    assert_eq!(server.feed(masked(0x80, [7; 15])), [binary([7; 50])]);
    assert_eq!(server.feed(masked(0x82, [7; 26])), []);
    assert_eq!(*limits.lock().unwrap(), [50, 30, 50]);
    server.has_failed_with(1009);
}

#[test]
fn encoder_that_fails_closes_with_1011_and_sends_nothing_of_the_message() {
    let mut server =
        Solo::extended(EngineConfig { fragment_size: 2, ..config(Role::Server) }, server_stack(&[sloppy()]));
    let refused = server.send(vec![1, 1, 1, 0].into()).unwrap_err();
    assert!(matches!(refused, SendRefused::Extension(ExtensionError::Encode(_))));
    assert_eq!(server.phase(), Phase::Failing);
    assert_eq!(server.engine.queued(), 0);
    assert_eq!(server.sent(), [Wire::close(1011, "internal error")]);
    assert_eq!(server.end().cause, CloseCause::ExtensionFailed);
}

#[test]
fn order_of_fragments_and_text_are_checked_behind_extensions_too() {
    for (bytes, code) in [
        (masked(0x80, "stray"), 1002),
        ([masked(0x01, "open"), masked(0x81, "inside")].concat(), 1002),
        (masked(0xa1, [0xff ^ 0x5a]), 1007),
        ([masked(0x21, [0xce ^ 0x5a]), masked(0x80, "")].concat(), 1007),
    ] {
        let mut server = server(&[xor()]);
        assert_eq!(server.feed(bytes), []);
        server.has_failed_with(code);
    }
}

#[test]
fn raw_frames_pass_extensions_by_but_keep_to_their_bits() {
    let raw = EngineConfig { raw: true, ..config(Role::Server) };
    let mut server = Solo::extended(raw, server_stack(&[xor()]));
    let marked = Frame { rsv: Rsv::RSV2, ..Frame::text("x") };
    assert_eq!(server.feed(masked(0xa1, "x")), [super::harness::raw_frame(marked.clone())]);
    server.engine.send_frame(marked, server.now).unwrap();
    assert_eq!(server.sent(), [Wire::new(0xa1, "x")]);
}

#[test]
fn a_name_in_another_case_is_another_extension() {
    let offer: ExtensionOffer = xor().name().to_uppercase().parse().unwrap();
    assert!(ExtensionStack::accept(&[xor()], &[offer]).0.is_empty());
}

#[test]
fn the_number_of_fragments_is_limited_as_they_stand_on_the_wire() {
    let mut server = server(&[shred()]);
    assert_eq!(server.feed_frame(0x02, ""), []);
    for _ in 1..1024 {
        assert_eq!(server.feed_frame(0x00, ""), []);
    }
    assert_eq!(server.feed_frame(0x00, ""), []);
    assert_eq!(server.sent()[0].payload[..2], 1008_u16.to_be_bytes());
}
