//! Configurations and headers of permessage-deflate, any of them. Knows no message.

use arbitrary::{Arbitrary, Result, Unstructured};
use converse::{MemoryMode, PerMessageDeflate, extension::ExtensionOffer};

/// How one end is configured.
#[derive(Clone, Debug)]
pub struct Settings {
    pub memory: MemoryMode,
    pub level: u8,
    pub threshold: usize,
    pub server_no_takeover: bool,
    pub client_no_takeover: bool,
    /// Below 8: not configured.
    pub server_bits: u8,
    pub client_bits: u8,
}

impl Settings {
    /// Builds the extension.
    pub fn build(&self) -> PerMessageDeflate {
        let mut deflate =
            PerMessageDeflate::new().memory(self.memory).level(self.level).threshold(self.threshold);
        if self.server_no_takeover {
            deflate = deflate.server_no_context_takeover();
        }
        if self.client_no_takeover {
            deflate = deflate.client_no_context_takeover();
        }
        if self.server_bits >= 8 {
            deflate = deflate.server_max_window_bits(self.server_bits);
        }
        if self.client_bits >= 8 {
            deflate = deflate.client_max_window_bits(self.client_bits);
        }
        deflate
    }
}

impl<'a> Arbitrary<'a> for Settings {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let memory = match u.arbitrary::<u8>()? % 4 {
            0 => MemoryMode::default(),
            1 => MemoryMode::Compact { history: u.arbitrary::<u16>()?.into() },
            2 => MemoryMode::Dedicated,
            _ => MemoryMode::NoTakeover,
        };
        let [flags, bits, threshold]: [u8; 3] = u.arbitrary()?;
        Ok(Self {
            memory,
            level: flags >> 4,
            threshold: threshold.into(),
            server_no_takeover: flags & 1 != 0,
            client_no_takeover: flags & 2 != 0,
            server_bits: bits & 15,
            client_bits: bits >> 4,
        })
    }
}

/// The parameters of a well-formed offer or answer, most of the time.
pub fn parameters(u: &mut Unstructured<'_>) -> Result<ExtensionOffer> {
    let [flags, bits]: [u8; 2] = u.arbitrary()?;
    let mut offer = ExtensionOffer::from_static("permessage-deflate");
    if flags & 1 != 0 {
        offer = offer.flag("server_no_context_takeover");
    }
    if flags & 2 != 0 {
        offer = offer.flag("client_no_context_takeover");
    }
    if flags & 4 != 0 {
        offer = offer.number("server_max_window_bits", u64::from(bits & 7) + 8);
    }
    Ok(match flags & 0x18 {
        0x08 => offer.flag("client_max_window_bits"),
        0x18 => offer.number("client_max_window_bits", u64::from(bits >> 4 & 7) + 8),
        _ => offer,
    })
}
