//! What a client sends, and what it makes of which answer.
#![allow(clippy::unwrap_used)]

use bytes::Bytes;
use http::{HeaderValue, Method, Request, StatusCode, header};
use proptest::prelude::*;
use tokio_tungstenite::tungstenite::{
    ClientRequestBuilder,
    client::IntoClientRequest,
    handshake::{client::generate_request, derive_accept_key, machine::TryParse, server},
};

use super::super::{
    Accepted, AnswerReader, ClientHandshake, HandshakeError, HeadError, HeadReader, RequestError, Upgrade,
    UrlError,
};
use crate::extension::ExtensionOffer;

const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

const GOOD: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: chat\r\n\
    Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover\r\n\r\n";

fn handshake() -> ClientHandshake {
    let deflate = ExtensionOffer::from_static("permessage-deflate").flag("client_max_window_bits");
    ClientHandshake::new("ws://server.example.com/chat")
        .and_then(|it| it.subprotocol("chat")?.subprotocol("superchat"))
        .and_then(|it| it.extension(deflate)?.extension(ExtensionOffer::from_static("x-second")))
        .unwrap()
}

fn reader() -> AnswerReader {
    handshake().start_with_key(KEY).1
}

/// What comes of an answer after which the server closes.
fn read(answer: &[u8]) -> Result<Accepted<'_>, HandshakeError> {
    let mut reader = reader();
    match reader.push(answer) {
        Ok(Some(accepted)) => Ok(accepted),
        Ok(None) => Err(reader.finish()),
        Err(error) => Err(error),
    }
}

fn read_with(line: &str, instead: &str) -> Result<(), HandshakeError> {
    assert!(GOOD.contains(line), "{line}");
    read(GOOD.replace(line, instead).as_bytes()).map(drop)
}

fn refusal(answer: &[u8]) -> (u16, Bytes) {
    match read(answer) {
        Err(HandshakeError::Refused(response)) => (response.status().as_u16(), response.into_body()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_request_reads_as_in_the_rfc() {
    let handshake = handshake()
        .header(header::ORIGIN, HeaderValue::from_static("http://example.com"))
        .and_then(|it| it.header(header::COOKIE, HeaderValue::from_static("a=1")))
        .and_then(|it| it.header(header::COOKIE, HeaderValue::from_static("b=2")))
        .unwrap();
    let (request, _) = handshake.start_with_key(KEY);
    assert_eq!(
        String::from_utf8_lossy(&request),
        "GET /chat HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Protocol: chat, superchat\r\n\
         Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits, x-second\r\n\
         origin: http://example.com\r\ncookie: a=1\r\ncookie: b=2\r\n\r\n"
    );
    assert_eq!(
        (handshake.host(), handshake.port(), handshake.is_secure()),
        ("server.example.com", 80, false)
    );
}

#[test]
fn each_attempt_has_its_own_key() {
    let handshake = ClientHandshake::new("ws://a").unwrap();
    assert_ne!(handshake.start().0, handshake.start().0);
}

#[test]
fn credentials_of_the_url_are_sent_unless_the_caller_has_better_ones() {
    let sent = |handshake: &ClientHandshake| String::from_utf8_lossy(&handshake.start().0).into_owned();
    let handshake = ClientHandshake::new("ws://u:p@a/").unwrap();
    assert!(sent(&handshake).contains("\r\nauthorization: Basic dTpw\r\n"));
    assert!(sent(&handshake).contains("\r\nHost: a\r\n"));
    let handshake = handshake.header(header::AUTHORIZATION, HeaderValue::from_static("Bearer x")).unwrap();
    assert!(sent(&handshake).contains("\r\nauthorization: Bearer x\r\n"));
    assert!(!sent(&handshake).contains("Basic"));
}

#[test]
fn neither_tokens_nor_credentials_reach_a_log() {
    let handshake = ClientHandshake::new("ws://user:pass@a/chat?token=secret")
        .and_then(|it| it.header(header::COOKIE, HeaderValue::from_static("id=secret")))
        .unwrap();
    let shown = format!("{handshake:?}");
    assert!(shown.contains("/chat") && !shown.contains("secret") && !shown.contains("Basic"), "{shown}");
}

#[test]
fn host_may_differ_from_the_url_and_stands_once() {
    let handshake = ClientHandshake::new("ws://127.0.0.1:9001/").unwrap();
    let handshake = handshake.header(header::HOST, HeaderValue::from_static("a.example")).unwrap();
    let (request, _) = handshake.start();
    let text = String::from_utf8_lossy(&request);
    assert!(text.contains("\r\nHost: a.example\r\n") && !text.contains("127.0.0.1"), "{text}");
    assert_eq!(handshake.host(), "127.0.0.1");
    let refused = handshake.header(header::HOST, HeaderValue::from_static("a b"));
    assert!(matches!(refused, Err(RequestError::Host)));
}

#[test]
fn headers_of_the_handshake_are_not_the_callers() {
    let reserved = [
        header::CONNECTION,
        header::UPGRADE,
        header::SEC_WEBSOCKET_KEY,
        header::SEC_WEBSOCKET_VERSION,
        header::SEC_WEBSOCKET_PROTOCOL,
        header::SEC_WEBSOCKET_EXTENSIONS,
        header::CONTENT_LENGTH,
        header::TRANSFER_ENCODING,
        header::EXPECT,
    ];
    for name in reserved {
        let refused = handshake().header(name.clone(), HeaderValue::from_static("x"));
        assert!(matches!(refused, Err(RequestError::ReservedHeader(refused)) if refused == name));
    }
}

#[test]
fn subprotocols_are_tokens_and_offered_once() {
    for bad in ["", "a b", "a,b", "a\r\nX: y", "\u{e4}"] {
        assert!(matches!(handshake().subprotocol(bad), Err(RequestError::InvalidSubprotocol(_))), "{bad}");
    }
    assert!(matches!(handshake().subprotocol("chat"), Err(RequestError::RepeatedSubprotocol(_))));
    let sixteen =
        (2..16).try_fold(handshake(), |it, _| it.extension(ExtensionOffer::from_static("x"))).unwrap();
    let refused = sixteen.extension(ExtensionOffer::from_static("x"));
    assert!(matches!(refused, Err(RequestError::TooManyExtensions)));
}

#[test]
fn requests_of_tokio_tungstenite_are_taken_over() {
    let builder = ClientRequestBuilder::new("ws://u:p@a:80?x".parse().unwrap())
        .with_header("X-A", "1")
        .with_header("Sec-WebSocket-Extensions", "foo; bar")
        .with_sub_protocol("one")
        .with_sub_protocol("two");
    let (request, _) = ClientHandshake::from_request(builder).unwrap().start_with_key(KEY);
    assert_eq!(
        String::from_utf8_lossy(&request),
        "GET /?x HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Protocol: one, two\r\nSec-WebSocket-Extensions: foo; bar\r\n\
         authorization: Basic dTpw\r\nx-a: 1\r\n\r\n"
    );
    let post = Request::builder().method(Method::POST).uri("ws://a").body(()).unwrap();
    assert!(matches!(ClientHandshake::from_request(post), Err(RequestError::Method(Method::POST))));
    let http = ClientHandshake::from_request("http://a/");
    assert!(matches!(http, Err(RequestError::Url(UrlError::Scheme))));
    assert!(matches!(ClientHandshake::from_request("ws://a:b:c/"), Err(RequestError::Foreign(_))));
}

#[test]
fn both_roles_of_this_crate_agree() {
    let (request, mut reader) = handshake().start();
    let head = HeadReader::request().push(&request).unwrap().unwrap().bytes;
    let mut upgrade = Upgrade::verify(head).unwrap();
    upgrade.select_subprotocol(&["superchat"]);
    upgrade.set_extensions(vec![ExtensionOffer::from_static("x-second")]).unwrap();
    let answer = upgrade.to_bytes();
    let accepted = reader.push(&answer).unwrap().unwrap();
    assert_eq!(accepted.subprotocol.as_deref(), Some("superchat"));
    assert_eq!(accepted.extensions, [ExtensionOffer::from_static("x-second")]);
}

#[test]
fn tungstenite_accepts_our_request_and_we_its_answer() {
    let (bytes, mut reader) = handshake().start();
    let (_, request) = server::Request::try_parse(&bytes).unwrap().unwrap();
    let response = server::create_response(&request).unwrap();
    let mut answer = Vec::new();
    server::write_response(&mut answer, &response).unwrap();
    let accepted = reader.push(&answer).unwrap().unwrap();
    assert_eq!((accepted.subprotocol, accepted.extensions), (None, vec![]));
}

#[test]
fn we_accept_tungstenites_request() {
    let request = "ws://a:9/chat?x".into_client_request().unwrap();
    let (bytes, key) = generate_request(request).unwrap();
    let upgrade = Upgrade::verify(Bytes::from(bytes)).unwrap();
    assert_eq!((upgrade.request().uri(), upgrade.request().host()), ("/chat?x", "a:9"));
    let answer = String::from_utf8_lossy(&upgrade.to_bytes()).into_owned();
    assert!(answer.contains(&derive_accept_key(key.as_bytes())));
}

#[test]
fn a_good_answer_is_accepted_and_frames_behind_it_come_back() {
    let bytes = [GOOD.as_bytes(), b"\x81\x02hi"].concat();
    let accepted = read(&bytes).unwrap();
    assert_eq!(accepted.subprotocol.as_deref(), Some("chat"));
    assert_eq!(ExtensionOffer::join(&accepted.extensions), "permessage-deflate; server_no_context_takeover");
    assert_eq!(accepted.response.headers()["upgrade"], "websocket");
    assert_eq!(accepted.rest, b"\x81\x02hi");
}

#[test]
fn what_the_rfc_allows_in_an_answer_is_accepted() {
    let table = [
        ("101 Switching Protocols", "101"),
        ("101 Switching Protocols", "101 Web Socket Protocol Handshake"),
        ("Upgrade: websocket", "upgrade:\t WebSocket \t"),
        ("Connection: Upgrade", "connection: keep-alive, UPGRADE"),
        ("Connection: Upgrade", "Connection: keep-alive\r\nConnection: upgrade"),
        ("Sec-WebSocket-Accept: ", "sec-websocket-accept:  \t"),
        ("Sec-WebSocket-Protocol: chat\r\n", ""),
        ("permessage-deflate", "x-second\r\nSec-WebSocket-Extensions: permessage-deflate"),
        ("Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover\r\n", ""),
    ];
    for (line, instead) in table {
        assert!(read_with(line, instead).is_ok(), "{instead}");
    }
}

#[test]
fn each_broken_rule_has_its_error() {
    use HandshakeError::*;
    macro_rules! refused {
        ($line:expr => $($instead:expr),+ => $error:pat, $section:expr) => {
            $(match read_with($line, $instead) {
                Err(error @ $error) => assert_eq!(error.rfc_section(), $section, "{}", $instead),
                other => panic!("{}: {other:?}", $instead),
            })+
        };
    }
    refused!("HTTP/1.1" => "HTTP/1.0" => Version, Some("RFC 7230 §6.7"));
    refused!("HTTP/1.1" => "HTTP/2.0", "ICY" => Head(HeadError::Malformed(_)), Some("RFC 7230 §3"));
    refused!(" 101 " => " 1a1 ", " 99 ", " 001 " => Head(HeadError::Malformed(_)), Some("RFC 7230 §3"));
    refused!("101 Switching" => "200 OK\r\nContent-Length: 0\r\nX: " => Refused(_), None);
    refused!("Upgrade: websocket\r\n" => "", "Upgrade: h2c\r\n", "Upgrade: websocket, h2c\r\n",
        "Upgrade: websocket\r\nUpgrade: websocket\r\n", "Upgrade: websockets\r\n"
        => Upgrade, Some("RFC 6455 §4.1, item 2"));
    refused!("Connection: Upgrade\r\n" => "", "Connection: close\r\n", "Connection: upgraded\r\n",
        "Connection: keep-alive Upgrade\r\n" => Connection, Some("RFC 6455 §4.1, item 3"));
    refused!("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" => "X: y", "Sec-WebSocket-Accept:",
        "Sec-WebSocket-Accept: S3pPLMBiTxaQ9kYGzzhZRbK+xOo=", "Sec-WebSocket-Accept: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
        => Accept, Some("RFC 6455 §4.1, item 4"));
    refused!("permessage-deflate;" => "x-third;", "x-second, x-third;", "Permessage-Deflate;"
        => ExtensionNotOffered(_), Some("RFC 6455 §4.1, item 5"));
    refused!("permessage-deflate;" => "permessage-deflate;;", "permessage deflate;"
        => Extensions(_), Some("RFC 6455 §9.1"));
    refused!("Protocol: chat" => "Protocol: mqtt", "Protocol: chat, superchat", "Protocol:", "Protocol: Chat"
        => SubprotocolNotOffered(_), Some("RFC 6455 §4.1, item 6"));
    refused!("Sec-WebSocket-Protocol: chat" => "Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Protocol: chat"
        => RepeatedSubprotocol, Some("RFC 6455 §11.3.4"));
}

#[test]
fn nothing_may_be_chosen_where_nothing_was_offered() {
    let plain = || ClientHandshake::new("ws://a").unwrap().start_with_key(KEY).1;
    let offered = |error| matches!(error, Err(HandshakeError::ExtensionNotOffered(_)));
    assert!(offered(plain().push(GOOD.as_bytes())));
    let without = GOOD.replace("Sec-WebSocket-Extensions: permessage-deflate", "X: y");
    assert!(matches!(plain().push(without.as_bytes()), Err(HandshakeError::SubprotocolNotOffered(_))));
}

#[test]
fn interim_answers_are_passed_over_within_bounds() {
    let hint = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";
    let few = format!("{}{GOOD}", hint.repeat(8));
    assert!(read(few.as_bytes()).is_ok());
    let many = format!("{}{GOOD}", hint.repeat(9));
    assert!(matches!(read(many.as_bytes()), Err(HandshakeError::TooManyInterim)));
    assert!(matches!(read(hint.as_bytes()), Err(HandshakeError::Closed)));
}

#[test]
fn a_refusal_comes_with_status_headers_and_body() {
    let answer = b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic\r\nContent-Length: 3\r\n\r\nwho";
    let Err(HandshakeError::Refused(response)) = read(answer) else { panic!("accepted") };
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(response.headers()[header::WWW_AUTHENTICATE], "Basic");
    assert_eq!(response.body(), "who");
}

#[test]
fn a_redirect_is_not_followed_but_told() {
    let error = read(b"HTTP/1.1 301 Moved\r\nLocation: wss://b/\r\nContent-Length: 0\r\n\r\n").unwrap_err();
    assert_eq!(error.location(), Some("wss://b/"));
    assert_eq!(error.to_string(), "the server refused the upgrade with 301 Moved Permanently");
    assert_eq!(error.rfc_section(), None);
}

#[test]
fn bodies_end_as_their_framing_says() {
    let table: [(&str, &str, &str); 16] = [
        ("Content-Length: 2", "hi there", "hi"),
        ("Content-Length: 9", "hi", "hi"),
        ("Content-Length: 2\r\nContent-Length: 2", "hi!", "hi"),
        ("Content-Length: 2\r\nContent-Length: 3", "hi!", ""),
        ("Content-Length: -1", "hi!", ""),
        ("X: y", "until the end", "until the end"),
        ("Transfer-Encoding: chunked", "2\r\nhi\r\n1;x=y\r\n!\r\n0\r\n\r\n", "hi!"),
        (
            "Transfer-Encoding: gzip, Chunked\r\nContent-Length: 1",
            "00a\r\n0123456789\r\n0\r\nT: x\r\n\r\n",
            "0123456789",
        ),
        ("Transfer-Encoding: gzip", "all", "all"),
        ("Transfer-Encoding: chunked", "2\r\nhi\r\n", "hi"),
        ("Transfer-Encoding: chunked", "2\r\nhi!\r\n0\r\n\r\n", "hi"),
        ("Transfer-Encoding: chunked", "\r\nhi", ""),
        ("Transfer-Encoding: chunked", "x\r\nhi", ""),
        ("Transfer-Encoding: chunked", "2\nhi", ""),
        ("Transfer-Encoding: chunked", "fffffffffffffff\r\nhi", "hi"),
        ("Transfer-Encoding: chunked", "ffffffffffffffffffff\r\nhi", ""),
    ];
    for (headers, body, kept) in table {
        let answer = format!("HTTP/1.1 503 No\r\n{headers}\r\n\r\n{body}");
        assert_eq!(
            refusal(answer.as_bytes()),
            (503, Bytes::from_static(kept.as_bytes())),
            "{headers} {body:?}"
        );
    }
    assert_eq!(refusal(b"HTTP/1.1 204 No Content\r\n\r\nx"), (204, Bytes::new()));
    assert_eq!(refusal(b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\nx"), (304, Bytes::new()));
    assert_eq!(refusal(b"HTTP/1.0 500 No\r\n\r\nold"), (500, Bytes::from_static(b"old")));
}

#[test]
fn a_complete_refusal_does_not_wait_for_the_end() {
    for answer in [
        "Content-Length: 2\r\n\r\nhi",
        "Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
        "Content-Length: 0\r\n\r\n",
    ] {
        let whole = format!("HTTP/1.1 400 Bad\r\n{answer}");
        let error = reader().push(whole.as_bytes());
        assert!(matches!(error, Err(HandshakeError::Refused(_))), "{answer}");
    }
}

#[test]
fn a_refusals_body_is_cut_off_at_64_kib() {
    let flood = vec![b'a'; 100_000];
    for headers in ["X: y", "Content-Length: 100000", "Content-Length: 18446744073709551615"] {
        let mut reader = reader();
        reader.push(format!("HTTP/1.1 500 No\r\n{headers}\r\n\r\n").as_bytes()).unwrap();
        let error = reader.push(&flood).unwrap_err();
        assert_eq!(error.response().unwrap().body().len(), AnswerReader::MAX_BODY);
    }
    let extension = [b"HTTP/1.1 500 No\r\nTransfer-Encoding: chunked\r\n\r\n1;", &flood[..]].concat();
    assert!(matches!(reader().push(&extension), Err(HandshakeError::Refused(_))));
}

#[test]
fn an_answer_that_never_comes_is_closed() {
    assert!(matches!(read(b""), Err(HandshakeError::Closed)));
    assert!(matches!(read(b"HTTP/1.1 101 Switching"), Err(HandshakeError::Closed)));
    assert!(matches!(read(&[b'a'; 20_000]), Err(HandshakeError::Head(HeadError::TooLarge))));
    assert!(matches!(read(b"HTTP/1.1 101 A\n\n"), Err(HandshakeError::Head(HeadError::BareLineEnd { .. }))));
}

/// A verdict to compare.
fn verdict(result: Result<Accepted<'_>, HandshakeError>) -> String {
    match result {
        Ok(accepted) => format!("{:?} {:?}", accepted.subprotocol, accepted.extensions),
        Err(HandshakeError::Refused(response)) => format!("{} {:?}", response.status(), response.body()),
        Err(error) => error.to_string(),
    }
}

fn read_split(bytes: &[u8], sizes: &[usize]) -> String {
    let mut reader = reader();
    let mut left = bytes;
    for size in sizes.iter().cycle() {
        if left.is_empty() {
            break;
        }
        let (now, later) = left.split_at((*size).min(left.len()));
        left = later;
        match reader.push(now) {
            Ok(None) => {}
            Ok(Some(accepted)) => return verdict(Ok(accepted)),
            Err(error) => return verdict(Err(error)),
        }
    }
    verdict(Err(reader.finish()))
}

proptest! {
    #[test]
    fn any_split_gives_the_same_verdict(
        which in 0usize..4, at in any::<prop::sample::Index>(), byte in any::<u8>(), change in any::<bool>(),
        sizes in prop::collection::vec(1usize..40, 1..8)
    ) {
        let hint = format!("HTTP/1.1 103 Early Hints\r\n\r\n{GOOD}");
        let answers = [GOOD, &hint, "HTTP/1.1 404 No\r\nContent-Length: 4\r\n\r\ngone and more",
            "HTTP/1.1 404 No\r\nTransfer-Encoding: chunked\r\n\r\n4;a=b\r\ngone\r\n10\r\n0123456789abcdef\r\n0\r\n\r\n"];
        let mut bytes = answers[which].as_bytes().to_vec();
        if change {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        prop_assert_eq!(read_split(&bytes, &sizes), verdict(read(&bytes)));
    }

    #[test]
    fn any_bytes_get_a_verdict(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = verdict(read(&bytes));
        let _ = verdict(read(&[b"HTTP/1.1 500 No\r\nTransfer-Encoding: chunked\r\n\r\n", &bytes[..]].concat()));
        let _ = verdict(read(&[b"HTTP/1.1 ", &bytes[..], b"\r\n\r\n"].concat()));
    }
}
