//! What each end says first, and last, as maps. Knows no frame.

use std::time::Duration;

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{IgnoredAny, MapAccess},
    ser::SerializeMap,
};

use super::{
    map::{self, Few, Keyed, once},
    metadata::{duration, millis},
    text::cut,
};
use crate::rpc::window::Window;

/// The first frame of each end: what it can do, and what it takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hello {
    /// `v`: the minor version; the major one is in the subprotocol.
    pub(crate) version: u32,
    /// `caps`: what this end can do beyond the version.
    pub(crate) capabilities: Vec<String>,
    /// `window`: what a stream towards this end may send before the first credit.
    pub(crate) window: Window,
    /// `inflight`: calls that this end serves at a time.
    pub(crate) in_flight: u32,
    /// `max`: bytes of the longest message that this end takes.
    pub(crate) max_message: u64,
    /// `ping`: how often the server sends a ping frame, in milliseconds; 0 for never.
    pub(crate) ping: u64,
    /// `token`: who the caller is, where a header cannot say it.
    pub(crate) token: Option<String>,
    /// `schema`: a name or a digest of what is served.
    pub(crate) schema: Option<String>,
}

impl Default for Hello {
    /// What holds where a hello leaves something out.
    fn default() -> Self {
        Self {
            version: 1,
            capabilities: Vec::new(),
            window: Window::default(),
            in_flight: 16,
            max_message: 1024 * 1024,
            ping: 0,
            token: None,
            schema: None,
        }
    }
}

/// Says that this end takes no new calls and will close.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GoAway {
    /// `code`: the close code that will follow.
    pub(crate) code: u16,
    /// `reason`: a text for people.
    pub(crate) reason: String,
    /// `retry_ms`: after what time another connection may be tried.
    pub(crate) retry: Duration,
}

impl Serialize for Hello {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let len = 6 + usize::from(self.token.is_some()) + usize::from(self.schema.is_some());
        let mut map = serializer.serialize_map(Some(len))?;
        map.serialize_entry("v", &self.version)?;
        map.serialize_entry("caps", &self.capabilities)?;
        map.serialize_entry("window", &self.window)?;
        map.serialize_entry("inflight", &self.in_flight)?;
        map.serialize_entry("max", &self.max_message)?;
        map.serialize_entry("ping", &self.ping)?;
        if self.token.is_some() {
            map.serialize_entry("token", &self.token)?;
        }
        if self.schema.is_some() {
            map.serialize_entry("schema", &self.schema)?;
        }
        map.end()
    }
}

/// A hello of which any part may be left out.
#[derive(Default)]
struct PartialHello {
    version: Option<u32>,
    capabilities: Option<Few>,
    window: Option<Window>,
    in_flight: Option<u32>,
    max_message: Option<u64>,
    ping: Option<u64>,
    token: Option<Option<String>>,
    schema: Option<Option<String>>,
}

impl Keyed for PartialHello {
    fn take<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        match key {
            "v" => once(&mut self.version, map),
            "caps" => once(&mut self.capabilities, map),
            "window" => once(&mut self.window, map),
            "inflight" => once(&mut self.in_flight, map),
            "max" => once(&mut self.max_message, map),
            "ping" => once(&mut self.ping, map),
            "token" => once(&mut self.token, map),
            "schema" => once(&mut self.schema, map),
            _ => map.next_value::<IgnoredAny>().map(|_| ()),
        }
    }
}

impl<'de> Deserialize<'de> for Hello {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let read: PartialHello = map::deserialize(deserializer)?;
        let otherwise = Self::default();
        Ok(Self {
            version: read.version.unwrap_or(otherwise.version),
            capabilities: read.capabilities.map_or(otherwise.capabilities, |few| few.0),
            window: read.window.unwrap_or(otherwise.window),
            in_flight: read.in_flight.unwrap_or(otherwise.in_flight),
            max_message: read.max_message.unwrap_or(otherwise.max_message),
            ping: read.ping.unwrap_or(otherwise.ping),
            token: read.token.flatten(),
            schema: read.schema.flatten(),
        })
    }
}

impl Serialize for GoAway {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(3))?;
        map.serialize_entry("code", &self.code)?;
        map.serialize_entry("reason", &self.reason)?;
        map.serialize_entry("retry_ms", &millis(self.retry))?;
        map.end()
    }
}

/// A goaway of which any part may be left out.
#[derive(Default)]
struct PartialGoAway {
    code: Option<u16>,
    reason: Option<String>,
    retry: Option<u64>,
}

impl Keyed for PartialGoAway {
    fn take<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        match key {
            "code" => once(&mut self.code, map),
            "reason" => once(&mut self.reason, map),
            "retry_ms" => once(&mut self.retry, map),
            _ => map.next_value::<IgnoredAny>().map(|_| ()),
        }
    }
}

/// How many bytes of a reason are kept.
const MAX_REASON: usize = 1024;

/// The close code that says a goaway came first: this end may come back.
const GOING_AWAY: u16 = 4001;

impl<'de> Deserialize<'de> for GoAway {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let read: PartialGoAway = map::deserialize(deserializer)?;
        Ok(Self {
            code: read.code.unwrap_or(GOING_AWAY),
            reason: cut(read.reason.unwrap_or_default(), MAX_REASON),
            retry: duration(read.retry.unwrap_or_default()),
        })
    }
}
