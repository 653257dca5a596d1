//! Compressed messages → messages (RFC 7692 §7.2.2), bounded while they unpack. Knows no negotiation.

use std::sync::Arc;

use bytes::Bytes;
use zlib_rs::{Inflate, InflateFlush, Status};

use crate::{
    extension::{
        ExtensionDecoder, FrameSink, MemoryMode,
        deflate::{
            DeflateStats, TAIL,
            agreement::{Direction, MIN_WINDOW_BITS},
            memory::History,
            states::{build_inflate, keep_buffer, keep_inflate, take_buffer, take_inflate},
        },
        wire_limit,
    },
    frame::{CloseCode, Frame, OpCode, ProtocolError, Rsv},
};

/// How many bytes are unpacked at a time.
const UNPACK_CHUNK: usize = 32 * 1024;
/// About what a state takes, in bytes.
const STATE: usize = 47 * 1024;
/// How many blocks of one message may say that they are its last. Chosen: those who set the bit at all set
/// it once.
const MAX_FINAL_BLOCKS: u8 = 16;

const MARKED_CONTINUATION: ProtocolError =
    ProtocolError::framing("RFC 7692 §6.1", "RSV1 on a continuation frame");
/// How many bytes of an unfinished message wait before a state is taken for it. What they unpack to, all at once, is less
/// than 64 KiB.
const BEGINNING: usize = 48;

const NOT_DEFLATE: ProtocolError = invalid("payload is not DEFLATE data");
const TRUNCATED: ProtocolError = invalid("DEFLATE data does not end with the message");
const TOO_MANY_FINAL_BLOCKS: ProtocolError =
    ProtocolError::new(CloseCode::INVALID_PAYLOAD, "limit", "too many final DEFLATE blocks");

const fn invalid(text: &'static str) -> ProtocolError {
    ProtocolError::new(CloseCode::INVALID_PAYLOAD, "RFC 7692 §7.2.2", text)
}

/// Unpacks the messages that the peer sends.
pub(super) struct Decoder {
    context: Context,
    /// The first bytes of a message, as one frame, that are too few yet to take a shared state for.
    beginning: Option<Box<Frame>>,
    /// Boxed: most messages are one frame, and never get here.
    open: Option<Box<Open>>,
    stats: Arc<DeflateStats>,
}

/// What is kept from message to message.
enum Context {
    Nothing,
    /// Made with the first message.
    Dedicated(Option<Box<Inflate>>),
    Compact(History),
}

/// The message under way.
struct Open {
    inflate: Box<Inflate>,
    /// The first frame's, as long as none has been put out.
    opcode: OpCode,
    plain: u64,
    wire: u64,
    final_blocks: u8,
}

/// One frame being unpacked.
struct Unpacking<'a, 'b> {
    open: &'a mut Open,
    context: &'a mut Context,
    out: &'a mut FrameSink<'b, ProtocolError>,
    /// What goes with the next frame that is put out.
    rsv: Rsv,
    buffer: &'a mut [u8],
    filled: usize,
    /// What did not fit into the buffer, when the frame may not be cut.
    whole: Vec<u8>,
    left: u64,
}

impl Decoder {
    pub(super) fn new(memory: MemoryMode, direction: Direction, stats: Arc<DeflateStats>) -> Self {
        let context = match memory {
            _ if !direction.takeover => Context::Nothing,
            MemoryMode::Dedicated => Context::Dedicated(None),
            MemoryMode::Compact { .. } | MemoryMode::NoTakeover => {
                // zlib's smallest window serves for those who promise less.
                Context::Compact(History::new(1 << direction.bits.max(MIN_WINDOW_BITS)))
            }
        };
        Self { context, beginning: None, open: None, stats }
    }

    /// Joins the frames of a message until they are worth a state, unless each has to make one frame: a peer
    /// that begins messages and does not end them would hold one for each byte it sends.
    fn join(&mut self, frame: Frame, may_cut: bool) -> Option<Frame> {
        let joined = match self.beginning.take() {
            Some(mut beginning) => {
                let payload = [&beginning.payload[..], &frame.payload].concat().into();
                *beginning = Frame { fin: frame.fin, payload, ..*beginning };
                *beginning
            }
            None => frame,
        };
        let whole = joined.fin || !may_cut || matches!(self.context, Context::Dedicated(_));
        if whole || !joined.rsv.contains(Rsv::RSV1) || joined.payload.len() > BEGINNING {
            return Some(joined);
        }
        self.beginning = Some(Box::new(joined));
        None
    }

    fn start(&mut self, opcode: OpCode) -> Result<Open, ProtocolError> {
        let inflate = match &mut self.context {
            Context::Nothing => take_inflate(),
            Context::Dedicated(kept) => kept.take().unwrap_or_else(build_inflate),
            Context::Compact(history) => {
                let mut inflate = take_inflate();
                inflate.set_dictionary(history.bytes()).map_err(|_| NOT_DEFLATE)?;
                inflate
            }
        };
        Ok(Open { inflate, opcode, plain: 0, wire: 0, final_blocks: 0 })
    }

    fn end(&mut self, open: Open) {
        self.stats.received.count(open.plain, open.wire);
        match &mut self.context {
            Context::Dedicated(kept) => *kept = Some(open.inflate),
            Context::Nothing | Context::Compact(_) => keep_inflate(open.inflate),
        }
    }
}

impl ExtensionDecoder for Decoder {
    fn decode(
        &mut self,
        frame: Frame,
        limit: u64,
        out: &mut FrameSink<'_, ProtocolError>,
    ) -> Result<(), ProtocolError> {
        if frame.opcode == OpCode::Continuation && frame.rsv.contains(Rsv::RSV1) {
            return Err(MARKED_CONTINUATION);
        }
        let Some(frame) = self.join(frame, out.may_cut()) else { return Ok(()) };
        let first = frame.opcode != OpCode::Continuation;
        let begun = match (first, frame.rsv.contains(Rsv::RSV1)) {
            (true, true) => Some(self.start(frame.opcode)?),
            (true, false) => None,
            (false, _) => self.open.take().map(|open| *open),
        };
        let Some(mut open) = begun else { return out.push(frame) };
        let allowed = wire_limit(open.plain.saturating_add(limit)).saturating_sub(open.wire);
        let allowed = usize::try_from(allowed).unwrap_or(usize::MAX);
        let mut buffer = take_buffer();
        if buffer.len() < UNPACK_CHUNK {
            buffer.resize(UNPACK_CHUNK, 0);
        }
        let unpacking = Unpacking {
            open: &mut open,
            context: &mut self.context,
            out,
            rsv: frame.rsv.without(Rsv::RSV1),
            buffer: &mut buffer[..UNPACK_CHUNK],
            filled: 0,
            whole: Vec::new(),
            left: limit,
        };
        unpacking.frame(&frame, allowed)?;
        keep_buffer(buffer);
        if frame.fin {
            self.end(open);
        } else {
            self.open = Some(Box::new(open));
        }
        Ok(())
    }

    fn takes_parts(&self) -> bool {
        true
    }

    fn held(&self) -> usize {
        let shared = !matches!(self.context, Context::Dedicated(_));
        if self.open.is_some() && shared { STATE } else { 0 }
    }
}

impl Unpacking<'_, '_> {
    /// Unpacks a frame, of whose payload no more than `allowed` bytes may still come for the message.
    fn frame(mut self, frame: &Frame, allowed: usize) -> Result<(), ProtocolError> {
        let wire = &frame.payload[..frame.payload.len().min(allowed)];
        self.open.wire += wire.len() as u64;
        let unpacked = self.unpack(wire).and_then(|()| match frame.fin {
            _ if wire.len() < frame.payload.len() => Err(ProtocolError::MESSAGE_TOO_BIG),
            true => self.check_end(),
            false => Ok(()),
        });
        if let Err(fault) = unpacked {
            // What came before the fault may have one of its own, which is then the first.
            if self.filled > 0 {
                self.spill()?;
            }
            return Err(fault);
        }
        let payload = if self.whole.is_empty() {
            Bytes::copy_from_slice(&self.buffer[..self.filled])
        } else {
            self.whole.extend_from_slice(&self.buffer[..self.filled]);
            std::mem::take(&mut self.whole).into()
        };
        if payload.is_empty() && !frame.fin && self.out.may_cut() {
            return Ok(());
        }
        self.put(frame.fin, payload)
    }

    fn unpack(&mut self, mut wire: &[u8]) -> Result<(), ProtocolError> {
        loop {
            let (taken, status) = self.inflate(wire, InflateFlush::NoFlush)?;
            wire = &wire[taken..];
            if status == Status::StreamEnd {
                self.begin_anew()?;
            }
            if self.filled == self.buffer.len() {
                self.spill()?;
            } else if wire.is_empty() {
                return Ok(());
            }
        }
    }

    /// Unpacks into the rest of the buffer; returns how much was taken.
    fn inflate(&mut self, wire: &[u8], flush: InflateFlush) -> Result<(usize, Status), ProtocolError> {
        let inflate = &mut self.open.inflate;
        let (taken, made) = (inflate.total_in(), inflate.total_out());
        let outcome = inflate.decompress(wire, &mut self.buffer[self.filled..], flush);
        let (taken, made) = ((inflate.total_in() - taken) as usize, (inflate.total_out() - made) as usize);
        let kept = usize::try_from(self.left).map_or(made, |left| made.min(left));
        if let Context::Compact(history) = self.context {
            history.append(&self.buffer[self.filled..self.filled + kept]);
        }
        self.filled += kept;
        self.left -= kept as u64;
        self.open.plain += kept as u64;
        // The limit before the fault: what crosses it may well be followed by garbage.
        if kept < made {
            return Err(ProtocolError::MESSAGE_TOO_BIG);
        }
        Ok((taken, outcome.map_err(|_| NOT_DEFLATE)?))
    }

    /// Goes on behind a block that said it was the last (RFC 7692 §7.2.3.4). Whoever wrote it has ended a
    /// stream of zlib's there and begun another, with an empty window.
    fn begin_anew(&mut self) -> Result<(), ProtocolError> {
        self.open.final_blocks += 1;
        if self.open.final_blocks > MAX_FINAL_BLOCKS {
            return Err(TOO_MANY_FINAL_BLOCKS);
        }
        self.open.inflate.reset(false);
        Ok(())
    }

    /// Feeds the end that the sender has cut off, and sees that it is one: zlib stops behind it, where a
    /// block ends, and leaves one byte more untouched. Data that was cut elsewhere takes that byte, or
    /// stops before.
    fn check_end(&mut self) -> Result<(), ProtocolError> {
        let mut probe = [0; TAIL.len() + 1];
        probe[..TAIL.len()].copy_from_slice(&TAIL);
        let filled = self.filled;
        let (taken, _) = self.inflate(&probe, InflateFlush::Block)?;
        if taken == TAIL.len() && self.filled == filled { Ok(()) } else { Err(TRUNCATED) }
    }

    fn spill(&mut self) -> Result<(), ProtocolError> {
        let full = std::mem::take(&mut self.filled);
        if !self.out.may_cut() {
            self.whole.extend_from_slice(&self.buffer[..full]);
            return Ok(());
        }
        self.put(false, Bytes::copy_from_slice(&self.buffer[..full]))
    }

    fn put(&mut self, fin: bool, payload: Bytes) -> Result<(), ProtocolError> {
        let opcode = std::mem::replace(&mut self.open.opcode, OpCode::Continuation);
        let rsv = std::mem::take(&mut self.rsv);
        self.out.push(Frame { fin, rsv, opcode, payload })
    }
}
