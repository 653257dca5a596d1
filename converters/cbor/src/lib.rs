//! The cbor converter.
