//! An answer reaches a client that is still sending: what is not read would reset it away.
#![cfg(feature = "tls")]
#![allow(clippy::unwrap_used)]

#[path = "support/authority.rs"]
mod authority;
mod wire;

use std::{sync::Arc, time::Duration};

use converse::{CloseCause, Server, Session, SessionOptions, frame::Role, session::SessionError};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{TlsAcceptor, TlsConnector};
use wire::{BINARY, FIN, HEAD, Wire, echo, in_time, masked, start};

const MIB: usize = 1024 * 1024;

/// Writes a request whole, as far as it is taken, and then reads the answer.
async fn answer(mut io: impl AsyncRead + AsyncWrite + Unpin, request: &str) -> String {
    let _ = in_time(io.write_all(request.as_bytes())).await;
    let _ = in_time(io.flush()).await;
    let mut answer = Vec::new();
    let _ = in_time(io.read_to_end(&mut answer)).await;
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn a_verdict_reaches_a_client_that_is_still_sending() {
    let trust = authority::trust(&["localhost"]);
    let server = || Server::new(SessionOptions::default()).route("/", echo);
    let plain = start(server()).await;
    let secure = start(server().tls(Arc::clone(&trust.server))).await;
    let connector = TlsConnector::from(Arc::clone(&trust.client));
    let long = format!("{HEAD}X: {}\r\n\r\n", "x".repeat(MIB));
    let post =
        format!("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: {MIB}\r\n\r\n{}", "x".repeat(MIB));
    for (request, status) in [(long, "431"), (post, "405")] {
        for _ in 0..5 {
            let tcp = TcpStream::connect(plain.address).await.unwrap();
            let told = answer(tcp, &request).await;
            assert!(told.starts_with(&format!("HTTP/1.1 {status} ")), "{status}: {told:?}");
            let tcp = TcpStream::connect(secure.address).await.unwrap();
            let tls = connector.connect("localhost".try_into().unwrap(), tcp).await.unwrap();
            let told = answer(tls, &request).await;
            assert!(told.starts_with(&format!("HTTP/1.1 {status} ")), "TLS, {status}: {told:?}");
        }
    }
}

/// What a test calls a transport.
trait Io: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Io for T {}

/// The two ends of a connection, that of a TLS server first.
async fn ends(trust: Option<&authority::Trust>) -> (Box<dyn Io>, Box<dyn Io>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (server, _) = listener.accept().await.unwrap();
    let Some(trust) = trust else { return (Box::new(server), Box::new(client)) };
    let acceptor = TlsAcceptor::from(Arc::clone(&trust.server));
    let connector = TlsConnector::from(Arc::clone(&trust.client));
    let name = "localhost".try_into().unwrap();
    let (server, client) = tokio::join!(acceptor.accept(server), connector.connect(name, client));
    (Box::new(server.unwrap()), Box::new(client.unwrap()))
}

/// Writes 5 MB in a second, all of which must be taken, since libraries read nothing behind a write that failed; then
/// reads the code of the Close frame.
async fn code_behind(bytes: &[u8], mut io: Box<dyn Io>) -> Option<u16> {
    let mut tick = tokio::time::interval(Duration::from_millis(10));
    for part in bytes.chunks(50_000) {
        tick.tick().await;
        io.write_all(part).await.unwrap();
    }
    io.flush().await.unwrap();
    Wire::over(io).frame().await.close_code()
}

/// A frame of 16 MiB, as a peer of this end sends it.
fn sixteen(first: u8, here: Role) -> Vec<u8> {
    let payload = vec![0x5a; 16 * MIB];
    match here {
        Role::Server => masked(first, &payload),
        Role::Client => wire::frame(FIN | first, &payload, false),
    }
}

/// A message that is too long, and a frame that no rule allows: both are under way for three seconds behind the verdict.
#[tokio::test]
async fn a_close_frame_reaches_a_peer_that_is_still_sending() {
    let trust = authority::trust(&["localhost"]);
    let mut running = Vec::new();
    for here in [Role::Server, Role::Client] {
        for (first, code) in [(BINARY, 1009), (0x7, 1002)] {
            for trust in [None, Some(&trust)] {
                let (server, client) = ends(trust).await;
                let (ours, theirs) = if here == Role::Server { (server, client) } else { (client, server) };
                // More than the default of 5 s, for machines on which eight of these take longer than three.
                let options = SessionOptions::default().close_timeout(Duration::from_secs(25));
                let mut session = Session::over(ours, here, &options);
                let case = format!("{here:?}, {code}, TLS: {}", trust.is_some());
                running.push(tokio::spawn(async move {
                    let bytes = sixteen(first, here);
                    let peer = tokio::spawn(async move { code_behind(&bytes, theirs).await });
                    let Err(SessionError::Closed(closed)) = in_time(session.receive()).await else {
                        return assert_eq!(case, "the end");
                    };
                    assert!(matches!(closed.cause, CloseCause::Violation(_)), "{case}: {closed:?}");
                    assert!(!peer.is_finished(), "{case}: this end hears of it at once");
                    assert_eq!(in_time(peer).await.unwrap(), Some(code), "{case}");
                }));
            }
        }
    }
    for running in running {
        running.await.unwrap();
    }
}
