//! Typed conversations over WebSockets.
#![forbid(unsafe_code)]

pub mod frame;
