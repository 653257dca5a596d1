//! Typed conversations over WebSockets.
#![forbid(unsafe_code)]

pub mod client;
pub mod engine;
mod error;
pub mod extension;
pub mod frame;
pub mod handshake;
mod message;
pub mod server;
pub mod session;

use std::future::Future;

#[cfg(feature = "cbor")]
pub use converse_cbor::CborConverter;
pub use converse_core::{ContentConverter, ConvertError, Message, Utf8Bytes};
#[cfg(feature = "json")]
pub use converse_json::JsonConverter;
#[cfg(feature = "msgpack")]
pub use converse_msgpack::MessagePackConverter;

pub use client::{Client, ConnectError};
pub use engine::{CloseCause, Closed};
pub use error::{Error, ErrorKind, Result};
pub use frame::{CloseCode, CloseReason, Frame, OpCode};
pub use handshake::{OriginPolicy, Rejection, Request};
pub use server::Server;
pub use session::{Overflow, RawSession, Sender, Session, SessionOptions};
#[cfg(feature = "tls")]
pub use tokio_rustls::rustls;

/// Connects to a `ws:` or `wss:` URL: [`Client::connect`] with default settings.
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
