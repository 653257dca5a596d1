//! Emptied containers that a thread keeps for the next connection that needs one, so that neither an
//! idle connection holds memory nor a busy one allocates. Knows no content.

use std::cell::RefCell;

/// How many containers one thread keeps.
const KEPT: usize = 8;

/// A thread's spare containers of one kind.
#[derive(Debug)]
pub(crate) struct Spares<T>(RefCell<Vec<T>>);

impl<T> Spares<T> {
    /// Begins without any.
    pub(crate) const fn new() -> Self {
        Self(RefCell::new(Vec::new()))
    }

    /// Takes one, if there is any.
    pub(crate) fn take(&self) -> Option<T> {
        self.0.try_borrow_mut().ok()?.pop()
    }

    /// Keeps one, unless there are enough. It must be empty and of bounded capacity.
    #[inline]
    pub(crate) fn keep(&self, spare: T) {
        match self.0.try_borrow_mut() {
            Ok(mut spares) if spares.len() < KEPT => spares.push(spare),
            _ => {}
        }
    }
}
