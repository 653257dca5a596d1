//! The two halves against each other and against the examples of RFC 7692, without a connection.
#![allow(clippy::unwrap_used)]

use bytes::Bytes;
use converse_core::Message;

use super::*;
use crate::{
    extension::{ExtensionDecoder, ExtensionEncoder, FrameSink, SendHints, wire_limit},
    frame::{Frame, OpCode, ProtocolError},
};

const MODES: [MemoryMode; 4] = [
    MemoryMode::Dedicated,
    MemoryMode::Compact { history: 256 },
    MemoryMode::Compact { history: 4096 },
    MemoryMode::NoTakeover,
];

/// Both halves of one end.
struct End {
    encoder: Box<dyn ExtensionEncoder>,
    decoder: Box<dyn ExtensionDecoder>,
}

impl End {
    fn new(negotiated: Negotiated) -> Self {
        let (encoder, decoder) = negotiated.into_halves();
        Self { encoder, decoder }
    }

    /// A client and a server that agree.
    fn pair(client: &PerMessageDeflate, server: &PerMessageDeflate) -> (Self, Self) {
        let accepted = client.offers().iter().find_map(|offer| server.accept(offer)).unwrap();
        let confirmed = client.confirm(accepted.answer()).unwrap();
        (Self::new(confirmed), Self::new(accepted))
    }

    fn encode_hinted(&mut self, fragments: &[&[u8]], hints: SendHints) -> Vec<Frame> {
        let mut frames = Vec::new();
        self.encoder.begin(&Message::binary(fragments.concat()), hints);
        for (index, fragment) in fragments.iter().enumerate() {
            let opcode = if index == 0 { OpCode::Binary } else { OpCode::Continuation };
            let payload = Bytes::copy_from_slice(fragment);
            let frame = Frame { fin: index + 1 == fragments.len(), rsv: Rsv::NONE, opcode, payload };
            frames.extend(put_out(true, |out| self.encoder.encode(frame, out)).unwrap());
        }
        frames
    }

    fn encode(&mut self, fragments: &[&[u8]]) -> Vec<Frame> {
        self.encode_hinted(fragments, SendHints::default())
    }

    fn decode(&mut self, frames: Vec<Frame>, limit: u64) -> Result<Vec<Frame>, ProtocolError> {
        let mut out = Vec::new();
        for frame in frames {
            out.extend(put_out(true, |sink| self.decoder.decode(frame, limit, sink))?);
        }
        Ok(out)
    }

    fn receive(&mut self, frames: Vec<Frame>) -> Vec<u8> {
        joined(&self.decode(frames, u64::MAX).unwrap())
    }
}

/// What one half puts out.
fn put_out<E>(
    may_cut: bool,
    half: impl FnOnce(&mut FrameSink<'_, E>) -> Result<(), E>,
) -> Result<Vec<Frame>, E> {
    let mut frames = Vec::new();
    let mut put = |frame| {
        frames.push(frame);
        Ok(())
    };
    half(&mut FrameSink::new(&mut put).with_cuts(may_cut))?;
    Ok(frames)
}

fn joined(frames: &[Frame]) -> Vec<u8> {
    let (last, earlier) = frames.split_last().unwrap();
    assert!(last.fin && earlier.iter().all(|frame| !frame.fin));
    assert!(frames.iter().all(|frame| frame.rsv.is_empty()));
    assert!(frames.iter().skip(1).all(|frame| frame.opcode == OpCode::Continuation));
    frames.iter().flat_map(|frame| frame.payload.iter().copied()).collect()
}

fn compressed(payload: &[u8]) -> Frame {
    Frame { rsv: Rsv::RSV1, ..Frame::text(payload.to_vec()) }
}

fn all() -> PerMessageDeflate {
    PerMessageDeflate::new().threshold(0)
}

#[test]
fn examples_of_the_rfc_are_read() {
    // §7.2.3.1, §7.2.3.3, §7.2.3.4 and §7.2.3.5.
    let examples: [&[u8]; 4] = [
        &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00],
        &[0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00],
        &[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00],
        &[0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00],
    ];
    for mode in MODES {
        let (_, mut server) = End::pair(&all(), &all().memory(mode));
        for example in examples {
            assert_eq!(server.receive(vec![compressed(example)]), b"Hello", "{mode:?} {example:x?}");
        }
    }
    // §7.2.3.2: the second message refers to the first.
    for mode in [MemoryMode::Dedicated, MemoryMode::default()] {
        let (_, mut server) = End::pair(&all(), &all().memory(mode));
        server.receive(vec![compressed(examples[0])]);
        assert_eq!(server.receive(vec![compressed(&[0xf2, 0x00, 0x11, 0x00, 0x00])]), b"Hello", "{mode:?}");
    }
}

#[test]
fn messages_survive_in_every_pair_of_modes() {
    let line = |index: usize| format!("{{\"id\":{index},\"symbol\":\"ACME\",\"price\":{}}}", index * 7919);
    for client in MODES {
        for server in MODES {
            let (mut one, mut other) = End::pair(&all().memory(client), &all().memory(server));
            for index in 0..40 {
                let long = line(index).repeat(1 + index % 7 * 40);
                let (front, back) = long.as_bytes().split_at(long.len() / 3);
                for fragments in [&[long.as_bytes()][..], &[front, back], &[b""], &[b"", b"", b""]] {
                    assert_eq!(other.receive(one.encode(fragments)), fragments.concat());
                    assert_eq!(one.receive(other.encode(fragments)), fragments.concat());
                }
            }
        }
    }
}

#[test]
fn what_was_said_before_makes_messages_smaller_unless_nothing_is_kept() {
    let text = b"{\"id\":17,\"symbol\":\"ACME\",\"bid\":101.25,\"ask\":101.5,\"venue\":\"XETRA\"}";
    for mode in MODES {
        let (mut client, mut server) = End::pair(&all().memory(mode), &all().memory(mode));
        let mut lens = Vec::new();
        for _ in 0..3 {
            let frames = client.encode(&[text]);
            lens.push(frames[0].payload.len());
            server.receive(frames);
        }
        let shrinks = mode.takes_over();
        assert_eq!(lens[1] < 16, shrinks, "{mode:?}: {lens:?}");
        assert_eq!(lens[2] < 16, shrinks, "{mode:?}: {lens:?}");
    }
}

#[test]
fn a_secret_is_neither_compressed_nor_kept() {
    let secret = b"token=8d7f1c0e55aa4b0e9f3c7c31a5d0e9b2";
    let hints = SendHints { compress: false };
    for mode in MODES {
        let (mut client, mut server) = End::pair(&all().memory(mode), &all().memory(mode));
        server.receive(client.encode(&[b"something to begin with, long enough to be compressed"]));
        let frames = client.encode_hinted(&[secret], hints);
        assert_eq!((frames[0].rsv, &frames[0].payload[..]), (Rsv::NONE, &secret[..]), "{mode:?}");
        assert_eq!(server.receive(frames), secret);
        let guess = client.encode(&[secret]);
        assert!(guess[0].payload.len() > 30, "{mode:?}: the guess shrank to {}", guess[0].payload.len());
        assert_eq!(server.receive(guess), secret);
    }
}

#[test]
fn small_and_refused_messages_leave_as_they_are() {
    let deflate = PerMessageDeflate::new().threshold(10).compress_if(|message| message.len() != 50);
    let (mut client, _) = End::pair(&deflate, &deflate);
    for (len, rsv) in [(9, Rsv::NONE), (10, Rsv::RSV1), (49, Rsv::RSV1), (50, Rsv::NONE), (51, Rsv::RSV1)] {
        assert_eq!(client.encode(&[&vec![b'a'; len]])[0].rsv, rsv, "{len}");
    }
}

#[test]
fn sixteen_final_blocks_are_read_and_seventeen_refused() {
    let hello = [0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
    let message = |blocks| vec![compressed(&[&hello.repeat(blocks)[..], &[0]].concat())];
    for mode in MODES {
        for bits in [10, 15] {
            let client = all().client_max_window_bits(bits);
            let (_, mut server) = End::pair(&client, &all().memory(mode));
            assert_eq!(server.receive(message(16)), b"Hello".repeat(16), "{mode:?} {bits}");
            let refused = server.decode(message(17), u64::MAX).unwrap_err();
            assert_eq!(refused.text(), "too many final DEFLATE blocks", "{mode:?} {bits}");
        }
    }
}

#[test]
fn a_message_of_nothing_may_take_as_many_bytes_as_its_limit_allows_and_none_more() {
    let empty_blocks = [0x00, 0x00, 0x00, 0xff, 0xff].repeat(205);
    let message = compressed(&[&empty_blocks[..], &[0]].concat());
    assert_eq!(wire_limit(2), message.payload.len() as u64);
    for mode in MODES {
        let (_, mut server) = End::pair(&all(), &all().memory(mode));
        assert_eq!(joined(&server.decode(vec![message.clone()], 2).unwrap()), b"", "{mode:?}");
        let refused = server.decode(vec![message.clone()], 1).unwrap_err();
        assert_eq!(refused, ProtocolError::MESSAGE_TOO_BIG, "{mode:?}");
    }
}

#[test]
fn frames_keep_their_edges_and_bits_where_a_later_decoder_needs_them() {
    let (mut client, mut server) = End::pair(&all(), &all());
    let payloads: [&[u8]; 3] = [b"one one one one", b"", &[7; 100_000]];
    let mut received = Vec::new();
    client.encoder.begin(&Message::binary(payloads.concat()), SendHints::default());
    for (index, payload) in payloads.into_iter().enumerate() {
        let opcode = if index == 0 { OpCode::Binary } else { OpCode::Continuation };
        let frame =
            Frame { fin: index == 2, rsv: Rsv::RSV2, opcode, payload: Bytes::copy_from_slice(payload) };
        let mut wire = put_out(false, |out| client.encoder.encode(frame, out)).unwrap();
        assert_eq!(wire.len(), 1);
        let frame = wire.remove(0);
        received.extend(put_out(false, |out| server.decoder.decode(frame, 1 << 20, out)).unwrap());
    }
    assert!(received.iter().all(|frame: &Frame| frame.rsv == Rsv::RSV2));
    assert!(received.iter().map(|frame| &frame.payload[..]).eq(payloads));
}

#[test]
fn messages_that_do_not_shrink_alone_do_so_behind_others_of_their_kind() {
    let ticks: [&[u8]; 3] = [
        br#"{"s":"BTC","p":"67123.45","q":42}"#,
        br#"{"s":"BTC","p":"67123.90","q":7}"#,
        br#"{"s":"BTC","p":"67124.10","q":19}"#,
    ];
    for mode in [MemoryMode::Dedicated, MemoryMode::default()] {
        let deflate = PerMessageDeflate::new().memory(mode);
        let (mut client, _) = End::pair(&deflate, &deflate);
        let lens: Vec<usize> = ticks.iter().map(|tick| client.encode(&[tick])[0].payload.len()).collect();
        assert!(lens[0] > 30 && lens[1] < 20 && lens[2] < 20, "{mode:?}: {lens:?}");
    }
}

#[test]
fn a_message_alone_that_would_grow_leaves_as_it_was() {
    let alone = all().memory(MemoryMode::NoTakeover);
    let (mut client, _) = End::pair(&alone, &alone);
    assert_eq!(client.encode(&[b"{\"q\":42}"])[0].rsv, Rsv::NONE);
    assert_eq!(client.encode(&[&[b'a'; 20]])[0].rsv, Rsv::RSV1);
}
