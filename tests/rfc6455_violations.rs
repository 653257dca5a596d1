//! RFC 6455 §5, §7 and §8.1 seen from the other end: what a peer that breaks a rule receives. Each violation is told
//! with its close code, and TCP ends in order behind it, whichever role broke it.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod wire;

use std::time::Duration;

use converse::{
    Client, CloseCause, Session, SessionOptions,
    session::{BoxError, SessionError},
};
use tokio::net::TcpListener;
use wire::{BINARY, CLOSE, CONTINUATION, FIN, Got, PING, TEXT, Wire, close, echo, echo_server, frame};

/// Far beyond what any of these tests takes: a close that waits for one of these times hangs the test instead.
const NEVER: Duration = Duration::from_secs(3600);

fn options() -> SessionOptions {
    SessionOptions::default()
        .max_frame_size(600)
        .max_message_size(1000)
        .close_timeout(NEVER)
        .message_timeout(NEVER)
        .ping_interval(None)
}

/// What a peer sends, and the code it must see.
struct Violation {
    name: String,
    bytes: Vec<u8>,
    code: u16,
}

/// Frames as the side in test writes them.
struct Frames {
    masked: bool,
}

impl Frames {
    fn whole(&self, opcode: u8, payload: &[u8]) -> Vec<u8> {
        frame(FIN | opcode, payload, self.masked)
    }

    fn open(&self, opcode: u8, payload: &[u8]) -> Vec<u8> {
        frame(opcode, payload, self.masked)
    }

    /// A header whose length is written in `digits`, and no payload.
    fn header(&self, first: u8, len: u8, digits: &[u8]) -> Vec<u8> {
        let mask = if self.masked { 0x80 } else { 0 };
        let key: &[u8] = if self.masked { &[1, 2, 3, 4] } else { &[] };
        [&[first, mask | len], digits, key].concat()
    }
}

fn violations(masked: bool) -> Vec<Violation> {
    let frames = Frames { masked };
    let mut all = headers(&frames);
    all.extend(lengths(&frames));
    all.extend(payloads(&frames));
    all.extend(closes(&frames));
    all.extend(sequences(&frames));
    all
}

fn violation(name: impl Into<String>, code: u16, bytes: Vec<u8>) -> Violation {
    Violation { name: name.into(), bytes, code }
}

/// §5.1 and §5.2: what the first two bytes of a frame may not say.
fn headers(frames: &Frames) -> Vec<Violation> {
    let mut all =
        vec![violation("mask in the wrong direction", 1002, frame(FIN | TEXT, b"hi", !frames.masked))];
    for bit in [0x40, 0x20, 0x10] {
        all.push(violation(format!("RSV {bit:#x} on data"), 1002, frames.whole(bit | TEXT, b"hi")));
        all.push(violation(format!("RSV {bit:#x} on control"), 1002, frames.whole(bit | PING, b"hi")));
    }
    for opcode in (3..8).chain(11..16) {
        all.push(violation(format!("opcode {opcode}"), 1002, frames.whole(opcode, b"hi")));
    }
    for opcode in 8..11 {
        all.push(violation(format!("control {opcode} of 126"), 1002, frames.whole(opcode, &[b'a'; 126])));
        all.push(violation(format!("control {opcode} in fragments"), 1002, frames.open(opcode, b"hi")));
    }
    // Two bytes tell; nothing more has to come.
    all.push(violation("two bytes of a header", 1002, vec![FIN | 3, 0x80]));
    all
}

/// §5.2: lengths that are written too long, are too long, or are over a limit. The header is all that comes.
fn lengths(frames: &Frames) -> Vec<Violation> {
    let short = |len: u16| frames.header(FIN | BINARY, 126, &len.to_be_bytes());
    let long = |len: u64| frames.header(FIN | BINARY, 127, &len.to_be_bytes());
    vec![
        violation("0 in 16 bits", 1002, short(0)),
        violation("125 in 16 bits", 1002, short(125)),
        violation("0 in 64 bits", 1002, long(0)),
        violation("125 in 64 bits", 1002, long(125)),
        violation("65535 in 64 bits", 1002, long(0xffff)),
        violation("the top bit", 1002, long(1 << 63)),
        violation("all 64 bits", 1002, long(u64::MAX)),
        violation("a frame over its limit", 1009, short(601)),
        violation("a frame of 2^63 - 1", 1009, long(u64::MAX >> 1)),
        violation(
            "a message over its limit",
            1009,
            [frames.open(BINARY, &[0; 600]), frames.header(FIN | CONTINUATION, 126, &401u16.to_be_bytes())]
                .concat(),
        ),
        violation(
            "a sum that overflows",
            1009,
            [
                frames.open(BINARY, &[0; 600]),
                frames.header(FIN | CONTINUATION, 127, &(u64::MAX >> 1).to_be_bytes()),
            ]
            .concat(),
        ),
    ]
}

/// §8.1: text that is not UTF-8, told at the offending byte.
fn payloads(frames: &Frames) -> Vec<Violation> {
    // The frame says 100 bytes, and only the beginning comes.
    let begun = |first: u8, payload: &[u8]| {
        let mut whole = frame(first, &[payload, &vec![b'a'; 100 - payload.len()]].concat(), frames.masked);
        whole.truncate(whole.len() - 100 + payload.len());
        whole
    };
    vec![
        violation("a bad byte", 1007, frames.whole(TEXT, b"caf\xff")),
        violation("a bad byte in an incomplete frame", 1007, begun(FIN | TEXT, b"caf\xff")),
        violation("an overlong form in an incomplete frame", 1007, begun(FIN | TEXT, b"\xc0")),
        violation("a surrogate in an incomplete frame", 1007, begun(FIN | TEXT, b"\xed\xa0")),
        violation("beyond U+10FFFF in an incomplete frame", 1007, begun(FIN | TEXT, b"\xf4\x90")),
        violation("a bad byte in an incomplete first fragment", 1007, begun(TEXT, b"caf\xff")),
        violation("a cut character at the end", 1007, frames.whole(TEXT, "κ".as_bytes().get(..1).unwrap())),
        violation(
            "a bad byte across fragments",
            1007,
            [frames.open(TEXT, b"\xce"), begun(CONTINUATION, b"\x41")].concat(),
        ),
        violation(
            "a cut character before an empty final frame",
            1007,
            [frames.open(TEXT, b"\xf0\x9f\x98"), frames.whole(CONTINUATION, b"")].concat(),
        ),
    ]
}

/// §5.5.1 and §7.4: Close frames that may not be.
fn closes(frames: &Frames) -> Vec<Violation> {
    let mut all = vec![
        violation("a close payload of one byte", 1002, frames.whole(CLOSE, b"\x03")),
        violation("a reason that is not UTF-8", 1007, frames.whole(CLOSE, b"\x03\xe8caf\xff")),
        violation("a reason cut in a character", 1007, frames.whole(CLOSE, b"\x03\xe8\xce")),
    ];
    for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535] {
        all.push(violation(format!("close code {code}"), 1002, frames.whole(CLOSE, &close(code))));
    }
    all
}

/// §5.4: frames in an order that makes no messages, and more fragments than anyone needs.
fn sequences(frames: &Frames) -> Vec<Violation> {
    let mut crumbs = frames.open(BINARY, b"a");
    (0..1100).for_each(|_| crumbs.extend(frames.open(CONTINUATION, b"")));
    vec![
        violation("a stray continuation", 1002, frames.whole(CONTINUATION, b"hi")),
        violation("a stray empty continuation", 1002, frames.open(CONTINUATION, b"")),
        violation(
            "a continuation behind the final one",
            1002,
            [frames.open(TEXT, b"a"), frames.whole(CONTINUATION, b"b"), frames.whole(CONTINUATION, b"c")]
                .concat(),
        ),
        violation(
            "a message inside a message",
            1002,
            [frames.open(TEXT, b"a"), frames.whole(PING, b""), frames.whole(TEXT, b"b")].concat(),
        ),
        violation("too many fragments", 1008, crumbs),
    ]
}

/// What the peer reads must be the answer to what was right, and the Close frame; pongs aside.
fn judge(name: &str, code: u16, answers: usize, read: &[Got], masked: bool) {
    let mut last = read.to_vec();
    last.retain(|got| got.first != FIN | wire::PONG && got.first != (FIN | BINARY));
    let echoes: Vec<&[u8]> =
        last.iter().filter(|got| got.first == FIN | TEXT).map(|got| &got.payload[..]).collect();
    assert_eq!(
        echoes.first().copied(),
        Some(&b"right"[..]),
        "{name}: the message before is answered: {read:?}"
    );
    assert!(echoes.len() <= answers, "{name}: {read:?}");
    let close = read.last().unwrap_or_else(|| panic!("{name}: no Close frame"));
    assert_eq!(close.close_code(), Some(code), "{name}: {read:?}");
    assert_eq!(read.iter().filter(|got| got.close_code().is_some()).count(), 1, "{name}: {read:?}");
    assert!(read.iter().all(|got| got.masked == masked), "{name}: {read:?}");
    let text = String::from_utf8(close.payload[2..].to_vec());
    assert!(text.is_ok_and(|text| !text.is_empty()), "{name}: the reason is told");
}

#[tokio::test]
async fn a_client_that_breaks_a_rule_is_told_and_tcp_ends() {
    let server = echo_server(options()).await;
    for Violation { name, bytes, code } in violations(true) {
        let mut peer = Wire::open(server.address).await;
        peer.send(&[wire::masked(TEXT, b"right"), bytes].concat()).await;
        judge(&name, code, 2, &peer.frames().await, false);
    }
}

#[tokio::test]
async fn a_violation_in_one_byte_writes_is_the_same() {
    let server = echo_server(options()).await;
    for Violation { name, bytes, code } in violations(true) {
        if bytes.len() > 200 {
            continue;
        }
        let mut peer = Wire::open(server.address).await;
        peer.send(&wire::masked(TEXT, b"right")).await;
        for byte in bytes {
            // The server may have closed on an earlier byte; that is what the reading shows.
            let _ = tokio::io::AsyncWriteExt::write(&mut peer.io, &[byte]).await;
            tokio::task::yield_now().await;
        }
        judge(&name, code, 2, &peer.frames().await, false);
    }
}

#[tokio::test]
async fn a_peer_that_does_not_stop_sending_still_reads_its_close_frame() {
    let server = echo_server(options()).await;
    let garbage = vec![0xff; 1024 * 1024];
    for Violation { name, bytes, code } in violations(true).into_iter().step_by(6) {
        let mut peer = Wire::open(server.address).await;
        peer.send(&[wire::masked(TEXT, b"right"), bytes].concat()).await;
        let garbage = garbage.clone();
        // As fast as it goes, and without end, while what comes is read.
        let Wire { io, .. } = peer;
        let (read, mut write) = io.into_split();
        let flood = tokio::spawn(async move {
            while tokio::io::AsyncWriteExt::write_all(&mut write, &garbage).await.is_ok() {}
        });
        let mut reading = Wire::over(tokio::io::join(read, tokio::io::sink()));
        judge(&name, code, 2, &reading.frames().await, false);
        // The flood ends too: the server does not listen for ever.
        wire::in_time(flood).await.unwrap();
    }
}

#[tokio::test]
async fn a_peer_that_reads_only_later_still_finds_the_close_frame() {
    let server = echo_server(options()).await;
    for Violation { name, bytes, code } in violations(true).into_iter().step_by(5) {
        let mut peer = Wire::open(server.address).await;
        let garbage = vec![b'x'; 100 * 1024];
        peer.send(&[wire::masked(TEXT, b"right"), bytes, garbage].concat()).await;
        // Not before the server has given the connection up.
        while server.handle.sessions() > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        judge(&name, code, 2, &peer.frames().await, false);
    }
}

#[tokio::test]
async fn a_server_that_breaks_a_rule_is_told_and_tcp_ends() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    for Violation { name, bytes, code } in violations(false) {
        let client = Client::new(options());
        let url = url.clone();
        let talk = tokio::spawn(async move { client.connect_with(&url, echo).await });
        let mut peer = Wire::accept(&listener, &[wire::plain(TEXT, b"right"), bytes].concat()).await;
        judge(&name, code, 2, &peer.frames().await, true);
        drop(peer);
        let talked: Result<(), converse::Error> = wire::in_time(talk).await.unwrap();
        let error = talked.expect_err("the client is told too");
        let Some(SessionError::Closed(closed)) = error.as_session() else { panic!("{name}: {error:?}") };
        let CloseCause::Violation(fault) = closed.cause else { panic!("{name}: {closed:?}") };
        assert_eq!(fault.close_code().get(), code, "{name}");
        assert_eq!(closed.sent.as_ref().map(|sent| sent.code().get()), Some(code), "{name}");
        assert!(error.is_peer_fault() && error.is_disconnected(), "{name}");
    }
}

#[tokio::test]
async fn a_session_driven_elsewhere_tells_what_was_right_before_the_violation() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    let client = Client::new(options());
    let connect = tokio::spawn(async move { client.connect(&url).await.unwrap() });
    let glued = [wire::plain(TEXT, b"right"), frame(FIN | 3, b"", false)].concat();
    let mut peer = Wire::accept(&listener, &glued).await;
    let mut session = wire::in_time(connect).await.unwrap();
    let codes: Vec<_> = peer.frames().await.iter().map(Got::close_code).collect();
    assert_eq!(codes, [Some(1002)]);
    assert_eq!(session.receive().await.unwrap(), Some("right".into()));
    assert!(matches!(session.receive().await, Err(SessionError::Closed(_))));
    assert_eq!(session.receive().await.unwrap(), None);
}

#[tokio::test]
async fn a_violation_while_closing_gets_no_second_close_frame() {
    let goodbye = |session: Session| async move {
        session.close(converse::CloseReason::NORMAL).await;
        Ok::<(), BoxError>(())
    };
    let server = wire::start(converse::Server::new(options()).route("/", goodbye)).await;
    let mut peer = Wire::open(server.address).await;
    assert_eq!(peer.frame().await.close_code(), Some(1000));
    peer.send(&frame(FIN | 3, b"", true)).await;
    assert_eq!(peer.frames().await, []);
}

#[tokio::test]
async fn limits_are_met_exactly() {
    let server = echo_server(options()).await;
    let mut peer = Wire::open(server.address).await;
    peer.send(&wire::masked(BINARY, &[7; 600])).await;
    assert_eq!(peer.frame().await.payload.len(), 600);
    let two = [frame(BINARY, &[7; 500], true), frame(FIN | CONTINUATION, &[7; 500], true)].concat();
    peer.send(&two).await;
    assert_eq!(peer.frame().await.payload.len(), 1000);
    peer.send(&wire::masked(CLOSE, &close(4999))).await;
    assert_eq!(peer.frame().await.close_code(), Some(4999));
    assert_eq!(peer.next().await.unwrap(), None);
}

#[tokio::test]
async fn each_close_code_that_may_be_sent_comes_back() {
    let server = echo_server(options()).await;
    for code in (1000..=1003).chain(1007..=1014).chain([3000, 3999, 4000, 4999]) {
        let mut peer = Wire::open(server.address).await;
        peer.send(&wire::masked(CLOSE, &close(code))).await;
        let codes: Vec<_> = peer.frames().await.iter().map(Got::close_code).collect();
        assert_eq!(codes, [Some(code)]);
    }
    let mut peer = Wire::open(server.address).await;
    peer.send(&wire::masked(CLOSE, b"")).await;
    assert_eq!(peer.frames().await, [Got { first: FIN | CLOSE, masked: false, payload: vec![] }]);
}
