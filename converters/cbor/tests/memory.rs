//! Lengths that promise more than there is cost no memory. The only test in its process: it counts allocations.

use converse_cbor::CborConverter;
use converse_core::suite::{Meter, lying_lengths_cost_no_memory};
use peak_alloc::PeakAlloc;

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

#[test]
fn lengths_that_lie_cost_no_memory() {
    let meter = Meter {
        reset: || ALLOCATOR.reset_peak_usage(),
        current: || ALLOCATOR.current_usage(),
        peak: || ALLOCATOR.peak_usage(),
    };
    let lies: [&[u8]; 9] = [
        b"\x9b\xff\xff\xff\xff\xff\xff\xff\xff",     // array
        b"\x9a\x00\x10\x00\x00",                     // array, of a length that would still be allocated
        b"\xbb\xff\xff\xff\xff\xff\xff\xff\xff\x01", // map and a key
        b"\xba\x00\x10\x00\x00\x01",                 // map and a key, likewise
        b"\x7b\xff\xff\xff\xff\xff\xff\xff\xff",     // text
        b"\x5b\xff\xff\xff\xff\xff\xff\xff\xff",     // bytes
        b"\x5f\x5a\xff\xff\xff\xff",                 // bytes in chunks
        b"\x9f",                                     // array of indefinite length
        b"\xbf\x01",                                 // map of indefinite length and a key
    ];
    lying_lengths_cost_no_memory(&CborConverter::default(), &lies, meter);
}
