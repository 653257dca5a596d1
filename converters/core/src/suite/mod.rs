//! The behaviour every content converter must show, as tests that are written once. Knows no concrete format.
//!
//! A crate that offers a converter enables the feature `suite` in its dev-dependencies and writes, in a test:
//!
//! ```text
//! converse_core::converter_suite!(MyConverter);
//! ```
//!
//! That makes one `#[test]` of each function here. A converter that does not tell where a value ends (see
//! [`decode_prefix_seed`](crate::ContentConverter::decode_prefix_seed)) fails those about prefixes; it takes the
//! others one by one. [`lying_lengths_cost_no_memory`],
//! [`what_is_charged_is_what_is_allocated`] and [`what_is_refused_has_allocated_no_more_than_the_allowance`] stand
//! apart, because they need a counting allocator, and the first of them hand-made bytes.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod allowance;
mod charges;
mod evolution;
mod hostile;
mod loose;
mod memory;
mod nesting;
mod numbers;
mod prefix;
mod random;
mod secrets;
mod shapes;
mod transport;
mod values;

use std::fmt::Debug;

use serde::{Serialize, de::DeserializeOwned};

use crate::{ContentConverter, ConvertErrorKind};

pub use allowance::*;
pub use charges::*;
pub use evolution::*;
pub use hostile::*;
pub use memory::*;
pub use nesting::*;
pub use numbers::*;
pub use prefix::*;
pub use random::*;
pub use secrets::*;
pub use shapes::*;
pub use transport::*;

/// Makes one `#[test]` of each behaviour of the [suite](crate::suite), for a converter.
#[macro_export]
macro_rules! converter_suite {
    ($converter:expr) => {
        $crate::converter_suite! { @tests $converter;
            a_message_of_its_own_kind_is_applicable
            a_binary_format_reads_no_text_messages
            the_subprotocol_is_a_token
            encoding_appends_and_leaves_the_prefix_alone
            a_text_format_writes_utf8
            a_value_survives_as_a_message
            text_decodes_as_its_bytes_do
            a_message_that_does_not_decode_comes_back

            a_rich_value_survives
            every_enum_representation_survives
            options_survive_and_nested_ones_collapse
            units_tuples_and_newtypes_survive
            unit_structs_are_units
            keys_of_maps_survive
            keys_that_are_containers_survive_or_are_refused
            flattened_structs_survive
            sequences_of_unknown_length_survive
            identifiers_addresses_and_times_are_text
            bytes_survive
            long_text_and_bytes_survive
            text_is_borrowed

            integers_of_64_bits_are_exact
            wide_integers_survive_if_they_fit_64_bits
            wide_integers_that_do_not_fit_are_refused
            wide_integers_are_refused_where_serde_buffers
            integers_outside_the_type_are_refused
            floats_survive
            whole_numbers_are_read_as_floats
            floats_are_not_read_as_integers
            numbers_that_are_not_finite_are_refused

            unknown_fields_are_ignored
            fields_come_in_any_order
            missing_optional_fields_take_their_default
            missing_required_fields_are_refused
            unknown_variants_are_refused
            duplicate_fields_are_refused
            the_last_of_duplicate_map_keys_wins

            truncated_payloads_are_refused
            payloads_with_one_byte_changed_do_no_harm
            trailing_bytes_are_refused
            arrays_longer_than_the_tuple_are_refused
            errors_of_the_value_itself_are_kept
            error_texts_quote_no_values
            values_that_look_like_words_are_not_quoted

            containers_nest_64_deep
            variants_nest_64_deep
            the_deepest_value_fits_the_stack
            containers_65_deep_are_refused
            variants_65_deep_are_refused
            a_hundred_thousand_levels_are_refused
            depth_is_counted_in_skipped_fields
            depth_is_counted_where_serde_buffers
            a_type_that_only_wraps_itself_is_refused
            a_value_without_end_is_not_encoded

            a_mebibyte_of_small_numbers_takes_four
            text_and_bytes_take_their_length
            a_value_may_take_four_times_its_payload
            payloads_share_the_scope_they_are_in
            prefixes_are_charged_too
            fixed_shapes_and_skipped_fields_take_nothing
            maps_take_what_tables_and_trees_take
            boxes_take_what_they_hold
            what_serde_buffers_is_charged

            values_one_behind_the_other_are_read_one_by_one
            truncated_prefixes_are_refused
            what_follows_a_value_is_not_looked_at
            prefixes_nested_too_deep_are_refused
            arbitrary_prefixes_are_what_their_bytes_are
            arbitrary_bytes_have_no_length_beyond_them

            arbitrary_bytes_never_panic
            arbitrary_values_survive
        }
    };
    (@tests $converter:expr; $($behaviour:ident)*) => {
        $(
            #[test]
            fn $behaviour() {
                $crate::suite::$behaviour(&$converter);
            }
        )*
    };
}

fn encode<T: Serialize + ?Sized>(converter: &impl ContentConverter, value: &T) -> Vec<u8> {
    let mut out = Vec::new();
    converter.encode(value, &mut out).expect("the value is expressible");
    out
}

fn encode_error<T: Serialize + ?Sized>(converter: &impl ContentConverter, value: &T) -> ConvertErrorKind {
    converter.encode(value, &mut Vec::new()).expect_err("the value is refused").kind()
}

fn decode<T: DeserializeOwned>(converter: &impl ContentConverter, bytes: &[u8]) -> T {
    converter.decode(bytes).expect("the bytes fit the type")
}

fn decode_error<T: DeserializeOwned + Debug>(
    converter: &impl ContentConverter,
    bytes: &[u8],
) -> ConvertErrorKind {
    converter.decode::<T>(bytes).expect_err("the bytes are refused").kind()
}

/// Encodes a value and decodes it as another type.
fn convert<T: Serialize + ?Sized, U: DeserializeOwned>(converter: &impl ContentConverter, value: &T) -> U {
    decode(converter, &encode(converter, value))
}

fn assert_survives<T>(converter: &impl ContentConverter, value: T)
where
    T: Serialize + DeserializeOwned + PartialEq + Debug,
{
    assert_eq!(convert::<_, T>(converter, &value), value);
}
