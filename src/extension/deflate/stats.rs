//! What the session can tell about compression. Knows no zlib.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::extension::{ExtensionOffer, deflate::params::Params};

/// What was agreed on for a session, and how much it has saved:
/// `session.extension::<DeflateStats>()`.
#[derive(Debug)]
pub struct DeflateStats {
    answer: Params,
    pub(super) sent: Counter,
    pub(super) received: Counter,
}

/// The compressed messages of one direction. Messages that went uncompressed are not counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Volume {
    /// How many messages.
    pub messages: u64,
    /// The bytes of their payloads as the application knows them.
    pub plain_bytes: u64,
    /// The bytes of their payloads as they went over the wire.
    pub wire_bytes: u64,
}

#[derive(Debug, Default)]
pub(super) struct Counter {
    messages: AtomicU64,
    plain_bytes: AtomicU64,
    wire_bytes: AtomicU64,
}

impl DeflateStats {
    pub(super) fn new(answer: Params) -> Self {
        Self { answer, sent: Counter::default(), received: Counter::default() }
    }

    /// Returns the agreed parameters: the server's answer (RFC 7692 §7.1).
    pub fn agreed(&self) -> ExtensionOffer {
        self.answer.write()
    }

    /// Returns what this end has sent.
    pub fn sent(&self) -> Volume {
        self.sent.read()
    }

    /// Returns what this end has received.
    pub fn received(&self) -> Volume {
        self.received.read()
    }
}

impl Counter {
    pub(super) fn count(&self, plain: u64, wire: u64) {
        self.messages.fetch_add(1, Ordering::Relaxed);
        self.plain_bytes.fetch_add(plain, Ordering::Relaxed);
        self.wire_bytes.fetch_add(wire, Ordering::Relaxed);
    }

    fn read(&self) -> Volume {
        Volume {
            messages: self.messages.load(Ordering::Relaxed),
            plain_bytes: self.plain_bytes.load(Ordering::Relaxed),
            wire_bytes: self.wire_bytes.load(Ordering::Relaxed),
        }
    }
}
