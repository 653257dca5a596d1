use super::*;

const LEVELS: [u8; 4] = [0, 1, 6, 9];

/// Bytes without order, the same each time.
fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let step = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    (0..len).map(step).collect()
}

/// Text, noise, repetition and nothing.
fn messages() -> Vec<Vec<u8>> {
    let text = "the quick brown fox jumps over the lazy dog; ".repeat(40).into_bytes();
    vec![
        vec![],
        text.clone(),
        noise(5000),
        vec![],
        vec![],
        vec![7; 300_000],
        text,
        b"x".to_vec(),
        noise(5000),
    ]
}

#[test]
fn the_examples_of_rfc_7692_are_read() {
    // §7.2.3.1 to §7.2.3.5, in this order; the second one refers to the first.
    let mut inflater = Inflater::new(15);
    for payload in [
        &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00][..],
        &[0xf2, 0x00, 0x11, 0x00, 0x00],
        &[0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00],
        &[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00],
        &[0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00],
    ] {
        assert_eq!(inflater.inflate_message(payload).unwrap(), b"Hello", "{payload:02x?}");
    }
}

#[test]
fn the_block_that_the_tail_ends_may_say_that_it_is_the_last_one() {
    let mut inflater = Inflater::new(15);
    assert_eq!(inflater.inflate_message(&[0x01]).unwrap(), b"");
    assert_eq!(inflater.inflate_message(&[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x04]).unwrap(), b"Hello");
    assert_eq!(inflater.inflate_message(&[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00]).unwrap(), b"Hello");
}

#[test]
fn the_examples_of_rfc_7692_are_written() {
    let mut deflater = Deflater::new(6, 15);
    assert_eq!(deflater.message(b"Hello"), [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00]);
    assert_eq!(deflater.message(b"Hello"), [0xf2, 0x00, 0x11, 0x00, 0x00]);
    deflater.reset();
    assert_eq!(deflater.message(b"Hello"), [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00]);
    assert_eq!(
        Deflater::new(0, 15).message(b"Hello"),
        [0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00]
    );
    assert_eq!(
        Deflater::new(6, 15).message_of(&[(b"Hello", Flush::Finish)]),
        [0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00]
    );
}

#[test]
fn messages_come_back_at_every_level_and_window() {
    for level in LEVELS {
        for bits in 9..=15 {
            let (mut deflater, mut inflater) = (Deflater::new(level, bits), Inflater::new(bits));
            for message in messages() {
                let payload = deflater.message(&message);
                assert_eq!(inflater.inflate_message(&payload).unwrap(), message, "{level} {bits}");
            }
        }
    }
}

#[test]
fn messages_come_back_whatever_the_strategy_the_flushes_and_the_level_on_the_way() {
    use Flush::{Block, Finish, Full, No, Partial, Sync};
    for strategy in [Strategy::Default, Strategy::HuffmanOnly, Strategy::Rle, Strategy::Fixed] {
        let (mut deflater, mut inflater) = (Deflater::with_strategy(6, 12, strategy), Inflater::new(12));
        for within in [No, Partial, Block, Sync, Full, Finish] {
            for end in [Sync, Full, Finish] {
                for (message, level) in messages().into_iter().zip(LEVELS.into_iter().cycle()) {
                    deflater.set_level(level);
                    let (left, right) = message.split_at(message.len() / 3);
                    let payload = deflater.message_of(&[(left, within), (b"", within), (right, end)]);
                    let back = inflater.inflate_message(&payload);
                    assert_eq!(back.unwrap(), message, "{strategy:?} {within:?} {end:?}");
                }
            }
        }
    }
}

#[test]
fn an_empty_message_is_a_zero_wherever_it_stands() {
    let mut deflater = Deflater::new(6, 15);
    for data in [&b""[..], b"", b"something", b"", b""] {
        let payload = deflater.message(data);
        assert_eq!(payload == [0], data.is_empty(), "{payload:02x?}");
    }
}

/// A block of fixed codes by hand: its bits, the first one lowest.
#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    used: usize,
}

impl Bits {
    fn put(&mut self, value: u32, count: usize) {
        for bit in 0..count {
            if self.used.is_multiple_of(8) {
                self.bytes.push(0);
            }
            let last = self.bytes.len() - 1;
            self.bytes[last] |= ((value >> bit & 1) as u8) << (self.used % 8);
            self.used += 1;
        }
    }

    /// Huffman codes stand with their highest bit first.
    fn code(&mut self, code: u32, count: usize) {
        (0..count).rev().for_each(|bit| self.put(code >> bit & 1, 1));
    }
}

/// A message of three bytes from this far back, 5 at least.
fn reference(distance: u32) -> Vec<u8> {
    // RFC 1951 §3.2.5: two codes for each power of two.
    let from = distance - 1;
    let extra = from.ilog2() - 1;
    let mut bits = Bits::default();
    bits.put(0b010, 3); // Not the last block; fixed codes.
    bits.code(0b000_0001, 7); // Length 3.
    bits.code(2 * (extra + 1) + (from >> extra & 1), 5);
    bits.put(from & ((1 << extra) - 1), extra as usize);
    bits.code(0, 7); // The end of the block.
    bits.put(0b000, 3); // The stored block whose rest is the tail.
    bits.bytes
}

#[test]
fn a_reference_to_the_windows_last_byte_is_taken_and_one_beyond_it_refused() {
    for bits in 8..15 {
        let window = 1 << bits;
        let data = noise(window + 500);
        let plain = Deflater::new(0, 15).message(&data);
        let (last, beyond) = (reference(window as u32), reference(window as u32 + 1));
        let mut inflater = Inflater::new(bits);
        assert_eq!(inflater.inflate_message(&plain).unwrap(), data);
        assert_eq!(inflater.inflate_message(&last).unwrap(), data[500..503], "{bits} bits");
        let error = inflater.inflate_message(&beyond).unwrap_err();
        assert_eq!(error, InflateError::Data("invalid distance too far back".to_owned()), "{bits} bits");
        // In one message as in two.
        let joined = [&plain[..plain.len() - 1], &beyond].concat();
        assert!(Inflater::new(bits).inflate_message(&joined).is_err(), "{bits} bits in one message");
        let wide = Inflater::new(bits + 1).inflate_message(&joined).unwrap();
        assert_eq!(wide, [&data[..], &data[499..502]].concat());
    }
}

#[test]
fn a_window_that_is_too_small_or_was_not_kept_is_noticed() {
    let unit = noise(700);
    let twice = [&unit[..], &unit].concat();
    let payload = Deflater::new(6, 15).message(&twice);
    Inflater::new(9).inflate_message(&payload).unwrap_err();
    Inflater::new(10).inflate_message(&payload).unwrap();
    let mut deflater = Deflater::new(6, 15);
    let _ = deflater.message(&unit);
    let payload = deflater.message(&unit);
    Inflater::new(15).inflate_message(&payload).unwrap_err();
}

#[test]
fn every_cut_of_a_message_is_unfinished_or_no_deflate() {
    for (level, data) in [
        (6, b"Hello".to_vec()),
        (0, b"Hello".to_vec()),
        (6, b"the quick brown fox jumps over the lazy dog".repeat(9)),
        (6, noise(300)),
    ] {
        let payload = Deflater::new(level, 15).message(&data);
        for len in 0..payload.len() {
            let cut = Inflater::new(15).inflate_message(&payload[..len]);
            // What is left of a stored block is an empty message.
            let expected = payload[..len] == [0];
            assert_eq!(cut.is_ok(), expected, "{len} of {} bytes: {cut:02x?}", payload.len());
        }
    }
}

#[test]
fn a_part_behind_which_nothing_is_referred_to_may_be_repeated() {
    let mut part = Vec::new();
    Deflater::new(9, 15).push(&[0; 1 << 20], Flush::Full, &mut part);
    assert!(part.ends_with(&TAIL) && part.len() < 1100, "{}", part.len());
    let parts = part.repeat(5);
    let back = Inflater::new(15).inflate_message(&parts[..parts.len() - TAIL.len()]).unwrap();
    assert!(back.len() == 5 << 20 && back.iter().all(|byte| *byte == 0));
}
