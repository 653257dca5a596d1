//! A thousand random conversations with a peer that calls, streams, cancels, sends batches and goes away as it likes,
//! with little room for all of it: whatever was received is given back, to the byte.
//!
//! A failure prints its seed; `CONVERSE_SEED=<seed>` replays that conversation alone, with its transcript.
#![allow(clippy::unwrap_used)]

#[path = "support/rpc.rs"]
mod support;

use std::{
    future::pending,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use converse::{
    JsonConverter, Session,
    frame::Role,
    rpc::{self, Code, Options, Peer, Protocol, Router, Status, Streaming},
};
use futures::{StreamExt, stream};
use support::{BUFFER, Dice, Guards, patient};
use tokio::{io::duplex, task::JoinHandle, time::timeout};

const RUNS: u64 = 1_000;
const STEPS: u64 = 8;
/// Ids are few, so that they meet.
const IDS: u64 = 8;
/// What a message may have; a conversation may hold four times as much.
const LONGEST: usize = 4 * 1024;

/// Returns a text, long ones seldom, of some bytes fewer than a message may have.
fn text(dice: &mut Dice) -> String {
    let below = [16, 256, LONGEST as u64 - 256][dice.next(3) as usize];
    "x".repeat(dice.next(below) as usize)
}

/// Streams that handlers have put elsewhere, with what they have received and nobody takes.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<Streaming<String>>>>);

impl Kept {
    fn put(&self, items: Streaming<String>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(items);
    }

    fn drop_all(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

fn options(protocol: &Protocol) -> Options {
    Options::default()
        .protocols([protocol.clone()])
        .in_flight(6)
        .streams(4)
        .window(4)
        .deadline(Duration::from_secs(5))
}

fn router(protocol: &Protocol, guards: &Guards, kept: &Kept) -> Router {
    let [late, never, count, take, echo] = [(); 5].map(|()| guards.clone());
    let kept = kept.clone();
    Router::new()
        .options(options(protocol))
        .call("now", |_, (text, n): (String, u64)| async move {
            if n % 3 == 0 { Err(Status::new(Code::new(20), "no")) } else { Ok(text) }
        })
        .call("late", move |_, (text, n): (String, u64)| {
            let guard = late.hold();
            async move {
                tokio::time::sleep(Duration::from_millis(n)).await;
                drop(guard);
                if n % 5 == 0 { panic!("as told") } else { Ok::<_, Status>(text) }
            }
        })
        .call("never", move |cx, (text, _): (String, u64)| {
            let guard = never.hold();
            async move {
                pending::<()>().await;
                drop((guard, cx, text));
                Ok::<_, Status>(())
            }
        })
        .stream("count", move |_, (text, n): (String, u64)| {
            let guard = count.hold();
            stream::iter(0..n).map(move |_| {
                let _ = &guard;
                Ok::<_, Status>(text.clone())
            })
        })
        .client_stream("take", move |_, (text, n): (String, u64), mut items: Streaming<String>| {
            let guard = take.hold();
            async move {
                let mut taken = text.len() as u64;
                // Some do not wait for the end.
                for _ in 0..n {
                    match items.next().await {
                        Some(item) => taken += item?.len() as u64,
                        None => break,
                    }
                }
                drop(guard);
                Ok::<_, Status>(taken)
            }
        })
        .client_stream("leave", move |_, (_, n): (String, u64), items: Streaming<String>| {
            let kept = kept.clone();
            async move {
                tokio::time::sleep(Duration::from_millis(n)).await;
                kept.put(items);
                Ok::<_, Status>(n)
            }
        })
        .bidi_stream("echo", move |_, _: (String, u64), items: Streaming<String>| {
            let guard = echo.hold();
            items.map(move |item| {
                let _ = &guard;
                item.map_err(Status::from)
            })
        })
}

/// Returns what a conversation holds that was received and is not done with.
fn held(peer: &Peer) -> usize {
    peer.stats().held_bytes
}

struct Conversation {
    dice: Dice,
    session: Session,
    json_rpc: bool,
    /// Whether the peer counts the bytes of streams.
    counts_bytes: bool,
    transcript: Vec<String>,
}

impl Conversation {
    /// Makes up a frame.
    fn frame(&mut self) -> String {
        let id = 2 * self.dice.next(IDS) + 1;
        let n = self.dice.next(12);
        let text = text(&mut self.dice);
        match self.dice.next(12) {
            0..5 => {
                let methods = ["now", "late", "never", "count", "take", "leave", "echo", "nothing"];
                let method = methods[self.dice.next(methods.len() as u64) as usize];
                let params = if self.dice.next(10) == 0 {
                    r#"[["bad"]]"#.into()
                } else {
                    format!(r#"["{text}",{n}]"#)
                };
                match self.json_rpc {
                    true => format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{params}}}"#),
                    false => match self.dice.next(4) {
                        0 => format!(
                            r#"{{"id":{id},"method":"{method}","params":{params},"meta":{{"dl":{n},"h":"{n}"}}}}"#
                        ),
                        _ => format!(r#"{{"id":{id},"method":"{method}","params":{params}}}"#),
                    },
                }
            }
            5 => self.cancel(id),
            6 => match (self.json_rpc, self.counts_bytes) {
                (true, _) => "0".to_owned(),
                (false, true) => format!(r#"{{"id":{id},"credit":[{n},{}]}}"#, n * 100),
                (false, false) => format!(r#"{{"id":{id},"credit":{n}}}"#),
            },
            7..10 => match self.json_rpc {
                true => format!(r#"{{"jsonrpc":"2.0","method":"$/item","params":[{id},"{text}"]}}"#),
                false => format!(r#"{{"id":{id},"item":"{text}"}}"#),
            },
            10 => match self.json_rpc {
                true => format!(r#"{{"jsonrpc":"2.0","method":"$/end","params":[{id}]}}"#),
                false => format!(r#"{{"id":{id},"end":true}}"#),
            },
            _ => match self.json_rpc {
                true => format!(r#"{{"jsonrpc":"2.0","method":"late","params":["{text}",{n}]}}"#),
                false => format!(r#"{{"method":"late","params":["{text}",{n}]}}"#),
            },
        }
    }

    fn cancel(&self, id: u64) -> String {
        match self.json_rpc {
            true => format!(r#"{{"jsonrpc":"2.0","method":"$/cancelRequest","params":{{"id":{id}}}}}"#),
            false => format!(r#"{{"cancel":{id}}}"#),
        }
    }

    /// Answers one of so many calls of the server: by an answer, or by an item of a stream.
    fn answer(&mut self, asked: u64) -> String {
        let id = 2 * self.dice.next(asked) + 2;
        let text = text(&mut self.dice);
        match (self.json_rpc, self.dice.next(3)) {
            (true, _) => format!(r#"{{"jsonrpc":"2.0","id":{id},"result":"{text}"}}"#),
            (false, 0) => format!(r#"{{"id":{id},"result":"{text}"}}"#),
            (false, _) => format!(r#"{{"id":{id},"item":"{text}"}}"#),
        }
    }

    /// Sends messages; a peer whose connection is closed says nothing.
    async fn say(&mut self, messages: Vec<String>) {
        for message in messages {
            if message.len() <= LONGEST {
                self.transcript.push(format!("-> {} B {}", message.len(), shown(&message)));
                let _ = self.session.send(message).await;
            }
        }
    }

    /// Reads all that has come.
    async fn hear(&mut self) {
        while let Ok(Ok(Some(message))) = timeout(Duration::from_millis(1), self.session.receive()).await {
            let text = message.as_text().unwrap_or_default();
            self.transcript.push(format!("<- {} B {}", text.len(), shown(text)));
        }
    }
}

fn unsubscribe(number: u64) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":"u{number}","method":"unsubscribe","params":["s{number}"]}}"#)
}

fn shown(text: &str) -> &str {
    &text[..text.len().min(120)]
}

/// A call that the server makes, with what it has received.
enum Made {
    Call(JoinHandle<()>),
    Stream(Streaming<String>),
}

async fn converse(seed: u64, transcript: &mut Vec<String>) {
    let (guards, kept) = (Guards::default(), Kept::default());
    let json_rpc = seed.is_multiple_of(3);
    let protocol = if json_rpc { Protocol::json_rpc() } else { Protocol::converse(JsonConverter::default()) };
    let (here, there) = duplex(BUFFER);
    let limits = patient().max_message_size(LONGEST);
    let peer = rpc::over(here, Role::Server, &protocol, &limits, router(&protocol, &guards, &kept));
    let mut session = Session::over(there, Role::Client, &patient());
    let mut counts_bytes = false;
    if !json_rpc {
        session.send(r#"{"hello":{}}"#).await.unwrap();
        let hello = session.receive().await.unwrap().unwrap();
        counts_bytes = hello.as_text().unwrap().contains(r#""window":["#);
    }
    support::settle().await;
    let mut talk = Conversation { dice: Dice(seed), session, json_rpc, counts_bytes, transcript: Vec::new() };
    let end = AssertUnwindSafe(talk_and_end(&mut talk, &peer, &guards, &kept));
    let end = futures::FutureExt::catch_unwind(end).await;
    transcript.append(&mut talk.transcript);
    if let Err(panic) = end {
        std::panic::resume_unwind(panic);
    }
    // However a connection ends, nothing is held for it.
    drop(talk);
    support::ends("the connection", peer.closed()).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    kept.drop_all();
    assert_eq!(held(&peer), 0, "bytes are held behind the end");
    assert_eq!(guards.now(), 0, "handlers are left behind the end");
}

async fn talk_and_end(talk: &mut Conversation, peer: &Peer, guards: &Guards, kept: &Kept) {
    let idle = held(peer);
    let (mut made, mut asked) = (Vec::new(), 0);
    for _ in 0..STEPS {
        let frames: Vec<_> = (0..=talk.dice.next(4)).map(|_| talk.frame()).collect();
        let batched = talk.json_rpc && talk.dice.next(3) == 0;
        let messages = match (talk.json_rpc, talk.dice.next(2)) {
            _ if batched => vec![format!("[{}]", frames.join(","))],
            (false, 0) => vec![frames.join("\n")],
            _ => frames,
        };
        talk.say(messages).await;
        match talk.dice.next(8) {
            0 => tokio::time::sleep(Duration::from_millis(talk.dice.next(6))).await,
            1 | 2 => talk.hear().await,
            3 => {
                let call = peer.call::<_, String>("back", [(); 0]).deadline(Duration::from_secs(1));
                made.push(Made::Call(tokio::spawn(async move { drop(call.await) })));
                asked += 1;
            }
            4 if !talk.json_rpc => {
                if let Ok(Ok(items)) = timeout(Duration::from_millis(1), peer.open("back", [(); 0])).await {
                    made.push(Made::Stream(items));
                }
                asked += 1;
            }
            5 => {
                let answers: Vec<_> = (0..asked * 3).map(|_| talk.answer(asked)).collect();
                talk.say(answers).await;
            }
            6 => match made.pop() {
                Some(Made::Call(call)) => call.abort(),
                Some(Made::Stream(mut items)) => drop(timeout(Duration::from_millis(1), items.next()).await),
                None => kept.drop_all(),
            },
            _ => {}
        }
    }
    if talk.dice.next(4) == 0 {
        // The connection ends in the middle of it.
        return;
    }
    let cancels: Vec<_> = (0..IDS).map(|n| talk.cancel(2 * n + 1)).collect();
    talk.say(cancels).await;
    if talk.json_rpc {
        // A subscription's request is answered, so that its own id is what ends it.
        let subscribed = STEPS * 4;
        talk.say((0..=subscribed).map(unsubscribe).collect()).await;
    }
    talk.hear().await;
    drop(made);
    tokio::time::sleep(Duration::from_secs(10)).await;
    talk.hear().await;
    // What a handler has put elsewhere is held until it is dropped.
    kept.drop_all();
    assert_eq!(guards.now(), 0, "handlers are left");
    let stats = peer.stats();
    assert_eq!((stats.calls_in_flight, stats.served_in_flight, stats.queued_bytes), (0, 0, 0));
    assert_eq!(held(peer), idle, "bytes are held");
}

/// Holds one conversation; fails with its transcript.
fn run(seed: u64) -> Result<(), Vec<String>> {
    let mut transcript = Vec::new();
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let ended = catch_unwind(AssertUnwindSafe(|| runtime.block_on(converse(seed, &mut transcript))));
    ended.map_err(|_| transcript)
}

#[test]
fn whatever_happens_all_that_was_held_is_given_back() {
    // A panic that a handler was told to make is no news.
    std::panic::set_hook(Box::new(|panic| {
        if panic.payload().downcast_ref() != Some(&"as told") {
            eprintln!("{panic}");
        }
    }));
    let replayed: Option<u64> = std::env::var("CONVERSE_SEED").ok().map(|seed| seed.parse().unwrap());
    let seeds = (0..RUNS).filter(|_| replayed.is_none());
    for seed in seeds.chain(replayed) {
        if let Err(transcript) = run(seed) {
            println!("{}", transcript.join("\n"));
            panic!("CONVERSE_SEED={seed}");
        }
    }
}
