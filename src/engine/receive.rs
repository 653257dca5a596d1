//! From the wire: bytes in, events and answers out (RFC 6455 §5). Knows no time but what it is told.

use std::{io, time::Instant};

use crate::{
    engine::{CloseCause, ClosedBy, Engine, Event, MessageTime, Phase, Signal, extended::Extended},
    frame::{CloseReason, Frame, OpCode, Piece, ProtocolError},
};

impl Engine {
    /// Tells whether bytes from the wire are of use now. While the application does not take its
    /// messages they are not, and TCP slows the peer down.
    #[inline]
    pub(crate) fn wants_bytes(&self) -> bool {
        match self.phase() {
            Phase::Open => !self.inbox.is_full(),
            Phase::Closing | Phase::Answering | Phase::Failing | Phase::Draining => true,
            Phase::Done => false,
        }
    }

    /// Takes bytes from the wire, unmasking them in place, and returns how many: all of them unless
    /// the inbox got full. A peer's fault never fails this call; it closes the connection.
    pub(crate) fn handle_bytes(&mut self, input: &mut [u8], now: Instant) -> usize {
        if !input.is_empty() {
            self.hear(now);
        }
        let mut taken = 0;
        while let Some(rest) = input.get_mut(taken..).filter(|rest| !rest.is_empty()) {
            match self.phase() {
                Phase::Open if self.inbox.is_full() => return taken,
                Phase::Open | Phase::Closing => {}
                _ => {
                    self.drop_bytes(rest.len(), now);
                    return input.len();
                }
            }
            let outcome = self.decoder.decode(rest).and_then(|(count, piece)| {
                taken += count;
                piece.map_or(Ok(()), |piece| self.piece(&piece, now))
            });
            if let Err(error) = outcome {
                self.fail(error, now);
            }
        }
        taken
    }

    /// Takes note that bytes came.
    #[inline]
    pub(super) fn hear(&mut self, now: Instant) {
        self.keepalive.heard(now);
        if self.inbox.take_was_full() {
            self.excuse_silence(now);
        }
    }

    /// Takes note that the peer sends no more bytes.
    pub(crate) fn handle_eof(&mut self, now: Instant) {
        self.close_record.blame_first(ClosedBy::Peer, CloseCause::Eof);
        self.signal(Signal::Eof, now);
    }

    /// Takes note that the transport failed.
    pub(crate) fn handle_error(&mut self, kind: io::ErrorKind, now: Instant) {
        self.close_record.blame_first(ClosedBy::Peer, CloseCause::Transport(kind));
        self.signal(Signal::Abort, now);
    }

    #[inline]
    fn piece(&mut self, piece: &Piece<'_>, now: Instant) -> Result<(), ProtocolError> {
        let opcode = piece.header.opcode;
        self.longest = self.longest.max(u32::try_from(piece.header.len).unwrap_or(u32::MAX));
        if opcode.is_control() || self.config.raw {
            match self.frame_joiner.piece(piece)? {
                Some(frame) if opcode.is_control() => self.control(frame, now)?,
                Some(frame) => self.deliver(Event::Frame(frame)),
                None => {}
            }
        } else if self.extended.is_some() {
            self.extended_piece(piece)?;
        } else if let Some(message) = self.assembler.piece(piece)? {
            self.deliver(Event::Message(message));
        }
        self.watch_message(if opcode.is_control() { 0 } else { piece.payload.len() }, now);
        Ok(())
    }

    /// Takes a piece of a data frame through the extensions.
    fn extended_piece(&mut self, piece: &Piece<'_>) -> Result<(), ProtocolError> {
        let Some(extended) = &mut self.extended else { return Ok(()) };
        if piece.first {
            extended.count(&piece.header)?;
        }
        if self.inbox.is_shut() {
            // Nothing will be delivered any more, so nothing need be decoded.
            self.frame_joiner.clear();
        } else if extended.stack.takes_parts() {
            for part in self.frame_joiner.parts(piece)? {
                self.decode(part)?;
            }
        } else if let Some(frame) = self.frame_joiner.piece(piece)? {
            self.decode(frame)?;
        }
        Ok(())
    }

    /// Returns how much extensions have worked since this was last asked, in bytes that are moved.
    #[inline]
    pub(crate) fn take_worked(&mut self) -> usize {
        self.extended.as_mut().map_or(0, |extended| std::mem::take(&mut extended.worked))
    }

    fn decode(&mut self, frame: Frame) -> Result<(), ProtocolError> {
        let Some(extended) = &mut self.extended else { return Ok(()) };
        let (assembler, inbox) = (&mut self.assembler, &mut self.inbox);
        let open = self.close.phase() == Phase::Open;
        let Extended { stack, wire_frames, worked } = &mut **extended;
        stack.decode(frame, assembler.budget(), &mut |frame| {
            wire_frames.add_made(frame.payload.len() as u64);
            *worked += frame.payload.len();
            if let Some(message) = assembler.frame(frame)? {
                inbox.deliver(Event::Message(message), open);
            }
            Ok(())
        })
    }

    /// Hands an event to the application. After it has asked for the close, what does not fit is
    /// dropped, so that the peer's Close frame is reached.
    #[inline]
    pub(super) fn deliver(&mut self, event: Event) {
        self.inbox.deliver(event, self.close.phase() == Phase::Open);
    }

    fn control(&mut self, frame: Frame, now: Instant) -> Result<(), ProtocolError> {
        let mut peer_closes = None;
        match frame.opcode {
            OpCode::Close => peer_closes = Some(CloseReason::from_payload(&frame.payload)?),
            OpCode::Pong => self.keepalive.pong(&frame.payload, now),
            OpCode::Ping if !self.config.raw && self.phase() == Phase::Open => {
                self.control.pong(&frame.payload, &self.encoder);
            }
            _ => {}
        }
        if self.config.raw {
            self.deliver(Event::Frame(frame));
        }
        // Last, since it may bring the `Closed` event, which no frame may follow.
        if let Some(reason) = peer_closes {
            self.peer_close(reason, now);
        }
        Ok(())
    }

    /// Answers the peer's Close frame with its own code and text, unless this end's has its own.
    fn peer_close(&mut self, reason: CloseReason, now: Instant) {
        self.close_record.blame_first(ClosedBy::Peer, CloseCause::Handshake);
        if self.phase() == Phase::Open && !self.config.raw {
            self.close_record.say(reason.clone());
        }
        self.close_record.hear(reason);
        self.signal(Signal::PeerClose, now);
    }

    /// Notes whether a message is under way, since when, and when it last came on: by so many bytes, now.
    #[inline]
    pub(super) fn watch_message(&mut self, bytes: usize, now: Instant) {
        if self.assembler.is_open() || self.frame_joiner.is_open() {
            let time = self.message.get_or_insert_with(|| Box::new(MessageTime::new(now)));
            time.add(bytes, now);
        } else if self.message.is_some() {
            self.message = None;
        }
    }

    /// Fails the connection: the peer is told why behind what was accepted, and nothing else is heard.
    pub(super) fn fail(&mut self, error: ProtocolError, now: Instant) {
        self.end(error.into(), CloseCause::Violation(error), now);
    }

    /// Ends the connection with a Close frame that waits for no answer.
    pub(super) fn end(&mut self, reason: CloseReason, cause: CloseCause, now: Instant) {
        if !matches!(self.phase(), Phase::Open | Phase::Closing) {
            return;
        }
        if !self.close_record.is_given() {
            self.close_record.say(reason);
        }
        if !matches!(self.close_record.cause(), Some((_, CloseCause::Violation(_)))) {
            self.close_record.blame(ClosedBy::Local, cause);
        }
        self.signal(Signal::Fault, now);
    }
}
