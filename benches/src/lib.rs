//! What the measurements share. Each measurement is a binary of its own under `src/bin`, and ends by writing its
//! `RESULTS-….md` beside this crate's manifest.

pub mod batched;
pub mod clock;
#[path = "../../tests/support/compact.rs"]
pub mod compact;
pub mod deflate;
pub mod echo;
pub mod heap;
pub mod machine;
pub mod memory;
pub mod payload;
pub mod process;
pub mod rounds;
pub mod server;
pub mod stats;
pub mod table;
pub mod typed;
pub mod wire;

/// What a measurement that fails ends with: it has no one to recover for.
pub type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;
