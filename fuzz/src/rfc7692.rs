//! The second opinion on negotiations, from RFC 7692 §7.1 alone. Knows nothing of how converse does it.

use converse::extension::ExtensionOffer;

/// What an offer or an answer says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    pub server_no_takeover: bool,
    pub client_no_takeover: bool,
    pub server_bits: Option<u8>,
    pub client_bits: Option<Option<u8>>,
}

impl Terms {
    /// Reads an offer; `None` when a server must decline it (§7).
    pub fn offered(offer: &ExtensionOffer) -> Option<Self> {
        let mut terms = Self::default();
        let mut names = Vec::new();
        for (name, value) in offer.params() {
            if names.contains(&name) {
                return None;
            }
            names.push(name);
            match name {
                "server_no_context_takeover" if value.is_none() => terms.server_no_takeover = true,
                "client_no_context_takeover" if value.is_none() => terms.client_no_takeover = true,
                "server_max_window_bits" => terms.server_bits = Some(window_bits(value?)?),
                "client_max_window_bits" => {
                    let bits = value.map(window_bits);
                    terms.client_bits = Some(if bits.is_some() { Some(bits??) } else { None });
                }
                _ => return None,
            }
        }
        Some(terms)
    }

    /// Reads an answer; `None` when a client must fail the connection (§7).
    pub fn answered(answer: &ExtensionOffer) -> Option<Self> {
        Self::offered(answer).filter(|terms| terms.client_bits != Some(None))
    }

    /// Tells whether `answer` may be the answer to this offer.
    pub fn allows(&self, answer: &Self) -> bool {
        let server_takeover = answer.server_no_takeover || !self.server_no_takeover;
        let server_window = match (self.server_bits, answer.server_bits) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(most), Some(bits)) => bits <= most,
        };
        let client_window = match (self.client_bits, answer.client_bits) {
            (_, None) => true,
            (None, Some(_)) | (_, Some(None)) => false,
            (Some(None), Some(Some(_))) => true,
            (Some(Some(most)), Some(Some(bits))) => bits <= most,
        };
        server_takeover && server_window && client_window
    }

    /// Of an answer: the window of the server's messages, and whether it is kept between them.
    pub fn server_sends(&self) -> (u8, bool) {
        (self.server_bits.unwrap_or(15), !self.server_no_takeover)
    }

    /// Of an answer: the window of the client's messages, and whether it is kept between them.
    pub fn client_sends(&self) -> (u8, bool) {
        (self.client_bits.flatten().unwrap_or(15), !self.client_no_takeover)
    }
}

/// A decimal number from 8 to 15 without leading zeros (§7.1.2.1).
fn window_bits(value: &str) -> Option<u8> {
    (8..=15).find(|bits: &u8| bits.to_string() == value)
}
