//! An allocator that counts. Knows no test.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

/// Counts what is allocated. An allocation that grows in place of another counts as what it grows by.
pub(crate) struct Heap {
    now: AtomicUsize,
    peak: AtomicUsize,
}

impl Heap {
    pub(crate) const fn new() -> Self {
        Self { now: AtomicUsize::new(0), peak: AtomicUsize::new(0) }
    }

    fn grow(&self, bytes: usize) {
        let now = self.now.fetch_add(bytes, Relaxed) + bytes;
        self.peak.fetch_max(now, Relaxed);
    }

    fn shrink(&self, bytes: usize) {
        self.now.fetch_sub(bytes, Relaxed);
    }

    /// Begins to look for a new peak; returns what is allocated.
    pub(crate) fn mark(&self) -> usize {
        let now = self.now.load(Relaxed);
        self.peak.store(now, Relaxed);
        now
    }

    pub(crate) fn now_over(&self, mark: usize) -> usize {
        self.now.load(Relaxed).saturating_sub(mark)
    }

    pub(crate) fn peak_over(&self, mark: usize) -> usize {
        self.peak.load(Relaxed).saturating_sub(mark)
    }
}

// SAFETY: the system's allocator does the work.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.grow(layout.size());
        // SAFETY: as promised by the caller.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        self.grow(layout.size());
        // SAFETY: as promised by the caller.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        self.shrink(layout.size());
        // SAFETY: as promised by the caller.
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        match size.checked_sub(layout.size()) {
            Some(more) => self.grow(more),
            None => self.shrink(layout.size() - size),
        }
        // SAFETY: as promised by the caller.
        unsafe { System.realloc(at, layout, size) }
    }
}
