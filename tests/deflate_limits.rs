//! What a hostile peer's compressed messages come to: counted by the allocator, over TCP. zlib is the judge of what
//! is a message. A binary of its own, because of that allocator.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod deflate;
mod wire;

use std::{
    future::Future,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use converse::{
    CloseCause, MemoryMode, Message, PerMessageDeflate, Session, SessionOptions, frame::Role,
    session::SessionError,
};
use converse_zlib_oracle::{Deflater, Flush, Inflater, TAIL};
use deflate::{Dice, Far, PLAIN_OFFER, RSV1, Served, answer_for, dialled, heap::Heap, served, with};
use tokio::io::AsyncWriteExt;
use wire::{BINARY, CONTINUATION, FIN, in_time};

#[global_allocator]
static HEAP: Heap = Heap::new();

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;
/// What may be allocated beyond the message limit.
const SLACK: usize = 64 * KIB;
const MODES: [MemoryMode; 3] =
    [MemoryMode::Dedicated, MemoryMode::Compact { history: 2048 }, MemoryMode::NoTakeover];
const ROLES: [Role; 2] = [Role::Server, Role::Client];

/// Runs one test at a time, because all count one heap.
fn alone(test: impl Future<Output = ()>) {
    static ONE: Mutex<()> = Mutex::new(());
    let _alone = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test);
}

fn options(mode: MemoryMode, limit: usize) -> SessionOptions {
    with(PerMessageDeflate::new().threshold(0).memory(mode)).max_message_size(limit)
}

const FIRST: &str = "it is warm in here, it is warm in here, it is warm in here";

/// Sends a compressed message each way.
async fn warm((mut session, mut far): (Session, Far)) -> (Session, Far) {
    far.send(FIRST.as_bytes()).await;
    assert_eq!(session.receive().await.unwrap(), Some(Message::from(FIRST.as_bytes())));
    session.send(FIRST).await.unwrap();
    assert!(far.message().await.compressed);
    (session, far)
}

async fn open(role: Role, mode: MemoryMode, options: SessionOptions) -> (Session, Far) {
    let ends = match role {
        Role::Server => served(options, PLAIN_OFFER).await,
        Role::Client => dialled(options, answer_for(mode)).await,
    };
    warm(ends).await
}

/// What became of a stream of bytes.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Delivered(Vec<u8>),
    Refused(u16),
}

/// Sends bytes to a warm session, and sees that it has one event of them, a message or the end; that the peer is
/// told so; and that no more is allocated on the way than `most`.
async fn outcome((mut session, mut far): (Session, Far), bytes: &[u8], most: usize, what: &str) -> Outcome {
    // Whatever is still to be given back from the warming is, before the counting.
    tokio::task::yield_now().await;
    let mark = HEAP.mark();
    // A connection that has failed may be gone before all was sent.
    let telling = async { drop(far.wire.io.write_all(bytes).await) };
    let (first, ()) = tokio::join!(in_time(session.receive()), in_time(telling));
    let peak = HEAP.peak_over(mark);
    assert!(peak <= most, "{what}: {peak} bytes at the peak");
    match first {
        Ok(Some(message)) => Outcome::Delivered(message.as_bytes().to_vec()),
        Err(SessionError::Closed(closed)) => {
            assert!(matches!(closed.cause, CloseCause::Violation(_)), "{what}: {closed:?}");
            assert_eq!(session.receive().await.unwrap(), None);
            let told = far.wire.frames().await;
            assert_eq!(told.len(), 1, "{what}: {told:02x?}");
            let code = told[0].close_code().unwrap();
            assert_eq!(closed.sent.as_ref().map(|reason| reason.code().get()), Some(code));
            Outcome::Refused(code)
        }
        other => panic!("{what}: {other:?}"),
    }
}

/// A compressed message's frames, each of so many bytes.
fn frames(payload: &[u8], size: usize, masked: bool) -> Vec<u8> {
    let (mut wire, mut first, mut rest) = (Vec::new(), RSV1 | BINARY, payload);
    while rest.len() > size {
        wire.extend(wire::frame(first, &rest[..size], masked));
        (first, rest) = (CONTINUATION, &rest[size..]);
    }
    wire.extend(wire::frame(FIN | first, rest, masked));
    wire
}

/// Sends a payload in frames of each of these sizes, for every role and mode, and expects this close code.
async fn refused(payload: &[u8], sizes: &[usize], limit: usize, code: u16) {
    for mode in MODES {
        for role in ROLES {
            for size in sizes {
                let options = options(mode, limit).max_frame_size(16 * MIB);
                let ends = open(role, mode, options).await;
                let bytes = frames(payload, *size, ends.1.masks);
                let what = format!("{role:?}, {mode:?}, frames of {size}, limit {limit}");
                let outcome = outcome(ends, &bytes, limit + SLACK, &what).await;
                assert!(outcome == Outcome::Refused(code), "{what}: {outcome:?}");
            }
        }
    }
}

/// So many mebibytes of zeros in a thousandth of that, tail included.
fn zeros(mebibytes: usize) -> Vec<u8> {
    let mut one = Vec::new();
    Deflater::new(9, 15).push(&vec![0; MIB], Flush::Full, &mut one);
    one.repeat(mebibytes)
}

#[test]
fn a_gigabyte_of_zeros_is_refused_with_1009() {
    let bomb = zeros(1024);
    assert!(bomb.len() < 1100 * KIB);
    alone(async {
        for limit in [1000, 600_000, MIB, 3 * MIB] {
            refused(&bomb[..bomb.len() - TAIL.len()], &[usize::MAX, KIB], limit, 1009).await;
        }
    });
}

#[test]
fn a_limit_that_is_crossed_before_garbage_is_a_1009() {
    alone(async {
        let mut crossing = Deflater::new(6, 9).message(&vec![b'x'; MIB + 1]);
        crossing.extend([0xff; 300]);
        refused(&crossing, &[usize::MAX, KIB, 100], MIB, 1009).await;
    });
}

#[test]
fn garbage_before_the_limit_is_a_1007() {
    alone(async {
        let mut garbage = Deflater::new(6, 9).message(&vec![b'x'; MIB]);
        garbage.extend([0xff; 300]);
        refused(&garbage, &[usize::MAX, KIB, 100], MIB, 1007).await;
        for garbage in [&[][..], &[0xff], &[0xff; 3000], &[0x07], &[0x05], &[0x00, 0x01, 0x00], &TAIL] {
            refused(garbage, &[usize::MAX, 1], MIB, 1007).await;
        }
    });
}

/// Fixed codes and nothing coded: four blocks of ten bits.
const EMPTY_FIXED: [u8; 5] = [0x02, 0x08, 0x20, 0x80, 0x00];
const EMPTY_STORED: [u8; 5] = [0x00, 0x00, 0x00, 0xff, 0xff];

#[test]
fn a_million_empty_blocks_are_refused_with_1009() {
    alone(async {
        for blocks in [EMPTY_STORED.repeat(1_000_000), EMPTY_FIXED.repeat(250_000)] {
            refused(&[&blocks[..], &[0]].concat(), &[usize::MAX, KIB], MIB, 1009).await;
        }
    });
}

#[test]
fn thousands_of_streams_in_one_message_are_refused() {
    alone(async {
        let stream = Deflater::new(6, 9).message_of(&[(&[7; 1000], Flush::Finish)]);
        let streams = stream[..stream.len() - 1].repeat(5000);
        refused(&[&streams[..], &[0]].concat(), &[usize::MAX, KIB], MIB, 1007).await;
        // Streams of nothing.
        refused(&[&[0x03, 0x00].repeat(5000)[..], &[0]].concat(), &[usize::MAX, KIB], MIB, 1007).await;
    });
}

/// What zlib makes of a payload behind the first message.
fn verdict(payload: &[u8], mode: MemoryMode) -> Outcome {
    let mut inflater = Inflater::new(15);
    if mode != MemoryMode::NoTakeover {
        inflater.inflate_message(&Deflater::new(6, 15).message(FIRST.as_bytes())).unwrap();
    }
    match inflater.inflate_message(payload) {
        Ok(data) if data.len() > MIB => Outcome::Refused(1009),
        Ok(data) => Outcome::Delivered(data),
        Err(_) => Outcome::Refused(1007),
    }
}

/// Damages a message in every way that `damage` has, and compares with zlib; returns how many were delivered.
async fn judged(data: &[u8], level: u8, damage: impl Fn(&[u8]) -> Vec<Vec<u8>>) -> usize {
    let mut delivered = 0;
    for mode in MODES {
        let mut served = Served::start(options(mode, MIB)).await;
        let mut deflater = Deflater::new(level, 9);
        if mode != MemoryMode::NoTakeover {
            let _ = deflater.message(FIRST.as_bytes());
        }
        for payload in damage(&deflater.message(data)) {
            let (session, far, _) = served.open(&[PLAIN_OFFER]).await;
            let ends = warm((session, far)).await;
            let what = format!("{mode:?}, {payload:02x?}");
            let outcome = outcome(ends, &frames(&payload, usize::MAX, true), MIB + SLACK, &what).await;
            assert_eq!(outcome, verdict(&payload, mode), "{what}");
            delivered += usize::from(matches!(outcome, Outcome::Delivered(_)));
        }
    }
    delivered
}

/// Short messages that become blocks of each kind.
fn short_messages() -> [(Vec<u8>, u8); 4] {
    let varied = (0..300_u32).flat_map(|index| (index * index % 97).to_string().into_bytes()).collect();
    let noise = Dice::new(9).noise(60);
    [(b"Hello, it is warm".to_vec(), 6), (varied, 6), (noise.clone(), 6), (noise, 0)]
}

#[test]
fn a_message_cut_anywhere_is_a_1007_and_never_delivered() {
    alone(async {
        for (data, level) in short_messages() {
            let cuts = |payload: &[u8]| (0..payload.len()).map(|len| payload[..len].to_vec()).collect();
            let delivered = judged(&data, level, cuts).await;
            // What is left of a stored block may be a zero: an empty message.
            let stored = Deflater::new(level, 9).message(&data)[0] == 0;
            assert_eq!(delivered, if stored { MODES.len() } else { 0 });
        }
    });
}

#[test]
fn a_message_with_bytes_behind_its_end_is_what_zlib_says() {
    alone(async {
        let tails: [&[u8]; 8] = [
            &[0],
            &TAIL,
            &[0xff],
            &EMPTY_STORED,
            &EMPTY_FIXED,
            b"trailing",
            &[0x03, 0x00],
            &[0x03, 0x00, 0x00],
        ];
        for (data, level) in short_messages() {
            let trailed = |payload: &[u8]| {
                let behind = |tail: &&[u8]| [payload, &TAIL, tail].concat();
                let within = |tail: &&[u8]| [payload, *tail].concat();
                tails.iter().map(behind).chain(tails.iter().map(within)).collect()
            };
            assert!(judged(&data, level, trailed).await > 0);
        }
    });
}

#[test]
fn a_message_with_any_bit_turned_is_what_zlib_says() {
    alone(async {
        for (data, level) in short_messages() {
            let turned = |payload: &[u8]| {
                let turn = |bit: usize| {
                    let mut turned = payload.to_vec();
                    turned[bit / 8] ^= 1 << (bit % 8);
                    turned
                };
                // Every bit of the beginning, where the codes are, and some of the rest.
                (0..payload.len() * 8).filter(|bit| *bit < 160 || bit % 13 == 0).map(turn).collect()
            };
            judged(&data, level, turned).await;
        }
    });
}

#[test]
fn two_streams_in_one_message_are_one_message() {
    alone(async {
        let stream = Deflater::new(6, 9).message_of(&[(b"Hello", Flush::Finish)]);
        let stream = &stream[..stream.len() - 1];
        let twice =
            |_: &[u8]| vec![[stream, stream, &[0]].concat(), [stream, stream].concat(), stream.to_vec()];
        assert_eq!(judged(b"", 6, twice).await, MODES.len());
    });
}

#[test]
fn a_message_behind_one_that_ended_its_stream_is_understood() {
    alone(async {
        let hello = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
        // A last block and an empty one; an empty one that is the last; nothing but that.
        let ended = [
            &[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00][..],
            &[&hello[..6], &[0x04]].concat(),
            &[0x01],
        ];
        for mode in MODES {
            for last in ended {
                let (mut session, mut far) = open(Role::Server, mode, options(mode, MIB)).await;
                for payload in [last, &hello, last, last, &hello] {
                    far.wire.send(&frames(payload, usize::MAX, true)).await;
                    let message = in_time(session.receive()).await.unwrap().unwrap();
                    let expected: &[u8] = if payload == [0x01] { b"" } else { b"Hello" };
                    assert_eq!(message.as_bytes(), expected, "{mode:?} {last:02x?}");
                }
            }
        }
    });
}

#[test]
fn empty_blocks_below_the_limit_are_an_empty_message() {
    alone(async {
        let blocks = |_: &[u8]| {
            let stored = [&EMPTY_STORED.repeat(100_000)[..], &[0]].concat();
            vec![stored, [&EMPTY_FIXED.repeat(100_000)[..], &[0]].concat()]
        };
        assert_eq!(judged(b"", 6, blocks).await, 2 * MODES.len());
    });
}

#[test]
fn a_message_of_exactly_the_limit_arrives_though_it_did_not_shrink() {
    alone(async {
        let noise = Dice::new(11).noise(MIB);
        for mode in MODES {
            for role in ROLES {
                for (level, size) in [(0, usize::MAX), (6, usize::MAX), (0, KIB), (6, KIB)] {
                    let what = format!("{mode:?}, {role:?}, level {level}, frames of {size}");
                    let ends = open(role, mode, options(mode, MIB)).await;
                    let payload = Deflater::new(level, 9).message(&noise);
                    assert!(payload.len() > MIB);
                    let bytes = frames(&payload, size, ends.1.masks);
                    let outcome = outcome(ends, &bytes, MIB + SLACK, &what).await;
                    assert!(outcome == Outcome::Delivered(noise.clone()), "{what}");
                }
            }
        }
    });
}

#[test]
fn small_frames_that_unpack_to_much_wait_for_the_application() {
    alone(async {
        let one = zeros(1);
        for mode in MODES {
            let (mut session, mut far) = open(Role::Server, mode, options(mode, MIB)).await;
            let bytes = frames(&one[..one.len() - TAIL.len()], usize::MAX, true).repeat(200);
            let mark = HEAP.mark();
            let telling = async { far.wire.io.write_all(&bytes).await.unwrap() };
            let hearing = async {
                for _ in 0..200 {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                    let message = session.receive().await.unwrap().unwrap();
                    assert_eq!(message.len(), MIB);
                }
            };
            tokio::join!(in_time(hearing), in_time(telling));
            let peak = HEAP.peak_over(mark);
            // One is in the application's hands while the next one is made, and moved to a larger buffer; the thread
            // keeps 2 MiB of buffers besides.
            assert!(peak <= 5 * MIB, "{mode:?}: {peak} bytes at the peak");
        }
    });
}
