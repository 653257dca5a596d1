//! Headers, masking, UTF-8, and the way from a client's bytes to messages and back.

use bytes::Bytes;
use converse::internals;
use converse_benches::wire::frame;
use converse_core::Utf8Buffer;
use divan::{Bencher, black_box, counter::BytesCount};

/// Payloads in bytes: the shortest and the longest short length, a page, and a large one.
const SIZES: [usize; 4] = [20, 125, 1024, 64 * 1024];

/// The key of the frames.
const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

#[divan::bench(args = SIZES)]
fn header_parse(bencher: Bencher, size: usize) {
    let bytes = frame(&vec![b'x'; size], false);
    bencher.bench_local(|| internals::parse_header(black_box(&bytes)));
}

#[divan::bench(args = SIZES)]
fn header_write(bencher: Bencher, size: usize) {
    let mut out = [0; 14];
    bencher.bench_local(|| internals::write_header(black_box(size as u64), &mut out));
}

#[divan::bench(args = SIZES)]
fn mask(bencher: Bencher, size: usize) {
    let mut payload = vec![b'x'; size];
    bencher.counter(BytesCount::new(size)).bench_local(|| internals::mask(black_box(&mut payload), KEY));
}

#[divan::bench(args = SIZES)]
fn utf8_ascii(bencher: Bencher, size: usize) {
    utf8(bencher, "x".repeat(size));
}

#[divan::bench(args = SIZES)]
fn utf8_greek(bencher: Bencher, size: usize) {
    utf8(bencher, "κ".repeat(size / 2));
}

/// Copies and checks, as the assembler does.
fn utf8(bencher: Bencher, text: String) {
    bencher.counter(BytesCount::new(text.len())).bench_local(|| {
        let mut buffer = Utf8Buffer::default();
        buffer.reserve(text.len(), text.len());
        buffer.push(black_box(text.as_bytes())).expect("it is text");
        buffer.finish()
    });
}

/// Sixteen whole frames: headers, unmasking, copies.
#[divan::bench(args = SIZES)]
fn assemble_16(bencher: Bencher, size: usize) {
    let frames = frame(&vec![b'x'; size], false).repeat(16);
    bencher
        .counter(BytesCount::new(16 * size))
        .with_inputs(|| frames.clone())
        .bench_local_refs(|frames| assert_eq!(internals::assemble(frames), 16));
}

#[divan::bench(args = SIZES)]
fn encode_16(bencher: Bencher, size: usize) {
    let payload = Bytes::from(vec![b'x'; size]);
    bencher.counter(BytesCount::new(16 * size)).bench_local(|| internals::encode(black_box(&payload), 16));
}
