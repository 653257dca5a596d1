//! Messages of any kind, through the encoder and the decoder of two ends that agree: they arrive as they were,
//! and the second opinion reads them too, with the window that was agreed on.

use arbitrary::{Arbitrary, Result, Unstructured};
use converse::{
    Frame, Message, OpCode,
    extension::{Extension, ExtensionEncoder, ExtensionError, FrameSink, Negotiated, SendHints},
    frame::Rsv,
};

use crate::{
    blocks::bytes,
    cuts::Cuts,
    inflater::{End, Past},
    receiver::Receiver,
    rfc7692::Terms,
    settings::Settings,
};

/// The most bytes of all messages of one direction: more than the largest window.
const MOST_SAID: usize = 40_000;
/// The most bytes that a flush adds.
const FLUSH: usize = 8;

#[derive(Debug)]
pub struct Case {
    client: Settings,
    server: Settings,
    may_cut: bool,
    /// How a proxy cuts what is under way.
    recut: Cuts,
    messages: Vec<Sent>,
}

#[derive(Debug)]
struct Sent {
    by_client: bool,
    opcode: OpCode,
    compress: bool,
    fragments: Cuts,
    words: Vec<Word>,
}

/// A part of a message.
#[derive(Debug)]
enum Word {
    Bytes(Vec<u8>),
    /// What was said so long ago, again.
    Echo {
        back: u16,
        len: u16,
    },
    Fill {
        byte: u8,
        len: u16,
    },
    /// What does not compress.
    Noise {
        seed: u8,
        len: u16,
    },
}

/// One direction of the connection.
struct Line {
    settings: Settings,
    encoder: Box<dyn ExtensionEncoder>,
    receiver: Receiver,
    past: Past,
    said: Vec<u8>,
}

impl Case {
    /// Plays the case.
    pub fn check(&self) {
        let (client, server) = (approving(self.client.build()), approving(self.server.build()));
        let Some(accepted) = client.offers().iter().find_map(|offer| server.accept(offer)) else {
            panic!("{client:?} and {server:?} do not agree");
        };
        let terms = Terms::answered(accepted.answer()).expect("an answer that the RFC knows");
        let confirmed = client.confirm(accepted.answer()).expect("what the server has accepted");
        let ((client_encoder, client_decoder), (server_encoder, server_decoder)) =
            (Negotiated::into_halves(confirmed), accepted.into_halves());
        let line = |settings: &Settings, encoder, decoder, (bits, takeover)| Line {
            settings: settings.clone(),
            encoder,
            receiver: Receiver { decoder, limit: 0, may_cut: self.may_cut },
            past: Past::new(bits, takeover),
            said: Vec::new(),
        };
        let mut up = line(&self.client, client_encoder, server_decoder, terms.client_sends());
        let mut down = line(&self.server, server_encoder, client_decoder, terms.server_sends());
        for sent in &self.messages {
            let line = if sent.by_client { &mut up } else { &mut down };
            line.play(sent, &self.recut);
        }
    }
}

/// Approves of all messages but those that are 77 bytes long.
fn approving(deflate: converse::PerMessageDeflate) -> converse::PerMessageDeflate {
    deflate.compress_if(|message| message.len() != 77)
}

impl Line {
    fn play(&mut self, sent: &Sent, recut: &Cuts) {
        let plain = sent.plain(&self.said);
        self.said.extend_from_slice(&plain);
        let fragments = sent.fragments.frames(&plain, sent.opcode, Rsv::NONE);
        let wire = self.encode(sent, &plain, fragments.clone());
        let compressed = wire[0].rsv.contains(Rsv::RSV1);
        let wished = sent.compress && plain.len() >= self.settings.threshold && plain.len() != 77;
        assert!(wished || !compressed, "compressed against the wish");
        if !compressed {
            assert_eq!(wire, self.marked(fragments), "an uncompressed message changed");
        }
        let payload: Vec<u8> = wire.iter().flat_map(|frame| frame.payload.iter().copied()).collect();
        if compressed {
            let reading = self.past.read(&payload, plain.len());
            assert_eq!(reading.end, End::Clean);
            assert!(reading.plain == plain && reading.in_window && reading.finals == 0);
            self.past.remember(&reading);
        }
        // A flush with every frame may add more than the decoder allows for.
        let flushed = if self.receiver.may_cut { 0 } else { wire.len() };
        self.receiver.limit = plain.len() + flushed * FLUSH;
        let received = if self.receiver.may_cut {
            let rsv = if compressed { Rsv::RSV1 } else { Rsv::NONE };
            self.receiver.message(recut.frames(&payload, sent.opcode, rsv))
        } else {
            self.receiver.message(wire)
        };
        assert!(received.expect("what the encoder has made") == plain, "another message arrived");
    }

    /// Gives frames a bit of another extension, where edges count.
    fn marked(&self, mut frames: Vec<Frame>) -> Vec<Frame> {
        if !self.receiver.may_cut {
            frames.iter_mut().skip(1).step_by(2).for_each(|frame| frame.rsv = Rsv::RSV2);
        }
        frames
    }

    fn encode(&mut self, sent: &Sent, plain: &[u8], fragments: Vec<Frame>) -> Vec<Frame> {
        let mut hints = SendHints::default();
        hints.compress = sent.compress;
        self.encoder.begin(&Message::binary(plain.to_vec()), hints);
        let longest = fragments.iter().map(|frame| frame.payload.len()).max().unwrap_or(0);
        let (mut wire, may_cut) = (Vec::new(), self.receiver.may_cut);
        for fragment in self.marked(fragments) {
            let (already, rsv, fin) = (wire.len(), fragment.rsv, fragment.fin);
            let mut put = |frame: Frame| -> std::result::Result<(), ExtensionError> {
                assert_eq!(frame.rsv.without(Rsv::RSV1), rsv);
                wire.push(frame);
                Ok(())
            };
            let mut out = FrameSink::new(&mut put).with_cuts(may_cut).with_frame_size(longest.max(1));
            self.encoder.encode(fragment, &mut out).expect("frames");
            assert!(may_cut || wire.len() == already + 1, "one frame became several, or none");
            assert_eq!(wire.last().is_some_and(|frame| frame.fin), fin);
        }
        let (last, earlier) = wire.split_last().expect("a frame");
        assert!(last.fin && earlier.iter().all(|frame| !frame.fin));
        assert_eq!(wire[0].opcode, sent.opcode);
        for frame in &wire[1..] {
            assert_eq!((frame.opcode, frame.rsv.contains(Rsv::RSV1)), (OpCode::Continuation, false));
        }
        assert!(!may_cut || wire.iter().all(|frame| frame.payload.len() <= longest.max(1)), "a frame grew");
        wire
    }
}

impl Sent {
    fn plain(&self, said: &[u8]) -> Vec<u8> {
        let mut plain = Vec::new();
        for word in &self.words {
            match word {
                Word::Bytes(bytes) => plain.extend_from_slice(bytes),
                Word::Echo { back, len } => {
                    let len = usize::from(*len);
                    let before = said.len().saturating_sub(usize::from(*back).saturating_sub(plain.len()));
                    let here = plain.len().saturating_sub((*back).into());
                    let echo: Vec<u8> =
                        said[before..].iter().chain(&plain[here..]).take(len).copied().collect();
                    plain.extend(echo);
                }
                Word::Fill { byte, len } => plain.extend(std::iter::repeat_n(*byte, (*len).into())),
                Word::Noise { seed, len } => {
                    let mut state = u32::from(*seed) | 0x9e37_0100;
                    plain.extend((0..*len).map(|_| {
                        state ^= state << 13;
                        state ^= state >> 17;
                        state ^= state << 5;
                        state as u8
                    }));
                }
            }
        }
        plain.truncate(MOST_SAID - said.len());
        plain
    }
}

impl<'a> Arbitrary<'a> for Case {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let mut case = Self {
            client: u.arbitrary()?,
            server: u.arbitrary()?,
            may_cut: u.arbitrary::<u8>()? & 1 == 0,
            recut: u.arbitrary()?,
            messages: Vec::new(),
        };
        while case.messages.len() < 16 && !u.is_empty() {
            case.messages.push(u.arbitrary()?);
        }
        Ok(case)
    }
}

impl<'a> Arbitrary<'a> for Sent {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let flags: u8 = u.arbitrary()?;
        Ok(Self {
            by_client: flags & 1 == 0,
            opcode: if flags & 2 != 0 { OpCode::Text } else { OpCode::Binary },
            compress: flags & 0x0c != 0x0c,
            fragments: if flags & 0x10 != 0 { u.arbitrary()? } else { Cuts::NONE },
            words: (0..flags >> 5).map(|_| u.arbitrary()).collect::<Result<_>>()?,
        })
    }
}

impl<'a> Arbitrary<'a> for Word {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let kind: u8 = u.arbitrary()?;
        Ok(match kind & 3 {
            0 => Self::Bytes(bytes(u)?),
            1 => Self::Echo { back: u.arbitrary()?, len: len(u, kind)? },
            2 => Self::Fill { byte: u.arbitrary()?, len: len(u, kind)? },
            _ => Self::Noise { seed: u.arbitrary()?, len: len(u, kind)? },
        })
    }
}

/// Takes a length, mostly a short one.
fn len(u: &mut Unstructured<'_>, kind: u8) -> Result<u16> {
    Ok(u.arbitrary::<u16>()? >> (kind >> 4 & 7))
}
