//! Plays the checked-in corpus, and sees that the second opinions know the examples of RFC 7692.

use std::{fs, path::Path};

use arbitrary::{Arbitrary, Unstructured};

use crate::{
    conversation, inflate,
    inflater::{End, Past},
    offer_parser, round_trip,
};

fn corpus(target: &str) -> Vec<Vec<u8>> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap());
    // The fuzzer's own finds have no such names.
    let chosen = entries.filter(|entry| entry.file_name().to_string_lossy().contains('_'));
    let inputs: Vec<_> = chosen.map(|entry| fs::read(entry.path()).unwrap()).collect();
    assert!(!inputs.is_empty(), "no corpus for {target}");
    inputs
}

fn case<'a, C: Arbitrary<'a>>(input: &'a [u8]) -> C {
    C::arbitrary_take_rest(Unstructured::new(input)).unwrap()
}

#[test]
fn the_corpus_is_played() {
    corpus("inflate").iter().for_each(|input| case::<inflate::Case>(input).check());
    corpus("round_trip").iter().for_each(|input| case::<round_trip::Case>(input).check());
    corpus("conversation").iter().for_each(|input| case::<conversation::Case>(input).check());
    corpus("offer_parser").iter().for_each(|input| case::<offer_parser::Case>(input).check());
}

#[test]
fn the_inflater_reads_the_examples_of_the_rfc() {
    let examples: [&[u8]; 5] = [
        &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00],
        &[0xf2, 0x00, 0x11, 0x00, 0x00],
        &[0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00],
        &[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00],
        &[0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00],
    ];
    let mut past = Past::new(15, true);
    for example in examples {
        let reading = past.read(example, 5);
        assert_eq!((reading.end, &reading.plain[..], reading.in_window), (End::Clean, &b"Hello"[..], true));
        past.remember(&reading);
        assert_eq!(past.read(example, 4).end, End::Over);
        assert_eq!(past.read(&example[..example.len() - 1], 5).end, End::Wrong);
    }
}
