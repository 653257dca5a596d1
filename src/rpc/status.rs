//! How a call failed, in words that travel. Knows no call.

use std::fmt;

use bytes::Bytes;
use converse_core::{ContentConverter, ConvertError};
use serde::{Serialize, de::DeserializeOwned};

use crate::{rpc::Code, session::AnyConverter};

/// How a call failed: a code, a text for people, and perhaps data. One pointer in size.
///
/// What is in it travels to the caller, so nothing goes there that the caller must not read.
#[derive(Clone)]
pub struct Status(Box<Inner>);

#[derive(Clone)]
struct Inner {
    code: Code,
    message: String,
    data: Option<StatusData>,
}

/// A value in a conversation's format.
#[derive(Clone)]
pub(crate) struct StatusData {
    pub(crate) converter: AnyConverter,
    pub(crate) bytes: Bytes,
}

impl Status {
    /// Builds a status of a code and a text for people.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self(Box::new(Inner { code, message: message.into(), data: None }))
    }

    pub(crate) fn with_data(mut self, data: Option<StatusData>) -> Self {
        self.0.data = data;
        self
    }

    /// Encodes a value as the data.
    pub(crate) fn with_value<T: Serialize + ?Sized>(
        self,
        converter: &AnyConverter,
        value: &T,
    ) -> Result<Self, ConvertError> {
        let mut bytes = Vec::new();
        converter.encode(value, &mut bytes)?;
        Ok(self.with_data(Some(StatusData { converter: converter.clone(), bytes: bytes.into() })))
    }

    /// Returns the code.
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// Returns the text for people. That of a peer may hold anything.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Decodes the data that came with it; `None` when none did.
    ///
    /// # Errors
    /// When the data is no such value.
    pub fn data<T: DeserializeOwned>(&self) -> Option<Result<T, ConvertError>> {
        self.0.data.as_ref().map(|data| data.converter.decode(&data.bytes))
    }

    /// Returns the data as it travels in the format of a converter; `None` when it came in another one, as it may in
    /// a status that one connection gave and another one passes on.
    pub(crate) fn data_in(&self, converter: &AnyConverter) -> Option<&[u8]> {
        let data = self.0.data.as_ref()?;
        (data.converter.subprotocol() == converter.subprotocol()).then_some(&*data.bytes)
    }

    /// Returns how many bytes of memory its text and its data take.
    pub(crate) fn len(&self) -> usize {
        self.0.message.len() + self.encoded_data().map_or(0, <[u8]>::len)
    }

    /// Returns the data as it travels.
    pub(crate) fn encoded_data(&self) -> Option<&[u8]> {
        self.0.data.as_ref().map(|data| &*data.bytes)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.message() {
            "" => write!(f, "{}", self.0.code),
            // The text may be a peer's, and a log is no place for its control characters.
            message => write!(f, "{}: {}", self.0.code, message.escape_debug()),
        }
    }
}

impl fmt::Debug for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Status")
            .field("code", &self.0.code)
            .field("message", &self.0.message)
            .field("data_len", &self.encoded_data().map(<[u8]>::len))
            .finish()
    }
}

impl PartialEq for Status {
    fn eq(&self, other: &Self) -> bool {
        self.0.code == other.0.code
            && self.0.message == other.0.message
            && self.encoded_data() == other.encoded_data()
    }
}

impl std::error::Error for Status {}
