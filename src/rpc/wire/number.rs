//! Kinds and ids in compact frames: numbers of 32 bits, without the detour through serde. Knows no frame.

use converse_core::{ContentConverter, ConvertError};

use super::Array;
use crate::session::AnyConverter;

/// Appends a number in its shortest form.
pub(super) fn put(
    converter: &AnyConverter,
    array: Array,
    number: u32,
    out: &mut Vec<u8>,
) -> Result<(), ConvertError> {
    let (inline, markers) = match array {
        Array::MessagePack => (0x7f, [0xcc, 0xcd, 0xce]),
        Array::Cbor => (0x17, [0x18, 0x19, 0x1a]),
        Array::Plain => return converter.encode(&number, out),
    };
    let digits = number.to_be_bytes();
    let [.., last] = digits;
    match number {
        _ if number <= inline => out.push(last),
        0..=0xff => out.extend([markers[0], last]),
        0x100..=0xffff => {
            out.push(markers[1]);
            out.extend_from_slice(&digits[2..]);
        }
        _ => {
            out.push(markers[2]);
            out.extend_from_slice(&digits);
        }
    }
    Ok(())
}

/// Reads a number that the bytes begin with, in any of its usual forms, and how many bytes it takes; `None` when it
/// has another one, which the converter may know.
pub(super) fn take(array: Array, bytes: &[u8]) -> Option<(u32, usize)> {
    let (&first, rest) = bytes.split_first()?;
    let digits = match (array, first) {
        (Array::MessagePack, 0..=0x7f) | (Array::Cbor, 0..=0x17) => return Some((first.into(), 1)),
        (Array::MessagePack, 0xcc) | (Array::Cbor, 0x18) => 1,
        (Array::MessagePack, 0xcd) | (Array::Cbor, 0x19) => 2,
        (Array::MessagePack, 0xce) | (Array::Cbor, 0x1a) => 4,
        _ => return None,
    };
    let number = rest.get(..digits)?.iter().fold(0, |number, digit| number << 8 | u32::from(*digit));
    Some((number, 1 + digits))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use converse_cbor::CborConverter;
    use converse_msgpack::MessagePackConverter;

    use super::*;

    #[test]
    fn numbers_are_what_the_converters_write_and_read() {
        let formats = [
            (Array::MessagePack, AnyConverter::new(MessagePackConverter::default())),
            (Array::Cbor, AnyConverter::new(CborConverter::default())),
        ];
        let edges = [0, 23, 24, 127, 128, 255, 256, 65_535, 65_536, u32::MAX - 1, u32::MAX];
        for (array, converter) in formats {
            for number in edges.into_iter().chain((0..u32::MAX).step_by(9_999_991)) {
                let (mut written, mut by_converter) = (Vec::new(), Vec::new());
                put(&converter, array, number, &mut written).unwrap();
                converter.encode(&number, &mut by_converter).unwrap();
                assert_eq!(written, by_converter);
                let len = written.len();
                written.push(0xff);
                assert_eq!(take(array, &written), Some((number, len)));
                assert_eq!(take(array, &written[..len - 1]), None);
            }
        }
        assert_eq!(take(Array::MessagePack, &[0xcf, 0, 0, 0, 0, 0, 0, 0, 1]), None);
        assert_eq!(take(Array::Cbor, &[0x20]), None);
    }
}
