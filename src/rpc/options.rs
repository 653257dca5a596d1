//! Limits and times of a conversation. Knows no session.

use std::time::Duration;

use crate::{
    frame::Role,
    rpc::{Protocol, window::Window, wire::Hello},
    session::{Overflow, SessionOptions},
};

/// Calls that a server serves at a time, on one connection.
const SERVER_IN_FLIGHT: usize = 64;
/// Calls that a client serves at a time.
const CLIENT_IN_FLIGHT: usize = 16;

/// The least time between two pings.
const SHORTEST_PING: Duration = Duration::from_millis(1);

/// Limits and times of a conversation, and what it may be spoken in.
///
/// ```
/// use std::time::Duration;
/// use converse::rpc::Options;
///
/// let options = Options::default().in_flight(256).deadline(Duration::from_secs(5)).window(128);
/// ```
#[derive(Clone, Debug)]
pub struct Options {
    pub(crate) protocols: Vec<Protocol>,
    pub(crate) assumed: Option<Protocol>,
    pub(crate) in_flight: Option<usize>,
    pub(crate) streams: usize,
    pub(crate) window: Window,
    pub(crate) deadline: Option<Duration>,
    pub(crate) max_deadline: Option<Duration>,
    pub(crate) hello_timeout: Duration,
    pub(crate) max_queued: usize,
    pub(crate) ping_interval: Option<Duration>,
    pub(crate) token: Option<String>,
    pub(crate) schema: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            protocols: Protocol::all(),
            assumed: None,
            in_flight: None,
            streams: 64,
            window: Window::default(),
            deadline: Some(Duration::from_secs(30)),
            max_deadline: Some(Duration::from_secs(5 * 60)),
            hello_timeout: Duration::from_secs(10),
            max_queued: 256 * 1024,
            ping_interval: None,
            token: None,
            schema: None,
        }
    }
}

impl Options {
    /// Chooses what may be spoken, the preferred first: a server takes the first of its own that the client offers.
    /// Default: MessagePack, CBOR, JSON, JSON-RPC, as far as their features are on.
    #[must_use]
    pub fn protocols(mut self, protocols: impl IntoIterator<Item = Protocol>) -> Self {
        self.protocols = protocols.into_iter().collect();
        self
    }

    /// Chooses what is spoken where no subprotocol was agreed on, as with plain JSON-RPC clients. Default: nothing;
    /// such a connection is closed with 4400.
    #[must_use]
    pub fn without_subprotocol(mut self, protocol: Protocol) -> Self {
        self.assumed = Some(protocol);
        self
    }

    /// Limits how many calls of the peer are served at a time; over it a call is answered RESOURCE_EXHAUSTED at
    /// once, and a notification is dropped and counted. Default: 64 on a server, 16 on a client.
    #[must_use]
    pub fn in_flight(mut self, calls: usize) -> Self {
        self.in_flight = Some(calls);
        self
    }

    /// Limits how many of the calls served may be streams; over it a call is answered RESOURCE_EXHAUSTED. Default:
    /// 64.
    #[must_use]
    pub fn streams(mut self, streams: usize) -> Self {
        self.streams = streams;
        self
    }

    /// Sets how many items a stream towards this end may be ahead of who takes them (1 at least). Default: 32.
    #[must_use]
    pub fn window(mut self, items: u32) -> Self {
        self.window.items = items.clamp(1, u32::MAX / 2);
        self
    }

    /// Sets how many bytes a stream towards this end may be ahead of who takes its items, those of their frames (1 at
    /// least). The last item may go beyond it, so that an item of any length can be sent. Default: 64 KiB.
    #[must_use]
    pub fn window_bytes(mut self, bytes: u32) -> Self {
        self.window.bytes = bytes.clamp(1, u32::MAX / 2);
        self
    }

    /// Limits how long a call with one answer may take where it does not say so itself, on the caller's side and on
    /// the callee's; `None` for no limit. Calls with a stream of answers have none unless they say so. Default: 30 s.
    #[must_use]
    pub fn deadline(mut self, deadline: impl Into<Option<Duration>>) -> Self {
        self.deadline = deadline.into();
        self
    }

    /// Limits how long a call of the peer with one answer, or a notification, may take whatever deadline it names;
    /// then its handler is dropped, and it is answered DEADLINE_EXCEEDED. `None` for no limit. Default: 5 minutes.
    #[must_use]
    pub fn max_deadline(mut self, deadline: impl Into<Option<Duration>>) -> Self {
        self.max_deadline = deadline.into();
        self
    }

    /// Sets the time for the peer's hello to arrive; then the connection is closed with 4408. Default: 10 s.
    #[must_use]
    pub fn hello_timeout(mut self, timeout: Duration) -> Self {
        self.hello_timeout = timeout;
        self
    }

    /// Limits the bytes that wait for a peer: of refusals and of answers each, and one answer of any length (four times as
    /// many answers while an item waits for memory, since then handlers go on to give some back); with
    /// [`Router::spawned`](crate::rpc::Router::spawned), one more of each thread.
    ///
    /// Beyond it no frame of the peer is handled that could bring more refusals about, and no handler is continued that
    /// could bring more answers about, until the peer has read some; when it takes nothing for 10 s, the connection is
    /// closed with 4008. Default: 256 KiB.
    #[must_use]
    pub fn max_queued(mut self, bytes: usize) -> Self {
        self.max_queued = bytes.max(1);
        self
    }

    /// Lets a server send ping frames, which a browser can see, unlike those of the protocol below; zero is none, and
    /// a millisecond the least.
    /// Default: none.
    #[must_use]
    pub fn ping_interval(mut self, interval: impl Into<Option<Duration>>) -> Self {
        self.ping_interval =
            interval.into().filter(|time| !time.is_zero()).map(|time| time.max(SHORTEST_PING));
        self
    }

    /// Sends a token in the hello: who this end is, where a header cannot say it, as in browsers. The other end reads
    /// it with [`Context::token`](crate::rpc::Context::token).
    #[must_use]
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(token.into());
        self
    }

    /// Sends a name or digest of what is served in the hello.
    #[must_use]
    pub fn schema(mut self, schema: impl Into<String>) -> Self {
        self.schema = Some(schema.into());
        self
    }

    pub(crate) fn in_flight_of(&self, role: Role) -> usize {
        self.in_flight.unwrap_or(match role {
            Role::Server => SERVER_IN_FLIGHT,
            Role::Client => CLIENT_IN_FLIGHT,
        })
    }

    /// Returns the options of the session below: what bounds its send queue is the conversation's business.
    pub(crate) fn session_options(&self, base: &SessionOptions) -> SessionOptions {
        let options = base.clone().send_queue(self.max_queued, self.max_queued).overflow(Overflow::Fail);
        // What a conversation still works at is counted, by its length.
        let options = SessionOptions { slices: false, ..options };
        self.protocols.iter().fold(options, |options, protocol| options.subprotocol(protocol.token()))
    }

    /// Returns what the agreed subprotocol names.
    pub(crate) fn agreed(&self, subprotocol: Option<&str>) -> Option<&Protocol> {
        match subprotocol {
            Some(token) => self.protocols.iter().find(|protocol| protocol.token() == token),
            None => self.assumed.as_ref(),
        }
    }

    /// Returns what this end says first.
    pub(crate) fn hello(&self, role: Role, max_message: usize) -> Hello {
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        Hello {
            window: self.window,
            in_flight: u32::try_from(self.in_flight_of(role)).unwrap_or(u32::MAX),
            max_message: max_message as u64,
            ping: self.ping_interval.filter(|_| role == Role::Server).map_or(0, millis),
            token: self.token.clone(),
            schema: self.schema.clone(),
            ..Hello::default()
        }
    }
}
