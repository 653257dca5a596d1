//! Messages → compressed messages (RFC 7692 §7.2.1). Knows no negotiation.

use std::sync::Arc;

use bytes::Bytes;
use converse_core::Message;
use zlib_rs::{Deflate, DeflateError, DeflateFlush};

use crate::{
    extension::{
        ExtensionEncoder, ExtensionError, FrameSink, MemoryMode, SendHints,
        deflate::{
            DeflateStats, Policy, TAIL,
            agreement::{Direction, MIN_WINDOW_BITS},
            memory::History,
            states::{Make, keep_buffer, take_buffer},
        },
    },
    frame::{Frame, OpCode, Rsv},
};

/// The size from which on messages are compressed by default, in bytes, when they can refer to those before.
const THRESHOLD: usize = 16;
/// The same when they stand alone: smaller ones hardly shrink.
const THRESHOLD_ALONE: usize = 192;
/// Room for what a flush writes beyond the data, in bytes.
const FLUSH_ROOM: usize = 64;

/// Compresses the messages that one end sends.
pub(super) struct Encoder {
    policy: Policy,
    threshold: usize,
    make: Make,
    context: Context,
    /// Whether the message that comes next is compressed.
    wanted: bool,
    /// Boxed: most messages are one frame, and never get here.
    open: Option<Box<Open>>,
    stats: Arc<DeflateStats>,
}

/// What is kept from message to message.
enum Context {
    Nothing,
    /// Made with the first message.
    Dedicated(Option<Box<Deflate>>),
    Compact(History),
}

/// The message under way.
struct Open {
    deflate: Box<Deflate>,
    pending: Pending,
    /// The first frame's, as long as none has been put out.
    opcode: OpCode,
    rsv: Rsv,
    plain: u64,
    wire: u64,
}

/// Compressed bytes that have not been put out.
struct Pending {
    buffer: Vec<u8>,
    start: usize,
    end: usize,
}

impl Encoder {
    pub(super) fn new(
        policy: Policy,
        memory: MemoryMode,
        direction: Direction,
        stats: Arc<DeflateStats>,
    ) -> Self {
        let context = match memory {
            _ if !direction.takeover => Context::Nothing,
            MemoryMode::NoTakeover => Context::Nothing,
            MemoryMode::Dedicated => Context::Dedicated(None),
            MemoryMode::Compact { history } => {
                Context::Compact(History::new(history.min(1 << direction.bits)))
            }
        };
        let make = Make { level: policy.level, bits: direction.bits };
        let alone = matches!(context, Context::Nothing);
        let threshold = policy.threshold.unwrap_or(if alone { THRESHOLD_ALONE } else { THRESHOLD });
        Self { policy, threshold, make, context, wanted: make.bits >= MIN_WINDOW_BITS, open: None, stats }
    }

    fn start(&mut self, frame: &Frame) -> Result<Open, ExtensionError> {
        let deflate = match &mut self.context {
            Context::Nothing => self.make.take(),
            Context::Dedicated(kept) => kept.take().unwrap_or_else(|| self.make.build()),
            Context::Compact(history) => {
                let mut deflate = self.make.take();
                if !history.bytes().is_empty() {
                    deflate.set_dictionary(history.bytes()).map_err(failed)?;
                }
                deflate
            }
        };
        let pending = Pending { buffer: take_buffer(), start: 0, end: 0 };
        Ok(Open { deflate, pending, opcode: frame.opcode, rsv: frame.rsv, plain: 0, wire: 0 })
    }

    fn end(&mut self, open: Open) {
        match &mut self.context {
            Context::Dedicated(kept) => *kept = Some(open.deflate),
            Context::Nothing | Context::Compact(_) => self.make.keep(open.deflate),
        }
        keep_buffer(open.pending.buffer);
    }
}

impl ExtensionEncoder for Encoder {
    fn begin(&mut self, message: &Message, hints: SendHints) {
        self.wanted = hints.compress
            && self.make.bits >= MIN_WINDOW_BITS
            && message.len() >= self.threshold
            && self.policy.wants(message);
    }

    fn encode(
        &mut self,
        frame: Frame,
        out: &mut FrameSink<'_, ExtensionError>,
    ) -> Result<(), ExtensionError> {
        let first = frame.opcode != OpCode::Continuation;
        let begun = match first {
            true if self.wanted => Some(self.start(&frame)?),
            true => None,
            false => self.open.take().map(|open| *open),
        };
        let Some(mut open) = begun else { return out.push(frame) };
        let flush = if frame.fin || !out.may_cut() { DeflateFlush::SyncFlush } else { DeflateFlush::NoFlush };
        open.compress(&frame.payload, flush)?;
        if frame.fin {
            open.pending.cut_tail();
        }
        // What grew leaves as it was, unless the window is to have it: the next one may shrink because of it.
        let grew = open.pending.len() >= frame.payload.len();
        if first && frame.fin && grew && matches!(self.context, Context::Nothing) {
            self.end(open);
            return out.push(frame);
        }
        if let Context::Compact(history) = &mut self.context {
            history.append(&frame.payload);
        }
        let fin = frame.fin;
        open.put_out(&frame, out)?;
        if fin {
            self.stats.sent.count(open.plain, open.wire);
            self.end(open);
        } else {
            self.open = Some(Box::new(open));
        }
        Ok(())
    }
}

impl Open {
    fn compress(&mut self, mut plain: &[u8], flush: DeflateFlush) -> Result<(), ExtensionError> {
        loop {
            let room = self.pending.room(plain.len() + plain.len() / 64 + FLUSH_ROOM);
            let (taken, made) = (self.deflate.total_in(), self.deflate.total_out());
            self.deflate.compress(plain, room, flush).map_err(failed)?;
            let full = self.deflate.total_out() - made == room.len() as u64;
            self.pending.end += (self.deflate.total_out() - made) as usize;
            plain = &plain[(self.deflate.total_in() - taken) as usize..];
            if plain.is_empty() && !full {
                return Ok(());
            }
        }
    }

    /// Puts out what is pending: all of it at the end of the message, and else as much as fills frames.
    fn put_out(
        &mut self,
        frame: &Frame,
        out: &mut FrameSink<'_, ExtensionError>,
    ) -> Result<(), ExtensionError> {
        self.plain += frame.payload.len() as u64;
        if !out.may_cut() {
            let rsv = frame.rsv | self.rsv;
            return self.put(self.pending.len(), frame.fin, rsv, out);
        }
        while self.pending.len() > out.frame_size() {
            self.put(out.frame_size(), false, self.rsv, out)?;
        }
        if frame.fin { self.put(self.pending.len(), true, self.rsv, out) } else { Ok(()) }
    }

    fn put(
        &mut self,
        len: usize,
        fin: bool,
        rsv: Rsv,
        out: &mut FrameSink<'_, ExtensionError>,
    ) -> Result<(), ExtensionError> {
        self.wire += len as u64;
        self.rsv = Rsv::NONE;
        let opcode = std::mem::replace(&mut self.opcode, OpCode::Continuation);
        let first = if opcode == OpCode::Continuation { Rsv::NONE } else { Rsv::RSV1 };
        out.push(Frame { fin, rsv: rsv | first, opcode, payload: self.pending.take(len) })
    }
}

impl Pending {
    fn len(&self) -> usize {
        self.end - self.start
    }

    /// Returns room for at least `len` bytes.
    fn room(&mut self, len: usize) -> &mut [u8] {
        self.buffer.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, self.end - self.start);
        if self.buffer.len() < self.end + len {
            self.buffer.resize(self.end + len, 0);
        }
        &mut self.buffer[self.end..]
    }

    /// Cuts the end off that every message has (RFC 7692 §7.2.1). A message of nothing right behind a flush
    /// makes zlib write nothing: then an empty block is put there by hand, without that end.
    fn cut_tail(&mut self) {
        if self.buffer[self.start..self.end].ends_with(&TAIL) {
            self.end -= TAIL.len();
        } else {
            self.room(1)[0] = 0;
            self.end += 1;
        }
    }

    fn take(&mut self, len: usize) -> Bytes {
        let from = self.start;
        self.start += len;
        Bytes::copy_from_slice(&self.buffer[from..self.start])
    }
}

fn failed(error: DeflateError) -> ExtensionError {
    ExtensionError::Encode(error.as_str().to_owned())
}
