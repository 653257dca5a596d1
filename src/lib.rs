//! Typed conversations over WebSockets (RFC 6455): sessions that send and receive values of your own types.
//!
//! ```
//! use converse::{CloseReason, Server, Session, SessionOptions};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Debug, PartialEq, Serialize, Deserialize)]
//! struct Chat { from: String, text: String }
//!
//! async fn echo(mut session: Session) -> converse::Result<()> {
//!     while let Some(chat) = session.receive_deserialized::<Chat>().await? {
//!         session.send_serialized(&chat).await?;
//!     }
//!     Ok(())
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> converse::Result<()> {
//! let server = Server::new(SessionOptions::default()).route("/echo", echo).bind("127.0.0.1:0").await?;
//! let url = format!("ws://{}/echo", server.local_addr());
//! tokio::spawn(server.serve());
//!
//! let mut session = converse::connect(&url, SessionOptions::default()).await?;
//! let chat = Chat { from: "Ada".into(), text: "Is anybody there?".into() };
//! session.send_serialized(&chat).await?;
//! assert_eq!(session.receive_deserialized().await?, Some(chat));
//! assert!(session.close(CloseReason::NORMAL).await.is_clean());
//! # Ok(()) }
//! ```
//!
//! # Where things are
//!
//! | Module | Holds |
//! |---|---|
//! | [`rpc`] | calls, streams and notifications between two ends that may both serve |
//! | [`server`], [`client`] | listening, routes, hooks, shutdown; dialling and verifying |
//! | [`session`] | [`Session`], [`Sender`], [`SessionOptions`]: sending, receiving, closing, queues |
//! | [`engine`] | how a conversation ended; the protocol without sockets (its machine is private) |
//! | [`handshake`] | the HTTP upgrade: [`Request`], [`Rejection`], [`OriginPolicy`] |
//! | [`extension`] | the seam for extensions (RFC 6455 §9) |
//! | [`frame`] | frames, opcodes, close codes |
//! | [`docs`] | the guides |
//!
//! A module knows only those below it. The ground floor is a crate of its own, `converse-core`: messages and the
//! [`ContentConverter`] trait.
//!
//! # Features
//!
//! | Feature | Default | Adds |
//! |---|---|---|
//! | `json` | yes | `JsonConverter`, the default format |
//! | `msgpack` | yes | `MessagePackConverter` |
//! | `cbor` | yes | `CborConverter` |
//! | `macros` | yes | `#[converse::service]`: a service out of a trait |
//! | `deflate` | yes | `PerMessageDeflate`: compressed messages (RFC 7692) |
//! | `tls` | no | `wss://`: `Client::tls`, `Server::tls`, and `rustls` re-exported; needs a C compiler to build |
//!
//! # Guides
//!
//! [Calls and streams](docs::rpc) · [The wire of a conversation](docs::wire) · [JSON-RPC 2.0](docs::json_rpc) ·
//! [Handlers](docs::handlers) · [Close codes and limits](docs::close_codes_and_limits) ·
//! [Writing a converter](docs::writing_a_converter) · [Compression](docs::compression) ·
//! [Writing an extension](docs::writing_an_extension) · [Data flow](docs::data_flow) ·
//! [Architecture](docs::architecture)
#![forbid(unsafe_code)]

pub mod client;
pub mod docs;
pub mod engine;
mod error;
pub mod extension;
pub mod frame;
pub mod handshake;
#[cfg(feature = "internals")]
#[doc(hidden)]
pub mod internals;
mod message;
pub mod rpc;
pub mod server;
pub mod session;

/// The examples of the README, compiled.
#[cfg(all(doctest, feature = "msgpack"))]
#[doc = include_str!("../README.md")]
struct Readme;

use std::future::Future;

#[cfg(feature = "cbor")]
pub use converse_cbor::CborConverter;
pub use converse_core::{ContentConverter, ConvertError, Message, Utf8Bytes};
#[cfg(feature = "json")]
pub use converse_json::JsonConverter;
/// ```
/// use converse::rpc::{self, Router, Status};
///
/// #[converse::service(name = "calc")]
/// pub trait Calc {
///     async fn add(&self, a: i64, b: i64) -> Result<i64, Status>;
/// }
///
/// struct Desk;
///
/// impl Calc for Desk {
///     async fn add(&self, a: i64, b: i64) -> Result<i64, Status> {
///         Ok(a + b)
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), rpc::CallError> {
/// let peer = rpc::duplex(Router::new().service(CalcServer::new(Desk)));
/// assert_eq!(CalcClient::new(peer).add(40, 2).await?, 42);
/// # Ok(()) }
/// ```
#[cfg(feature = "macros")]
pub use converse_macros::service;
#[cfg(feature = "msgpack")]
pub use converse_msgpack::MessagePackConverter;

pub use client::{Client, ConnectError};
pub use engine::{CloseCause, Closed, ClosedBy};
pub use error::{Error, ErrorKind, Result};
#[cfg(feature = "deflate")]
pub use extension::{DeflateStats, MemoryMode, PerMessageDeflate};
pub use frame::{CloseCode, CloseReason, Frame, OpCode};
pub use handshake::{OriginPolicy, Rejection, Request};
pub use server::Server;
pub use session::{Overflow, RawSession, Sender, Session, SessionOptions};
#[cfg(feature = "tls")]
pub use tokio_rustls::rustls;

/// Connects to a `ws:` or `wss:` URL: [`Client::connect`] with default settings. The session's driver runs in a
/// task of its own.
///
/// # Errors
/// As [`Client::connect`].
///
/// # Cancel safety
/// Dropping the call ends the attempt.
pub async fn connect(url: &str, options: SessionOptions) -> Result<Session> {
    Ok(Client::new(options).connect(url).await?)
}

/// Connects, and runs a handler beside the driver in this task: [`Client::connect_with`] with default
/// settings.
///
/// # Errors
/// As [`Client::connect_with`].
///
/// # Panics
/// When the handler does.
///
/// # Cancel safety
/// Dropping the call cuts the connection.
pub async fn connect_with<H, F, R, E>(
    url: &str,
    options: SessionOptions,
    handler: H,
) -> std::result::Result<R, E>
where
    H: FnOnce(Session) -> F,
    F: Future<Output = std::result::Result<R, E>>,
    E: From<ConnectError>,
{
    Client::new(options).connect_with(url, handler).await
}
