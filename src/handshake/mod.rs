//! The HTTP/1.1 upgrade, both roles: bytes in, verdicts and bytes out. Knows no sockets, no clock and no frames.
//!
//! A server collects a head with [`HeadReader`], has it verified by [`Upgrade::verify`], asks its [`OriginPolicy`]
//! and writes either the upgrade or a [`Rejection`]. A client starts a [`ClientHandshake`], sends
//! its bytes and feeds the answer to the [`AnswerReader`].

mod answer;
mod body;
mod client;
mod error;
mod head;
mod headers;
mod host;
mod hosts;
mod origin;
mod rejection;
mod request;
mod target;
#[cfg(test)]
mod tests;
mod upgrade;
mod url;
mod verify;

pub use answer::{Accepted, AnswerReader};
pub use client::{ClientHandshake, RequestError};
pub use error::HandshakeError;
pub use head::{Head, HeadError, HeadReader};
pub(crate) use hosts::Hosts;
pub use origin::{InvalidOrigin, OriginPolicy};
pub use rejection::Rejection;
pub use request::Request;
pub use upgrade::{Upgrade, UpgradeError};
pub use url::UrlError;
