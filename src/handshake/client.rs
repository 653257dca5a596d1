//! The request of a client. Knows what may be asked for and how it is written, not how to reach the server.

use std::fmt;

use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use tokio_tungstenite::tungstenite::{client::IntoClientRequest, handshake::client::generate_key};

use super::{
    AnswerReader,
    headers::is_reserved,
    host::HostPort,
    rejection::{put_header, put_rest},
    url::{Endpoint, UrlError},
};
use crate::extension::{ExtensionGrammarError, ExtensionOffer, is_token};

/// What a client asks a server for: an endpoint, headers, subprotocols, extensions (RFC 6455 §4.1).
///
/// Each attempt is [started](Self::start) anew with a fresh key, so one value serves all reconnects.
///
/// ```
/// use converse::handshake::ClientHandshake;
///
/// let handshake = ClientHandshake::new("wss://example.com/chat?room=1")?.subprotocol("chat.v1")?;
/// assert_eq!((handshake.host(), handshake.port(), handshake.is_secure()), ("example.com", 443, true));
/// let (request, _answer) = handshake.start();
/// assert!(request.starts_with(b"GET /chat?room=1 HTTP/1.1\r\nHost: example.com\r\n"));
/// # Ok::<(), converse::handshake::RequestError>(())
/// ```
#[derive(Clone)]
pub struct ClientHandshake {
    endpoint: Endpoint,
    host: HeaderValue,
    headers: HeaderMap,
    subprotocols: Vec<String>,
    extensions: Vec<ExtensionOffer>,
}

/// A handshake can't be asked for so. The caller's fault.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// The URL is no WebSocket URL.
    #[error(transparent)]
    Url(#[from] UrlError),
    /// The handshake writes this header, or the request would be framed by it.
    #[error("the header {0} is the handshake's to write")]
    ReservedHeader(HeaderName),
    /// A `Host` in place of the URL's is malformed.
    #[error("the value of Host is malformed (RFC 7230 §5.4)")]
    Host,
    /// A subprotocol's name is not a token.
    #[error("the subprotocol {0:?} is not a token (RFC 6455 §4.1, item 10)")]
    InvalidSubprotocol(String),
    /// A subprotocol is offered twice.
    #[error("the subprotocol {0:?} is offered twice (RFC 6455 §4.1, item 10)")]
    RepeatedSubprotocol(String),
    /// More than [`ExtensionOffer::MAX_OFFERS`] offers.
    #[error("more than 16 extensions are offered")]
    TooManyExtensions,
    /// The `Sec-WebSocket-Extensions` of a foreign request doesn't follow its grammar.
    #[error(transparent)]
    Extensions(#[from] ExtensionGrammarError),
    /// A foreign request has another method than GET.
    #[error("a WebSocket opens with GET, not {0} (RFC 6455 §4.1, item 2)")]
    Method(Method),
    /// A foreign request could not be built.
    #[error("the request can't be built")]
    Foreign(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl ClientHandshake {
    /// Takes a `ws:` or `wss:` URL. A user and a password in it become `Authorization: Basic`.
    ///
    /// # Errors
    /// The URL is malformed, has another scheme, or has a fragment (RFC 6455 §3).
    pub fn new(url: &str) -> Result<Self, RequestError> {
        let endpoint = Endpoint::parse(url)?;
        let host = HeaderValue::try_from(endpoint.host_header()).map_err(|_| UrlError::Authority)?;
        let mut headers = HeaderMap::new();
        if let Some(credentials) = &endpoint.authorization {
            headers.insert(header::AUTHORIZATION, credentials.clone());
        }
        Ok(Self { endpoint, host, headers, subprotocols: Vec::new(), extensions: Vec::new() })
    }

    /// Takes what tokio-tungstenite's `connect_async` takes: an `http::Request`, a `ClientRequestBuilder`, a `Uri`.
    ///
    /// Its key, version, `Upgrade` and `Connection` are passed over for our own. A fragment is lost in
    /// `http::Uri` before we see it; [`new`](Self::new) refuses it.
    ///
    /// # Errors
    /// As for the methods that set the same things, and if the method is not GET.
    pub fn from_request(request: impl IntoClientRequest) -> Result<Self, RequestError> {
        let request = request.into_client_request().map_err(|error| RequestError::Foreign(error.into()))?;
        if request.method() != Method::GET {
            return Err(RequestError::Method(request.method().clone()));
        }
        let mut handshake = Self::new(&request.uri().to_string())?;
        for (name, value) in request.headers() {
            handshake = handshake.import(name, value)?;
        }
        Ok(handshake)
    }

    /// Adds a header. `Host`, `Origin` and `Authorization` stand once, the last value counts; others pile up. `Host` may
    /// differ from the URL's, to ask one address for another's name; TLS still checks the URL's.
    ///
    /// # Errors
    /// The header is `Connection`, `Upgrade`, `Sec-WebSocket-*` or one that frames a body; or a `Host` is malformed.
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Result<Self, RequestError> {
        if is_reserved(&name) {
            return Err(RequestError::ReservedHeader(name));
        }
        match name {
            header::HOST => {
                value.to_str().ok().and_then(HostPort::parse).ok_or(RequestError::Host)?;
                self.host = value;
            }
            header::ORIGIN | header::AUTHORIZATION => {
                self.headers.insert(name, value);
            }
            _ => {
                self.headers.append(name, value);
            }
        }
        Ok(self)
    }

    /// Offers a subprotocol, after those offered before (RFC 6455 §1.9).
    ///
    /// # Errors
    /// The name is not a token, or was offered before.
    pub fn subprotocol(mut self, name: impl Into<String>) -> Result<Self, RequestError> {
        let name = name.into();
        if !is_token(&name) {
            return Err(RequestError::InvalidSubprotocol(name));
        }
        if self.subprotocols.contains(&name) {
            return Err(RequestError::RepeatedSubprotocol(name));
        }
        self.subprotocols.push(name);
        Ok(self)
    }

    /// Offers an extension, after those offered before. One name may be offered in several ways (RFC 6455 §9.1).
    ///
    /// # Errors
    /// [`ExtensionOffer::MAX_OFFERS`] are offered already.
    pub fn extension(mut self, offer: ExtensionOffer) -> Result<Self, RequestError> {
        if self.extensions.len() == ExtensionOffer::MAX_OFFERS {
            return Err(RequestError::TooManyExtensions);
        }
        self.extensions.push(offer);
        Ok(self)
    }

    /// Returns the host to connect to; an IPv6 address without its brackets.
    pub fn host(&self) -> &str {
        &self.endpoint.host
    }

    /// Returns the port to connect to: the URL's, else 80 or, for `wss:`, 443.
    pub fn port(&self) -> u16 {
        self.endpoint.port
    }

    /// Tells whether the connection is to be TLS.
    pub fn is_secure(&self) -> bool {
        self.endpoint.secure
    }

    /// Begins one attempt: the bytes to send, and the reader that knows which answer fits them.
    pub fn start(&self) -> (Bytes, AnswerReader) {
        self.start_with_key(&generate_key())
    }

    pub(crate) fn start_with_key(&self, key: &str) -> (Bytes, AnswerReader) {
        let mut out = BytesMut::with_capacity(512);
        out.put_slice(format!("GET {} HTTP/1.1\r\n", self.endpoint.resource).as_bytes());
        put_header(&mut out, "Host", self.host.as_bytes());
        put_header(&mut out, "Upgrade", b"websocket");
        put_header(&mut out, "Connection", b"Upgrade");
        put_header(&mut out, "Sec-WebSocket-Key", key.as_bytes());
        put_header(&mut out, "Sec-WebSocket-Version", b"13");
        if !self.subprotocols.is_empty() {
            put_header(&mut out, "Sec-WebSocket-Protocol", self.subprotocols.join(", ").as_bytes());
        }
        put_rest(&mut out, &self.extensions, &self.headers);
        let extensions = self.extensions.iter().map(|offer| offer.name().to_owned()).collect();
        (out.freeze(), AnswerReader::new(key, self.subprotocols.clone(), extensions))
    }

    fn import(mut self, name: &HeaderName, value: &HeaderValue) -> Result<Self, RequestError> {
        match *name {
            header::CONNECTION | header::UPGRADE => Ok(self),
            header::SEC_WEBSOCKET_KEY | header::SEC_WEBSOCKET_VERSION => Ok(self),
            header::SEC_WEBSOCKET_PROTOCOL => {
                for token in String::from_utf8_lossy(value.as_bytes()).split(',') {
                    self = self.subprotocol(token.trim())?;
                }
                Ok(self)
            }
            header::SEC_WEBSOCKET_EXTENSIONS => {
                for offer in ExtensionOffer::parse_lines([value.as_bytes()])? {
                    self = self.extension(offer)?;
                }
                Ok(self)
            }
            header::HOST => {
                let host = value.to_str().ok().and_then(HostPort::parse).ok_or(RequestError::Host)?;
                if self.endpoint.is_named_by(host) {
                    Ok(self)
                } else {
                    self.header(header::HOST, value.clone())
                }
            }
            _ => self.header(name.clone(), value.clone()),
        }
    }
}

impl fmt::Debug for ClientHandshake {
    /// Shows header names only, and no query: values hold cookies and tokens.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let resource = &self.endpoint.resource;
        f.debug_struct("ClientHandshake")
            .field("secure", &self.endpoint.secure)
            .field("host", &self.endpoint.host)
            .field("port", &self.endpoint.port)
            .field("path", &resource.split_once('?').map_or(resource.as_str(), |(path, _)| path))
            .field("headers", &self.headers.keys().collect::<Vec<_>>())
            .field("subprotocols", &self.subprotocols)
            .field("extensions", &self.extensions)
            .finish_non_exhaustive()
    }
}
