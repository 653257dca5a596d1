//! One accepted connection: its handshake, its conversation, its end. Knows no listener.

use std::{
    future::Future,
    io,
    net::SocketAddr,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::BytesMut;
use futures::FutureExt;
use http::{StatusCode, header};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    sync::OwnedSemaphorePermit,
    time::{Instant, timeout, timeout_at},
};

use crate::{
    engine::Closed,
    extension::ExtensionStack,
    handshake::{HeadReader, Rejection, Upgrade},
    server::{
        End, events,
        registry::{Entry, Registry},
        route::{Route, Routes},
        settings::Settings,
    },
    session::{AnyHandler, Conversation, Outcome, Pool, Setup, Transport},
};

/// How long a rejected client may take to send what it sends and to read its answer.
const LINGER: Duration = Duration::from_secs(2);
/// After what time a client that found no room may ask again.
const RETRY: Duration = Duration::from_secs(1);
/// How many bytes of a rejected client are read and dropped: bytes that are not read reset the answer away.
const LINGER_BYTES: usize = 64 * 1024 * 1024;

/// What all connections of a server share.
pub(crate) struct Shared {
    pub(crate) routes: Routes,
    pub(crate) settings: Settings,
    pub(crate) registry: Arc<Registry>,
    /// The memory that all connections share.
    pub(crate) pool: Arc<Pool>,
}

/// A connection as it was accepted.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    pub(crate) secure: bool,
    /// The place that the connection takes; `None` when the server has as many connections as it may.
    pub(crate) place: Option<OwnedSemaphorePermit>,
    /// When the request must be there.
    pub(crate) deadline: Instant,
}

/// What becomes of a request.
type Decision = Result<(Upgrade, Arc<Route>, ExtensionStack), Rejection>;

/// A connection from its first byte to its end, as one small future: what only the handshake needs is in
/// a box that is freed behind it.
// The large variant is what a connection is for nearly all of its life.
#[allow(clippy::large_enum_variant)]
pub(crate) enum Serving<T: Transport> {
    Upgrading(Pin<Box<dyn Future<Output = Option<Upgraded<T>>> + Send>>),
    Conversing(Upgraded<T>),
}

/// An upgraded connection with all that belongs to it.
pub(crate) struct Upgraded<T: Transport> {
    /// Taken when it has ended.
    conversation: Option<Conversation<T, AnyHandler>>,
    shared: Arc<Shared>,
    /// Taken off the registry when the connection has ended.
    _entry: Entry,
    /// Given to another connection when this one has ended.
    _place: Option<OwnedSemaphorePermit>,
}

/// Leads a connection from its first byte to its end.
pub(crate) fn serve<T>(io: T, peer: Peer, shared: Arc<Shared>) -> Serving<T>
where
    T: Transport + Send + 'static,
{
    Serving::Upgrading(Box::pin(upgrade(io, peer, shared)))
}

impl<T: Transport> Future for Serving<T> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        loop {
            match this {
                Self::Upgrading(upgrade) => match ready!(upgrade.as_mut().poll(cx)) {
                    Some(upgraded) => *this = Self::Conversing(upgraded),
                    None => return Poll::Ready(()),
                },
                Self::Conversing(upgraded) => {
                    let Some(conversation) = &mut upgraded.conversation else { return Poll::Ready(()) };
                    let ended = ready!(Pin::new(conversation).poll(cx));
                    upgraded.report(Some(ended));
                    return Poll::Ready(());
                }
            }
        }
    }
}

impl<T: Transport> Upgraded<T> {
    /// Tells how the conversation has ended, or cuts it.
    fn report(&mut self, ended: Option<(Outcome, Arc<Closed>)>) {
        let Some(conversation) = self.conversation.take() else { return };
        let sender = conversation.sender();
        // What a handler holds is the application's, and so are its error and the hooks: one that panics takes no other along.
        caught("a handler that is dropped", || drop(conversation));
        let (outcome, closed) = ended.unwrap_or_else(|| {
            let closed = sender.try_closed();
            (Outcome::Dropped, closed.unwrap_or_else(|| Arc::new(Closed::aborted())))
        });
        let request = sender.request();
        let peer = request.remote_addr();
        match &outcome {
            Outcome::Finished | Outcome::Dropped => {}
            Outcome::Failed(error) => {
                caught("the error of a handler", || tracing::debug!(?peer, %error, "handler failed"));
            }
            Outcome::Panicked(_) => tracing::error!(?peer, "handler panicked"),
        }
        events::ended(request, &outcome, &closed);
        for hook in &self.shared.settings.end_hooks {
            caught("an end hook", || hook(&End { request, outcome: &outcome, closed: &closed }));
        }
    }
}

/// Runs what is the application's: a panic is told to the log, and to nobody else.
fn caught(what: &str, run: impl FnOnce()) {
    if catch_unwind(AssertUnwindSafe(run)).is_err() {
        tracing::error!("{what} panicked");
    }
}

/// A connection that is cut, as when the server's time to stop is over, has ended too.
impl<T: Transport> Drop for Upgraded<T> {
    fn drop(&mut self) {
        self.report(None);
    }
}

async fn upgrade<T>(mut io: T, peer: Peer, shared: Arc<Shared>) -> Option<Upgraded<T>>
where
    T: Transport + Send + 'static,
{
    let mut leftover = BytesMut::new();
    let answer = tokio::select! {
        biased;
        answer = decide(&mut io, &mut leftover, &peer, &shared) => answer?,
        // Nobody waits for a request that may never come.
        () = shared.registry.closing() => Err(Rejection::service_unavailable(Some(RETRY))),
    };
    let (upgrade, route, stack) = match answer {
        Ok(answer) => answer,
        Err(rejection) => {
            events::rejected(peer.address, &rejection);
            reject(io, rejection, &shared).await;
            return None;
        }
    };
    let written = timeout(shared.settings.handshake_timeout, async {
        io.write_all(&upgrade.to_bytes()).await?;
        io.flush().await
    });
    if !matches!(written.await, Ok(Ok(()))) {
        return None;
    }
    let (request, subprotocol) = upgrade.into_parts();
    let setup = Setup {
        options: Arc::clone(&route.options),
        config: Arc::clone(&route.config),
        stack,
        request,
        subprotocol,
        leftover,
        pool: Some(Arc::clone(&shared.pool)),
    };
    let (conversation, entry) = setup.start(io, |session| {
        let entry = shared.registry.add(session.sender());
        (Some((route.handler)(session)), entry)
    });
    Some(Upgraded { conversation: Some(conversation), shared, _entry: entry, _place: peer.place })
}

/// Reads the request and decides about it; `None` when the peer goes away before it is there.
async fn decide<T>(io: &mut T, leftover: &mut BytesMut, peer: &Peer, shared: &Shared) -> Option<Decision>
where
    T: AsyncRead + Unpin,
{
    let mut reader = HeadReader::request();
    let upgrade = match timeout_at(peer.deadline, read_request(io, &mut reader, leftover)).await {
        Ok(Some(Ok(upgrade))) => upgrade,
        Ok(Some(Err(rejection))) => return Some(Err(rejection)),
        Ok(None) => return None,
        Err(_) => return Some(Err(answering(Rejection::request_timeout(), reader.has_method(b"HEAD")))),
    };
    let answered = timeout(shared.settings.handshake_timeout, answer(upgrade, peer, shared)).await;
    Some(answered.unwrap_or_else(|_| Err(Rejection::service_unavailable(None))))
}

/// Reads the request; `None` when the peer goes away before it is there.
async fn read_request<T>(
    io: &mut T,
    reader: &mut HeadReader,
    leftover: &mut BytesMut,
) -> Option<Result<Upgrade, Rejection>>
where
    T: AsyncRead + Unpin,
{
    let mut buffer = [0; 4096];
    loop {
        let count = match io.read(&mut buffer).await {
            Ok(0) | Err(_) => return None,
            Ok(count) => count,
        };
        match reader.push(buffer.get(..count).unwrap_or_default()) {
            Ok(None) => {}
            Ok(Some(head)) => {
                leftover.extend_from_slice(head.rest);
                let is_head = head.bytes.starts_with(b"HEAD ");
                return Some(Upgrade::verify(head.bytes).map_err(|rejection| answering(rejection, is_head)));
            }
            Err(error) => return Some(Err(answering(error.into(), reader.has_method(b"HEAD")))),
        }
    }
}

/// Leaves the body out where the answer is that of a HEAD request.
fn answering(rejection: Rejection, is_head: bool) -> Rejection {
    if is_head { rejection.answering_head() } else { rejection }
}

/// Decides about a request that is a valid upgrade.
async fn answer(mut upgrade: Upgrade, peer: &Peer, shared: &Shared) -> Decision {
    if peer.place.is_none() || shared.registry.is_closing() {
        return Err(Rejection::service_unavailable(Some(RETRY)));
    }
    let request = upgrade.request_mut();
    request.set_remote_addr(peer.address);
    request.set_secure(peer.secure);
    shared.settings.hosts.check(request)?;
    shared.settings.origin().check(request)?;
    let route = shared.routes.find(request)?;
    upgrade.select_subprotocol(&route.options.subprotocols);
    for hook in shared.settings.hooks.iter().chain(shared.routes.hooks(&route)) {
        let asked = AssertUnwindSafe(hook.on_request(&mut upgrade)).catch_unwind().await;
        asked.unwrap_or_else(|_| {
            tracing::error!(peer = %peer.address, "request hook panicked");
            Err(Rejection::new(StatusCode::INTERNAL_SERVER_ERROR))
        })?;
    }
    let (answers, stack) = ExtensionStack::accept(&route.options.extensions, upgrade.extension_offers());
    let added = upgrade.set_extensions(answers).and_then(|()| match &shared.settings.server_header {
        Some(value) => upgrade.add_header(header::SERVER, value.clone()),
        None => Ok(()),
    });
    match added {
        Ok(()) => Ok((upgrade, route, stack)),
        Err(error) => {
            tracing::error!(%error, "the answer to an upgrade could not be written");
            Err(Rejection::new(StatusCode::INTERNAL_SERVER_ERROR))
        }
    }
}

/// Writes the answer, and drops what the peer still sends, so that TCP does not reset the answer away.
async fn reject<T>(mut io: T, mut rejection: Rejection, shared: &Shared)
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    if let Some(value) = &shared.settings.server_header {
        rejection = rejection.header(header::SERVER, value.clone());
    }
    let farewell = async {
        io.write_all(&rejection.to_bytes()).await?;
        io.shutdown().await?;
        let mut buffer = [0; 4096];
        let mut dropped = 0;
        while dropped < LINGER_BYTES {
            match io.read(&mut buffer).await? {
                0 => break,
                count => dropped += count,
            }
        }
        io::Result::Ok(())
    };
    // The peer may be gone, or not listen: either way there is nobody to tell.
    let _ = timeout(LINGER, farewell).await;
}
