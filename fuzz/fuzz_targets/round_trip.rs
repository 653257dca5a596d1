//! Messages, through the encoder and the decoder of permessage-deflate.
#![no_main]

use converse_fuzz::round_trip::Case;

libfuzzer_sys::fuzz_target!(|case: Case| case.check());
