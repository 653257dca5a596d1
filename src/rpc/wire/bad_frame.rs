//! Why a message is no frames. Knows no layout.

use std::fmt;

use converse_core::ConvertError;

use super::text::cut;

/// How many bytes of a text fit a Close frame, with room to spare (RFC 6455 §5.5).
const MAX_TEXT: usize = 100;

/// Why a message is no frames. Its connection is closed with 4400 and this text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BadFrame(String);

impl BadFrame {
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self(cut(text.into(), MAX_TEXT))
    }

    /// Returns the text, of at most 100 bytes.
    pub(crate) fn text(&self) -> &str {
        &self.0
    }
}

impl From<ConvertError> for BadFrame {
    fn from(error: ConvertError) -> Self {
        Self::new(error.to_string())
    }
}

impl fmt::Display for BadFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
