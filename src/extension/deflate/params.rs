//! The four parameters of permessage-deflate, as a header holds them (RFC 7692 §7.1). Knows no zlib.

use std::ops::RangeInclusive;

use crate::extension::ExtensionOffer;

pub(super) const NAME: &str = "permessage-deflate";

const SERVER_NO_TAKEOVER: &str = "server_no_context_takeover";
const CLIENT_NO_TAKEOVER: &str = "client_no_context_takeover";
const SERVER_BITS: &str = "server_max_window_bits";
const CLIENT_BITS: &str = "client_max_window_bits";

/// The window sizes that a header may name, as powers of two (RFC 7692 §7.1.2).
const NAMEABLE: RangeInclusive<u8> = 8..=15;

/// The parameters of one offer or answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Params {
    pub(super) server_no_takeover: bool,
    pub(super) client_no_takeover: bool,
    pub(super) server_bits: Option<u8>,
    pub(super) client_bits: ClientBits,
}

/// `client_max_window_bits`, the only parameter whose value may be left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum ClientBits {
    #[default]
    Absent,
    /// Without a value: the client can limit its window, if the server asks for it.
    Any,
    Max(u8),
}

impl Params {
    /// Reads the parameters, all of which must be known, single and in range (RFC 7692 §7).
    pub(super) fn read(offer: &ExtensionOffer) -> Result<Self, &'static str> {
        let mut params = Self::default();
        for (index, (name, value)) in offer.params().enumerate() {
            if offer.params().take(index).any(|(earlier, _)| earlier == name) {
                return Err("a parameter stands there twice");
            }
            match (name, value) {
                (SERVER_NO_TAKEOVER, None) => params.server_no_takeover = true,
                (CLIENT_NO_TAKEOVER, None) => params.client_no_takeover = true,
                (SERVER_NO_TAKEOVER | CLIENT_NO_TAKEOVER, Some(_)) => {
                    return Err("a parameter has a value that takes none");
                }
                (SERVER_BITS, Some(value)) => params.server_bits = Some(bits(value)?),
                (SERVER_BITS, None) => return Err("server_max_window_bits has no value"),
                (CLIENT_BITS, Some(value)) => params.client_bits = ClientBits::Max(bits(value)?),
                (CLIENT_BITS, None) => params.client_bits = ClientBits::Any,
                _ => return Err("a parameter is not known"),
            }
        }
        Ok(params)
    }

    /// Returns these parameters with no context takeover in either direction, so that the server's window needs
    /// no limit.
    pub(super) fn without_takeover(self) -> Self {
        Self { server_no_takeover: true, client_no_takeover: true, server_bits: None, ..self }
    }

    /// Writes the parameters.
    pub(super) fn write(&self) -> ExtensionOffer {
        let mut offer = ExtensionOffer::from_static(NAME);
        if self.server_no_takeover {
            offer = offer.flag(SERVER_NO_TAKEOVER);
        }
        if self.client_no_takeover {
            offer = offer.flag(CLIENT_NO_TAKEOVER);
        }
        if let Some(bits) = self.server_bits {
            offer = offer.number(SERVER_BITS, bits.into());
        }
        match self.client_bits {
            ClientBits::Absent => offer,
            ClientBits::Any => offer.flag(CLIENT_BITS),
            ClientBits::Max(bits) => offer.number(CLIENT_BITS, bits.into()),
        }
    }
}

/// Reads a window size: a decimal number without leading zeros (RFC 7692 §7.1.2.1).
fn bits(value: &str) -> Result<u8, &'static str> {
    let digits = value.bytes().all(|byte| byte.is_ascii_digit()) && !value.starts_with('0');
    let bits = value.parse().ok().filter(|bits| digits && NAMEABLE.contains(bits));
    bits.ok_or("a window size is not a number from 8 to 15")
}
