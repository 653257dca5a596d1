//! How much of one connection's work is done before others have their turn, on one thread: counted, not timed. What is
//! slow uses the thread for a millisecond, by the real clock.
#![allow(clippy::unwrap_used)]

#[path = "support/compact.rs"]
mod compact;
#[path = "support/rpc.rs"]
mod support;

use std::{
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use compact::{HELLO, NONE, PING, UNKNOWN, call, call_within, cancel, credit, id, many, notify, number, one};
use converse::{
    Message, MessagePackConverter, Session,
    frame::Role,
    rpc::{self, Emitter, Method, Options, Peer, Protocol, Router, Status, Streaming},
};
use futures::{StreamExt, stream};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use support::patient;
use tokio::{io::duplex, sync::Notify, task::JoinHandle};

const SLOW: Duration = Duration::from_millis(1);
/// Handlers, drops or answers of a millisecond that may come between two turns of another task: those of the turn that
/// finds them slow, and of one more that the same round of the runtime begins.
const SLOW_IN_A_TURN: usize = 8;
/// The same, while another connection's call is answered, which takes some turns of its own.
const SLOW_IN_A_CALL: usize = 16;
/// Frames of a turn.
const FRAMES_IN_A_TURN: usize = 64;

/// Counts slow things as they are done.
#[derive(Clone, Default)]
struct Done(Arc<AtomicUsize>);

impl Done {
    fn slowly(&self) {
        let begun = Instant::now();
        while begun.elapsed() < SLOW {
            std::hint::spin_loop();
        }
        self.0.fetch_add(1, SeqCst);
    }

    fn count(&self) -> usize {
        self.0.load(SeqCst)
    }
}

/// Takes its time to be dropped.
struct SlowToDrop(Done);

impl Drop for SlowToDrop {
    fn drop(&mut self) {
        self.0.slowly();
    }
}

/// Takes its time to be encoded.
struct SlowToWrite(Done);

impl Serialize for SlowToWrite {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.slowly();
        serializer.serialize_u8(1)
    }
}

thread_local! {
    /// Where arguments count that nobody has handed anything to.
    static ARGUMENTS: Done = Done::default();
}

/// An argument that takes its time to be dropped.
struct Argument(#[allow(dead_code)] SlowToDrop);

impl<'de> Deserialize<'de> for Argument {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        u64::deserialize(deserializer)?;
        Ok(Self(SlowToDrop(ARGUMENTS.with(Done::clone))))
    }
}

/// What runs beside the flood, and what it has seen.
struct Watch {
    /// The most that was done between two turns of a task, and while a call of another connection was answered.
    between_turns: usize,
    during_calls: usize,
    /// How many turns the task had, and how many calls were answered.
    turns: usize,
    calls: usize,
}

/// A server, one that floods it, and another connection.
struct Thread {
    router: Router,
    protocol: Protocol,
    flooder: Session,
    flooded: Peer,
}

fn msgpack() -> Protocol {
    Protocol::converse(MessagePackConverter::default())
}

fn options() -> Options {
    Options::default().protocols([msgpack(), Protocol::json_rpc()])
}

/// The methods of which those of a test are made.
fn router(done: &Done) -> Router {
    let [spun, noted, held, written, items] = [(); 5].map(|()| done.clone());
    Router::new()
        .options(options())
        .call("add", |_, (a, b): (i64, i64)| async move { Ok::<_, Status>(a + b) })
        .call("spin", move |_, _: [(); 0]| {
            let spun = spun.clone();
            async move {
                spun.slowly();
                Ok::<_, Status>(())
            }
        })
        .notification("note", move |_, _: [(); 0]| {
            let noted = noted.clone();
            async move { noted.slowly() }
        })
        .call("held", move |_, _: [(); 0]| {
            let held = SlowToDrop(held.clone());
            async move {
                pending::<()>().await;
                drop(held);
                Ok::<_, Status>(())
            }
        })
        .call("written", move |_, _: [(); 0]| {
            let written = SlowToWrite(written.clone());
            async move { Ok::<_, Status>(written) }
        })
        .stream("items", move |_, (count,): (usize,)| {
            let items = items.clone();
            stream::iter(0..count).map(move |_| Ok::<_, Status>(SlowToWrite(items.clone())))
        })
        .call("drops", |_, _: (Argument,)| async { pending::<Result<(), Status>>().await })
        .client_stream("takes", |_, _: [(); 0], items: Streaming<Argument>| async move {
            pending::<()>().await;
            drop(items);
            Ok::<_, Status>(())
        })
}

impl Thread {
    async fn of(router: Router, protocol: Protocol) -> Self {
        let (here, there) = duplex(support::BUFFER);
        let flooded = rpc::over(here, Role::Server, &protocol, &patient(), router.clone());
        let flooder = Session::over(there, Role::Client, &patient());
        let mut thread = Self { router, protocol, flooder, flooded };
        if thread.protocol.token() != "jsonrpc" {
            thread.send(HELLO).await;
            thread.flooder.receive().await.unwrap();
        }
        thread
    }

    async fn send(&self, message: impl Into<Vec<u8>>) {
        self.flooder.send(Message::from(message.into())).await.unwrap();
    }

    /// Sends messages, reads what comes, and watches until it is over.
    async fn flood(
        self,
        messages: Vec<Vec<u8>>,
        counted: impl Fn(&Peer) -> usize + Send + Sync + 'static,
        total: usize,
    ) -> Watch {
        self.watch(messages, counted, |count| count >= total, None).await
    }

    async fn watch(
        self,
        messages: Vec<Vec<u8>>,
        counted: impl Fn(&Peer) -> usize + Send + Sync + 'static,
        is_over: impl Fn(usize) -> bool,
        ends: Option<Arc<Notify>>,
    ) -> Watch {
        let Self { router, protocol, mut flooder, flooded } = self;
        let sender = flooder.sender();
        let reading: JoinHandle<()> = tokio::spawn(async move {
            let ended = async {
                match &ends {
                    Some(ends) => ends.notified().await,
                    None => pending().await,
                }
            };
            let reading = async { while let Ok(Some(_)) = flooder.receive().await {} };
            tokio::select! { () = ended => {} () = reading => {} }
        });
        let (here, there) = duplex(support::BUFFER);
        let other = rpc::over(there, Role::Client, &protocol, &patient(), Router::new().options(options()));
        let _server = rpc::over(here, Role::Server, &protocol, &patient(), router);
        assert_eq!(other.call::<_, i64>("add", (40, 2)).await.unwrap(), 42);
        let over = Arc::new(AtomicBool::new(false));
        let counted = Arc::new(move || counted(&flooded));
        let (count, ended) = (Arc::clone(&counted), Arc::clone(&over));
        let calling = tokio::spawn(async move {
            let (mut most, mut calls) = (0, 0);
            while !ended.load(SeqCst) {
                let before = count();
                assert_eq!(other.call::<_, i64>("add", (40, 2)).await.unwrap(), 42);
                most = most.max(count() - before);
                calls += 1;
            }
            (most, calls)
        });
        let sending = tokio::spawn(async move {
            for message in messages {
                sender.send(Message::from(message)).await.unwrap();
            }
        });
        let (mut between_turns, mut turns, mut before) = (0, 0, counted());
        let begun = Instant::now();
        while !is_over(before) {
            tokio::task::yield_now().await;
            let now = counted();
            (between_turns, turns, before) = (between_turns.max(now - before), turns + 1, now);
            assert!(begun.elapsed() < Duration::from_secs(60), "only {now} after {turns} turns");
        }
        over.store(true, SeqCst);
        let (during_calls, calls) = calling.await.unwrap();
        sending.abort();
        reading.abort();
        Watch { between_turns, during_calls, turns, calls }
    }
}

impl Watch {
    #[track_caller]
    fn is_slow(&self, what: &str) {
        println!(
            "{what}: {} between two turns, {} during a call ({} turns, {} calls)",
            self.between_turns, self.during_calls, self.turns, self.calls
        );
        assert!(self.between_turns <= SLOW_IN_A_TURN, "{what}: {} between two turns", self.between_turns);
        self.is_slow_beside_calls(what);
    }

    #[track_caller]
    fn is_slow_beside_calls(&self, what: &str) {
        assert!(self.during_calls <= SLOW_IN_A_CALL, "{what}: {} during a call", self.during_calls);
    }
}

fn batch(count: usize, method: &str) -> Vec<u8> {
    let calls: Vec<_> =
        (0..count).map(|n| format!(r#"{{"jsonrpc":"2.0","id":{n},"method":"{method}"}}"#)).collect();
    format!("[{}]", calls.join(",")).into_bytes()
}

async fn slow(what: &str, protocol: Protocol, messages: Vec<Vec<u8>>, total: usize) {
    let done = Done::default();
    let thread = Thread::of(router(&done), protocol).await;
    let counted = done.clone();
    thread.flood(messages, move |_| counted.count(), total).await.is_slow(what);
}

#[tokio::test]
async fn calls_that_compute_in_one_message_let_others_have_their_turn() {
    slow("calls", msgpack(), vec![many(300, |n| call(id(n), "spin", NONE))], 300).await;
}

#[tokio::test]
async fn calls_that_compute_in_many_messages_let_others_have_their_turn() {
    slow("messages", msgpack(), (0..300).map(|n| call(id(n), "spin", NONE)).collect(), 300).await;
}

#[tokio::test]
async fn notifications_that_compute_let_others_have_their_turn() {
    slow("notifications", msgpack(), vec![many(300, |_| notify("note", NONE))], 300).await;
}

#[tokio::test]
async fn cancelled_calls_that_are_slow_to_drop_let_others_have_their_turn() {
    let cancelled = |n| [call(id(n), "held", NONE), cancel(id(n))].concat();
    slow("cancels", msgpack(), vec![many(300, cancelled)], 300).await;
}

#[tokio::test]
async fn answers_of_a_batch_that_are_slow_to_encode_let_others_have_their_turn() {
    slow("batch", Protocol::json_rpc(), vec![batch(300, "written")], 300).await;
}

#[tokio::test]
async fn calls_of_batches_that_compute_let_others_have_their_turn() {
    slow("batches", Protocol::json_rpc(), vec![batch(100, "spin"); 3], 300).await;
}

#[tokio::test]
async fn items_that_are_slow_to_encode_let_others_have_their_turn() {
    let opened = many(32, |n| call(id(n), "items", &one(&number(32))));
    let done = Done::default();
    let thread = Thread::of(router(&done), msgpack()).await;
    let counted = done.clone();
    // The peer that reads them wakes the connection again and again, before those who only give way.
    thread.flood(vec![opened], move |_| counted.count(), 300).await.is_slow_beside_calls("items");
}

#[tokio::test]
async fn calls_that_expire_together_and_are_slow_to_drop_let_others_have_their_turn() {
    let late = many(64, |n| call_within(id(n), "held", 50, NONE));
    slow("deadlines", msgpack(), vec![late], 64).await;
}

#[tokio::test]
async fn refused_arguments_that_are_slow_to_drop_let_others_have_their_turn() {
    let done = ARGUMENTS.with(Done::clone);
    let thread = Thread::of(router(&done), msgpack()).await;
    // The id is in use from the second call on.
    let calls = many(300, |_| call(1, "drops", &one(&number(1))));
    thread.flood(vec![calls], move |_| done.count(), 299).await.is_slow("refused arguments");
}

#[tokio::test]
async fn the_handlers_of_a_lost_connection_that_are_slow_to_drop_let_others_have_their_turn() {
    let done = Done::default();
    let thread = Thread::of(router(&done), msgpack()).await;
    let (flooded, ends) = (thread.flooded.clone(), Arc::new(Notify::new()));
    let ending = Arc::clone(&ends);
    tokio::spawn(async move {
        while flooded.stats().served_in_flight < 64 {
            tokio::task::yield_now().await;
        }
        ending.notify_one();
    });
    let calls = many(64, |n| call(id(n), "held", NONE));
    let counted = done.clone();
    let watch = thread.watch(vec![calls], move |_| counted.count(), |count| count >= 64, Some(ends)).await;
    watch.is_slow("end of a connection");
}

#[tokio::test]
async fn handlers_that_go_on_together_and_compute_let_others_have_their_turn() {
    let (done, gate) = (Done::default(), Arc::new(Notify::new()));
    let (counted, opened) = (done.clone(), Arc::clone(&gate));
    let router = router(&done).call("wait", move |_, _: [(); 0]| {
        let (gate, done) = (Arc::clone(&gate), done.clone());
        async move {
            gate.notified().await;
            done.slowly();
            Ok::<_, Status>(())
        }
    });
    let thread = Thread::of(router, msgpack()).await;
    let flooded = thread.flooded.clone();
    tokio::spawn(async move {
        while flooded.stats().served_in_flight < 64 {
            tokio::task::yield_now().await;
        }
        opened.notify_waiters();
    });
    let calls = many(64, |n| call(id(n), "wait", NONE));
    thread.flood(vec![calls], move |_| counted.count(), 64).await.is_slow("handlers that go on");
}

/// Sends frames that take next to no time, and asserts that others have had a turn for each so many of them.
async fn fast(what: &str, protocol: Protocol, frames: usize, message: Vec<u8>) {
    // One that is answered comes last, unless it is refused for those before.
    let answered = |peer: &Peer| (peer.stats().served + peer.stats().refused) as usize;
    let last = match protocol.token().as_ref() {
        "jsonrpc" => br#"{"jsonrpc":"2.0","id":"last","method":"last"}"#.to_vec(),
        _ => call(0x7fff_fff1, "last", NONE),
    };
    let ended = Arc::new(AtomicBool::new(false));
    let end = Arc::clone(&ended);
    let router = router(&Done::default()).call("last", move |_, _: [(); 0]| {
        end.store(true, SeqCst);
        async move { Ok::<_, Status>(()) }
    });
    let thread = Thread::of(router, protocol).await;
    let watch = thread
        .watch(vec![message, last], answered, move |count| count > frames || ended.load(SeqCst), None)
        .await;
    println!("{what}: {} turns and {} calls of others beside {frames} frames", watch.turns, watch.calls);
    assert!(watch.turns >= frames / FRAMES_IN_A_TURN, "{what}: {} turns of others", watch.turns);
}

#[tokio::test]
async fn unknown_frames_let_others_have_their_turn() {
    fast("unknown frames", msgpack(), 50_000, many(50_000, |_| UNKNOWN.to_vec())).await;
}

#[tokio::test]
async fn pings_let_others_have_their_turn() {
    fast("pings", msgpack(), 500_000, many(500_000, |_| PING.to_vec())).await;
}

#[tokio::test]
async fn cancels_of_nothing_let_others_have_their_turn() {
    fast("cancels", msgpack(), 170_000, many(170_000, |n| cancel(id(n % 30_000)))).await;
}

#[tokio::test]
async fn credits_of_nothing_let_others_have_their_turn() {
    let hello = Thread::hello().await;
    fast("credits", msgpack(), 130_000, many(130_000, |n| credit(id(n % 30_000), 1, 1, &hello))).await;
}

#[tokio::test]
async fn refusals_let_others_have_their_turn() {
    fast("unknown methods", msgpack(), 50_000, many(50_000, |n| call(id(n), "none", NONE))).await;
}

#[tokio::test]
async fn calls_that_end_at_once_let_others_have_their_turn() {
    let add = |n| call(id(n), "add", &[0x92, 40, 2]);
    fast("calls", msgpack(), 50_000, many(50_000, add)).await;
}

#[tokio::test]
async fn what_is_no_request_in_batches_lets_others_have_their_turn() {
    let zeros = format!("[{}]", vec!["0"; 999].join(",")).into_bytes();
    fast("zeros", Protocol::json_rpc(), 999, zeros).await;
}

impl Thread {
    /// Returns a server's hello.
    async fn hello() -> Vec<u8> {
        let (here, there) = duplex(support::BUFFER);
        let _served = rpc::over(here, Role::Server, &msgpack(), &patient(), Router::new().options(options()));
        let mut raw = Session::over(there, Role::Client, &patient());
        raw.receive().await.unwrap().unwrap().as_bytes().to_vec()
    }
}

/// A stream that has once waited for another one, and then always has an item.
#[tokio::test]
async fn a_stream_that_goes_apart_lets_others_have_their_turn() {
    let done = Done::default();
    let (counted, lent) = (done.clone(), Arc::new(tokio::sync::Mutex::new(None)));
    let keeps = Arc::clone(&lent);
    let listen = Method::server_stream("listen", move |_, _: [(); 0], items: Emitter<u32>| {
        let keeps = Arc::clone(&keeps);
        async move {
            *keeps.lock().await = Some(items);
            pending::<()>().await;
            Ok(())
        }
    });
    let options = Options::default().protocols([msgpack()]).deadline(None);
    let router = Router::new().options(options).method(listen).stream("tell", move |_, _: [(); 0]| {
        let (lent, done) = (Arc::clone(&lent), counted.clone());
        stream::iter(0..300).then(move |n| {
            let (lent, done) = (Arc::clone(&lent), done.clone());
            async move {
                if n == 0 {
                    lent.lock().await.as_mut().unwrap().send(&7).await?;
                }
                Ok::<_, Status>(SlowToWrite(done))
            }
        })
    });
    let (here, there) = duplex(1 << 20);
    let _server = rpc::over(here, Role::Server, &msgpack(), &patient(), router);
    let mut raw = Session::over(there, Role::Client, &patient());
    // A window without end.
    let endless =
        [&[0x92, 0, 0x81, 0xa6][..], b"window", &[0x92], &number(u32::MAX), &number(u32::MAX)].concat();
    for message in [endless, call(id(0), "listen", NONE), call(id(1), "tell", NONE)] {
        raw.send(message).await.unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    tokio::spawn(async move { while raw.receive().await.is_ok_and(|message| message.is_some()) {} });
    let mut most = 0;
    while done.count() < 300 {
        let before = done.count();
        tokio::task::yield_now().await;
        most = most.max(done.count() - before);
    }
    assert!(most <= SLOW_IN_A_CALL, "{most} items between two turns");
}
