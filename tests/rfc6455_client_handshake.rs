//! RFC 6455 §4.1 from the client's side: what it makes of each answer that a server may give, over TCP.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod wire;

use std::{future::Future, time::Duration};

use converse::{Client, ConnectError, Session, SessionOptions, handshake::HandshakeError};
use http::{HeaderValue, header};
use tokio::{net::TcpListener, task::JoinHandle};
use wire::{CLOSE, FIN, TEXT, Wire, accept_head, close, in_time, plain};

type Attempt = JoinHandle<Result<Session, ConnectError>>;

/// A server that the test plays itself.
struct Fake {
    listener: TcpListener,
    url: String,
}

impl Fake {
    async fn bind() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("ws://{}/chat?x=1", listener.local_addr().unwrap());
        Self { listener, url }
    }

    fn dial(&self, client: Client) -> Attempt {
        let url = self.url.clone();
        tokio::spawn(async move { client.connect(&url).await })
    }

    /// Takes a request, gives the answer that `answer` makes of its key, and ends.
    async fn answer(&self, answer: impl Fn(&str) -> String) -> Result<Session, ConnectError> {
        let attempt = self.dial(client());
        let mut peer = Wire::accept_tcp(&self.listener).await;
        let key = peer.request_key().await;
        peer.send(answer(&key).as_bytes()).await;
        drop(peer);
        in_time(attempt).await.unwrap()
    }
}

fn client() -> Client {
    Client::new(SessionOptions::default().subprotocol("v2").subprotocol("v1"))
}

fn good(key: &str) -> String {
    format!("{}\r\n", accept_head(key))
}

fn fault<T: std::fmt::Debug>(outcome: Result<T, ConnectError>) -> HandshakeError {
    match outcome {
        Err(ConnectError::Handshake(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_request_is_that_of_the_rfc() {
    let fake = Fake::bind().await;
    let client = client().header(header::COOKIE, HeaderValue::from_static("a=b"));
    let attempt = fake.dial(client);
    let mut peer = Wire::accept_tcp(&fake.listener).await;
    let head = peer.head().await;
    let address = fake.listener.local_addr().unwrap();
    assert!(head.starts_with(&format!("GET /chat?x=1 HTTP/1.1\r\nHost: {address}\r\n")), "{head}");
    for line in [
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Protocol: v2, v1",
        "cookie: a=b",
    ] {
        assert!(head.lines().any(|it| it == line), "{line}: {head}");
    }
    drop(peer);
    assert!(matches!(fault(in_time(attempt).await.unwrap()), HandshakeError::Closed));
}

#[tokio::test]
async fn each_broken_rule_of_an_answer_is_named() {
    use HandshakeError::{
        Accept, Closed, Connection, ExtensionNotOffered, Head, SubprotocolNotOffered, Upgrade,
    };
    macro_rules! refused {
        ($line:expr => $instead:expr, $error:pat) => {
            let error = fault(Fake::bind().await.answer(|key| good(key).replace($line, $instead)).await);
            assert!(matches!(error, $error), "{}: {error:?}", $instead);
        };
    }
    refused!("Sec-WebSocket-Accept: " => "Sec-WebSocket-Accept: x", Accept);
    refused!("Sec-WebSocket-Accept: " => "X: ", Accept);
    refused!("Upgrade: websocket\r\n" => "", Upgrade);
    refused!("Upgrade: websocket" => "Upgrade: h2c", Upgrade);
    refused!("Connection: Upgrade\r\n" => "", Connection);
    refused!("Connection: Upgrade" => "Connection: close, keep-alive", Connection);
    refused!("\r\n\r\n" => "\r\nSec-WebSocket-Protocol: v3\r\n\r\n", SubprotocolNotOffered(_));
    refused!("\r\n\r\n" => "\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n", ExtensionNotOffered(_));
    refused!("HTTP/1.1 101 Switching Protocols" => "220 mail.example ESMTP", Head(_));
    refused!("HTTP/1.1" => "\0\0\0\0", Head(_));
    refused!("\r\n\r\n" => "\r\n", Closed);
    refused!("\r\n" => "\n", Head(_));
}

#[tokio::test]
async fn what_the_rfc_allows_in_an_answer_is_accepted() {
    let table = [
        ("Connection: Upgrade", "connection: keep-alive, UPGRADE", None),
        ("Connection: Upgrade", "Connection: keep-alive\r\nConnection: upgrade", None),
        ("Upgrade: websocket", "upgrade: WebSocket", None),
        ("\r\n\r\n", "\r\nSec-WebSocket-Protocol: v1\r\n\r\n", Some("v1")),
        ("HTTP/1.1 101", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 101", None),
    ];
    for (line, instead, subprotocol) in table {
        let session = Fake::bind().await.answer(|key| good(key).replace(line, instead)).await.unwrap();
        assert_eq!(session.subprotocol(), subprotocol, "{instead}");
    }
}

#[tokio::test]
async fn a_refusal_carries_status_headers_and_body() {
    let table = [
        ("200 OK\r\nContent-Length: 2\r\n\r\nhi", 200, "hi"),
        ("302 Found\r\nLocation: wss://elsewhere/\r\nContent-Length: 0\r\n\r\n", 302, ""),
        ("401 Unauthorized\r\nWWW-Authenticate: Bearer\r\nContent-Length: 3\r\n\r\nwho", 401, "who"),
        (
            "404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nno \r\n4\r\nsuch\r\n0\r\n\r\n",
            404,
            "no such",
        ),
        ("500 Oops\r\n\r\nuntil the end", 500, "until the end"),
        ("503 Busy\r\nContent-Length: 10\r\n\r\ncut", 503, "cut"),
    ];
    for (answer, status, body) in table {
        let error = fault(Fake::bind().await.answer(|_| format!("HTTP/1.1 {answer}")).await);
        let response = error.response().expect("a refusal");
        assert_eq!((response.status().as_u16(), &response.body()[..]), (status, body.as_bytes()), "{answer}");
        assert_eq!(error.location(), (status == 302).then_some("wss://elsewhere/"));
        let asked = response.headers().get(header::WWW_AUTHENTICATE);
        assert_eq!(asked.is_some(), status == 401);
    }
}

#[tokio::test]
async fn a_refusal_is_read_though_the_server_resets_the_connection() {
    let fake = Fake::bind().await;
    let attempt = fake.dial(client());
    let mut peer = Wire::accept_tcp(&fake.listener).await;
    peer.request_key().await;
    peer.send(b"HTTP/1.1 503 Busy\r\nContent-Length: 9\r\n\r\nbusy").await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    peer.reset();
    let error = fault(in_time(attempt).await.unwrap());
    assert_eq!(&error.response().unwrap().body()[..], b"busy");
}

#[tokio::test]
async fn a_server_that_answers_before_the_request_and_leaves_is_heard() {
    let fake = Fake::bind().await;
    let attempt = fake.dial(client());
    let mut peer = Wire::accept_tcp(&fake.listener).await;
    peer.send(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n").await;
    drop(peer);
    assert_eq!(fault(in_time(attempt).await.unwrap()).response().unwrap().status(), 503);
}

#[tokio::test]
async fn an_end_or_a_silence_at_any_point_is_an_error_in_time() {
    let points = ["", "HTTP/1.1 101 Swi", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"];
    for point in points {
        let error = fault(Fake::bind().await.answer(|_| point.to_owned()).await);
        assert!(matches!(error, HandshakeError::Closed), "{point}: {error:?}");
        assert_silence(point.to_owned(), |error| matches!(error, ConnectError::Timeout)).await;
    }
    // A server that refused has said so, though its body never ends.
    let stalled = "HTTP/1.1 401 Unauthorized\r\nContent-Length: 9\r\n\r\nwho".to_owned();
    assert_silence(stalled, |error| match error {
        ConnectError::Handshake(error) => error.response().is_some_and(|it| &it.body()[..] == b"who"),
        _ => false,
    })
    .await;
}

async fn assert_silence(said: String, right: impl Fn(&ConnectError) -> bool) {
    let fake = Fake::bind().await;
    let attempt = fake.dial(client().connect_timeout(Duration::from_millis(300)));
    let mut peer = Wire::accept_tcp(&fake.listener).await;
    peer.request_key().await;
    peer.send(said.as_bytes()).await;
    let error = in_time(attempt).await.unwrap().unwrap_err();
    assert!(right(&error), "{said}: {error:?}");
    assert_eq!(peer.rest().await, b"", "the client has hung up");
}

#[tokio::test]
async fn an_answer_without_end_is_refused_in_bounded_space() {
    for endless in ["HTTP/1.1 101 ", "HTTP/1.1 101 S\r\nX: "] {
        let fake = Fake::bind().await;
        let attempt = fake.dial(client());
        let mut peer = Wire::accept_tcp(&fake.listener).await;
        peer.request_key().await;
        peer.send(endless.as_bytes()).await;
        while tokio::io::AsyncWriteExt::write_all(&mut peer.io, &[b'a'; 1024]).await.is_ok() {}
        assert!(matches!(fault(in_time(attempt).await.unwrap()), HandshakeError::Head(_)));
    }
}

#[tokio::test]
async fn frames_glued_to_the_answer_are_not_lost() {
    let fake = Fake::bind().await;
    let attempt = fake.dial(client());
    let mut glued: Vec<u8> = (0..500u32).flat_map(|i| plain(TEXT, i.to_string().as_bytes())).collect();
    glued.extend(plain(CLOSE, &close(1000)));
    let mut peer = Wire::accept(&fake.listener, &glued).await;
    let mut session = in_time(attempt).await.unwrap().unwrap();
    for i in 0..500u32 {
        assert_eq!(session.receive().await.unwrap(), Some(i.to_string().into()));
    }
    assert_eq!(session.receive().await.unwrap(), None);
    assert_eq!(peer.frame().await.close_code(), Some(1000));
}

#[tokio::test]
async fn an_answer_in_single_bytes_is_read() {
    let fake = Fake::bind().await;
    let attempt = fake.dial(client());
    let mut peer = Wire::accept_tcp(&fake.listener).await;
    let answer = good(&peer.request_key().await);
    for byte in answer.bytes() {
        peer.send(&[byte]).await;
    }
    let session = in_time(attempt).await.unwrap().unwrap();
    session.send("hi").await.unwrap();
    let got = peer.frame().await;
    assert_eq!((got.first, got.masked, &got.payload[..]), (FIN | TEXT, true, &b"hi"[..]));
}

#[tokio::test]
async fn dropping_the_attempt_hangs_up() {
    let fake = Fake::bind().await;
    let attempt = fake.dial(client());
    let mut peer = Wire::accept_tcp(&fake.listener).await;
    peer.request_key().await;
    attempt.abort();
    assert_eq!(peer.rest().await, b"");
}

#[tokio::test]
async fn what_cannot_be_reached_is_told_apart() {
    async fn failed(attempt: impl Future<Output = Result<Session, ConnectError>>) -> ConnectError {
        in_time(attempt).await.unwrap_err()
    }
    // Bound, and nobody listens.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let url = format!("ws://{}/", socket.local_addr().unwrap());
    assert!(matches!(failed(client().connect(&url)).await, ConnectError::Connect(_)));
    let nowhere = "ws://no-such-host.invalid/";
    assert!(matches!(
        failed(client().connect(nowhere)).await,
        ConnectError::Resolve { .. } | ConnectError::Timeout
    ));
    for url in ["http://127.0.0.1/", "ws://", "ws://a/#b", "ws://a b/", "/"] {
        assert!(matches!(failed(client().connect(url)).await, ConnectError::Request(_)), "{url}");
    }
    let twice = Client::new(SessionOptions::default().subprotocol("a").subprotocol("a"));
    assert!(matches!(failed(twice.connect("ws://a")).await, ConnectError::Request(_)));
}

#[tokio::test]
async fn an_unmasked_server_and_a_masked_client_talk_by_name() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://localhost:{}/", listener.local_addr().unwrap().port());
    // Where localhost is ::1 as well, nobody listens there, and the next address is tried.
    let attempt = tokio::spawn(async move { client().connect(&url).await });
    let mut peer = Wire::accept(&listener, &[]).await;
    let session = in_time(attempt).await.unwrap().unwrap();
    let closing = tokio::spawn(async move { session.close(converse::CloseReason::NORMAL).await });
    assert_eq!(peer.frame().await.close_code(), Some(1000));
    peer.send(&plain(CLOSE, &close(1000))).await;
    // The server ends TCP first (RFC 6455 §7.1.1).
    drop(peer);
    let closed = in_time(closing).await.unwrap();
    assert!(closed.is_clean() && closed.is_normal());
}
