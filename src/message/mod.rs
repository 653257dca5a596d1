//! Floor 3: frames ⇄ messages (RFC 6455 §5.4 and §5.6). Knows no HTTP, no close state and no clock.

mod assembler;
mod fragment_count;
mod fragments;
mod payload;

pub(crate) use assembler::{Assembler, whole};
pub(crate) use fragment_count::FragmentCount;
pub(crate) use fragments::{Fragments, opcode_of};
pub(crate) use payload::LentPayload;
