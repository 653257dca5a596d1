//! Extensions that are small enough to be read at a glance, for the tests of the seam.

use std::sync::{Arc, Mutex};

use crate::{
    extension::{
        Extension, ExtensionDecoder, ExtensionEncoder, ExtensionError, ExtensionOffer, ExtensionStack,
        FrameSink, Negotiated,
    },
    frame::{CloseCode, Frame, OpCode, ProtocolError, Rsv},
};

/// An extension whose two halves are copies of one value.
pub(super) struct Toy<H>(pub(super) &'static str, pub(super) Rsv, pub(super) H);

impl<H> Extension for Toy<H>
where
    H: ExtensionEncoder + ExtensionDecoder + Clone + Sync + 'static,
{
    fn name(&self) -> &str {
        self.0
    }

    fn rsv(&self) -> Rsv {
        self.1
    }

    fn offers(&self) -> Vec<ExtensionOffer> {
        vec![ExtensionOffer::from_static(self.0)]
    }

    fn accept(&self, offer: &ExtensionOffer) -> Option<Negotiated> {
        Some(Negotiated::new(offer.clone(), self.2.clone(), self.2.clone()))
    }

    fn confirm(&self, answer: &ExtensionOffer) -> Result<Negotiated, ExtensionError> {
        Ok(Negotiated::new(answer.clone(), self.2.clone(), self.2.clone()))
    }
}

/// Negotiates the toys in this order, and returns the client's and the server's stack.
pub(super) fn stacks(toys: &[Arc<dyn Extension>]) -> (ExtensionStack, ExtensionStack) {
    ExtensionStack::check(toys).unwrap();
    let offers: Vec<_> = toys.iter().flat_map(|toy| toy.offers()).collect();
    let (answers, server) = ExtensionStack::accept(toys, &offers);
    (ExtensionStack::confirm(toys, &answers).unwrap(), server)
}

pub(super) fn server_stack(toys: &[Arc<dyn Extension>]) -> ExtensionStack {
    stacks(toys).1
}

fn change(payload: &[u8], key: u8) -> Vec<u8> {
    payload.iter().map(|byte| byte ^ key).collect()
}

/// Changes every byte, and marks the frame with RSV2.
#[derive(Clone)]
pub(super) struct Xor(pub(super) u8);

pub(super) fn xor() -> Arc<dyn Extension> {
    Arc::new(Toy("xor", Rsv::RSV2, Xor(0x5a)))
}

impl ExtensionEncoder for Xor {
    fn encode(
        &mut self,
        frame: Frame,
        out: &mut FrameSink<'_, ExtensionError>,
    ) -> Result<(), ExtensionError> {
        let payload = change(&frame.payload, self.0).into();
        out.push(Frame { rsv: frame.rsv | Rsv::RSV2, payload, ..frame })
    }
}

impl ExtensionDecoder for Xor {
    fn decode(
        &mut self,
        frame: Frame,
        _: u64,
        out: &mut FrameSink<'_, ProtocolError>,
    ) -> Result<(), ProtocolError> {
        let plain = !frame.rsv.contains(Rsv::RSV2);
        let payload = if plain { frame.payload } else { change(&frame.payload, self.0).into() };
        out.push(Frame { rsv: frame.rsv.without(Rsv::RSV2), payload, ..frame })
    }
}

/// Appends the sum of the payload's bytes, and marks the frame with RSV3.
#[derive(Clone)]
pub(super) struct Checksum;

pub(super) fn checksum() -> Arc<dyn Extension> {
    Arc::new(Toy("checksum", Rsv::RSV3, Checksum))
}

fn sum(payload: &[u8]) -> u8 {
    payload.iter().fold(0, |sum, byte| sum.wrapping_add(*byte))
}

impl ExtensionEncoder for Checksum {
    fn encode(
        &mut self,
        frame: Frame,
        out: &mut FrameSink<'_, ExtensionError>,
    ) -> Result<(), ExtensionError> {
        let payload = [&frame.payload[..], &[sum(&frame.payload)]].concat().into();
        out.push(Frame { rsv: frame.rsv | Rsv::RSV3, payload, ..frame })
    }
}

impl ExtensionDecoder for Checksum {
    fn decode(
        &mut self,
        frame: Frame,
        _: u64,
        out: &mut FrameSink<'_, ProtocolError>,
    ) -> Result<(), ProtocolError> {
        match frame.payload.split_last() {
            Some((last, payload)) if frame.rsv.contains(Rsv::RSV3) && *last == sum(payload) => {
                let payload = frame.payload.slice(..payload.len());
                out.push(Frame { rsv: frame.rsv.without(Rsv::RSV3), payload, ..frame })
            }
            _ => Err(ProtocolError::new(CloseCode::INVALID_PAYLOAD, "toy", "wrong checksum")),
        }
    }
}

/// The one that is no toy.
#[cfg(feature = "deflate")]
pub(super) fn deflate() -> Arc<dyn Extension> {
    Arc::new(crate::extension::PerMessageDeflate::new().threshold(0))
}

/// Splits every frame into single bytes; joins a whole message into one frame on the way back, so that
/// it puts out none for most frames.
#[derive(Clone, Default)]
pub(super) struct Shred {
    joined: Vec<u8>,
    first: Option<(OpCode, Rsv)>,
}

pub(super) fn shred() -> Arc<dyn Extension> {
    Arc::new(Toy("shred", Rsv::NONE, Shred::default()))
}

impl ExtensionEncoder for Shred {
    fn encode(
        &mut self,
        frame: Frame,
        out: &mut FrameSink<'_, ExtensionError>,
    ) -> Result<(), ExtensionError> {
        let pieces = frame.payload.len().max(1);
        for at in 0..pieces {
            out.push(Frame {
                fin: frame.fin && at + 1 == pieces,
                rsv: if at == 0 { frame.rsv } else { Rsv::NONE },
                opcode: if at == 0 { frame.opcode } else { OpCode::Continuation },
                payload: frame.payload.slice(at.min(frame.payload.len())..frame.payload.len().min(at + 1)),
            })?;
        }
        Ok(())
    }
}

impl ExtensionDecoder for Shred {
    fn decode(
        &mut self,
        frame: Frame,
        limit: u64,
        out: &mut FrameSink<'_, ProtocolError>,
    ) -> Result<(), ProtocolError> {
        self.joined.extend_from_slice(&frame.payload);
        if self.joined.len() as u64 > limit {
            return Err(ProtocolError::too_big("shreds over the limit"));
        }
        let (opcode, rsv) = *self.first.get_or_insert((frame.opcode, frame.rsv));
        if frame.fin {
            self.first = None;
            let payload = std::mem::take(&mut self.joined).into();
            out.push(Frame { opcode, rsv, payload, ..frame })?;
        }
        Ok(())
    }
}

/// Notes the limits it is told, and doubles every payload it receives.
#[derive(Clone, Default)]
pub(super) struct Double(pub(super) Arc<Mutex<Vec<u64>>>);

impl ExtensionEncoder for Double {
    fn encode(
        &mut self,
        frame: Frame,
        out: &mut FrameSink<'_, ExtensionError>,
    ) -> Result<(), ExtensionError> {
        out.push(frame)
    }
}

impl ExtensionDecoder for Double {
    fn decode(
        &mut self,
        frame: Frame,
        limit: u64,
        out: &mut FrameSink<'_, ProtocolError>,
    ) -> Result<(), ProtocolError> {
        self.0.lock().unwrap().push(limit);
        out.push(Frame { payload: frame.payload.repeat(2).into(), ..frame })
    }
}

/// Claims RSV1 and leaves it set; cannot encode a payload that holds a zero.
#[derive(Clone)]
pub(super) struct Sloppy;

pub(super) fn sloppy() -> Arc<dyn Extension> {
    Arc::new(Toy("sloppy", Rsv::RSV1, Sloppy))
}

impl ExtensionEncoder for Sloppy {
    fn encode(
        &mut self,
        frame: Frame,
        out: &mut FrameSink<'_, ExtensionError>,
    ) -> Result<(), ExtensionError> {
        if frame.payload.contains(&0) {
            return Err(ExtensionError::Encode("a zero".to_owned()));
        }
        out.push(frame)
    }
}

impl ExtensionDecoder for Sloppy {
    fn decode(
        &mut self,
        frame: Frame,
        _: u64,
        out: &mut FrameSink<'_, ProtocolError>,
    ) -> Result<(), ProtocolError> {
        out.push(frame)
    }
}
