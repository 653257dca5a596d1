//! Messages of anybody, to either end of a conversation.
#![no_main]

use converse_fuzz::conversation::Case;

libfuzzer_sys::fuzz_target!(|case: Case| case.check());
