//! What is charged is what is allocated. The only test in its process: it counts allocations.

use converse_cbor::CborConverter;
use converse_core::suite::{
    Meter, what_is_charged_is_what_is_allocated, what_is_refused_has_allocated_no_more_than_the_allowance,
};
use peak_alloc::PeakAlloc;

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

#[test]
fn what_is_charged_is_allocated_and_no_more() {
    let meter = Meter {
        reset: || ALLOCATOR.reset_peak_usage(),
        current: || ALLOCATOR.current_usage(),
        peak: || ALLOCATOR.peak_usage(),
    };
    what_is_charged_is_what_is_allocated(&CborConverter::default(), meter);
    what_is_refused_has_allocated_no_more_than_the_allowance(&CborConverter::default(), meter);
}
