//! What a conversation's task does with each frame and each handler's end. Knows no clock but for deadlines.

use std::{sync::Arc, sync::atomic::Ordering::Relaxed, task::Context};

use converse_core::{ConvertError, Message};
use futures::future::AbortHandle;
use tokio::time::Instant;
use tracing::Span;

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
    tables::{Expired, Made, Served, too_long},
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
            let cancels = matches!(head, Head::Cancel { .. });
            self.take(head, &mut reader)?;
            reader.finish()?;
            if cancels {
                // The handler is gone before the next call begins.
                self.run_handlers(cx);
            }
        }
        Ok(())
    }

    fn take(&mut self, head: Head<'_>, reader: &mut Reader<'_>) -> Result<(), Fatal> {
        match head {
            Head::Hello(_) if self.greeted => return Err(Fatal::new(super::BAD_FRAME, "a second hello")),
            Head::Hello(hello) => {
                self.greet();
                self.connection.lock().peer = Some(Arc::new(hello));
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
        let stream = self.connection.lock().served.get(&id).and_then(|served| served.receives.clone());
        if let Some(stream) = stream {
            // What is wrong with an item is told to the handler.
            stream.item(reader);
        }
    }

    fn half_close(&self, id: u32) {
        let stream = self.connection.lock().served.get(&id).and_then(|served| served.receives.clone());
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
            false => tables.served.get(&id).and_then(|served| served.credit.clone()),
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
        self.reject(id, served.is_streaming(), &status);
    }

    /// Ends the calls whose deadline has passed.
    pub(super) fn expire(&self, now: Instant) {
        let Expired { made, served } = self.connection.lock().expire(now);
        for (id, made) in made {
            made.slot.fail(Failure::Deadline);
            self.connection.cancel(id, made);
        }
        for (id, served) in served {
            count(&self.connection.counters.dropped_handlers);
            served.abort.abort();
            self.reject(id, served.is_streaming(), &Status::new(Code::DEADLINE_EXCEEDED, ""));
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
            (_, _, Some(Err(error))) => Some(unfit(name, error)),
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
        if in_flight >= limit {
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
            Some(id) => self.reject(id, false, &status),
            None => {
                tracing::debug!(method = spans::shown(name), %status, "notification dropped");
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
        let streams = kind.has_response_stream();
        let credit = streams.then(|| Arc::new(self.connection.response_credit()));
        let span = spans::served(method.name(), &metadata);
        if let Some(id) = id.filter(|_| streams) {
            let mut frame = Vec::new();
            self.connection.codec.accept(id, method.name(), &mut frame);
            self.respond(frame);
        }
        let Prepared { invoke, receives } = prepared;
        let ends = Ends { connection: Arc::clone(&self.connection), id, credit: credit.clone() };
        let about = About { side: Side::Served, method: method.shared_name(), kind, metadata, deadline };
        let cx_call = context::Context::new(Arc::clone(&self.connection), about);
        let work = self.within_middleware(cx_call, Box::new(move |cx| invoke(cx, ends)));
        let task = id.map_or(Task::Notification, Task::Call);
        let mut running = Running::new(task, work, span);
        // Most handlers end at once: they need no place in any table.
        let now = running.now(cx);
        let served = |abort| Served { abort, deadline, receives, credit };
        match (now, id) {
            (Some((_, result)), None) => self.notified(result),
            (Some((_, result)), Some(id)) => {
                if let Some(held) = result.and_then(|result| self.answer(id, streams, result)) {
                    self.serve(id, held, served);
                }
            }
            (None, Some(id)) => self.serve(id, running, served),
            (None, None) => {
                self.connection.counters.notifications.fetch_add(1, Relaxed);
                self.running.push(running);
            }
        }
    }

    /// Notes a call whose handler goes on.
    fn serve(&self, id: u32, mut running: Running, served: impl FnOnce(AbortHandle) -> Served) {
        let served = served(running.abortable());
        let mut tables = self.connection.lock();
        tables.wait_until(served.deadline);
        tables.served.insert(id, served);
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
        match (task, result) {
            (Task::Own, _) | (Task::Call(_), None) => {}
            (Task::Notification, result) => {
                self.connection.counters.notifications.fetch_sub(1, Relaxed);
                self.notified(result);
            }
            (Task::Call(id), Some(result)) => {
                let Some(mut served) = self.connection.lock().served.remove(&id) else { return };
                if let Some(held) = self.answer(id, served.is_streaming(), result) {
                    self.serve(id, held, |abort| {
                        served.abort = abort;
                        served
                    });
                }
            }
        }
    }

    fn notified(&self, result: Option<Result<Reply, Status>>) {
        count(&self.connection.counters.served);
        if let Some(Err(status)) = result {
            tracing::debug!(%status, "handler of a notification failed");
        }
    }

    /// Sends the one frame that ends a call; gives it back as what waits for room when there is none.
    fn answer(&self, id: u32, streaming: bool, result: Result<Reply, Status>) -> Option<Running> {
        let (frame, room) = match result {
            Ok(reply) => (reply.frame, reply.room),
            Err(status) => (self.error(id, &status), None),
        };
        // The end of a stream stands behind its items, which have waited.
        if streaming {
            self.conclude(id, Lane::Items, frame, Room::default());
            return None;
        }
        match room.or_else(|| self.connection.try_room_for_answer(frame.len())) {
            Some(room) => {
                self.conclude(id, Lane::Answers, frame, room);
                None
            }
            None => {
                let connection = Arc::clone(&self.connection);
                let waiting = async move {
                    let room = connection.room_for_answer(frame.len()).await;
                    Ok(Reply { frame, room: Some(room) })
                };
                Some(Running::new(Task::Call(id), Box::pin(waiting), Span::none()))
            }
        }
    }

    /// Sends the error that ends a call, without waiting for room.
    fn reject(&self, id: u32, streaming: bool, status: &Status) {
        let lane = if streaming { Lane::Items } else { Lane::Control };
        self.conclude(id, lane, self.error(id, status), Room::default());
    }

    fn conclude(&self, id: u32, lane: Lane, mut frame: Vec<u8>, room: Room) {
        count(&self.connection.counters.served);
        let codec = &self.connection.codec;
        let mut tables = self.connection.lock();
        let longest = tables.longest_message();
        if frame.len() as u64 > longest {
            frame = self.error(id, &Status::new(Code::RESOURCE_EXHAUSTED, too_long(frame.len(), longest)));
        }
        match codec.commit(id, frame) {
            Some(frame) => {
                tables.push(lane, frame, room, codec.separator());
            }
            None => {
                drop(tables);
                self.connection.give_back(room);
            }
        }
    }

    fn error(&self, id: u32, status: &Status) -> Vec<u8> {
        let mut frame = Vec::new();
        self.connection.codec.err(id, status, &mut frame);
        frame
    }
}

fn unfit(name: &str, error: &ConvertError) -> Status {
    Status::new(
        Code::INVALID_ARGUMENT,
        format!("the arguments of {} do not fit: {error}", spans::shown(name)),
    )
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
