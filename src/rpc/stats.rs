//! What a conversation counts. Knows no table.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

/// The state of a conversation, as [`Peer::stats`](crate::rpc::Peer::stats) reads it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Calls of this end that wait for their end.
    pub calls_in_flight: usize,
    /// Calls of the peer, notifications included, whose handlers run.
    pub served_in_flight: usize,
    /// Those of them that are streams, either way.
    pub streams_in_flight: usize,
    /// Bytes of frames that were accepted and have not left.
    pub queued_bytes: usize,
    /// Calls of the peer that were answered, since the beginning.
    pub served: u64,
    /// Calls and notifications of the peer that were refused at a limit.
    pub refused: u64,
    /// Handlers that were dropped before their end: cancelled, out of time, or without their connection.
    pub dropped_handlers: u64,
    /// How often an item of a stream had to wait for credit of the peer.
    pub credit_stalls: u64,
}

/// What is counted on the way.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) notifications: AtomicUsize,
    pub(crate) served: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) dropped_handlers: AtomicU64,
    pub(crate) credit_stalls: AtomicU64,
}

/// Adds one.
pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Relaxed);
}
