//! RFC 7692 §7.2: through ten thousand messages of all kinds both ends keep the same window. Knows what zlib may
//! send; not how this crate compresses.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod deflate;
mod wire;

use converse::{MemoryMode, Message, PerMessageDeflate, Session};
use converse_zlib_oracle::{Deflater, Flush};
use deflate::{Dice, Far, PLAIN_OFFER, RSV1, answer_for, dialled, served, with};
use wire::{BINARY, CONTINUATION, FIN, TEXT};

const MESSAGES: usize = 10_000;
const MODES: [MemoryMode; 3] =
    [MemoryMode::Dedicated, MemoryMode::Compact { history: 1500 }, MemoryMode::NoTakeover];

/// The messages of one direction.
struct Talk {
    dice: Dice,
    noise: Vec<u8>,
}

/// How one message is sent.
#[derive(Clone, Debug)]
struct Said {
    data: Vec<u8>,
    is_text: bool,
    is_secret: bool,
}

impl Said {
    fn message(&self) -> Message {
        if self.is_text {
            Message::text(String::from_utf8(self.data.clone()).unwrap())
        } else {
            Message::binary(self.data.clone())
        }
    }

    fn opcode(&self) -> u8 {
        if self.is_text { TEXT } else { BINARY }
    }

    /// What is sent as it is whatever zlib says.
    fn is_plain(&self, threshold: usize) -> bool {
        self.is_secret || self.data.len() < threshold || self.data.starts_with(b"!")
    }
}

impl Talk {
    fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        Self { noise: dice.noise(140_000), dice }
    }

    /// Most are small; one in a hundred has up to 100 KiB.
    fn len(&mut self) -> usize {
        match self.dice.below(100) {
            0 => self.dice.below(100 * 1024 + 1),
            1..5 => self.dice.below(4000),
            5..15 => 0,
            _ => self.dice.below(300),
        }
    }

    fn next(&mut self) -> Said {
        let len = self.len();
        let is_secret = self.dice.one_in(20);
        let (is_text, mut data) = match self.dice.below(4) {
            0 => (false, self.noise[self.dice.below(30_000)..][..len].to_vec()),
            1 => (false, self.records(len)),
            _ => (true, self.text(len)),
        };
        if self.dice.one_in(10) && len > 0 {
            data[0] = b'!';
        }
        Said { data, is_text, is_secret }
    }

    /// Fields that change and fields that don't.
    fn records(&mut self, len: usize) -> Vec<u8> {
        let step = self.dice.below(200) as u32;
        let record = |index: u32| [(index * step).to_be_bytes(), [0, 0, 7, 0xff]].concat();
        (0..).flat_map(record).take(len).collect()
    }

    fn text(&mut self, len: usize) -> Vec<u8> {
        let words = ["{\"price\":", "\"symbol\"", "größe ", "the ", "quick ", "17.25,", "}\n", "lazy dog "];
        let mut text = String::new();
        while text.len() < len {
            text.push_str(words[self.dice.below(words.len())]);
        }
        let end = (0..=len).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        text.truncate(end);
        text.into_bytes()
    }
}

fn extension(mode: MemoryMode, threshold: usize) -> PerMessageDeflate {
    let filter = |message: &Message| !message.as_bytes().starts_with(b"!");
    PerMessageDeflate::new().memory(mode).threshold(threshold).compress_if(filter)
}

/// Sessions of both roles in every mode, each with its far end and a name.
async fn all(fragment_size: usize, threshold: usize) -> Vec<(Session, Far, String)> {
    let mut all = Vec::new();
    for mode in MODES {
        let options = with(extension(mode, threshold)).fragment_size(fragment_size);
        let (session, far) = served(options.clone(), PLAIN_OFFER).await;
        all.push((session, far, format!("server, {mode:?}")));
        let (session, far) = dialled(options, answer_for(mode)).await;
        all.push((session, far, format!("client, {mode:?}")));
    }
    all
}

/// Sends all messages, and has zlib read them.
async fn stays_in_step(session: Session, mut far: Far, fragment_size: usize, threshold: usize, what: &str) {
    let sender = session.sender();
    let sending = tokio::spawn(async move {
        let mut talk = Talk::new(1);
        for _ in 0..MESSAGES {
            let said = talk.next();
            let sender = if said.is_secret { sender.uncompressed() } else { sender.clone() };
            sender.send(said.message()).await.unwrap();
        }
    });
    let mut talk = Talk::new(1);
    let mut compressed = 0;
    for index in 0..MESSAGES {
        let said = talk.next();
        let arrived = far.message().await;
        assert!(arrived.data == said.data, "{what}: message {index} of {} bytes", said.data.len());
        assert_eq!(arrived.opcode, said.opcode(), "{what}: message {index}");
        assert!(!(arrived.compressed && said.is_plain(threshold)), "{what}: message {index} is compressed");
        compressed += usize::from(arrived.compressed);
        // Nor is a frame longer than was asked for, though what does not shrink grows.
        assert!(arrived.longest <= fragment_size, "{what}: message {index}: a frame of {}", arrived.longest);
    }
    assert!(compressed > MESSAGES / 3, "{what}: {compressed} were compressed");
    sending.await.unwrap();
}

#[tokio::test]
async fn what_is_sent_in_small_fragments_keeps_zlib_in_step() {
    for (session, far, what) in all(100, 0).await {
        stays_in_step(session, far, 100, 0, &what).await;
    }
}

#[tokio::test]
async fn what_is_sent_in_large_fragments_keeps_zlib_in_step() {
    for (session, far, what) in all(64 * 1024, 20).await {
        stays_in_step(session, far, 64 * 1024, 20, &what).await;
    }
}

/// Cuts a message into parts that are flushed in all the ways that zlib has.
fn pack(deflater: &mut Deflater, dice: &mut Dice, data: &[u8]) -> Vec<u8> {
    const WITHIN: [Flush; 5] = [Flush::No, Flush::Partial, Flush::Block, Flush::Sync, Flush::Full];
    deflater.set_level([0, 1, 6, 6, 9][dice.below(5)]);
    let mut parts: Vec<(&[u8], Flush)> = Vec::new();
    let mut rest = data;
    while dice.one_in(2) && parts.len() < 5 {
        let (part, behind) = rest.split_at(dice.below(rest.len() + 1));
        let flush = if dice.one_in(8) { Flush::Finish } else { WITHIN[dice.below(5)] };
        parts.push((part, flush));
        rest = behind;
    }
    let end = match dice.below(8) {
        0 => Flush::Finish,
        1 => Flush::Full,
        _ => Flush::Sync,
    };
    parts.push((rest, end));
    deflater.message_of(&parts)
}

/// A message's frames, cut anywhere, with pings between them.
fn frames(dice: &mut Dice, opcode: u8, rsv: u8, payload: &[u8], masked: bool) -> Vec<u8> {
    let (mut wire, mut rest, mut first) = (Vec::new(), payload, opcode | rsv);
    while dice.one_in(2) {
        let (part, behind) = rest.split_at(dice.below(rest.len() + 1));
        wire.extend(wire::frame(first, part, masked));
        if dice.one_in(4) {
            wire.extend(wire::frame(FIN | wire::PONG, part.get(..9).unwrap_or(b"?"), masked));
        }
        (first, rest) = (CONTINUATION, behind);
    }
    wire.extend(wire::frame(FIN | first, rest, masked));
    wire
}

/// Has zlib send all messages, and reads them.
async fn understands(mut session: Session, mut far: Far, what: &str) {
    let sending = tokio::spawn(async move {
        let (mut talk, mut dice) = (Talk::new(2), Dice::new(3));
        let masks = far.masks;
        for _ in 0..MESSAGES {
            let said = talk.next();
            let bytes = if said.is_secret {
                frames(&mut dice, said.opcode(), 0, &said.data, masks)
            } else {
                let payload = far.zlib().compress_as(|deflater| pack(deflater, &mut dice, &said.data));
                frames(&mut dice, said.opcode(), RSV1, &payload, masks)
            };
            far.wire.send(&bytes).await;
        }
        far
    });
    let mut talk = Talk::new(2);
    for index in 0..MESSAGES {
        let said = talk.next();
        let message = wire::in_time(session.receive()).await;
        let message = message.unwrap_or_else(|error| panic!("{what}: message {index}: {error}"));
        assert!(message == Some(said.message()), "{what}: message {index} of {} bytes", said.data.len());
    }
    drop(sending.await.unwrap());
}

#[tokio::test]
async fn whatever_zlib_sends_is_understood() {
    for (session, far, what) in all(64 * 1024, 20).await {
        understands(session, far, &what).await;
    }
}
