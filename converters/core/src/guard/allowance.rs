//! How much memory decoding may still make on this thread. Knows no values: it takes sizes.

use std::cell::Cell;

/// The bytes of memory that decoding one payload may make at least, where no [`within`] says another limit: 4 MiB.
///
/// A payload of more than a quarter of it may make four times its own length.
pub const DEFAULT_ALLOWANCE: usize = 4 << 20;

/// What [`LEFT`] holds while nothing is limited.
const NO_SCOPE: usize = usize::MAX;

/// The most that a scope may have. [`LEFT`] is more only without one, or while what is left is set [`Aside`].
const MAX_LIMIT: usize = isize::MAX as usize;

thread_local! {
    /// The bytes that may still be made. Of a type without a destructor, so that a look costs a single load.
    static LEFT: Cell<usize> = const { Cell::new(NO_SCOPE) };

    /// What is left while it is set [`Aside`].
    static ASIDE: Cell<usize> = const { Cell::new(0) };
}

/// Runs a closure within which decoding makes at most `bytes` of memory on this thread, and tells how much was made.
///
/// Every [`DecodeGuard`](super::DecodeGuard) charges what it decodes, before memory grows: see the table of
/// [this module](super). A value that needs more is refused with
/// [`TooLarge`](crate::ConvertErrorKind::TooLarge). All payloads decoded in the closure share the bytes. Without a
/// scope each payload has [`DEFAULT_ALLOWANCE`], or four times its own length where that is more.
///
/// Scopes nest: one inside another gets no more than that one has left, and what it makes counts there too. What was
/// made counts even if it is dropped inside the closure, or if the decoding failed. A closure that panics ends its
/// scope as well.
///
/// The closure is not a future: what it returns without having run it, runs outside the scope.
///
/// ```
/// use converse_core::guard::{DecodeGuard, within};
/// # use serde::de::value::{Error, SeqDeserializer};
///
/// let (numbers, bytes) = within(64 * 1024, || {
///     let format = SeqDeserializer::<_, Error>::new(0..1_000u32);
///     DecodeGuard::new(1_000).deserialize(std::marker::PhantomData::<Vec<u32>>, format)
/// });
/// assert_eq!(numbers?.len(), 1_000);
/// assert_eq!(bytes, 4_000);
/// # Ok::<_, Error>(())
/// ```
#[inline]
pub fn within<R>(bytes: usize, decode: impl FnOnce() -> R) -> (R, usize) {
    let scope = Scope::open(bytes);
    let value = decode();
    let made = scope.made();
    (value, made)
}

/// A scope of [`within`]; closes itself.
struct Scope {
    /// What was left around it.
    around: usize,
    /// What it began with.
    bytes: usize,
}

impl Scope {
    #[inline]
    fn open(bytes: usize) -> Self {
        let around = left();
        let limit = if is_aside(around) { ASIDE.get() } else { around };
        let bytes = bytes.min(limit).min(MAX_LIMIT);
        set_left(bytes);
        Self { around, bytes }
    }

    #[inline]
    fn made(&self) -> usize {
        self.bytes.saturating_sub(left())
    }
}

impl Drop for Scope {
    #[inline]
    fn drop(&mut self) {
        let made = self.made();
        if self.around <= MAX_LIMIT {
            return set_left(self.around.saturating_sub(made));
        }
        if self.around != NO_SCOPE {
            ASIDE.set(ASIDE.get().saturating_sub(made));
        }
        set_left(self.around);
    }
}

/// Returns what is left. Through `with`, which is inlined everywhere, as `LocalKey::get` and `set` are not.
#[inline]
fn left() -> usize {
    LEFT.with(Cell::get)
}

#[inline]
fn set_left(bytes: usize) {
    LEFT.with(|left| left.set(bytes));
}

/// Tells whether what is left is set aside.
#[inline]
fn is_aside(left: usize) -> bool {
    left > MAX_LIMIT && left != NO_SCOPE
}

/// What is left, set aside as long as this lives: the guards that are open charge nothing. Those that are opened
/// meanwhile charge what was set aside, as does [`take_aside`].
pub(super) struct Aside(());

impl Aside {
    /// Sets aside what is left of a scope. There is one: an [`Allowance`] is open.
    pub(super) fn set() -> Self {
        ASIDE.set(left().min(MAX_LIMIT));
        set_left(NO_SCOPE - 1);
        Self(())
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        set_left(ASIDE.get());
    }
}

/// What one payload may make: of the scope around it, if there is one, else of its own. It is open as long as this
/// lives, and meanwhile a scope for whatever decodes on this thread, such as a value that decodes a payload it holds.
pub(super) struct Allowance {
    around: usize,
    /// What there was when decoding began.
    limit: usize,
}

impl Allowance {
    /// Opens the one of a payload of `len` bytes.
    #[inline]
    pub(super) fn open(len: usize) -> Self {
        let around = left();
        if around <= MAX_LIMIT {
            return Self { around, limit: around };
        }
        if around != NO_SCOPE {
            return Self::fetch(around);
        }
        let limit = if len > DEFAULT_ALLOWANCE / 4 { times_four(len) } else { DEFAULT_ALLOWANCE };
        set_left(limit);
        Self { around, limit }
    }

    /// Opens that of the scope which is set aside.
    #[cold]
    fn fetch(around: usize) -> Self {
        let limit = ASIDE.get();
        set_left(limit);
        Self { around, limit }
    }

    /// Returns how many bytes there were when decoding began.
    #[inline]
    pub(super) fn limit(&self) -> usize {
        self.limit
    }
}

impl Drop for Allowance {
    #[inline]
    fn drop(&mut self) {
        if self.around > MAX_LIMIT {
            if self.around != NO_SCOPE {
                ASIDE.set(left());
            }
            set_left(self.around);
        }
    }
}

#[cold]
fn times_four(len: usize) -> usize {
    len.saturating_mul(4).min(MAX_LIMIT)
}

/// Takes bytes from what is left, unless there are fewer.
#[inline]
pub(super) fn take(bytes: usize) -> bool {
    let left = left();
    let fits = bytes <= left;
    if fits {
        set_left(left - bytes);
    }
    fits
}

/// Gives bytes back that were taken.
#[inline]
pub(super) fn give_back(bytes: usize) {
    set_left(left().saturating_add(bytes).min(NO_SCOPE - 1));
}

/// Takes bytes from what is set aside, unless there are fewer.
pub(super) fn take_aside(bytes: usize) -> bool {
    let _open = Allowance::open(0);
    take(bytes)
}

/// Gives bytes back that were taken from what is set aside.
pub(super) fn give_back_aside(bytes: usize) {
    let _open = Allowance::open(0);
    give_back(bytes);
}

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;

    use super::*;

    #[test]
    fn a_scope_has_the_bytes_it_is_given_and_tells_what_was_made() {
        let (fits, made) = within(10, || [take(4), take(7), take(6), take(1)]);
        assert_eq!((fits, made), ([true, false, true, false], 10));
        assert_eq!(left(), NO_SCOPE);
    }

    #[test]
    fn an_inner_scope_has_what_the_outer_one_has_left() {
        let (inner, made) = within(10, || {
            assert!(take(3));
            let (fits, made) = within(100, || [take(8), take(5)]);
            assert_eq!(left(), 2);
            (fits, made)
        });
        assert_eq!((inner, made), (([false, true], 5), 8));
    }

    #[test]
    fn an_inner_scope_has_no_more_than_it_is_given() {
        let (fits, made) = within(10, || (within(4, || take(5)), take(10)));
        assert_eq!((fits, made), (((false, 0), true), 10));
    }

    #[test]
    fn a_panic_ends_the_scope_and_what_was_made_counts() {
        let ((), made) = within(10, || {
            let panicked = catch_unwind(|| within(6, || assert!(!take(4), "a panic")));
            assert!(panicked.is_err());
            assert_eq!(left(), 6);
        });
        assert_eq!((made, left()), (4, NO_SCOPE));
    }

    #[test]
    fn an_unlimited_scope_counts() {
        assert_eq!(within(usize::MAX, || take(5)), (true, 5));
    }

    #[test]
    fn a_payload_has_an_allowance_of_its_own_or_the_one_around_it() {
        for (len, limit) in [(0, 4 << 20), (1 << 20, 4 << 20), (2 << 20, 8 << 20), (usize::MAX, MAX_LIMIT)] {
            let allowance = Allowance::open(len);
            assert!(take(1));
            assert_eq!((left(), allowance.limit()), (limit - 1, limit));
            drop(allowance);
            assert_eq!(left(), NO_SCOPE);
        }
        let ((), made) = within(10, || {
            let allowance = Allowance::open(2 << 20);
            assert!(take(1) && !take(10));
            assert_eq!(allowance.limit(), 10);
        });
        assert_eq!(made, 1);
    }

    #[test]
    fn what_is_set_aside_is_charged_by_those_who_ask_for_it() {
        let ((), made) = within(10, || {
            let aside = Aside::set();
            assert!(take(1_000), "a guard that is open charges nothing");
            assert!(take_aside(3) && !take_aside(8));
            give_back_aside(1);
            let nested = Allowance::open(2 << 20);
            assert_eq!(nested.limit(), 8);
            assert!(take(2) && !take(7) && take_aside(1));
            drop(nested);
            assert!(take(1_000));
            assert_eq!(within(100, || [take(2), take(4)]), ([true, false], 2));
            assert!(take_aside(3) && !take_aside(1));
            drop(aside);
            assert_eq!(left(), 0);
        });
        assert_eq!((made, left()), (10, NO_SCOPE));
    }

    #[test]
    fn a_panic_puts_back_what_was_set_aside() {
        let ((), made) = within(10, || {
            let panicked = catch_unwind(|| {
                let _aside = Aside::set();
                let _nested = Allowance::open(0);
                assert!(!take(4), "a panic");
            });
            assert!(panicked.is_err());
            assert_eq!(left(), 6);
        });
        assert_eq!(made, 4);
    }

    #[test]
    fn what_is_set_aside_can_be_set_aside_once_more() {
        let ((), made) = within(10, || {
            let _aside = Aside::set();
            {
                let _nested = Allowance::open(0);
                let _again = Aside::set();
                assert!(take(1_000) && take_aside(6) && !take_aside(5));
            }
            assert!(take(1_000) && take_aside(4) && !take_aside(1));
        });
        assert_eq!(made, 10);
    }
}
