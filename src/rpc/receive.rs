//! What a call waits for: an answer, or a stream. Knows no connection.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use converse_core::{ConvertError, ConvertErrorKind};
use serde::de::DeserializeOwned;

use crate::{
    rpc::{
        CallError, Code, ServiceError, Status, decode,
        discard::Unread,
        error::Disconnected,
        window::{Window, bytes_of},
        wire::{BadFrame, Reader},
    },
    session::{Account, Charge},
};

/// Where the frames of a call go that this end waits for.
pub(crate) trait Receive: Send + Sync {
    /// Tells whether it waits for a stream.
    fn is_stream(&self) -> bool;
    /// Takes an item of a stream, and reads its frame to the end. Where there is no memory for it, nothing has happened,
    /// and the frame can be read again later.
    fn item(&self, reader: &mut Reader<'_>) -> Result<Taken, BadFrame>;
    /// Takes the answer, which ends the call.
    fn ok(&self, reader: &mut Reader<'_>);
    /// Ends a stream that no answer ends.
    fn close(&self);
    /// Ends the call otherwise.
    fn fail(&self, failure: Failure);
}

/// What became of an item.
#[derive(Debug)]
pub(crate) enum Taken {
    /// It is done with.
    Yes,
    /// The stream is over by it, and its sender should know.
    Over,
    /// There is no memory for it, as the status says.
    NoRoom(Status),
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

impl Failure {
    /// Charges what a peer's status takes up; one that is too much has its code only.
    fn charged(self, account: &Arc<Account>) -> (Self, Option<Charge>) {
        let Self::Status(status) = self else { return (self, None) };
        match account.charge(status.len()) {
            Some(charge) => (Self::Status(status), Some(charge)),
            None => (Self::Status(Status::new(status.code(), "")), None),
        }
    }
}

/// The one answer of a call.
pub(crate) struct Answer<T, E> {
    account: Arc<Account>,
    state: Mutex<AnswerState<T, E>>,
}

struct AnswerState<T, E> {
    answer: Option<Unread<Result<T, CallError<E>>>>,
    /// What the answer takes up as long as it waits.
    charge: Option<Charge>,
    waker: Option<Waker>,
}

impl<T, E> Answer<T, E> {
    pub(crate) fn new(account: Arc<Account>) -> Self {
        Self { account, state: Mutex::new(AnswerState { answer: None, charge: None, waker: None }) }
    }

    /// Waits for the answer.
    pub(crate) fn poll(&self, cx: &Context<'_>) -> Poll<Result<T, CallError<E>>> {
        let mut state = lock(&self.state);
        match state.answer.take().and_then(Unread::take) {
            Some(answer) => {
                state.charge = None;
                Poll::Ready(answer)
            }
            None => {
                note(&mut state.waker, cx);
                Poll::Pending
            }
        }
    }

    fn set(&self, answer: Result<T, CallError<E>>, charge: Option<Charge>) {
        let mut state = lock(&self.state);
        let replaced = state.answer.replace(Unread::new(answer));
        state.charge = charge;
        let waker = state.waker.take();
        drop(state);
        drop(replaced);
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

    fn item(&self, reader: &mut Reader<'_>) -> Result<Taken, BadFrame> {
        reader.finish()?;
        let status = Status::new(Code::INTERNAL, "the callee answers with a stream");
        self.set(Err(CallError::Status(status)), None);
        Ok(Taken::Over)
    }

    fn close(&self) {}

    fn ok(&self, reader: &mut Reader<'_>) {
        match decode::payload(reader, &self.account) {
            Ok((value, charge)) => self.set(Ok(value), Some(charge)),
            Err(error) => self.set(Err(CallError::Convert(error)), None),
        }
    }

    fn fail(&self, failure: Failure) {
        let (failure, charge) = failure.charged(&self.account);
        self.set(Err(failure.into()), charge);
    }
}

/// The items of a stream that were received and not taken yet.
pub(crate) struct Inbox<T, E> {
    account: Arc<Account>,
    state: Mutex<InboxState<T, E>>,
    /// What becomes of an item that does not decode.
    unfit: fn(ConvertError) -> CallError<E>,
}

struct InboxState<T, E> {
    items: VecDeque<Item<T>>,
    /// What the stream's end takes up as long as it waits.
    end_charge: Option<Charge>,
    /// How the stream ended; taken once it was told.
    end: Option<Unread<Result<(), CallError<E>>>>,
    told: bool,
    /// What the sender may still send.
    allowed: Amount,
    /// What was taken since credit was last given back; `None` where none is.
    taken: Option<Amount>,
    window: Window,
    waker: Option<Waker>,
}

/// An item that waits to be taken.
struct Item<T> {
    value: Unread<T>,
    /// Those of its frame.
    bytes: u32,
    /// What it takes up as long as it waits.
    _charge: Charge,
}

/// Items and bytes, counted; what is allowed in bytes may fall below zero by one item.
#[derive(Clone, Copy, Default)]
struct Amount {
    items: i64,
    bytes: i64,
}

/// What a receiver of a stream gets.
pub(crate) struct Next<T, E> {
    pub(crate) item: Option<Result<T, CallError<E>>>,
    /// Credit to give back to the sender now.
    pub(crate) credit: Option<Window>,
}

impl<T, E> Inbox<T, E> {
    /// Begins with a window; `credits` tells whether the sender is given more as items are taken.
    pub(crate) fn new(account: Arc<Account>, window: Window, credits: bool) -> Self {
        let state = InboxState {
            items: VecDeque::new(),
            end_charge: None,
            end: None,
            told: false,
            allowed: window.into(),
            taken: credits.then(Amount::default),
            window,
            waker: None,
        };
        Self { account, state: Mutex::new(state), unfit: CallError::Convert }
    }

    /// Begins what a caller sends along: an item that does not decode is the caller's fault, as arguments are.
    pub(crate) fn of_caller(account: Arc<Account>, window: Window) -> Self {
        let unfit = |error| {
            CallError::Status(decode::refusal(Code::INVALID_ARGUMENT, "an item does not fit", &error))
        };
        Self { unfit, ..Self::new(account, window, true) }
    }

    /// Takes the next item.
    pub(crate) fn poll(&self, cx: &Context<'_>) -> Poll<Next<T, E>> {
        let mut state = lock(&self.state);
        if let Some(Item { value, bytes, .. }) = state.items.pop_front() {
            let credit = state.give_back(bytes, self.account.is_tight());
            return Poll::Ready(Next { item: value.take().map(Ok), credit });
        }
        if state.told {
            return Poll::Ready(Next { item: None, credit: None });
        }
        let Some(end) = state.end.take() else {
            note(&mut state.waker, cx);
            return Poll::Pending;
        };
        (state.told, state.end_charge) = (true, None);
        Poll::Ready(Next { item: end.take().and_then(Result::err).map(Err), credit: None })
    }

    /// Ends the stream.
    pub(crate) fn end(&self, how: Result<(), CallError<E>>) {
        self.end_charged(how, None);
    }

    fn end_charged(&self, how: Result<(), CallError<E>>, charge: Option<Charge>) {
        let how = Unread::new(how);
        let mut state = lock(&self.state);
        if state.is_open() {
            (state.end, state.end_charge) = (Some(how), charge);
        }
        let waker = state.waker.take();
        drop(state);
        waker.into_iter().for_each(Waker::wake);
    }

    /// Tells whether an item may come.
    fn admits(&self) -> Admission {
        let state = lock(&self.state);
        match state.is_open() {
            false => Admission::Over,
            true if state.allowed.items > 0 && state.allowed.bytes > 0 => Admission::Open,
            true => Admission::Shut,
        }
    }

    /// Keeps an item that was admitted, unless the stream has ended meanwhile.
    fn keep(&self, value: Unread<T>, charge: Charge, bytes: u32) {
        let mut state = lock(&self.state);
        if !state.is_open() {
            drop(state);
            return drop(value);
        }
        state.allowed.items -= 1;
        state.allowed.bytes -= i64::from(bytes);
        state.items.push_back(Item { value, bytes, _charge: charge });
        let waker = state.waker.take();
        drop(state);
        waker.into_iter().for_each(Waker::wake);
    }
}

/// Whether an item may come.
enum Admission {
    Open,
    /// The sender has used its credit up.
    Shut,
    /// The stream has ended.
    Over,
}

impl<T, E> InboxState<T, E> {
    fn is_open(&self) -> bool {
        self.end.is_none() && !self.told
    }

    /// Notes an item that was taken. Credit goes back when half of the window is used, never for each item; while the
    /// connection has `little` memory left, not before all items are taken.
    fn give_back(&mut self, bytes: u32, little: bool) -> Option<Window> {
        let Some(taken) = &mut self.taken else {
            self.allowed.add(Window { items: 1, bytes });
            return None;
        };
        taken.add(Window { items: 1, bytes });
        let half = |all: u32| i64::from(all.div_ceil(2));
        let is_half = taken.items >= half(self.window.items) || taken.bytes >= half(self.window.bytes);
        if !is_half || self.end.is_some() || little && !self.items.is_empty() {
            return None;
        }
        let credit = taken.split();
        self.allowed.add(credit);
        Some(credit)
    }
}

impl Amount {
    fn add(&mut self, more: Window) {
        self.items += i64::from(more.items);
        self.bytes += i64::from(more.bytes);
    }

    /// Takes out as much as travels at once: all, as long as it is no more than 4 GiB.
    fn split(&mut self) -> Window {
        let part = |all: i64| u32::try_from(all).unwrap_or(u32::MAX);
        let part = Window { items: part(self.items), bytes: part(self.bytes) };
        self.items -= i64::from(part.items);
        self.bytes -= i64::from(part.bytes);
        part
    }
}

impl From<Window> for Amount {
    fn from(window: Window) -> Self {
        Self { items: window.items.into(), bytes: window.bytes.into() }
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

    fn item(&self, reader: &mut Reader<'_>) -> Result<Taken, BadFrame> {
        // Nothing is decoded that nobody may have.
        let value = match self.admits() {
            Admission::Open => decode::item(reader, &self.account),
            Admission::Shut => {
                let text = "more items or bytes than there was credit for";
                self.end(Err(CallError::Status(Status::new(Code::RESOURCE_EXHAUSTED, text))));
                return Ok(Taken::Over);
            }
            Admission::Over => return Ok(Taken::Yes),
        };
        if let Err(error) = &value
            && error.kind() == ConvertErrorKind::TooLarge
        {
            let status = decode::refusal(Code::RESOURCE_EXHAUSTED, "no memory for an item", error);
            return Ok(Taken::NoRoom(status));
        }
        let bytes = bytes_of(reader.finish()?.len);
        let taken = if value.is_ok() { Taken::Yes } else { Taken::Over };
        match value {
            Ok((value, charge)) => self.keep(Unread::new(value), charge, bytes),
            Err(error) => self.end(Err((self.unfit)(error))),
        }
        Ok(taken)
    }

    fn ok(&self, _: &mut Reader<'_>) {
        self.end(Ok(()));
    }

    fn close(&self) {
        self.end(Ok(()));
    }

    fn fail(&self, failure: Failure) {
        let (failure, charge) = failure.charged(&self.account);
        self.end_charged(Err(failure.into()), charge);
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
