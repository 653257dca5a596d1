//! What a call waits for: an answer, or a stream. Knows no connection.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use converse_core::ConvertError;
use serde::de::DeserializeOwned;

use crate::rpc::{CallError, Code, ServiceError, Status, error::Disconnected, wire::Reader};

/// Where the frames of a call go that this end waits for.
pub(crate) trait Receive: Send + Sync {
    /// Tells whether it waits for a stream.
    fn is_stream(&self) -> bool;
    /// Takes an item of a stream; `false` when the stream is over by that, and its sender should know.
    fn item(&self, reader: &mut Reader<'_>) -> bool;
    /// Takes the answer, which ends the call.
    fn ok(&self, reader: &mut Reader<'_>);
    /// Ends a stream that no answer ends.
    fn close(&self);
    /// Ends the call otherwise.
    fn fail(&self, failure: Failure);
}

/// Why a call ends without an answer.
#[derive(Debug)]
pub(crate) enum Failure {
    Status(Status),
    Disconnected(Disconnected),
    Deadline,
    Convert(ConvertError),
}

impl<E: ServiceError> From<Failure> for CallError<E> {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Status(status) => Self::from_status(status),
            Failure::Disconnected(disconnected) => Self::Disconnected(disconnected),
            Failure::Deadline => Self::Deadline,
            Failure::Convert(error) => Self::Convert(error),
        }
    }
}

/// The one answer of a call.
pub(crate) struct Answer<T, E> {
    state: Mutex<AnswerState<T, E>>,
}

struct AnswerState<T, E> {
    answer: Option<Result<T, CallError<E>>>,
    waker: Option<Waker>,
}

impl<T, E> Answer<T, E> {
    pub(crate) fn new() -> Self {
        Self { state: Mutex::new(AnswerState { answer: None, waker: None }) }
    }

    /// Waits for the answer.
    pub(crate) fn poll(&self, cx: &Context<'_>) -> Poll<Result<T, CallError<E>>> {
        let mut state = lock(&self.state);
        match state.answer.take() {
            Some(answer) => Poll::Ready(answer),
            None => {
                note(&mut state.waker, cx);
                Poll::Pending
            }
        }
    }

    fn set(&self, answer: Result<T, CallError<E>>) {
        let mut state = lock(&self.state);
        state.answer = Some(answer);
        let waker = state.waker.take();
        drop(state);
        waker.into_iter().for_each(Waker::wake);
    }
}

impl<T, E> Receive for Answer<T, E>
where
    T: DeserializeOwned + Send,
    E: ServiceError,
{
    fn is_stream(&self) -> bool {
        false
    }

    fn item(&self, _: &mut Reader<'_>) -> bool {
        let status = Status::new(Code::INTERNAL, "the callee answers with a stream");
        self.set(Err(CallError::Status(status)));
        false
    }

    fn close(&self) {}

    fn ok(&self, reader: &mut Reader<'_>) {
        self.set(reader.payload().map_err(CallError::Convert));
    }

    fn fail(&self, failure: Failure) {
        self.set(Err(failure.into()));
    }
}

/// The items of a stream that were received and not taken yet.
pub(crate) struct Inbox<T, E> {
    state: Mutex<InboxState<T, E>>,
    /// What becomes of an item that does not decode.
    unfit: fn(ConvertError) -> CallError<E>,
}

struct InboxState<T, E> {
    items: VecDeque<T>,
    /// How the stream ended; taken once it was told.
    end: Option<Result<(), CallError<E>>>,
    told: bool,
    /// How many items the sender may still send.
    allowed: u32,
    /// How many items were taken since credit was last given back; `None` where none is.
    taken: Option<u32>,
    window: u32,
    waker: Option<Waker>,
}

/// What a receiver of a stream gets.
pub(crate) struct Next<T, E> {
    pub(crate) item: Option<Result<T, CallError<E>>>,
    /// Credit to give back to the sender now; 0 for none.
    pub(crate) credit: u32,
}

impl<T, E> Inbox<T, E> {
    /// Begins with a window of items; `credits` tells whether the sender is given more as they are taken.
    pub(crate) fn new(window: u32, credits: bool) -> Self {
        let state = InboxState {
            items: VecDeque::new(),
            end: None,
            told: false,
            allowed: window,
            taken: credits.then_some(0),
            window,
            waker: None,
        };
        Self { state: Mutex::new(state), unfit: CallError::Convert }
    }

    /// Begins what a caller sends along: an item that does not decode is the caller's fault, as arguments are.
    pub(crate) fn of_caller(window: u32) -> Self {
        let unfit = |error| {
            CallError::Status(Status::new(Code::INVALID_ARGUMENT, format!("an item does not fit: {error}")))
        };
        Self { unfit, ..Self::new(window, true) }
    }

    /// Takes the next item.
    pub(crate) fn poll(&self, cx: &Context<'_>) -> Poll<Next<T, E>> {
        let mut state = lock(&self.state);
        if let Some(item) = state.items.pop_front() {
            let credit = state.give_back();
            return Poll::Ready(Next { item: Some(Ok(item)), credit });
        }
        if state.told {
            return Poll::Ready(Next { item: None, credit: 0 });
        }
        let Some(end) = state.end.take() else {
            note(&mut state.waker, cx);
            return Poll::Pending;
        };
        state.told = true;
        Poll::Ready(Next { item: end.err().map(Err), credit: 0 })
    }

    /// Ends the stream.
    pub(crate) fn end(&self, how: Result<(), CallError<E>>) {
        let mut state = lock(&self.state);
        if state.end.is_none() && !state.told {
            state.end = Some(how);
        }
        let waker = state.waker.take();
        drop(state);
        waker.into_iter().for_each(Waker::wake);
    }
}

impl<T, E> InboxState<T, E> {
    /// Notes an item that was taken. Credit goes back when half of the window is used, never for each item.
    fn give_back(&mut self) -> u32 {
        let Some(taken) = &mut self.taken else {
            self.allowed += 1;
            return 0;
        };
        *taken += 1;
        if *taken < self.window.div_ceil(2) || self.end.is_some() {
            return 0;
        }
        let credit = std::mem::take(taken);
        self.allowed += credit;
        credit
    }
}

impl<T, E> Receive for Inbox<T, E>
where
    T: DeserializeOwned + Send,
    E: ServiceError,
{
    fn is_stream(&self) -> bool {
        true
    }

    fn item(&self, reader: &mut Reader<'_>) -> bool {
        let item: Result<T, ConvertError> = reader.payload();
        let mut state = lock(&self.state);
        if state.end.is_some() || state.told {
            return true;
        }
        let taken = match item {
            Ok(_) if state.allowed == 0 => Err(CallError::Status(Status::new(
                Code::RESOURCE_EXHAUSTED,
                "more items than there was credit for",
            ))),
            Ok(item) => Ok(item),
            Err(error) => Err((self.unfit)(error)),
        };
        let goes_on = taken.is_ok();
        match taken {
            Ok(item) => {
                state.allowed -= 1;
                state.items.push_back(item);
            }
            Err(error) => state.end = Some(Err(error)),
        }
        let waker = state.waker.take();
        drop(state);
        waker.into_iter().for_each(Waker::wake);
        goes_on
    }

    fn ok(&self, _: &mut Reader<'_>) {
        self.end(Ok(()));
    }

    fn close(&self) {
        self.end(Ok(()));
    }

    fn fail(&self, failure: Failure) {
        self.end(Err(failure.into()));
    }
}

fn lock<T>(state: &Mutex<T>) -> MutexGuard<'_, T> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn note(waker: &mut Option<Waker>, cx: &Context<'_>) {
    if !waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
        *waker = Some(cx.waker().clone());
    }
}
