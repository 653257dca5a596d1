//! The notifications that both ends of this crate send beside those of methods, in the manner of the Language Server
//! Protocol. Knows no payload.

use std::borrow::Cow;

use converse_core::ContentConverter;

use super::{elements::elements, ids::RawId};
use crate::{
    rpc::{
        window::Window,
        wire::{GoAway, object::Object},
    },
    session::AnyConverter,
};

/// What the names of such notifications begin with.
pub(super) const RESERVED: &str = "$/";

/// A notification that speaks of a call, or of the connection.
pub(super) enum Notification<'m> {
    /// The caller does not want the answer to its request any more.
    Cancel(RawId),
    /// An item of the stream that the caller sends with its request.
    Item(RawId, &'m [u8]),
    /// The end of this stream.
    End(RawId),
    /// More of such a stream may be sent, for a call of this end.
    Credit(RawId, Window),
    GoAway(GoAway),
    /// A notification of a method.
    Method(Cow<'m, str>),
}

impl<'m> Notification<'m> {
    /// Reads a notification. `None`: it is reserved, and says nothing here.
    pub(super) fn read(converter: &AnyConverter, method: Cow<'m, str>, params: &'m [u8]) -> Option<Self> {
        let id = |json: &[u8]| RawId::read(converter, json);
        match &*method {
            "$/cancelRequest" => cancelled(converter, params).map(Self::Cancel),
            "$/item" => match *elements(converter, params, 2).ok()? {
                [call, item] => Some(Self::Item(id(call)?, item)),
                _ => None,
            },
            "$/end" => match *elements(converter, params, 1).ok()? {
                [call] => Some(Self::End(id(call)?)),
                _ => None,
            },
            "$/credit" => match *elements(converter, params, 3).ok()? {
                [call, items, bytes] => {
                    let (items, bytes) = (converter.decode(items).ok()?, converter.decode(bytes).ok()?);
                    Some(Self::Credit(id(call)?, Window { items, bytes }))
                }
                _ => None,
            },
            "$/goaway" => converter.decode(params).ok().map(Self::GoAway),
            name if name.starts_with(RESERVED) => None,
            _ => Some(Self::Method(method)),
        }
    }
}

/// Reads `{"id":..}`.
fn cancelled(converter: &AnyConverter, params: &[u8]) -> Option<RawId> {
    let mut object = Object::begin(converter, params).ok()?;
    while let Some(key) = object.next_key().ok()? {
        if key == "id" {
            return RawId::read(converter, object.skip().ok()?);
        }
    }
    None
}
