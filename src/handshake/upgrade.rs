//! A request that may become a session, and the 101 that makes it one. Knows the answer's rules, not who decides.

use std::fmt;

use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::{
    Rejection, Request,
    headers::is_reserved,
    rejection::{put_header, put_rest},
    verify::{Verified, verify},
};
use crate::extension::ExtensionOffer;

/// A verified upgrade request and the answer to it, until that is written (RFC 6455 §4.2.2).
pub struct Upgrade {
    request: Request,
    accept: String,
    offers: Vec<ExtensionOffer>,
    subprotocol: Option<String>,
    extensions: Vec<ExtensionOffer>,
    headers: HeaderMap,
}

/// The answer to an upgrade would have broken a rule. The caller's fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UpgradeError {
    /// The handshake writes this header, or the answer would be framed by it.
    #[error("the header {0} is the handshake's to write")]
    ReservedHeader(HeaderName),
    /// The client didn't offer this subprotocol (RFC 6455 §4.2.2, item 5).
    #[error("the client did not offer the subprotocol {0:?} (RFC 6455 §4.2.2)")]
    SubprotocolNotOffered(String),
    /// The client didn't offer this extension (RFC 6455 §9.1).
    #[error("the client did not offer the extension {0:?} (RFC 6455 §9.1)")]
    ExtensionNotOffered(String),
}

impl Upgrade {
    /// Holds a complete head against the rules of RFC 6455 §4.2.1 and of HTTP/1.1.
    ///
    /// # Errors
    /// The answer to send in place of a 101: 400 for a malformed head, a missing, malformed or doubled `Host` or
    /// `Sec-WebSocket-Key`, a body, or malformed offers; 405 for another method; 426 for a request that asks for no
    /// WebSocket or another version of it, and for HTTP/1.0; 431 for too many header lines; 505 for HTTP/2.
    pub fn verify(head: Bytes) -> Result<Self, Rejection> {
        let Verified { request, accept, offers } = verify(head)?;
        Ok(Self {
            request,
            accept,
            offers,
            subprotocol: None,
            extensions: Vec::new(),
            headers: HeaderMap::new(),
        })
    }

    /// Returns the request.
    pub fn request(&self) -> &Request {
        &self.request
    }

    /// Returns the request, to attach to it what it came with.
    pub fn request_mut(&mut self) -> &mut Request {
        &mut self.request
    }

    /// Returns the extensions that the client offers, its favourite first.
    pub fn extension_offers(&self) -> &[ExtensionOffer] {
        &self.offers
    }

    /// Picks the first of the server's subprotocols that the client offers too: the server's order wins. If there is
    /// none, the session has none and opens all the same; a client that can't do without ends it (RFC 6455 §4.1).
    pub fn select_subprotocol<S: AsRef<str>>(&mut self, supported: &[S]) -> Option<&str> {
        let offered = |name: &str| self.request.subprotocols().any(|offer| offer == name);
        self.subprotocol = supported.iter().map(AsRef::as_ref).find(|name| offered(name)).map(str::to_owned);
        self.subprotocol()
    }

    /// Returns the subprotocol that the answer names.
    pub fn subprotocol(&self) -> Option<&str> {
        self.subprotocol.as_deref()
    }

    /// Sets the subprotocol that a hook has chosen.
    ///
    /// # Errors
    /// The client did not offer it.
    pub fn set_subprotocol(&mut self, name: &str) -> Result<(), UpgradeError> {
        if self.select_subprotocol(&[name]).is_none() {
            return Err(UpgradeError::SubprotocolNotOffered(name.to_owned()));
        }
        Ok(())
    }

    /// Sets the extensions that the answer accepts, in the order in which they apply.
    ///
    /// # Errors
    /// The client did not offer one of them; nothing is set then.
    pub(crate) fn set_extensions(&mut self, accepted: Vec<ExtensionOffer>) -> Result<(), UpgradeError> {
        let offered = |name: &str| self.offers.iter().any(|offer| offer.name() == name);
        if let Some(stray) = accepted.iter().find(|accepted| !offered(accepted.name())) {
            return Err(UpgradeError::ExtensionNotOffered(stray.name().to_owned()));
        }
        self.extensions = accepted;
        Ok(())
    }

    /// Adds a header line to the answer: a cookie, a trace.
    ///
    /// # Errors
    /// The header is `Connection`, `Upgrade`, `Sec-WebSocket-*` or one that frames a body.
    pub fn add_header(&mut self, name: HeaderName, value: HeaderValue) -> Result<(), UpgradeError> {
        if is_reserved(&name) {
            return Err(UpgradeError::ReservedHeader(name));
        }
        self.headers.append(name, value);
        Ok(())
    }

    /// Writes the 101. Frames may follow at once.
    pub fn to_bytes(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(256);
        out.put_slice(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n");
        put_header(&mut out, "Sec-WebSocket-Accept", self.accept.as_bytes());
        if let Some(subprotocol) = &self.subprotocol {
            put_header(&mut out, "Sec-WebSocket-Protocol", subprotocol.as_bytes());
        }
        put_rest(&mut out, &self.extensions, &self.headers);
        out.freeze()
    }

    /// Takes the request and the subprotocol out, for the session to keep.
    pub fn into_parts(self) -> (Request, Option<String>) {
        (self.request, self.subprotocol)
    }
}

impl fmt::Debug for Upgrade {
    /// Shows names of headers only: values hold cookies and tokens.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upgrade")
            .field("request", &self.request)
            .field("offers", &self.offers)
            .field("subprotocol", &self.subprotocol)
            .field("extensions", &self.extensions)
            .field("headers", &self.headers.keys().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}
