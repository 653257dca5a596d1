//! What the notifications of a subscription say. Knows no call.

use bytes::Bytes;
use converse_core::ContentConverter;

use super::{END_OF_STREAM, ids::RawId};
use crate::{
    rpc::{
        Code, Status,
        status::StatusData,
        wire::{json_reader::error_object, object::Object, text::Text},
    },
    session::AnyConverter,
};

/// A notification of a subscription.
pub(super) struct Told<'m> {
    pub(super) subscription: RawId,
    pub(super) says: Says<'m>,
}

pub(super) enum Says<'m> {
    Item(&'m [u8]),
    Error(&'m [u8]),
}

impl<'m> Told<'m> {
    /// Reads parameters that are exactly those of a subscription: its id, and a result or an error.
    pub(super) fn read(converter: &AnyConverter, params: &'m [u8]) -> Option<Self> {
        let (mut subscription, mut says) = (None, None);
        let mut object = Object::begin(converter, params).ok()?;
        while let Some(key) = object.next_key().ok()? {
            let value = object.skip().ok()?;
            let twice = match &*key {
                "subscription" => subscription.replace(RawId::read(converter, value)?).is_some(),
                "result" => says.replace(Says::Item(value)).is_some(),
                "error" => says.replace(Says::Error(value)).is_some(),
                _ => true,
            };
            if twice {
                return None;
            }
        }
        Some(Self { subscription: subscription?, says: says? })
    }
}

/// Reads the error of a subscription, which libraries write as an object, as a text, or otherwise. `None`: it ends in
/// peace.
pub(super) fn failure(converter: &AnyConverter, json: &[u8]) -> Option<Status> {
    if let Ok((code, status)) = error_object(converter, json) {
        return (code != END_OF_STREAM).then_some(status);
    }
    if let Ok(text) = converter.decode::<Text<'_>>(json) {
        return Some(Status::new(Code::UNKNOWN, text.0));
    }
    let data = StatusData { converter: converter.clone(), bytes: Bytes::copy_from_slice(json) };
    Some(Status::new(Code::UNKNOWN, "").with_data(Some(data)))
}
