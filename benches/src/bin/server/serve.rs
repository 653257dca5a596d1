//! What contenders have in common: they take a listener, and most of them start a task for each connection.

use std::{
    future::{Future, ready},
    io,
    pin::Pin,
};

use bytes::Bytes;
use converse_benches::Result;
use http_body_util::Empty;
use hyper::{Request, Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};

/// What a contender does until the process ends.
pub(crate) type Serving = Pin<Box<dyn Future<Output = ()>>>;

/// How many messages wait in the channel of a room. Who is behind by more is cut off, which the load would notice.
pub(crate) const ROOM: usize = 1024;

/// Handles each connection in a task of its own.
pub(crate) fn each<H, F>(listener: TcpListener, handle: H) -> Serving
where
    H: Fn(TcpStream) -> F + 'static,
    F: Future<Output = Result<()>> + Send + 'static,
{
    Box::pin(async move {
        while let Ok((stream, _)) = listener.accept().await {
            if stream.set_nodelay(true).is_err() {
                continue;
            }
            let handled = handle(stream);
            tokio::spawn(async move {
                // Clients end their connections without a Close frame, which some servers call an error.
                let _ = handled.await;
            });
        }
    })
}

/// Lets hyper read each connection's request; `upgrade` answers it, and starts what follows the answer.
pub(crate) fn behind_hyper<U>(listener: TcpListener, upgrade: U) -> Serving
where
    U: Fn(Request<Incoming>) -> Result<Response<Empty<Bytes>>> + Copy + Send + 'static,
{
    each(listener, move |stream| async move {
        let service = service_fn(move |request| ready(upgrade(request).map_err(io::Error::other)));
        http1::Builder::new().serve_connection(TokioIo::new(stream), service).with_upgrades().await?;
        Ok(())
    })
}
