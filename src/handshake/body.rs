//! Reads the body of a refusal, within bounds. Knows HTTP's three ways to end a body, not what is in it.

use std::str;

use bytes::Bytes;
use http::StatusCode;

use super::headers::Headers;

/// Collects a response's body. What is malformed or too much ends it early: the refusal counts, its body is a courtesy.
#[derive(Debug)]
pub(crate) struct BodyReader {
    framing: Framing,
    body: Vec<u8>,
    overhead: usize,
}

/// How a body ends (RFC 7230 §3.3.3).
#[derive(Debug, PartialEq, Eq)]
enum Framing {
    Length(u64),
    Chunked(Chunk),
    UntilEof,
    Done,
}

/// Where in a chunked body the reader is (RFC 7230 §4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Chunk {
    Size { size: u64, digits: u8 },
    Extension { size: u64 },
    SizeEnd { size: u64 },
    Data { left: u64 },
    DataCr,
    DataLf,
}

impl BodyReader {
    /// The most bytes of a body that are kept, and the most bytes of chunk framing that are read.
    pub(crate) const MAX: usize = 64 * 1024;

    /// Decides by status and headers how the body ends (RFC 7230 §3.3.3).
    pub(crate) fn of(status: StatusCode, headers: Headers<'_>) -> Self {
        let framing = if matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
            Framing::Done
        } else if headers.values("transfer-encoding").next().is_some() {
            match headers.elements("transfer-encoding").last() {
                Some(last) if last.eq_ignore_ascii_case(b"chunked") => Framing::Chunked(Chunk::START),
                _ => Framing::UntilEof,
            }
        } else {
            match content_length(headers) {
                Ok(Some(0)) | Err(()) => Framing::Done,
                Ok(Some(length)) => Framing::Length(length),
                Ok(None) => Framing::UntilEof,
            }
        };
        Self { framing, body: Vec::new(), overhead: 0 }
    }

    /// Takes the next bytes. What comes behind the body is passed over.
    pub(crate) fn push(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && !self.is_done() {
            let (kept, framing) = self.step(bytes);
            bytes = &bytes[kept..];
            self.framing = if self.body.len() >= Self::MAX || self.overhead >= Self::MAX {
                Framing::Done
            } else {
                framing
            };
        }
    }

    /// Tells whether nothing more is wanted.
    pub(crate) fn is_done(&self) -> bool {
        self.framing == Framing::Done
    }

    /// Takes out what came.
    pub(crate) fn into_bytes(self) -> Bytes {
        self.body.into()
    }

    /// Consumes at least one byte; tells how many, and where that leads.
    fn step(&mut self, bytes: &[u8]) -> (usize, Framing) {
        match self.framing {
            Framing::Done => (bytes.len(), Framing::Done),
            Framing::UntilEof => (self.keep(bytes, u64::MAX), Framing::UntilEof),
            Framing::Length(left) => {
                let kept = self.keep(bytes, left);
                let left = left - kept as u64;
                (kept, if left == 0 { Framing::Done } else { Framing::Length(left) })
            }
            Framing::Chunked(Chunk::Data { left }) => {
                let kept = self.keep(bytes, left);
                let left = left - kept as u64;
                (kept, Framing::Chunked(if left == 0 { Chunk::DataCr } else { Chunk::Data { left } }))
            }
            Framing::Chunked(chunk) => {
                self.overhead += 1;
                (1, chunk.next(bytes[0]).map_or(Framing::Done, Framing::Chunked))
            }
        }
    }

    fn keep(&mut self, bytes: &[u8], at_most: u64) -> usize {
        let room = Self::MAX - self.body.len();
        let length = bytes.len().min(room).min(usize::try_from(at_most).unwrap_or(usize::MAX));
        self.body.extend_from_slice(&bytes[..length]);
        length
    }
}

impl Chunk {
    const START: Self = Self::Size { size: 0, digits: 0 };

    /// Moves over one byte of chunk framing. None at the last chunk, whose trailers nobody reads, and at a fault.
    fn next(self, byte: u8) -> Option<Self> {
        match (self, byte) {
            (Self::Size { size, digits: 1.. }, b'\r') | (Self::Extension { size }, b'\r') => {
                Some(Self::SizeEnd { size })
            }
            (Self::Size { size, digits: 1.. }, b';' | b' ' | b'\t') => Some(Self::Extension { size }),
            (Self::Size { size, digits: digits @ ..15 }, _) => {
                let digit = char::from(byte).to_digit(16)?;
                Some(Self::Size { size: size * 16 + u64::from(digit), digits: digits + 1 })
            }
            (Self::Extension { size }, _) => Some(Self::Extension { size }),
            (Self::SizeEnd { size: 0 }, _) => None,
            (Self::SizeEnd { size }, b'\n') => Some(Self::Data { left: size }),
            (Self::DataCr, b'\r') => Some(Self::DataLf),
            (Self::DataLf, b'\n') => Some(Self::START),
            _ => None,
        }
    }
}

/// Reads `Content-Length`; several that agree are one, others are a fault (RFC 7230 §3.3.2).
fn content_length(headers: Headers<'_>) -> Result<Option<u64>, ()> {
    let mut found = None;
    for value in headers.values("content-length").flat_map(|value| value.split(|byte| *byte == b',')) {
        let digits = str::from_utf8(value.trim_ascii()).map_err(|_| ())?;
        if digits.starts_with('+') {
            return Err(());
        }
        let length: u64 = digits.parse().map_err(|_| ())?;
        if found.is_some_and(|known| known != length) {
            return Err(());
        }
        found = Some(length);
    }
    Ok(found)
}
