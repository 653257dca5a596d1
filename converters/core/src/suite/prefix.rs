//! Several values in one payload, one behind the other. Knows no format beyond what may stand between two values.

use proptest::{arbitrary::any, collection::vec};
use serde::de::IgnoredAny;

use super::{
    encode,
    hostile::decode_as_anything,
    nesting::deep_nest,
    random::{Tree, runner, tree},
    values::{External, Point, Rich, external, rich},
};
use crate::{ContentConverter, ConvertErrorKind, Format, guard::MAX_CONTAINERS};

/// What may stand between two values.
fn separators(converter: &impl ContentConverter) -> &'static [&'static [u8]] {
    match converter.format() {
        Format::Text => &[b" ", b"\n", b"\t\r\n "],
        Format::Binary => &[b""],
    }
}

/// Each value is read as if it stood alone, and the place behind it is told exactly.
pub fn values_one_behind_the_other_are_read_one_by_one(converter: &impl ContentConverter) {
    for separator in separators(converter) {
        let mut bytes = encode(converter, &rich());
        let mut ends = vec![bytes.len()];
        for number in [0u64, 7, 300, u64::MAX] {
            bytes.extend_from_slice(separator);
            converter.encode(&number, &mut bytes).unwrap();
            ends.push(bytes.len());
        }
        bytes.extend_from_slice(separator);
        converter.encode("text", &mut bytes).unwrap();
        ends.push(bytes.len());

        let (value, len) = converter.decode_prefix::<Rich>(&bytes).unwrap();
        assert_eq!((value, len), (rich(), ends[0]));
        assert_eq!(converter.prefix_len(&bytes).unwrap(), ends[0]);
        for (index, number) in [0, 7, 300, u64::MAX].into_iter().enumerate() {
            let (start, end) = (ends[index], ends[index + 1]);
            let (value, len) = converter.decode_prefix::<u64>(&bytes[start..]).unwrap();
            assert_eq!((value, len), (number, end - start));
            assert_eq!(converter.prefix_len(&bytes[start..]).unwrap(), end - start);
        }
        let last = &bytes[ends[4]..];
        assert_eq!(converter.decode_prefix::<&str>(last).unwrap(), ("text", last.len()));
        assert!(converter.decode_prefix::<IgnoredAny>(&bytes[ends[5]..]).is_err());
        assert!(converter.prefix_len(&bytes[ends[5]..]).is_err());
    }
}

/// A value that ends too early is an error wherever it is cut.
pub fn truncated_prefixes_are_refused(converter: &impl ContentConverter) {
    let bytes = encode(converter, &rich());
    for end in 0..bytes.len() {
        let error = converter.decode_prefix::<Rich>(&bytes[..end]).expect_err("the value is cut");
        assert_eq!(error.kind(), ConvertErrorKind::Decode, "cut at {end}");
        converter.decode_prefix::<IgnoredAny>(&bytes[..end]).expect_err("the value is cut");
        converter.prefix_len(&bytes[..end]).expect_err("the value is cut");
    }
}

/// Whatever follows the value, it is read as it stands.
pub fn what_follows_a_value_is_not_looked_at(converter: &impl ContentConverter) {
    let value = (external(), Some(Point { x: 1, y: 2 }));
    let bytes = encode(converter, &value);
    for tail in [&b"\0"[..], b"\x7f", b"\xff\xff\xff\xff\xff", b"\xc1", b"x", b"]", &bytes] {
        let long = [&bytes, tail].concat();
        let (read, len) = converter.decode_prefix::<(Vec<External>, Option<Point>)>(&long).unwrap();
        assert_eq!((&read, len), (&value, bytes.len()));
        assert_eq!(converter.decode_prefix::<IgnoredAny>(&long).unwrap().1, bytes.len());
        assert_eq!(converter.prefix_len(&long).unwrap(), bytes.len());
    }
}

/// The guard holds here as well; only the way past a value may go deeper.
pub fn prefixes_nested_too_deep_are_refused(converter: &impl ContentConverter) {
    for levels in [usize::from(MAX_CONTAINERS) + 1, 100_000] {
        let Some(bytes) = deep_nest(converter, levels) else { return };
        let error = converter.decode_prefix::<IgnoredAny>(&bytes).unwrap_err();
        assert_eq!(error.kind(), ConvertErrorKind::TooDeep);
        if let Ok(len) = converter.prefix_len(&bytes) {
            assert_eq!(len, bytes.len());
        }
    }
}

/// The first value in bytes is what exactly its bytes decode to.
pub fn arbitrary_prefixes_are_what_their_bytes_are(converter: &impl ContentConverter) {
    let separator = separators(converter)[0];
    let outcome = runner(200).run(&(vec(tree(), 1..4), vec(any::<u8>(), 0..20)), |(values, tail)| {
        let mut bytes = Vec::new();
        for value in &values {
            converter.encode(value, &mut bytes).unwrap();
            bytes.extend_from_slice(separator);
        }
        bytes.extend_from_slice(&tail);
        let mut rest = &bytes[..];
        for value in &values {
            let (read, len) = converter.decode_prefix::<Tree>(rest).unwrap();
            assert_eq!(&read, value);
            assert_eq!(converter.decode::<Tree>(&rest[..len]).unwrap(), read);
            assert_eq!(converter.prefix_len(rest).unwrap(), len);
            rest = &rest[len..];
        }
        Ok(())
    });
    assert_eq!(outcome, Ok(()));
}

/// Whatever the bytes are, a value found in them is within them, and the same when it stands alone.
pub fn arbitrary_bytes_have_no_length_beyond_them(converter: &impl ContentConverter) {
    let outcome = runner(2_000).run(&vec(any::<u8>(), 0..200), |bytes| {
        if let Ok(len) = converter.prefix_len(&bytes) {
            assert!(len <= bytes.len());
            decode_as_anything(converter, &bytes[..len]);
        }
        if let Ok((_, len)) = converter.decode_prefix::<IgnoredAny>(&bytes) {
            assert_eq!(converter.prefix_len(&bytes).unwrap(), len);
            converter.decode::<IgnoredAny>(&bytes[..len]).unwrap();
        }
        Ok(())
    });
    assert_eq!(outcome, Ok(()));
}
