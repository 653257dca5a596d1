//! Which web pages may open sessions. Knows origins and the host that was asked for, nothing else of the request.

use super::{Rejection, Request, host::HostPort, rejection::brief};

/// Which web pages may open a session (RFC 6455 §10.2). Anything that isn't allowed gets 403 before user code runs.
///
/// Browsers let any page connect anywhere and send the user's cookies along; the server's look at `Origin` is all that
/// stands between a foreign page and the user's session. A request without `Origin` is from no browser and
/// passes under each policy: this protects users of browsers, it doesn't authenticate programs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OriginPolicy(Rule);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Rule {
    SameHost,
    Any,
    Only(Vec<String>),
}

/// What stands for a page from a file, beside `null`.
const FILE: &str = "file://";

/// A text is not an origin: `scheme://host` or `scheme://host:port`, without a path (RFC 6454 §6.2).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an origin: write scheme://host or scheme://host:port (RFC 6454 §6.2)")]
pub struct InvalidOrigin(pub String);

impl OriginPolicy {
    /// Lets pages in that come from the host and port the request asks for. The default.
    ///
    /// A missing port is the scheme's own. On a connection that is known to be TLS, a page from plain `http:` is refused,
    /// whatever its port: whoever is on its way may have written it. On others the page's scheme counts for both, because a
    /// proxy may have ended TLS.
    /// `Origin: null` (a sandboxed frame, a file) is refused.
    pub const fn same_host() -> Self {
        Self(Rule::SameHost)
    }

    /// Lets every page in, and so every page's visitors with their cookies. For servers that know their users otherwise.
    pub fn any() -> Self {
        Self(Rule::Any)
    }

    /// Lets pages of these origins in and no others; the server's own is allowed only if it's in the list. `file://` is what
    /// some programs and web views send for a page from a file, and may be in it; what is sent with a slash behind the host
    /// (`https://host/`) is the origin without.
    ///
    /// # Errors
    /// One of the texts is not an origin. `null` is none.
    pub fn only<S: Into<String>>(origins: impl IntoIterator<Item = S>) -> Result<Self, InvalidOrigin> {
        let origins = origins.into_iter().map(|text| {
            let text = text.into();
            let known = text == FILE || Origin::parse(&text).is_some();
            if known { Ok(text) } else { Err(InvalidOrigin(text)) }
        });
        Ok(Self(Rule::Only(origins.collect::<Result<_, _>>()?)))
    }

    /// Judges a request.
    ///
    /// # Errors
    /// The 403 to send.
    pub fn check(&self, request: &Request) -> Result<(), Rejection> {
        // Not `Request::origin`: an `Origin` that isn't UTF-8 is there and must not pass as absent.
        let Some(value) = request.raw_headers().values("origin").next() else {
            return Ok(());
        };
        let text = std::str::from_utf8(value).ok();
        let origin = text.and_then(|text| Origin::parse(text.strip_suffix('/').unwrap_or(text)));
        let allowed = match (&self.0, origin) {
            (Rule::Any, _) => true,
            (Rule::Only(list), _) if text == Some(FILE) => list.iter().any(|known| known == FILE),
            (_, None) => false,
            (Rule::SameHost, Some(origin)) => origin.is_of_host(request.host(), request.is_secure()),
            (Rule::Only(list), Some(origin)) => {
                list.iter().filter_map(|text| Origin::parse(text)).any(|known| known.is_same(origin))
            }
        };
        if allowed {
            return Ok(());
        }
        let origin = String::from_utf8_lossy(brief(value));
        let rejection = Rejection::forbidden(
            "pages of this Origin may not connect: the server's origin policy decides (RFC 6455 §10.2)",
        );
        Err(rejection.comparing(format!(
            "Origin {origin:?} with Host {:?}",
            String::from_utf8_lossy(brief(request.host().as_bytes()))
        )))
    }
}

impl Default for OriginPolicy {
    fn default() -> Self {
        Self::same_host()
    }
}

/// A scheme, a host and a port (RFC 6454 §4), borrowed from a header or a list.
#[derive(Clone, Copy)]
struct Origin<'a> {
    scheme: &'a str,
    host: HostPort<'a>,
}

impl<'a> Origin<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let (scheme, authority) = text.split_once("://")?;
        let is_scheme_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
        if !scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            || !scheme.bytes().all(is_scheme_byte)
        {
            return None;
        }
        Some(Self { scheme, host: HostPort::parse(authority)? })
    }

    fn default_port(self) -> Option<u16> {
        match () {
            () if self.scheme.eq_ignore_ascii_case("http") => Some(80),
            () if self.scheme.eq_ignore_ascii_case("https") => Some(443),
            () => None,
        }
    }

    fn is_same(self, other: Origin<'_>) -> bool {
        self.scheme.eq_ignore_ascii_case(other.scheme)
            && self.host.same_host(other.host)
            && self.host.port.or(self.default_port()) == other.host.port.or(other.default_port())
    }

    fn is_of_host(self, asked: &str, secure: bool) -> bool {
        let (Some(asked), Some(default_port)) = (HostPort::parse(asked), self.default_port()) else {
            return false;
        };
        if secure && default_port != 443 {
            return false;
        }
        let asked_port = asked.port.unwrap_or(default_port);
        self.host.same_host(asked) && self.host.port.unwrap_or(default_port) == asked_port
    }
}
