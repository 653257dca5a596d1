//! The members of a request or a response, as JSON. Knows no call.

use std::borrow::Cow;

use converse_core::{ContentConverter, ConvertError};

use crate::{
    rpc::wire::{object::Object, text::Text},
    session::AnyConverter,
};

/// The members of an object that JSON-RPC 2.0 knows; others are passed.
#[derive(Default)]
pub(super) struct Members<'m> {
    version: Option<&'m [u8]>,
    method: Option<&'m [u8]>,
    pub(super) id: Option<&'m [u8]>,
    pub(super) params: Option<&'m [u8]>,
    pub(super) result: Option<&'m [u8]>,
    pub(super) error: Option<&'m [u8]>,
    /// One of them comes twice.
    is_ambiguous: bool,
}

impl<'m> Members<'m> {
    /// Reads the object that `bytes` begin with; gives what is behind it, too.
    ///
    /// # Errors
    /// When the bytes begin with no JSON object.
    pub(super) fn read(converter: &AnyConverter, bytes: &'m [u8]) -> Result<(Self, &'m [u8]), ConvertError> {
        let mut members = Self::default();
        let mut object = Object::begin(converter, bytes)?;
        while let Some(key) = object.next_key()? {
            let slot = match &*key {
                "jsonrpc" => &mut members.version,
                "method" => &mut members.method,
                "id" => &mut members.id,
                "params" => &mut members.params,
                "result" => &mut members.result,
                "error" => &mut members.error,
                _ => continue,
            };
            members.is_ambiguous |= slot.replace(object.skip()?).is_some();
        }
        Ok((members, object.rest()))
    }

    /// Tells whether this answers something. What does is never answered itself, or two ends could go on for ever.
    pub(super) fn is_response(&self) -> bool {
        self.method.is_none() && (self.result.is_some() || self.error.is_some())
    }

    /// Tells whether this is a request or a notification, and of which method.
    pub(super) fn invokes(&self, converter: &AnyConverter) -> Option<Cow<'m, str>> {
        let version = converter.decode::<Text<'m>>(self.version?).ok()?.0;
        if version != "2.0" || self.is_ambiguous || self.result.is_some() || self.error.is_some() {
            return None;
        }
        Some(converter.decode::<Text<'m>>(self.method?).ok()?.0)
    }

    /// Tells whether a member comes twice, so that none can be trusted.
    pub(super) fn is_ambiguous(&self) -> bool {
        self.is_ambiguous
    }
}
