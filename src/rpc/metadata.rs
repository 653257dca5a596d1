//! What travels beside the arguments of a call. Knows no wire.

use std::time::Duration;

/// What travels beside the arguments of a call: how long the caller waits, the trace it belongs to, and headers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metadata {
    pub(crate) deadline: Option<Duration>,
    pub(crate) traceparent: Option<String>,
    pub(crate) headers: Vec<(String, String)>,
}

impl Metadata {
    /// Begins with nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Tells whether nothing is there, and so nothing travels.
    pub fn is_empty(&self) -> bool {
        self.deadline.is_none() && self.traceparent.is_none() && self.headers.is_empty()
    }

    /// Returns how many bytes of memory its texts take.
    pub(crate) fn bytes(&self) -> usize {
        let headers = self.headers.iter().map(|(name, value)| name.len() + value.len());
        headers.sum::<usize>()
            + self.headers.capacity() * size_of::<(String, String)>()
            + self.traceparent.as_ref().map_or(0, String::len)
    }

    /// Returns how long the caller had left to wait when it called, in whole milliseconds.
    pub fn deadline(&self) -> Option<Duration> {
        self.deadline
    }

    /// Returns the trace that the call belongs to (W3C Trace Context, `traceparent`).
    pub fn traceparent(&self) -> Option<&str> {
        self.traceparent.as_deref()
    }

    /// Names the trace that the call belongs to (W3C Trace Context, `traceparent`).
    pub fn set_traceparent(&mut self, traceparent: impl Into<String>) {
        self.traceparent = Some(traceparent.into());
    }

    /// Returns the value of a header; names are case-sensitive.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Sets a header, in the place of one with the same name. `dl` and `tp` are taken: what is set under these names
    /// does not travel.
    pub fn set_header(&mut self, name: impl Into<String>, value: impl Into<String>) {
        let (name, value) = (name.into(), value.into());
        match self.headers.iter_mut().find(|(key, _)| *key == name) {
            Some(header) => header.1 = value,
            None => self.headers.push((name, value)),
        }
    }

    /// Returns all headers in the order they were set.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}
