//! Bytes and frames of a conversation. Knows no table and no task.

mod hello;

#[allow(unused_imports)]
pub(crate) use hello::{GoAway, Hello};
