//! Reads the messages of JSON-RPC 2.0. Knows no writing but that of answers.
//!
//! No message closes the connection, as none does in other libraries: what is no request is answered with an error.
//! So the whole of it is looked through before its method is told, and its parameters are decoded after that.

use std::{borrow::Cow, iter, ops::Range, vec};

use converse_core::{ContentConverter, ConvertError};
use serde::Deserialize;

use super::{
    BATCH_TOO_LONG, Fault, ID_IN_USE, INVALID_PARAMS, INVALID_REQUEST, JsonRpc, METHOD_NOT_FOUND, NO_MEMORY,
    PARSE_ERROR, UNSUBSCRIBES,
    elements::{Unsplit, elements, places},
    ids::RawId,
    made::Reply,
    members::Members,
    notification::{Notification, RESERVED},
    served::Unsubscribed,
    subscription_name,
    told::{Says, Told, failure},
    writer,
};
use crate::{
    rpc::{
        Code, Status,
        wire::{
            BadFrame, Head, Place, Tail, json_reader::error_object, object::trim_start, payload::Payload,
            text::Text,
        },
    },
    session::AnyConverter,
};

/// How many elements a batch may have.
const MAX_BATCH: usize = 1000;

/// Reads one message.
pub(crate) struct JsonRpcReader<'m> {
    converter: &'m AnyConverter,
    rpc: &'m JsonRpc,
    message: &'m [u8],
    source: Source,
    /// What comes before anything else is read.
    queued: Option<Head<'m>>,
    /// The bytes that the last head came from; `None` for one that was queued, and for what ends a batch.
    read: Option<Range<usize>>,
    payload: Payload<'m>,
    id: Option<u32>,
    /// Bytes of the request or response.
    len: usize,
}

/// What is not read yet.
enum Source {
    Message,
    Batch { number: u64, elements: vec::IntoIter<Range<usize>> },
    Nothing,
}

impl<'m> JsonRpcReader<'m> {
    pub(in crate::rpc::wire) fn new(
        converter: &'m AnyConverter,
        rpc: &'m JsonRpc,
        message: &'m [u8],
        place: Place,
    ) -> Self {
        let source = match place {
            Place::At(_) => Source::Message,
            Place::End => Source::Nothing,
            Place::Batch { number, elements } => Source::Batch { number, elements },
        };
        Self {
            converter,
            rpc,
            message,
            source,
            queued: None,
            read: None,
            payload: Payload::None,
            id: None,
            len: 0,
        }
    }

    /// Returns where reading goes on; `None` while something comes next that is not in the message.
    pub(crate) fn place(&self) -> Option<Place> {
        match &self.source {
            _ if self.queued.is_some() => None,
            Source::Message => Some(Place::At(0)),
            Source::Batch { number, elements } => {
                Some(Place::Batch { number: *number, elements: elements.clone() })
            }
            Source::Nothing => Some(Place::End),
        }
    }

    /// Tells whether the request or response that `next` gave can be read again: not what was queued, nor what comes with it.
    pub(crate) fn can_go_back(&self) -> bool {
        self.read.is_some() && self.queued.is_none()
    }

    /// Returns where that request or response begins; `None` where it cannot be read again.
    pub(crate) fn place_of_frame(&self) -> Option<Place> {
        let read = self.read.clone().filter(|_| self.queued.is_none())?;
        Some(match &self.source {
            Source::Batch { number, elements } => {
                let elements: Vec<_> = iter::once(read).chain(elements.clone()).collect();
                Place::Batch { number: *number, elements: elements.into_iter() }
            }
            Source::Message | Source::Nothing => Place::At(0),
        })
    }

    pub(crate) fn next(&mut self) -> Result<Option<Head<'m>>, BadFrame> {
        loop {
            (self.payload, self.id, self.len, self.read) = (Payload::None, None, 0, None);
            if let Some(head) = self.queued.take() {
                return Ok(Some(head));
            }
            let head = match &mut self.source {
                Source::Nothing => return Ok(None),
                Source::Message => {
                    self.source = Source::Nothing;
                    self.read = Some(0..self.message.len());
                    self.message()
                }
                Source::Batch { number, elements } => match elements.next() {
                    Some(element) => {
                        self.read = Some(element.clone());
                        let element = self.message.get(element).unwrap_or_default();
                        Some(self.element(element).unwrap_or(Head::Nothing))
                    }
                    None => {
                        let replies = self.rpc.lock().batches.read(*number);
                        self.source = Source::Nothing;
                        replies.map(Head::Answer)
                    }
                },
            };
            if head.is_some() {
                return Ok(head);
            }
        }
    }

    pub(crate) fn payload<T: Deserialize<'m>>(&mut self) -> Result<T, ConvertError> {
        self.payload.decode(self.converter, &mut &[][..])
    }

    pub(crate) fn finish(&mut self) -> Result<Tail, BadFrame> {
        self.payload = Payload::None;
        Ok(Tail { id: self.id.take(), len: self.len, ..Tail::default() })
    }

    fn message(&mut self) -> Option<Head<'m>> {
        let message = trim_start(self.message);
        match message.first() {
            Some(b'{') => return self.element(message),
            Some(b'[') => {}
            _ => {
                let len = self.converter.prefix_len(message).unwrap_or_default();
                let is_json = len > 0 && trim_start(message.get(len..).unwrap_or_default()).is_empty();
                return self.refuse(None, if is_json { INVALID_REQUEST } else { PARSE_ERROR });
            }
        }
        // As they stand in the message, white space in front of it included.
        match places(self.converter, self.message, MAX_BATCH) {
            Ok(elements) if elements.is_empty() => self.refuse(None, INVALID_REQUEST),
            Ok(elements) => {
                let begun = self.rpc.lock().batches.begin(elements.len());
                let Some(number) = begun else { return self.refuse(None, NO_MEMORY) };
                self.source = Source::Batch { number, elements: elements.into_iter() };
                None
            }
            Err(Unsplit::NotJson) => self.refuse(None, PARSE_ERROR),
            Err(Unsplit::TooLong) => self.refuse(None, BATCH_TOO_LONG),
        }
    }

    /// Reads what should be a request or a response, and is a whole message or a whole element of a batch.
    fn element(&mut self, json: &'m [u8]) -> Option<Head<'m>> {
        match Members::read(self.converter, json) {
            Ok((members, behind)) if trim_start(behind).is_empty() => {
                self.len = json.len() - behind.len();
                match members.is_response() {
                    true => self.response(&members),
                    false => self.request(&members),
                }
            }
            // The elements of a batch are JSON: that was seen when they were parted.
            _ if self.batch().is_some() => self.refuse(None, INVALID_REQUEST),
            _ => self.refuse(None, PARSE_ERROR),
        }
    }

    fn request(&mut self, members: &Members<'m>) -> Option<Head<'m>> {
        let id = match members.id.filter(|_| !members.is_ambiguous()) {
            None => None,
            Some(json) => match RawId::read(self.converter, json) {
                Some(id) => Some(id),
                None => return self.refuse(None, INVALID_REQUEST),
            },
        };
        let Some(method) = members.invokes(self.converter) else {
            return self.refuse(id.as_ref(), INVALID_REQUEST);
        };
        // Some libraries write null where there are none.
        let params = members.params.filter(|params| *params != b"null").unwrap_or(b"[]");
        let fits = matches!(params.first(), Some(b'[' | b'{'));
        match id {
            Some(id) if !fits => self.refuse(Some(&id), INVALID_PARAMS),
            Some(id) => self.call(id, method, params),
            None if fits => self.notification(method, params),
            // Nothing answers a notification, whatever is wrong with what it gives its method (§4.1).
            None => None,
        }
    }

    fn call(&mut self, id: RawId, method: Cow<'m, str>, params: &'m [u8]) -> Option<Head<'m>> {
        if method.starts_with(RESERVED) {
            return self.refuse(Some(&id), METHOD_NOT_FOUND);
        }
        if let Some(subscription) = self.unsubscribes(&method, params) {
            let unsubscribed = self.rpc.lock().served.unsubscribe(subscription);
            let lived = match unsubscribed {
                Unsubscribed::Call(call) => {
                    self.queued = Some(Head::Cancel { id: call });
                    true
                }
                Unsubscribed::Over => false,
                Unsubscribed::Unknown => return self.invoke(id, method, params),
            };
            return self.answer(writer::result(&id, if lived { "true" } else { "false" }));
        }
        self.invoke(id, method, params)
    }

    fn invoke(&mut self, id: RawId, method: Cow<'m, str>, params: &'m [u8]) -> Option<Head<'m>> {
        let batch = self.batch();
        let mut state = self.rpc.lock();
        let Some(number) = state.served.begin(id.clone(), batch) else {
            drop(state);
            return self.refuse(Some(&id), ID_IN_USE);
        };
        if let Some(batch) = batch {
            state.batches.expect(batch);
        }
        drop(state);
        (self.id, self.payload) = (Some(number), Payload::Whole(params));
        Some(Head::Invoke { method })
    }

    /// Reads which subscription a request ends, if its method's name says that it ends one.
    fn unsubscribes(&self, method: &str, params: &[u8]) -> Option<u64> {
        let name = method.rsplit('.').next().unwrap_or(method);
        if !name.to_ascii_lowercase().contains("unsubscribe") {
            return None;
        }
        let params = elements(self.converter, params, 1).ok()?;
        let name = self.converter.decode::<Text<'_>>(params.first()?).ok()?.0;
        let number = name.strip_prefix('s')?.parse().ok()?;
        (name == subscription_name(number)).then_some(number)
    }

    fn notification(&mut self, method: Cow<'m, str>, params: &'m [u8]) -> Option<Head<'m>> {
        let state = self.rpc.lock();
        match Notification::read(self.converter, method, params)? {
            Notification::Cancel(id) => state.served.number(&id).map(|id| Head::Cancel { id }),
            Notification::Item(id, item) => {
                let id = state.served.number(&id)?;
                self.payload = Payload::Whole(item);
                Some(Head::Item { id })
            }
            Notification::End(id) => state.served.number(&id).map(|id| Head::End { id }),
            Notification::Credit(id, more) => self.ours(&id).map(|id| Head::Credit { id, more }),
            Notification::GoAway(go_away) => Some(Head::GoAway(go_away)),
            Notification::Method(method) => {
                let told = Some(params).filter(|_| state.made.any());
                drop(state);
                match told.and_then(|params| Told::read(self.converter, params)) {
                    Some(told) => self.told(&told),
                    None => {
                        self.payload = Payload::Whole(params);
                        Some(Head::Invoke { method })
                    }
                }
            }
        }
    }

    /// Takes what a subscription of ours says. One that is over says nothing to anybody.
    fn told(&mut self, told: &Told<'m>) -> Option<Head<'m>> {
        let mut state = self.rpc.lock();
        let id = state.made.subscribed(&told.subscription)?;
        match told.says {
            Says::Item(item) => {
                self.payload = Payload::Whole(item);
                Some(Head::Item { id })
            }
            Says::Error(error) => {
                state.made.end(id);
                self.payload = Payload::Whole(b"null");
                Some(match failure(self.converter, error) {
                    Some(status) => Head::Err { id, status },
                    None => Head::Ok { id },
                })
            }
        }
    }

    fn response(&mut self, members: &Members<'m>) -> Option<Head<'m>> {
        // Some libraries send both members, and null in the one that is not meant.
        let error = members.error.filter(|error| *error != b"null");
        let status = error.map(|error| match error_object(self.converter, error) {
            Ok((_, status)) => status,
            Err(bad) => Status::new(Code::INTERNAL, format!("the reply is malformed: {bad}")),
        });
        let id = members.id.filter(|id| *id != b"null");
        let Some(id) = id else { return status.map(|status| Head::Err { id: 0, status }) };
        let id = RawId::read(self.converter, id)?;
        if let Some(call) = id.number().and_then(|number| number.checked_sub(UNSUBSCRIBES)) {
            return self.unsubscribed(call);
        }
        let id = self.ours(&id)?;
        match (status, members.result) {
            (Some(status), _) => {
                self.rpc.lock().made.end(id);
                Some(Head::Err { id, status })
            }
            (None, result) => self.result(id, result.unwrap_or(b"null")),
        }
    }

    fn result(&mut self, id: u32, result: &'m [u8]) -> Option<Head<'m>> {
        let mut state = self.rpc.lock();
        match state.made.reply(id, result, RawId::read(self.converter, result)) {
            Reply::Answer => {
                self.payload = Payload::Whole(result);
                Some(Head::Ok { id })
            }
            Reply::Begins => None,
            Reply::Unwanted { unsubscribe, subscription } => {
                let mut request = Vec::new();
                writer::unsubscribe(self.converter, id, &unsubscribe, &subscription, &mut request).ok()?;
                Some(Head::Answer(request))
            }
            Reply::Unfit => {
                let status = Status::new(Code::INTERNAL, "the reply is no subscription id");
                Some(Head::Err { id, status })
            }
        }
    }

    /// Takes the reply to the request that ended a subscription of ours. Nothing else ends its call.
    fn unsubscribed(&mut self, call: u64) -> Option<Head<'m>> {
        let id = u32::try_from(call).ok().filter(|&id| self.rpc.lock().made.end(id))?;
        Some(Head::Err { id, status: Status::new(Code::CANCELLED, "") })
    }

    /// Reads the id of a call of this end.
    fn ours(&self, id: &RawId) -> Option<u32> {
        let id = u32::try_from(id.number()?).ok()?;
        (id != 0 && self.rpc.is_ours(id)).then_some(id)
    }

    /// Returns the batch that is being read.
    fn batch(&self) -> Option<u64> {
        match self.source {
            Source::Batch { number, .. } => Some(number),
            _ => None,
        }
    }

    fn refuse(&mut self, id: Option<&RawId>, fault: Fault) -> Option<Head<'m>> {
        self.answer(writer::fault(self.converter, id, fault))
    }

    /// Answers with a whole reply: at once, or with the others of the batch.
    fn answer(&mut self, reply: Vec<u8>) -> Option<Head<'m>> {
        match self.batch() {
            Some(batch) => {
                self.rpc.lock().batches.add(batch, &reply);
                None
            }
            None => Some(Head::Answer(reply)),
        }
    }
}
