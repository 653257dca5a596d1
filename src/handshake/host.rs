//! Splits and compares `host[:port]`. Knows no scheme and no header.

use std::net::Ipv6Addr;

/// The host and the port of an authority, as written (RFC 3986 §3.2). Borrowed from the text it was read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HostPort<'a> {
    /// The host; an IPv6 address without its brackets.
    pub(crate) host: &'a str,
    /// The port, if one is written. `host:` has none.
    pub(crate) port: Option<u16>,
}

impl<'a> HostPort<'a> {
    /// Reads `host`, `host:port`, `[v6]` or `[v6]:port`. No userinfo, no zone identifiers, no empty host.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (host, port) = rest.split_once(']')?;
                host.parse::<Ipv6Addr>().ok()?;
                (host, port)
            }
            None => {
                let (host, port) = text.split_at(text.find(':').unwrap_or(text.len()));
                if host.is_empty() || !host.bytes().all(is_reg_name_byte) {
                    return None;
                }
                (host, port)
            }
        };
        Some(Self { host, port: read_port(port)? })
    }

    /// Tells whether two hosts are one: case aside, IPv6 addresses by value. Ports are not looked at.
    pub(crate) fn same_host(self, other: HostPort<'_>) -> bool {
        match (self.host.parse::<Ipv6Addr>(), other.host.parse::<Ipv6Addr>()) {
            (Ok(ours), Ok(theirs)) => ours == theirs,
            _ => self.host.eq_ignore_ascii_case(other.host),
        }
    }
}

/// Reads what stands behind the host. The outer `None` is an error, the inner one an absent port.
#[allow(clippy::option_option)]
fn read_port(text: &str) -> Option<Option<u16>> {
    if text.is_empty() {
        return Some(None);
    }
    let digits = text.strip_prefix(':')?;
    if digits.is_empty() {
        return Some(None);
    }
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok().map(Some)
}

/// RFC 3986 §3.2.2: unreserved, percent-encoded or sub-delims.
fn is_reg_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn authorities_are_split_or_refused() {
        let table = [
            ("a", Some(("a", None))),
            ("a:1", Some(("a", Some(1)))),
            ("a:", Some(("a", None))),
            ("a_b.c-d:65535", Some(("a_b.c-d", Some(65535)))),
            ("127.0.0.1:80", Some(("127.0.0.1", Some(80)))),
            ("[::1]", Some(("::1", None))),
            ("[::1]:9001", Some(("::1", Some(9001)))),
            ("a:65536", None),
            ("a:+1", None),
            ("a:1:2", None),
            ("::1", None),
            ("[::1", None),
            ("[::1]9", None),
            ("[a]", None),
            ("[fe80::1%25eth0]", None),
            ("", None),
            (":80", None),
            ("a b", None),
            ("a/b", None),
            ("u@a", None),
            ("a,b", Some(("a,b", None))),
            ("\u{e4}", None),
        ];
        for (text, expected) in table {
            assert_eq!(HostPort::parse(text).map(|it| (it.host, it.port)), expected, "{text}");
        }
    }

    #[test]
    fn hosts_are_compared_by_meaning() {
        let same = |a, b| match (HostPort::parse(a), HostPort::parse(b)) {
            (Some(a), Some(b)) => a.same_host(b),
            _ => false,
        };
        assert!(same("Example.COM", "example.com:80"));
        assert!(same("[::1]", "[0:0::1]"));
        assert!(!same("example.com", "example.org"));
        assert!(!same("[::1]", "[::2]"));
    }
}
