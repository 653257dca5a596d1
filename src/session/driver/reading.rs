//! What comes off the transport: read into the thread's buffer, and handed over to the engine.

use std::{
    io::ErrorKind::UnexpectedEof,
    mem,
    pin::Pin,
    task::{Context, Poll},
    time::Instant,
};

use bytes::Buf;
use tokio::io::ReadBuf;

use crate::{
    engine::Phase,
    session::{
        driver::{CALL, Driver},
        read_buffer::{self, SCRATCH},
        transport::Transport,
    },
};

impl<T: Transport> Driver<T> {
    /// Takes what is left of the last read, or reads once; tells whether anything came.
    #[inline]
    pub(super) fn read(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        self.listening = false;
        if let Some(ration) = &mut self.ration {
            ration.begin();
        }
        if !self.exchange.outlook.bytes && self.link.is_touched() {
            self.look(cx, now, |_| ());
        }
        if self.eof || !self.exchange.outlook.bytes {
            return false;
        }
        if !self.carry.is_empty() {
            let mut carry = mem::take(&mut self.carry);
            let taken = self.hand_over(&mut carry, cx, now);
            if taken < carry.len() {
                carry.advance(taken);
                self.carry = carry;
            }
            return taken > 0;
        }
        let limit = self.limit(now);
        self.read_through(cx, limit, now)
    }

    /// Returns how many bytes may be read at once.
    #[inline]
    fn limit(&mut self, now: Instant) -> usize {
        let keeps = matches!(self.exchange.outlook.phase, Phase::Open | Phase::Closing);
        match &mut self.ration {
            Some(ration) if keeps => ration.limit(&self.link.account, SCRATCH, now),
            // What comes is dropped, or nobody is asked.
            _ => SCRATCH,
        }
    }

    /// Reads through the thread's buffer.
    #[inline(never)]
    fn read_through(&mut self, cx: &mut Context<'_>, limit: usize, now: Instant) -> bool {
        limit > 0 && read_buffer::with(limit, |buffer| self.read_into(cx, buffer, now))
    }

    fn read_into(&mut self, cx: &mut Context<'_>, buffer: &mut [u8], now: Instant) -> bool {
        let mut buffer = ReadBuf::new(buffer);
        match Pin::new(&mut self.io).poll_read(cx, &mut buffer) {
            Poll::Pending => {
                self.listening = true;
                return false;
            }
            // The end of TCP without that of TLS in front of it is one too.
            Poll::Ready(Err(error)) if error.kind() != UnexpectedEof => {
                self.look(cx, now, |engine| engine.handle_error(error.kind(), now));
            }
            Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {
                let bytes = buffer.filled_mut();
                self.moved += bytes.len().max(CALL);
                let taken = self.hand_over(bytes, cx, now);
                self.carry.extend_from_slice(bytes.get(taken..).unwrap_or_default());
            }
            Poll::Ready(_) => self.end(cx, now),
        }
        true
    }

    /// The peer sends no more bytes.
    fn end(&mut self, cx: &Context<'_>, now: Instant) {
        self.eof = true;
        // A reset is told once, and a write may have heard of it.
        let broken = self.broken;
        self.look(cx, now, |engine| match broken {
            Some(kind) => engine.handle_error(kind, now),
            None => engine.handle_eof(now),
        });
    }

    /// Hands bytes to the engine; returns how many were taken.
    fn hand_over(&mut self, bytes: &mut [u8], cx: &Context<'_>, now: Instant) -> usize {
        let mut state = self.link.look();
        let (before, carried) = (state.engine.received(), state.carried);
        let taken = match &mut self.ration {
            Some(ration) => ration.feed(&mut state, &self.link.account, bytes, now),
            None => state.engine.handle_bytes(bytes, now),
        };
        // Bytes that are left keep the whole buffer.
        let left = bytes.len() - taken;
        state.note(&self.link.account, if left > 0 { carried.max(left) } else { 0 });
        self.events += state.engine.received().wrapping_sub(before) as usize;
        let wakes = self.exchange.meet(&mut state, cx, now);
        drop(state);
        self.link.announce(wakes);
        taken
    }
}
