//! What is measured: how many connections, what they send, and who takes part.

use converse_benches::{
    Result,
    deflate::Agreed,
    payload::Traffic,
    typed::{self, Cbor, Format, Json, MessagePack},
};
use serde::Serialize;

use crate::script::Script;

/// What every ratio refers to: the cheapest echo that tokio has.
pub const RAW: &str = "raw-64k";

/// Different messages in a cycle, where they differ.
const CYCLE: usize = 64;

/// What browsers offer.
const OFFER: &str = "permessage-deflate; client_max_window_bits";

/// A family of cells: one heading of the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// Messages come back as they are.
    Echo,
    /// The same with permessage-deflate.
    Deflate,
    /// Values are decoded and encoded.
    Typed(Name),
}

/// A format of typed conversations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Name {
    /// JSON.
    Json,
    /// MessagePack.
    MessagePack,
    /// CBOR.
    Cbor,
}

impl Name {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Json, Self::MessagePack, Self::Cbor];

    /// Returns what the contenders' names end with.
    pub fn suffix(self) -> &'static str {
        match self {
            Self::Json => "-json",
            Self::MessagePack => "-msgpack",
            Self::Cbor => "-cbor",
        }
    }

    /// Encodes small or large values, each by itself.
    ///
    /// # Errors
    /// When the format has no way to say one.
    pub fn payloads(self, large: bool) -> Result<Vec<Vec<u8>>> {
        match (self, large) {
            (Self::Json, false) => encoded::<Json, _>(typed::small),
            (Self::Json, true) => encoded::<Json, _>(typed::large),
            (Self::MessagePack, false) => encoded::<MessagePack, _>(typed::small),
            (Self::MessagePack, true) => encoded::<MessagePack, _>(typed::large),
            (Self::Cbor, false) => encoded::<Cbor, _>(typed::small),
            (Self::Cbor, true) => encoded::<Cbor, _>(typed::large),
        }
    }
}

/// Whether a contender knows no WebSocket: bytes come back as they came, and no handshake is answered.
pub fn is_bare(contender: &str) -> bool {
    contender.starts_with("raw-") || contender == "epoll"
}

/// Whether a contender is the crate itself.
pub fn is_ours(contender: &str) -> bool {
    contender.starts_with("converse")
}

/// Whether a contender gathers messages by hand that its library would send one by one.
pub fn is_batched(contender: &str) -> bool {
    contender.ends_with("-batched")
}

fn encoded<F: Format, T: Serialize>(value: fn(u64) -> T) -> Result<Vec<Vec<u8>>> {
    (0..CYCLE as u64).map(|number| F::encode(&value(number))).collect()
}

/// What a message carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payload {
    /// A text of so many bytes.
    Text(usize),
    /// Messages of this kind, packed.
    Packed(Traffic),
    /// Values in this format: large ones, or small ones.
    Value(Name, bool),
}

/// One measurement of an echo, for all contenders.
#[derive(Clone, Copy, Debug)]
pub struct Cell {
    /// What it is called on the command line.
    pub name: &'static str,
    /// What it is called in the report.
    pub title: &'static str,
    /// Where it stands in the report.
    pub family: Family,
    /// Connections at once.
    pub connections: usize,
    /// Messages that each connection has under way.
    pub burst: usize,
    /// What they carry.
    pub payload: Payload,
}

impl Cell {
    /// Returns what a client writes as `Sec-WebSocket-Extensions`.
    pub fn offer(&self) -> Option<&'static str> {
        (self.family == Family::Deflate).then_some(OFFER)
    }

    /// Returns the path that a client asks for.
    pub fn path(&self) -> &'static str {
        match self.payload {
            Payload::Value(_, true) => "/large",
            Payload::Value(_, false) => "/small",
            _ => "/",
        }
    }

    /// Whether a contender takes part. The names tell what it can.
    pub fn has(&self, contender: &str) -> bool {
        if contender == RAW {
            return true;
        }
        let is = |end: &str| contender.ends_with(end);
        let deflate = contender.contains("-deflate");
        let typed = Name::ALL.iter().any(|format| is(format.suffix()));
        match self.family {
            Family::Echo => {
                !deflate && !typed && !is("-broadcast") && (!is("-sender") || self.name == "64x125x16")
            }
            Family::Deflate => deflate,
            Family::Typed(format) => is(format.suffix()),
        }
    }

    /// Makes what its connections send.
    ///
    /// # Errors
    /// When a value cannot be encoded.
    pub fn script(&self, agreed: Option<Agreed>) -> Result<Script> {
        Ok(match self.payload {
            Payload::Text(length) => Script::text(length, self.burst),
            Payload::Packed(traffic) => {
                Script::packed(&traffic.messages(CYCLE), agreed.unwrap_or_default(), self.burst)
            }
            Payload::Value(format, large) => {
                Script::payloads(&format.payloads(large)?, format == Name::Json, self.burst)
            }
        })
    }

    /// Returns the first payloads, as an echo must have them once it is unpacked.
    ///
    /// # Errors
    /// When a value cannot be encoded.
    pub fn plain(&self) -> Result<Vec<Vec<u8>>> {
        Ok(match self.payload {
            Payload::Text(length) => vec![Script::letters(length)],
            Payload::Packed(traffic) => traffic.messages(CYCLE).into_iter().map(String::into_bytes).collect(),
            Payload::Value(format, large) => format.payloads(large)?,
        })
    }
}

const fn echo(name: &'static str, title: &'static str, [connections, length, burst]: [usize; 3]) -> Cell {
    Cell { name, title, family: Family::Echo, connections, burst, payload: Payload::Text(length) }
}

const fn packed(name: &'static str, title: &'static str, traffic: Traffic, sizes: [usize; 2]) -> Cell {
    let [connections, burst] = sizes;
    Cell { name, title, family: Family::Deflate, connections, burst, payload: Payload::Packed(traffic) }
}

const fn values(name: &'static str, title: &'static str, format: Name, large: bool) -> Cell {
    let (connections, burst) = if large { (8, 4) } else { (64, 16) };
    let payload = Payload::Value(format, large);
    Cell { name, title, family: Family::Typed(format), connections, burst, payload }
}

/// The cell of one short message at a time.
pub const LATENCY: Cell = ALL[4];

/// All of them, in the order of the report.
pub const ALL: [Cell; 13] = [
    echo("64x125x16", "64 × 125 B × 16", [64, 125, 16]),
    echo("512x1k", "512 × 1 KiB × 1", [512, 1024, 1]),
    echo("8x64kx4", "8 × 64 KiB × 4", [8, 64 * 1024, 4]),
    echo("4x1m", "4 × 1 MiB × 1", [4, 1024 * 1024, 1]),
    echo("1x20", "1 × 20 B × 1", [1, 20, 1]),
    packed("deflate-64x90x16", "64 × 90 B × 16", Traffic::Trade, [64, 16]),
    packed("deflate-8x1k", "8 × 1 KiB × 1", Traffic::Book, [8, 1]),
    values("json-small", "JSON, 64 × 120 B × 16", Name::Json, false),
    values("json-large", "JSON, 8 × 5 KB × 4", Name::Json, true),
    values("msgpack-small", "MessagePack, 64 × 110 B × 16", Name::MessagePack, false),
    values("msgpack-large", "MessagePack, 8 × 4 KB × 4", Name::MessagePack, true),
    values("cbor-small", "CBOR, 64 × 110 B × 16", Name::Cbor, false),
    values("cbor-large", "CBOR, 8 × 4 KB × 4", Name::Cbor, true),
];
