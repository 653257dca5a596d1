//! What the peer has said of itself first, and what holds until then. Knows no session.

use std::sync::{Arc, atomic::Ordering::Relaxed};

use crate::{
    rpc::{connection::Connection, credit::Credit, tables::Tables, window::Window, wire::Hello},
    session::Charge,
};

/// How many bytes a message may have before the peer's hello tells.
pub(super) const LONGEST: u32 = 1024 * 1024;

impl Connection {
    /// Returns how many bytes a message to the peer may have, as far as that is known.
    pub(crate) fn longest_message(&self) -> u64 {
        self.longest.load(Relaxed).into()
    }

    /// Returns the credit that a response stream begins with.
    pub(crate) fn response_credit(&self) -> Credit {
        // JSON-RPC clients give none.
        if self.codec.is_json_rpc() {
            return Credit::unlimited();
        }
        Credit::new(self.window_of_peer(&self.lock()).unwrap_or(Window::SHUT))
    }

    /// Returns how far a stream towards the peer may be ahead, once that is known.
    pub(super) fn window_of_peer(&self, tables: &Tables) -> Option<Window> {
        match &tables.peer {
            Some((hello, _)) => Some(hello.window),
            None => self.codec.is_json_rpc().then(Window::default),
        }
    }

    /// Takes the peer's hello, and lets the streams go on that wait for it.
    pub(crate) fn greeted(&self, hello: Hello, charge: Charge) {
        self.longest.store(u32_of(hello.max_message), Relaxed);
        let mut tables = self.lock();
        tables
            .made
            .values()
            .filter_map(|made| made.sends.as_ref())
            .for_each(|(_, credit)| credit.give(hello.window));
        tables.peer = Some((Arc::new(hello), charge));
    }
}

/// Nothing longer than 4 GiB is sent anyway.
fn u32_of(bytes: u64) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_that_does_not_tell_takes_the_default() {
        assert_eq!(u64::from(LONGEST), Hello::default().max_message);
    }
}
