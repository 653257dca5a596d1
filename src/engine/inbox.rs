//! What was received and waits for the application, bounded in bytes and in number. Knows no socket.

use std::{collections::VecDeque, mem, sync::Arc};

use converse_core::Message;

use crate::{
    engine::Closed,
    frame::{Frame, Spares},
};

/// How many events may wait; also how many one connection handles before others have their turn.
pub(crate) const TURN: usize = 64;

thread_local! {
    /// Drained queues, of [`TURN`] places at most but for a burst that an extension made of one frame.
    static QUEUES: Spares<VecDeque<Event>> = const { Spares::new() };
}

/// Events are handed over together while they have no more payload than this, in bytes.
const SMALL: usize = 16 * 1024;

/// Something that the application should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// A whole message.
    Message(Message),
    /// A frame, in raw mode.
    Frame(Frame),
    /// The connection has ended; no event follows.
    Closed(Arc<Closed>),
}

/// Appends to a queue, which comes from the spare ones.
#[inline(always)]
fn append(events: &mut VecDeque<Event>, event: Event) {
    if events.capacity() == 0 {
        *events = QUEUES.try_with(Spares::take).ok().flatten().unwrap_or_default();
    }
    events.push_back(event);
}

/// Gives a queue of events up, once it is drained.
pub(crate) fn keep_drained(events: &mut VecDeque<Event>) {
    if events.is_empty() {
        let drained = mem::take(events);
        if (1..=TURN).contains(&drained.capacity()) {
            // A thread that is about to end keeps nothing.
            let _ = QUEUES.try_with(|queues| queues.keep(drained));
        }
    }
}

/// The events that wait.
#[derive(Debug)]
pub(crate) struct Inbox {
    events: VecDeque<Event>,
    /// Of what waits and what is lent.
    bytes: usize,
    /// Bytes of a message that was taken and is still worked at.
    lent: usize,
    max_bytes: usize,
    /// Wraps around.
    received: u32,
    stopped: bool,
    /// Whether it was full since somebody asked.
    was_full: bool,
    /// Whether an event was dropped for want of room, and so every later one.
    cut: bool,
}

impl Inbox {
    /// Builds an inbox that is full at `max_bytes` of payload.
    pub(crate) fn new(max_bytes: usize) -> Self {
        Self {
            events: VecDeque::new(),
            bytes: 0,
            lent: 0,
            // One that is empty always takes an event, or the connection would stop for good.
            max_bytes: max_bytes.max(1),
            received: 0,
            stopped: false,
            was_full: false,
            cut: false,
        }
    }

    /// Changes the bound; what waits stays.
    pub(crate) fn set_max_bytes(&mut self, max_bytes: usize) {
        self.was_full |= self.is_full();
        self.max_bytes = max_bytes.max(1);
    }

    /// Tells whether nothing more should be read.
    #[inline]
    pub(crate) fn is_full(&self) -> bool {
        self.bytes >= self.max_bytes || self.events.len() >= TURN
    }

    /// Returns how many bytes wait or are lent.
    #[inline]
    pub(crate) fn held(&self) -> usize {
        self.bytes
    }

    /// Sets how many bytes of a message that was taken are still worked at. Tells whether that has made room where
    /// there was none.
    pub(crate) fn lend(&mut self, bytes: usize) -> bool {
        let was_full = self.is_full();
        self.bytes = self.bytes - self.lent + bytes;
        self.lent = bytes;
        let made_room = was_full && !self.is_full();
        self.was_full |= made_room;
        made_room
    }

    /// Tells whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// Tells whether no message will be appended any more.
    pub(crate) fn is_shut(&self) -> bool {
        self.stopped || self.cut
    }

    /// Returns how many events were pushed; wraps around.
    pub(crate) fn received(&self) -> u32 {
        self.received
    }

    /// Tells whether it was full and is not any more, once.
    pub(crate) fn take_was_full(&mut self) -> bool {
        mem::take(&mut self.was_full)
    }

    /// Appends an event, unless nobody takes them. While the connection is not `open` any more it is dropped
    /// when there is no room, and so is everything behind it: what is taken has no gap.
    #[inline(always)]
    pub(crate) fn deliver(&mut self, event: Event, open: bool) {
        self.cut |= !open && self.is_full();
        if !self.cut {
            self.push(event);
        }
    }

    /// Appends the last event.
    pub(crate) fn close(&mut self, closed: Arc<Closed>) {
        self.push(Event::Closed(closed));
    }

    #[inline(always)]
    fn push(&mut self, event: Event) {
        if !self.stopped {
            self.bytes += event.len();
            self.received = self.received.wrapping_add(1);
            append(&mut self.events, event);
        }
    }

    /// Hands events over to an empty queue, where they count as received: all of them, if they are small, or the
    /// oldest. Tells whether that has made room where there was none.
    #[inline]
    pub(crate) fn hand_over(&mut self, to: &mut VecDeque<Event>) -> bool {
        if self.is_full() || self.bytes - self.lent > SMALL {
            return self.hand_over_oldest(to);
        }
        self.bytes = self.lent;
        mem::swap(&mut self.events, to);
        false
    }

    fn hand_over_oldest(&mut self, to: &mut VecDeque<Event>) -> bool {
        let was_full = self.is_full();
        self.was_full |= was_full;
        if let Some(event) = self.events.pop_front() {
            self.bytes -= event.len();
            append(to, event);
        }
        keep_drained(&mut self.events);
        was_full && !self.is_full()
    }

    /// Takes the message that waits, if nothing else does.
    pub(crate) fn take_only_message(&mut self) -> Option<Message> {
        if self.events.len() != 1 || !matches!(self.events.front(), Some(Event::Message(_))) {
            return None;
        }
        self.was_full |= self.is_full();
        let event = self.events.pop_front()?;
        self.bytes -= event.len();
        keep_drained(&mut self.events);
        if let Event::Message(message) = event { Some(message) } else { None }
    }

    /// Puts a message that was taken back in front.
    pub(crate) fn put_back(&mut self, message: Message) {
        if !self.stopped {
            self.bytes += message.len();
            self.events.push_front(Event::Message(message));
        }
    }

    /// Drops what waits and what will come.
    pub(crate) fn stop(&mut self) {
        self.was_full |= self.is_full();
        self.stopped = true;
        self.events = VecDeque::new();
        (self.bytes, self.lent) = (0, 0);
    }
}

impl Event {
    fn len(&self) -> usize {
        match self {
            Self::Message(message) => message.len(),
            Self::Frame(frame) => frame.payload.len(),
            Self::Closed(_) => 0,
        }
    }
}
