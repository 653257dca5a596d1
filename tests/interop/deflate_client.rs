//! Checks permessage-deflate with our client against another implementation's echo server: every configuration of
//! ours, and every configuration of the server, in each memory mode. Run by `tests/interop/run`.
//! Usage: deflate_client ws://HOST:PORT

mod deflate_config;
mod tally;

use std::{collections::BTreeMap, fmt::Debug, process::ExitCode, sync::Arc, time::Duration};

use converse::{
    Client, CloseCode, CloseReason, Message, Session,
    extension::{DeflateStats, ExtensionOffer},
};
use deflate_config::{COMPACT_HISTORY, Config, FRAGMENT_SIZES, Memory, REPORT_PLEASE, report};
use futures::StreamExt;
use serde_json::{Value, json};
use tally::{Outcome, Tally};

const CHECK_TIMEOUT: Duration = Duration::from_secs(60);
const AT_A_TIME: usize = 4;
/// Shrinks even alone, so that each memory mode compresses it.
const SHORT_JSON: &str =
    r#"{"kind":"order","items":[{"id":1,"count":1},{"id":2,"count":2},{"id":3,"count":3}],"id":76}"#;
const EVERY_UTF8_LENGTH: &str = "aé€😀\u{0}\u{ffff}\u{10ffff}";

/// What is not equal is shown in short: it may be megabytes.
fn equal<T: PartialEq + Debug>(got: T, wanted: T) -> Outcome {
    if got == wanted {
        return Ok(());
    }
    let [got, wanted] = [got, wanted].map(|value| format!("{value:?}").chars().take(200).collect::<String>());
    Err(format!("got {got}, wanted {wanted}").into())
}

fn holds(rule: bool, what: impl FnOnce() -> String) -> Outcome {
    if rule { Ok(()) } else { Err(what().into()) }
}

// --- messages

fn orders(size: usize) -> Message {
    let mut text = String::new();
    for id in 0_u64.. {
        let order =
            json!({ "id": id, "customer": "Grace Hopper", "price": id * 7919 % 100_000, "note": null });
        text += &order.to_string();
        if text.len() >= size {
            break;
        }
    }
    text.truncate(size);
    text.into()
}

/// Incompressible, and the same in each run (xorshift64).
fn noise(size: usize) -> Vec<u8> {
    let mut state = 7692_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    (0..size).map(|_| next()).collect()
}

fn long_text() -> Message {
    (0..7000_u32).map(|at| format!("{} é€😀 ", at * 7919 % 6007)).collect::<String>().into()
}

// --- what was agreed

/// Who forgets and how far each side looks back, as the server answered.
struct Agreed {
    server_forgets: bool,
    client_forgets: bool,
    server_bits: u8,
    client_bits: u8,
}

impl Agreed {
    fn new(stats: &DeflateStats) -> Outcome<Self> {
        let answer = stats.agreed();
        let bits = |name| answer.value(name).map_or(Ok(15), str::parse);
        Ok(Self {
            server_forgets: answer.has_param("server_no_context_takeover"),
            client_forgets: answer.has_param("client_no_context_takeover"),
            server_bits: bits("server_max_window_bits")?,
            client_bits: bits("client_max_window_bits")?,
        })
    }

    /// The server gave what we asked for (`ours`), and we took what it is configured with (`theirs`).
    fn check(&self, ours: Config, theirs: Config, memory: Memory) -> Outcome {
        let frugal = memory == Memory::NoTakeover;
        holds(self.server_forgets || !(ours.server_forgets || theirs.server_forgets || frugal), || {
            "no server_no_context_takeover".into()
        })?;
        holds(self.client_forgets || !(ours.client_forgets || theirs.client_forgets || frugal), || {
            "no client_no_context_takeover".into()
        })?;
        let limit = |config: Config| config.server_bits.unwrap_or(15);
        holds(self.server_bits <= limit(ours).min(limit(theirs)), || {
            format!("server_max_window_bits={}", self.server_bits)
        })?;
        let compact = memory == Memory::Compact;
        holds(!compact || self.server_forgets || 1 << self.server_bits <= COMPACT_HISTORY, || {
            format!("server_max_window_bits={} in compact mode", self.server_bits)
        })?;
        let limit = |config: Config| config.client_bits.unwrap_or(15);
        holds(self.client_bits <= limit(ours).min(limit(theirs)), || {
            format!("client_max_window_bits={}", self.client_bits)
        })
    }
}

/// Parameters have no order.
fn parameters(agreed: &Value) -> Outcome<BTreeMap<String, Option<String>>> {
    let agreed: ExtensionOffer = agreed.as_str().unwrap_or_default().parse()?;
    Ok(agreed.params().map(|(name, value)| (name.to_owned(), value.map(str::to_owned))).collect())
}

// --- one conversation

struct Talk {
    session: Session,
    stats: Arc<DeflateStats>,
}

/// The bytes that a message took on the wire.
#[derive(Clone, Copy)]
struct Trip {
    there: u64,
    back: u64,
}

impl Talk {
    async fn echo(&mut self, message: Message) -> Outcome<Trip> {
        let (sent, received) = (self.stats.sent().wire_bytes, self.stats.received().wire_bytes);
        self.session.send(message.clone()).await?;
        equal(self.session.receive().await?, Some(message))?;
        let there = self.stats.sent().wire_bytes - sent;
        Ok(Trip { there, back: self.stats.received().wire_bytes - received })
    }

    /// Each side looks back no further than agreed; and as far, where it has room for it.
    async fn check_reach(&mut self, agreed: &Agreed, memory: Memory) -> Outcome {
        let short = Message::from(SHORT_JSON);
        // Chance and a run, which shrinks even without its first copy, so that it is compressed; twice it is beyond
        // a window of 9 or 10 bits, and well within one of 12.
        let mut long: Vec<u8> = noise(3000).iter().map(|byte| byte % 128).collect();
        long.resize(3200, 0);
        for (message, reached_from) in [(short, 9), (long.into(), 12)] {
            let first = self.echo(message.clone()).await?;
            let second = self.echo(message).await?;
            let client_has_room = memory == Memory::Dedicated || reached_from == 9;
            for (side, forgets, bits, has_room, was, now) in [
                (
                    "client",
                    agreed.client_forgets,
                    agreed.client_bits,
                    client_has_room,
                    first.there,
                    second.there,
                ),
                ("server", agreed.server_forgets, agreed.server_bits, true, first.back, second.back),
            ] {
                holds(was > 0, || format!("the {side} compressed nothing"))?;
                let reaches = !forgets && bits >= reached_from;
                holds(!(reaches && has_room) || now <= was / 4, || {
                    format!("no takeover: the {side} wrote {was} bytes, then {now}")
                })?;
                holds(reaches || now * 10 >= was * 9, || {
                    format!("the {side} looked back too far: {was} bytes, then {now}")
                })?;
            }
        }
        Ok(())
    }

    async fn small_messages(&mut self) -> Outcome {
        let kib = orders(1 << 10);
        for text in ["", "", "x"] {
            self.echo(text.into()).await?;
        }
        self.echo(Message::binary(Vec::new())).await?;
        self.echo(EVERY_UTF8_LENGTH.repeat(50).into()).await?;
        self.echo(kib.clone()).await?;
        self.echo(noise(10 << 10).into()).await?;
        self.session.ping().await?;
        self.echo(kib).await.map(|_| ())
    }

    async fn many_and_large_messages(&mut self) -> Outcome {
        let kib = orders(1 << 10);
        for _ in 0..20 {
            self.echo(kib.clone()).await?;
        }
        self.echo(long_text()).await?;
        self.echo(orders(1 << 20)).await.map(|_| ())
    }

    /// The server's counts are ours, but for its own answer.
    async fn check_report(&mut self) -> Outcome {
        let received = report(&self.session).unwrap_or_default()["received"].take();
        self.session.send(REPORT_PLEASE).await?;
        let theirs = self.session.receive().await?.ok_or("the server closed")?;
        let theirs: Value = serde_json::from_slice(theirs.as_bytes())?;
        let ours = report(&self.session).unwrap_or_default();
        equal(parameters(&theirs["agreed"])?, parameters(&ours["agreed"])?)?;
        equal(&theirs["received"], &ours["sent"])?;
        equal(&theirs["sent"], &received)
    }

    async fn close(self) -> Outcome {
        let reason = CloseReason::new(CloseCode::NORMAL, "done");
        let closed = self.session.close(reason.clone()).await;
        equal(closed.received.clone(), Some(reason))
    }
}

/// One combination: what we are configured with, and what the server is.
#[derive(Clone, Copy)]
struct Check {
    ours: Config,
    theirs: Config,
    memory: Memory,
    fragment_size: usize,
    everything: bool,
}

impl Check {
    fn all() -> Vec<Self> {
        let mut checks = Vec::new();
        let plain = Config::default();
        for (mode, memory) in Memory::ALL.into_iter().enumerate() {
            for (at, config) in Config::all().into_iter().enumerate() {
                let fragment_size = FRAGMENT_SIZES[(at / 3 + mode) % FRAGMENT_SIZES.len()];
                // Each configuration of ours meets everything in one of the memory modes: it takes the most time.
                let everything = (at + mode) % Memory::ALL.len() == 0;
                checks.push(Self { ours: config, theirs: plain, memory, fragment_size, everything });
                checks.push(Self { ours: plain, theirs: config, memory, fragment_size, everything: false });
            }
        }
        checks
    }

    fn name(&self) -> String {
        let (ours, theirs) = (self.ours.path(), self.theirs.path());
        format!("ours {ours}/{}/{}, theirs {theirs}", self.memory.name(), self.fragment_size)
    }

    async fn play(self, url: String) -> Outcome {
        let client = Client::new(self.ours.options(self.memory, self.fragment_size));
        let session = client.connect(&format!("{url}{}", self.theirs.path())).await?;
        let stats = session.extension::<DeflateStats>().ok_or("no extension was agreed")?;
        let mut agreed = Agreed::new(&stats)?;
        agreed
            .check(self.ours, self.theirs, self.memory)
            .map_err(|error| format!("{error} in {}", stats.agreed()))?;
        // An answer that nobody asked for may be to our last offer, where we say that we keep nothing either.
        agreed.client_forgets |= agreed.server_forgets && !self.ours.server_forgets;
        let mut talk = Talk { session, stats };
        talk.check_reach(&agreed, self.memory).await?;
        talk.small_messages().await?;
        if self.everything {
            talk.many_and_large_messages().await?;
        }
        talk.check_report().await?;
        talk.close().await
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let Some(url) = std::env::args().nth(1) else {
        eprintln!("usage: deflate_client ws://HOST:PORT");
        return ExitCode::from(2);
    };
    let mut tally = Tally::default();
    let mut outcomes = futures::stream::iter(Check::all())
        .map(|check| {
            let url = url.trim_end_matches('/').to_owned();
            async move { (check.name(), tokio::time::timeout(CHECK_TIMEOUT, check.play(url)).await) }
        })
        .buffer_unordered(AT_A_TIME);
    while let Some((name, outcome)) = outcomes.next().await {
        tally.count(&name, outcome);
    }
    tally.end()
}
