//! An answer reaches a client that is still sending: what is not read would reset it away.
#![cfg(feature = "tls")]
#![allow(clippy::unwrap_used)]

#[path = "support/authority.rs"]
mod authority;
mod wire;

use std::sync::Arc;

use converse::{Server, SessionOptions};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;
use wire::{HEAD, echo, in_time, start};

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
