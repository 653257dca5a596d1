//! Finds where a CBOR item ends. Knows no types and no serde.

use ciborium_ll::Header;
use converse_core::{ConvertError, ConvertErrorKind};

use crate::input::{Error, Input, StringKind};

/// How many items may be nested in one another where none of them is decoded.
const MAX_NESTED: usize = 1024;

/// What is still to come in a container.
enum Missing {
    Items(u64),
    /// An item of indefinite length ends with a break (RFC 8949 §3.2.2).
    Break,
}

/// Returns how many bytes the first item takes.
pub(crate) fn item_len(bytes: &[u8]) -> Result<usize, ConvertError> {
    let mut input = Input(bytes);
    // The containers around the next item, the innermost last.
    let mut around = vec![Missing::Items(1)];
    while let Some(innermost) = around.last_mut() {
        match innermost {
            Missing::Items(0) => {
                around.pop();
                continue;
            }
            Missing::Items(count) => *count -= 1,
            Missing::Break if input.take_break() => {
                around.pop();
                continue;
            }
            Missing::Break => {}
        }
        if let Some(inside) = pass(&mut input).map_err(malformed)? {
            if around.len() > MAX_NESTED {
                return Err(ConvertError::new(ConvertErrorKind::TooDeep, "more than 1,024 items are nested"));
            }
            around.push(inside);
        }
    }
    Ok(bytes.len() - input.0.len())
}

/// Passes a header and the string behind it; returns what is inside of the item.
fn pass(input: &mut Input<'_>) -> Result<Option<Missing>, Error> {
    let items = |len: usize, each: u64| Missing::Items((len as u64).saturating_mul(each));
    Ok(match input.header()? {
        Header::Bytes(len) => input.pass_string(StringKind::Bytes, len).map(|()| None)?,
        Header::Text(len) => input.pass_string(StringKind::Text, len).map(|()| None)?,
        Header::Array(len) => Some(len.map_or(Missing::Break, |len| items(len, 1))),
        Header::Map(len) => Some(len.map_or(Missing::Break, |len| items(len, 2))),
        Header::Tag(_) => Some(Missing::Items(1)),
        Header::Break => return Err(Error::new("a break is where an item should be")),
        _ => None,
    })
}

fn malformed(error: Error) -> ConvertError {
    ConvertError::of_format(ConvertErrorKind::Decode, error)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_item_ends_where_the_rfc_says() {
        let items: [&[u8]; 22] = [
            b"\x00",
            b"\x18\x80",
            b"\x19\x01\0",
            b"\x1a\0\x01\0\0",
            b"\x1b\0\0\0\x01\0\0\0\0",
            b"\x20",
            b"\x40",
            b"\x42ab",
            b"\x58\x02ab",
            b"\x5f\x41a\x41b\xff",
            b"\x62ab",
            b"\x7f\x61a\xff",
            b"\x80",
            b"\x82\x01\x81\x61a",
            b"\x98\x02\x01\x02",
            b"\x9f\x01\x9f\xff\xff",
            b"\xa1\x01\x82\x01\x02",
            b"\xbf\x01\x02\xff",
            b"\xc2\x49\x01\0\0\0\0\0\0\0\0",
            b"\xf6",
            b"\xf9\x7e\0",
            b"\xfb\x3f\xf0\0\0\0\0\0\0",
        ];
        for item in items {
            for behind in [&b""[..], b"\xff", b"\x01"] {
                assert_eq!(item_len(&[item, behind].concat()).unwrap(), item.len(), "{item:02x?}");
            }
            for end in 0..item.len() {
                assert!(item_len(&item[..end]).is_err(), "{item:02x?} up to {end}");
            }
        }
        assert!(item_len(b"\xff").is_err());
    }

    #[test]
    fn lengths_that_lie_and_depth_end_the_search() {
        for lie in [&b"\x9b\xff\xff\xff\xff\xff\xff\xff\xff"[..], b"\x5b\x7f\xff\xff\xff\xff\xff\xff\xff"] {
            assert!(item_len(&lie.repeat(1_000)).is_err());
        }
        assert_eq!(item_len(&b"\x81".repeat(1_000_000)).unwrap_err().kind(), ConvertErrorKind::TooDeep);
        assert_eq!(item_len(&b"\xc1".repeat(1_000_000)).unwrap_err().kind(), ConvertErrorKind::TooDeep);
        assert_eq!(item_len(&[&b"\x81".repeat(1_000)[..], b"\x01"].concat()).unwrap(), 1_001);
    }
}
