//! What each end says first, and last. Knows no bytes.

use std::time::Duration;

/// The first frame of each end: what it can do, and what it takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hello {
    /// `v`: the minor version; the major one is in the subprotocol.
    pub(crate) version: u32,
    /// `caps`: what this end can do beyond the version.
    pub(crate) capabilities: Vec<String>,
    /// `window`: items that a stream towards this end may send before the first credit.
    pub(crate) window: u32,
    /// `inflight`: calls that this end serves at a time.
    pub(crate) in_flight: u32,
    /// `max`: bytes of the longest message that this end takes.
    pub(crate) max_message: u64,
    /// `ping`: how often the server sends a ping frame, in milliseconds; 0 for never.
    pub(crate) ping: u64,
    /// `token`: who the caller is, where a header cannot say it.
    pub(crate) token: Option<String>,
    /// `schema`: a name or a digest of what is served.
    pub(crate) schema: Option<String>,
}

impl Default for Hello {
    /// What holds where a hello leaves something out.
    fn default() -> Self {
        Self {
            version: 1,
            capabilities: Vec::new(),
            window: 32,
            in_flight: 16,
            max_message: 1024 * 1024,
            ping: 0,
            token: None,
            schema: None,
        }
    }
}

/// Says that this end takes no new calls and will close.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GoAway {
    /// `code`: the close code that will follow.
    pub(crate) code: u16,
    /// `reason`: a text for people.
    pub(crate) reason: String,
    /// `retry_ms`: after what time another connection may be tried.
    pub(crate) retry: Duration,
}
