//! Metadata as a map: `dl`, `tp` and headers. Knows no frame.

use std::time::Duration;

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error as _, MapAccess},
    ser::{Error as _, SerializeMap},
};

use super::{
    map::{self, Keyed, MAX_FEW, once},
    text::Text,
};
use crate::rpc::Metadata;

/// Whole milliseconds that the caller waits.
const DEADLINE: &str = "dl";
/// A W3C traceparent.
const TRACEPARENT: &str = "tp";

/// A longer time is read as this one, so that nothing overflows where it is added.
pub(super) const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Metadata that is written.
pub(super) struct Outgoing<'a>(&'a Metadata);

impl<'a> Outgoing<'a> {
    /// Takes metadata in which something travels.
    pub(super) fn of(meta: &'a Metadata) -> Option<Self> {
        let outgoing = Self(meta);
        (outgoing.len() > 0).then_some(outgoing)
    }

    fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.headers().filter(|(name, _)| ![DEADLINE, TRACEPARENT].contains(name))
    }

    fn len(&self) -> usize {
        usize::from(self.0.deadline.is_some())
            + usize::from(self.0.traceparent.is_some())
            + self.headers().count()
    }
}

impl Serialize for Outgoing<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.headers().count() > MAX_FEW {
            return Err(S::Error::custom("more than 64 headers"));
        }
        let mut map = serializer.serialize_map(Some(self.len()))?;
        if let Some(deadline) = self.0.deadline {
            map.serialize_entry(DEADLINE, &millis(deadline))?;
        }
        if let Some(traceparent) = &self.0.traceparent {
            map.serialize_entry(TRACEPARENT, traceparent)?;
        }
        for (name, value) in self.headers() {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

/// Metadata that is read.
#[derive(Default)]
pub(super) struct Incoming {
    deadline: Option<u64>,
    traceparent: Option<String>,
    headers: Vec<(String, String)>,
}

impl Keyed for Incoming {
    fn take<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        match key {
            DEADLINE => once(&mut self.deadline, map),
            TRACEPARENT => once(&mut self.traceparent, map),
            _ if self.headers.len() == MAX_FEW => Err(A::Error::custom("more than 64 headers")),
            _ if self.headers.iter().any(|(name, _)| name == key) => {
                Err(A::Error::custom("a header comes twice"))
            }
            _ => {
                let value = map.next_value::<Text<'de>>()?.0.into_owned();
                self.headers.push((key.to_owned(), value));
                Ok(())
            }
        }
    }
}

impl<'de> Deserialize<'de> for Incoming {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        map::deserialize(deserializer)
    }
}

impl From<Incoming> for Metadata {
    fn from(read: Incoming) -> Self {
        Self { deadline: read.deadline.map(duration), traceparent: read.traceparent, headers: read.headers }
    }
}

/// Returns whole milliseconds, as many as a number holds; a part of one counts as one.
pub(super) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

/// Returns the time of so many milliseconds, at most a year.
pub(super) fn duration(millis: u64) -> Duration {
    Duration::from_millis(millis).min(LONGEST)
}
