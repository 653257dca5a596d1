//! Transcripts between one engine and a hand-made peer, and between two engines, on a virtual clock.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod batch;
mod closing;
mod control;
mod eof;
mod extensions;
mod fragmentation;
mod framing;
mod harness;
mod holding;
mod keepalive;
mod limits;
mod properties;
mod raw;
mod sending;
mod timers;
mod toys;
mod traffic;

use harness::{Pair, Solo, Wire, config, frame, masked, ms, secs};
