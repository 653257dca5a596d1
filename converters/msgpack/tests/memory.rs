//! Lengths that promise more than there is cost no memory. The only test in its process: it counts allocations.

use converse_core::suite::{Meter, lying_lengths_cost_no_memory};
use converse_msgpack::MessagePackConverter;
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
    let lies: [&[u8]; 8] = [
        b"\xdd\xff\xff\xff\xff",     // array 32
        b"\xdd\x00\x10\x00\x00",     // array 32, of a length that would still be allocated
        b"\xdf\xff\xff\xff\xff\x01", // map 32 and a key
        b"\xdb\xff\xff\xff\xff",     // str 32
        b"\xc6\xff\xff\xff\xff",     // bin 32
        b"\xc9\xff\xff\xff\xff\x01", // ext 32
        b"\xdc\xff\xff",             // array 16
        b"\xde\xff\xff\x01",         // map 16 and a key
    ];
    lying_lengths_cost_no_memory(&MessagePackConverter::default(), &lies, meter);
}
