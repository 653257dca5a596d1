//! How a connection ended. Knows no machine.

use std::{fmt, io};

use crate::frame::{CloseReason, ProtocolError};

/// How a conversation ended: what went over the wire, who began, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Closed {
    /// The Close frame that this end sent, if it was written out in full. Where this end has ended the connection and the
    /// peer takes nothing, that is known later than the end: then it is `None` until the frame has left.
    pub sent: Option<CloseReason>,
    /// The Close frame that the peer sent.
    pub received: Option<CloseReason>,
    /// Which end began.
    pub by: ClosedBy,
    /// Why it ended.
    pub cause: CloseCause,
}

/// Which end of the connection began to close it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ClosedBy {
    /// This end.
    Local,
    /// The other end.
    Peer,
}

/// Why a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CloseCause {
    /// One of the ends asked for it (RFC 6455 §7.1.2).
    Handshake,
    /// The peer broke the protocol or a limit, and was told so (RFC 6455 §7.1.7).
    Violation(ProtocolError),
    /// No byte came in time after a ping.
    PingTimeout,
    /// The peer took no byte in time.
    WriteTimeout,
    /// The peer read too slowly, and [`Overflow::Close`](crate::session::Overflow::Close) was chosen.
    Overflow,
    /// The peer did not finish the closing handshake in time.
    CloseTimeout,
    /// The peer ended the TCP connection without a Close frame.
    Eof,
    /// The transport failed.
    Transport(io::ErrorKind),
    /// An extension of this end could not encode a message; the peer was told 1011.
    ExtensionFailed,
    /// The connection's task was dropped, as a runtime does that ends: nobody has waited for the closing handshake.
    Aborted,
}

impl Closed {
    /// An end without a word.
    pub(crate) fn aborted() -> Self {
        Self { sent: None, received: None, by: ClosedBy::Local, cause: CloseCause::Aborted }
    }

    /// Tells whether both ends have sent their Close frame (RFC 6455 §7.1.4).
    pub fn is_clean(&self) -> bool {
        self.sent.is_some() && self.received.is_some()
    }

    /// Tells whether nothing went wrong: this end asked for the close and its Close frame left, behind
    /// all that was queued, or the peer asked with 1000, 1001 or no code.
    pub fn is_normal(&self) -> bool {
        match (self.cause, self.by, &self.received) {
            (CloseCause::Handshake, ClosedBy::Peer, Some(reason)) => reason.code().is_normal(),
            (CloseCause::Handshake | CloseCause::CloseTimeout, ClosedBy::Local, _) => self.sent.is_some(),
            _ => false,
        }
    }
}

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let who = match self.by {
            ClosedBy::Local => "this end",
            ClosedBy::Peer => "the peer",
        };
        match (self.cause, &self.received, &self.sent) {
            (CloseCause::Handshake, Some(reason), _) if self.by == ClosedBy::Peer => {
                write!(f, "closed by {who}: {reason}")
            }
            (CloseCause::Handshake, _, Some(reason)) => write!(f, "closed by {who}: {reason}"),
            (cause, ..) => write!(f, "ended by {who}: {cause}"),
        }
    }
}

impl fmt::Display for CloseCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Handshake => f.write_str("closing handshake"),
            Self::Violation(error) => error.fmt(f),
            Self::PingTimeout => f.write_str("no answer to a ping in time"),
            Self::Overflow => f.write_str("the peer reads too slowly"),
            Self::WriteTimeout => f.write_str("the peer took nothing in time"),
            Self::CloseTimeout => f.write_str("the closing handshake took too long"),
            Self::Eof => f.write_str("TCP ended without a Close frame"),
            Self::Transport(kind) => write!(f, "the transport failed: {kind}"),
            Self::ExtensionFailed => f.write_str("an extension of this end failed"),
            Self::Aborted => f.write_str("dropped without a closing handshake"),
        }
    }
}
