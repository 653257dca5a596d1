//! Collects the bytes of an HTTP head up to its blank line. Knows line ends, not what the lines mean.

use bytes::Bytes;

/// Collects one HTTP/1.1 head, however the bytes are split, and hands back what is leftover behind it.
///
/// Each byte is looked at once, so that a peer that sends one byte at a time costs no more than one that sends all.
/// Only what could belong to a head is kept: at most [`MAX_HEAD`](Self::MAX_HEAD) bytes. After a head the reader
/// is ready for the next one; after an error it is spent.
///
/// Stricter than RFC 7230 §3.5 allows: a line ends with CR LF, nothing else. Heads that two parsers may split
/// differently are how requests are smuggled. Empty lines before the start line are passed over, as §3.5 advises.
#[derive(Debug)]
pub struct HeadReader {
    kept: Vec<u8>,
    seen: usize,
    line: usize,
    after_cr: bool,
    in_headers: bool,
    max_start_line: usize,
}

/// A complete head, and what came behind it in the same read.
#[derive(Debug, PartialEq, Eq)]
pub struct Head<'a> {
    /// The head, from the first byte of the start line to the end of the blank line. Exactly as large as needed.
    pub bytes: Bytes,
    /// The bytes behind the head: the first frames, or a body.
    pub rest: &'a [u8],
}

/// Bytes that are not, or not any more, an acceptable HTTP/1.1 head.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HeadError {
    /// The head has more than [`HeadReader::MAX_HEAD`] bytes or more than 128 header lines.
    #[error("the head is larger than 16 KiB or has more than 128 header lines")]
    TooLarge,
    /// The request line has more than [`HeadReader::MAX_REQUEST_LINE`] bytes.
    #[error("the request line is longer than 8 KiB")]
    RequestLineTooLong,
    /// A line feed without a carriage return, or the reverse (RFC 7230 §3.5).
    #[error("a line does not end with CR LF at byte {at}")]
    BareLineEnd {
        /// The offset of the byte, empty lines before the start line included.
        at: usize,
    },
    /// A NUL byte.
    #[error("a NUL byte at byte {at}")]
    Nul {
        /// The offset of the byte, empty lines before the start line included.
        at: usize,
    },
    /// The lines are not those of HTTP/1.1 (RFC 7230 §3): the text says which rule is broken.
    #[error("not an HTTP/1.1 head: {0}")]
    Malformed(&'static str),
}

enum Step {
    More,
    EmptyLineBefore,
    End,
}

impl HeadReader {
    /// The most bytes of a head, blank line and empty lines before it included: 16 KiB. Chosen: twice what
    /// browsers with large cookies send, and what peers cap at.
    pub const MAX_HEAD: usize = 16 * 1024;
    /// The most bytes of a request line: 8 KiB. RFC 7230 §3.1.1 recommends at least 8,000.
    pub const MAX_REQUEST_LINE: usize = 8 * 1024;

    /// Makes a reader for a request's head.
    pub fn request() -> Self {
        Self::new(Self::MAX_REQUEST_LINE)
    }

    /// Makes a reader for a response's head.
    pub fn response() -> Self {
        Self::new(Self::MAX_HEAD)
    }

    /// Takes the next bytes; gives the head once its blank line is there.
    ///
    /// # Errors
    /// The bytes can't become an acceptable head, whatever follows. Told as soon as it is certain.
    pub fn push<'a>(&mut self, bytes: &'a [u8]) -> Result<Option<Head<'a>>, HeadError> {
        let mut start = 0;
        for (index, &byte) in bytes.iter().enumerate() {
            match self.step(byte) {
                Ok(Step::More) => {}
                Ok(Step::EmptyLineBefore) => {
                    self.kept.clear();
                    start = index + 1;
                }
                Ok(Step::End) => {
                    let (head, rest) = bytes.split_at(index + 1);
                    return Ok(Some(Head { bytes: self.finish(&head[start..]), rest }));
                }
                Err(error) => {
                    self.kept.extend_from_slice(&bytes[start..index]);
                    return Err(error);
                }
            }
        }
        self.kept.extend_from_slice(&bytes[start..]);
        Ok(None)
    }

    /// Tells whether nothing but empty lines came yet: an end of stream here is a peer that asked for nothing.
    pub fn is_untouched(&self) -> bool {
        self.line == 0 && !self.in_headers
    }

    /// Tells whether a head that did not come whole begins with this method.
    pub(crate) fn has_method(&self, method: &[u8]) -> bool {
        self.kept.strip_prefix(method).is_some_and(|rest| rest.starts_with(b" "))
    }

    fn new(max_start_line: usize) -> Self {
        Self { kept: Vec::new(), seen: 0, line: 0, after_cr: false, in_headers: false, max_start_line }
    }

    fn step(&mut self, byte: u8) -> Result<Step, HeadError> {
        if self.seen == Self::MAX_HEAD {
            return Err(HeadError::TooLarge);
        }
        let at = self.seen;
        self.seen += 1;
        match byte {
            b'\n' if self.after_cr => {
                self.after_cr = false;
                return Ok(self.end_line());
            }
            b'\n' => return Err(HeadError::BareLineEnd { at }),
            _ if self.after_cr => return Err(HeadError::BareLineEnd { at: at - 1 }),
            b'\r' => self.after_cr = true,
            0 => return Err(HeadError::Nul { at }),
            _ if !self.in_headers && self.line == self.max_start_line => {
                return Err(HeadError::RequestLineTooLong);
            }
            _ => self.line += 1,
        }
        Ok(Step::More)
    }

    fn end_line(&mut self) -> Step {
        let empty = self.line == 0;
        self.line = 0;
        match (empty, self.in_headers) {
            (true, true) => Step::End,
            (true, false) => Step::EmptyLineBefore,
            (false, _) => {
                self.in_headers = true;
                Step::More
            }
        }
    }

    fn finish(&mut self, tail: &[u8]) -> Bytes {
        let kept = std::mem::replace(self, Self::new(self.max_start_line)).kept;
        if kept.is_empty() {
            return Bytes::copy_from_slice(tail);
        }
        let mut head = Vec::with_capacity(kept.len() + tail.len());
        head.extend_from_slice(&kept);
        head.extend_from_slice(tail);
        Bytes::from(head)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HEAD: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";

    fn read_all(bytes: &[u8]) -> Result<Option<(Bytes, Vec<u8>)>, HeadError> {
        let head = HeadReader::request().push(bytes)?;
        Ok(head.map(|head| (head.bytes, head.rest.to_vec())))
    }

    fn read_split(bytes: &[u8], sizes: &[usize]) -> Result<Option<(Bytes, Vec<u8>)>, HeadError> {
        let mut reader = HeadReader::request();
        let mut left = bytes;
        let mut sizes = sizes.iter().cycle();
        while !left.is_empty() {
            let size = sizes.next().map_or(1, |size| (*size).clamp(1, left.len()));
            let (now, later) = left.split_at(size);
            if let Some(head) = reader.push(now)? {
                return Ok(Some((head.bytes, [head.rest, later].concat())));
            }
            left = later;
        }
        Ok(None)
    }

    #[test]
    fn bytes_behind_the_head_come_back() {
        let leftover = [HEAD, b"\x81\x85frame"].concat();
        assert_eq!(read_all(&leftover), Ok(Some((Bytes::from_static(HEAD), b"\x81\x85frame".to_vec()))));
    }

    #[test]
    fn one_reader_reads_one_head_after_the_other() {
        let mut reader = HeadReader::response();
        let both = b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\n\r\n";
        let first = reader.push(both).unwrap().unwrap();
        assert_eq!(&first.bytes[..], b"HTTP/1.1 103 Early Hints\r\n\r\n");
        let second = reader.push(first.rest).unwrap().unwrap();
        assert_eq!((&second.bytes[..], second.rest), (&b"HTTP/1.1 200 OK\r\n\r\n"[..], &b""[..]));
    }

    #[test]
    fn empty_lines_before_the_request_line_are_passed_over() {
        let late = [b"\r\n\r\n", HEAD].concat();
        assert_eq!(read_all(&late), Ok(Some((Bytes::from_static(HEAD), vec![]))));
        assert_eq!(read_split(&late, &[1]), Ok(Some((Bytes::from_static(HEAD), vec![]))));
    }

    #[test]
    fn a_peer_that_asked_for_nothing_is_told_from_one_that_began() {
        let mut reader = HeadReader::request();
        for (bytes, untouched) in [("\r\n\r", true), ("\nG", false), ("ET / HTTP/1.1\r\n", false)] {
            assert_eq!(reader.push(bytes.as_bytes()), Ok(None));
            assert_eq!(reader.is_untouched(), untouched, "{bytes:?}");
        }
    }

    #[test]
    fn line_ends_other_than_crlf_and_nul_bytes_are_refused() {
        let bare = |at| Err(HeadError::BareLineEnd { at });
        assert_eq!(read_all(b"GET / HTTP/1.1\nHost: a\n\n"), bare(14));
        assert_eq!(read_all(b"GET / HTTP/1.1\r\nA: b\nC: d\r\n\r\n"), bare(20));
        assert_eq!(read_all(b"GET / HTTP/1.1\r\nA: b\rC: d\r\n\r\n"), bare(20));
        assert_eq!(read_all(b"GET / HTTP/1.1\r\nA: b\r\r\n\r\n"), bare(20));
        assert_eq!(read_all(b"\n\nGET / HTTP/1.1\r\n\r\n"), bare(0));
        assert_eq!(read_all(b"GET / HTTP/1.1\r\nA: b\0c\r\n\r\n"), Err(HeadError::Nul { at: 20 }));
        // A TLS ClientHello on the plain port does not wait for 16 KiB.
        assert_eq!(read_all(b"\x16\x03\x01\x00\xf4"), Err(HeadError::Nul { at: 3 }));
    }

    #[test]
    fn a_head_of_16_kib_is_read_and_one_byte_more_is_not() {
        let head = |size: usize| {
            let frame = "GET / HTTP/1.1\r\nA: \r\n\r\n".len();
            format!("GET / HTTP/1.1\r\nA: {}\r\n\r\n", "a".repeat(size - frame)).into_bytes()
        };
        let fits = head(HeadReader::MAX_HEAD);
        assert_eq!(read_all(&fits).unwrap().unwrap().0.len(), HeadReader::MAX_HEAD);
        assert_eq!(read_all(&head(HeadReader::MAX_HEAD + 1)), Err(HeadError::TooLarge));
        assert_eq!(read_split(&head(HeadReader::MAX_HEAD + 1), &[1]), Err(HeadError::TooLarge));
        assert_eq!(read_all(&b"\r\n".repeat(HeadReader::MAX_HEAD)), Err(HeadError::TooLarge));
    }

    #[test]
    fn a_request_line_over_8_kib_is_told_before_the_head_is_too_large() {
        let line = |size: usize| format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(size - 14)).into_bytes();
        assert!(read_all(&line(HeadReader::MAX_REQUEST_LINE)).unwrap().is_some());
        let long = line(HeadReader::MAX_REQUEST_LINE + 1);
        assert_eq!(read_all(&long), Err(HeadError::RequestLineTooLong));
        assert_eq!(read_all(&[b'a'; 20_000]), Err(HeadError::RequestLineTooLong));
        assert!(HeadReader::response().push(&long).unwrap().is_some());
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same_head(
            bytes in "(\r\n){0,2}[A-Z]{1,4} / HTTP/1.1\r\n([A-Z]: [a-z\r\n\x00]{0,9}\r\n){0,5}\r\n[a-z\r\n]{0,20}",
            sizes in prop::collection::vec(1usize..20, 1..10)
        ) {
            prop_assert_eq!(read_split(bytes.as_bytes(), &sizes), read_all(bytes.as_bytes()));
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = read_all(&bytes);
        }
    }
}
