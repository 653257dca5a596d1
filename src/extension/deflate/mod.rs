//! permessage-deflate (RFC 7692): compression of whole messages, one extension among equals. Knows no
//! session.

mod agreement;
mod decoder;
mod encoder;
mod memory;
mod params;
mod states;
mod stats;
#[cfg(test)]
mod tests;

use std::{fmt, sync::Arc};

use converse_core::Message;

use crate::{
    extension::{Extension, ExtensionError, ExtensionOffer, Negotiated},
    frame::Rsv,
};

use agreement::{Agreement, MAX_WINDOW_BITS, MIN_WINDOW_BITS, Wishes};
use decoder::Decoder;
use encoder::Encoder;
use params::{NAME, Params};

pub use memory::MemoryMode;
pub use stats::{DeflateStats, Volume};

/// What ends every flush, and is cut off (RFC 7692 §7.2.1).
const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];

/// permessage-deflate (RFC 7692): messages are compressed, and small ones with the help of those before.
///
/// The same value serves clients and servers. What the two ends agree on is in [`DeflateStats`]. A peer that does not
/// know the extension, or offers nothing that fits, gets uncompressed messages.
///
/// ```
/// use converse::{MemoryMode, PerMessageDeflate, SessionOptions};
///
/// let options = SessionOptions::default().extension(PerMessageDeflate::default());
///
/// let deflate = PerMessageDeflate::new()
///     .memory(MemoryMode::NoTakeover)
///     .threshold(512)
///     .compress_if(|message| message.is_text());
/// let options = SessionOptions::default().extension(deflate);
/// ```
///
/// A message with a secret is sent by [`Sender::uncompressed`](crate::Sender::uncompressed).
#[derive(Clone, Debug, Default)]
pub struct PerMessageDeflate {
    wishes: Wishes,
    policy: Policy,
}

/// Which messages are compressed, and how well.
#[derive(Clone)]
struct Policy {
    level: u8,
    /// `None` leaves it to the direction.
    threshold: Option<usize>,
    filter: Option<Arc<Filter>>,
}

type Filter = dyn Fn(&Message) -> bool + Send + Sync;

impl PerMessageDeflate {
    /// Begins with the defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets zlib's level, clamped to 1 (fast) to 9 (small). Default: 1.
    #[must_use]
    pub fn level(mut self, level: u8) -> Self {
        self.policy.level = level.clamp(1, 9);
        self
    }

    /// Sets the size in bytes from which on messages are compressed. Default: 16, and 192 where nothing is kept
    /// from message to message.
    #[must_use]
    pub fn threshold(mut self, bytes: usize) -> Self {
        self.policy.threshold = Some(bytes);
        self
    }

    /// Compresses only messages that `filter` approves of; the others don't enter the window either. It
    /// is called while the session is locked, and must not use the session. Default: all.
    #[must_use]
    pub fn compress_if(mut self, filter: impl Fn(&Message) -> bool + Send + Sync + 'static) -> Self {
        self.policy.filter = Some(Arc::new(filter));
        self
    }

    /// Chooses what is kept from message to message. Default: [`MemoryMode::default`].
    #[must_use]
    pub fn memory(mut self, mode: MemoryMode) -> Self {
        self.wishes.memory = mode.in_range();
        self
    }

    /// Keeps nothing from one message of the server's to the next (RFC 7692 §7.1.1.1): a client asks for it, a
    /// server does so. Servers do so too when the client asks.
    #[must_use]
    pub fn server_no_context_takeover(mut self) -> Self {
        self.wishes.server_no_takeover = true;
        self
    }

    /// Keeps nothing from one message of the client's to the next (RFC 7692 §7.1.1.2): a server asks for it, a
    /// client does so and says that it will. Clients do so too when the server asks.
    #[must_use]
    pub fn client_no_context_takeover(mut self) -> Self {
        self.wishes.client_no_takeover = true;
        self
    }

    /// Limits the window of the server's messages to 2^`bits` bytes; `bits` is clamped to 9 to 15 (RFC 7692
    /// §7.1.2.1). Default: 15.
    #[must_use]
    pub fn server_max_window_bits(mut self, bits: u8) -> Self {
        self.wishes.server_bits = bits.clamp(MIN_WINDOW_BITS, MAX_WINDOW_BITS);
        self
    }

    /// Limits the window of the client's messages to 2^`bits` bytes; `bits` is clamped to 9 to 15 (RFC 7692
    /// §7.1.2.2). A client that can't limit it is asked to keep none. Default: 15.
    #[must_use]
    pub fn client_max_window_bits(mut self, bits: u8) -> Self {
        self.wishes.client_bits = bits.clamp(MIN_WINDOW_BITS, MAX_WINDOW_BITS);
        self
    }

    fn negotiated(&self, agreement: Agreement) -> Negotiated {
        let Agreement { answer, own, peer } = agreement;
        let stats = Arc::new(DeflateStats::new(answer));
        let memory = self.wishes.memory;
        let encoder = Encoder::new(self.policy.clone(), memory, own, Arc::clone(&stats));
        let decoder = Decoder::new(memory, peer, Arc::clone(&stats));
        Negotiated::new(answer.write(), encoder, decoder).with_state(stats)
    }
}

impl Extension for PerMessageDeflate {
    fn name(&self) -> &str {
        NAME
    }

    fn rsv(&self) -> Rsv {
        Rsv::RSV1
    }

    fn offers(&self) -> Vec<ExtensionOffer> {
        self.wishes.offers().iter().map(Params::write).collect()
    }

    fn accept(&self, offer: &ExtensionOffer) -> Option<Negotiated> {
        let agreement = self.wishes.accept(Params::read(offer).ok()?)?;
        Some(self.negotiated(agreement))
    }

    fn confirm(&self, answer: &ExtensionOffer) -> Result<Negotiated, ExtensionError> {
        let agreement = Params::read(answer).and_then(|params| self.wishes.confirm(params));
        match agreement {
            Ok(agreement) => Ok(self.negotiated(agreement)),
            Err(why) => Err(ExtensionError::BadAnswer { name: NAME.to_owned(), why: why.to_owned() }),
        }
    }
}

impl Policy {
    fn wants(&self, message: &Message) -> bool {
        self.filter.as_ref().is_none_or(|filter| filter(message))
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self { level: 1, threshold: None, filter: None }
    }
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Policy")
            .field("level", &self.level)
            .field("threshold", &self.threshold)
            .field("filter", &self.filter.is_some())
            .finish()
    }
}
