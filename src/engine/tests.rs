//! Transcripts between engines and hand-made peers.
