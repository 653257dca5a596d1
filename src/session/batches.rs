//! The batches of a thread: one that is the read buffer of all its connections, and the one that the handler being polled
//! works on. Knows no engine.

use std::cell::Cell;

use crate::engine::Batch;

thread_local! {
    static SPARE: Cell<Option<Box<Batch>>> = const { Cell::new(None) };
    static LENT: Cell<Option<Lent>> = const { Cell::new(None) };
}

/// A batch in the hands of a handler.
#[derive(Debug)]
pub(crate) struct Lent {
    batch: Box<Batch>,
    /// Whose it is.
    owner: Owner,
}

/// Tells one session from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Owner(usize);

impl Owner {
    /// Names a session by where its shared part lies.
    pub(crate) fn of<T>(shared: &T) -> Self {
        Self(std::ptr::from_ref(shared).addr())
    }
}

impl Lent {
    /// Lends a batch of a session to its handler.
    pub(crate) fn new(batch: Box<Batch>, owner: Owner) -> Self {
        Self { batch, owner }
    }

    /// Takes the batch back.
    pub(crate) fn into_batch(self) -> Box<Batch> {
        self.batch
    }
}

/// Takes the thread's batch. A transport that reads through another session within its own read has another.
#[inline]
pub(crate) fn take() -> Box<Batch> {
    SPARE.take().unwrap_or_else(|| Box::new(Batch::new()))
}

/// Leaves a batch to the thread, without what is in it.
#[inline]
pub(crate) fn keep(mut batch: Box<Batch>) {
    batch.clear();
    SPARE.set(Some(batch));
}

/// Lends a batch while a handler is polled; returns what is left of it. Handlers that are polled within handlers have their
/// own.
#[inline]
pub(crate) fn lend<R>(lent: Option<Lent>, poll: impl FnOnce() -> R) -> (R, Option<Lent>) {
    let outer = LENT.replace(lent);
    let result = poll();
    (result, LENT.replace(outer))
}

/// Works on the batch that the handler of a session has on this thread, if it has one, and nobody works on it.
#[inline]
pub(crate) fn with<R>(owner: Owner, work: impl FnOnce(&mut Batch) -> Option<R>) -> Option<R> {
    // A thread that is about to end has none.
    let mut held = Held(Some(LENT.try_with(Cell::take).ok()??));
    held.0.as_mut().filter(|lent| lent.owner == owner).and_then(|lent| work(&mut lent.batch))
}

/// What was lent, while somebody works on it; put back even if that panics.
struct Held(Option<Lent>);

impl Drop for Held {
    #[inline]
    fn drop(&mut self) {
        let held = self.0.take();
        if let Ok(Some(other)) = LENT.try_with(|lent| lent.replace(held)) {
            // Nobody lends while somebody works.
            drop(other);
        }
    }
}

/// Tells whether the handler of a session has a batch on this thread.
#[inline]
pub(crate) fn is_lent(owner: Owner) -> bool {
    with(owner, |_| Some(())).is_some()
}
