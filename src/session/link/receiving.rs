//! How received messages get to the application: out of the handler's batch, or under the lock. Knows no socket.

use std::{
    collections::VecDeque,
    sync::MutexGuard,
    task::{Context, Poll},
};

use converse_core::Message;

use crate::{
    engine::{Batch, Event},
    frame::OpCode,
    session::{
        batches::{self, Owner},
        link::Link,
        state::State,
    },
};

impl Link {
    /// Takes the next message out of the batch that the handler on this thread has.
    #[inline]
    pub(crate) fn take_message(&self) -> Option<Message> {
        batches::with(Owner::of(self), Batch::next)
    }

    /// Lets `read` see the next message of that batch where it lies; it is taken if that gives something, or panics.
    #[inline]
    pub(crate) fn read_message<R>(&self, read: impl FnOnce(OpCode, &[u8]) -> Option<R>) -> Option<R> {
        batches::with(Owner::of(self), |batch| batch.read(read))
    }

    /// Takes the events that come next to an empty queue, or notes who waits for one. `false` when the last one was
    /// taken.
    pub(crate) fn poll_events(&self, to: &mut VecDeque<Event>, cx: &mut Context<'_>) -> Poll<bool> {
        // The handler is polled behind each turn of the driver that brings something; and where it has a batch, nothing waits.
        if !self.is_touched() && self.is_handler(cx.waker()) && batches::is_lent(Owner::of(self)) {
            return Poll::Pending;
        }
        let mut state = self.lock();
        let made_room = state.engine.poll_events(to);
        if !to.is_empty() {
            self.note_taken(state, made_room);
            return Poll::Ready(true);
        }
        if state.engine.closed().is_some() {
            return Poll::Ready(false);
        }
        state.receives_in_handler = self.is_handler(cx.waker());
        if state.receives_in_handler {
            state.receiver = None;
        } else if !state.receiver.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            state.receiver = Some(cx.waker().clone());
        }
        Poll::Pending
    }

    /// Takes note that something was taken, and wakes the driver where that lets it read on.
    #[inline]
    fn note_taken(&self, mut state: MutexGuard<'_, State>, made_room: bool) {
        state.note_taken(&self.account);
        if made_room || state.engine.is_starved() {
            self.release(state);
        }
    }

    /// Sets how many bytes of a message that was taken are still worked at.
    pub(crate) fn lend(&self, bytes: usize) {
        let mut state = self.lock();
        let made_room = state.engine.lend(bytes);
        let carried = state.carried;
        state.note(&self.account, carried);
        if made_room || state.engine.is_starved() && bytes == 0 {
            self.release(state);
        }
    }
}
