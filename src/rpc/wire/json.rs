//! Writes frames as JSON objects, keys in the order of the specification. Knows no reading.

use std::io::Write;

use converse_core::{ContentConverter, ConvertError, ConvertErrorKind};
use serde::Serialize;

use super::{Control, Envelope, codes, metadata::Outgoing};
use crate::{
    rpc::{Status, window::Window},
    session::AnyConverter,
};

/// Writes a frame that carries a value.
pub(super) fn frame<T: Serialize + ?Sized>(
    converter: &AnyConverter,
    envelope: Envelope<'_>,
    value: &T,
    out: &mut Vec<u8>,
) -> Result<(), ConvertError> {
    let (id, method, key, meta) = match envelope {
        Envelope::Call { id, method, meta, .. } => {
            (Some(id), Some(method), r#""params":"#, Outgoing::of(meta))
        }
        Envelope::Notify { method, meta } => (None, Some(method), r#""params":"#, Outgoing::of(meta)),
        Envelope::Ok { id } => (Some(id), None, r#""result":"#, None),
        Envelope::Item { id } => (Some(id), None, r#""item":"#, None),
    };
    out.push(b'{');
    if let Some(id) = id {
        // The converter writes digits in fewer instructions than `format_args` takes.
        out.extend_from_slice(br#""id":"#);
        converter.encode(&id, out)?;
        out.push(b',');
    }
    if let Some(method) = method {
        out.extend_from_slice(br#""method":"#);
        converter.encode(method, out)?;
        out.push(b',');
    }
    out.extend_from_slice(key.as_bytes());
    converter.encode(value, out)?;
    if let Some(meta) = meta {
        out.extend_from_slice(br#","meta":"#);
        converter.encode(&meta, out)?;
    }
    out.push(b'}');
    Ok(())
}

/// Writes a frame that carries none.
pub(super) fn control(
    converter: &AnyConverter,
    control: Control<'_>,
    out: &mut Vec<u8>,
) -> Result<(), ConvertError> {
    match control {
        Control::Hello(hello) => {
            out.extend_from_slice(br#"{"hello":"#);
            converter.encode(hello, out)?;
        }
        Control::GoAway(go_away) => {
            out.extend_from_slice(br#"{"goaway":"#);
            converter.encode(go_away, out)?;
        }
        Control::Err { id, status } => {
            out.push(b'{');
            if id != 0 {
                put(out, format_args!(r#""id":{id},"#))?;
            }
            error(converter, status, out)?;
        }
        Control::Done { id } => put(out, format_args!(r#"{{"id":{id},"result":null"#))?,
        Control::End { id } => put(out, format_args!(r#"{{"id":{id},"end":true"#))?,
        Control::Cancel { id } => put(out, format_args!(r#"{{"cancel":{id}"#))?,
        Control::Credit { id, more: Window { items, bytes } } => {
            put(out, format_args!(r#"{{"id":{id},"credit":[{items},{bytes}]"#))?;
        }
        Control::Ping => out.push(b'{'),
    }
    out.push(b'}');
    Ok(())
}

/// Writes the member of a frame that says how a call failed.
pub(super) fn error(
    converter: &AnyConverter,
    status: &Status,
    out: &mut Vec<u8>,
) -> Result<(), ConvertError> {
    put(out, format_args!(r#""error":{{"code":{},"message":"#, codes::to_json(status.code())))?;
    converter.encode(status.message(), out)?;
    if let Some(data) = status.data_in(converter) {
        out.extend_from_slice(br#","data":"#);
        out.extend_from_slice(data);
    }
    out.push(b'}');
    Ok(())
}

/// Writes text that needs no escapes.
pub(super) fn put(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) -> Result<(), ConvertError> {
    out.write_fmt(text).map_err(|error| ConvertError::new(ConvertErrorKind::Encode, error.to_string()))
}
