//! The sessions of a server, so that all can be told to end. Knows no listener.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::{frame::CloseReason, session::Sender};

/// All open sessions.
#[derive(Default)]
pub(crate) struct Registry {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    sessions: HashMap<u64, Sender>,
    next: u64,
    closing: Option<CloseReason>,
}

/// A session's place in the registry; given up when dropped.
pub(crate) struct Entry {
    registry: Arc<Registry>,
    id: u64,
}

impl Registry {
    /// Adds a session. When all are being closed, it is closed as well.
    pub(crate) fn add(self: &Arc<Self>, sender: Sender) -> Entry {
        let mut state = self.lock();
        let id = state.next;
        state.next += 1;
        let closing = state.closing.clone();
        state.sessions.insert(id, sender.clone());
        drop(state);
        if let Some(reason) = closing {
            sender.start_close(reason);
        }
        Entry { registry: Arc::clone(self), id }
    }

    /// Tells whether the sessions are being closed.
    pub(crate) fn is_closing(&self) -> bool {
        self.lock().closing.is_some()
    }

    /// Returns how many sessions are open.
    pub(crate) fn len(&self) -> usize {
        self.lock().sessions.len()
    }

    /// Closes all sessions, and those still to come.
    pub(crate) fn close_all(&self, reason: &CloseReason) {
        let mut state = self.lock();
        state.closing = Some(reason.clone());
        let sessions: Vec<Sender> = state.sessions.values().cloned().collect();
        drop(state);
        for session in sessions {
            session.start_close(reason.clone());
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let mut state = self.registry.lock();
        let sender = state.sessions.remove(&self.id);
        if state.sessions.is_empty() {
            state.sessions.shrink_to_fit();
        }
        drop(state);
        drop(sender);
    }
}
