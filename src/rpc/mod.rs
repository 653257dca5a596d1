//! Floor 7: conversations of calls, streams and notifications between two peers that may both serve and call. Knows
//! sessions, servers and clients by their public faces.

mod answers;
mod backlog;
mod call;
mod code;
mod connection;
mod context;
mod conversation;
mod credit;
mod deadlines;
mod decode;
mod discard;
mod emitter;
mod error;
mod frames;
mod greeting;
mod handlers;
mod kind;
mod lanes;
mod making;
mod metadata;
mod method;
mod middleware;
mod mount;
mod observer;
mod options;
mod patience;
mod peer;
mod protocol;
mod receive;
mod returns;
mod rooms;
mod router;
mod running;
mod sending;
mod serve;
mod service;
mod shortage;
mod spans;
mod spawned;
mod stats;
mod status;
mod streaming;
mod tables;
mod turn;
mod window;
mod wire;

pub use call::{Call, Notify, StreamCall};
pub use code::Code;
pub use context::{Context, Side};
pub use emitter::Emitter;
pub use error::{CallError, Disconnected, ServiceError};
pub use kind::Kind;
pub use metadata::Metadata;
pub use method::Method;
pub use middleware::{Middleware, Next, Reply};
pub use mount::{connect, duplex, duplex_with, over};
pub use options::Options;
pub use peer::Peer;
pub use protocol::Protocol;
pub use returns::Returns;
pub use router::Router;
pub use service::{ArgDescriptor, Descriptor, MethodDescriptor, Service};
pub use stats::Stats;
pub use status::Status;
pub use streaming::Streaming;

/// What code that `#[service]` writes needs of others.
#[doc(hidden)]
pub mod __private {
    pub use futures;
    pub use serde;
}

/// 4001: this end goes away; another connection may be tried.
const GOING_AWAY: u16 = 4001;
/// 4029: there is too much already; another connection may be tried later.
const TOO_MANY: u16 = 4029;
/// 4008: the peer reads too slowly; another connection may be tried.
const TOO_SLOW: u16 = 4008;
/// 4400: the peer does not speak as it should; another connection will not help.
const BAD_FRAME: u16 = 4400;
/// 4408: the peer did not say hello in time; another connection will not help.
const HELLO_TIMEOUT: u16 = 4408;
