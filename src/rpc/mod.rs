//! Floor 7: conversations of calls, streams and notifications between two peers that may both serve and call. Knows
//! sessions, servers and clients by their public faces.

mod code;
mod kind;
mod metadata;
mod status;
#[allow(dead_code)]
mod wire;

pub use code::Code;
pub use kind::Kind;
pub use metadata::Metadata;
pub use status::Status;
