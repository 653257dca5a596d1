//! What both ends have said at the end of a connection, and who began. Knows no phase and no time.

use crate::{
    engine::{CloseCause, Closed, ClosedBy},
    frame::CloseReason,
};

/// The Close frames of a connection, and the cause of its end. Boxed once there is something to hold: for
/// most of its life a connection has none.
#[derive(Debug, Default)]
pub(crate) struct CloseRecord(Option<Box<Words>>);

#[derive(Debug, Default)]
struct Words {
    pending: Option<CloseReason>,
    given: Option<CloseReason>,
    received: Option<CloseReason>,
    ended: Option<(ClosedBy, CloseCause)>,
}

impl CloseRecord {
    /// Tells whether a Close frame waits to be given out.
    pub(crate) fn is_pending(&self) -> bool {
        self.0.as_ref().is_some_and(|words| words.pending.is_some())
    }

    /// Tells whether a Close frame was given out.
    pub(crate) fn is_given(&self) -> bool {
        self.0.as_ref().is_some_and(|words| words.given.is_some())
    }

    /// Lets a Close frame wait, in place of one that does.
    pub(crate) fn say(&mut self, reason: CloseReason) {
        self.words().pending = Some(reason);
    }

    /// Gives the Close frame that waits out.
    pub(crate) fn give(&mut self) -> Option<&CloseReason> {
        let words = self.0.as_mut()?;
        let reason = words.pending.take()?;
        Some(words.given.insert(reason))
    }

    /// Notes the peer's Close frame.
    pub(crate) fn hear(&mut self, reason: CloseReason) {
        self.words().received = Some(reason);
    }

    /// Returns who ended the connection and why.
    pub(crate) fn cause(&self) -> Option<(ClosedBy, CloseCause)> {
        self.0.as_ref()?.ended
    }

    /// Notes who ended the connection and why, unless that is known.
    pub(crate) fn blame_first(&mut self, by: ClosedBy, cause: CloseCause) {
        self.words().ended.get_or_insert((by, cause));
    }

    /// Notes who ended the connection and why.
    pub(crate) fn blame(&mut self, by: ClosedBy, cause: CloseCause) {
        self.words().ended = Some((by, cause));
    }

    /// Sums up; `written` tells whether the Close frame that was given out has left.
    pub(crate) fn sum_up(&self, written: bool) -> Closed {
        let words = self.0.as_deref();
        let (by, cause) = self.cause().unwrap_or((ClosedBy::Peer, CloseCause::Eof));
        Closed {
            sent: words.and_then(|words| words.given.clone()).filter(|_| written),
            received: words.and_then(|words| words.received.clone()),
            by,
            cause,
        }
    }

    fn words(&mut self) -> &mut Words {
        self.0.get_or_insert_default()
    }
}
