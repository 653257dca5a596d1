//! Keeps the deadlines of the calls that one end makes: in a task of its own, so that a handler that computes in the
//! conversation's task delays none of them.

use std::sync::{Arc, OnceLock, Weak};

use tokio::{
    runtime::Handle,
    sync::Notify,
    time::{Instant, timeout_at},
};

use crate::rpc::{connection::Connection, receive::Failure};

/// The way to the task that keeps the deadlines.
#[derive(Debug, Default)]
pub(crate) struct Deadlines {
    /// Told when a deadline comes before all others, and when the conversation has ended. The task begins with the first
    /// deadline.
    news: OnceLock<Arc<Notify>>,
}

impl Deadlines {
    /// Takes note that a deadline came before all others.
    pub(crate) fn come_earlier(&self, connection: &Arc<Connection>, runtime: &Handle) {
        let begin = || {
            let news = Arc::<Notify>::default();
            runtime.spawn(keep(Arc::downgrade(connection), Arc::clone(&news)));
            news
        };
        self.news.get_or_init(begin).notify_one();
    }

    /// Lets the task end with its conversation.
    pub(crate) fn end(&self) {
        if let Some(news) = self.news.get() {
            news.notify_one();
        }
    }
}

async fn keep(connection: Weak<Connection>, news: Arc<Notify>) {
    while let Some(due) = connection.upgrade().and_then(|connection| connection.end_late_calls()) {
        match due {
            Some(due) => drop(timeout_at(due, news.notified()).await),
            None => news.notified().await,
        }
    }
}

impl Connection {
    /// Ends the calls of this end whose deadline has passed. Returns when the next one is due, or `None` when the
    /// conversation has ended.
    fn end_late_calls(&self) -> Option<Option<Instant>> {
        let mut tables = self.lock();
        let late = tables.expire_made(Instant::now());
        let due = tables.end.is_none().then_some(tables.made_due);
        drop(tables);
        for (id, made) in late {
            made.slot.fail(Failure::Deadline);
            self.cancel(id, made);
        }
        due
    }
}
