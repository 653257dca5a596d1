//! What a conversation's task does with each frame and each handler's end. Knows no clock but for deadlines.

use std::{sync::Arc, sync::atomic::Ordering::Relaxed, task::Context};

use converse_core::Message;
use tokio::time::Instant;

use crate::rpc::{
    Code, Kind, Metadata, Method, Reply, Side, Status,
    context::{self, About},
    conversation::{Conversation, Fatal},
    credit::Credit,
    lanes::{Lane, Room},
    method::{Ends, Prepared},
    middleware::Next,
    receive::Failure,
    running::{Handling, Running, Task},
    spans,
    stats::count,
    tables::{Made, Served, ServedStreams, too_long},
    wire::{BadFrame, Head, Reader},
};

/// Bytes of a method's name.
const LONGEST_METHOD: usize = 128;

impl From<BadFrame> for Fatal {
    fn from(bad: BadFrame) -> Self {
        Self::new(super::BAD_FRAME, bad.to_string())
    }
}

impl Conversation {
    /// Handles the frames of a message.
    pub(super) fn handle(&mut self, message: &Message, cx: &mut Context<'_>) -> Result<(), Fatal> {
        let connection = Arc::clone(&self.connection);
        let mut reader = connection.codec.reader(message);
        while let Some(head) = reader.next()? {
            if !self.greeted && !matches!(head, Head::Hello(_)) {
                return Err(Fatal::new(super::BAD_FRAME, "the first frame is no hello"));
            }
            if let Head::Invoke { method } = &head {
                self.invoke(method, &mut reader, cx)?;
                continue;
            }
            self.take(head, &mut reader)?;
            reader.finish()?;
        }
        Ok(())
    }

    fn take(&mut self, head: Head<'_>, reader: &mut Reader<'_>) -> Result<(), Fatal> {
        match head {
            Head::Hello(_) if self.greeted => return Err(Fatal::new(super::BAD_FRAME, "a second hello")),
            Head::Hello(hello) => {
                self.greet();
                self.connection.greeted(hello);
            }
            Head::Ok { id } => self.end_made(id, |made| made.slot.ok(reader)),
            Head::Err { id: 0, status } => {
                tracing::debug!(
                    status = spans::shown(&status.to_string()),
                    "the peer did not understand a frame"
                );
            }
            Head::Err { id, status } => self.end_made(id, |made| made.slot.fail(Failure::Status(status))),
            Head::Item { id } => self.item(id, reader),
            Head::End { id } => self.half_close(id),
            Head::Cancel { id } => self.cancel(id, Status::new(Code::CANCELLED, "")),
            Head::Credit { id, items } => self.credit(id, items),
            Head::Ping if self.connection.answers_pings() => {
                let mut frame = Vec::new();
                self.connection.codec.ping(&mut frame);
                self.respond(frame);
            }
            Head::Ping => {}
            Head::GoAway(going) => self.connection.lock().peer_goes = Some(going),
            Head::Answer(frame) => self.respond(frame),
            Head::Invoke { .. } => {}
        }
        Ok(())
    }

    /// Sends a control frame; the task runs, and sends it before it rests.
    fn respond(&self, frame: Vec<u8>) {
        self.connection.push(Lane::Control, frame, Room::default());
    }

    fn end_made(&self, id: u32, end: impl FnOnce(&Made)) {
        // The answer to a call that was cancelled is not expected any more.
        let Some(made) = self.connection.lock().made.remove(&id) else { return };
        made.stop_sending();
        end(&made);
    }

    fn item(&self, id: u32, reader: &mut Reader<'_>) {
        if self.connection.is_own(id) {
            let slot = self.connection.lock().made.get(&id).map(|made| Arc::clone(&made.slot));
            if slot.is_some_and(|slot| !slot.item(reader)) {
                self.connection.give_up(id);
            }
            return;
        }
        let stream =
            self.connection.lock().served.get(&id).and_then(|served| served.streams.receives.clone());
        if let Some(stream) = stream {
            // What is wrong with an item is told to the handler.
            stream.item(reader);
        }
    }

    fn half_close(&self, id: u32) {
        let stream =
            self.connection.lock().served.get(&id).and_then(|served| served.streams.receives.clone());
        if let Some(stream) = stream {
            stream.close();
        }
    }

    fn credit(&self, id: u32, items: u32) {
        let tables = self.connection.lock();
        let credit: Option<Arc<Credit>> = match self.connection.is_own(id) {
            true => tables
                .made
                .get(&id)
                .and_then(|made| made.sends.as_ref().map(|(_, credit)| Arc::clone(credit))),
            false => tables.served.get(&id).and_then(|served| served.streams.credit.clone()),
        };
        drop(tables);
        if let Some(credit) = credit {
            credit.give(items);
        }
    }

    /// Drops the handler of a call, and answers the call.
    fn cancel(&self, id: u32, status: Status) {
        let Some(served) = self.connection.lock().served.remove(&id) else { return };
        count(&self.connection.counters.dropped_handlers);
        served.abort.abort();
        self.end_served(id, &served.streams, Err(status));
    }

    /// Ends the calls whose deadline has passed.
    pub(super) fn expire(&self, now: Instant) {
        let (made, served) = self.connection.lock().expire(now);
        for (id, made) in made {
            made.slot.fail(Failure::Deadline);
            self.connection.cancel(id, made);
        }
        for (id, served) in served {
            count(&self.connection.counters.dropped_handlers);
            served.abort.abort();
            self.end_served(id, &served.streams, Err(Status::new(Code::DEADLINE_EXCEEDED, "")));
        }
    }

    /// Reads a call or a notification, and begins to handle it.
    fn invoke(&mut self, name: &str, reader: &mut Reader<'_>, cx: &mut Context<'_>) -> Result<(), Fatal> {
        let router = Arc::clone(&self.router);
        let method = router.find(name);
        let full = self.is_full(method);
        let prepared = match (&full, method) {
            (None, Some(method)) => Some(method.prepare(reader, &self.connection)),
            _ => None,
        };
        let tail = reader.finish()?;
        let refusal = match (full, method, &prepared) {
            (_, None, _) => Some(unknown(name)),
            (Some(status), ..) => Some(status),
            (_, _, Some(Err(error))) => Some(Status::new(Code::INVALID_ARGUMENT, error.to_string())),
            (_, Some(method), _) => self.refuses(tail.id, method),
        };
        match (refusal, method, prepared) {
            (None, Some(method), Some(Ok(prepared))) => self.begin(method, prepared, tail.id, tail.meta, cx),
            (refusal, ..) => self.refuse(tail.id, name, refusal),
        }
        Ok(())
    }

    /// Tells whether a limit stands in the way of one more call.
    fn is_full(&self, method: Option<&Method>) -> Option<Status> {
        let tables = self.connection.lock();
        let limit = self.connection.options.in_flight_of(self.connection.role);
        let in_flight = tables.served.len() + self.connection.counters.notifications.load(Relaxed);
        // Handlers that were cancelled count when as many again wait to be dropped, as they do behind a slow peer.
        let held = self.running.len() - self.sending;
        if in_flight >= limit || held >= limit.saturating_mul(2) {
            return Some(Status::new(Code::RESOURCE_EXHAUSTED, format!("more than {limit} calls in flight")));
        }
        let streams = self.connection.options.streams;
        let is_stream = |kind: Kind| kind.has_request_stream() || kind.has_response_stream();
        if method.is_some_and(|method| is_stream(method.kind()))
            && in_flight >= streams
            && tables.served.values().filter(|served| served.is_stream()).count() >= streams
        {
            return Some(Status::new(Code::RESOURCE_EXHAUSTED, format!("more than {streams} streams")));
        }
        None
    }

    /// Tells why a call cannot be handled, if so.
    fn refuses(&self, id: Option<u32>, method: &Method) -> Option<Status> {
        let tables = self.connection.lock();
        let status = |code, text: &str| Some(Status::new(code, text));
        match id {
            _ if tables.goes.is_some() => status(Code::UNAVAILABLE, "this end goes away"),
            Some(id) if id == 0 || self.connection.is_own(id) => {
                status(Code::INVALID_ARGUMENT, "the id of the call is not the caller's: a client's are odd")
            }
            Some(id) if tables.served.contains_key(&id) => {
                status(Code::ALREADY_EXISTS, "a call with this id is in flight")
            }
            None if method.kind().has_request_stream() || method.kind().has_response_stream() => {
                status(Code::INVALID_ARGUMENT, "a stream cannot be notified")
            }
            _ => None,
        }
    }

    fn refuse(&self, id: Option<u32>, name: &str, refusal: Option<Status>) {
        let status = refusal.unwrap_or_else(|| Status::new(Code::INTERNAL, ""));
        if status.code() == Code::RESOURCE_EXHAUSTED {
            count(&self.connection.counters.refused);
        }
        match id {
            Some(id) => self.answer(id, false, Err(status)),
            None => {
                let (code, text) = (status.code(), spans::shown(status.message()));
                tracing::debug!(method = spans::shown(name), %code, text, "notification dropped");
            }
        }
    }

    fn begin(
        &mut self,
        method: &Method,
        prepared: Prepared,
        id: Option<u32>,
        metadata: Metadata,
        cx: &mut Context<'_>,
    ) {
        let kind = method.kind();
        let otherwise = if kind.has_response_stream() { None } else { self.connection.options.deadline };
        let deadline = metadata.deadline.or(otherwise).and_then(|time| Instant::now().checked_add(time));
        let credit = Arc::new(self.connection.response_credit());
        let span = spans::served(method.name(), &metadata);
        if let Some(id) = id.filter(|_| kind.has_response_stream()) {
            let mut frame = Vec::new();
            self.connection.codec.accept(id, method.name(), &mut frame);
            self.respond(frame);
        }
        let Prepared { invoke, receives } = prepared;
        let streams =
            ServedStreams { receives, credit: kind.has_response_stream().then(|| Arc::clone(&credit)) };
        let ends = Ends { connection: Arc::clone(&self.connection), id, credit };
        let about = About { side: Side::Served, method: method.shared_name(), kind, metadata, deadline };
        let cx_call = context::Context::new(Arc::clone(&self.connection), about);
        let work = self.within_middleware(cx_call, Box::new(move |cx| invoke(cx, ends)));
        let task = id.map_or(Task::Notification, Task::Call);
        let mut running = Running::new(task, work, span);
        // Most handlers end at once: they need no place in any table.
        if !self.is_crowded()
            && let Some((_, result)) = running.now(cx)
        {
            return self.conclude(id, &streams, result);
        }
        let mut tables = self.connection.lock();
        match id {
            Some(id) => {
                let abort = running.abortable();
                tables.served.insert(id, Served { abort, deadline, streams });
                tables.wait_until(deadline);
            }
            None => {
                self.connection.counters.notifications.fetch_add(1, Relaxed);
            }
        }
        drop(tables);
        self.running.push(running);
    }

    fn within_middleware(
        &self,
        mut cx: context::Context,
        last: Box<dyn FnOnce(context::Context) -> Handling + Send>,
    ) -> Handling {
        if self.router.chain.is_empty() {
            return last(cx);
        }
        let chain = Arc::clone(&self.router.chain);
        Box::pin(async move { Next::new(&chain, last).run(&mut cx).await })
    }

    /// Takes the end of a handler; nothing came of it when it was aborted.
    pub(super) fn finish(&mut self, task: Task, result: Option<Result<Reply, Status>>) {
        match task {
            Task::Sends(id) => {
                self.sending -= 1;
                // Whatever else ends a request stream says so itself.
                if let Some(Err(_)) = result {
                    let status = Status::new(Code::INTERNAL, "the request stream panicked");
                    self.connection.fail(id, status);
                }
            }
            Task::Notification => {
                self.connection.counters.notifications.fetch_sub(1, Relaxed);
                self.conclude(None, &ServedStreams::default(), result);
            }
            Task::Call(id) => {
                if result.is_none() {
                    return;
                }
                let served = self.connection.lock().served.remove(&id);
                let streams = served.map(|served| served.streams).unwrap_or_default();
                self.conclude(Some(id), &streams, result);
            }
        }
    }

    fn conclude(&self, id: Option<u32>, streams: &ServedStreams, result: Option<Result<Reply, Status>>) {
        let Some(result) = result else { return };
        count(&self.connection.counters.served);
        match id {
            Some(id) => self.end_served(id, streams, result),
            None => {
                if let Err(status) = result {
                    let (code, text) = (status.code(), spans::shown(status.message()));
                    tracing::debug!(%code, text, "handler of a notification failed");
                }
            }
        }
    }

    /// Ends a call that was served, with its streams: nothing follows its answer.
    fn end_served(&self, id: u32, streams: &ServedStreams, result: Result<Reply, Status>) {
        streams.end(|| Failure::Status(Status::new(Code::CANCELLED, "the call is over")));
        self.answer(id, streams.is_streaming(), result);
    }

    /// Sends the one frame that ends a call.
    fn answer(&self, id: u32, streaming: bool, result: Result<Reply, Status>) {
        let codec = &self.connection.codec;
        let error = |status: &Status| {
            let mut frame = Vec::new();
            codec.err(id, status, &mut frame);
            frame
        };
        let mut tables = self.connection.lock();
        let longest = tables.longest_message();
        let mut frame = match result {
            Ok(reply) => reply.frame,
            Err(status) => error(&status),
        };
        if frame.len() as u64 > longest {
            frame = error(&Status::new(Code::RESOURCE_EXHAUSTED, too_long(frame.len(), longest)));
        }
        // Behind the items of the stream that it ends.
        let lane = if streaming { Lane::Items } else { Lane::Control };
        if let Some(frame) = codec.commit(id, frame) {
            tables.push(lane, frame, Room::default(), codec.separator());
        }
    }
}

fn unknown(name: &str) -> Status {
    if name.len() > LONGEST_METHOD {
        return Status::new(
            Code::UNIMPLEMENTED,
            format!("a method's name has {LONGEST_METHOD} bytes at most"),
        );
    }
    Status::new(Code::UNIMPLEMENTED, format!("no method {}", spans::shown(name)))
}
