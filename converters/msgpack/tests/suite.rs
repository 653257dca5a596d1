//! Runs the behaviour shared by all converters. What only this format has is in `format.rs`.

converse_core::converter_suite!(converse_msgpack::MessagePackConverter::default());
