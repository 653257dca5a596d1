//! One engine against hand-made bytes, and two engines wired together. Time moves only when told to.

use std::{
    collections::VecDeque,
    io::IoSlice,
    time::{Duration, Instant},
};

use converse_core::Message;

use crate::{
    engine::{CloseCause, Closed, Engine, EngineConfig, Event, Phase, SendRefused},
    extension::{ExtensionStack, SendHints},
    frame::{Frame, Role, WriteQueue, Written},
};

pub(super) const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

pub(super) fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

pub(super) fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub(super) fn config(role: Role) -> EngineConfig {
    EngineConfig {
        role,
        max_frame_size: Some(1 << 20),
        max_message_size: 1 << 20,
        fragment_size: 64 * 1024,
        receive_queue: 1 << 20,
        ping_interval: Some(secs(20)),
        timeout: secs(20),
        close_timeout: secs(5),
        max_close_time: Some(secs(60)),
        write_timeout: secs(10),
        max_write_time: Some(secs(100)),
        message_timeout: Some(secs(30)),
        max_message_time: Some(secs(120)),
        raw: false,
        mask_source: || KEY,
    }
}

/// An unmasked frame, as a server sends it; `head` is its first byte.
pub(super) fn frame(head: u8, payload: impl AsRef<[u8]>) -> Vec<u8> {
    let payload = payload.as_ref();
    let mut bytes = vec![head];
    match payload.len() {
        len @ 0..=125 => bytes.push(len as u8),
        len @ 126..=0xffff => {
            bytes.push(126);
            bytes.extend((len as u16).to_be_bytes());
        }
        len => {
            bytes.push(127);
            bytes.extend((len as u64).to_be_bytes());
        }
    }
    bytes.extend(payload);
    bytes
}

/// A masked frame, as a client sends it.
pub(super) fn masked(head: u8, payload: impl AsRef<[u8]>) -> Vec<u8> {
    let payload = payload.as_ref();
    let mut bytes = frame(head, payload);
    bytes[1] |= 0x80;
    bytes.truncate(bytes.len() - payload.len());
    bytes.extend(KEY);
    bytes.extend(payload.iter().zip(KEY.iter().cycle()).map(|(byte, key)| byte ^ key));
    bytes
}

/// A frame that an engine put out, read by hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wire {
    pub(super) head: u8,
    pub(super) payload: Vec<u8>,
}

impl Wire {
    pub(super) fn new(head: u8, payload: impl AsRef<[u8]>) -> Self {
        Self { head, payload: payload.as_ref().to_vec() }
    }

    pub(super) fn close(code: u16, text: &str) -> Self {
        Self::new(0x88, [&code.to_be_bytes(), text.as_bytes()].concat())
    }

    pub(super) fn close_code(&self) -> Option<u16> {
        (self.head == 0x88).then(|| self.payload.first_chunk().map_or(1005, |code| u16::from_be_bytes(*code)))
    }

    /// Reads whole frames, which are masked or not by the role that sent them.
    pub(super) fn parse(mut bytes: &[u8], from: Role) -> Vec<Self> {
        let mut frames = Vec::new();
        while let &[head, second, ref rest @ ..] = bytes {
            assert_eq!(second & 0x80 != 0, from == Role::Client, "only clients mask");
            let (len, rest) = match second & 0x7f {
                126 => (usize::from(u16::from_be_bytes(rest[..2].try_into().unwrap())), &rest[2..]),
                127 => (u64::from_be_bytes(rest[..8].try_into().unwrap()) as usize, &rest[8..]),
                len => (usize::from(len), rest),
            };
            let (key, rest) = if from == Role::Client { rest.split_at(4) } else { (&[0; 4][..], rest) };
            let (payload, rest) = rest.split_at(len);
            let payload = payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key).collect();
            frames.push(Self { head, payload });
            bytes = rest;
        }
        assert!(bytes.is_empty(), "the output ends inside a header");
        frames
    }
}

/// One engine, whose peer is the test.
#[derive(Debug)]
pub(super) struct Solo {
    pub(super) engine: Engine,
    pub(super) now: Instant,
    pub(super) socket: WriteQueue,
    taken: VecDeque<Event>,
}

impl Solo {
    pub(super) fn server() -> Self {
        Self::with(config(Role::Server))
    }

    pub(super) fn client() -> Self {
        Self::with(config(Role::Client))
    }

    pub(super) fn raw(role: Role) -> Self {
        Self::with(EngineConfig { raw: true, ..config(role) })
    }

    pub(super) fn with(config: EngineConfig) -> Self {
        Self::extended(config, ExtensionStack::default())
    }

    pub(super) fn extended(config: EngineConfig, stack: ExtensionStack) -> Self {
        let now = Instant::now();
        let (socket, taken) = (WriteQueue::default(), VecDeque::new());
        Self { engine: Engine::new(config, stack, now), now, socket, taken }
    }

    pub(super) fn role(&self) -> Role {
        self.engine.config().role
    }

    pub(super) fn phase(&self) -> Phase {
        self.engine.phase()
    }

    /// Sends a message with no wishes.
    pub(super) fn send(&mut self, message: Message) -> Result<(), SendRefused> {
        {
            let now = self.now;
            self.engine.send(message, SendHints::default(), || now)
        }
    }

    /// Hands bytes over in one piece, and returns how many were taken.
    pub(super) fn hand(&mut self, bytes: &[u8]) -> usize {
        self.engine.handle_bytes(&mut bytes.to_vec(), self.now)
    }

    /// Receives bytes, and returns the events they make, all of which are taken.
    pub(super) fn feed(&mut self, bytes: impl AsRef<[u8]>) -> Vec<Event> {
        let mut bytes = bytes.as_ref().to_vec();
        let mut rest = &mut bytes[..];
        let mut events = self.events();
        while !rest.is_empty() {
            let taken = self.engine.handle_bytes(rest, self.now);
            let more = self.events();
            assert!(taken > 0 || !more.is_empty(), "bytes are taken unless the inbox is full");
            events.extend(more);
            rest = &mut rest[taken..];
        }
        events
    }

    /// Receives a frame as the other role sends it.
    pub(super) fn feed_frame(&mut self, head: u8, payload: impl AsRef<[u8]>) -> Vec<Event> {
        match self.role() {
            Role::Server => self.feed(masked(head, payload)),
            Role::Client => self.feed(frame(head, payload)),
        }
    }

    /// Takes the next event, as a session does.
    pub(super) fn next_event(&mut self) -> Option<Event> {
        if self.taken.is_empty() {
            self.engine.poll_events(&mut self.taken);
        }
        self.taken.pop_front()
    }

    pub(super) fn events(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.next_event()).collect()
    }

    /// Lets at most `limit` bytes leave, and returns them. What does not goes back, as when a driver waits.
    pub(super) fn write(&mut self, limit: usize) -> Vec<u8> {
        self.engine.poll_output(&mut self.socket, false, self.now);
        let mut slices = [IoSlice::new(&[]); 64];
        let filled = self.socket.io_slices(&mut slices);
        let mut bytes: Vec<u8> = slices[..filled].iter().flat_map(|slice| slice.to_vec()).collect();
        bytes.truncate(limit);
        let written: Written = self.socket.advance(bytes.len());
        self.engine.handle_written(written, self.now);
        if !self.socket.is_empty() {
            self.engine.take_back(&mut self.socket);
        }
        bytes
    }

    /// Lets everything leave, and returns it.
    pub(super) fn flush(&mut self) -> Vec<u8> {
        let mut all = Vec::new();
        loop {
            let bytes = self.write(usize::MAX);
            if bytes.is_empty() {
                assert!(!self.engine.has_output(), "output waits, but is not given out");
                return all;
            }
            all.extend(bytes);
        }
    }

    /// Lets everything leave, and reads the frames.
    pub(super) fn sent(&mut self) -> Vec<Wire> {
        let role = self.role();
        Wire::parse(&self.flush(), role)
    }

    /// Lets time pass, with every timer at its time; a timer that is done must not be due any more.
    pub(super) fn wait(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(at) = self.engine.poll_timeout().filter(|&at| at <= end) {
            self.now = self.now.max(at);
            self.engine.handle_timeout(self.now, || None);
            assert!(self.engine.poll_timeout().is_none_or(|next| next > self.now), "a timer is still due");
        }
        self.now = end;
    }

    pub(super) fn eof(&mut self) -> Vec<Event> {
        self.engine.handle_eof(self.now);
        self.events()
    }

    /// Lets everything leave, and takes the one `Closed` event, which must come last.
    pub(super) fn end(&mut self) -> Closed {
        self.flush();
        let events = self.events();
        only_closed(&events)
    }

    /// Checks that the peer was told `code` in the last frame, that `Closed` came once, and that
    /// nothing is decoded or answered afterwards.
    pub(super) fn has_failed_with(&mut self, code: u16) -> Closed {
        assert_eq!(self.phase(), Phase::Failing);
        let sent = self.sent();
        assert_eq!(sent.last().and_then(Wire::close_code), Some(code));
        assert_eq!(sent.iter().filter(|wire| wire.head == 0x88).count(), 1);
        let events = self.events();
        let closed = only_closed(&events);
        assert_eq!(closed.sent.as_ref().map(|reason| reason.code().get()), Some(code));
        match closed.cause {
            CloseCause::Violation(error) => assert_eq!(error.close_code().get(), code),
            other => panic!("{other:?}"),
        }
        assert_eq!(self.feed_frame(0x81, "late"), []);
        assert_eq!(self.feed_frame(0x89, "late"), []);
        assert_eq!(self.feed_frame(0x88, ""), []);
        assert_eq!(self.eof(), []);
        assert_eq!(self.sent(), []);
        assert_eq!(self.phase(), Phase::Done);
        closed
    }
}

/// The `Closed` event, which is the only one.
pub(super) fn only_closed(events: &[Event]) -> Closed {
    match events {
        [Event::Closed(closed)] => Closed::clone(closed),
        other => panic!("{other:?}"),
    }
}

pub(super) fn text(text: &str) -> Event {
    Event::Message(Message::text(text))
}

pub(super) fn binary(payload: impl AsRef<[u8]>) -> Event {
    Event::Message(Message::from(payload.as_ref()))
}

pub(super) fn raw_frame(frame: Frame) -> Event {
    Event::Frame(frame)
}

/// Two engines and the wire between them.
#[derive(Debug)]
pub(super) struct Pair {
    pub(super) client: Solo,
    pub(super) server: Solo,
}

impl Pair {
    pub(super) fn new() -> Self {
        Self { client: Solo::client(), server: Solo::server() }
    }

    /// Carries bytes both ways until there are none; returns what the client and the server were told.
    pub(super) fn carry(&mut self) -> (Vec<Event>, Vec<Event>) {
        let (mut to_client, mut to_server) = (self.client.events(), self.server.events());
        loop {
            let (up, down) = (self.client.flush(), self.server.flush());
            if up.is_empty() && down.is_empty() {
                to_client.extend(self.client.events());
                to_server.extend(self.server.events());
                return (to_client, to_server);
            }
            to_server.extend(self.server.feed(up));
            to_client.extend(self.client.feed(down));
        }
    }
}
