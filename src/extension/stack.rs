//! The extensions in use on one connection, in the order of the server's answer. Knows none by name.

use std::{any::Any, cell::Cell, fmt, sync::Arc};

use converse_core::Message;

use crate::{
    extension::{
        Extension, ExtensionDecoder, ExtensionEncoder, ExtensionError, ExtensionOffer, FrameSink, Negotiated,
        SendHints,
    },
    frame::{CloseCode, Frame, ProtocolError, Rsv},
};

const UNCLAIMED_BIT: ProtocolError =
    ProtocolError::framing("RFC 6455 §5.2", "reserved bit that no extension took");

const MADE_CONTROL: ProtocolError = ProtocolError::new(
    CloseCode::INTERNAL_ERROR,
    "RFC 6455 §7.4.1",
    "extension made a control frame of data",
);

/// Returns the most bytes on the wire that make a message of `limit` bytes: what does not shrink grows by a few
/// for each frame, block and flush.
pub(crate) const fn wire_limit(limit: u64) -> u64 {
    limit.saturating_add(limit / 8).saturating_add(1024)
}

/// Encodes in the order of the server's answer, and decodes in reverse (RFC 6455 §9.1).
#[derive(Default)]
pub(crate) struct ExtensionStack {
    layers: Vec<Layer>,
}

struct Layer {
    rsv: Rsv,
    /// Whether its frames may be cut anew: whether no layer before it works frame by frame.
    may_cut: bool,
    encoder: Box<dyn ExtensionEncoder>,
    decoder: Box<dyn ExtensionDecoder>,
    state: Option<Arc<dyn Any + Send + Sync>>,
}

/// Takes the place of both halves when nothing more is sent or received.
struct Ended;

impl ExtensionEncoder for Ended {
    fn encode(&mut self, _: Frame, _: &mut FrameSink<'_, ExtensionError>) -> Result<(), ExtensionError> {
        Ok(())
    }
}

impl ExtensionDecoder for Ended {
    fn decode(
        &mut self,
        _: Frame,
        _: u64,
        _: &mut FrameSink<'_, ProtocolError>,
    ) -> Result<(), ProtocolError> {
        Ok(())
    }
}

impl ExtensionStack {
    /// Checks that the configured extensions can be used together.
    pub(crate) fn check(configured: &[Arc<dyn Extension>]) -> Result<(), ExtensionError> {
        for (index, one) in configured.iter().enumerate() {
            for other in configured.iter().take(index) {
                if one.name().eq_ignore_ascii_case(other.name()) {
                    return Err(ExtensionError::NameTaken(one.name().to_owned()));
                }
                if one.rsv().intersects(other.rsv()) {
                    return Err(ExtensionError::BitTaken(other.name().to_owned(), one.name().to_owned()));
                }
            }
        }
        Ok(())
    }

    /// Server: takes the first acceptable offer of each extension, in the order of the offers, and
    /// returns the answer with the stack.
    pub(crate) fn accept(
        configured: &[Arc<dyn Extension>],
        offers: &[ExtensionOffer],
    ) -> (Vec<ExtensionOffer>, Self) {
        let mut stack = Self::default();
        let mut answers: Vec<ExtensionOffer> = Vec::new();
        for offer in offers {
            let Some(extension) = find(configured, offer) else { continue };
            if answers.iter().any(|answer| answer.name().eq_ignore_ascii_case(extension.name())) {
                continue;
            }
            if let Some(negotiated) = extension.accept(offer) {
                answers.push(negotiated.answer.clone());
                stack.push(extension.rsv(), negotiated);
            }
        }
        (answers, stack)
    }

    /// Client: takes the server's answers into use.
    pub(crate) fn confirm(
        configured: &[Arc<dyn Extension>],
        answers: &[ExtensionOffer],
    ) -> Result<Self, ExtensionError> {
        let mut stack = Self::default();
        for (index, answer) in answers.iter().enumerate() {
            let bad =
                |why: &str| ExtensionError::BadAnswer { name: answer.name().to_owned(), why: why.to_owned() };
            let extension = find(configured, answer).ok_or_else(|| bad("it was not offered"))?;
            if answers.iter().take(index).any(|earlier| earlier.name().eq_ignore_ascii_case(answer.name())) {
                return Err(bad("it stands in the answer twice"));
            }
            stack.push(extension.rsv(), extension.confirm(answer)?);
        }
        Ok(stack)
    }

    /// Tells whether no extension is in use.
    pub(crate) fn is_empty(&self) -> bool {
        self.layers.is_empty()
    }

    /// Returns the reserved bits that received frames may carry.
    pub(crate) fn rsv(&self) -> Rsv {
        self.layers.iter().fold(Rsv::NONE, |all, layer| all | layer.rsv)
    }

    /// Returns the state that an extension in use has for this type.
    pub(crate) fn state<S: Any + Send + Sync>(&self) -> Option<Arc<S>> {
        self.layers.iter().find_map(|layer| Arc::clone(layer.state.as_ref()?).downcast().ok())
    }

    /// Tells whether received frames may be cut anew before they are decoded.
    pub(crate) fn takes_parts(&self) -> bool {
        self.layers.iter().all(|layer| layer.decoder.takes_parts())
    }

    /// Returns how many bytes the decoders hold for the message under way.
    pub(crate) fn held(&self) -> usize {
        self.layers.iter().map(|layer| layer.decoder.held()).sum()
    }

    /// Drops what the two halves hold: nothing more is sent or received.
    pub(crate) fn end(&mut self) {
        for layer in &mut self.layers {
            (layer.encoder, layer.decoder) = (Box::new(Ended), Box::new(Ended));
        }
    }

    /// Tells the encoders of a message whose frames come next.
    pub(crate) fn begin(&mut self, message: &Message, hints: SendHints) {
        for layer in &mut self.layers {
            layer.encoder.begin(message, hints);
        }
    }

    /// Takes a data frame through all encoders; none that comes out should be over `frame_size` bytes.
    pub(crate) fn encode(
        &mut self,
        frame: Frame,
        frame_size: usize,
        put: &mut dyn FnMut(Frame) -> Result<(), ExtensionError>,
    ) -> Result<(), ExtensionError> {
        let claimed = self.rsv();
        encode_through(&mut self.layers, frame, frame_size, &mut |frame: Frame| {
            if frame.opcode.is_control() || !claimed.contains(frame.rsv) {
                return Err(ExtensionError::Encode("no data frame, or a bit that nobody claims".to_owned()));
            }
            put(frame)
        })
    }

    /// Takes a data frame through all decoders, in reverse order; `limit` is for what comes out.
    pub(crate) fn decode(
        &mut self,
        frame: Frame,
        limit: u64,
        put: &mut dyn FnMut(Frame) -> Result<(), ProtocolError>,
    ) -> Result<(), ProtocolError> {
        let state = Decoding { left: Cell::new(limit), fault: Cell::new(None) };
        let left = &state.left;
        decode_through(&mut self.layers, frame, &state, &mut |frame: Frame| {
            if !frame.rsv.is_empty() {
                return Err(UNCLAIMED_BIT);
            }
            if frame.opcode.is_control() {
                return Err(MADE_CONTROL);
            }
            left.set(left.get().saturating_sub(frame.payload.len() as u64));
            put(frame)
        })?;
        state.fault.get().map_or(Ok(()), Err)
    }

    fn push(&mut self, rsv: Rsv, negotiated: Negotiated) {
        let Negotiated { encoder, decoder, state, .. } = negotiated;
        let may_cut = self.takes_parts();
        self.layers.push(Layer { rsv, may_cut, encoder, decoder, state });
    }
}

fn encode_through(
    layers: &mut [Layer],
    frame: Frame,
    frame_size: usize,
    put: &mut dyn FnMut(Frame) -> Result<(), ExtensionError>,
) -> Result<(), ExtensionError> {
    let Some((layer, rest)) = layers.split_first_mut() else { return put(frame) };
    let mut next = |frame| encode_through(rest, frame, frame_size, put);
    let mut out = FrameSink::new(&mut next).with_cuts(layer.may_cut).with_frame_size(frame_size);
    layer.encoder.encode(frame, &mut out)
}

/// What the decoders of one frame have in common.
struct Decoding {
    /// How many bytes may still come out.
    left: Cell<u64>,
    /// The first fault, in case the decoder that pushed the frame does not pass it on.
    fault: Cell<Option<ProtocolError>>,
}

fn decode_through(
    layers: &mut [Layer],
    frame: Frame,
    state: &Decoding,
    put: &mut dyn FnMut(Frame) -> Result<(), ProtocolError>,
) -> Result<(), ProtocolError> {
    let Some((layer, rest)) = layers.split_last_mut() else { return put(frame) };
    // What an extension further in takes off again may be over the limit here.
    let left = state.left.get();
    let limit = if rest.is_empty() { left } else { wire_limit(left) };
    let mut next = |frame| {
        let outcome = decode_through(rest, frame, state, put);
        state.fault.set(state.fault.get().or(outcome.err()));
        outcome
    };
    layer.decoder.decode(frame, limit, &mut FrameSink::new(&mut next).with_cuts(layer.may_cut))
}

fn find<'a>(configured: &'a [Arc<dyn Extension>], offer: &ExtensionOffer) -> Option<&'a Arc<dyn Extension>> {
    configured.iter().find(|extension| extension.name() == offer.name())
}

impl fmt::Debug for ExtensionStack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExtensionStack").field("layers", &self.layers.len()).finish()
    }
}
