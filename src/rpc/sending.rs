//! What a conversation's task gives the session to send, and when. Knows no frame.

use std::task::Context;

use crate::{
    rpc::{
        backlog::wake_all,
        conversation::{Conversation, Fatal},
    },
    session::{SendErrorKind, SessionError},
};

/// Bytes that wait in the session before calls and stream items wait here, where answers can still pass them.
const SESSION_QUEUE: usize = 32 * 1024;

impl Conversation {
    /// Gives the session what it may send.
    pub(super) fn send(&mut self, cx: &mut Context<'_>) -> Result<(), Fatal> {
        while self.send_next(cx)? {
            self.patience.end();
        }
        match self.is_held() {
            true => self.patience.begin(self.connection.sender.queued_bytes()),
            false => self.patience.end(),
        }
        // The session wakes its waiters, which is not for the lock.
        let mut tables = self.connection.lock();
        let (closes, gone) = (tables.closes(), self.is_gone(&tables));
        drop(tables);
        if let Some(reason) = closes {
            self.connection.sender.start_close(reason);
        }
        if gone {
            return Err(Fatal::new(super::GOING_AWAY, "going away"));
        }
        Ok(())
    }

    /// Gives the session the next message; tells whether there was one.
    fn send_next(&mut self, cx: &mut Context<'_>) -> Result<bool, Fatal> {
        let queued = self.connection.sender.queued_bytes();
        let (slow, room) = (self.is_slow(queued, cx), self.room_beside(queued));
        let mut tables = self.connection.lock();
        let Some(batch) = tables.lanes.pop(slow, room) else { return Ok(false) };
        self.connection.backlog.note(&tables.lanes);
        let waiting = match self.connection.backlog.holds_handlers() {
            true => Vec::new(),
            false => std::mem::take(&mut tables.waiting),
        };
        drop(tables);
        wake_all(waiting);
        match self.session.try_send(self.connection.codec.message(batch.frames)) {
            Ok(()) => Ok(true),
            Err(SessionError::Send(error)) if *error.kind() == SendErrorKind::Full => {
                Err(Fatal::new(super::TOO_SLOW, "the peer reads too slowly"))
            }
            // What remains to be said is in the end that is received next.
            Err(_) => Ok(false),
        }
    }

    /// Tells whether so much waits in the session that only control frames should follow.
    fn is_slow(&mut self, queued: usize, cx: &mut Context<'_>) -> bool {
        if self.flushed.is_none() && self.has_room(queued) {
            return false;
        }
        let sender = &self.connection.sender;
        let flushed = self.flushed.get_or_insert_with(|| {
            let sender = sender.clone();
            Box::pin(async move {
                // The end of the conversation is told to who receives.
                let _ = sender.flush().await;
            })
        });
        let slow = flushed.as_mut().poll(cx).is_pending();
        if !slow {
            self.flushed = None;
        }
        slow
    }

    /// Tells whether the session takes the next message of any lane.
    fn has_room(&self, queued: usize) -> bool {
        let fits = || self.connection.lock().lanes.next_len() <= self.room_beside(queued);
        queued == 0 || queued < SESSION_QUEUE && fits()
    }

    /// Returns how long a message may be that the session takes now. An empty session takes any.
    pub(super) fn room(&self) -> usize {
        self.room_beside(self.connection.sender.queued_bytes())
    }

    /// Returns the same, for a session that holds so many bytes.
    fn room_beside(&self, queued: usize) -> usize {
        match queued {
            0 => usize::MAX,
            queued => self.connection.backlog.most().saturating_sub(queued),
        }
    }
}
