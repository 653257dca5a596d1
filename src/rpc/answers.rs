//! How a conversation's task ends the calls that it serves. Knows no session.

use std::sync::atomic::Ordering::Relaxed;

use tokio::time::Instant;

use crate::rpc::{
    Code, Reply, Status,
    conversation::Conversation,
    lanes::Lane,
    receive::Failure,
    running::Task,
    spans,
    stats::count,
    tables::{Served, ServedStreams},
    wire::Control,
};

impl Conversation {
    /// Takes the end of a handler; nothing came of it when it was aborted.
    pub(super) fn finish(&mut self, task: Task, result: Option<Result<Reply, Status>>) {
        match (task, result) {
            // Whatever else ends a request stream says so itself.
            (Task::Sends(id), Some(Err(_))) => {
                self.connection.fail(id, Status::new(Code::INTERNAL, "the request stream panicked"));
            }
            (Task::Sends(_), _) => {}
            (Task::Notification, result) => {
                self.connection.counters.notifications.fetch_sub(1, Relaxed);
                self.notified(result);
            }
            (Task::Call(id), result) => {
                // A call that was cancelled has been answered.
                let served = result.is_some().then(|| self.connection.lock().served.remove(&id)).flatten();
                if let Some(Served { streams, .. }) = served {
                    self.conclude(id, &streams, result);
                }
            }
        }
    }

    pub(super) fn notified(&self, result: Option<Result<Reply, Status>>) {
        count(&self.connection.counters.served);
        if let Some(Err(status)) = result {
            let (code, text) = (status.code(), spans::shown(status.message()));
            tracing::debug!(%code, text, "handler of a notification failed");
        }
    }

    /// Ends a call with its streams.
    pub(super) fn conclude(&self, id: u32, streams: &ServedStreams, result: Option<Result<Reply, Status>>) {
        let Some(result) = result else { return };
        streams.end(over);
        let frame = match result {
            // Without a frame nothing would end the call.
            Ok(reply) if reply.frame.is_empty() => self.error(id, &unmade()),
            Ok(reply) => reply.frame,
            Err(status) => self.error(id, &status),
        };
        // The end of a stream stands behind its items, which have waited.
        let lane = if streams.is_streaming() { Lane::Items } else { Lane::Answers };
        self.send_end(id, lane, frame);
    }

    /// Sends the error that ends a call, without waiting for room.
    pub(super) fn reject(&self, id: u32, streaming: bool, status: &Status) {
        let lane = if streaming { Lane::Items } else { Lane::Control };
        self.send_end(id, lane, self.error(id, status));
    }

    /// Sends the one frame that ends a call.
    fn send_end(&self, id: u32, lane: Lane, mut frame: Vec<u8>) {
        count(&self.connection.counters.served);
        let codec = &self.connection.codec;
        let mut tables = self.connection.lock();
        if let Err(refusal) = self.connection.load(frame.len()) {
            frame = self.error(id, &refusal);
        }
        if let Some(frame) = codec.commit(id, frame) {
            self.connection.queue(&mut tables, lane, frame, None);
        }
    }

    fn error(&self, id: u32, status: &Status) -> Vec<u8> {
        self.connection.codec.control(Control::Err { id, status })
    }

    /// Drops the handler of a call, and answers the call.
    pub(super) fn cancel(&self, id: u32) {
        let Some(served) = self.connection.lock().served.remove(&id) else { return };
        self.drop_handler(id, &served, Code::CANCELLED);
    }

    fn drop_handler(&self, id: u32, served: &Served, code: Code) {
        count(&self.connection.counters.dropped_handlers);
        served.abort.abort();
        served.streams.end(over);
        self.reject(id, served.streams.is_streaming(), &Status::new(code, ""));
    }

    /// Ends the calls that are served, and whose deadline has passed.
    pub(super) fn expire(&self, now: Instant) {
        let late = self.connection.lock().expire_served(now);
        for (id, served) in late {
            self.drop_handler(id, &served, Code::DEADLINE_EXCEEDED);
        }
    }
}

/// What becomes of a call whose handler a middleware did not ask.
fn unmade() -> Status {
    Status::new(Code::INTERNAL, "a middleware gave an answer to a call it did not let go on")
}

/// What the streams of a call are told that their handler has kept.
fn over() -> Failure {
    Failure::Status(Status::new(Code::CANCELLED, "the call is over"))
}
