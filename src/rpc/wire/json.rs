//! Writes frames as JSON objects, keys in the order of the specification. Knows no reading.

use std::io::Write;

use converse_core::{ContentConverter, ConvertError, ConvertErrorKind};
use serde::Serialize;

use super::{GoAway, Hello, codes, metadata::Outgoing};
use crate::{
    rpc::{Metadata, Status},
    session::AnyConverter,
};

pub(super) fn hello(converter: &AnyConverter, hello: &Hello, out: &mut Vec<u8>) -> Result<(), ConvertError> {
    out.extend_from_slice(br#"{"hello":"#);
    converter.encode(hello, out)?;
    out.push(b'}');
    Ok(())
}

pub(super) fn invoke<A: Serialize + ?Sized>(
    converter: &AnyConverter,
    id: Option<u32>,
    method: &str,
    meta: &Metadata,
    args: &A,
    out: &mut Vec<u8>,
) -> Result<(), ConvertError> {
    out.push(b'{');
    if let Some(id) = id {
        out.extend_from_slice(br#""id":"#);
        converter.encode(&id, out)?;
        out.push(b',');
    }
    out.extend_from_slice(br#""method":"#);
    converter.encode(method, out)?;
    out.extend_from_slice(br#","params":"#);
    converter.encode(args, out)?;
    if let Some(meta) = Outgoing::of(meta) {
        out.extend_from_slice(br#","meta":"#);
        converter.encode(&meta, out)?;
    }
    out.push(b'}');
    Ok(())
}

/// Writes a frame whose one member beside the id is a value.
fn member<T: Serialize + ?Sized>(
    converter: &AnyConverter,
    id: u32,
    key: &[u8],
    value: &T,
    out: &mut Vec<u8>,
) -> Result<(), ConvertError> {
    start(converter, id, out)?;
    out.extend_from_slice(key);
    converter.encode(value, out)?;
    out.push(b'}');
    Ok(())
}

pub(super) fn ok<T: Serialize + ?Sized>(
    converter: &AnyConverter,
    id: u32,
    value: &T,
    out: &mut Vec<u8>,
) -> Result<(), ConvertError> {
    member(converter, id, br#","result":"#, value, out)
}

pub(super) fn ok_empty(_: &AnyConverter, id: u32, out: &mut Vec<u8>) -> Result<(), ConvertError> {
    put(out, format_args!(r#"{{"id":{id},"result":null}}"#))
}

pub(super) fn err(
    converter: &AnyConverter,
    id: u32,
    status: &Status,
    out: &mut Vec<u8>,
) -> Result<(), ConvertError> {
    out.push(b'{');
    if id != 0 {
        put(out, format_args!(r#""id":{id},"#))?;
    }
    error(converter, status, out)?;
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

pub(super) fn item<T: Serialize + ?Sized>(
    converter: &AnyConverter,
    id: u32,
    value: &T,
    out: &mut Vec<u8>,
) -> Result<(), ConvertError> {
    member(converter, id, br#","item":"#, value, out)
}

pub(super) fn end(_: &AnyConverter, id: u32, out: &mut Vec<u8>) -> Result<(), ConvertError> {
    put(out, format_args!(r#"{{"id":{id},"end":true}}"#))
}

pub(super) fn cancel(_: &AnyConverter, id: u32, out: &mut Vec<u8>) -> Result<(), ConvertError> {
    put(out, format_args!(r#"{{"cancel":{id}}}"#))
}

pub(super) fn credit(_: &AnyConverter, id: u32, items: u32, out: &mut Vec<u8>) -> Result<(), ConvertError> {
    put(out, format_args!(r#"{{"id":{id},"credit":{items}}}"#))
}

pub(super) fn ping(_: &AnyConverter, out: &mut Vec<u8>) -> Result<(), ConvertError> {
    out.extend_from_slice(b"{}");
    Ok(())
}

pub(super) fn go_away(
    converter: &AnyConverter,
    go_away: &GoAway,
    out: &mut Vec<u8>,
) -> Result<(), ConvertError> {
    out.extend_from_slice(br#"{"goaway":"#);
    converter.encode(go_away, out)?;
    out.push(b'}');
    Ok(())
}

/// Begins a frame of a call. The converter writes digits in fewer instructions than `format_args` takes.
fn start(converter: &AnyConverter, id: u32, out: &mut Vec<u8>) -> Result<(), ConvertError> {
    out.extend_from_slice(br#"{"id":"#);
    converter.encode(&id, out)
}

/// Writes text that needs no escapes.
pub(super) fn put(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) -> Result<(), ConvertError> {
    out.write_fmt(text).map_err(|error| ConvertError::new(ConvertErrorKind::Encode, error.to_string()))
}
