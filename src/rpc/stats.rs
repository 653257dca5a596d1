//! What a conversation counts. Knows no handler.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

use crate::rpc::connection::Connection;

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
    /// Bytes of what was received and is not done with: arguments of running calls, items and answers that wait, messages
    /// under way. Where a [`Server`](crate::Server) or [`Client`](crate::Client) bounds the memory of all connections, also
    /// what waits to be sent to a peer that reads slowly. See [`SessionOptions::memory`](crate::SessionOptions::memory).
    pub held_bytes: usize,
    /// Calls of the peer that were answered, since the beginning.
    pub served: u64,
    /// Calls and notifications of the peer that were refused at a limit.
    pub refused: u64,
    /// Handlers that were dropped before their end: cancelled, out of time, or without their connection.
    pub dropped_handlers: u64,
    /// How often a stream had to wait for credit of the peer.
    pub credit_stalls: u64,
}

/// What is counted on the way.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) notifications: AtomicUsize,
    /// Handlers in tasks of their own that were not dropped yet.
    pub(crate) spawned: AtomicUsize,
    pub(crate) served: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) dropped_handlers: AtomicU64,
    pub(crate) credit_stalls: AtomicU64,
}

impl Connection {
    /// Returns the state of the conversation.
    pub(crate) fn stats(&self) -> Stats {
        let load = |counter: &AtomicU64| counter.load(Relaxed);
        let queued = self.sender.queued_bytes();
        let tables = self.lock();
        let served_streams = tables.served.values().filter(|served| served.is_stream()).count();
        let made_streams =
            tables.made.values().filter(|made| made.slot.is_stream() || made.sends.is_some()).count();
        Stats {
            calls_in_flight: tables.made.len(),
            served_in_flight: tables.served.len() + self.counters.notifications.load(Relaxed),
            streams_in_flight: served_streams + made_streams,
            queued_bytes: tables.lanes.bytes() + queued,
            held_bytes: self.account().held(),
            served: load(&self.counters.served),
            refused: load(&self.counters.refused),
            dropped_handlers: load(&self.counters.dropped_handlers),
            credit_stalls: load(&self.counters.credit_stalls),
        }
    }
}

/// Adds one.
pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Relaxed);
}
