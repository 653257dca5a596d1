//! From a URL to an upgraded transport: resolves, connects, speaks TLS, asks and verifies. Knows no
//! session.

use std::{io, net::SocketAddr};

use bytes::BytesMut;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, lookup_host},
    time::{Instant, timeout, timeout_at},
};

use crate::{
    client::{Client, ConnectError, stream::Stream},
    extension::ExtensionOffer,
    handshake::{AnswerReader, ClientHandshake, HandshakeError, Request, Upgrade},
};

/// An upgraded transport, with what both ends have agreed on.
pub(crate) struct Dialled {
    pub(crate) stream: Stream,
    pub(crate) request: Request,
    pub(crate) subprotocol: Option<String>,
    pub(crate) extensions: Vec<ExtensionOffer>,
    /// Bytes that came right behind the answer.
    pub(crate) leftover: BytesMut,
}

/// Dials once, until the deadline.
pub(crate) async fn dial(
    client: &Client,
    handshake: &ClientHandshake,
    deadline: Instant,
) -> Result<Dialled, ConnectError> {
    if handshake.is_secure() && cfg!(not(feature = "tls")) {
        return Err(ConnectError::TlsMissing);
    }
    let late = |_| ConnectError::Timeout;
    let stream = timeout_at(deadline, reach(client, handshake, deadline)).await.map_err(late)??;
    upgrade(handshake, stream, deadline).await
}

/// Connects, and agrees on TLS.
async fn reach(
    client: &Client,
    handshake: &ClientHandshake,
    deadline: Instant,
) -> Result<Stream, ConnectError> {
    let tcp = connect(handshake.host(), handshake.port(), deadline).await?;
    // Without it small messages wait for the peer's acknowledgements.
    tcp.set_nodelay(true).map_err(ConnectError::Connect)?;
    secure(client, handshake, tcp).await
}

async fn connect(host: &str, port: u16, deadline: Instant) -> Result<TcpStream, ConnectError> {
    let resolve = |source| ConnectError::Resolve { host: host.to_owned(), source };
    let addresses: Vec<SocketAddr> = lookup_host((host, port)).await.map_err(resolve)?.collect();
    connect_any(&addresses, deadline).await
}

/// Tries every address in turn; each has its share of the time that is left.
async fn connect_any(addresses: &[SocketAddr], deadline: Instant) -> Result<TcpStream, ConnectError> {
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
async fn secure(_: &Client, _: &ClientHandshake, tcp: TcpStream) -> Result<Stream, ConnectError> {
    Ok(Stream::Plain(tcp))
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
        rustls::{
            ClientConfig, RootCertStore,
            crypto::{CryptoProvider, ring},
            pki_types::ServerName,
        },
    };

    if !handshake.is_secure() {
        return Ok(Stream::Plain(tcp));
    }
    let config = match &client.tls {
        Some(config) => Arc::clone(config),
        None => {
            let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
            // rustls' own choice panics where another crate of the program has turned on a second provider.
            let provider = CryptoProvider::get_default().cloned();
            let provider = provider.unwrap_or_else(|| Arc::new(ring::default_provider()));
            let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
            let config = config.map_err(|error| ConnectError::Tls(io::Error::other(error)))?;
            Arc::new(config.with_root_certificates(roots).with_no_client_auth())
        }
    };
    let bad_name = |error| ConnectError::Tls(io::Error::new(io::ErrorKind::InvalidInput, error));
    let name = ServerName::try_from(handshake.host().to_owned()).map_err(bad_name)?;
    let stream = TlsConnector::from(config).connect(name, tcp).await.map_err(ConnectError::Tls)?;
    Ok(Stream::Tls(Box::new(stream)))
}

async fn upgrade(
    handshake: &ClientHandshake,
    mut stream: Stream,
    deadline: Instant,
) -> Result<Dialled, ConnectError> {
    let (bytes, mut reader) = handshake.start();
    let write = async {
        stream.write_all(&bytes).await?;
        stream.flush().await
    };
    let written = timeout_at(deadline, write).await.map_err(|_| ConnectError::Timeout)?;
    written.map_err(ConnectError::Io)?;
    let mut buffer = [0; 4096];
    loop {
        let read = timeout_at(deadline, stream.read(&mut buffer)).await;
        // A server that refuses may stall or reset the connection behind its answer.
        let count = match read {
            Ok(Ok(0)) => return Err(reader.finish().into()),
            Ok(Ok(count)) => count,
            Ok(Err(error)) => return Err(refusal(&mut reader).unwrap_or(ConnectError::Io(error))),
            Err(_) => return Err(refusal(&mut reader).unwrap_or(ConnectError::Timeout)),
        };
        let Some(accepted) = reader.push(buffer.get(..count).unwrap_or_default())? else { continue };
        let (subprotocol, extensions) = (accepted.subprotocol, accepted.extensions);
        let leftover = BytesMut::from(accepted.rest);
        let (request, _) = match Upgrade::verify(bytes) {
            Ok(upgrade) => upgrade.into_parts(),
            Err(rejection) => return Err(ConnectError::Io(io::Error::other(rejection))),
        };
        return Ok(Dialled { stream, request, subprotocol, extensions, leftover });
    }
}

/// Gives the refusal whose body did not come whole.
fn refusal(reader: &mut AnswerReader) -> Option<ConnectError> {
    match reader.finish() {
        refused @ HandshakeError::Refused(_) => Some(refused.into()),
        _ => None,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::time::Duration;

    use tokio::net::{TcpListener, TcpSocket};

    use super::*;

    /// An address that is bound, and refuses.
    fn refusing() -> (TcpSocket, SocketAddr) {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = socket.local_addr().unwrap();
        (socket, address)
    }

    #[tokio::test]
    async fn every_address_is_tried_in_turn() {
        let (_first, first) = refusing();
        let (_second, second) = refusing();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let last = listener.local_addr().unwrap();
        let deadline = Instant::now() + Duration::from_secs(30);
        let connected = connect_any(&[first, second, last], deadline).await.unwrap();
        assert_eq!(connected.peer_addr().unwrap(), last);
        let refused = connect_any(&[first, second], deadline).await.unwrap_err();
        assert!(
            matches!(refused, ConnectError::Connect(error) if error.kind() == io::ErrorKind::ConnectionRefused)
        );
        let nowhere = connect_any(&[], deadline).await.unwrap_err();
        assert!(matches!(nowhere, ConnectError::Connect(error) if error.kind() == io::ErrorKind::NotFound));
    }

    #[cfg(not(feature = "tls"))]
    #[tokio::test]
    async fn without_tls_a_wss_url_is_refused_before_anything_is_dialled() {
        let handshake = ClientHandshake::new("wss://nowhere.invalid/").unwrap();
        let client = Client::new(crate::session::SessionOptions::default());
        let outcome = dial(&client, &handshake, Instant::now() + Duration::from_secs(30)).await;
        assert!(matches!(outcome, Err(ConnectError::TlsMissing)));
    }
}
