//! Ids as they travel in JSON-RPC 2.0: texts and numbers, kept as JSON. Knows no call.

use converse_core::ContentConverter;

use crate::{rpc::wire::text::Text, session::AnyConverter};

/// Bytes of the longest id that is taken.
const MAX_ID: usize = 256;

/// The id of a request, or of a subscription: the JSON of a text or of a number, which goes back as it came.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct RawId(Box<str>);

impl RawId {
    /// Reads an id from its JSON. `None` where it is neither text nor number, or too long.
    pub(super) fn read(converter: &AnyConverter, json: &[u8]) -> Option<Self> {
        if json.len() > MAX_ID {
            return None;
        }
        let is_text = match json.first()? {
            b'"' => true,
            b'-' | b'0'..=b'9' => false,
            _ => return None,
        };
        if is_text {
            let text = converter.decode::<Text<'_>>(json).ok()?.0;
            if json.contains(&b'\\') {
                // One text can be written in many ways, and is one id in all of them.
                return Self::of_text(converter, &text);
            }
        }
        std::str::from_utf8(json).ok().map(|json| Self(json.into()))
    }

    pub(super) fn of_text(converter: &AnyConverter, text: &str) -> Option<Self> {
        let mut json = Vec::new();
        converter.encode(text, &mut json).ok()?;
        String::from_utf8(json).ok().map(|json| Self(json.into()))
    }

    /// Returns the JSON.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the number where it is a whole one.
    pub(super) fn number(&self) -> Option<u64> {
        self.0.parse().ok()
    }
}
