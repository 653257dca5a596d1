//! wss on both sides, with an authority of the test's own: who is trusted, what a stranger on the port sees, and that
//! the handshake deadline covers TLS.
#![cfg(feature = "tls")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "support/authority.rs"]
mod authority;
mod wire;

use std::{sync::Arc, time::Duration};

use authority::{Trust, trust, trusting};
use converse::{
    Client, CloseCause, CloseReason, ClosedBy, ConnectError, Message, Server, SessionOptions,
    rustls::pki_types::ServerName,
};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;
use wire::{BINARY, FIN, HEAD, Running, TEXT, Wire, close, echo, in_time, masked, start};

fn options() -> SessionOptions {
    SessionOptions::default().max_message_size(16 << 20)
}

async fn secure_server(trust: &Trust) -> Running {
    start(Server::new(options()).route("/", echo).tls(Arc::clone(&trust.server))).await
}

fn url(server: &Running) -> String {
    format!("wss://localhost:{}/", server.address.port())
}

#[tokio::test]
async fn messages_of_any_size_go_both_ways_and_the_close_is_clean() {
    let trust = trust(&["localhost", "127.0.0.1"]);
    let server = secure_server(&trust).await;
    let client = Client::new(options()).tls(trust.client);
    for url in [url(&server), format!("wss://{}/", server.address)] {
        let mut session = in_time(client.connect(&url)).await.unwrap();
        for size in [0, 1, 125, 126, 65_535, 65_536, 8 << 20] {
            let message = Message::from(vec![0x5a; size]);
            session.send(message.clone()).await.unwrap();
            assert_eq!(in_time(session.receive()).await.unwrap(), Some(message), "{size}");
        }
        let closed = in_time(session.close(CloseReason::NORMAL)).await;
        assert!(closed.is_clean(), "{closed:?}");
    }
    while server.handle.sessions() > 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn the_request_knows_that_it_is_secure() {
    let trust = trust(&["localhost"]);
    let tell = |session: converse::Session| async move {
        session.send(session.request().is_secure().to_string()).await
    };
    let server = start(Server::new(options()).route("/", tell).tls(Arc::clone(&trust.server))).await;
    let mut session = Client::new(options()).tls(trust.client).connect(&url(&server)).await.unwrap();
    assert_eq!(in_time(session.receive()).await.unwrap(), Some("true".into()));
}

#[tokio::test]
async fn who_is_not_trusted_is_refused_with_a_tls_error() {
    let (ours, theirs) = (trust(&["localhost"]), trust(&["localhost"]));
    let elsewhere = trust(&["example.org"]);
    let table = [
        ("another authority", &theirs, Client::new(options()).tls(Arc::clone(&ours.client))),
        ("another name", &elsewhere, Client::new(options()).tls(Arc::clone(&elsewhere.client))),
        ("nobody trusted", &ours, Client::new(options()).tls(trusting([]))),
        ("the default roots", &ours, Client::new(options())),
    ];
    for (why, trust, client) in table {
        let server = secure_server(trust).await;
        let error = in_time(client.connect(&url(&server))).await.unwrap_err();
        assert!(matches!(error, ConnectError::Tls(_)), "{why}: {error:?}");
    }
}

#[tokio::test]
async fn a_secure_client_at_a_plain_port_and_a_plain_client_at_a_secure_one_fail_soon() {
    let trust = trust(&["localhost"]);
    let plain = wire::echo_server(options()).await;
    let client = Client::new(options()).tls(Arc::clone(&trust.client));
    let error = in_time(client.connect(&url(&plain))).await.unwrap_err();
    assert!(matches!(error, ConnectError::Tls(_)), "{error:?}");

    let secure = secure_server(&trust).await;
    let client = Client::new(options());
    let error = in_time(client.connect(&format!("ws://{}/", secure.address))).await.unwrap_err();
    assert!(matches!(error, ConnectError::Handshake(_) | ConnectError::Io(_)), "{error:?}");

    let mut raw = Wire::connect(secure.address).await;
    raw.send(format!("{HEAD}\r\n").as_bytes()).await;
    let answer = raw.rest().await;
    assert!(!answer.starts_with(b"HTTP"), "a TLS alert at most: {answer:?}");
}

#[tokio::test]
async fn the_deadline_covers_tls_and_the_head_together() {
    let trust = trust(&["localhost"]);
    let server = Server::new(options()).route("/", echo).tls(Arc::clone(&trust.server));
    let server = start(server.handshake_timeout(Duration::from_millis(400))).await;
    // Says nothing, or begins a record and stops.
    for begun in [&b""[..], b"\x16\x03\x01\x02\x00\x01"] {
        let mut silent = Wire::connect(server.address).await;
        silent.send(begun).await;
        assert_eq!(silent.rest().await, b"");
    }
    // Agrees on TLS and then says nothing, or half a head.
    for begun in ["", HEAD] {
        let mut wire = secure_wire(&server, &trust).await;
        assert!(wire.ask(begun).await.starts_with("HTTP/1.1 408 "), "{begun}");
        wire.rest().await;
    }
    // A server that never speaks TLS.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("wss://localhost:{}/", listener.local_addr().unwrap().port());
    let client = Client::new(options()).tls(trust.client).connect_timeout(Duration::from_millis(200));
    let error = in_time(client.connect(&url)).await.unwrap_err();
    assert!(matches!(error, ConnectError::Timeout), "{error:?}");
}

async fn secure_wire(server: &Running, trust: &Trust) -> Wire<tokio_rustls::client::TlsStream<TcpStream>> {
    let tcp = TcpStream::connect(server.address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    Wire::over(TlsConnector::from(Arc::clone(&trust.client)).connect(name, tcp).await.unwrap())
}

#[tokio::test]
async fn the_end_of_tcp_without_that_of_tls_is_an_end_as_on_tcp() {
    let trust = trust(&["localhost"]);
    let (told, mut causes) = tokio::sync::mpsc::unbounded_channel();
    let server = Server::new(options()).route("/", echo).tls(Arc::clone(&trust.server));
    let server = start(server.end_hook(move |end| drop(told.send(end.closed.clone())))).await;
    let mut peer = secure_wire(&server, &trust).await;
    assert!(peer.ask(&format!("{HEAD}\r\n")).await.starts_with("HTTP/1.1 101 "));
    // What tokio-rustls drops ends without a close_notify.
    drop(peer);
    let closed = in_time(causes.recv()).await.unwrap();
    assert_eq!((closed.cause, closed.by), (CloseCause::Eof, ClosedBy::Peer));
}

#[tokio::test]
async fn violations_are_told_and_tls_ends_in_order() {
    let trust = trust(&["localhost"]);
    let server = secure_server(&trust).await;
    for (bytes, code) in
        [(masked(TEXT, b"\xff"), 1007), (masked(3, b""), 1002), (masked(8, &close(1005)), 1002)]
    {
        let mut peer = secure_wire(&server, &trust).await;
        let glued = [format!("{HEAD}\r\n").as_bytes(), &masked(BINARY, &[9; 70_000]), &bytes].concat();
        peer.send(&glued).await;
        assert!(peer.head().await.starts_with("HTTP/1.1 101 "));
        let got = peer.frame().await;
        assert_eq!((got.first, got.payload.len()), (FIN | BINARY, 70_000));
        // `frames` panics on an end without close_notify.
        let codes: Vec<_> = peer.frames().await.iter().map(wire::Got::close_code).collect();
        assert_eq!(codes, [Some(code)]);
    }
}

#[tokio::test]
async fn a_refusal_comes_through_tls() {
    let trust = trust(&["localhost"]);
    let server = secure_server(&trust).await;
    let client = Client::new(options()).tls(trust.client);
    let error = in_time(client.connect(&format!("{}nowhere", url(&server)))).await.unwrap_err();
    let ConnectError::Handshake(error) = error else { panic!("{error:?}") };
    assert_eq!(error.response().unwrap().status(), 404);
}
