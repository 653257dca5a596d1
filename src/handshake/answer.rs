//! Reads and judges a server's answer, whole. Knows what the client offered and RFC 6455 §4.1, no sockets.

use std::{mem, str};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode, Version};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::{
    HandshakeError, HeadError, HeadReader,
    body::BodyReader,
    headers::Headers,
    verify::{MAX_HEADERS, head_error},
};
use crate::extension::ExtensionOffer;

/// Reads the answer to one client handshake, however its bytes are split.
///
/// Passes over interim answers (103 Early Hints), verifies a 101 completely, and collects the body of anything
/// else, up to [`MAX_BODY`](Self::MAX_BODY), so that the error can show it.
#[derive(Debug)]
pub struct AnswerReader {
    accept: String,
    subprotocols: Vec<String>,
    extensions: Vec<String>,
    head: HeadReader,
    interim: usize,
    refusal: Option<(Response<()>, BodyReader)>,
}

/// A server's consent, verified (RFC 6455 §4.1).
#[derive(Debug)]
pub struct Accepted<'a> {
    /// The subprotocol that the server chose of those offered.
    pub subprotocol: Option<String>,
    /// The extensions that the server accepts, in its order; each name was offered. Whether their parameters
    /// are an answer to the offer is for the extension to judge.
    pub extensions: Vec<ExtensionOffer>,
    /// The whole answer, for its cookies and the like.
    pub response: Response<()>,
    /// The bytes behind the head: the first frames.
    pub rest: &'a [u8],
}

enum Verdict {
    Interim,
    Refused,
    Accepted { subprotocol: Option<String>, extensions: Vec<ExtensionOffer>, response: Response<()> },
}

impl AnswerReader {
    /// The most bytes of a refusal's body that are kept: 64 KiB. The rest is cut off.
    pub const MAX_BODY: usize = BodyReader::MAX;
    /// The most interim answers that are passed over. Chosen: servers send one or two.
    pub const MAX_INTERIM: usize = 8;

    pub(crate) fn new(key: &str, subprotocols: Vec<String>, extensions: Vec<String>) -> Self {
        let accept = derive_accept_key(key.as_bytes());
        Self { accept, subprotocols, extensions, head: HeadReader::response(), interim: 0, refusal: None }
    }

    /// Takes the next bytes; gives the server's consent once it is complete.
    ///
    /// # Errors
    /// The server refused and its answer is complete, or the answer breaks a rule. The reader is spent then.
    pub fn push<'a>(&mut self, mut bytes: &'a [u8]) -> Result<Option<Accepted<'a>>, HandshakeError> {
        while self.refusal.is_none() {
            let Some(head) = self.head.push(bytes)? else {
                return Ok(None);
            };
            bytes = head.rest;
            match self.judge(&head.bytes)? {
                Verdict::Interim | Verdict::Refused => {}
                Verdict::Accepted { subprotocol, extensions, response } => {
                    return Ok(Some(Accepted { subprotocol, extensions, response, rest: bytes }));
                }
            }
        }
        match &mut self.refusal {
            Some((_, body)) => body.push(bytes),
            None => return Ok(None),
        }
        if self.refusal.as_ref().is_some_and(|(_, body)| body.is_done()) {
            return Err(self.finish());
        }
        Ok(None)
    }

    /// Ends the reading: the stream is at its end, or the caller has waited long enough. Gives a refusal with what came
    /// of its body, or else [`HandshakeError::Closed`].
    pub fn finish(&mut self) -> HandshakeError {
        match self.refusal.take() {
            Some((response, body)) => HandshakeError::Refused(Box::new(response.map(|()| body.into_bytes()))),
            None => HandshakeError::Closed,
        }
    }

    fn judge(&mut self, head: &Bytes) -> Result<Verdict, HandshakeError> {
        let response = parse(head)?;
        let headers = Headers::of(head);
        match response.status() {
            StatusCode::SWITCHING_PROTOCOLS => {}
            status if status.is_informational() => {
                self.interim += 1;
                let bearable = self.interim <= Self::MAX_INTERIM;
                return if bearable { Ok(Verdict::Interim) } else { Err(HandshakeError::TooManyInterim) };
            }
            status => {
                self.refusal = Some((response, BodyReader::of(status, headers)));
                return Ok(Verdict::Refused);
            }
        }
        if response.version() != Version::HTTP_11 {
            return Err(HandshakeError::Version);
        }
        self.check_upgrade(headers)?;
        let extensions = self.check_extensions(headers)?;
        let subprotocol = self.check_subprotocol(headers)?;
        Ok(Verdict::Accepted { subprotocol, extensions, response })
    }

    /// RFC 6455 §4.1, the server's answer, items 2 to 4.
    fn check_upgrade(&self, headers: Headers<'_>) -> Result<(), HandshakeError> {
        match headers.only("upgrade") {
            Ok(Some(value)) if value.eq_ignore_ascii_case(b"websocket") => {}
            _ => return Err(HandshakeError::Upgrade),
        }
        if !headers.lists("connection", "upgrade") {
            return Err(HandshakeError::Connection);
        }
        match headers.only("sec-websocket-accept") {
            Ok(Some(value)) if value == self.accept.as_bytes() => Ok(()),
            _ => Err(HandshakeError::Accept),
        }
    }

    /// RFC 6455 §4.1, item 5, and §9.1.
    fn check_extensions(&self, headers: Headers<'_>) -> Result<Vec<ExtensionOffer>, HandshakeError> {
        let accepted = ExtensionOffer::parse_lines(headers.values("sec-websocket-extensions"))?;
        let stray =
            accepted.iter().find(|accepted| !self.extensions.iter().any(|name| name == accepted.name()));
        match stray {
            Some(stray) => Err(HandshakeError::ExtensionNotOffered(stray.name().to_owned())),
            None => Ok(accepted),
        }
    }

    /// RFC 6455 §4.1, item 6. That the server chose none is no fault.
    fn check_subprotocol(&mut self, headers: Headers<'_>) -> Result<Option<String>, HandshakeError> {
        let chosen = match headers.only("sec-websocket-protocol") {
            Err(_) => return Err(HandshakeError::RepeatedSubprotocol),
            Ok(None) => return Ok(None),
            Ok(Some(chosen)) => chosen,
        };
        match self.subprotocols.iter_mut().find(|offer| offer.as_bytes() == chosen) {
            Some(offer) => Ok(Some(mem::take(offer))),
            None => Err(HandshakeError::SubprotocolNotOffered(String::from_utf8_lossy(chosen).into_owned())),
        }
    }
}

/// Reads a complete head.
fn parse(head: &[u8]) -> Result<Response<()>, HeadError> {
    let mut lines = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut parsed = httparse::Response::new(&mut lines);
    let end = parsed.parse(head).map_err(head_error)?;
    let (httparse::Status::Complete(_), Some(code), Some(minor_version)) = (end, parsed.code, parsed.version)
    else {
        return Err(HeadError::Malformed("the head is not complete"));
    };
    let mut response = Response::new(());
    *response.status_mut() =
        StatusCode::from_u16(code).map_err(|_| HeadError::Malformed("the status is malformed"))?;
    *response.version_mut() = if minor_version == 0 { Version::HTTP_10 } else { Version::HTTP_11 };
    for line in parsed.headers.iter() {
        let name = HeaderName::from_bytes(line.name.as_bytes());
        let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(line.value)) else {
            return Err(HeadError::Malformed("a header is malformed"));
        };
        response.headers_mut().append(name, value);
    }
    Ok(response)
}
