//! A session's messages as streams. Knows no link.

use std::{
    marker::PhantomData,
    pin::Pin,
    task::{Context, Poll},
};

use converse_core::Message;
use futures::Stream;
use serde::de::DeserializeOwned;

use crate::session::{Session, SessionError};

/// The messages of a session: see [`Session::incoming`].
#[derive(Debug)]
pub struct Incoming<'a> {
    session: &'a mut Session,
}

impl<'a> Incoming<'a> {
    pub(crate) fn new(session: &'a mut Session) -> Self {
        Self { session }
    }
}

impl Stream for Incoming<'_> {
    type Item = Result<Message, SessionError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().session.poll_receive(cx).map(Result::transpose)
    }
}

/// The messages of a session as values: see [`Session::incoming_deserialized`].
#[derive(Debug)]
pub struct IncomingDeserialized<'a, T> {
    session: &'a mut Session,
    value: PhantomData<fn() -> T>,
}

impl<'a, T> IncomingDeserialized<'a, T> {
    pub(crate) fn new(session: &'a mut Session) -> Self {
        Self { session, value: PhantomData }
    }
}

impl<T: DeserializeOwned> Stream for IncomingDeserialized<'_, T> {
    type Item = Result<T, SessionError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().session.poll_deserialized(cx).map(Result::transpose)
    }
}
