//! From a URL to an upgraded transport: resolves, connects, speaks TLS, asks and verifies. Knows no
//! session.

use std::{io, net::SocketAddr};

use bytes::BytesMut;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, lookup_host},
    time::{Instant, timeout},
};

use crate::{
    client::{Client, ConnectError, stream::Stream},
    extension::ExtensionOffer,
    handshake::{ClientHandshake, HandshakeError, Request, Upgrade},
};

/// An upgraded transport, with what both ends have agreed on.
pub(crate) struct Dialled {
    pub(crate) stream: Stream,
    pub(crate) request: Request,
    pub(crate) subprotocol: Option<String>,
    pub(crate) extensions: Vec<ExtensionOffer>,
    /// Bytes that came right behind the answer.
    pub(crate) glued: BytesMut,
}

/// Dials once; the caller limits the time.
pub(crate) async fn dial(client: &Client, handshake: &ClientHandshake) -> Result<Dialled, ConnectError> {
    let tcp = connect(handshake.host(), handshake.port(), Instant::now() + client.timeout).await?;
    // Without it small messages wait for the peer's acknowledgements.
    tcp.set_nodelay(true).map_err(ConnectError::Connect)?;
    let stream = secure(client, handshake, tcp).await?;
    upgrade(handshake, stream).await
}

/// Tries every address in turn; each has its share of the time that is left.
async fn connect(host: &str, port: u16, deadline: Instant) -> Result<TcpStream, ConnectError> {
    let resolve = |source| ConnectError::Resolve { host: host.to_owned(), source };
    let addresses: Vec<SocketAddr> = lookup_host((host, port)).await.map_err(resolve)?.collect();
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    for (tried, address) in addresses.iter().enumerate() {
        let left = deadline.saturating_duration_since(Instant::now());
        let share = left / u32::try_from(addresses.len() - tried).unwrap_or(u32::MAX);
        match timeout(share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => last = error,
            Err(_) => last = io::Error::new(io::ErrorKind::TimedOut, format!("{address} does not answer")),
        }
    }
    Err(ConnectError::Connect(last))
}

#[cfg(not(feature = "tls"))]
async fn secure(_: &Client, handshake: &ClientHandshake, tcp: TcpStream) -> Result<Stream, ConnectError> {
    if handshake.is_secure() { Err(ConnectError::TlsMissing) } else { Ok(Stream::Plain(tcp)) }
}

#[cfg(feature = "tls")]
async fn secure(
    client: &Client,
    handshake: &ClientHandshake,
    tcp: TcpStream,
) -> Result<Stream, ConnectError> {
    use std::sync::Arc;

    use tokio_rustls::{
        TlsConnector,
        rustls::{ClientConfig, RootCertStore, pki_types::ServerName},
    };

    if !handshake.is_secure() {
        return Ok(Stream::Plain(tcp));
    }
    let config = match &client.tls {
        Some(config) => Arc::clone(config),
        None => {
            let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
            Arc::new(ClientConfig::builder().with_root_certificates(roots).with_no_client_auth())
        }
    };
    let bad_name = |error| ConnectError::Tls(io::Error::new(io::ErrorKind::InvalidInput, error));
    let name = ServerName::try_from(handshake.host().to_owned()).map_err(bad_name)?;
    let stream = TlsConnector::from(config).connect(name, tcp).await.map_err(ConnectError::Tls)?;
    Ok(Stream::Tls(Box::new(stream)))
}

async fn upgrade(handshake: &ClientHandshake, mut stream: Stream) -> Result<Dialled, ConnectError> {
    let (bytes, mut reader) = handshake.start();
    stream.write_all(&bytes).await.map_err(ConnectError::Io)?;
    stream.flush().await.map_err(ConnectError::Io)?;
    let mut buffer = [0; 4096];
    loop {
        let count = match stream.read(&mut buffer).await {
            Ok(0) => return Err(reader.finish().into()),
            Ok(count) => count,
            // A server that refuses may reset the connection behind its answer.
            Err(error) => match reader.finish() {
                refused @ HandshakeError::Refused(_) => return Err(refused.into()),
                _ => return Err(ConnectError::Io(error)),
            },
        };
        let Some(accepted) = reader.push(buffer.get(..count).unwrap_or_default())? else { continue };
        let (subprotocol, extensions) = (accepted.subprotocol, accepted.extensions);
        let glued = BytesMut::from(accepted.rest);
        let (request, _) = match Upgrade::verify(bytes) {
            Ok(upgrade) => upgrade.into_parts(),
            Err(rejection) => return Err(ConnectError::Io(io::Error::other(rejection))),
        };
        return Ok(Dialled { stream, request, subprotocol, extensions, glued });
    }
}
