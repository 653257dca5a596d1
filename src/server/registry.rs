//! The sessions of a server, so that all can be told to end. Knows no listener.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use slab::Slab;

use tokio::sync::Notify;

use crate::{frame::CloseReason, server::events, session::Sender};

/// All open sessions.
#[derive(Default)]
pub(crate) struct Registry {
    state: Mutex<State>,
    /// Wakes those who wait for the closing.
    stop: Notify,
}

#[derive(Default)]
struct State {
    sessions: Slab<Sender>,
    closing: Option<CloseReason>,
}

/// A session's place in the registry; given up when dropped.
pub(crate) struct Entry {
    registry: Arc<Registry>,
    place: usize,
}

impl Registry {
    /// Adds a session. When all are being closed, it is closed as well.
    pub(crate) fn add(self: &Arc<Self>, sender: Sender) -> Entry {
        let mut state = self.lock();
        let closing = state.closing.clone();
        let place = state.sessions.insert(sender.clone());
        drop(state);
        if let Some(reason) = closing {
            sender.start_close(reason);
        }
        Entry { registry: Arc::clone(self), place }
    }

    /// Tells whether the sessions are being closed.
    pub(crate) fn is_closing(&self) -> bool {
        self.lock().closing.is_some()
    }

    /// Waits until the sessions are being closed.
    pub(crate) async fn closing(&self) {
        let stop = self.stop.notified();
        if !self.is_closing() {
            stop.await;
        }
    }

    /// Returns how many sessions are open.
    pub(crate) fn len(&self) -> usize {
        self.lock().sessions.len()
    }

    /// Closes all sessions, and those still to come.
    pub(crate) fn close_all(&self, reason: &CloseReason) {
        let mut state = self.lock();
        state.closing = Some(reason.clone());
        let sessions = state.all();
        drop(state);
        self.stop.notify_waiters();
        for session in sessions {
            session.start_close(reason.clone());
        }
    }

    /// Names the sessions that are still there to the log.
    pub(crate) fn name_all(&self) {
        let sessions = self.lock().all();
        for session in sessions {
            events::left(session.request());
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Returns senders into all sessions, to be used without the lock.
    fn all(&self) -> Vec<Sender> {
        self.sessions.iter().map(|(_, session)| session.clone()).collect()
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let mut state = self.registry.lock();
        let sender = state.sessions.try_remove(self.place);
        if state.sessions.is_empty() {
            state.sessions.shrink_to_fit();
        }
        drop(state);
        drop(sender);
    }
}
