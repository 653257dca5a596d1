//! Guides. Their code is compiled and run with the tests.
//!
//! - [`handlers`]: writing the code behind a route: events, cancellation, other tasks, shutdown; coming from
//!   Ktor, tokio-tungstenite and axum.
//! - [`close_codes_and_limits`]: what a peer sees when it breaks a rule, and every bound with its default.
//! - [`rpc`]: typed calls, streams and notifications; errors, deadlines, middleware, limits.
//! - [`wire`]: a conversation byte by byte: negotiation, frames, rules, codes, and how to hold one by hand.
//! - [`json_rpc`]: what clients and servers see that speak JSON-RPC 2.0: calls, subscriptions, batches, errors.
//! - [`writing_a_converter`]: a format of your own, on `converse-core` alone.
//! - [`writing_an_extension`]: frames changed on their way out and in: negotiation, limits, state.
//! - [`compression`]: permessage-deflate: what it saves and costs, the memory modes, secrets.
//! - [`data_flow`]: a message's way in and out: who copies, who allocates, who waits.
//! - [`architecture`]: the floors, the one task per connection, and why things are as they are.

#[doc = include_str!("architecture.md")]
pub mod architecture {}

#[doc = include_str!("close_codes_and_limits.md")]
pub mod close_codes_and_limits {}

#[doc = include_str!("compression.md")]
pub mod compression {}

#[doc = include_str!("data_flow.md")]
pub mod data_flow {}

#[doc = include_str!("handlers.md")]
pub mod handlers {}

#[doc = include_str!("json_rpc.md")]
pub mod json_rpc {}

#[doc = include_str!("wire.md")]
pub mod wire {}

#[doc = include_str!("rpc.md")]
pub mod rpc {}

#[doc = include_str!("writing_a_converter.md")]
pub mod writing_a_converter {}

#[doc = include_str!("writing_an_extension.md")]
pub mod writing_an_extension {}
