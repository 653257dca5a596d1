//! The rules a request must keep to become a session. Knows RFC 6455 §4.2.1 and RFC 7230, no policy and no routes.

use std::str;

use bytes::Bytes;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::{HeadError, HeadReader, Rejection, Request, headers::Headers, host::HostPort, target::Target};
use crate::extension::{ExtensionOffer, is_token};

/// What a request that keeps all rules amounts to.
pub(crate) struct Verified {
    pub(crate) request: Request,
    /// The value of `Sec-WebSocket-Accept` (RFC 6455 §4.2.2).
    pub(crate) accept: String,
    pub(crate) offers: Vec<ExtensionOffer>,
}

/// Most header lines of a head. Browsers send about 20.
pub(crate) const MAX_HEADERS: usize = 128;

/// Holds a request's head against all rules, those of HTTP first, so that a plain HTTP client learns what it did
/// wrong before it learns that it should have asked for a WebSocket.
pub(crate) fn verify(head: Bytes) -> Result<Verified, Rejection> {
    if head.len() > HeadReader::MAX_HEAD {
        return Err(Rejection::headers_too_large());
    }
    let line = RequestLine::parse(&head)?;
    let headers = Headers::of(&head);
    check_method(line.method)?;
    let target = Target::parse(line.method.len() + 1, line.target).map_err(Rejection::bad_request)?;
    check_host(headers, line.minor_version)?;
    check_no_body(headers)?;
    check_upgrade(headers, line.minor_version)?;
    check_version(headers)?;
    let key = check_key(headers)?;
    check_origin_once(headers)?;
    check_subprotocols(headers)?;
    let offers = ExtensionOffer::parse_lines(headers.values("sec-websocket-extensions"))
        .map_err(|_| Rejection::bad_request("Sec-WebSocket-Extensions is malformed (RFC 6455 §9.1)"))?;
    let accept = derive_accept_key(key);
    Ok(Verified { request: Request::from_verified(head, target), accept, offers })
}

impl From<HeadError> for Rejection {
    /// Answers bytes that are no head: 414, 431 or 400.
    fn from(error: HeadError) -> Self {
        match error {
            HeadError::TooLarge => Self::headers_too_large(),
            HeadError::RequestLineTooLong => Self::uri_too_long(),
            HeadError::BareLineEnd { .. } => {
                Self::bad_request("a line doesn't end with CR LF (RFC 7230 §3.5)")
            }
            HeadError::Nul { .. } => Self::bad_request("a NUL byte in the head (RFC 7230 §3.2)"),
            HeadError::Malformed(why) => Self::bad_request(why),
        }
    }
}

/// Says in this crate's words what `httparse` finds wrong.
pub(crate) fn head_error(error: httparse::Error) -> HeadError {
    match error {
        httparse::Error::HeaderName => {
            HeadError::Malformed("a header name is malformed, or a line is folded")
        }
        httparse::Error::HeaderValue => HeadError::Malformed("a header value is malformed"),
        httparse::Error::NewLine => HeadError::Malformed("a line end is malformed"),
        httparse::Error::Status => HeadError::Malformed("the status is malformed"),
        httparse::Error::Token => HeadError::Malformed("the start line is malformed"),
        httparse::Error::Version => HeadError::Malformed("the HTTP version is malformed"),
        httparse::Error::TooManyHeaders => HeadError::TooLarge,
    }
}

struct RequestLine<'a> {
    method: &'a str,
    target: &'a str,
    minor_version: u8,
}

impl<'a> RequestLine<'a> {
    /// Parses the whole head, so that header lines can be walked without doubt afterwards.
    fn parse(head: &'a [u8]) -> Result<Self, Rejection> {
        let mut lines = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut request = httparse::Request::new(&mut lines);
        let end = match request.parse(head) {
            Ok(status) => status,
            Err(httparse::Error::Version) if names_http(head) => {
                return Err(Rejection::http_version_not_supported());
            }
            Err(error) => return Err(head_error(error).into()),
        };
        match (end, request.method, request.path, request.version) {
            (httparse::Status::Complete(end), Some(method), Some(target), Some(minor_version))
                if end == head.len() && head.starts_with(method.as_bytes()) =>
            {
                Ok(Self { method, target, minor_version })
            }
            _ => Err(Rejection::bad_request("the head is not complete")),
        }
    }
}

/// Tells whether the start line has three words and ends with a well-formed HTTP version, as HTTP/2's preface does
/// (RFC 7540 §3.5).
fn names_http(head: &[u8]) -> bool {
    let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let mut words = line.split(|byte| *byte == b' ').skip(2);
    let version = words.next().unwrap_or_default();
    let well_formed = matches!(version, [b'H', b'T', b'T', b'P', b'/', b'0'..=b'9', b'.', b'0'..=b'9']);
    well_formed && words.next().is_none()
}

fn check_method(method: &str) -> Result<(), Rejection> {
    if method == "GET" { Ok(()) } else { Err(Rejection::method_not_allowed()) }
}

/// RFC 7230 §5.4: exactly one `Host`, and a valid one. HTTP/1.0 knew none.
fn check_host(headers: Headers<'_>, minor_version: u8) -> Result<(), Rejection> {
    match headers.only("host") {
        Err(_) => Err(Rejection::bad_request("Host stands twice (RFC 7230 §5.4)")),
        Ok(None) if minor_version == 0 => Ok(()),
        Ok(None) => Err(Rejection::bad_request("Host is missing (RFC 7230 §5.4)")),
        Ok(Some(value)) => match str::from_utf8(value).ok().and_then(HostPort::parse) {
            Some(_) => Ok(()),
            None => Err(Rejection::bad_request("Host is malformed (RFC 7230 §5.4)")),
        },
    }
}

/// A body would be read as frames, or frames as a body: nobody who means well sends one.
fn check_no_body(headers: Headers<'_>) -> Result<(), Rejection> {
    if headers.values("transfer-encoding").next().is_some() {
        return Err(Rejection::bad_request("an upgrade has no body: Transfer-Encoding is refused"));
    }
    let is_zero = |value: &[u8]| !value.is_empty() && value.iter().all(|byte| *byte == b'0');
    if headers.values("content-length").all(is_zero) {
        Ok(())
    } else {
        Err(Rejection::bad_request("an upgrade has no body: Content-Length must be 0 or absent"))
    }
}

/// RFC 6455 §4.2.1, items 3 and 4. RFC 7230 §6.7: an `Upgrade` in HTTP/1.0 MUST be ignored, so there is none.
fn check_upgrade(headers: Headers<'_>, minor_version: u8) -> Result<(), Rejection> {
    if minor_version == 0 {
        return Err(Rejection::upgrade_required("HTTP/1.0 can't be upgraded (RFC 7230 §6.7)"));
    }
    if !headers.lists("upgrade", "websocket") {
        return Err(Rejection::upgrade_required("Upgrade doesn't list websocket (RFC 6455 §4.2.1)"));
    }
    if !headers.lists("connection", "upgrade") {
        return Err(Rejection::upgrade_required("Connection doesn't list upgrade (RFC 6455 §4.2.1)"));
    }
    Ok(())
}

/// RFC 6455 §4.2.1, item 6, and §4.4.
fn check_version(headers: Headers<'_>) -> Result<(), Rejection> {
    match headers.only("sec-websocket-version") {
        Ok(Some(b"13")) => Ok(()),
        _ => Err(Rejection::upgrade_required("Sec-WebSocket-Version must be 13, once (RFC 6455 §4.4)")),
    }
}

/// RFC 6455 §4.2.1, item 5: base64 of 16 bytes. What the unused low bits of the last character say is not our
/// business: the key is never decoded, and most peers don't look either.
fn check_key(headers: Headers<'_>) -> Result<&[u8], Rejection> {
    let is_base64 = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/".contains(byte);
    match headers.only("sec-websocket-key") {
        Err(_) => Err(Rejection::bad_request("Sec-WebSocket-Key stands twice (RFC 6455 §11.3.1)")),
        Ok(None) => Err(Rejection::bad_request("Sec-WebSocket-Key is missing (RFC 6455 §4.2.1)")),
        Ok(Some(key)) => match key.strip_suffix(b"==") {
            Some(digits) if digits.len() == 22 && digits.iter().all(is_base64) => Ok(key),
            _ => Err(Rejection::bad_request("Sec-WebSocket-Key is not base64 of 16 bytes (RFC 6455 §4.2.1)")),
        },
    }
}

/// RFC 6454 §7.3: at most one `Origin`. With two, a proxy may have judged the other one.
fn check_origin_once(headers: Headers<'_>) -> Result<(), Rejection> {
    match headers.only("origin") {
        Ok(_) => Ok(()),
        Err(_) => Err(Rejection::bad_request("Origin stands twice (RFC 6454 §7.3)")),
    }
}

fn check_subprotocols(headers: Headers<'_>) -> Result<(), Rejection> {
    let all_tokens =
        headers.elements("sec-websocket-protocol").all(|element| str::from_utf8(element).is_ok_and(is_token));
    if all_tokens {
        Ok(())
    } else {
        Err(Rejection::bad_request("Sec-WebSocket-Protocol is malformed (RFC 6455 §4.3)"))
    }
}
