//! Takes a `ws:` or `wss:` URL apart. Knows RFC 6455 §3 and RFC 3986, resolves and connects nothing.

use http::HeaderValue;

use super::host::HostPort;

/// What a WebSocket URL says about where to connect and what to ask for.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    /// The host to connect to; an IPv6 address without its brackets.
    pub(crate) host: String,
    /// The port to connect to: the URL's, or 80 and 443.
    pub(crate) port: u16,
    /// Whether the scheme is `wss`.
    pub(crate) secure: bool,
    /// The path and the query, as written. Starts with a slash.
    pub(crate) resource: String,
    /// The credentials of the URL, as `Authorization` has them.
    pub(crate) authorization: Option<HeaderValue>,
}

/// A text is no WebSocket URL (RFC 6455 §3). The caller's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UrlError {
    /// A byte that no URL holds: a space, a control character, or one outside ASCII.
    #[error("byte {at} of the URL must be percent-encoded, or the host written in punycode (RFC 3986 §2)")]
    IllegalByte {
        /// The offset of the byte.
        at: usize,
    },
    /// A `#`: fragments mean nothing here, and a literal one is written `%23`.
    #[error("a WebSocket URL has no fragment: write %23 for # (RFC 6455 §3)")]
    Fragment,
    /// The scheme is missing, or neither `ws` nor `wss`.
    #[error("the URL must start with ws:// or wss:// (RFC 6455 §3)")]
    Scheme,
    /// The host is missing or malformed, or the port is no number from 1 to 65535.
    #[error("the URL's host or port is malformed (RFC 3986 §3.2)")]
    Authority,
    /// The user or the password has a malformed percent-encoding, or the user has a colon in it.
    #[error("the URL's user or password is malformed (RFC 7617 §2)")]
    UserInfo,
}

impl Endpoint {
    pub(crate) fn parse(url: &str) -> Result<Self, UrlError> {
        if let Some(at) = url.bytes().position(|byte| !byte.is_ascii_graphic()) {
            return Err(UrlError::IllegalByte { at });
        }
        if url.contains('#') {
            return Err(UrlError::Fragment);
        }
        let (scheme, rest) = url.split_once("://").ok_or(UrlError::Scheme)?;
        let secure = match scheme {
            _ if scheme.eq_ignore_ascii_case("ws") => false,
            _ if scheme.eq_ignore_ascii_case("wss") => true,
            _ => return Err(UrlError::Scheme),
        };
        let (authority, resource) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let (user_info, authority) = match authority.rsplit_once('@') {
            Some((user_info, authority)) => (Some(user_info), authority),
            None => (None, authority),
        };
        let HostPort { host, port } = HostPort::parse(authority).ok_or(UrlError::Authority)?;
        if port == Some(0) {
            return Err(UrlError::Authority);
        }
        Ok(Self {
            host: host.to_owned(),
            port: port.unwrap_or(if secure { 443 } else { 80 }),
            secure,
            resource: if resource.starts_with('/') { resource.to_owned() } else { format!("/{resource}") },
            authorization: user_info.map(basic_credentials).transpose()?,
        })
    }

    /// Writes the host the way `Host` wants it: brackets back, no default port (RFC 6455 §4.1, item 4).
    pub(crate) fn host_header(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        if self.port == self.default_port() { host } else { format!("{host}:{}", self.port) }
    }

    /// Tells whether a `Host` value names this endpoint.
    pub(crate) fn is_named_by(&self, host: HostPort<'_>) -> bool {
        let ours = HostPort { host: &self.host, port: None };
        ours.same_host(host) && host.port.unwrap_or(self.default_port()) == self.port
    }

    fn default_port(&self) -> u16 {
        if self.secure { 443 } else { 80 }
    }
}

/// Makes `Basic` credentials of a URL's userinfo (RFC 7617 §2).
fn basic_credentials(user_info: &str) -> Result<HeaderValue, UrlError> {
    let (user, password) = user_info.split_once(':').unwrap_or((user_info, ""));
    let mut plain = percent_decode(user)?;
    if plain.contains(&b':') {
        return Err(UrlError::UserInfo);
    }
    plain.push(b':');
    plain.extend(percent_decode(password)?);
    let mut value =
        HeaderValue::from_str(&format!("Basic {}", base64(&plain))).map_err(|_| UrlError::UserInfo)?;
    value.set_sensitive(true);
    Ok(value)
}

fn percent_decode(text: &str) -> Result<Vec<u8>, UrlError> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let mut digit = || char::from(bytes.next()?).to_digit(16);
        let (Some(high), Some(low)) = (digit(), digit()) else {
            return Err(UrlError::UserInfo);
        };
        decoded.push(u8::try_from(high * 16 + low).map_err(|_| UrlError::UserInfo)?);
    }
    Ok(decoded)
}

/// RFC 4648 §4. A dozen lines in place of a dependency for one header.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let byte = |index: usize| u32::from(group.get(index).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for index in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * index) & 63) as usize];
            text.push(if index <= group.len() { char::from(digit) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn urls_are_taken_apart() {
        // (URL, host, port, secure, resource, Host)
        let table = [
            ("ws://a", "a", 80, false, "/", "a"),
            ("wss://a", "a", 443, true, "/", "a"),
            ("WSS://A.example/x", "A.example", 443, true, "/x", "A.example"),
            ("ws://a:9001/chat?x=%20&y", "a", 9001, false, "/chat?x=%20&y", "a:9001"),
            ("ws://a:80/", "a", 80, false, "/", "a"),
            ("ws://a:443/", "a", 443, false, "/", "a:443"),
            ("wss://a:443/", "a", 443, true, "/", "a"),
            ("wss://a:80/", "a", 80, true, "/", "a:80"),
            ("ws://a:/", "a", 80, false, "/", "a"),
            ("ws://a?x=/@b", "a", 80, false, "/?x=/@b", "a"),
            ("ws://[::1]:9/", "::1", 9, false, "/", "[::1]:9"),
            ("wss://[2001:db8::1]", "2001:db8::1", 443, true, "/", "[2001:db8::1]"),
            ("ws://a//b/../c|d", "a", 80, false, "//b/../c|d", "a"),
        ];
        for (url, host, port, secure, resource, header) in table {
            let endpoint = Endpoint::parse(url).unwrap_or_else(|error| panic!("{url}: {error}"));
            assert_eq!((&*endpoint.host, endpoint.port, endpoint.secure), (host, port, secure), "{url}");
            assert_eq!((&*endpoint.resource, &*endpoint.host_header()), (resource, header), "{url}");
            assert!(endpoint.is_named_by(HostPort::parse(header).unwrap()), "{url}");
        }
    }

    #[test]
    fn what_is_no_websocket_url_is_refused() {
        let table = [
            ("ws://a/#b", UrlError::Fragment),
            ("ws://a#", UrlError::Fragment),
            ("http://a/", UrlError::Scheme),
            ("//a/", UrlError::Scheme),
            ("a:80", UrlError::Scheme),
            ("", UrlError::Scheme),
            ("ws:a", UrlError::Scheme),
            ("ws://", UrlError::Authority),
            ("ws:///x", UrlError::Authority),
            ("ws://:80/", UrlError::Authority),
            ("ws://a:0/", UrlError::Authority),
            ("ws://a:65536/", UrlError::Authority),
            ("ws://a:b/", UrlError::Authority),
            ("ws://[::1/", UrlError::Authority),
            ("ws://::1/", UrlError::Authority),
            ("ws://a/ b", UrlError::IllegalByte { at: 7 }),
            ("ws://a/\r\nX: y", UrlError::IllegalByte { at: 7 }),
            ("ws://b\u{fc}cher/", UrlError::IllegalByte { at: 6 }),
            ("ws://u%4@a/", UrlError::UserInfo),
            ("ws://u%zz@a/", UrlError::UserInfo),
            ("ws://u%3a:p@a/", UrlError::UserInfo),
        ];
        for (url, error) in table {
            assert_eq!(Endpoint::parse(url).err(), Some(error), "{url}");
        }
    }

    #[test]
    fn userinfo_becomes_basic_credentials_and_stays_out_of_logs() {
        let table = [
            ("ws://Aladdin:open%20sesame@a/", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="),
            ("ws://u@a/", "Basic dTo="),
            ("ws://u:p:q@a/", "Basic dTpwOnE="),
            ("ws://:@a/", "Basic Og=="),
            ("ws://u:%C3%A9@a/", "Basic dTrDqQ=="),
        ];
        for (url, expected) in table {
            let endpoint = Endpoint::parse(url).unwrap();
            assert_eq!(endpoint.authorization.clone().unwrap(), expected, "{url}");
            assert!(!format!("{endpoint:?}").contains("Basic"), "{endpoint:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_url_or_an_error(url in "(ws|wss)://.{0,40}") {
            if let Ok(endpoint) = Endpoint::parse(&url) {
                prop_assert!(endpoint.resource.starts_with('/'));
                prop_assert!(!endpoint.host.is_empty());
            }
        }
    }
}
