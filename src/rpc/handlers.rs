//! The handlers under way, and how they are woken. Knows no table.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    task::{Context, Poll, Wake, Waker},
};

use futures::{Stream, stream::FuturesUnordered, task::AtomicWaker};

use crate::rpc::running::Running;

/// The handlers under way, and what else runs beside them.
pub(crate) struct Handlers {
    running: FuturesUnordered<Running>,
    alarm: Arc<Alarm>,
    waker: Waker,
}

/// What handlers wake. While they are polled it is noted only: a task that wakes itself comes again before the sockets
/// are looked at, and its conversation gives way by other means.
#[derive(Debug, Default)]
struct Alarm {
    polling: AtomicBool,
    rang: AtomicBool,
    task: AtomicWaker,
}

impl Handlers {
    pub(crate) fn new() -> Self {
        let alarm = Arc::<Alarm>::default();
        Self { running: FuturesUnordered::new(), waker: Waker::from(Arc::clone(&alarm)), alarm }
    }

    /// Adds one, which is polled when [`poll_next`](Self::poll_next) is called.
    pub(crate) fn push(&self, running: Running) {
        self.running.push(running);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.running.is_empty()
    }

    /// Continues those that can go on, up to the first that ends.
    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<<Running as Future>::Output>> {
        self.alarm.task.register(cx.waker());
        self.alarm.polling.store(true, SeqCst);
        self.alarm.rang.store(false, SeqCst);
        let polled = Pin::new(&mut self.running).poll_next(&mut Context::from_waker(&self.waker));
        self.alarm.polling.store(false, SeqCst);
        polled
    }

    /// Tells whether some can go on that were woken while they were polled.
    pub(crate) fn has_more(&self) -> bool {
        self.alarm.rang.load(SeqCst)
    }
}

impl IntoIterator for Handlers {
    type Item = Running;
    type IntoIter = futures::stream::futures_unordered::IntoIter<Running>;

    fn into_iter(self) -> Self::IntoIter {
        self.running.into_iter()
    }
}

impl Alarm {
    fn ring(&self) {
        self.rang.store(true, SeqCst);
        if !self.polling.load(SeqCst) {
            self.task.wake();
        }
    }
}

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.ring();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.ring();
    }
}
