//! What a driver and the engine tell each other while the driver has the lock. Knows no transport.

use std::{mem, task::Context, time::Instant};

use crate::{
    engine::{Engine, Phase},
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
    /// What the engine wanted when they last met.
    pub(crate) outlook: Outlook,
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
    pub(crate) phase: Phase,
}

impl Exchange {
    /// Takes note of bytes that were written.
    #[inline]
    pub(crate) fn left(&mut self, count: usize) {
        self.written += self.writing.advance(count);
    }

    /// Lets the engine act, tells it what has left, and wakes whom that concerns.
    pub(crate) fn look<R>(
        &mut self,
        link: &Link,
        cx: &Context<'_>,
        now: Instant,
        act: impl FnOnce(&mut Engine) -> R,
    ) -> R {
        let mut state = link.look();
        let result = act(&mut state.engine);
        let wakes = self.meet(&mut state, cx, now);
        drop(state);
        link.announce(wakes);
        result
    }

    /// Tells the engine what has left, behind something that came; returns who is to be woken.
    pub(crate) fn meet(&mut self, state: &mut State, cx: &Context<'_>, now: Instant) -> Wakes {
        let news = News { progress: true, ..self.tell(state, now) };
        self.part(state, news, cx)
    }

    /// Tells the engine what has left, and takes what is to be written, or gives back what could not be; returns who is
    /// to be woken. The handler must have been polled since the engine was handed bytes: its replies belong before a
    /// Close frame that those bring about.
    pub(crate) fn collect(&mut self, state: &mut State, cx: &Context<'_>, now: Instant) -> Wakes {
        let news = self.tell(state, now);
        self.worked += state.engine.take_worked();
        match self.writing.is_empty() {
            true => state.engine.poll_output(&mut self.writing, now),
            false => state.engine.take_back(&mut self.writing),
        }
        self.part(state, news, cx)
    }

    fn tell(&mut self, state: &mut State, now: Instant) -> News {
        let closing = state.close_abandoned();
        let progress = self.written.total > 0;
        let room = progress && state.written(mem::take(&mut self.written), now);
        News { room, progress, closing }
    }

    fn part(&mut self, state: &mut State, news: News, cx: &Context<'_>) -> Wakes {
        self.outlook = Outlook::of(&state.engine);
        state.wakes(news, cx)
    }
}

impl Outlook {
    fn of(engine: &Engine) -> Self {
        Self {
            bytes: engine.wants_bytes(),
            output: engine.has_output(),
            shutdown: engine.wants_shutdown(),
            phase: engine.phase(),
        }
    }
}
