//! Walks the header lines of a head that was found well-formed. Knows lists and repetition, not what a header means.

use std::str;

use http::HeaderName;

/// The header lines of a complete head that `httparse` accepted and `HeadReader` collected: lines end with CR LF,
/// each has a name and a colon. Nothing is copied; each walk reads the bytes again, which is cheap at a few hundred.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Headers<'a> {
    lines: &'a [u8],
}

/// A header that may stand once stands twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Repeated;

impl<'a> Headers<'a> {
    /// Skips the start line.
    pub(crate) fn of(head: &'a [u8]) -> Self {
        Self { lines: split_line(head).1 }
    }

    /// Walks all lines in order: name as sent, value without the spaces around it.
    pub(crate) fn iter(self) -> HeaderLines<'a> {
        HeaderLines { left: self.lines }
    }

    /// Walks the values of all lines of one name, case aside.
    pub(crate) fn values(self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        self.iter().filter(move |(line, _)| line.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// Returns the value of a header that may stand once.
    pub(crate) fn only(self, name: &str) -> Result<Option<&'a [u8]>, Repeated> {
        let mut values = self.values(name);
        let first = values.next();
        match values.next() {
            None => Ok(first),
            Some(_) => Err(Repeated),
        }
    }

    /// Walks the elements of a comma-separated header over all its lines; empty ones are passed over (RFC 7230 §7).
    pub(crate) fn elements(self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        self.values(name)
            .flat_map(|value| value.split(|byte| *byte == b','))
            .map(trim)
            .filter(|element| !element.is_empty())
    }

    /// Tells whether a comma-separated header has this element, case aside.
    pub(crate) fn lists(self, name: &str, element: &str) -> bool {
        self.elements(name).any(|found| found.eq_ignore_ascii_case(element.as_bytes()))
    }
}

/// Walks header lines.
#[derive(Clone, Debug)]
pub(crate) struct HeaderLines<'a> {
    left: &'a [u8],
}

impl<'a> Iterator for HeaderLines<'a> {
    type Item = (&'a str, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (line, left) = split_line(self.left);
        self.left = left;
        let colon = line.iter().position(|byte| *byte == b':')?;
        let name = str::from_utf8(&line[..colon]).ok()?;
        Some((name, trim(&line[colon + 1..])))
    }
}

/// Tells whether the handshake itself writes this header, or the message would be framed by it: not for users to set.
pub(crate) fn is_reserved(name: &HeaderName) -> bool {
    let name = name.as_str();
    matches!(
        name,
        "connection" | "upgrade" | "content-length" | "transfer-encoding" | "te" | "trailer" | "expect"
    ) || name.starts_with("sec-websocket-")
}

fn split_line(bytes: &[u8]) -> (&[u8], &[u8]) {
    match bytes.iter().position(|byte| *byte == b'\n') {
        Some(end) => (bytes[..end].strip_suffix(b"\r").unwrap_or(&bytes[..end]), &bytes[end + 1..]),
        None => (bytes, &[]),
    }
}

fn trim(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &[u8] = b"GET / HTTP/1.1\r\nHost: a \r\nConnection: keep-alive,, \t Upgrade\r\nX:\r\n\
        connection:close\r\n\r\n";

    #[test]
    fn lines_are_walked_in_order_without_the_spaces_around_values() {
        let lines: Vec<_> = Headers::of(HEAD).iter().collect();
        let expected: [(&str, &[u8]); 4] = [
            ("Host", b"a"),
            ("Connection", b"keep-alive,, \t Upgrade"),
            ("X", b""),
            ("connection", b"close"),
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn lists_run_over_several_lines_and_match_whole_elements() {
        let headers = Headers::of(HEAD);
        let elements: Vec<_> = headers.elements("CONNECTION").collect();
        assert_eq!(elements, [&b"keep-alive"[..], b"Upgrade", b"close"]);
        assert!(headers.lists("connection", "upgrade") && headers.lists("connection", "CLOSE"));
        assert!(!headers.lists("connection", "up") && !headers.lists("connection", "keep"));
    }

    #[test]
    fn a_header_that_stands_twice_is_not_the_only_one() {
        let headers = Headers::of(HEAD);
        assert_eq!(headers.only("host"), Ok(Some(&b"a"[..])));
        assert_eq!(headers.only("x"), Ok(Some(&b""[..])));
        assert_eq!(headers.only("y"), Ok(None));
        assert_eq!(headers.only("connection"), Err(Repeated));
    }
}
