//! How far a stream may be ahead, in items and in bytes. Knows no stream.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What a stream may send until its receiver gives more; travels as an array of two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) items: u32,
    /// Those of the items' frames as they stand in messages.
    pub(crate) bytes: u32,
}

impl Window {
    /// Lets nothing through.
    pub(crate) const SHUT: Self = Self { items: 0, bytes: 0 };
}

impl Default for Window {
    /// What holds where a hello names none.
    fn default() -> Self {
        Self { items: 32, bytes: 64 * 1024 }
    }
}

impl Serialize for Window {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (self.items, self.bytes).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Window {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Deserialize::deserialize(deserializer).map(|(items, bytes)| Self { items, bytes })
    }
}

/// Returns what an item whose frame has so many bytes takes of a window.
pub(crate) fn bytes_of(frame: usize) -> u32 {
    u32::try_from(frame).unwrap_or(u32::MAX)
}
