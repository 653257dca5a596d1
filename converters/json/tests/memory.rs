//! Lengths that promise more than there is cost no memory. The only test in its process: it counts allocations.

use converse_core::suite::{Meter, lying_lengths_cost_no_memory};
use converse_json::JsonConverter;
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
    // JSON declares no lengths; what is opened and never closed comes nearest.
    let lies: [&[u8]; 3] = [b"[", br#"{"1":"#, br#""text"#];
    lying_lengths_cost_no_memory(&JsonConverter::default(), &lies, meter);
}
