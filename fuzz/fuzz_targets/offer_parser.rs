//! Header lines, through the grammar and the negotiation of permessage-deflate.
#![no_main]

use converse_fuzz::offer_parser::Case;

libfuzzer_sys::fuzz_target!(|case: Case| case.check());
