//! How messages get to the engine: with the handler's batch, or under the lock. Knows no policy.

use std::sync::atomic::Ordering::Relaxed;

use converse_core::Message;

use crate::{
    engine::{Batch, FrameRefused, Phase},
    extension::SendHints,
    frame::{BY_REFERENCE, Frame, OpCode},
    session::{
        Overflow,
        batches::{self, Owner},
        clock::now,
        error::FrameError,
        link::Link,
        outbox::{Offered, Outgoing},
        state::State,
    },
};

/// How often a `send` gives way before a policy decides: a driver on another thread may take some rounds to come.
const PACE: usize = 8;

impl Link {
    /// Sends with the batch that the handler on this thread has, unless others have sent meanwhile, who may have told it.
    #[inline]
    fn reply<R>(&self, send: impl FnOnce(&mut Batch) -> Option<R>) -> Option<R> {
        if self.is_touched() {
            return None;
        }
        let sent = batches::with(Owner::of(self), send);
        if sent.is_some() {
            self.unsettled.store(true, Relaxed);
        }
        sent
    }

    /// Returns with how many bytes of replies a handler with a batch finds no room for more: none is there, where a policy
    /// has a say.
    pub(crate) fn reply_mark(&self) -> usize {
        if matches!(self.options.overflow, Overflow::Wait) { self.options.limits.soft_mark } else { 0 }
    }

    /// Queues a small message by copying its payload, where nothing speaks against it; `false` when it has to be
    /// [offered](Self::offer).
    #[inline]
    pub(crate) fn copy(&self, opcode: OpCode, payload: &[u8]) -> bool {
        let replied = self.reply(|batch| batch.send_copied(opcode, payload).then_some(()));
        replied.is_some() || self.copy_locked(opcode, payload)
    }

    fn copy_locked(&self, opcode: OpCode, payload: &[u8]) -> bool {
        if payload.len() >= BY_REFERENCE {
            return false;
        }
        let mut state = self.lock();
        let State { engine, outbox, .. } = &mut *state;
        let copied = outbox.copy(engine, opcode, payload);
        let next = copied && state.room_wanted && state.has_room();
        self.release(state);
        if next {
            self.room.notify_one();
        }
        copied
    }

    /// Offers a message to the outbox once.
    pub(crate) fn offer(&self, mut outgoing: Outgoing) -> Offered {
        let sent = self.reply(|batch| batch.send(&mut outgoing.message).then_some(()));
        if sent.is_some() {
            return Offered::Taken;
        }
        let mut state = self.lock();
        let State { engine, outbox, .. } = &mut *state;
        let offered = outbox.offer(engine, outgoing);
        let next = state.room_wanted && matches!(offered, Offered::Taken) && state.has_room();
        state.room_wanted |= matches!(offered, Offered::NoRoom(_));
        self.release(state);
        if next {
            self.room.notify_one();
        }
        offered
    }

    /// Gives way where a `send` never waits for the peer: now and then, since a loop of them would keep every other task
    /// from its turn, and before a policy decides, so that the driver has written what the transport takes.
    pub(crate) async fn pace(&self, len: usize) {
        if matches!(self.options.overflow, Overflow::Wait) {
            return;
        }
        tokio::task::consume_budget().await;
        for _ in 0..PACE {
            if !self.is_touched() || self.fits(len) {
                break;
            }
            tokio::task::yield_now().await;
        }
    }

    fn fits(&self, len: usize) -> bool {
        let state = self.lock();
        state.outbox.fits(&state.engine, len)
    }

    /// Offers a message that has found no room again, as often as the outbox says so.
    pub(crate) async fn send_later(&self, mut message: Message, hints: SendHints) -> Offered {
        loop {
            let room = self.room.notified();
            match self.offer(Outgoing { key: None, message, hints }) {
                Offered::NoRoom(back) => message = back,
                offered => return offered,
            }
            room.await;
        }
    }

    /// Queues a raw frame, and waits for room before.
    pub(crate) async fn send_frame(&self, frame: Frame) -> Result<(), FrameError> {
        loop {
            let room = self.room.notified();
            if let Some(outcome) = self.offer_frame(&frame) {
                return outcome.map_err(|why| FrameError::new(why, frame));
            }
            room.await;
        }
    }

    fn offer_frame(&self, frame: &Frame) -> Option<Result<(), FrameRefused>> {
        let mut state = self.lock();
        if !state.has_room() && state.engine.phase() == Phase::Open {
            state.room_wanted = true;
            return None;
        }
        let outcome = state.engine.send_frame(frame.clone(), now());
        self.release(state);
        self.room.notify_one();
        Some(outcome)
    }
}
