//! Floor 2: what changes frames between the message and the wire (RFC 6455 §9). Knows no engine and no
//! socket; every extension is one among equals.

#[cfg(feature = "deflate")]
mod deflate;
mod error;
mod offer;
mod sink;
mod stack;

use std::{any::Any, fmt, sync::Arc};

use converse_core::Message;

use crate::frame::{Frame, ProtocolError, Rsv};

#[cfg(feature = "deflate")]
pub use deflate::{DeflateStats, MemoryMode, PerMessageDeflate, Volume};
pub use error::ExtensionError;
pub(crate) use offer::is_token;
pub use offer::{ExtensionGrammarError, ExtensionGrammarFault, ExtensionOffer};
pub use sink::FrameSink;
pub(crate) use stack::{ExtensionStack, wire_limit};

/// An extension as it is configured: offers itself, accepts offers, and builds the two halves that
/// work on the frames of one connection (RFC 6455 §9).
pub trait Extension: Send + Sync + 'static {
    /// Returns the extension's token, as it stands in `Sec-WebSocket-Extensions`.
    fn name(&self) -> &str;

    /// Returns the reserved bits that the extension's frames may carry.
    fn rsv(&self) -> Rsv;

    /// Client: returns what to offer, best first. An offer's name is [`name`](Self::name).
    fn offers(&self) -> Vec<ExtensionOffer>;

    /// Server: accepts one of the client's offers of this name, or declines it with `None`.
    fn accept(&self, offer: &ExtensionOffer) -> Option<Negotiated>;

    /// Client: takes the server's answer into use.
    ///
    /// # Errors
    /// When the answer does not fit what was offered; the connection fails (RFC 6455 §4.1).
    fn confirm(&self, answer: &ExtensionOffer) -> Result<Negotiated, ExtensionError>;
}

/// What the application wishes for one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SendHints {
    /// Whether the message may be compressed: not when it holds a secret (see
    /// [`Sender::uncompressed`](crate::Sender::uncompressed)). Default: yes.
    pub compress: bool,
}

impl Default for SendHints {
    fn default() -> Self {
        Self { compress: true }
    }
}

/// Changes the data frames that are sent. Owned by the sending side of one connection.
///
/// It is called while the session is locked, and must not use the session. All frames of a message come in
/// order, without others between them.
pub trait ExtensionEncoder: Send {
    /// Takes note of a message whose frames come next. Default: does nothing.
    fn begin(&mut self, message: &Message, hints: SendHints) {
        let _ = (message, hints);
    }

    /// Takes a data frame, and pushes none, one or many to `out`.
    ///
    /// # Errors
    /// When the frame cannot be encoded, or `out` refuses one; the connection is closed with 1011.
    fn encode(&mut self, frame: Frame, out: &mut FrameSink<'_, ExtensionError>)
    -> Result<(), ExtensionError>;
}

/// Undoes [`ExtensionEncoder`] on the frames that are received.
///
/// It is called while the session is locked, and must not use the session.
pub trait ExtensionDecoder: Send {
    /// Takes a data frame, and pushes none, one or many to `out`, with no more than `limit` bytes of
    /// payload in all: what the open message may still take. The bits this extension claims are cleared.
    ///
    /// Each pushed frame is taken at once, so a frame that unpacks to much is best pushed in parts, where
    /// [`FrameSink::may_cut`] allows it.
    ///
    /// # Errors
    /// When the peer's frame is wrong, its payload would go over `limit`, or `out` refuses a frame; the
    /// connection is closed with the error's code.
    fn decode(
        &mut self,
        frame: Frame,
        limit: u64,
        out: &mut FrameSink<'_, ProtocolError>,
    ) -> Result<(), ProtocolError>;

    /// Tells whether frames may be cut anew, as if the peer had fragmented the message in another way. When
    /// all extensions in use say so, a long frame is not joined first but comes in parts as it arrives.
    /// Default: no.
    fn takes_parts(&self) -> bool {
        false
    }

    /// Returns how many bytes this holds for the message under way, beside what it has pushed. They count to
    /// [`Server::memory`](crate::Server::memory). Asked behind each read. Default: 0.
    fn held(&self) -> usize {
        0
    }
}

/// An extension in use on one connection.
pub struct Negotiated {
    pub(crate) answer: ExtensionOffer,
    pub(crate) encoder: Box<dyn ExtensionEncoder>,
    pub(crate) decoder: Box<dyn ExtensionDecoder>,
    pub(crate) state: Option<Arc<dyn Any + Send + Sync>>,
}

impl Negotiated {
    /// Builds it from the agreed parameters and the two halves that keep to them.
    pub fn new(
        answer: ExtensionOffer,
        encoder: impl ExtensionEncoder + 'static,
        decoder: impl ExtensionDecoder + 'static,
    ) -> Self {
        Self { answer, encoder: Box::new(encoder), decoder: Box::new(decoder), state: None }
    }

    /// Adds a value that the session hands out by its type, such as counters.
    #[must_use]
    pub fn with_state<S: Any + Send + Sync>(mut self, state: Arc<S>) -> Self {
        self.state = Some(state);
        self
    }

    /// Returns the agreed parameters: what a server answers, and what a client was answered.
    pub fn answer(&self) -> &ExtensionOffer {
        &self.answer
    }

    /// Takes the two halves out, to drive them without a connection.
    pub fn into_halves(self) -> (Box<dyn ExtensionEncoder>, Box<dyn ExtensionDecoder>) {
        (self.encoder, self.decoder)
    }
}

impl fmt::Debug for Negotiated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Negotiated").field(&self.answer).finish()
    }
}
