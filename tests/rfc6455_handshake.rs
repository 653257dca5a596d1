//! RFC 6455 §4.2 and RFC 7230 as a client sees them: what the server answers to each request, over TCP.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod wire;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use converse::{
    MessagePackConverter, OriginPolicy, Rejection, Server, Session, SessionOptions, handshake::Upgrade,
    session::BoxError,
};
use http::{HeaderValue, StatusCode, header};
use wire::{FIN, HEAD, KEY, TEXT, Wire, echo, echo_server, masked, start};

/// The head with one of its lines replaced; its end is written.
fn with(line: &str, instead: &str) -> String {
    assert!(HEAD.contains(line), "{line}");
    format!("{}\r\n", HEAD.replace(line, instead))
}

/// The head with lines added; its end is written.
fn plus(lines: &str) -> String {
    format!("{HEAD}{lines}\r\n\r\n")
}

/// Request, status, and a line that the answer's head must have.
fn refusals() -> Vec<(String, u16, &'static str)> {
    let key = format!("Sec-WebSocket-Key: {KEY}");
    let version = "sec-websocket-version: 13";
    vec![
        (with("Sec-WebSocket-Version: 13\r\n", ""), 426, version),
        (with("Version: 13", "Version: 12"), 426, version),
        (with("Version: 13", "Version: 8, 13"), 426, version),
        (with("Upgrade: websocket\r\n", ""), 426, "upgrade: websocket"),
        (with("Connection: Upgrade", "Connection: keep-alive"), 426, "connection: upgrade, close"),
        (with("HTTP/1.1", "HTTP/1.0"), 426, version),
        (with(&format!("{key}\r\n"), ""), 400, "connection: close"),
        (with(&key, &format!("{key}\r\n{key}")), 400, "connection: close"),
        (with(&key, "Sec-WebSocket-Key: c2hvcnQ="), 400, "connection: close"),
        (with(&key, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=!"), 400, "connection: close"),
        (with("Host: localhost\r\n", ""), 400, "connection: close"),
        (with("Host: localhost", "Host: localhost\r\nHost: localhost"), 400, "connection: close"),
        (with("Host: localhost", "Host: a b"), 400, "connection: close"),
        (with("GET", "POST"), 405, "allow: GET"),
        (with("GET", "HEAD"), 405, "allow: GET"),
        (with("GET", "CONNECT"), 405, "allow: GET"),
        (plus("Content-Length: 5"), 400, "connection: close"),
        (plus("Transfer-Encoding: chunked"), 400, "connection: close"),
        (plus("Sec-WebSocket-Protocol: a b"), 400, "connection: close"),
        (plus("Sec-WebSocket-Extensions: ;;"), 400, "connection: close"),
        (plus("Bad Name: x"), 400, "connection: close"),
        (plus(" folded: x"), 400, "connection: close"),
        (HEAD.replace("\r\n", "\n") + "\n", 400, "connection: close"),
        ("\x16\x03\x01\x00\u{1}".to_owned(), 400, "connection: close"),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(), 505, "connection: close"),
        (with("GET / ", &format!("GET /{} ", "a".repeat(8200))), 414, "connection: close"),
        (plus(&format!("Cookie: {}", "a".repeat(17_000))), 431, "connection: close"),
        (plus(&vec!["A: b"; 130].join("\r\n")), 431, "connection: close"),
        (
            plus(&format!("Cookie: {}", "a".repeat(17_000))).replacen("GET ", "HEAD ", 1),
            431,
            "connection: close",
        ),
        (with("GET / ", &format!("HEAD /{} ", "a".repeat(8200))), 414, "connection: close"),
        (with("GET / ", "HEAD / ").replacen("\r\n", "\n", 1), 400, "connection: close"),
        (plus("Origin: http://evil.example"), 403, "connection: close"),
        (plus("Origin: null"), 403, "connection: close"),
        (plus("Origin: http://localhost\r\nOrigin: http://localhost"), 400, "connection: close"),
        (with("GET / ", "GET /nowhere "), 404, "connection: close"),
        (with("GET / ", "GET /room/%ff "), 400, "connection: close"),
    ]
}

#[tokio::test]
async fn each_refusal_has_its_status_before_user_code_and_ends_tcp() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let server = Server::new(SessionOptions::default())
        .route("/", echo)
        .route("/room/{name}", echo)
        .server_header(HeaderValue::from_static("house"))
        .request_hook(move |_: &mut Upgrade| {
            count.fetch_add(1, Ordering::Relaxed);
            Ok(())
        });
    let server = start(server).await;
    for (request, status, line) in refusals() {
        let mut peer = Wire::connect(server.address).await;
        let answer = peer.ask(&request).await;
        let shown = request.get(..60).unwrap_or(&request);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{shown}: {answer}");
        assert!(answer.lines().any(|it| it == line), "{shown}: {answer}");
        assert!(answer.lines().any(|it| it == "server: house"), "{shown}: {answer}");
        let length = answer.lines().find_map(|it| it.strip_prefix("content-length: ")).unwrap();
        let body = peer.rest().await;
        let length = if request.starts_with("HEAD ") { "0" } else { length };
        assert_eq!(body.len().to_string(), length, "{shown}: the body, then the end of TCP");
    }
    assert_eq!(asked.load(Ordering::Relaxed), 0, "no hook ran");
    assert_eq!(server.handle.sessions(), 0);
}

#[tokio::test]
async fn what_the_rfc_allows_is_upgraded() {
    let server = echo_server(SessionOptions::default()).await;
    let requests = [
        plus("X: y"),
        with("Upgrade: websocket", "Upgrade: h2c, WebSocket"),
        with("Connection: Upgrade", "Connection: keep-alive, upgrade"),
        with("GET / ", "GET http://localhost/ "),
        with("GET / ", "GET /?x=/y "),
        plus("Origin: http://localhost"),
        plus("Content-Length: 0"),
        format!("\r\n{HEAD}\r\n"),
        plus(&format!("Cookie: {}", "a".repeat(15_000))),
    ];
    for request in requests {
        let mut peer = Wire::connect(server.address).await;
        let answer = peer.ask(&request).await;
        assert!(answer.starts_with("HTTP/1.1 101 "), "{request}: {answer}");
        assert!(answer.contains("\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"), "{answer}");
        assert!(answer.contains("\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"), "{answer}");
        assert!(!answer.contains("Sec-WebSocket-Protocol") && !answer.contains("Sec-WebSocket-Extensions"));
    }
}

#[tokio::test]
async fn a_head_in_single_bytes_is_upgraded_and_frames_glued_to_it_are_not_lost() {
    let server = echo_server(SessionOptions::default()).await;
    let mut peer = Wire::connect(server.address).await;
    for byte in plus("X: y").bytes() {
        peer.send(&[byte]).await;
    }
    assert!(peer.head().await.starts_with("HTTP/1.1 101 "));

    let mut peer = Wire::connect(server.address).await;
    let frames: Vec<u8> = (0..500u32).flat_map(|i| masked(TEXT, i.to_string().as_bytes())).collect();
    peer.send(&[plus("X: y").as_bytes(), &frames].concat()).await;
    assert!(peer.head().await.starts_with("HTTP/1.1 101 "));
    for i in 0..500u32 {
        assert_eq!(peer.frame().await.payload, i.to_string().as_bytes());
    }
}

#[tokio::test]
async fn headers_without_end_in_single_bytes_are_refused_at_16_kib() {
    let server = echo_server(SessionOptions::default()).await;
    let mut peer = Wire::connect(server.address).await;
    peer.send(HEAD.as_bytes()).await;
    let mut sent = HEAD.len();
    let mut line = b"X: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\
        aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n"
        .iter()
        .cycle();
    while sent < 64 * 1024 {
        let byte = *line.next().unwrap();
        match tokio::io::AsyncWriteExt::write(&mut peer.io, &[byte]).await {
            Ok(_) => sent += 1,
            Err(_) => break,
        }
        tokio::task::yield_now().await;
    }
    let answer = peer.head().await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "after {sent} bytes: {answer:?}");
}

#[tokio::test]
async fn slow_and_silent_clients_see_408_at_the_deadline() {
    let server = Server::new(SessionOptions::default()).route("/", echo);
    let server = start(server.handshake_timeout(Duration::from_millis(300))).await;
    for begun in ["", "GET / HTTP/1.1\r\n", HEAD] {
        let mut peer = Wire::connect(server.address).await;
        assert!(peer.ask(begun).await.starts_with("HTTP/1.1 408 "), "{begun}");
        peer.rest().await;
    }
    // Bytes that keep coming do not put the deadline off.
    let mut peer = Wire::connect(server.address).await;
    peer.send(format!("{HEAD}X: ").as_bytes()).await;
    let drip = async {
        while tokio::io::AsyncWriteExt::write_all(&mut peer.io, b"a").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    wire::in_time(drip).await;
}

#[tokio::test]
async fn connections_over_the_limit_see_503_and_find_room_later() {
    let server = Server::new(SessionOptions::default()).route("/", echo).max_connections(2);
    let server = start(server).await;
    for _ in 0..20 {
        let (mut one, two) = (Wire::open(server.address).await, Wire::open(server.address).await);
        let mut three = Wire::connect(server.address).await;
        let answer = three.ask(&plus("X: y")).await;
        assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("\r\nretry-after: 1\r\n"), "{answer}");
        three.rest().await;
        one.send(&masked(wire::CLOSE, b"")).await;
        one.frames().await;
        drop((one, two, three));
        // As soon as the server's side has ended there is room.
        while server.handle.sessions() > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    // Who is over the limit and says nothing takes nobody's place.
    let one = Wire::open(server.address).await;
    let two = Wire::open(server.address).await;
    let silent = Wire::connect(server.address).await;
    let mut asked = Wire::connect(server.address).await;
    assert!(asked.ask(&plus("X: y")).await.starts_with("HTTP/1.1 503 "));
    drop((one, two));
    while server.handle.sessions() > 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let (_one, _two) = (Wire::open(server.address).await, Wire::open(server.address).await);
    drop(silent);
}

#[tokio::test]
async fn a_flood_over_the_limit_is_answered_without_a_task_each() {
    let server = Server::new(SessionOptions::default()).route("/", echo).max_connections(1);
    let server = start(server.handshake_timeout(Duration::from_secs(3600))).await;
    let mut one = Wire::open(server.address).await;
    let mut silent = Vec::new();
    for _ in 0..64 {
        silent.push(Wire::connect(server.address).await);
    }
    // These say nothing, and are told at once: there is no patience left for them.
    for _ in 0..10 {
        let mut late = Wire::connect(server.address).await;
        let answer = late.head().await;
        assert!(answer.starts_with("HTTP/1.1 503 "), "{answer:?}");
    }
    one.send(&masked(TEXT, b"still here")).await;
    assert_eq!(one.frame().await.payload, b"still here");
}

#[tokio::test]
async fn the_hook_rejects_with_its_own_status_headers_and_body() {
    let server =
        Server::new(SessionOptions::default()).route("/", echo).request_hook(|upgrade: &mut Upgrade| {
            match upgrade.request().header("authorization") {
                Some(_) => Ok(()),
                None => Err(Rejection::new(StatusCode::UNAUTHORIZED)
                    .header(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
                    .header(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))
                    .body(r#"{"who":"are you"}"#)),
            }
        });
    let server = start(server).await;
    let mut peer = Wire::connect(server.address).await;
    let answer = peer.ask(&plus("X: y")).await;
    assert!(answer.starts_with("HTTP/1.1 401 Unauthorized\r\nwww-authenticate: Bearer\r\n"), "{answer}");
    assert!(answer.contains("content-type: application/json\r\ncontent-length: 17\r\n"), "{answer}");
    assert_eq!(peer.rest().await, br#"{"who":"are you"}"#);
    let mut peer = Wire::connect(server.address).await;
    assert!(peer.ask(&plus("Authorization: Bearer x")).await.starts_with("HTTP/1.1 101 "));
}

#[tokio::test]
async fn a_server_that_names_its_hosts_answers_for_no_other() {
    let hosts = ["chat.example", "[::1]:9", "localhost", "plain.example:80", "secure.example:443"];
    let server = start(Server::new(SessionOptions::default()).hosts(hosts).route("/", echo)).await;
    let table = [
        ("localhost", 101),
        ("LOCALHOST:1234", 101),
        ("chat.example:443", 101),
        ("[0::1]:9", 101),
        ("plain.example", 101),
        ("plain.example:80", 101),
        ("plain.example:8080", 421),
        ("secure.example", 421),
        ("[::1]:10", 421),
        ("rebound.example", 421),
        ("chat.example.evil.example", 421),
    ];
    for (host, status) in table {
        let mut peer = Wire::connect(server.address).await;
        // A page that a foreign name leads here is of the host that it asks for.
        let request = format!("{HEAD}Origin: http://{host}\r\n\r\n")
            .replace("Host: localhost", &format!("Host: {host}"));
        let answer = peer.ask(&request).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{host}: {answer}");
    }
    let wrong = Server::new(SessionOptions::default()).hosts(["a b"]).bind("127.0.0.1:0").await;
    assert_eq!(wrong.err().unwrap().to_string(), "\"a b\" is no host: write host or host:port");
}

#[tokio::test]
async fn hooks_are_asked_in_their_order_and_the_first_rejection_counts() {
    #[derive(Clone)]
    struct Seen(Vec<u8>);
    let hook = |n: u8| {
        move |upgrade: &mut Upgrade| {
            let request = upgrade.request_mut();
            let Seen(mut seen) = request.extensions().get::<Seen>().cloned().unwrap_or(Seen(Vec::new()));
            seen.push(n);
            if request.header("refused-by") == Some(&n.to_string()) {
                let status = StatusCode::from_u16(400 + u16::from(n)).unwrap();
                return Err(Rejection::new(status).body(format!("{seen:?}")));
            }
            request.extensions_mut().insert(Seen(seen));
            Ok(())
        }
    };
    let tell = |session: Session| async move {
        let seen = session.request().extensions().get::<Seen>().map(|seen| seen.0.clone());
        session.send(format!("{seen:?}")).await
    };
    let server = Server::new(SessionOptions::default()).route_hook("/", hook(3)).route_hook("/", hook(4));
    let server = server.route("/", tell).route("/other", tell).route_hook("/other", hook(5));
    let server = start(server.request_hook(hook(1)).request_hook(hook(2))).await;
    for (refused_by, seen) in [(1, "[1]"), (2, "[1, 2]"), (3, "[1, 2, 3]"), (4, "[1, 2, 3, 4]")] {
        let mut peer = Wire::connect(server.address).await;
        let answer = peer.ask(&plus(&format!("Refused-By: {refused_by}"))).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 40{refused_by} ")), "{answer}");
        assert_eq!(peer.rest().await, seen.as_bytes());
    }
    let mut peer = Wire::open(server.address).await;
    assert_eq!(peer.frame().await.payload, b"Some([1, 2, 3, 4])");
}

#[tokio::test]
async fn a_handler_reads_path_parameters_and_what_the_hook_attached() {
    #[derive(Clone)]
    struct User(String);
    let tell = |session: Session| async move {
        let request = session.request();
        let user = request.extensions().get::<User>().map(|user| user.0.clone());
        let params: Vec<_> = request.params().collect();
        session
            .send(format!("{user:?} {params:?} {:?} {}", request.query(), request.remote_addr().is_some()))
            .await
    };
    let hook = |upgrade: &mut Upgrade| {
        let user = upgrade.request().header("x-user").unwrap_or("nobody").to_owned();
        upgrade.request_mut().extensions_mut().insert(User(user));
        upgrade
            .add_header(header::SET_COOKIE, HeaderValue::from_static("a=b"))
            .map_err(|_| Rejection::new(StatusCode::INTERNAL_SERVER_ERROR))
    };
    let server = Server::new(SessionOptions::default()).route("/room/{name}/{id}", tell).request_hook(hook);
    let server = start(server.route("/files/{*rest}", tell)).await;
    let table = [
        ("/room/caf%C3%A9/7?x=1", r#"Some("ann") [("name", "café"), ("id", "7")] Some("x=1") true"#),
        ("/room/a%2Fb/%20", r#"Some("ann") [("name", "a/b"), ("id", " ")] None true"#),
        ("/files/a/b%2e", r#"Some("ann") [("rest", "a/b.")] None true"#),
    ];
    for (path, told) in table {
        let mut peer = Wire::connect(server.address).await;
        let request = plus("X-User: ann").replace("GET / ", &format!("GET {path} "));
        let answer = peer.ask(&request).await;
        assert!(answer.contains("\r\nset-cookie: a=b\r\n"), "{answer}");
        assert_eq!(String::from_utf8(peer.frame().await.payload).unwrap(), told);
        assert_eq!(peer.frame().await.close_code(), Some(1000));
    }
}

#[tokio::test]
async fn the_servers_favourite_subprotocol_is_chosen_per_route() {
    let options = || SessionOptions::default();
    let name = |session: Session| async move { session.send(session.subprotocol().unwrap_or("none")).await };
    let server = Server::new(options().subprotocol("v2").subprotocol("v1")).route("/", name).route_with(
        "/other",
        options().subprotocol("mqtt"),
        name,
    );
    let server = start(server).await;
    let table = [
        ("/", "v1, v2", Some("v2")),
        ("/", "v1", Some("v1")),
        ("/", "v3, V1", None),
        ("/other", "v1, mqtt", Some("mqtt")),
        ("/other", "v1", None),
    ];
    for (path, offered, chosen) in table {
        let mut peer = Wire::connect(server.address).await;
        let request = plus(&format!("Sec-WebSocket-Protocol: {offered}"));
        let answer = peer.ask(&request.replace("GET / ", &format!("GET {path} "))).await;
        let named = answer.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Protocol: "));
        assert_eq!(named, chosen, "{path} {offered}");
        assert_eq!(peer.frame().await.payload, chosen.unwrap_or("none").as_bytes());
    }
}

#[tokio::test]
async fn a_route_has_its_own_limits_and_converter() {
    async fn number(mut session: Session) -> Result<(), BoxError> {
        while let Some(number) = session.receive_deserialized::<u32>().await? {
            session.send_serialized(&(number + 1)).await?;
        }
        Ok(())
    }
    let small =
        SessionOptions::default().content_converter(MessagePackConverter::default()).max_message_size(5);
    let server =
        Server::new(SessionOptions::default()).route("/", number).route_with("/small", small, number);
    let server = start(server.origin_policy(OriginPolicy::any())).await;
    let mut json = Wire::open(server.address).await;
    json.send(&masked(TEXT, b"41")).await;
    let got = json.frame().await;
    assert_eq!((got.first, &got.payload[..]), (FIN | TEXT, &b"42"[..]));
    let mut packed = Wire::connect(server.address).await;
    packed.ask(&plus("Origin: null").replace("GET / ", "GET /small ")).await;
    packed.send(&masked(wire::BINARY, &[41])).await;
    let got = packed.frame().await;
    assert_eq!((got.first, &got.payload[..]), (FIN | wire::BINARY, &[42][..]));
    packed.send(&masked(wire::BINARY, &[0; 6])).await;
    assert_eq!(packed.frame().await.close_code(), Some(1009));
}
