//! The calls of ours that get a stream, and the subscriptions they became at the peer. Knows no bytes but those of ids.

use std::collections::HashMap;

use super::ids::RawId;

/// The streams that this end has asked for.
#[derive(Default)]
pub(super) struct Made {
    streams: HashMap<u32, Stream>,
    by_subscription: HashMap<RawId, u32>,
    any: bool,
}

struct Stream {
    method: Box<str>,
    /// What the peer calls it; `None` before its reply.
    subscription: Option<RawId>,
    is_cancelled: bool,
}

/// What a reply to a call of ours is.
pub(super) enum Reply {
    /// The answer of a call that gets no stream, or of one that got nothing.
    Answer,
    /// A stream begins.
    Begins,
    /// A stream begins that was cancelled before.
    Unwanted { unsubscribe: String, subscription: RawId },
    /// No reply that a stream can begin with.
    Unfit,
}

/// How a call of ours is cancelled.
pub(super) enum Cancel {
    /// With a request that has this method and this parameter.
    Unsubscribe { method: String, subscription: RawId },
    /// With a notification of the call's id.
    Request,
    /// It is already.
    Done,
}

impl Made {
    /// Notes a call that gets a stream.
    pub(super) fn begin(&mut self, id: u32, method: &str) {
        self.any = true;
        let stream = Stream { method: method.into(), subscription: None, is_cancelled: false };
        self.streams.insert(id, stream);
    }

    /// Tells whether there was ever a stream.
    pub(super) fn any(&self) -> bool {
        self.any
    }

    /// Takes the result of a call.
    pub(super) fn reply(&mut self, id: u32, result: &[u8], subscription: Option<RawId>) -> Reply {
        let Some(stream) = self.streams.get_mut(&id) else { return Reply::Answer };
        if result == b"null" && stream.subscription.is_none() {
            self.streams.remove(&id);
            return Reply::Answer;
        }
        let fresh = subscription.filter(|subscription| {
            stream.subscription.is_none() && !self.by_subscription.contains_key(subscription)
        });
        let Some(subscription) = fresh else {
            self.end(id);
            return Reply::Unfit;
        };
        stream.subscription = Some(subscription.clone());
        self.by_subscription.insert(subscription.clone(), id);
        match unsubscribe(&stream.method).filter(|_| stream.is_cancelled) {
            Some(unsubscribe) => Reply::Unwanted { unsubscribe, subscription },
            None => Reply::Begins,
        }
    }

    /// Notes that a call is cancelled, and tells how the peer hears of it.
    pub(super) fn cancel(&mut self, id: u32) -> Cancel {
        let Some(stream) = self.streams.get_mut(&id) else { return Cancel::Request };
        if std::mem::replace(&mut stream.is_cancelled, true) {
            return Cancel::Done;
        }
        match (unsubscribe(&stream.method), &stream.subscription) {
            (Some(method), Some(subscription)) => {
                Cancel::Unsubscribe { method, subscription: subscription.clone() }
            }
            _ => Cancel::Request,
        }
    }

    /// Ends a stream; tells whether there was one.
    pub(super) fn end(&mut self, id: u32) -> bool {
        let Some(stream) = self.streams.remove(&id) else { return false };
        if let Some(subscription) = stream.subscription {
            self.by_subscription.remove(&subscription);
        }
        true
    }

    /// Returns the call that became a subscription.
    pub(super) fn subscribed(&self, subscription: &RawId) -> Option<u32> {
        self.by_subscription.get(subscription).copied()
    }
}

/// Returns the name of the method that ends what this one begins: `eth_unsubscribe` for `eth_subscribe`. `None` where
/// the name does not tell.
fn unsubscribe(method: &str) -> Option<String> {
    let at = method.rfind("subscribe")?;
    let (before, after) = method.split_at(at);
    (!before.ends_with("un")).then(|| format!("{before}un{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_the_unsubscribe_method_is_that_of_the_subscribe_method() {
        let names =
            ["eth_subscribe", "subscribe_logs", "chain_subscribeNewHeads", "a.subscribe", "subscribe"];
        let expected = [
            "eth_unsubscribe",
            "unsubscribe_logs",
            "chain_unsubscribeNewHeads",
            "a.unsubscribe",
            "unsubscribe",
        ];
        assert_eq!(names.map(unsubscribe), expected.map(|name| Some(name.to_owned())));
        assert_eq!(["calc.ticks", "eth_unsubscribe", ""].map(unsubscribe), [None, None, None]);
    }
}
