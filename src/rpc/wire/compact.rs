//! Writes frames as arrays, the payload last. Knows no reading.

use converse_core::{ContentConverter, ConvertError};
use serde::Serialize;

use super::{Array, Control, Envelope, metadata::Outgoing, number, plain};
use crate::session::AnyConverter;

/// The first element of a frame.
pub(super) mod kind {
    pub(crate) const HELLO: u32 = 0;
    pub(crate) const CALL: u32 = 1;
    pub(crate) const NOTIFY: u32 = 2;
    pub(crate) const OK: u32 = 3;
    pub(crate) const ERR: u32 = 4;
    pub(crate) const ITEM: u32 = 5;
    pub(crate) const END: u32 = 6;
    pub(crate) const CANCEL: u32 = 7;
    pub(crate) const CREDIT: u32 = 8;
    pub(crate) const PING: u32 = 12;
    pub(crate) const GO_AWAY: u32 = 13;
}

/// Writes an array of `count` elements, at most 15, of which the kind is the first.
fn array(
    converter: &AnyConverter,
    array: Array,
    count: u8,
    kind: u32,
    out: &mut Vec<u8>,
    elements: impl FnOnce(&mut Vec<u8>) -> Result<(), ConvertError>,
) -> Result<(), ConvertError> {
    let start = out.len();
    match array {
        Array::MessagePack => out.push(0x90 | count),
        Array::Cbor => out.push(0x80 | count),
        Array::Plain => converter.encode(&count, out)?,
    }
    number::put(converter, array, kind, out)?;
    elements(out)?;
    if array == Array::Plain {
        plain::put_length(converter, start, out)?;
    }
    Ok(())
}

/// Writes a frame of a kind and so many elements that is about a call, whose id comes behind the kind.
fn of_call(
    converter: &AnyConverter,
    style: Array,
    (kind, count): (u32, u8),
    id: u32,
    out: &mut Vec<u8>,
    rest: impl FnOnce(&mut Vec<u8>) -> Result<(), ConvertError>,
) -> Result<(), ConvertError> {
    array(converter, style, count, kind, out, |out| {
        number::put(converter, style, id, out)?;
        rest(out)
    })
}

/// Writes a frame that carries a value.
pub(super) fn frame<T: Serialize + ?Sized>(
    converter: &AnyConverter,
    style: Array,
    envelope: Envelope<'_>,
    value: &T,
    out: &mut Vec<u8>,
) -> Result<(), ConvertError> {
    let (kind, id, method, meta) = match envelope {
        Envelope::Call { id, method, meta, .. } => (kind::CALL, Some(id), Some(method), Outgoing::of(meta)),
        Envelope::Notify { method, meta } => (kind::NOTIFY, None, Some(method), Outgoing::of(meta)),
        Envelope::Ok { id } => (kind::OK, Some(id), None, None),
        Envelope::Item { id } => (kind::ITEM, Some(id), None, None),
    };
    let count = 2 + u8::from(id.is_some()) + u8::from(method.is_some()) + u8::from(meta.is_some());
    array(converter, style, count, kind, out, |out| {
        if let Some(id) = id {
            number::put(converter, style, id, out)?;
        }
        if let Some(method) = method {
            converter.encode(method, out)?;
        }
        if let Some(meta) = meta {
            converter.encode(&meta, out)?;
        }
        converter.encode(value, out)
    })
}

/// Writes a frame that carries none.
pub(super) fn control(
    converter: &AnyConverter,
    style: Array,
    control: Control<'_>,
    out: &mut Vec<u8>,
) -> Result<(), ConvertError> {
    match control {
        Control::Hello(hello) => {
            array(converter, style, 2, kind::HELLO, out, |out| converter.encode(hello, out))
        }
        Control::GoAway(go_away) => {
            array(converter, style, 2, kind::GO_AWAY, out, |out| converter.encode(go_away, out))
        }
        Control::Ping => array(converter, style, 1, kind::PING, out, |_| Ok(())),
        Control::Done { id } => of_call(converter, style, (kind::OK, 2), id, out, |_| Ok(())),
        Control::End { id } => of_call(converter, style, (kind::END, 2), id, out, |_| Ok(())),
        Control::Cancel { id } => of_call(converter, style, (kind::CANCEL, 2), id, out, |_| Ok(())),
        Control::Credit { id, more } => of_call(converter, style, (kind::CREDIT, 4), id, out, |out| {
            number::put(converter, style, more.items, out)?;
            number::put(converter, style, more.bytes, out)
        }),
        Control::Err { id, status } => {
            let data = status.data_in(converter);
            of_call(converter, style, (kind::ERR, 4 + u8::from(data.is_some())), id, out, |out| {
                converter.encode(&i64::from(status.code().number()), out)?;
                converter.encode(status.message(), out)?;
                out.extend_from_slice(data.unwrap_or_default());
                Ok(())
            })
        }
    }
}
