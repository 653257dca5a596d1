//! A session that gives every frame, control frames included (Ktor's `webSocketRaw`). Knows no message.

use std::{fmt, future::poll_fn, sync::Arc, task::Poll};

use crate::{
    engine::{Closed, Event},
    frame::{CloseReason, Frame},
    handshake::Request,
    session::{FrameError, Session, SessionError},
};

/// One end of a connection as frames.
///
/// Frames arrive and leave as they are: the owner joins fragments, checks that text is UTF-8, answers
/// pings and the Close frame, and sends pings. The framing rules and the frame limit are still kept,
/// and the close timeout still runs once one end has sent its Close frame.
pub struct RawSession {
    session: Session,
}

impl RawSession {
    pub(crate) fn new(session: Session) -> Self {
        Self { session }
    }

    /// Receives the next frame; `None` after a normal end.
    ///
    /// # Errors
    /// [`SessionError::Closed`], once, when the conversation ended otherwise.
    ///
    /// # Cancel safety
    /// A dropped call has taken no frame.
    pub async fn receive(&mut self) -> Result<Option<Frame>, SessionError> {
        poll_fn(|cx| {
            loop {
                return Poll::Ready(match self.session.poll_event(cx) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(Some(Event::Frame(frame))) => Ok(Some(frame)),
                    Poll::Ready(Some(Event::Message(_))) => continue,
                    Poll::Ready(Some(Event::Closed(closed))) => self.session.tell(closed).map(|_| None),
                    Poll::Ready(None) => Ok(None),
                });
            }
        })
        .await
    }

    /// Sends a frame as it is; waits for room first, whatever the overflow policy.
    ///
    /// # Errors
    /// When the frame breaks a framing rule or the connection is closed; the frame is in the error.
    ///
    /// # Cancel safety
    /// A dropped call has queued all of the frame or nothing.
    pub async fn send(&self, frame: Frame) -> Result<(), FrameError> {
        self.session.sender.link().send_frame(frame).await
    }

    /// Waits until everything accepted so far has left.
    ///
    /// # Errors
    /// [`SessionError::Closed`] when the conversation ended before.
    ///
    /// # Cancel safety
    /// Dropping the call changes nothing.
    pub async fn flush(&self) -> Result<(), SessionError> {
        self.session.flush().await
    }

    /// Sends a Close frame, or the answer to the peer's, and waits for the end.
    ///
    /// # Cancel safety
    /// Once polled, the close goes on when the call is dropped.
    pub async fn close(&self, reason: impl Into<CloseReason>) -> Arc<Closed> {
        self.session.close(reason).await
    }

    /// Waits for the end of the conversation.
    ///
    /// # Cancel safety
    /// Dropping the call changes nothing.
    pub async fn closed(&self) -> Arc<Closed> {
        self.session.closed().await
    }

    /// Returns the subprotocol that both ends have agreed on.
    pub fn subprotocol(&self) -> Option<&str> {
        self.session.subprotocol()
    }

    /// Returns the request that opened the connection.
    pub fn request(&self) -> &Request {
        self.session.request()
    }
}

impl fmt::Debug for RawSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.session.fmt(f)
    }
}
