//! Splits JSON arrays into their elements. Knows no frame, and parses no element.

use std::ops::Range;

use converse_core::ContentConverter;

use crate::{rpc::wire::object::trim_start, session::AnyConverter};

/// Why an array is not split.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unsplit {
    NotJson,
    TooLong,
}

/// Returns the JSON of each element of an array of at most `most`, behind which there is nothing but white space.
pub(super) fn elements<'m>(
    converter: &AnyConverter,
    array: &'m [u8],
    most: usize,
) -> Result<Vec<&'m [u8]>, Unsplit> {
    let places = places(converter, array, most)?;
    Ok(places.into_iter().filter_map(|place| array.get(place)).collect())
}

/// Returns where each of these elements stands in the array.
pub(super) fn places(
    converter: &AnyConverter,
    array: &[u8],
    most: usize,
) -> Result<Vec<Range<usize>>, Unsplit> {
    let mut elements = Vec::new();
    let mut rest = behind(b'[', array).ok_or(Unsplit::NotJson)?;
    if let Some(after) = behind(b']', rest) {
        return if trim_start(after).is_empty() { Ok(elements) } else { Err(Unsplit::NotJson) };
    }
    loop {
        if elements.len() == most {
            return Err(Unsplit::TooLong);
        }
        rest = trim_start(rest);
        let len = converter.prefix_len(rest).map_err(|_| Unsplit::NotJson)?;
        let at = array.len() - rest.len();
        let after = rest.get(len..).ok_or(Unsplit::NotJson)?;
        elements.push(at..at + len);
        if let Some(after) = behind(b',', after) {
            rest = after;
            continue;
        }
        return match behind(b']', after) {
            Some(after) if trim_start(after).is_empty() => Ok(elements),
            _ => Err(Unsplit::NotJson),
        };
    }
}

/// Returns what is behind a byte that comes next, white space aside.
fn behind(byte: u8, json: &[u8]) -> Option<&[u8]> {
    trim_start(json).strip_prefix(&[byte])
}
