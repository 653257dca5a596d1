//! The contenders: servers that echo, each as its own documentation shows it.
//!
//! Two that build are not here. ratchet_rs 1.2.1 turns on zlib in C for every user of flate2 in the same binary, and would
//! change what the others are. soketto 0.8.1 ends each message's stream with flate2's `finish`, which flate2 1.1.11
//! refuses for what RFC 7692 sends: no echo comes back.

mod bare;
pub mod converse;
mod sockudo;
mod ws_tool;
mod yawc;

use converse_benches::{heap::Scope, server::Serve};

/// A server with one set of options.
#[derive(Clone)]
pub struct Contender {
    /// The package.
    pub package: &'static str,
    /// Its options, in words.
    pub mode: String,
    /// What the client offers it.
    pub offer: Option<&'static str>,
    /// Where its allocations can be seen.
    pub scope: Scope,
    /// The server.
    pub serve: Serve,
}

/// What browsers offer.
const OFFER: &str = "permessage-deflate; client_max_window_bits";

/// The offer of a client that wants nothing to be kept between messages.
const OFFER_ALONE: &str = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

/// Returns the task that does nothing but read and write: what the others are measured above.
pub fn bare() -> Contender {
    bare::contender()
}

/// Returns all of them.
pub fn all() -> Vec<Contender> {
    [converse::all(), yawc::all(), sockudo::all(), ws_tool::all()].concat()
}

impl Contender {
    /// Returns the package with its version, and the options.
    pub fn name(&self) -> String {
        format!("{} {}", self.package, self.mode)
    }
}
