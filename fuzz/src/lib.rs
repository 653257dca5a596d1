//! What the fuzz targets play, and the second opinions they compare with: an inflater and a judge of negotiations,
//! both written from the specifications alone. A case takes its bytes from front to back, so that inputs can be
//! written by hand.

pub mod blocks;
pub mod conversation;
pub mod cuts;
pub mod inflate;
pub mod inflater;
pub mod offer_parser;
pub mod receiver;
pub mod rfc7692;
pub mod round_trip;
pub mod settings;
mod tables;

#[cfg(test)]
mod tests;
