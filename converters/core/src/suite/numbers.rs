//! What becomes of numbers at and over the edge. Knows no other shapes.

use serde::{Deserialize, Serialize};

use super::{assert_survives, convert, decode_error, encode, encode_error};
use crate::{ContentConverter, ConvertErrorKind};

/// No integer passes through a float: 64 bits are exact.
pub fn integers_of_64_bits_are_exact(converter: &impl ContentConverter) {
    assert_survives(converter, [u64::MAX, u64::MAX - 1, 1 << 53, (1 << 53) + 1, 1 << 63, 0]);
    assert_survives(converter, [i64::MIN, i64::MIN + 1, -(1 << 53) - 1, i64::MAX, -1, 0]);
    for bits in 0..64 {
        let power = 1u64 << bits;
        assert_survives(converter, [power - 1, power, power + 1]);
        assert_survives(converter, [!(power as i64), (power as i64).wrapping_neg()]);
    }
    assert_survives(converter, (u8::MAX, i8::MIN, u16::MAX, i16::MIN, u32::MAX, i32::MIN));
}

/// A 128-bit integer that fits 64 bits has the shape of one of 64 bits.
pub fn wide_integers_survive_if_they_fit_64_bits(converter: &impl ContentConverter) {
    assert_survives(converter, [u128::from(u64::MAX), 0]);
    assert_survives(converter, [i128::from(i64::MIN), -1, 0, i128::from(i64::MAX)]);
    assert_eq!(encode(converter, &7u128), encode(converter, &7u64));
    assert_eq!(encode(converter, &-7i128), encode(converter, &-7i64));
}

/// A 128-bit integer that needs more than 64 bits is not sent.
pub fn wide_integers_that_do_not_fit_are_refused(converter: &impl ContentConverter) {
    assert_eq!(encode_error(converter, &(u128::from(u64::MAX) + 1)), ConvertErrorKind::Number);
    assert_eq!(encode_error(converter, &(i128::from(i64::MAX) + 1)), ConvertErrorKind::Number);
    assert_eq!(encode_error(converter, &[Some(i128::from(i64::MIN) - 1)]), ConvertErrorKind::Number);
}

/// serde's own buffer, behind internally tagged enums and their like, has no 128-bit integers.
pub fn wide_integers_are_refused_where_serde_buffers(converter: &impl ContentConverter) {
    #[derive(Debug, Serialize, Deserialize)]
    #[serde(tag = "type")]
    enum Buffered {
        Wide { wide: i128 },
    }
    let bytes = encode(converter, &Buffered::Wide { wide: 1 });
    assert_eq!(decode_error::<Buffered>(converter, &bytes), ConvertErrorKind::Decode);
}

/// An integer that the type cannot hold is an error and no other integer.
pub fn integers_outside_the_type_are_refused(converter: &impl ContentConverter) {
    assert_eq!(decode_error::<u8>(converter, &encode(converter, &256)), ConvertErrorKind::Decode);
    assert_eq!(decode_error::<u64>(converter, &encode(converter, &-1)), ConvertErrorKind::Decode);
    assert_eq!(decode_error::<i64>(converter, &encode(converter, &(1u64 << 63))), ConvertErrorKind::Decode);
}

/// Floats come back bit by bit, and a single one through a double.
pub fn floats_survive(converter: &impl ContentConverter) {
    assert_survives(converter, [f64::MAX, f64::MIN_POSITIVE, 5e-324, 0.1, -0.1, 1.0, 65_504.0, 1e15]);
    assert_survives(converter, [f32::MAX, f32::MIN_POSITIVE, 1e-45, 0.1, -0.1, 1.0, 16_777_216.0]);
    assert!(convert::<_, f64>(converter, &-0.0f64).is_sign_negative());
    assert_eq!(convert::<_, f32>(converter, &f64::from(0.1f32)), 0.1f32);
    assert_eq!(convert::<_, f64>(converter, &0.5f32), 0.5);
}

/// A peer whose language has one type of number writes 1.0 as 1.
pub fn whole_numbers_are_read_as_floats(converter: &impl ContentConverter) {
    assert_eq!(convert::<_, f64>(converter, &1), 1.0);
    assert_eq!(convert::<_, f32>(converter, &-300), -300.0);
}

/// A float is not an integer, even if it is whole.
pub fn floats_are_not_read_as_integers(converter: &impl ContentConverter) {
    assert_eq!(decode_error::<u8>(converter, &encode(converter, &1.5)), ConvertErrorKind::Decode);
    assert_eq!(decode_error::<i64>(converter, &encode(converter, &1.0)), ConvertErrorKind::Decode);
}

/// NaN and the infinities are not sent: a format without them would make them null.
pub fn numbers_that_are_not_finite_are_refused(converter: &impl ContentConverter) {
    for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert_eq!(encode_error(converter, &value), ConvertErrorKind::Number);
        assert_eq!(encode_error(converter, &[Some((value as f32, 1))]), ConvertErrorKind::Number);
    }
}
