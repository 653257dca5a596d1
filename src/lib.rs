//! Typed conversations over WebSockets.
#![forbid(unsafe_code)]

pub mod engine;
pub mod extension;
pub mod frame;
pub mod message;
