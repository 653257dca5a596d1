//! The msgpack converter.
