//! Finds where a MessagePack value ends. Knows no types and no serde.

/// Returns how many bytes the first value takes; `None` when the bytes end within it or hold the marker that is
/// never used.
///
/// One loop whatever the nesting: all that is known of the containers around is how many values are still to come.
pub(crate) fn value_len(bytes: &[u8]) -> Option<usize> {
    let mut rest = bytes;
    let mut missing: u64 = 1;
    while missing > 0 {
        let (&marker, behind) = rest.split_first()?;
        rest = behind;
        let (skipped, contained) = match marker {
            0x00..=0x7f | 0xc0 | 0xc2 | 0xc3 | 0xe0..=0xff => (0, 0),
            0x80..=0x8f => (0, 2 * u64::from(marker & 0x0f)),
            0x90..=0x9f => (0, u64::from(marker & 0x0f)),
            0xa0..=0xbf => (u64::from(marker & 0x1f), 0),
            0xc1 => return None,
            // bin and str: a length.
            0xc4 | 0xd9 => (number(&mut rest, 1)?, 0),
            0xc5 | 0xda => (number(&mut rest, 2)?, 0),
            0xc6 | 0xdb => (number(&mut rest, 4)?, 0),
            // ext: a length, and a type of one byte.
            0xc7 => (number(&mut rest, 1)? + 1, 0),
            0xc8 => (number(&mut rest, 2)? + 1, 0),
            0xc9 => (number(&mut rest, 4)? + 1, 0),
            // fixext 1 to 16, with the type.
            0xd4..=0xd8 => ((1 << (marker - 0xd4)) + 1, 0),
            // Numbers of 8, 16, 32 and 64 bits: uint, int, float.
            0xcc | 0xd0 => (1, 0),
            0xcd | 0xd1 => (2, 0),
            0xce | 0xd2 | 0xca => (4, 0),
            0xcf | 0xd3 | 0xcb => (8, 0),
            0xdc => (0, number(&mut rest, 2)?),
            0xdd => (0, number(&mut rest, 4)?),
            0xde => (0, 2 * number(&mut rest, 2)?),
            0xdf => (0, 2 * number(&mut rest, 4)?),
        };
        rest = rest.get(usize::try_from(skipped).ok()?..)?;
        missing = missing - 1 + contained;
        // A value takes a byte at least, so what cannot be there any more need not be looked for.
        if missing > rest.len() as u64 {
            return None;
        }
    }
    Some(bytes.len() - rest.len())
}

/// Takes a number of `len` bytes, most significant first.
fn number(rest: &mut &[u8], len: usize) -> Option<u64> {
    let (digits, behind) = rest.split_at_checked(len)?;
    *rest = behind;
    Some(digits.iter().fold(0, |number, &digit| number << 8 | u64::from(digit)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::value_len;

    /// One value of each format in the specification.
    const VALUES: &[&[u8]] = &[
        b"\x00",
        b"\x7f",
        b"\xff",
        b"\xe0",
        b"\xc0",
        b"\xc2",
        b"\xc3",
        b"\xcc\x80",
        b"\xcd\x01\x00",
        b"\xce\0\x01\0\0",
        b"\xcf\0\0\0\x01\0\0\0\0",
        b"\xd0\x80",
        b"\xd1\x80\0",
        b"\xd2\x80\0\0\0",
        b"\xd3\x80\0\0\0\0\0\0\0",
        b"\xca\x3f\x80\0\0",
        b"\xcb\x3f\xf0\0\0\0\0\0\0",
        b"\xa0",
        b"\xa2ab",
        b"\xd9\x02ab",
        b"\xda\0\x02ab",
        b"\xdb\0\0\0\x02ab",
        b"\xc4\x02ab",
        b"\xc5\0\x02ab",
        b"\xc6\0\0\0\x02ab",
        b"\xd4\x01a",
        b"\xd5\x01ab",
        b"\xd6\x01abcd",
        b"\xd7\x01abcdefgh",
        b"\xd8\x01abcdefghabcdefgh",
        b"\xc7\x03\x01abc",
        b"\xc8\0\x03\x01abc",
        b"\xc9\0\0\0\x03\x01abc",
        b"\x90",
        b"\x92\x01\x91\xa1a",
        b"\xdc\0\x02\x01\x02",
        b"\xdd\0\0\0\x02\x01\x02",
        b"\x80",
        b"\x82\x01\x02\xa1a\x90",
        b"\xde\0\x01\x01\x02",
        b"\xdf\0\0\0\x01\x01\x02",
    ];

    #[test]
    fn every_format_ends_where_the_specification_says() {
        for value in VALUES {
            for behind in [&b""[..], b"\xc1", b"\xff\xff\xff\xff\xff\xff\xff\xff\xff"] {
                assert_eq!(value_len(&[value, behind].concat()), Some(value.len()), "{value:02x?}");
            }
            for end in 0..value.len() {
                assert_eq!(value_len(&value[..end]), None, "{value:02x?} up to {end}");
            }
        }
        assert_eq!(value_len(b"\xc1"), None);
    }

    #[test]
    fn lengths_that_lie_and_depth_end_the_search() {
        let nested = b"\xdd\xff\xff\xff\xff".repeat(100_000);
        assert_eq!(value_len(&nested), None);
        assert_eq!(value_len(&b"\xdf\xff\xff\xff\xff\x01".repeat(100_000)), None);
        let deep = [b"\x91".repeat(1_000_000), b"\x01".to_vec()].concat();
        assert_eq!(value_len(&deep), Some(deep.len()));
    }
}
