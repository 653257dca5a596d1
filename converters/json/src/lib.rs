//! The json converter.
