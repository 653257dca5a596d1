//! What waits to be sent, and what of it a conversation's task gives the session. Knows no codec's words.

use std::task::Context;

use crate::{
    rpc::{
        Code, Status,
        backlog::wake_all,
        connection::Connection,
        conversation::{Conversation, Fatal},
        lanes::{Joining, Lane},
        rooms::Room,
        tables::{Tables, too_long},
    },
    session::{Load, SendErrorKind, SessionError},
};

/// Bytes that wait in the session before calls and stream items wait here, where answers can still pass them.
const SESSION_QUEUE: usize = 32 * 1024;

impl Conversation {
    /// Gives the session what it may send.
    pub(super) fn send(&mut self, cx: &mut Context<'_>) -> Result<(), Fatal> {
        while self.send_next(cx)? {
            self.patience.end();
        }
        self.account_for_sending();
        match self.is_held() {
            true => self.patience.begin(),
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

    /// Tells the account what waits for a peer that reads too slowly. What leaves at once is not worth it.
    fn account_for_sending(&mut self) {
        let (connection, account) = (&self.connection, self.connection.account());
        let in_session = if self.flushed.is_some() { connection.sender.queued_bytes() } else { 0 };
        let waits = self.flushed.is_some() && account.has_pool();
        let bytes = if waits { connection.lock().lanes.short_bytes() + in_session } else { 0 };
        if std::mem::replace(&mut self.sending, bytes) != bytes {
            account.set_sending(bytes);
        }
        if connection.backlog.set_session(in_session) {
            let mut tables = connection.lock();
            connection.backlog.note(&tables.lanes, account);
            let waiting = connection.released(&mut tables);
            drop(tables);
            wake_all(waiting);
        }
    }

    /// Gives the session the next message; tells whether there was one.
    fn send_next(&mut self, cx: &mut Context<'_>) -> Result<bool, Fatal> {
        let queued = self.connection.sender.queued_bytes();
        let (slow, room) = (self.is_slow(queued, cx), self.room_beside(queued));
        let mut tables = self.connection.lock();
        let Some(batch) = tables.lanes.pop(slow, room) else { return Ok(false) };
        self.connection.account().subtract_frame(batch.frames.len());
        self.connection.backlog.note(&tables.lanes, self.connection.account());
        let waiting = self.connection.released(&mut tables);
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

impl Connection {
    /// Adds a frame to what waits to be sent; returns its position in the lane.
    pub(crate) fn queue(&self, tables: &mut Tables, lane: Lane, frame: Vec<u8>, room: Room) -> u64 {
        let longest = usize::try_from(self.longest_message()).unwrap_or(usize::MAX);
        let joining = Joining { separator: self.codec.separator(), longest };
        self.account().add_frame(frame.len());
        let position = tables.lanes.push(lane, frame, room, joining);
        self.backlog.note(&tables.lanes, self.account());
        position
    }

    /// Counts a frame that is to be sent.
    ///
    /// # Errors
    /// When it is longer than the peer takes, or when there is no memory for it until the peer has read it.
    pub(crate) fn load(&self, len: usize) -> Result<Load, Status> {
        let exhausted = |text| Status::new(Code::RESOURCE_EXHAUSTED, text);
        let longest = self.longest_message();
        if len as u64 > longest {
            return Err(exhausted(too_long(len, longest)));
        }
        let load = self.account().load(len);
        load.ok_or_else(|| exhausted(format!("there is no memory for {len} bytes that wait to be sent")))
    }
}
