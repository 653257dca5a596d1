//! The floods: what one connection sends, all of it within the limits.

use std::{
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use converse::{Client, Message, SessionOptions};
use converse_benches::{
    Result,
    compact::{
        HELLO, LONGEST, NONE, PING, UNKNOWN, call, call_within, cancel, credit, id, many, notify, number,
    },
};
use tokio::time::{sleep, timeout_at};

/// A flood.
#[derive(Clone)]
pub struct Flood {
    /// What it is called.
    pub name: &'static str,
    spoken: Spoken,
    /// Makes the messages; it is given the server's first one.
    messages: fn(&[u8]) -> Vec<Vec<u8>>,
    /// Whether the flooder reads what is answered.
    reads: bool,
    /// When the flooder's connection ends.
    ends: Option<Duration>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Spoken {
    MessagePack,
    JsonRpc,
}

const BASE: Flood =
    Flood { name: "", spoken: Spoken::MessagePack, messages: |_| Vec::new(), reads: true, ends: None };

/// All of them.
pub const FLOODS: &[Flood] = &[
    Flood {
        name: "calls: 2,000 of 1 ms in one message of 26 KB",
        messages: |_| vec![many(2000, |n| call(id(n), "spin", NONE))],
        ..BASE
    },
    Flood {
        name: "cancels: 1,000 calls that are cancelled, with a drop of 1 ms",
        messages: |_| vec![many(1000, |n| [call(id(n), "held", NONE), cancel(id(n))].concat())],
        ..BASE
    },
    Flood {
        name: "batch: 999 answers that take 1 ms to encode",
        spoken: Spoken::JsonRpc,
        messages: |_| vec![batch(999, "written")],
        ..BASE
    },
    Flood {
        name: "batches: 5 of 999 answers of 1 MB",
        spoken: Spoken::JsonRpc,
        messages: |_| vec![batch(999, "large"); 5],
        ..BASE
    },
    Flood {
        name: "notifications: 2,000 of 1 ms",
        messages: |_| vec![many(2000, |_| notify("spin", NONE))],
        ..BASE
    },
    Flood {
        name: "deadlines: 64 calls that expire together, with a drop of 1 ms",
        messages: |_| vec![many(64, |n| call_within(id(n), "held", 500, NONE))],
        ..BASE
    },
    Flood {
        name: "end: a connection that ends with 64 handlers, with a drop of 1 ms",
        messages: |_| vec![many(64, |n| call(id(n), "held", NONE))],
        ends: Some(Duration::from_millis(500)),
        ..BASE
    },
    Flood {
        name: "unknown: 8 messages of 524,288 unknown frames",
        messages: |_| vec![many(LONGEST / 2, |_| UNKNOWN.to_vec()); 8],
        ..BASE
    },
    Flood {
        name: "unknown, unread: the same to a flooder that does not read",
        messages: |_| vec![many(LONGEST / 2, |_| UNKNOWN.to_vec()); 8],
        reads: false,
        ..BASE
    },
    Flood {
        name: "refusals: 8 messages of 80,000 calls over the limit",
        messages: |_| {
            let mut messages = vec![many(64, |n| call(id(n), "held", NONE))];
            messages.extend((0..8).map(|_| many(80_000, |n| call(id(n + 64), "add", NONE))));
            messages
        },
        ..BASE
    },
    Flood {
        name: "unfit: 8 messages of 80,000 calls whose arguments do not fit",
        messages: |_| (0..8).map(|_| many(80_000, |n| call(id(n), "spin", &number(1)))).collect(),
        ..BASE
    },
    Flood {
        name: "cancels of nothing: 8 messages of 170,000",
        messages: |_| (0..8).map(|_| many(170_000, |n| cancel(id(n % 30_000)))).collect(),
        ..BASE
    },
    Flood {
        name: "credits of nothing: 8 messages of 130,000",
        messages: |heard| (0..8).map(|_| many(130_000, |n| credit(id(n % 30_000), 1, 1, heard))).collect(),
        ..BASE
    },
    Flood {
        name: "pings: 8 messages of 524,288",
        messages: |_| vec![many(LONGEST / 2, |_| PING.to_vec()); 8],
        ..BASE
    },
    Flood {
        name: "zeros: 60 batches of 999 zeros",
        spoken: Spoken::JsonRpc,
        messages: |_| vec![format!("[{}]", vec!["0"; 999].join(",")).into_bytes(); 60],
        ..BASE
    },
];

/// A batch of so many calls.
fn batch(count: usize, method: &str) -> Vec<u8> {
    let calls: Vec<_> =
        (0..count).map(|n| format!(r#"{{"jsonrpc":"2.0","id":{n},"method":"{method}"}}"#)).collect();
    format!("[{}]", calls.join(",")).into_bytes()
}

/// Floods, from a thread of its own; returns how the connection came out.
pub fn start(url: String, flood: Flood, time: Duration) -> JoinHandle<Result<String>> {
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(run(&url, &flood, tokio::time::Instant::now() + time))
    })
}

async fn run(url: &str, flood: &Flood, until: tokio::time::Instant) -> Result<String> {
    // The flooder's own limits are not what is measured.
    let mut options = SessionOptions::default().max_message_size(1 << 30).ping_interval(None);
    if flood.spoken == Spoken::MessagePack {
        options = options.subprotocol("converse.v1.msgpack");
    }
    let mut session = Client::new(options).connect(url).await?;
    let heard = match flood.spoken {
        Spoken::MessagePack => {
            session.send(Message::from(HELLO)).await?;
            session.receive().await?.map(|hello| hello.as_bytes().to_vec()).unwrap_or_default()
        }
        Spoken::JsonRpc => Vec::new(),
    };
    let (messages, sender) = ((flood.messages)(&heard), session.sender());
    let begun = Instant::now();
    let sending = tokio::spawn(async move {
        for message in messages {
            let message = if message[0] == b'[' { text(message) } else { Message::from(message) };
            if sender.send(message).await.is_err() {
                break;
            }
        }
    });
    let until = flood.ends.map_or(until, |ends| until.min(tokio::time::Instant::now() + ends));
    let mut bytes = 0;
    if flood.reads {
        while let Ok(Ok(Some(message))) = timeout_at(until, session.receive()).await {
            bytes += message.as_bytes().len();
        }
    } else {
        // The session reads ahead for a while; then it stops.
        tokio::time::sleep_until(until).await;
    }
    sending.abort();
    if flood.ends.is_none() && session.sender().is_closed() {
        let after = begun.elapsed().as_millis();
        let closed = session.closed().await;
        let code = closed.received.as_ref().map(|reason| reason.code().get());
        return Ok(format!("closed with {code:?} after {after} ms, {bytes} B answered"));
    }
    drop(session);
    sleep(Duration::from_millis(50)).await;
    Ok(format!("{bytes} B answered"))
}

fn text(message: Vec<u8>) -> Message {
    Message::from(String::from_utf8(message).expect("JSON"))
}
