//! What a conversation's task does with a call of the peer: refuses it, or begins to handle it. Knows no session.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    task::Context,
    time::Duration,
};

use converse_core::ConvertError;
use tokio::time::Instant;

use crate::rpc::{
    Code, Kind, Metadata, Method, Side, Status,
    context::{self, About},
    conversation::{Conversation, Fatal},
    decode,
    discard::discard,
    method::{Ends, Prepared},
    middleware::Next,
    running::{Handling, Running, Task, Work},
    spans,
    spawned::spawn,
    stats::count,
    tables::{Served, ServedStreams},
    wire::Reader,
};

/// Bytes of a method's name.
const LONGEST_METHOD: usize = 128;

impl Conversation {
    /// Reads a call or a notification, and begins to handle it.
    pub(super) fn invoke(
        &mut self,
        name: &str,
        reader: &mut Reader<'_>,
        cx: &mut Context<'_>,
    ) -> Result<(), Fatal> {
        let router = Arc::clone(&self.router);
        let method = router.find(name);
        let full = self.is_full(method);
        let mut prepared = match (&full, method) {
            (None, Some(method)) => Some(method.prepare(reader, &self.connection)),
            _ => None,
        };
        let tail = reader.finish()?;
        let fits = match &mut prepared {
            Some(Ok(prepared)) => prepared.charge.grow(self.bytes_of(&tail.meta)),
            _ => true,
        };
        let refusal = match (full, method, &prepared) {
            (_, None, _) => Some(unknown(name)),
            (Some(status), ..) => Some(status),
            (_, _, Some(Err(error))) => Some(unfit(name, error)),
            _ if !fits => {
                Some(Status::new(Code::RESOURCE_EXHAUSTED, "the connection holds as much memory as it may"))
            }
            (_, Some(method), _) => self.refuses(tail.id, method),
        };
        match (refusal, method, prepared) {
            (None, Some(method), Some(Ok(prepared))) => self.begin(method, prepared, tail.id, tail.meta, cx),
            (refusal, _, prepared) => {
                // Arguments that nobody takes may panic when they are dropped.
                discard(prepared, "refused arguments");
                self.refuse(tail.id, name, refusal);
            }
        }
        Ok(())
    }

    /// Returns how many bytes of memory the metadata of a call takes: middleware and the handler have a copy each.
    fn bytes_of(&self, metadata: &Metadata) -> usize {
        metadata.bytes() * if self.router.chain.is_empty() { 1 } else { 2 }
    }

    /// Tells whether a limit stands in the way of one more call.
    fn is_full(&self, method: Option<&Method>) -> Option<Status> {
        let tables = self.connection.lock();
        let limit = self.connection.options.in_flight_of(self.connection.role);
        let counters = &self.connection.counters;
        let in_flight = tables.served.len() + counters.notifications.load(Relaxed);
        // A handler that computes in a task of its own outlives its call, until it comes to an await.
        let in_flight = in_flight.max(counters.spawned.load(Relaxed));
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
        // Who asks for a stream may wait for it as long as it lasts.
        let most = if kind.has_response_stream() { None } else { self.connection.options.max_deadline };
        let deadline =
            shorter(metadata.deadline.or(otherwise), most).and_then(|time| Instant::now().checked_add(time));
        let credit = kind.has_response_stream().then(|| Arc::new(self.connection.response_credit()));
        let span = spans::served(method.name(), &metadata);
        if let Some(id) = id.filter(|_| kind.has_response_stream()) {
            let mut frame = Vec::new();
            self.connection.codec.accept(id, method.name(), &mut frame);
            self.respond(frame);
        }
        let Prepared { invoke, receives, charge } = prepared;
        let ends = Ends { connection: Arc::clone(&self.connection), id, credit: credit.clone() };
        let streams = ServedStreams { receives, credit };
        let about = About { side: Side::Served, method: method.shared_name(), kind, metadata, deadline };
        let cx_call = context::Context::new(Arc::clone(&self.connection), about);
        let work = self.within_middleware(cx_call, Box::new(move |cx| invoke(cx, ends)));
        let mut work = Work::new(work, Some(charge));
        if self.router.spawned {
            work = Work::new(spawn(work, Arc::clone(&self.connection), span.clone()), None);
        }
        let mut running = Running::new(id.map_or(Task::Notification, Task::Call), work, span);
        // Most handlers end at once: they need no place in any table.
        let ended = if self.connection.backlog.holds_handlers() { None } else { running.now(cx) };
        match (ended, id) {
            (Some((_, result)), None) => self.notified(result),
            (Some((_, result)), Some(id)) => self.conclude(id, &streams, result),
            (None, Some(id)) => self.serve(id, deadline, streams, running),
            (None, None) => {
                self.connection.counters.notifications.fetch_add(1, Relaxed);
                deadline.into_iter().for_each(|deadline| running.end_at(deadline));
                self.running.push(running.within(&self.connection));
            }
        }
    }

    /// Notes a call whose handler waits.
    fn serve(&self, id: u32, deadline: Option<Instant>, streams: ServedStreams, mut running: Running) {
        let abort = running.abortable();
        let mut tables = self.connection.lock();
        tables.wait_until(deadline);
        tables.served.insert(id, Served { abort, deadline, streams });
        drop(tables);
        self.running.push(running.within(&self.connection));
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
}

/// Returns the shorter of two times that may not be limited.
fn shorter(one: Option<Duration>, other: Option<Duration>) -> Option<Duration> {
    one.into_iter().chain(other).min()
}

fn unfit(name: &str, error: &ConvertError) -> Status {
    let what = format!("the arguments of {} do not fit", spans::shown(name));
    decode::refusal(Code::INVALID_ARGUMENT, &what, error)
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
