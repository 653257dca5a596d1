//! The end of values that nobody takes. Knows no call.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// A value of the application that nobody has taken yet: where that panics when it is dropped, the connection goes on.
#[derive(Debug)]
pub(crate) struct Unread<T>(Option<T>);

impl<T> Unread<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(Some(value))
    }

    /// Takes the value, which is the taker's from then on.
    pub(crate) fn take(mut self) -> Option<T> {
        self.0.take()
    }
}

impl<T> Drop for Unread<T> {
    fn drop(&mut self) {
        if let Some(value) = self.0.take() {
            discard(value, std::any::type_name::<T>());
        }
    }
}

/// Drops what is the application's: a panic is told to the log, and to nobody else.
pub(crate) fn discard<T>(value: T, what: &str) {
    if catch_unwind(AssertUnwindSafe(move || drop(value))).is_err() {
        tracing::error!("{what} panicked when dropped");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    };

    use super::*;

    struct Bomb(Arc<AtomicUsize>);

    impl Drop for Bomb {
        fn drop(&mut self) {
            self.0.fetch_add(1, SeqCst);
            panic!("dropped");
        }
    }

    #[test]
    fn values_that_panic_when_dropped_are_all_dropped() {
        let dropped = Arc::<AtomicUsize>::default();
        let values: Vec<_> = (0..3).map(|_| Unread::new(Bomb(Arc::clone(&dropped)))).collect();
        drop(values);
        assert_eq!(dropped.load(SeqCst), 3);
    }

    #[test]
    fn a_value_that_was_taken_is_not_dropped_here() {
        let dropped = Arc::<AtomicUsize>::default();
        let value = Unread::new(Bomb(Arc::clone(&dropped))).take();
        assert_eq!(dropped.load(SeqCst), 0);
        std::mem::forget(value);
    }
}
