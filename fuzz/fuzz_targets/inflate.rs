//! Frames of a hostile peer, into the decoder of permessage-deflate.
#![no_main]

use converse_fuzz::inflate::Case;

libfuzzer_sys::fuzz_target!(|case: Case| case.check());
