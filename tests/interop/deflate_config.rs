//! The combinations of permessage-deflate's options that are played, and the paths that name them.

use std::sync::Arc;

use converse::{
    PerMessageDeflate, Session, SessionOptions,
    extension::{DeflateStats, MemoryMode, Volume},
};
use serde_json::{Value, json};

/// The text that asks a server for its [`report`].
pub(crate) const REPORT_PLEASE: &str = "?";
/// What the compact mode keeps; peers may look back 10 bits then.
pub(crate) const COMPACT_HISTORY: usize = 1024;
const MAX_MESSAGE: usize = 16 << 20;
/// As small as a control frame, a page, and more than most messages have.
pub(crate) const FRAGMENT_SIZES: [usize; 3] = [125, 4096, 128 << 10];

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Memory {
    Dedicated,
    Compact,
    NoTakeover,
}

impl Memory {
    pub(crate) const ALL: [Self; 3] = [Self::Dedicated, Self::Compact, Self::NoTakeover];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Dedicated => "dedicated",
            Self::Compact => "compact",
            Self::NoTakeover => "none",
        }
    }

    fn mode(self) -> MemoryMode {
        match self {
            Self::Dedicated => MemoryMode::Dedicated,
            Self::Compact => MemoryMode::Compact { history: COMPACT_HISTORY },
            Self::NoTakeover => MemoryMode::NoTakeover,
        }
    }
}

/// What is configured of the four parameters of RFC 7692 §7.1.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Config {
    pub(crate) server_forgets: bool,
    pub(crate) client_forgets: bool,
    pub(crate) server_bits: Option<u8>,
    pub(crate) client_bits: Option<u8>,
}

impl Config {
    pub(crate) fn all() -> Vec<Self> {
        let mut all = Vec::new();
        for server_forgets in [false, true] {
            for client_forgets in [false, true] {
                for server_bits in [None, Some(9), Some(10), Some(12), Some(15)] {
                    for client_bits in [None, Some(9), Some(12), Some(15)] {
                        all.push(Self { server_forgets, client_forgets, server_bits, client_bits });
                    }
                }
            }
        }
        all
    }

    pub(crate) fn path(self) -> String {
        let bits = |bits: Option<u8>| bits.map_or_else(|| "-".to_owned(), |bits| bits.to_string());
        let (server, client) = (u8::from(self.server_forgets), u8::from(self.client_forgets));
        format!("/snct={server}/cnct={client}/swb={}/cwb={}", bits(self.server_bits), bits(self.client_bits))
    }

    fn extension(self, memory: Memory) -> PerMessageDeflate {
        // Without a threshold, because the smallest messages are the ones with surprises.
        let mut extension = PerMessageDeflate::new().threshold(0).memory(memory.mode());
        if self.server_forgets {
            extension = extension.server_no_context_takeover();
        }
        if self.client_forgets {
            extension = extension.client_no_context_takeover();
        }
        if let Some(bits) = self.server_bits {
            extension = extension.server_max_window_bits(bits);
        }
        if let Some(bits) = self.client_bits {
            extension = extension.client_max_window_bits(bits);
        }
        extension
    }

    pub(crate) fn options(self, memory: Memory, fragment_size: usize) -> SessionOptions {
        SessionOptions::default()
            .max_message_size(MAX_MESSAGE)
            .fragment_size(fragment_size)
            .extension(self.extension(memory))
    }
}

fn counted(volume: Volume) -> Value {
    json!({ "messages": volume.messages, "plain": volume.plain_bytes, "wire": volume.wire_bytes })
}

/// Says what was agreed and counted; nothing without the extension.
pub(crate) fn report(session: &Session) -> Option<Value> {
    let stats: Arc<DeflateStats> = session.extension()?;
    let agreed = stats.agreed().to_string();
    Some(json!({ "agreed": agreed, "sent": counted(stats.sent()), "received": counted(stats.received()) }))
}
