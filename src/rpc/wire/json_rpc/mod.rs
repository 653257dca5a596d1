//! JSON-RPC 2.0: the same conversation in the words of other libraries. Knows no table and no task.
//!
//! What its messages leave out is kept here: which request an id stands for, which subscription is which stream, and
//! which replies go back as one array.

mod batch;
mod elements;
mod ids;
mod made;
mod members;
mod notification;
mod reader;
mod served;
mod told;
mod writer;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::{
    frame::Role,
    rpc::wire::codes,
    session::{Account, AnyConverter},
};
use batch::Batches;
use ids::RawId;
use made::Made;
use served::Served;

pub(crate) use reader::JsonRpcReader;

/// What stands for a stream that ends in peace, where JSON-RPC libraries know nothing but errors.
const END_OF_STREAM: i64 = 0;

/// Requests that end a subscription of ours are numbered from here on, by the call they end: no call gets there.
const UNSUBSCRIBES: u64 = 1 << 32;

/// What one connection has to remember.
pub(super) struct JsonRpc {
    role: Role,
    state: Mutex<State>,
}

struct State {
    served: Served,
    made: Made,
    batches: Batches,
}

/// Why a message is refused.
#[derive(Clone, Copy, Debug)]
struct Fault {
    code: i64,
    message: &'static str,
}

impl JsonRpc {
    pub(super) fn new(role: Role, account: Arc<Account>) -> Self {
        let served = Served::new(role == Role::Server);
        let state = State { served, made: Made::default(), batches: Batches::new(account) };
        Self { role, state: Mutex::new(state) }
    }

    /// Writes the reply that tells the caller of its subscription, unless it waits for others of its batch.
    pub(super) fn accept(&self, converter: &AnyConverter, id: u32, method: &str, out: &mut Vec<u8>) {
        let mut state = self.lock();
        let State { served, batches, .. } = &mut *state;
        let Some(call) = served.accept(id, method) else { return };
        let Some(subscription) = &call.subscription else { return };
        let name = subscription_name(subscription.number);
        let Some(name) = RawId::of_text(converter, &name) else { return };
        let reply = writer::result(&call.id, name.as_str());
        match call.batch {
            Some(batch) => out.extend(batches.answer(batch, &reply).unwrap_or_default()),
            None => out.extend(reply),
        }
    }

    /// Ends a call that was served: takes the frame that says so, and gives what is to be sent.
    pub(super) fn commit(&self, converter: &AnyConverter, id: u32, frame: Vec<u8>) -> Option<Vec<u8>> {
        let mut state = self.lock();
        let Some(call) = state.served.end(id) else { return Some(frame).filter(|frame| !frame.is_empty()) };
        if let Some(subscription) = &call.subscription {
            return (!subscription.is_over).then_some(frame);
        }
        let Some(batch) = call.batch else { return Some(frame) };
        if state.batches.make_room(batch, frame.len()) {
            return state.batches.answer(batch, &frame);
        }
        state.batches.answer(batch, &writer::fault(converter, Some(&call.id), BATCH_REPLIES_TOO_LONG))
    }

    /// Lets go of what waits to be sent.
    pub(super) fn end(&self) {
        self.lock().batches.clear();
    }

    /// Takes back a call of this end that was not sent.
    pub(super) fn forget(&self, id: u32) {
        self.lock().made.end(id);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells whether an id is that of a call of this end: a client's are odd.
    fn is_ours(&self, id: u32) -> bool {
        (id % 2 == 1) == (self.role == Role::Client)
    }
}

/// What a subscription is called. Nobody else's text is like it by chance, where one can be a parameter.
fn subscription_name(number: u64) -> String {
    format!("s{number}")
}

const fn invalid(message: &'static str) -> Fault {
    Fault { code: codes::INVALID_REQUEST, message }
}

const PARSE_ERROR: Fault = Fault { code: codes::PARSE_ERROR, message: "Parse error" };
const INVALID_REQUEST: Fault = invalid("Invalid Request");
const BATCH_TOO_LONG: Fault = invalid("Invalid Request: the batch is too long");
const NO_MEMORY: Fault =
    Fault { code: codes::RESOURCE_EXHAUSTED, message: "there is no memory for the replies of the batch" };
const ID_IN_USE: Fault = invalid("Invalid Request: the id is in use");
const METHOD_NOT_FOUND: Fault = Fault { code: codes::METHOD_NOT_FOUND, message: "Method not found" };
const INVALID_PARAMS: Fault = Fault { code: codes::INVALID_PARAMS, message: "Invalid params" };
const BATCH_REPLIES_TOO_LONG: Fault =
    Fault { code: codes::RESOURCE_EXHAUSTED, message: "the replies of the batch are too long" };

#[cfg(all(test, feature = "json"))]
mod tests;
