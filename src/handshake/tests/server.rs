//! What a server answers to which request.
#![allow(clippy::unwrap_used)]

use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use proptest::prelude::*;

use super::super::{HeadReader, OriginPolicy, Rejection, Upgrade, UpgradeError};
use crate::extension::ExtensionOffer;

/// RFC 6455 §1.3, with what a browser adds.
const GOOD: &[&str] = &[
    "GET /chat/lobby?token=a%20b HTTP/1.1",
    "Host: server.example.com",
    "Upgrade: websocket",
    "Connection: keep-alive, Upgrade",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Origin: https://server.example.com",
    "Sec-WebSocket-Protocol: chat, superchat",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits",
];

fn wire(lines: &[String]) -> Vec<u8> {
    format!("{}\r\n\r\n", lines.join("\r\n")).into_bytes()
}

/// The good request, with the line that starts like `instead` replaced; an empty replacement removes it.
fn with(start: &str, instead: &str) -> Vec<u8> {
    let mut lines: Vec<String> = GOOD.iter().map(|line| (*line).to_owned()).collect();
    let at = lines.iter().position(|line| line.starts_with(start)).unwrap();
    if instead.is_empty() {
        lines.remove(at);
    } else {
        lines[at] = instead.to_owned();
    }
    wire(&lines)
}

fn plus(line: &str) -> Vec<u8> {
    let lines: Vec<String> = GOOD.iter().chain([&line]).map(|line| (*line).to_owned()).collect();
    wire(&lines)
}

fn serve(bytes: &[u8]) -> Result<Upgrade, Rejection> {
    let head = HeadReader::request().push(bytes)?.map(|head| head.bytes);
    Upgrade::verify(head.unwrap())
}

fn status(bytes: &[u8]) -> u16 {
    serve(bytes).err().map_or(101, |rejection| rejection.status().as_u16())
}

#[test]
fn the_rfcs_own_example_is_accepted() {
    let upgrade = serve(&plus("X-A: 1")).unwrap();
    let answer = upgrade.to_bytes();
    assert_eq!(
        String::from_utf8_lossy(&answer),
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
    );
}

#[test]
fn a_request_tells_what_was_asked() {
    let upgrade = serve(&plus("x-bin: \u{e9}")).unwrap();
    let request = upgrade.request();
    assert_eq!(request.uri(), "/chat/lobby?token=a%20b");
    assert_eq!((request.path(), request.query()), ("/chat/lobby", Some("token=a%20b")));
    assert_eq!(
        (request.host(), request.origin()),
        ("server.example.com", Some("https://server.example.com"))
    );
    assert_eq!(request.header("UPGRADE"), Some("websocket"));
    assert_eq!(request.header("x-bin"), Some("\u{e9}"));
    assert_eq!(request.header("cookie"), None);
    assert_eq!(request.headers().count(), GOOD.len());
    assert_eq!(request.subprotocols().collect::<Vec<_>>(), ["chat", "superchat"]);
    let offers = request.extension_offers().unwrap();
    assert_eq!(offers, upgrade.extension_offers());
    assert_eq!(ExtensionOffer::join(&offers), "permessage-deflate; client_max_window_bits");
    assert!(!format!("{request:?}").contains("token"));
}

#[test]
fn a_request_carries_what_the_server_attaches() {
    let mut upgrade = serve(&plus("x: y")).unwrap();
    let request = upgrade.request_mut();
    request.set_params([("room", "lobby")]);
    request.set_remote_addr(([127, 0, 0, 1], 9).into());
    request.set_secure(true);
    request.extensions_mut().insert(42_u32);
    let (request, _) = upgrade.into_parts();
    assert_eq!((request.param("room"), request.param("x")), (Some("lobby"), None));
    assert_eq!(request.params().collect::<Vec<_>>(), [("room", "lobby")]);
    assert_eq!((request.remote_addr(), request.is_secure()), (Some(([127, 0, 0, 1], 9).into()), true));
    assert_eq!(request.extensions().get::<u32>(), Some(&42));
}

#[test]
fn start_lines() {
    let table = [
        ("GET / HTTP/1.1", 101),
        ("GET /?a?b HTTP/1.1", 101),
        ("GET http://server.example.com/chat HTTP/1.1", 101),
        ("GET WSS://other:1?x HTTP/1.1", 101),
        ("POST / HTTP/1.1", 405),
        ("HEAD / HTTP/1.1", 405),
        ("OPTIONS * HTTP/1.1", 405),
        ("get / HTTP/1.1", 405),
        ("CONNECT a:80 HTTP/1.1", 405),
        ("GET / HTTP/1.0", 426),
        ("GET / HTTP/2.0", 505),
        ("GET / HTTP/0.9", 505),
        ("GET / HTTP/1.2", 505),
        ("GET / http/1.1", 400),
        ("GET / FTP/1.1", 400),
        ("GET /", 400),
        ("GET  / HTTP/1.1", 400),
        ("GET /a b HTTP/1.1", 400),
        (" GET / HTTP/1.1", 400),
        ("GET * HTTP/1.1", 400),
        ("GET a:80 HTTP/1.1", 400),
        ("GET chat HTTP/1.1", 400),
        ("GET ftp://a/ HTTP/1.1", 400),
        ("GET http:///a HTTP/1.1", 400),
        ("GET http://u@a/ HTTP/1.1", 400),
        ("GET /a#b HTTP/1.1", 400),
        ("GET /\u{e4} HTTP/1.1", 400),
        ("G\u{7f}T / HTTP/1.1", 400),
    ];
    for (line, expected) in table {
        assert_eq!(status(&with("GET", line)), expected, "{line}");
    }
}

#[test]
fn an_absolute_target_outranks_host() {
    let bytes = with("GET", "GET http://Other.example:81?q HTTP/1.1");
    let upgrade = serve(&bytes).unwrap();
    let request = upgrade.request();
    assert_eq!(request.host(), "Other.example:81");
    assert_eq!((request.path(), request.query()), ("/", Some("q")));
    assert_eq!(request.uri(), "http://Other.example:81?q");
    assert!(OriginPolicy::same_host().check(request).is_err());
}

#[test]
fn the_http2_preface_gets_505() {
    let mut reader = HeadReader::request();
    let head = reader.push(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").unwrap().unwrap();
    assert_eq!(Upgrade::verify(head.bytes).unwrap_err().status(), 505);
}

#[test]
fn host_stands_once_and_is_valid() {
    for good in ["Host: a", "Host: a:80", "host:[::1]:80", "Host: a:"] {
        assert_eq!(status(&with("Host", good)), 101, "{good}");
    }
    for bad in
        ["", "Host:", "Host: a b", "Host: a/b", "Host: u@a", "Host: a:x", "Host: a\r\nHost: a", "Host : a"]
    {
        assert_eq!(status(&with("Host", bad)), 400, "{bad}");
    }
}

#[test]
fn upgrade_lists_websocket() {
    for good in ["Upgrade: WebSocket", "Upgrade: h2c, websocket", "Upgrade: h2c\r\nupgrade: ,websocket"] {
        assert_eq!(status(&with("Upgrade", good)), 101, "{good}");
    }
    for bad in ["", "Upgrade:", "Upgrade: websockets", "Upgrade: h2c websocket", "Upgrade: websocket/13"] {
        let rejection = serve(&with("Upgrade", bad)).unwrap_err();
        assert_eq!(rejection.status(), 426, "{bad}");
        let answer = String::from_utf8_lossy(&rejection.to_bytes()).into_owned();
        assert!(answer.contains("\r\nupgrade: websocket\r\n"), "{answer}");
        assert!(answer.contains("\r\nconnection: upgrade, close\r\n"), "{answer}");
    }
}

#[test]
fn connection_lists_upgrade_as_a_whole_token() {
    for good in
        ["Connection: upgrade", "Connection: close,UPGRADE", "Connection: close\r\nconnection: upgrade"]
    {
        assert_eq!(status(&with("Connection", good)), 101, "{good}");
    }
    for bad in ["", "Connection: close", "Connection: noupgrade", "Connection: keep-alive Upgrade"] {
        assert_eq!(status(&with("Connection", bad)), 426, "{bad}");
    }
}

#[test]
fn only_version_13_is_spoken() {
    assert_eq!(status(&with("Sec-WebSocket-Version", "Sec-WebSocket-Version:\t13 ")), 101);
    let twice = "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Version: 13";
    for bad in
        ["", "Sec-WebSocket-Version: 8", "Sec-WebSocket-Version: 13, 8", "Sec-WebSocket-Version: 013", twice]
    {
        let rejection = serve(&with("Sec-WebSocket-Version", bad)).unwrap_err();
        assert_eq!(rejection.status(), 426, "{bad}");
        assert_eq!(rejection.headers().get(header::SEC_WEBSOCKET_VERSION).unwrap(), "13");
    }
}

#[test]
fn the_key_is_base64_of_sixteen_bytes() {
    for good in ["AAAAAAAAAAAAAAAAAAAAAA==", "+/+/+/+/+/+/+/+/+/+/+/=="] {
        assert_eq!(status(&with("Sec-WebSocket-Key", &format!("Sec-WebSocket-Key: {good}"))), 101, "{good}");
    }
    let bad = [
        "",
        "AAAA",
        "AAAAAAAAAAAAAAAAAAAAAAA=",
        "AAAAAAAAAAAAAAAAAAAAAAAA",
        "AAAAAAAAAA AAAAAAAAAAA==",
        "AAAAAAAAAAAAAAAAAAAA-_==",
        "AAAAAAAAAAAAAAAAAAAAAAAA==",
    ];
    for bad in bad {
        assert_eq!(status(&with("Sec-WebSocket-Key", &format!("Sec-WebSocket-Key: {bad}"))), 400, "{bad}");
    }
    assert_eq!(status(&with("Sec-WebSocket-Key", "")), 400);
    assert_eq!(status(&plus("sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==")), 400);
}

#[test]
fn a_body_is_refused() {
    for good in ["Content-Length: 0", "Content-Length: 0\r\nContent-Length: 00"] {
        assert_eq!(status(&plus(good)), 101, "{good}");
    }
    for bad in [
        "Content-Length: 1",
        "Content-Length:",
        "Content-Length: -0",
        "Content-Length: 0, 5",
        "Content-Length: 0\r\nContent-Length: 5",
        "Transfer-Encoding: chunked",
        "Transfer-Encoding: identity",
    ] {
        assert_eq!(status(&plus(bad)), 400, "{bad}");
    }
}

#[test]
fn malformed_header_lines_are_refused() {
    for bad in [
        " folded: 1",
        "\tfolded",
        "A: 1\r\n folded",
        "A : 1",
        "no colon",
        ": 1",
        "A\u{e4}: 1",
        "A: \u{1}",
        "A: \u{7f}",
        "A(: 1",
    ] {
        assert_eq!(status(&plus(bad)), 400, "{bad:?}");
    }
    for smuggled in ["A: 1\nHost: b", "A: 1\rHost: b", "A: 1\0"] {
        assert_eq!(status(&plus(smuggled)), 400, "{smuggled:?}");
    }
}

#[test]
fn oversized_heads_get_414_and_431() {
    let long = with("GET", &format!("GET /{} HTTP/1.1", "a".repeat(20_000)));
    assert_eq!(status(&long), 414);
    let fits = with("GET", &format!("GET /{} HTTP/1.1", "a".repeat(8_000)));
    assert_eq!(status(&fits), 101);
    assert_eq!(status(&plus(&format!("Cookie: {}", "a".repeat(16_400)))), 431);
    assert_eq!(status(&plus(&format!("Cookie: {}", "a".repeat(15_000)))), 101);
    assert_eq!(status(&plus(vec!["A: 1"; 120].join("\r\n").as_str())), 101);
    assert_eq!(status(&plus(vec!["A: 1"; 121].join("\r\n").as_str())), 431);
    assert_eq!(Upgrade::verify(Bytes::from(vec![b'a'; 70_000])).unwrap_err().status(), 431);
    assert_eq!(Upgrade::verify(Bytes::from_static(b"GET / HTTP/1.1\r\n")).unwrap_err().status(), 400);
}

#[test]
fn malformed_offers_are_refused() {
    for bad in [
        "Sec-WebSocket-Protocol: a b",
        "Sec-WebSocket-Protocol: a;b",
        "Sec-WebSocket-Protocol: \"a\"",
        "Sec-WebSocket-Protocol: ok\r\nSec-WebSocket-Protocol: \u{e4}",
        "Sec-WebSocket-Extensions: a b",
        "Sec-WebSocket-Extensions: a;",
    ] {
        assert_eq!(status(&plus(bad)), 400, "{bad}");
    }
    for good in ["Sec-WebSocket-Protocol:", "Sec-WebSocket-Extensions: ,", "Sec-WebSocket-Protocol: a, a"] {
        assert_eq!(status(&plus(good)), 101, "{good}");
    }
}

#[test]
fn the_servers_favourite_subprotocol_wins() {
    let mut upgrade = serve(&plus("Sec-WebSocket-Protocol: json")).unwrap();
    assert_eq!(upgrade.select_subprotocol(&["json", "superchat"]), Some("json"));
    assert_eq!(upgrade.select_subprotocol(&["Chat", "superchat", "chat"]), Some("superchat"));
    assert!(
        String::from_utf8_lossy(&upgrade.to_bytes()).contains("\r\nSec-WebSocket-Protocol: superchat\r\n")
    );
    assert_eq!(upgrade.select_subprotocol(&["mqtt"]), None);
    assert!(!String::from_utf8_lossy(&upgrade.to_bytes()).contains("Protocol:"));
    assert_eq!(upgrade.set_subprotocol("mqtt"), Err(UpgradeError::SubprotocolNotOffered("mqtt".into())));
    assert_eq!(upgrade.set_subprotocol("chat"), Ok(()));
    assert_eq!(upgrade.subprotocol(), Some("chat"));
    assert_eq!(upgrade.into_parts().1.as_deref(), Some("chat"));
}

#[test]
fn the_answer_carries_extensions_and_headers_of_the_hook() {
    let mut upgrade = serve(&plus("X: y")).unwrap();
    let deflate = ExtensionOffer::from_static("permessage-deflate").number("client_max_window_bits", 12);
    upgrade.set_extensions(vec![deflate]).unwrap();
    let stray = upgrade.set_extensions(vec![ExtensionOffer::from_static("x-stray")]);
    assert_eq!(stray, Err(UpgradeError::ExtensionNotOffered("x-stray".into())));
    upgrade.add_header(header::SET_COOKIE, HeaderValue::from_static("a=1")).unwrap();
    upgrade.add_header(header::SET_COOKIE, HeaderValue::from_static("b=2")).unwrap();
    let reserved = [
        header::CONNECTION,
        header::UPGRADE,
        header::SEC_WEBSOCKET_ACCEPT,
        header::SEC_WEBSOCKET_PROTOCOL,
        header::SEC_WEBSOCKET_EXTENSIONS,
        header::CONTENT_LENGTH,
        header::TRANSFER_ENCODING,
    ];
    for name in reserved {
        let refused = upgrade.add_header(name.clone(), HeaderValue::from_static("x"));
        assert_eq!(refused, Err(UpgradeError::ReservedHeader(name)));
    }
    let answer = upgrade.to_bytes();
    let text = String::from_utf8_lossy(&answer);
    assert!(
        text.ends_with(
            "\r\nSec-WebSocket-Extensions: permessage-deflate; client_max_window_bits=12\r\n\
         set-cookie: a=1\r\nset-cookie: b=2\r\n\r\n"
        ),
        "{text}"
    );
}

#[test]
fn pages_of_the_same_host_pass_and_others_do_not() {
    // (Origin, Host, over TLS, verdict)
    let table = [
        ("https://a.example", "a.example", false, true),
        ("http://a.example", "a.example", false, true),
        ("http://a.example", "a.example:80", false, true),
        ("http://A.EXAMPLE:80", "a.example", false, true),
        ("https://a.example:443", "a.example", true, true),
        ("https://a.example", "a.example:443", true, true),
        ("http://localhost:3000", "localhost:3000", false, true),
        ("http://[::1]:9", "[0::1]:9", false, true),
        ("http://a.example", "a.example", true, false),
        ("http://a.example:443", "a.example", true, false),
        ("http://a.example:8443", "a.example:8443", true, false),
        ("https://a.example:8443", "a.example:8443", true, true),
        ("https://a.example/", "a.example", false, true),
        ("https://a.example//", "a.example", false, false),
        ("https://a.example/x", "a.example", false, false),
        ("https://a.example", "a.example:80", false, false),
        ("http://localhost:3000", "localhost:3001", false, false),
        ("https://evil.example", "a.example", false, false),
        ("https://a.example.evil.example", "a.example", false, false),
        ("https://a.example@evil.example", "a.example", false, false),
        ("null", "a.example", false, false),
        ("", "a.example", false, false),
        ("a.example", "a.example", false, false),
        ("file://", "a.example", false, false),
        ("chrome-extension://a.example", "a.example", false, false),
    ];
    for (origin, host, secure, verdict) in table {
        let lines = GOOD.join("\r\n").replace("https://server.example.com", origin);
        let bytes = format!("{}\r\n\r\n", lines.replace("server.example.com", host));
        let mut upgrade = serve(bytes.as_bytes()).unwrap();
        upgrade.request_mut().set_secure(secure);
        let checked = OriginPolicy::default().check(upgrade.request());
        assert_eq!(checked.is_ok(), verdict, "{origin} at {host}");
        assert_eq!(OriginPolicy::any().check(upgrade.request()), Ok(()));
    }
}

#[test]
fn a_refused_origin_gets_403_and_an_absent_one_passes() {
    let foreign = serve(&with("Origin", "Origin: https://evil.example")).unwrap();
    let rejection = OriginPolicy::default().check(foreign.request()).unwrap_err();
    assert_eq!(rejection.status(), StatusCode::FORBIDDEN);
    let absent = serve(&with("Origin", "")).unwrap();
    assert_eq!(OriginPolicy::default().check(absent.request()), Ok(()));
    assert_eq!(OriginPolicy::only(["https://a"]).unwrap().check(absent.request()), Ok(()));
    let mut broken = with("Origin", "Origin: https://server.example.com?");
    let at = broken.iter().rposition(|byte| *byte == b'?').unwrap();
    broken[at] = 0xff;
    assert!(OriginPolicy::default().check(serve(&broken).unwrap().request()).is_err());
    assert_eq!(status(&plus("Origin: https://server.example.com")), 400);
}

#[test]
fn listed_origins_pass_and_no_others() {
    let policy =
        OriginPolicy::only(["https://App.example", "http://localhost:3000", "chrome-extension://abc"])
            .unwrap();
    let table = [
        ("https://app.example", true),
        ("https://app.example:443", true),
        ("http://localhost:3000", true),
        ("chrome-extension://abc", true),
        ("http://app.example", false),
        ("https://server.example.com", false),
        ("null", false),
    ];
    for (origin, verdict) in table {
        let upgrade = serve(&with("Origin", &format!("Origin: {origin}"))).unwrap();
        assert_eq!(policy.check(upgrade.request()).is_ok(), verdict, "{origin}");
    }
    let file = serve(&with("Origin", "Origin: file://")).unwrap();
    assert!(policy.check(file.request()).is_err());
    assert_eq!(OriginPolicy::only(["file://"]).unwrap().check(file.request()), Ok(()));
    for bad in ["null", "a.example", "https://a/", "https://", "https://a b", "://a", "*"] {
        assert!(OriginPolicy::only([bad]).is_err(), "{bad}");
    }
}

proptest! {
    #[test]
    fn any_bytes_get_a_verdict(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = Upgrade::verify(Bytes::from(bytes));
    }

    #[test]
    fn any_change_of_a_good_request_gets_a_verdict(
        at in 0usize..350, byte in any::<u8>(), cut in any::<prop::sample::Index>()
    ) {
        let mut bytes = plus("X: y");
        if let Some(place) = bytes.get_mut(at) {
            *place = byte;
        }
        if let Ok(upgrade) = Upgrade::verify(Bytes::from(bytes.clone())) {
            let request = upgrade.request();
            prop_assert!(request.path().starts_with('/'));
            prop_assert!(!request.host().is_empty());
            prop_assert!(request.headers().count() >= 8);
        }
        bytes.truncate(cut.index(bytes.len()));
        prop_assert!(Upgrade::verify(Bytes::from(bytes)).is_err());
    }
}
