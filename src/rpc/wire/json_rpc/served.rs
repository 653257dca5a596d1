//! The calls that are served, by their ids here and at the peer, and the subscriptions that some of them are. Knows no
//! bytes but those of ids.

use std::{borrow::Cow, collections::HashMap};

use super::ids::RawId;

/// The calls of the peer that have not ended yet.
pub(super) struct Served {
    calls: HashMap<u32, Call>,
    /// The call that a request's id stands for.
    by_id: HashMap<RawId, u32>,
    /// The call that is a subscription.
    by_subscription: HashMap<u64, u32>,
    last_call: u32,
    last_subscription: u64,
}

/// A call that is served.
pub(super) struct Call {
    pub(super) id: RawId,
    /// The batch that the reply belongs to.
    pub(super) batch: Option<u64>,
    /// What it is since it was accepted as a stream.
    pub(super) subscription: Option<Subscription>,
}

/// A stream that the peer has been told of.
pub(super) struct Subscription {
    pub(super) number: u64,
    /// The method of its notifications.
    pub(super) method: Box<str>,
    /// The peer has unsubscribed: it gets no more of it.
    pub(super) is_over: bool,
}

/// What an unsubscribe request meets.
pub(super) enum Unsubscribed {
    /// A subscription of this call.
    Call(u32),
    /// A subscription that is over.
    Over,
    /// Nothing that this connection ever gave out.
    Unknown,
}

impl Served {
    /// Begins without calls; they get odd ids, or even ones.
    pub(super) fn new(odd: bool) -> Self {
        Self {
            calls: HashMap::new(),
            by_id: HashMap::new(),
            by_subscription: HashMap::new(),
            last_call: if odd { u32::MAX } else { 0 },
            last_subscription: 0,
        }
    }

    /// Adds a call, and gives its id here. `None`: a request with the peer's id waits for its reply.
    pub(super) fn begin(&mut self, id: RawId, batch: Option<u64>) -> Option<u32> {
        let earlier = self.by_id.get(&id).and_then(|call| self.calls.get(call));
        // A request that has its reply leaves its id free, even where its subscription lives on.
        if earlier.is_some_and(|call| call.subscription.is_none()) {
            return None;
        }
        let number = self.free_number();
        self.by_id.insert(id.clone(), number);
        self.calls.insert(number, Call { id, batch, subscription: None });
        Some(number)
    }

    fn free_number(&mut self) -> u32 {
        loop {
            self.last_call = self.last_call.wrapping_add(2);
            if self.last_call != 0 && !self.calls.contains_key(&self.last_call) {
                return self.last_call;
            }
        }
    }

    /// Makes a call a subscription. `None`: there is no such call, or it is one already.
    pub(super) fn accept(&mut self, number: u32, method: &str) -> Option<&Call> {
        let call = self.calls.get_mut(&number).filter(|call| call.subscription.is_none())?;
        self.last_subscription += 1;
        self.by_subscription.insert(self.last_subscription, number);
        let method = notifications(method).into();
        call.subscription = Some(Subscription { number: self.last_subscription, method, is_over: false });
        Some(call)
    }

    /// Ends a call.
    pub(super) fn end(&mut self, number: u32) -> Option<Call> {
        let call = self.calls.remove(&number)?;
        // Its id may stand for a later call by now.
        if self.by_id.get(&call.id) == Some(&number) {
            self.by_id.remove(&call.id);
        }
        if let Some(subscription) = &call.subscription {
            self.by_subscription.remove(&subscription.number);
        }
        Some(call)
    }

    /// Ends a subscription at the peer's wish. The call is still to end.
    pub(super) fn unsubscribe(&mut self, subscription: u64) -> Unsubscribed {
        if subscription == 0 || subscription > self.last_subscription {
            return Unsubscribed::Unknown;
        }
        let Some(number) = self.by_subscription.remove(&subscription) else { return Unsubscribed::Over };
        if let Some(told) = self.calls.get_mut(&number).and_then(|call| call.subscription.as_mut()) {
            told.is_over = true;
        }
        Unsubscribed::Call(number)
    }

    pub(super) fn call(&self, number: u32) -> Option<&Call> {
        self.calls.get(&number)
    }

    /// Returns the call that a request's id stands for.
    pub(super) fn number(&self, id: &RawId) -> Option<u32> {
        self.by_id.get(id).copied()
    }
}

/// Returns the method of a subscription's notifications: the method itself, but `eth_subscription` for `eth_subscribe`,
/// where Ethereum's libraries look at nothing else.
fn notifications(method: &str) -> Cow<'_, str> {
    match method.strip_suffix("_subscribe") {
        Some(namespace) => Cow::Owned(format!("{namespace}_subscription")),
        None => Cow::Borrowed(method),
    }
}
