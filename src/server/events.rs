//! What a server tells the log: one event for each connection that became no session, and for each session that ended.
//! Neither payloads nor header values nor queries are in them, but for the two that an origin policy has compared.

use std::net::SocketAddr;

use crate::{
    engine::Closed,
    frame::CloseReason,
    handshake::{Rejection, Request},
    session::Outcome,
};

/// A handshake was answered with something else than 101.
pub(crate) fn rejected(peer: SocketAddr, rejection: &Rejection) {
    let status = rejection.status();
    let reason = rejection.why().or(status.canonical_reason()).unwrap_or_default();
    tracing::info!(%peer, status = status.as_u16(), reason, compared = rejection.compared(), "handshake rejected");
}

/// No TLS was agreed on.
#[cfg(feature = "tls")]
pub(crate) fn tls_failed(peer: SocketAddr, error: &std::io::Error) {
    tracing::info!(%peer, %error, "TLS handshake failed");
}

/// A connection found no place.
pub(crate) fn refused(peer: SocketAddr) {
    tracing::info!(%peer, "connection refused: there are as many as there may be");
}

/// A session has ended, and its handler too.
pub(crate) fn ended(request: &Request, outcome: &Outcome, closed: &Closed) {
    let code = |reason: &Option<CloseReason>| reason.as_ref().map(|reason| reason.code().get());
    tracing::info!(
        peer = request.remote_addr().map(tracing::field::display),
        path = request.path(),
        %outcome,
        cause = %closed.cause,
        by = ?closed.by,
        sent = code(&closed.sent),
        received = code(&closed.received),
        "session ended"
    );
}

/// A session could not be cut when the server stopped.
pub(crate) fn left(request: &Request) {
    let peer = request.remote_addr().map(tracing::field::display);
    tracing::warn!(peer, path = request.path(), "session left behind: its handler blocks its thread");
}
