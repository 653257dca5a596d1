//! Where the parts of a request target lie in a head. Knows the two forms a GET may have, no header and no route.

use std::ops::Range;

use super::{HeadReader, host::HostPort};

/// The places of a request target's parts, as offsets into the head. Eight bytes, since a head is at most 16 KiB.
///
/// Accepted are the origin-form and, because RFC 7230 §5.3.2 says a server MUST and RFC 6455 §4.2.1 names it, the
/// absolute-form with `http`, `https`, `ws` or `wss`. The authority-form belongs to CONNECT, `*` to OPTIONS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Target {
    start: u16,
    authority: u16,
    path: u16,
    end: u16,
}

impl Target {
    /// Finds the parts of the target at `start` of a head. The text that says why not is for people.
    pub(crate) fn parse(start: usize, text: &str) -> Result<Self, &'static str> {
        if !text.bytes().all(|byte| (0x21..=0x7e).contains(&byte)) {
            return Err("the request target must be ASCII: percent-encode the rest (RFC 3986 §2.1)");
        }
        if text.contains('#') {
            return Err("the request target must not have a fragment (RFC 6455 §3)");
        }
        let (authority, path) = if text.starts_with('/') { (0, 0) } else { absolute_form(text)? };
        let offset = |at: usize| u16::try_from(start + at).map_err(|_| "the request target is too long");
        Ok(Self {
            start: offset(0)?,
            authority: offset(authority)?,
            path: offset(path)?,
            end: offset(text.len())?,
        })
    }

    /// The target as sent.
    pub(crate) fn uri(self) -> Range<usize> {
        self.start.into()..self.end.into()
    }

    /// The authority of an absolute-form target. RFC 7230 §5.4: it counts, and `Host` does not.
    pub(crate) fn authority(self) -> Option<Range<usize>> {
        (self.authority > self.start).then(|| self.authority.into()..self.path.into())
    }

    /// The path and the query. Without the slash if an absolute-form target has none.
    pub(crate) fn path_and_query(self) -> Range<usize> {
        self.path.into()..self.end.into()
    }
}

const _: () = assert!(HeadReader::MAX_HEAD <= u16::MAX as usize);

/// Returns where the authority starts and where it ends.
fn absolute_form(text: &str) -> Result<(usize, usize), &'static str> {
    const FORM: &str = "the request target must be a path or an absolute URI (RFC 7230 §5.3)";
    let (scheme, rest) = text.split_once("://").ok_or(FORM)?;
    if !["http", "https", "ws", "wss"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
        return Err(FORM);
    }
    let length = rest.find(['/', '?']).unwrap_or(rest.len());
    HostPort::parse(&rest[..length]).ok_or("the request target's host is malformed (RFC 7230 §2.7)")?;
    let start = scheme.len() + "://".len();
    Ok((start, start + length))
}
