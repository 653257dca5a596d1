//! The calls that are under way, made and served, and what waits to be sent. Pure data; knows no lock and no task.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
    sync::Arc,
    task::Waker,
};

use futures::future::AbortHandle;
use tokio::time::Instant;

use crate::{
    frame::CloseReason,
    rpc::{
        Code, Status,
        credit::Credit,
        error::{Disconnected, End},
        lanes::Lanes,
        receive::{Failure, Receive},
        running::Running,
        wire::{GoAway, Hello},
    },
    session::Charge,
};

/// What a conversation's lock guards.
#[derive(Default)]
pub(crate) struct Tables {
    pub(crate) lanes: Lanes,
    pub(crate) made: HashMap<u32, Made, Hashing>,
    pub(crate) served: HashMap<u32, Served, Hashing>,
    /// What callers have left for the conversation's task to run.
    pub(crate) adopted: Vec<Running>,
    /// When the next deadline of the task is due, or earlier: of calls that are served, and of the close.
    pub(crate) due: Option<Instant>,
    /// When the next deadline of calls that this end has made is due, or earlier.
    pub(crate) made_due: Option<Instant>,
    /// What the peer has said first, and what that takes up; nothing once the conversation has ended.
    pub(crate) peer: Option<(Arc<Hello>, Charge)>,
    /// The peer takes no new calls.
    pub(crate) peer_goes: Option<GoAway>,
    /// This end takes no new calls.
    pub(crate) goes: Option<GoAway>,
    /// This end closes the connection once the conversation's task has sent what waits, or then at the latest.
    pub(crate) closes: Option<(CloseReason, Option<Instant>)>,
    /// Handlers in tasks of their own that wait until the peer has taken what is there for it.
    pub(crate) waiting: Vec<Waker>,
    /// How the conversation ended.
    pub(crate) end: Option<End>,
}

/// A call that this end has made.
pub(crate) struct Made {
    pub(crate) slot: Arc<dyn Receive>,
    pub(crate) deadline: Option<Instant>,
    /// Where the call stands in its lane.
    pub(crate) position: u64,
    /// What sends the request stream, with the credit for it.
    pub(crate) sends: Option<(AbortHandle, Arc<Credit>)>,
}

/// A call that this end serves.
pub(crate) struct Served {
    /// Ends the handler.
    pub(crate) abort: AbortHandle,
    pub(crate) deadline: Option<Instant>,
    pub(crate) streams: ServedStreams,
}

/// The streams of a call that this end serves.
#[derive(Default)]
pub(crate) struct ServedStreams {
    /// Where the items of the request stream go.
    pub(crate) receives: Option<Arc<dyn Receive>>,
    /// The credit of the response stream, if there is one.
    pub(crate) credit: Option<Arc<Credit>>,
}

impl Tables {
    /// Tells why a call or notification of so many bytes cannot be sent to a peer that takes the `longest`, if so.
    pub(crate) fn refuses(&self, len: usize, longest: u64) -> Option<Failure> {
        if let Some(end) = &self.end {
            return Some(Failure::Disconnected(Disconnected::new(false, end)));
        }
        if let Some(going) = &self.peer_goes {
            let end = End::Going(going.reason.as_str().into());
            return Some(Failure::Disconnected(Disconnected::new(false, &end)));
        }
        let status = || Failure::Status(Status::new(Code::RESOURCE_EXHAUSTED, too_long(len, longest)));
        (len as u64 > longest).then(status)
    }

    /// Takes the reason to close, once nothing waits any more or it has waited long enough.
    pub(crate) fn closes(&mut self) -> Option<CloseReason> {
        let (_, due) = self.closes.as_ref()?;
        let closes = self.lanes.is_empty() || due.is_some_and(|due| due <= Instant::now());
        self.closes.take_if(|_| closes).map(|(reason, _)| reason)
    }

    /// Notes a deadline.
    pub(crate) fn wait_until(&mut self, deadline: Option<Instant>) {
        self.due = earlier(self.due, deadline);
    }

    /// Takes the calls out that are served, and whose deadline has passed.
    pub(crate) fn expire_served(&mut self, now: Instant) -> Vec<(u32, Served)> {
        let late = self.served.extract_if(|_, served| is_late(served.deadline, now)).collect();
        let served_due = self.served.values().filter_map(|served| served.deadline).min();
        let closes_due = self.closes.as_ref().and_then(|(_, due)| *due).filter(|due| *due > now);
        self.due = earlier(served_due, closes_due);
        late
    }

    /// Takes the calls out that this end has made, and whose deadline has passed.
    pub(crate) fn expire_made(&mut self, now: Instant) -> Vec<(u32, Made)> {
        if !is_late(self.made_due, now) {
            return Vec::new();
        }
        let late = self.made.extract_if(|_, made| is_late(made.deadline, now)).collect();
        self.made_due = self.made.values().filter_map(|made| made.deadline).min();
        late
    }
}

impl Served {
    /// Tells whether a stream belongs to the call.
    pub(crate) fn is_stream(&self) -> bool {
        self.streams.receives.is_some() || self.streams.credit.is_some()
    }
}

impl ServedStreams {
    /// Tells whether the answer is a stream.
    pub(crate) fn is_streaming(&self) -> bool {
        self.credit.is_some()
    }

    /// Ends both, wherever a handler has put them. What was received can still be taken.
    pub(crate) fn end(&self, why: impl FnOnce() -> Failure) {
        if let Some(stream) = &self.receives {
            stream.fail(why());
        }
        if let Some(credit) = &self.credit {
            credit.close();
        }
    }
}

impl Made {
    /// Ends the request stream.
    pub(crate) fn stop_sending(&self) {
        if let Some((abort, _)) = &self.sends {
            abort.abort();
        }
    }
}

/// Says that a frame is longer than the peer takes.
pub(crate) fn too_long(len: usize, longest: u64) -> String {
    format!("{len} bytes, and the peer takes {longest}")
}

fn is_late(deadline: Option<Instant>, now: Instant) -> bool {
    deadline.is_some_and(|deadline| deadline <= now)
}

/// Returns the earlier of two instants that may not be.
pub(crate) fn earlier(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    one.into_iter().chain(other).min()
}

/// Hashes ids. Those of a peer are few at a time, so that nothing is gained by choosing them badly.
pub(crate) type Hashing = BuildHasherDefault<IdHasher>;

#[derive(Default)]
pub(crate) struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u32(u32::from(*byte)));
    }

    fn write_u32(&mut self, id: u32) {
        // Fibonacci hashing: consecutive ids end far apart, in the upper bits too.
        self.0 = (self.0 ^ u64::from(id)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }
}
