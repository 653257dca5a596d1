//! The HTTP answer to a request that doesn't become a session. Knows how it is written, not why it is given.

use std::{fmt, time::Duration};

use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use crate::extension::ExtensionOffer;

/// An HTTP answer in place of a session: from a rule of the handshake, or from a user's hook. Small: one pointer.
///
/// The connection ends behind it. `Content-Length`, `Connection` and `Transfer-Encoding` are the engine's to write and
/// are passed over when set here. A body without a `Content-Type` is announced as plain text in UTF-8.
///
/// ```
/// use converse::handshake::Rejection;
/// use http::{HeaderValue, StatusCode, header};
///
/// let rejection = Rejection::new(StatusCode::UNAUTHORIZED)
///     .header(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
///     .body("who are you?\n");
/// assert!(rejection.to_bytes().starts_with(b"HTTP/1.1 401 Unauthorized\r\n"));
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Rejection(Box<Inner>);

/// Bytes of a header's value that are told to the log.
const LONGEST: usize = 256;

/// Returns what a header's value begins with, for [`comparing`](Rejection::comparing).
pub(super) fn brief(value: &[u8]) -> &[u8] {
    value.get(..LONGEST).unwrap_or(value)
}

#[derive(Clone, PartialEq, Eq)]
struct Inner {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
    /// Which rule of this crate it tells of.
    why: Option<&'static str>,
    /// What that rule has compared: for the log, and not sent.
    compared: Option<String>,
    /// Whether it answers HEAD, and so tells the length of its body and has none.
    to_head: bool,
}

impl Rejection {
    /// Makes an answer without a body. Any final status will do, 200 for a health check too; a 1xx is not final and
    /// becomes 500, since a client would read on behind it.
    pub fn new(status: StatusCode) -> Self {
        let status = if status.is_informational() { StatusCode::INTERNAL_SERVER_ERROR } else { status };
        Self(Box::new(Inner {
            status,
            headers: HeaderMap::new(),
            body: Bytes::new(),
            why: None,
            compared: None,
            to_head: false,
        }))
    }

    /// Adds a header line. The types see to it that no value can end the line.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.append(name, value);
        self
    }

    /// Sets the body. Not sent with 204 and 304, which have none (RFC 7230 §3.3).
    #[must_use]
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.0.body = body.into();
        self
    }

    /// Returns the rule of this crate that it tells of, if it does.
    pub(crate) fn why(&self) -> Option<&'static str> {
        self.0.why
    }

    /// Notes what the rule has compared.
    pub(super) fn comparing(mut self, values: String) -> Self {
        self.0.compared = Some(values);
        self
    }

    /// Returns what the rule has compared, which is not sent.
    pub(crate) fn compared(&self) -> Option<&str> {
        self.0.compared.as_deref()
    }

    /// Makes it the answer to a HEAD request, which has no body (RFC 9110 §9.3.2).
    pub(crate) fn answering_head(mut self) -> Self {
        self.0.to_head = true;
        self
    }

    /// Makes a 400: the request breaks a rule of HTTP or of RFC 6455.
    pub fn bad_request(why: &'static str) -> Self {
        Self::explained(StatusCode::BAD_REQUEST, why)
    }

    /// Makes a 403: the request is understood and not allowed.
    pub fn forbidden(why: &'static str) -> Self {
        Self::explained(StatusCode::FORBIDDEN, why)
    }

    /// Makes a 404: no route has this path.
    pub fn not_found() -> Self {
        Self::explained(StatusCode::NOT_FOUND, "nothing is served at this path")
    }

    /// Makes a 405: WebSocket opens with GET (RFC 6455 §4.2.1).
    pub fn method_not_allowed() -> Self {
        Self::explained(StatusCode::METHOD_NOT_ALLOWED, "a WebSocket opens with GET (RFC 6455 §4.2.1)")
            .header(header::ALLOW, HeaderValue::from_static("GET"))
    }

    /// Makes a 408: the head did not arrive in time.
    pub fn request_timeout() -> Self {
        Self::explained(StatusCode::REQUEST_TIMEOUT, "the request took too long")
    }

    /// Makes a 421: the server does not answer for the host that was asked for (RFC 9110 §15.5.20).
    pub fn misdirected() -> Self {
        Self::explained(
            StatusCode::MISDIRECTED_REQUEST,
            "this Host is not served here: the server's hosts decide",
        )
    }

    /// Makes a 414: the request line exceeds its limit.
    pub fn uri_too_long() -> Self {
        Self::explained(StatusCode::URI_TOO_LONG, "the request line is longer than 8 KiB")
    }

    /// Makes a 426: this is no upgrade to WebSocket. Names the protocol and its version, as RFC 7231 §6.5.15 and
    /// RFC 6455 §4.2.2 want.
    pub fn upgrade_required(why: &'static str) -> Self {
        Self::explained(StatusCode::UPGRADE_REQUIRED, why)
            .header(header::UPGRADE, HeaderValue::from_static("websocket"))
            .header(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"))
    }

    /// Makes a 431: the head exceeds its limit (RFC 6585 §5).
    pub fn headers_too_large() -> Self {
        Self::explained(
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            "the request head is larger than 16 KiB or has more than 128 lines",
        )
    }

    /// Makes a 503: the server is full, or stopping. `retry_after` is rounded up to seconds.
    pub fn service_unavailable(retry_after: Option<Duration>) -> Self {
        let rejection =
            Self::explained(StatusCode::SERVICE_UNAVAILABLE, "the server takes no more sessions now");
        match retry_after {
            Some(wait) => {
                let seconds = wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0));
                rejection.header(header::RETRY_AFTER, HeaderValue::from(seconds))
            }
            None => rejection,
        }
    }

    /// Makes a 505: the major version of HTTP is not 1 (RFC 7231 §6.6.6).
    pub fn http_version_not_supported() -> Self {
        Self::explained(
            StatusCode::HTTP_VERSION_NOT_SUPPORTED,
            "a WebSocket opens with HTTP/1.1 (RFC 6455 §4.2.1)",
        )
    }

    /// Returns the status.
    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    /// Returns the headers that were set, without those the engine writes.
    pub fn headers(&self) -> &HeaderMap {
        &self.0.headers
    }

    /// Returns the body.
    pub fn content(&self) -> &Bytes {
        &self.0.body
    }

    /// Writes the answer as it goes over the wire.
    pub fn to_bytes(&self) -> Bytes {
        let Inner { status, headers, body, to_head, .. } = &*self.0;
        let has_body = !matches!(*status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        let mut out = BytesMut::with_capacity(256 + body.len());
        let reason = status.canonical_reason().unwrap_or_default();
        out.put_slice(format!("HTTP/1.1 {} {reason}\r\n", status.as_str()).as_bytes());
        for (name, value) in headers.iter().filter(|(name, _)| !is_framing(name)) {
            put_header(&mut out, name.as_str(), value.as_bytes());
        }
        if has_body {
            if !body.is_empty() && !headers.contains_key(header::CONTENT_TYPE) {
                put_header(&mut out, "content-type", b"text/plain; charset=utf-8");
            }
            put_header(&mut out, "content-length", body.len().to_string().as_bytes());
        }
        // RFC 7230 §6.7: whoever sends `Upgrade` lists it in `Connection`.
        let upgrade = headers.contains_key(header::UPGRADE);
        put_header(&mut out, "connection", if upgrade { b"upgrade, close" } else { b"close" });
        out.put_slice(b"\r\n");
        if has_body && !to_head {
            out.put_slice(body);
        }
        out.freeze()
    }

    fn explained(status: StatusCode, why: &'static str) -> Self {
        let mut rejection = Self::new(status).body(format!("{why}\n"));
        rejection.0.why = Some(why);
        rejection
    }
}

impl From<StatusCode> for Rejection {
    fn from(status: StatusCode) -> Self {
        Self::new(status)
    }
}

impl fmt::Debug for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rejection")
            .field("status", &self.0.status)
            .field("headers", &self.0.headers)
            .field("body_len", &self.0.body.len())
            .finish()
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the upgrade is refused with {}", self.0.status)
    }
}

impl std::error::Error for Rejection {}

/// Writes one header line.
pub(crate) fn put_header(out: &mut BytesMut, name: &str, value: &[u8]) {
    out.put_slice(name.as_bytes());
    out.put_slice(b": ");
    out.put_slice(value);
    out.put_slice(b"\r\n");
}

/// Writes what both ends of an upgrade write last: the extensions, their own headers, the blank line.
pub(crate) fn put_rest(out: &mut BytesMut, extensions: &[ExtensionOffer], headers: &HeaderMap) {
    if !extensions.is_empty() {
        put_header(out, "Sec-WebSocket-Extensions", ExtensionOffer::join(extensions).as_bytes());
    }
    for (name, value) in headers {
        put_header(out, name.as_str(), value.as_bytes());
    }
    out.put_slice(b"\r\n");
}

fn is_framing(name: &HeaderName) -> bool {
    [header::CONTENT_LENGTH, header::CONNECTION, header::TRANSFER_ENCODING].contains(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(rejection: &Rejection) -> String {
        String::from_utf8_lossy(&rejection.to_bytes()).into_owned()
    }

    #[test]
    fn a_rejection_writes_itself_with_its_length_and_ends_the_connection() {
        let rejection = Rejection::new(StatusCode::UNAUTHORIZED)
            .header(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
            .body("no\n");
        assert_eq!(
            written(&rejection),
            "HTTP/1.1 401 Unauthorized\r\nwww-authenticate: Bearer\r\ncontent-type: text/plain; charset=utf-8\r\n\
             content-length: 3\r\nconnection: close\r\n\r\nno\n"
        );
        assert_eq!(
            written(&Rejection::new(StatusCode::NOT_FOUND)),
            "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        );
    }

    #[test]
    fn framing_is_not_the_users() {
        let rejection = Rejection::new(StatusCode::OK)
            .header(header::CONTENT_LENGTH, HeaderValue::from_static("99"))
            .header(header::TRANSFER_ENCODING, HeaderValue::from_static("chunked"))
            .header(header::CONNECTION, HeaderValue::from_static("keep-alive"))
            .header(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))
            .body("{}");
        assert_eq!(
            written(&rejection),
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}"
        );
    }

    #[test]
    fn statuses_without_a_body_have_neither_body_nor_length() {
        let rejection = Rejection::new(StatusCode::NO_CONTENT).body("x");
        assert_eq!(written(&rejection), "HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n");
    }

    #[test]
    fn an_interim_status_is_no_rejection() {
        assert_eq!(
            Rejection::new(StatusCode::SWITCHING_PROTOCOLS).status(),
            StatusCode::INTERNAL_SERVER_ERROR
        );
        assert_eq!(Rejection::from(StatusCode::CONTINUE).status(), StatusCode::INTERNAL_SERVER_ERROR);
    }

    #[test]
    fn retry_after_is_rounded_up() {
        let after = |wait| {
            let rejection = Rejection::service_unavailable(wait);
            rejection.headers().get(header::RETRY_AFTER).map(|value| value.as_bytes().to_vec())
        };
        assert_eq!(after(Some(Duration::from_millis(1500))), Some(b"2".to_vec()));
        assert_eq!(after(None), None);
    }
}
