//! The three reserved bits of a frame (RFC 6455 §5.2). Knows no extension.

use std::ops::BitOr;

/// A set of reserved bits, which extensions claim.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Rsv(u8);

impl Rsv {
    /// No bit.
    pub const NONE: Self = Self(0);
    /// RSV1; permessage-deflate claims it (RFC 7692 §6).
    pub const RSV1: Self = Self(0x40);
    /// RSV2.
    pub const RSV2: Self = Self(0x20);
    /// RSV3.
    pub const RSV3: Self = Self(0x10);

    /// Reads the bits out of a frame's first byte.
    pub(crate) const fn from_first_byte(byte: u8) -> Self {
        Self(byte & 0x70)
    }

    /// Returns the bits where they stand in a frame's first byte.
    pub(crate) const fn bits(self) -> u8 {
        self.0
    }

    /// Tells whether no bit is set.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Tells whether all bits of `other` are set here.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Tells whether a bit is set in both.
    pub const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Returns these bits without those of `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

impl BitOr for Rsv {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}
