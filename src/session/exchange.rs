//! What a driver and the engine tell each other while the driver has the lock. Knows no transport.

use std::{mem, sync::Arc, time::Instant};

use crate::{
    engine::{Engine, EngineConfig, Phase, Unsettled},
    frame::{WriteQueue, Written},
    session::{
        link::Link,
        state::{News, State, Wakes},
    },
};

/// The driver's side of the exchange.
#[derive(Debug, Default)]
pub(crate) struct Exchange {
    /// What is to be written.
    pub(crate) writing: WriteQueue,
    /// What has left, and the engine does not know of yet.
    written: Written,
    /// Whether room was made in this turn that a `send` waits for: it comes before a Close frame.
    pub(crate) made_room: bool,
    /// What was done without the engine since.
    pub(crate) unsettled: Unsettled,
    /// The engine's limits when they last met.
    pub(crate) config: Option<Arc<EngineConfig>>,
    /// What the engine wanted when they last met.
    pub(crate) outlook: Outlook,
    /// Bytes of the longest message in the last read.
    pub(crate) longest: u32,
    /// How much its extensions have worked since the driver last rested, in bytes that are moved.
    pub(crate) worked: usize,
}

/// What an engine wants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outlook {
    /// Bytes from the transport.
    pub(crate) bytes: bool,
    /// To have written more than it has given out.
    pub(crate) output: bool,
    /// The write half of the transport shut.
    pub(crate) shutdown: bool,
    /// Nothing, while whole messages come behind so many bytes, and the handler beside the driver receives.
    pub(crate) lends_behind: Option<u32>,
    /// Nothing else, since somebody waits for a message and none is there.
    pub(crate) waits: bool,
    /// Bytes for a long message, straight into it.
    pub(crate) reads_long: bool,
    pub(crate) phase: Phase,
}

impl Exchange {
    /// Takes note of bytes that were written.
    #[inline]
    pub(crate) fn left(&mut self, count: usize) {
        self.written += self.writing.advance(count);
    }

    /// Lets the engine act, tells it what has left, and wakes whom that concerns.
    pub(crate) fn look<R>(&mut self, link: &Link, now: Instant, act: impl FnOnce(&mut Engine) -> R) -> R {
        let mut state = link.look();
        self.settle(link, &mut state, now);
        let result = act(&mut state.engine);
        let wakes = self.meet(link, &mut state, true, now);
        drop(state);
        link.announce(wakes);
        result
    }

    /// Tells the engine what has left, behind what `came`, if anything did; returns who is to be woken.
    pub(crate) fn meet(&mut self, link: &Link, state: &mut State, came: bool, now: Instant) -> Wakes {
        let news = self.tell(link, state, now);
        self.note_longest(state.engine.take_longest());
        self.part(state, News { progress: news.progress || came, ..news })
    }

    /// Tells the engine what has left, and takes what is to be written, or gives back what could not be; returns who is
    /// to be woken. The handler must have been polled since the engine was handed bytes: its replies belong before a
    /// Close frame that those bring about.
    pub(crate) fn collect(&mut self, link: &Link, state: &mut State, now: Instant) -> Wakes {
        let waits = state.room_wanted && !state.has_room();
        let news = self.tell(link, state, now);
        self.worked += state.engine.take_worked();
        match self.writing.is_empty() {
            true => state.engine.poll_output(&mut self.writing, waits || self.made_room, now),
            false => state.engine.take_back(&mut self.writing),
        }
        self.part(state, news)
    }

    /// Notes a message of so many bytes.
    #[inline]
    pub(crate) fn note_longest(&mut self, len: usize) {
        self.longest = self.longest.max(u32::try_from(len).unwrap_or(u32::MAX));
    }

    /// Tells whether the engine does not know of all that was done.
    pub(crate) fn is_unsettled(&self) -> bool {
        self.unsettled != Unsettled::default()
    }

    /// Tells the engine what was done without it.
    #[inline]
    pub(crate) fn settle(&mut self, link: &Link, state: &mut State, now: Instant) {
        if self.is_unsettled() {
            state.engine.settle(mem::take(&mut self.unsettled), now);
        }
        link.settle();
    }

    fn tell(&mut self, link: &Link, state: &mut State, now: Instant) -> News {
        self.settle(link, state, now);
        let closing = state.close_abandoned();
        let progress = self.written.total > 0;
        let room = progress && state.written(mem::take(&mut self.written), now);
        self.made_room |= room;
        News { room, progress, closing }
    }

    fn part(&mut self, state: &mut State, news: News) -> Wakes {
        self.outlook = Outlook::of(state);
        let config = state.engine.config();
        if !self.config.as_ref().is_some_and(|known| Arc::ptr_eq(known, config)) {
            self.config = Some(Arc::clone(config));
        }
        state.wakes(news)
    }
}

impl Outlook {
    fn of(state: &State) -> Self {
        let engine = &state.engine;
        Self {
            lends_behind: engine.lends_behind().filter(|_| state.receives_in_handler),
            waits: state.waits(),
            reads_long: engine.reads_long(),
            bytes: engine.wants_bytes(),
            output: engine.has_output(),
            shutdown: engine.wants_shutdown(),
            phase: engine.phase(),
        }
    }
}
