//! Transcripts of whole handshakes: what goes in, what comes out.

mod client;
mod server;
