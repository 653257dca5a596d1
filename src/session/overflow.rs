//! What happens when a peer reads more slowly than this end sends. Knows no queue.

use std::{fmt, sync::Arc};

use bytes::Bytes;
use converse_core::Message;

/// Names the value that a message carries: a newer message of the same key replaces one that waits.
///
/// It is called for each message that is sent, before the session is locked.
pub type ConflateKey = Arc<dyn Fn(&Message) -> Option<Bytes> + Send + Sync>;

/// What `send` does when the send queue is over its marks, which
/// [`SessionOptions::send_queue`](crate::session::SessionOptions::send_queue) sets in bytes.
#[derive(Clone, Default)]
#[non_exhaustive]
pub enum Overflow {
    /// Waits at the soft mark until there is room. `try_send` refuses instead.
    #[default]
    Wait,
    /// Refuses the message at the hard mark, and gives it back.
    Fail,
    /// Drops the message at the hard mark, and counts it.
    DropNewest,
    /// Keeps messages back above the soft mark, and drops the oldest of them at the hard mark.
    DropOldest,
    /// Keeps messages back above the soft mark; a newer one takes the place of one with the same key.
    /// At the hard mark the oldest is dropped.
    Conflate(ConflateKey),
    /// Closes the connection at the hard mark with 1013 and drops what waits.
    Close,
}

impl Overflow {
    /// Builds [`Overflow::Conflate`] from a function that names a message's key, or `None` for a
    /// message that nothing replaces.
    pub fn conflate(key: impl Fn(&Message) -> Option<Bytes> + Send + Sync + 'static) -> Self {
        Self::Conflate(Arc::new(key))
    }
}

impl fmt::Debug for Overflow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Wait => "Wait",
            Self::Fail => "Fail",
            Self::DropNewest => "DropNewest",
            Self::DropOldest => "DropOldest",
            Self::Conflate(_) => "Conflate",
            Self::Close => "Close",
        })
    }
}
