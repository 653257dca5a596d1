//! What can be wrong with an extension on this side. Knows no close code.

/// An extension could not be configured, negotiated or applied.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExtensionError {
    /// Two configured extensions claim the same reserved bit.
    #[error("extensions {0:?} and {1:?} claim the same reserved bit")]
    BitTaken(String, String),
    /// Two configured extensions have the same name.
    #[error("extension {0:?} is configured twice")]
    NameTaken(String),
    /// The server's answer does not fit what was offered.
    #[error("the server's answer for extension {name:?} does not fit: {why}")]
    BadAnswer {
        /// The extension's token.
        name: String,
        /// What does not fit.
        why: String,
    },
    /// A frame could not be encoded.
    #[error("extension could not encode a frame: {0}")]
    Encode(String),
}
