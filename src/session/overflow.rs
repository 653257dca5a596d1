//! What happens when a peer reads more slowly than this end sends. Knows no queue.

/// What `send` does when the send queue is over its marks, which
/// [`SessionOptions::send_queue`](crate::session::SessionOptions::send_queue) sets in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Overflow {
    /// Waits at the soft mark until there is room. `try_send` refuses instead. For one that talks to one: nothing is lost,
    /// and who produces goes as fast as the peer reads.
    #[default]
    Wait,
    /// Refuses the message at the hard mark, and gives it back. For who decides for each message what becomes of it.
    Fail,
    /// Drops the message at the hard mark, and counts it. For events of which a gap does no harm.
    DropNewest,
    /// Keeps messages back above the soft mark, and drops the oldest of them at the hard mark. For the latest of a series,
    /// such as frames of a picture or lines of a log.
    DropOldest,
    /// Keeps messages back above the soft mark; a newer one takes the place of one with the same key, which
    /// [`Sender::send_keyed`](crate::Sender::send_keyed) is given. At the hard mark the oldest is dropped. For the latest
    /// of each of many, such as prices or positions.
    Conflate,
    /// Closes the connection at the hard mark with 1013 and drops what waits. For events of which none may be missing, where
    /// others must not wait for one: who is closed comes again, and asks for what it missed.
    Close,
}
