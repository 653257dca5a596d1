//! The ground floor of `converse`: what a message is, and how a value becomes one.
//!
//! This crate knows no WebSocket, no socket and no runtime. A content converter for another format
//! (protobuf, postcard, your own) depends on this crate alone and implements [`ContentConverter`].
#![deny(unsafe_code)]

mod convert_error;
mod converter;
pub mod guard;
mod message;
mod payload_buffer;
#[cfg(feature = "suite")]
pub mod suite;
mod utf8_buffer;
mod utf8_bytes;
mod words;

pub use convert_error::{ConvertError, ConvertErrorKind};
pub use converter::{ContentConverter, Format};
pub use message::Message;
pub use payload_buffer::PayloadBuffer;
pub use utf8_buffer::{Utf8Buffer, Utf8Error};
pub use utf8_bytes::{InvalidUtf8, Utf8Bytes};
