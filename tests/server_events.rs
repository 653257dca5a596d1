//! What a server tells the log of its connections: one event each, with nothing that a peer has said.
#![cfg(feature = "tls")]
#![allow(clippy::unwrap_used)]

#[path = "support/authority.rs"]
mod authority;
mod wire;

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex},
    time::Duration,
};

use converse::{Server, SessionOptions};
use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
};
use wire::{CLOSE, FIN, HEAD, Running, TEXT, Wire, close, echo, masked, start};

/// Keeps events as lines of their fields.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

#[derive(Default)]
struct Fields(BTreeMap<&'static str, String>);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }
}

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "converse::server::events" && *metadata.level() <= Level::INFO
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        fields.0.remove("peer").unwrap();
        let fields: Vec<_> = fields.0.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
        self.0.lock().unwrap().push(fields.join(" "));
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

impl Log {
    /// Takes the events out, once there are so many.
    async fn take(&self, count: usize) -> Vec<String> {
        for _ in 0..1000 {
            if self.0.lock().unwrap().len() >= count {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

async fn ask(server: &Running, more: &str) -> String {
    let mut peer = Wire::connect(server.address).await;
    let head = HEAD.replacen("GET / ", "GET /?token=secret ", 1);
    peer.ask(&format!("{head}{more}\r\n")).await
}

#[tokio::test]
async fn each_connection_has_one_event_without_what_the_peer_said() {
    let log = Log::default();
    let _logging = tracing::subscriber::set_default(log.clone());
    let server = start(Server::new(SessionOptions::default()).route("/", echo)).await;

    let answer = ask(&server, "Origin: https://evil.example\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
    let reason = "pages of this Origin may not connect: the server's origin policy decides (RFC 6455 §10.2)";
    let compared = r#"compared="Origin \"https://evil.example\" with Host \"localhost\"""#;
    assert_eq!(
        log.take(1).await,
        [format!("{compared} message=handshake rejected reason=\"{reason}\" status=403")]
    );

    let mut peer = Wire::connect(server.address).await;
    let head = HEAD.replacen("GET / ", "GET /?token=secret ", 1);
    assert!(peer.ask(&format!("{head}\r\n")).await.starts_with("HTTP/1.1 101 "));
    peer.send(&masked(TEXT, b"secret")).await;
    peer.send(&wire::frame(FIN | CLOSE, &[&close(4321)[..], b"secret"].concat(), true)).await;
    let ended = "by=Peer cause=closing handshake message=session ended outcome=failed path=\"/\" received=4321 sent=4321";
    assert_eq!(log.take(1).await, [ended]);

    let trust = authority::trust(&["localhost"]);
    let secure = Server::new(SessionOptions::default()).route("/", echo).tls(Arc::clone(&trust.server));
    let secure = start(secure).await;
    let mut peer = Wire::connect(secure.address).await;
    peer.send(b"this is no TLS\r\n\r\n").await;
    let failed = log.take(1).await;
    assert!(failed.len() == 1 && failed[0].contains("message=TLS handshake failed"), "{failed:?}");

    let full = Server::new(SessionOptions::default()).route("/", echo).max_connections(0);
    let full = start(full).await;
    assert!(ask(&full, "").await.starts_with("HTTP/1.1 503 "));
    let rejected = log.take(1).await;
    assert!(rejected[0].ends_with("status=503") && !rejected[0].contains("secret"), "{rejected:?}");
}

/// The server stops without the session that blocks its thread, and names it.
#[test]
fn a_session_that_is_left_behind_is_named() {
    let log = Log::default();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let (release, released) = std::sync::mpsc::channel::<()>();
    let released = Arc::new(Mutex::new(released));
    let blocks = move |_session: converse::Session| {
        let released = Arc::clone(&released);
        async move {
            let _ = released.lock().unwrap().recv();
            Ok::<_, converse::Error>(())
        }
    };
    runtime.block_on(async {
        // Of this thread, in which the server stops, and not of those in which sessions end.
        let _logging = tracing::subscriber::set_default(log.clone());
        let server = Server::new(SessionOptions::default()).route("/blocks", blocks);
        let server = server.shutdown_timeout(Duration::from_millis(100)).bind("127.0.0.1:0").await.unwrap();
        let (address, handle) = (server.local_addr(), server.handle());
        // In a thread of its own: while the handler blocks nobody may look at sockets and timers.
        let visit = std::thread::spawn(move || {
            let mut peer = std::net::TcpStream::connect(address).unwrap();
            let head = format!("{HEAD}\r\n").replacen("GET / ", "GET /blocks?token=secret ", 1);
            std::io::Write::write_all(&mut peer, head.as_bytes()).unwrap();
            while handle.sessions() == 0 {
                std::thread::sleep(Duration::from_millis(5));
            }
            handle.stop();
            peer
        });
        server.serve().await;
        release.send(()).unwrap();
        drop(visit.join().unwrap());
        let left = r#"message=session left behind: its handler blocks its thread path="/blocks""#;
        assert_eq!(log.take(1).await, [left]);
    });
}
