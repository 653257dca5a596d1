//! What a connection holds for its peer, counted in bytes: its account, the pool that it shares with others, and what
//! is charged to it. Knows no message.

mod account;
mod charge;
mod load;
mod pool;
#[cfg(test)]
mod tests;

pub(crate) use account::{Account, FLOOR, LITTLE};
pub(crate) use charge::Charge;
pub(crate) use load::Load;
pub(crate) use pool::{DEFAULT_MEMORY, Pool};
