//! The request that opened a session, as users see it. Knows how to read its head, not whether it is acceptable.

use std::{fmt, net::SocketAddr, ops::Range, str};

use bytes::Bytes;
use http::Extensions;

use super::{headers::Headers, target::Target};
use crate::extension::{ExtensionGrammarError, ExtensionOffer};

/// The HTTP request that opened a session, after it was found to be a valid upgrade (RFC 6455 §4.2.1).
///
/// A session keeps its request for life, so it is small: the head as it was received, in one piece, read again on
/// each access. A browser's request of 600 bytes costs 600 bytes of heap.
///
/// The default value is the request of a session whose upgrade was done elsewhere: path `/`, no headers.
#[derive(Clone, Default)]
pub struct Request {
    head: Box<[u8]>,
    target: Target,
    secure: bool,
    remote_addr: Option<SocketAddr>,
    params: Box<[(Box<str>, Box<str>)]>,
    extensions: Extensions,
}

impl Request {
    /// Wraps a head that was verified.
    pub(crate) fn from_verified(head: Bytes, target: Target) -> Self {
        Self {
            head: Vec::from(head).into_boxed_slice(),
            target,
            secure: false,
            remote_addr: None,
            params: Box::default(),
            extensions: Extensions::new(),
        }
    }

    /// Returns the request target as it was sent: a path and a query, seldom an absolute URI (RFC 7230 §5.3).
    pub fn uri(&self) -> &str {
        self.text(self.target.uri())
    }

    /// Returns the path, percent-encoded as it was sent. Starts with a slash.
    pub fn path(&self) -> &str {
        let both = self.path_and_query();
        match both.split_once('?').map_or(both, |(path, _)| path) {
            "" => "/",
            path => path,
        }
    }

    /// Returns what stands behind the first `?`, percent-encoded as it was sent.
    pub fn query(&self) -> Option<&str> {
        self.path_and_query().split_once('?').map(|(_, query)| query)
    }

    /// Returns the host that was asked for, with its port if one was sent: of an absolute target, else of `Host`
    /// (RFC 7230 §5.4).
    pub fn host(&self) -> &str {
        match self.target.authority() {
            Some(range) => self.text(range),
            None => self.header("host").unwrap_or_default(),
        }
    }

    /// Returns `Origin`, which browsers send and scripts can't forge (RFC 6455 §10.2).
    pub fn origin(&self) -> Option<&str> {
        self.header("origin")
    }

    /// Returns the first value of a header, case aside. `None` too if the value is not UTF-8: see
    /// [`headers`](Self::headers).
    pub fn header(&self, name: &str) -> Option<&str> {
        str::from_utf8(self.raw_headers().values(name).next()?).ok()
    }

    /// Walks all header lines in order: the name as it was sent, the value without the spaces around it.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.raw_headers().iter()
    }

    /// Walks the subprotocols that the client offers, its favourite first (RFC 6455 §1.9).
    pub fn subprotocols(&self) -> impl Iterator<Item = &str> {
        self.raw_headers().elements("sec-websocket-protocol").filter_map(|token| str::from_utf8(token).ok())
    }

    /// Reads the extensions that the client offers, its favourite first (RFC 6455 §9.1).
    ///
    /// # Errors
    /// None on the request of a session: a request with bad offers is refused with 400.
    pub fn extension_offers(&self) -> Result<Vec<ExtensionOffer>, ExtensionGrammarError> {
        ExtensionOffer::parse_lines(self.raw_headers().values("sec-websocket-extensions"))
    }

    /// Returns the part of the path that the route names so: `room` in `/chat/{room}`. Percent-decoded.
    pub fn param(&self, name: &str) -> Option<&str> {
        self.params.iter().find(|(known, _)| &**known == name).map(|(_, value)| &**value)
    }

    /// Walks the parts of the path that the route names, in the order of the path.
    pub fn params(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        self.params.iter().map(|(name, value)| (&**name, &**value))
    }

    /// Returns the address of the peer's end of the connection: the nearest proxy's, if there is one.
    pub fn remote_addr(&self) -> Option<SocketAddr> {
        self.remote_addr
    }

    /// Tells whether the connection came in over TLS. A proxy that ends TLS hides this.
    pub fn is_secure(&self) -> bool {
        self.secure
    }

    /// Returns what hooks attached to the request, by type: a user, a tenant, a trace.
    pub fn extensions(&self) -> &Extensions {
        &self.extensions
    }

    /// Returns what hooks attached to the request, to attach more.
    pub fn extensions_mut(&mut self) -> &mut Extensions {
        &mut self.extensions
    }

    /// Attaches the parts of the path that the route names, decoded.
    pub fn set_params<N, V>(&mut self, params: impl IntoIterator<Item = (N, V)>)
    where
        N: Into<Box<str>>,
        V: Into<Box<str>>,
    {
        self.params = params.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
    }

    /// Notes where the connection comes from.
    pub fn set_remote_addr(&mut self, addr: SocketAddr) {
        self.remote_addr = Some(addr);
    }

    /// Notes whether the connection is TLS, before the origin is checked.
    pub fn set_secure(&mut self, secure: bool) {
        self.secure = secure;
    }

    pub(crate) fn raw_headers(&self) -> Headers<'_> {
        Headers::of(&self.head)
    }

    fn path_and_query(&self) -> &str {
        self.text(self.target.path_and_query())
    }

    fn text(&self, range: Range<usize>) -> &str {
        self.head.get(range).and_then(|bytes| str::from_utf8(bytes).ok()).unwrap_or_default()
    }
}

impl fmt::Debug for Request {
    /// Shows header names only, and no query: values hold cookies and tokens.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("path", &self.path())
            .field("headers", &self.headers().map(|(name, _)| name).collect::<Vec<_>>())
            .field("params", &self.params)
            .field("remote_addr", &self.remote_addr)
            .field("secure", &self.secure)
            .finish_non_exhaustive()
    }
}
