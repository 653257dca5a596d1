//! The limits and verdicts every content format shares, as wrappers around serde's traits. Knows no
//! concrete format.
//!
//! A converter wraps its format's serializer with [`EncodeGuard`] and its deserializer with [`DecodeGuard`].
//! All formats then agree on the following, whatever the format crate below them would have said:
//!
//! | Subject | Verdict |
//! |---|---|
//! | Nesting | [`MAX_CONTAINERS`] arrays and maps inside one another, both ways. An enum variant with content is a map of one entry. Fields that are skipped count too. Beyond: [`TooDeep`](ConvertErrorKind::TooDeep). |
//! | `Some`, newtypes | Leave no trace in the payload and so are not counted as nesting, but at most [`MAX_LAYERS`] of them may follow one another. Beyond: [`TooDeep`](ConvertErrorKind::TooDeep). |
//! | Declared lengths | Never trusted: all size hints of one payload add up to at most its length in bytes. |
//! | `is_human_readable` | `true`, so UUIDs, addresses and times have one shape in all formats. |
//! | NaN, infinities | Refused both ways: [`Number`](ConvertErrorKind::Number). |
//! | Integers | Every `u64` and `i64` is exact. A `u128` that fits a `u64` and an `i128` that fits an `i64` travel as those; others are refused: [`Number`](ConvertErrorKind::Number). |
//! | Unit structs | As `()`. |
//! | Duplicate keys | A struct refuses them; in a map the last one wins. |
//!
//! The verdict on duplicates is the one of serde's own implementations, which see every key as it comes. So is
//! this one: `#[serde(flatten)]`, untagged and internally tagged enums buffer what they read, and serde's buffer
//! cannot be asked for a 128-bit integer. There `i128` and `u128` are written, but refused when read
//! ([`Decode`](ConvertErrorKind::Decode)). What was buffered was guarded on its way in, but a type that wraps
//! itself in nothing but `Some` (`struct Endless(Option<Box<Endless>>)`) is beyond the guard's reach there.
//!
//! A number in a text format that is too large for an `f64` is malformed in the eyes of its parser, hence
//! [`Decode`](ConvertErrorKind::Decode).

mod access;
mod compound;
mod decode;
mod depth;
mod encode;
mod visitor;

#[cfg(doc)]
use crate::ConvertErrorKind;

pub use decode::{DecodeGuard, GuardedDeserializer};
pub use depth::{MAX_CONTAINERS, MAX_LAYERS};
pub use encode::{EncodeGuard, Guarded, GuardedSerializer};
