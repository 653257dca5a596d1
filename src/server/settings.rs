//! What holds for all connections of a server. Knows no route.

use std::{fmt, sync::Arc, time::Duration};

use http::HeaderValue;

use crate::{
    engine::Closed,
    handshake::{Hosts, OriginPolicy, Request},
    server::RequestHook,
    session::{DEFAULT_MEMORY, Outcome},
};

/// Called when a connection has ended.
pub type EndHook = Arc<dyn Fn(&End<'_>) + Send + Sync>;

/// How a connection ended.
#[derive(Debug)]
#[non_exhaustive]
pub struct End<'a> {
    /// The request that opened it.
    pub request: &'a Request,
    /// How its handler ended.
    pub outcome: &'a Outcome,
    /// What went over the wire, and why it ended.
    pub closed: &'a Closed,
}

/// The rules of a server.
pub(crate) struct Settings {
    /// `None` for the default.
    pub(crate) origin: Option<OriginPolicy>,
    pub(crate) hosts: Hosts,
    /// Asked in this order; the first rejection counts.
    pub(crate) hooks: Vec<Arc<dyn RequestHook>>,
    pub(crate) end_hooks: Vec<EndHook>,
    pub(crate) max_connections: usize,
    pub(crate) memory: usize,
    pub(crate) handshake_timeout: Duration,
    pub(crate) shutdown_timeout: Duration,
    pub(crate) server_header: Option<HeaderValue>,
    #[cfg(feature = "tls")]
    pub(crate) tls: Option<tokio_rustls::TlsAcceptor>,
}

impl Settings {
    /// Returns which web pages may connect.
    pub(crate) fn origin(&self) -> &OriginPolicy {
        static DEFAULT: OriginPolicy = OriginPolicy::same_host();
        self.origin.as_ref().unwrap_or(&DEFAULT)
    }

    /// Tells whether connections are TLS.
    pub(crate) fn is_secure(&self) -> bool {
        #[cfg(feature = "tls")]
        return self.tls.is_some();
        #[cfg(not(feature = "tls"))]
        false
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            origin: None,
            hosts: Hosts::default(),
            hooks: Vec::new(),
            end_hooks: Vec::new(),
            max_connections: 50_000,
            memory: DEFAULT_MEMORY,
            handshake_timeout: Duration::from_secs(10),
            shutdown_timeout: Duration::from_secs(10),
            server_header: None,
            #[cfg(feature = "tls")]
            tls: None,
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("origin", &self.origin)
            .field("max_connections", &self.max_connections)
            .field("memory", &self.memory)
            .field("handshake_timeout", &self.handshake_timeout)
            .field("shutdown_timeout", &self.shutdown_timeout)
            .finish_non_exhaustive()
    }
}
