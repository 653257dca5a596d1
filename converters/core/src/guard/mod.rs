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
//! | Memory | Charged before it grows, against the scope of [`within`] or, without one, [`DEFAULT_ALLOWANCE`] (4 MiB) or four times the payload, whichever is more. Beyond: [`TooLarge`](ConvertErrorKind::TooLarge). |
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
//! # What is charged
//!
//! | Part of a value | Bytes |
//! |---|---|
//! | A sequence | As a `Vec` grows: the size of an element for each place, in steps of 4, 8, 16, or from the granted size hint on. |
//! | A map whose type asks for the size hint, as hash tables do | As a `HashMap` grows: the size of an entry and one, for each bucket. While it grows, the old table must fit beside the new one. |
//! | A map whose type does not ask | As a `BTreeMap` grows, with nodes as empty as it ever leaves them: 11 entries at first. |
//! | Text and bytes | Their length, borrowed or not. |
//! | A value behind a pointer (`Box`, `Arc`) | Its size, where it is larger than the pointer. |
//! | The value itself, what lies in it (fields, tuples, variants), names of fields, what is skipped | Nothing. |
//!
//! So a mebibyte of small numbers is a `Vec<u8>` or a `Vec<u32>` within 4 MiB, and a mebibyte of nulls, each of which
//! would be 32 bytes of a `serde_json::Value`, is not.
//!
//! What is charged is what the value's own allocations ask for, and these take no more than a tenth above it, with
//! the following exceptions:
//!
//! - A vector or a table that is moved as it grows is there twice meanwhile, which is half more for that one.
//! - Sets are sequences to serde, and so are charged as vectors: a `HashSet` takes up to 2.5 times that, and up to
//!   four times while it grows; a `BTreeSet` up to 2.7 times, a `LinkedList` two pointers more for each element.
//! - A type may make up to 1 MiB for a size hint before its first element is decoded and charged.
//! - What serde builds of what it buffered is not seen; the buffer is charged instead, with 32 bytes for each value.
//!   That is too little for large elements that take few bytes (`#[serde(default)]`) inside untagged or internally
//!   tagged enums and flattened fields. It stays charged when the buffer is gone, and a struct with a flattened
//!   field is charged as a map of all its fields: too much, if anything.
//! - A type that reads a struct or a tuple and keeps more than its own fields, or a seed that returns nothing and
//!   stores elsewhere what it reads, is not seen. Nor is what an allocator rounds up.
//! - A type that reads itself as another one, larger than itself (`#[serde(from = "…")]`), is charged for that one.
//! - A guard whose seed is behind erased types (`erased-serde`) sees elements and entries of about 40 bytes each, and no
//!   pointer. A [`ChargeGuard`] on the near side, where the types are known, charges in its place.
//!
//! Beside the value, a format may hold one text or byte string at a time, in up to twice its length, and an error may
//! quote one while the format builds it. Of an error's text 1 KiB is kept.
//!
//! # Numbers
//!
//! A number in a text format that is too large for an `f64` is malformed in the eyes of its parser, hence
//! [`Decode`](ConvertErrorKind::Decode).

mod access;
mod allowance;
mod brief;
mod charge;
mod compound;
mod decode;
mod depth;
mod encode;
mod growth;
mod visitor;

#[cfg(doc)]
use crate::ConvertErrorKind;

pub use allowance::{DEFAULT_ALLOWANCE, within};
pub(crate) use brief::{Brief, CUT};
pub use charge::ChargeGuard;
pub use decode::{DecodeGuard, GuardedDeserializer};
pub use depth::{MAX_CONTAINERS, MAX_LAYERS};
pub use encode::{EncodeGuard, Guarded, GuardedSerializer};
