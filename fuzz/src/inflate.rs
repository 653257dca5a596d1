//! Frames of a hostile peer, into the decoder: what comes out is what the second opinion reads, however the
//! bytes were cut.

use arbitrary::{Arbitrary, Result, Unstructured};
use converse::{
    CloseCode, Frame, OpCode,
    extension::{Extension, ExtensionDecoder, ExtensionOffer},
    frame::Rsv,
};

use crate::{
    blocks::{self, Part},
    cuts::Cuts,
    inflater::{End, Past, Reading},
    receiver::Receiver,
    rfc7692::Terms,
    settings::{Settings, parameters},
};

/// What the end of a message may make of bits behind it, at most: four repetitions a byte.
const SAID_BY_ONE_BYTE: usize = 4 * 258;

#[derive(Debug)]
pub struct Case {
    client: bool,
    settings: Settings,
    /// What the peer offers or answers.
    peer: ExtensionOffer,
    limit: usize,
    one: Cuts,
    other: Cuts,
    messages: Vec<Wire>,
}

/// A message as the peer sends it.
#[derive(Debug)]
struct Wire {
    opcode: OpCode,
    payload: Vec<u8>,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Plain,
    Compressed,
    /// With RSV1 on a continuation.
    Marked,
    /// With frames that begin and end where the bits of this number say.
    Disordered(u8),
}

/// What became of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Outcome {
    Delivered(Vec<u8>),
    Refused(CloseCode),
}

impl Case {
    /// Plays the case.
    pub fn check(&self) {
        let runs = [(&self.one, true), (&self.other, true), (&Cuts::NONE, true), (&self.one, false)];
        let Some(mut receivers) = self.receivers(runs.len()) else { return };
        for (receiver, (_, may_cut)) in receivers.iter_mut().zip(runs) {
            receiver.0.may_cut = may_cut;
        }
        let mut past = self.past(&receivers[0].1);
        for wire in &self.messages {
            let outcomes: Vec<Outcome> = receivers
                .iter_mut()
                .zip(runs)
                .filter_map(|((receiver, _), (cuts, may_cut))| wire.play(receiver, cuts, may_cut))
                .collect();
            if !self.judge(wire, &mut past, &outcomes) {
                return;
            }
        }
    }

    /// Builds receivers that have all agreed on the same, and returns the answer with each.
    fn receivers(&self, count: usize) -> Option<Vec<(Receiver, ExtensionOffer)>> {
        let deflate = self.settings.build();
        let receiver = |_| {
            let negotiated =
                if self.client { deflate.confirm(&self.peer).ok() } else { deflate.accept(&self.peer) }?;
            let answer = negotiated.answer().clone();
            let decoder: Box<dyn ExtensionDecoder> = negotiated.into_halves().1;
            Some((Receiver { decoder, limit: self.limit, may_cut: true }, answer))
        };
        (0..count).map(receiver).collect()
    }

    fn past(&self, answer: &ExtensionOffer) -> Past {
        let (bits, takeover) = self.agreed(answer);
        Past::new(bits, takeover)
    }

    /// The window of the peer's messages, and whether it is kept between them.
    fn agreed(&self, answer: &ExtensionOffer) -> (u8, bool) {
        let terms = Terms::answered(answer).expect("an answer that the RFC knows");
        if self.client { terms.server_sends() } else { terms.client_sends() }
    }

    /// Compares what became of a message; tells whether the connection goes on.
    fn judge(&self, wire: &Wire, past: &mut Past, outcomes: &[Outcome]) -> bool {
        match wire.kind {
            Kind::Disordered(_) => return false,
            Kind::Plain => {
                let plain = Outcome::Delivered(wire.payload.clone());
                assert!(outcomes.iter().all(|outcome| *outcome == plain), "a plain message changed");
                return true;
            }
            Kind::Marked if outcomes.is_empty() => return false,
            Kind::Marked => {
                let delivered = outcomes.iter().any(|outcome| matches!(outcome, Outcome::Delivered(_)));
                assert!(!delivered, "RSV1 on a continuation was taken");
                return false;
            }
            Kind::Compressed => {}
        }
        let reading = past.read(&wire.payload, self.limit);
        for outcome in outcomes {
            self.compare(wire, &reading, outcome);
        }
        assert!(outcomes.windows(2).all(|pair| pair[0] == pair[1]), "cuts matter: {outcomes:?}");
        past.remember(&reading);
        // Bits of the tail that are left belong to the next message, or to none: opinions differ.
        let goes_on = outcomes.iter().all(|outcome| matches!(outcome, Outcome::Delivered(_)));
        goes_on && reading.end != End::Ragged
    }

    fn compare(&self, wire: &Wire, reading: &Reading, outcome: &Outcome) {
        let near_limit = reading.plain.len() + 5 * SAID_BY_ONE_BYTE > self.limit;
        match outcome {
            Outcome::Delivered(plain) => {
                assert!(!matches!(reading.end, End::Wrong | End::Over), "delivered, but {:?}", reading.end);
                assert!(*plain == reading.plain, "delivered {plain:x?}, not {:x?}", reading.plain);
            }
            Outcome::Refused(code) if *code == CloseCode::MESSAGE_TOO_BIG => {
                let cut_short = reading.end == End::Wrong && near_limit;
                let wire_too_long = wire.payload.len() > self.most_wire();
                let beyond = !reading.in_window;
                assert!(
                    reading.end == End::Over || cut_short || wire_too_long || beyond,
                    "too big, but {reading:?}"
                );
            }
            Outcome::Refused(code) => {
                assert_eq!(*code, CloseCode::INVALID_PAYLOAD);
                let fine = matches!(reading.end, End::Clean | End::Over);
                let tolerable = reading.in_window && reading.finals < 16;
                assert!(!(fine && tolerable), "refused, but {:?}: {:x?}", reading.end, reading.plain);
            }
        }
    }

    /// The most bytes of a compressed message that are looked at.
    fn most_wire(&self) -> usize {
        self.limit + self.limit / 8 + 1024
    }
}

impl Wire {
    /// Sends the message; `None` when it has no frame to be marked.
    fn play(&self, receiver: &mut Receiver, cuts: &Cuts, may_cut: bool) -> Option<Outcome> {
        let rsv = if self.kind == Kind::Plain { Rsv::NONE } else { Rsv::RSV1 };
        let mut frames = cuts.frames(&self.payload, self.opcode, rsv);
        if !may_cut {
            frames.iter_mut().step_by(2).for_each(|frame| frame.rsv = frame.rsv | Rsv::RSV3);
        }
        let outcome = match self.kind {
            Kind::Marked if frames.len() == 1 => return None,
            Kind::Marked => {
                let index = frames.len() / 2;
                frames[index.max(1)].rsv = Rsv::RSV1;
                receiver.message(frames)
            }
            Kind::Disordered(seed) => {
                disorder(&mut frames, seed);
                receiver.disordered(frames).map(|()| Vec::new())
            }
            Kind::Plain | Kind::Compressed => receiver.message(frames),
        };
        Some(match outcome {
            Ok(plain) => Outcome::Delivered(plain),
            Err(error) => Outcome::Refused(error.close_code()),
        })
    }
}

fn disorder(frames: &mut [Frame], seed: u8) {
    for (index, frame) in frames.iter_mut().enumerate() {
        let turn = seed.rotate_left(index as u32 % 8);
        frame.fin ^= turn & 1 != 0;
        if turn & 2 != 0 {
            frame.opcode = if turn & 4 != 0 { OpCode::Text } else { OpCode::Continuation };
            frame.rsv = if turn & 8 != 0 { Rsv::RSV1 } else { Rsv::NONE };
        }
    }
}

impl<'a> Arbitrary<'a> for Case {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let flags: u8 = u.arbitrary()?;
        let mut case = Self {
            client: flags & 1 != 0,
            settings: u.arbitrary()?,
            peer: parameters(u)?,
            limit: usize::from(u.arbitrary::<u16>()?) << (flags >> 1 & 1),
            one: u.arbitrary()?,
            other: u.arbitrary()?,
            messages: Vec::new(),
        };
        while case.messages.len() < 8 && !u.is_empty() {
            case.messages.push(u.arbitrary()?);
        }
        Ok(case)
    }
}

impl<'a> Arbitrary<'a> for Wire {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let flags: u8 = u.arbitrary()?;
        let opcode = if flags & 1 != 0 { OpCode::Text } else { OpCode::Binary };
        let kind = match flags >> 1 & 7 {
            0 => Kind::Plain,
            1 => Kind::Marked,
            2 => Kind::Disordered(u.arbitrary()?),
            _ => Kind::Compressed,
        };
        let parts: Vec<Part> = (0..flags >> 4 & 3).map(|_| u.arbitrary()).collect::<Result<_>>()?;
        let mut payload = blocks::write(&parts, flags & 0x40 != 0);
        if flags & 0x80 != 0 && !payload.is_empty() {
            let [at, change]: [u8; 2] = u.arbitrary()?;
            let at = usize::from(at) % payload.len();
            payload[at] ^= change;
        }
        Ok(Self { opcode, payload, kind })
    }
}
