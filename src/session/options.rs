//! What a session is told: converter, limits, times, queues and extensions. Knows no socket.

use std::{fmt, sync::Arc, time::Duration};

use converse_core::ContentConverter;

use crate::{
    engine::{EngineConfig, LONGEST, ping_interval},
    extension::{Extension, ExtensionError, ExtensionStack},
    frame::Role,
    session::{AnyConverter, Overflow},
};

/// Limits, times, queues, converter and extensions of a session.
///
/// Every limit has a default that bounds what a peer can make this end hold. Options are cheap to
/// clone; a [`Server`](crate::server::Server) shares one value among all sessions of a route.
///
/// ```
/// use std::time::Duration;
/// use converse::SessionOptions;
///
/// let options = SessionOptions::default()
///     .ping_interval(Duration::from_secs(15))
///     .max_frame_size(16 * 1024)
///     .max_message_size(64 * 1024);
/// assert_eq!(options.limits().max_message_size, 64 * 1024);
/// ```
#[derive(Clone)]
pub struct SessionOptions {
    pub(crate) converter: AnyConverter,
    pub(crate) limits: Limits,
    pub(crate) overflow: Overflow,
    pub(crate) extensions: Vec<Arc<dyn Extension>>,
    pub(crate) subprotocols: Vec<String>,
    /// Whether a long message may be a slice of what was read, which is not counted.
    pub(crate) slices: bool,
}

/// The numbers of [`SessionOptions`], as they can be read back.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Payload bytes of one received frame; `None`, the default, means as many as a message may have, and
    /// with extensions an eighth and 1 KiB more, since what does not shrink grows.
    pub max_frame_size: Option<usize>,
    /// Payload bytes of one received message, behind the extensions. Default: 1 MiB.
    pub max_message_size: usize,
    /// Payload bytes of one sent frame; a longer message leaves in fragments, and pings and pongs
    /// pass between them. Default: 128 KiB.
    pub fragment_size: usize,
    /// Silence after which a ping leaves; `None` for never. Default: 20 s.
    pub ping_interval: Option<Duration>,
    /// Time for any byte to arrive after a ping has left. Default: 20 s.
    pub timeout: Duration,
    /// Time of the closing handshake in which the peer takes nothing, and for a handler to end once the connection
    /// has. Default: 5 s.
    pub close_timeout: Duration,
    /// Time of the closing handshake in all; `None` for no bound. Default: 2 min.
    pub max_close_time: Option<Duration>,
    /// Time for the peer to take a byte while some wait. Default: 20 s.
    pub write_timeout: Duration,
    /// Time for the transport to take a byte while the peer takes some that it was given before; `None` for no bound.
    /// Default: 5 min.
    pub max_write_time: Option<Duration>,
    /// Time in which a message comes on by 16 KiB at least, or ends; `None` for ever. Default: 30 s.
    pub message_timeout: Option<Duration>,
    /// Time for a message to arrive whole, from its first byte on; `None` for no bound. Default: 2 min.
    pub max_message_time: Option<Duration>,
    /// Bytes that the system may hold unsent on TCP before it takes no more (`TCP_NOTSENT_LOWAT`); `None` leaves that to
    /// the system. Default: 512 KiB.
    pub max_unsent: Option<u32>,
    /// Bytes of accepted and unsent messages above which `send` waits. Default: 64 KiB.
    pub soft_mark: usize,
    /// Bytes of accepted and unsent messages above which an overflow policy acts. Default: 1 MiB.
    pub hard_mark: usize,
    /// Bytes of received messages that wait for the application; beyond that, or beyond 64 messages, nothing
    /// is read. Default: 64 KiB.
    pub receive_queue: usize,
    /// Bytes that what was received and decoded may take; `None`, the default, means four times as many as a message
    /// may have.
    pub memory: Option<usize>,
}

impl Limits {
    /// Returns how many bytes what was received and decoded may take.
    pub(crate) fn memory_limit(&self) -> usize {
        self.memory.unwrap_or(self.max_message_size.saturating_mul(4))
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_frame_size: None,
            max_message_size: 1024 * 1024,
            fragment_size: 128 * 1024,
            ping_interval: Some(Duration::from_secs(20)),
            timeout: Duration::from_secs(20),
            close_timeout: Duration::from_secs(5),
            max_close_time: Some(Duration::from_secs(2 * 60)),
            write_timeout: Duration::from_secs(20),
            max_write_time: Some(Duration::from_secs(5 * 60)),
            message_timeout: Some(Duration::from_secs(30)),
            max_message_time: Some(Duration::from_secs(2 * 60)),
            max_unsent: Some(512 * 1024),
            soft_mark: 64 * 1024,
            hard_mark: 1024 * 1024,
            receive_queue: 64 * 1024,
            memory: None,
        }
    }
}

impl Default for SessionOptions {
    /// JSON (or the first format whose feature is on), the limits of [`Limits::default`], no
    /// extension, and a `send` that waits for room.
    fn default() -> Self {
        Self {
            converter: AnyConverter::default(),
            limits: Limits::default(),
            overflow: Overflow::Wait,
            extensions: Vec::new(),
            subprotocols: Vec::new(),
            slices: true,
        }
    }
}

impl SessionOptions {
    /// Chooses how values become messages. Default: JSON.
    ///
    /// The three built-in converters are called statically; any other goes through erased-serde, which
    /// costs indirect calls for each field.
    #[must_use]
    pub fn content_converter(mut self, converter: impl ContentConverter) -> Self {
        self.converter = AnyConverter::new(converter);
        self
    }

    /// Limits the payload of one received frame, in bytes; over it the peer sees 1009. Default: as
    /// many as [`max_message_size`](Self::max_message_size), and with extensions an eighth and 1 KiB more, since
    /// what does not shrink grows.
    #[must_use]
    pub fn max_frame_size(mut self, bytes: impl Into<Option<usize>>) -> Self {
        self.limits.max_frame_size = bytes.into();
        self
    }

    /// Limits the payload of one received message, in bytes, behind the extensions; over it the peer sees
    /// 1009. Default: 1 MiB.
    #[must_use]
    pub fn max_message_size(mut self, bytes: usize) -> Self {
        self.limits.max_message_size = bytes;
        self
    }

    /// Sets the payload of the longest frame that is sent, in bytes (1 at least); a longer message
    /// leaves in fragments, and control frames pass between them. Default: 128 KiB.
    #[must_use]
    pub fn fragment_size(mut self, bytes: usize) -> Self {
        self.limits.fragment_size = bytes.max(1);
        self
    }

    /// Sets the silence after which a ping leaves; `None` turns pings off. Raw sessions send none by
    /// themselves. Default: 20 s.
    #[must_use]
    pub fn ping_interval(mut self, interval: impl Into<Option<Duration>>) -> Self {
        self.limits.ping_interval = interval.into();
        self
    }

    /// Sets the time for any byte to arrive after a ping has left; then the peer counts as dead, and is told
    /// 1011. Default: 20 s.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.limits.timeout = timeout;
        self
    }

    /// Sets the time of the closing handshake (RFC 6455 §7.1.1) in which the peer takes nothing: on TCP, TLS over TCP and
    /// Unix sockets it begins again as often as the peer has acknowledged some of what was sent before, up to
    /// [`max_close_time`](Self::max_close_time); while bytes are on their way to the peer it is not less than
    /// [`write_timeout`](Self::write_timeout).
    ///
    /// Also how long a handler may run on once its connection has ended. Default: 5 s.
    #[must_use]
    pub fn close_timeout(mut self, timeout: Duration) -> Self {
        self.limits.close_timeout = timeout;
        self
    }

    /// Limits the time of the closing handshake in all, never below [`close_timeout`](Self::close_timeout); `None` sets no
    /// limit. Default: 2 min.
    #[must_use]
    pub fn max_close_time(mut self, time: impl Into<Option<Duration>>) -> Self {
        self.limits.max_close_time = time.into();
        self
    }

    /// Sets the time for the peer to take at least a byte while some wait; then the connection is cut: the peer reads
    /// nothing. On TCP, TLS over TCP and Unix sockets a byte that the peer has acknowledged counts (on Linux, Android and
    /// Apple's systems, which tell it), up to [`max_write_time`](Self::max_write_time). On other transports and systems it
    /// has to be one that the transport takes: choose a longer time for slow peers there. Default: 20 s.
    #[must_use]
    pub fn write_timeout(mut self, timeout: Duration) -> Self {
        self.limits.write_timeout = timeout;
        self
    }

    /// Limits the time in which the transport has to take another byte while some wait, even while the peer acknowledges
    /// old ones; never below [`write_timeout`](Self::write_timeout); `None` sets no limit. Default: 5 min.
    #[must_use]
    pub fn max_write_time(mut self, time: impl Into<Option<Duration>>) -> Self {
        self.limits.max_write_time = time.into();
        self
    }

    /// Limits the time for a message to arrive whole, from its first byte on, never below
    /// [`message_timeout`](Self::message_timeout); over it the peer sees 1008. For as long a peer may hoard memory with a
    /// message that does not end. `None` sets no limit. Default: 2 min.
    #[must_use]
    pub fn max_message_time(mut self, time: impl Into<Option<Duration>>) -> Self {
        self.limits.max_message_time = time.into();
        self
    }

    /// Limits the bytes that the system holds unsent on TCP (`TCP_NOTSENT_LOWAT`, on Linux and Android): more waits in
    /// the session, where its limits count and control frames pass it. `None` leaves that to the system, which takes
    /// megabytes. Default: 512 KiB.
    #[must_use]
    pub fn max_unsent(mut self, bytes: impl Into<Option<u32>>) -> Self {
        self.limits.max_unsent = bytes.into();
        self
    }

    /// Sets the time in which a message comes on by 16 KiB at least, again and again, or ends; over it the peer sees 1008. The whole message
    /// has [`max_message_time`](Self::max_message_time). `None` waits for ever, whatever that says. Default: 30 s.
    #[must_use]
    pub fn message_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.limits.message_timeout = timeout.into();
        self
    }

    /// Sets the marks of the send queue, in bytes of accepted and unsent messages: above `soft` a
    /// `send` waits, above `hard` (never under `soft`) an [`Overflow`] policy acts. A queue under its mark
    /// takes a message of any size. What a handler sends while it works on one read of messages of 16 KiB and more may come to
    /// that read, 256 KiB at most, unless `soft` is under 64 KiB. Default: 64 KiB and 1 MiB.
    #[must_use]
    pub fn send_queue(mut self, soft: usize, hard: usize) -> Self {
        self.limits.soft_mark = soft.max(1);
        self.limits.hard_mark = hard.max(self.limits.soft_mark);
        self
    }

    /// Chooses what `send` does when the peer reads too slowly. Default: [`Overflow::Wait`].
    #[must_use]
    pub fn overflow(mut self, overflow: Overflow) -> Self {
        self.overflow = overflow;
        self
    }

    /// Sets how many bytes of received messages may wait for the application; beyond that, or beyond 64
    /// messages, nothing is read, and TCP slows the peer down. An empty queue takes a message of any size.
    /// Default: 64 KiB.
    #[must_use]
    pub fn receive_queue(mut self, bytes: usize) -> Self {
        self.limits.receive_queue = bytes.max(1);
        self
    }

    /// Limits what messages may become once they are decoded, in bytes: the value that
    /// [`receive_deserialized`](crate::Session::receive_deserialized) makes of one, and with [calls and
    /// streams](crate::docs::rpc) the arguments and items that were received and not done with, together. What is over
    /// it is refused while it is decoded. What a session's handler has taken is its own and not counted. `None`, the
    /// default, is four times [`max_message_size`](Self::max_message_size), so 4 MiB; there is no way to be without.
    #[must_use]
    pub fn memory(mut self, bytes: impl Into<Option<usize>>) -> Self {
        self.limits.memory = bytes.into();
        self
    }

    /// Adds an extension. In raw sessions it is negotiated too, but frames go past it: the owner of the session
    /// encodes and decodes them. The order is the client's order of preference. Two that claim one reserved
    /// bit, or have one name, are refused when the server is bound or the client connects.
    #[must_use]
    pub fn extension(mut self, extension: impl Extension) -> Self {
        self.extensions.push(Arc::new(extension));
        self
    }

    /// Adds a subprotocol (RFC 6455 §1.9), which is a token; a server prefers those added first, a client
    /// offers all. One that is no token is reported when the server is bound or the client connects.
    #[must_use]
    pub fn subprotocol(mut self, token: impl Into<String>) -> Self {
        self.subprotocols.push(token.into());
        self
    }

    /// Returns the limits and times.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Checks what no single setter can.
    pub(crate) fn check(&self) -> Result<(), ExtensionError> {
        ExtensionStack::check(&self.extensions)
    }

    /// Returns what the engine needs of this.
    pub(crate) fn engine(&self, role: Role, raw: bool) -> EngineConfig {
        let limits = &self.limits;
        EngineConfig {
            role,
            max_frame_size: limits.max_frame_size.map(|bytes| bytes as u64),
            max_message_size: limits.max_message_size as u64,
            fragment_size: limits.fragment_size,
            receive_queue: limits.receive_queue,
            ping_interval: limits.ping_interval.filter(|_| !raw).map(ping_interval),
            timeout: limits.timeout.min(LONGEST),
            close_timeout: limits.close_timeout.min(LONGEST),
            max_close_time: limits.max_close_time.map(|time| time.min(LONGEST)),
            write_timeout: limits.write_timeout.min(LONGEST),
            max_write_time: limits.max_write_time.map(|time| time.min(LONGEST)),
            message_timeout: limits.message_timeout.map(|time| time.min(LONGEST)),
            max_message_time: limits.max_message_time.map(|time| time.min(LONGEST)),
            raw,
            mask_source: rand::random,
        }
    }
}

impl fmt::Debug for SessionOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let extensions: Vec<&str> = self.extensions.iter().map(|extension| extension.name()).collect();
        f.debug_struct("SessionOptions")
            .field("converter", &self.converter.subprotocol())
            .field("limits", &self.limits)
            .field("overflow", &self.overflow)
            .field("extensions", &extensions)
            .field("subprotocols", &self.subprotocols)
            .finish()
    }
}
