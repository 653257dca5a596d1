//! Conversations in JSON-RPC 2.0 as transcripts.
#![allow(clippy::unwrap_used)]
