//! What both ends keep to: offers, answers, and what they mean for each direction (RFC 7692 §7.1). Knows no zlib.

use crate::extension::{
    MemoryMode,
    deflate::params::{ClientBits, Params},
};

/// The largest window, as a power of two.
pub(super) const MAX_WINDOW_BITS: u8 = 15;
/// The smallest window that zlib can compress with.
pub(super) const MIN_WINDOW_BITS: u8 = 9;

/// What one end is configured to want.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wishes {
    pub(super) memory: MemoryMode,
    pub(super) server_no_takeover: bool,
    pub(super) client_no_takeover: bool,
    pub(super) server_bits: u8,
    pub(super) client_bits: u8,
}

/// What holds for the messages of one direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Direction {
    /// The sender's window, as a power of two.
    pub(super) bits: u8,
    /// Whether the window is kept from message to message.
    pub(super) takeover: bool,
}

/// What was agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Agreement {
    pub(super) answer: Params,
    /// What this end sends.
    pub(super) own: Direction,
    /// What the peer sends.
    pub(super) peer: Direction,
}

impl Default for Wishes {
    fn default() -> Self {
        Self {
            memory: MemoryMode::default(),
            server_no_takeover: false,
            client_no_takeover: false,
            server_bits: MAX_WINDOW_BITS,
            client_bits: MAX_WINDOW_BITS,
        }
    }
}

impl Wishes {
    /// Client: returns what to offer, best first. A server that can't keep to the best offer may do with one
    /// where nothing is kept from message to message.
    pub(super) fn offers(&self) -> Vec<Params> {
        let best = self.best_offer();
        if best.server_no_takeover { vec![best] } else { vec![best, best.without_takeover()] }
    }

    fn best_offer(&self) -> Params {
        let keeps = self.memory.takes_over();
        let server_no_takeover = self.server_no_takeover || !keeps;
        let limit = if server_no_takeover { MAX_WINDOW_BITS } else { self.memory.peer_bits() };
        let server_bits = self.server_bits.min(limit);
        Params {
            server_no_takeover,
            client_no_takeover: self.client_no_takeover || !keeps,
            server_bits: (server_bits < MAX_WINDOW_BITS).then_some(server_bits),
            client_bits: match self.client_bits {
                MAX_WINDOW_BITS => ClientBits::Any,
                bits => ClientBits::Max(bits),
            },
        }
    }

    /// Server: accepts an offer, or declines it.
    pub(super) fn accept(&self, offer: Params) -> Option<Agreement> {
        // A window of 256 bytes is more than zlib's raw deflate can promise.
        let server_bits = self.server_bits.min(offer.server_bits.unwrap_or(MAX_WINDOW_BITS));
        if server_bits < MIN_WINDOW_BITS {
            return None;
        }
        let keeps = self.memory.takes_over();
        let mut answer = Params {
            server_no_takeover: offer.server_no_takeover || self.server_no_takeover || !keeps,
            client_no_takeover: offer.client_no_takeover || self.client_no_takeover || !keeps,
            server_bits: (offer.server_bits.is_some() || server_bits < MAX_WINDOW_BITS)
                .then_some(server_bits),
            client_bits: ClientBits::Absent,
        };
        let limit = if answer.client_no_takeover { MAX_WINDOW_BITS } else { self.memory.peer_bits() };
        let wanted = self.client_bits.min(limit);
        let client_bits = match offer.client_bits {
            ClientBits::Absent if wanted < MAX_WINDOW_BITS => {
                answer.client_no_takeover = true;
                MAX_WINDOW_BITS
            }
            ClientBits::Absent => MAX_WINDOW_BITS,
            ClientBits::Any => wanted,
            ClientBits::Max(bits) => wanted.min(bits),
        };
        if client_bits < MAX_WINDOW_BITS {
            answer.client_bits = ClientBits::Max(client_bits);
        }
        let own = Direction { bits: server_bits, takeover: !answer.server_no_takeover };
        let peer = Direction { bits: client_bits, takeover: !answer.client_no_takeover };
        Some(Agreement { answer, own, peer })
    }

    /// Client: takes the server's answer, which must fit one of the offers.
    pub(super) fn confirm(&self, answer: Params) -> Result<Agreement, &'static str> {
        let best = self.best_offer();
        let misfit = fits(&best, &answer);
        // An answer that fits the other offer may be to that one, where this end has said that it keeps nothing.
        let keeps_nothing = !best.server_no_takeover && fits(&best.without_takeover(), &answer).is_ok();
        if !keeps_nothing {
            misfit?;
        }
        let client_bits = match answer.client_bits {
            ClientBits::Max(bits) => bits.min(self.client_bits),
            ClientBits::Absent | ClientBits::Any => self.client_bits,
        };
        let takeover = !answer.client_no_takeover && !best.client_no_takeover && !keeps_nothing;
        let peer = Direction {
            bits: answer.server_bits.unwrap_or(MAX_WINDOW_BITS),
            takeover: !answer.server_no_takeover,
        };
        Ok(Agreement { answer, own: Direction { bits: client_bits, takeover }, peer })
    }
}

/// Tells whether an answer keeps to an offer.
fn fits(offer: &Params, answer: &Params) -> Result<(), &'static str> {
    if offer.server_no_takeover && !answer.server_no_takeover {
        return Err("server_no_context_takeover was asked for and is missing");
    }
    match (offer.server_bits, answer.server_bits) {
        (Some(_), None) => return Err("server_max_window_bits was asked for and is missing"),
        (Some(most), Some(bits)) if bits > most => {
            return Err("server_max_window_bits is larger than offered");
        }
        _ => {}
    }
    match (offer.client_bits, answer.client_bits) {
        (_, ClientBits::Any) => Err("client_max_window_bits has no value"),
        (ClientBits::Absent, ClientBits::Max(_)) => Err("client_max_window_bits was not offered"),
        (ClientBits::Max(most), ClientBits::Max(bits)) if bits > most => {
            Err("client_max_window_bits is larger than offered")
        }
        _ => Ok(()),
    }
}
