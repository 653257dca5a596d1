//! A handler that takes messages out of what was just read, and whose replies leave without the lock: what it and others see
//! is the same as ever. Knows no speed.
#![allow(clippy::unwrap_used)]

mod support;

use std::{
    cell::RefCell,
    future::{Future, poll_fn},
    io,
    panic::AssertUnwindSafe,
    pin::{Pin, pin},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll},
    time::Duration,
};

use converse::{
    CloseCode, CloseReason, Message, MessagePackConverter, Sender, Session, SessionOptions,
    frame::Role,
    session::{Outcome, SessionError},
};
use futures::{FutureExt, StreamExt, stream::FuturesUnordered};
use rand::{RngExt, SeedableRng, rngs::SmallRng};
use serde::{Deserialize, Deserializer};
use support::{BINARY, PING, PONG, Peer, TEXT, frame_bytes};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, duplex},
    sync::mpsc,
    time::sleep,
};

const KIB: usize = 1024;

/// Serves a client by hand with this handler, beside the driver.
fn serve<H, F>(options: SessionOptions, handler: H) -> (Peer, tokio::task::JoinHandle<Outcome>)
where
    H: FnOnce(Session) -> F + Send + 'static,
    F: Future<Output = converse::Result<()>> + Send + 'static,
{
    let (here, there) = duplex(1024 * KIB);
    let served = async move { Session::run_over(here, Role::Server, &options, handler).await.0 };
    (Peer::client(there), tokio::spawn(served))
}

async fn says(peer: &mut Peer<DuplexStream>, frames: &[(u8, &[u8])]) {
    let bytes: Vec<u8> =
        frames.iter().flat_map(|(first, payload)| frame_bytes(*first, payload, true)).collect();
    peer.io.write_all(&bytes).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_of_a_handler_and_a_task_leave_in_the_order_of_cause() {
    let (mut peer, served) = serve(SessionOptions::default(), |mut session| async move {
        let (to_task, mut task) = mpsc::unbounded_channel::<u32>();
        let (to_handler, mut handler) = mpsc::unbounded_channel::<u32>();
        let sender = session.sender();
        tokio::spawn(async move {
            while let Some(n) = task.recv().await {
                sender.send(format!("{}", n + 1)).await.unwrap();
                to_handler.send(n + 2).unwrap();
            }
        });
        let mut next = 0;
        while session.receive().await?.is_some() {
            session.send(format!("{next}")).await?;
            to_task.send(next).unwrap();
            // Some answers come while the handler is being polled, others wake it.
            let mut answer = None;
            for _ in 0..next % 200 {
                std::hint::spin_loop();
                answer = answer.or_else(|| handler.try_recv().ok());
            }
            next = match answer {
                Some(answer) => answer,
                None => handler.recv().await.unwrap(),
            };
        }
        Ok(())
    });
    let mut expected = 0;
    for _ in 0..500 {
        says(&mut peer, &[(TEXT, &b"go"[..]); 10]).await;
        for _ in 0..20 {
            assert_eq!(peer.text().await.1, format!("{expected}"));
            expected += 1;
        }
    }
    peer.close(1000, "").await;
    assert!(matches!(served.await.unwrap(), Outcome::Finished));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flush_of_a_task_waits_for_what_the_handler_has_sent_before() {
    let left = Arc::new(AtomicUsize::new(0));
    let (here, there) = duplex(1024 * KIB);
    let here = Counted { io: here, written: Arc::clone(&left) };
    let counted = Arc::clone(&left);
    let served = tokio::spawn(async move {
        let handler = |mut session: Session| async move {
            let (to_task, mut task) = mpsc::unbounded_channel::<usize>();
            let sender = session.sender();
            let flushes = tokio::spawn(async move {
                while let Some(bytes) = task.recv().await {
                    sender.flush().await.unwrap();
                    assert!(counted.load(Relaxed) >= bytes, "{bytes} bytes were sent before");
                }
            });
            let mut sent = 0;
            while let Some(message) = session.receive().await? {
                sent += 2 + message.len();
                session.send(message).await?;
                to_task.send(sent).unwrap();
                for _ in 0..sent % 300 {
                    std::hint::spin_loop();
                }
            }
            drop(to_task);
            flushes.await.unwrap();
            converse::Result::<()>::Ok(())
        };
        Session::run_over(here, Role::Server, &SessionOptions::default(), handler).await.0
    });
    let mut peer = Peer::client(there);
    for _ in 0..500 {
        says(&mut peer, &[(TEXT, &b"one"[..]); 4]).await;
        for _ in 0..4 {
            assert_eq!(peer.text().await.1, "one");
        }
    }
    peer.close(1000, "").await;
    let outcome = served.await.unwrap();
    assert!(matches!(outcome, Outcome::Finished), "{outcome:?}");
}

/// Counts what is written.
struct Counted {
    io: DuplexStream,
    written: Arc<AtomicUsize>,
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, into)
    }
}

impl AsyncWrite for Counted {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write(cx, bytes);
        if let Poll::Ready(Ok(count)) = &written {
            self.written.fetch_add(*count, Relaxed);
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

#[tokio::test(start_paused = true)]
async fn replies_come_before_the_close_for_a_fault_in_the_same_read() {
    let echo = |mut session: Session| async move {
        while let Some(message) = session.receive().await? {
            session.send(message).await?;
        }
        Ok(())
    };
    // What is whole, what is in fragments, and what breaks the rules: in one read.
    type Frames = [(u8, &'static [u8])];
    let cases: [(&Frames, u16, [&str; 2]); 4] = [
        (&[(TEXT, b"one"), (0x01, b"t"), (0x80, b"wo"), (0x80, b"stray")], 1002, ["one", "two"]),
        (&[(0x01, b"o"), (0x80, b"ne"), (TEXT, b"two"), (0x83, b"")], 1002, ["one", "two"]),
        (&[(TEXT, b"one"), (TEXT, b"two"), (TEXT, b"\xff")], 1007, ["one", "two"]),
        (&[(TEXT, b"one"), (PING, b""), (TEXT, b"two"), (0xc1, b"rsv")], 1002, ["one", "two"]),
    ];
    for (frames, code, replies) in cases {
        let (mut peer, served) = serve(SessionOptions::default(), echo);
        says(&mut peer, frames).await;
        let mut heard = Vec::new();
        let closed = loop {
            match peer.frame().await.unwrap() {
                (PONG, _) => {}
                (TEXT, text) => heard.push(String::from_utf8(text).unwrap()),
                (first, payload) => break (first, u16::from_be_bytes([payload[0], payload[1]])),
            }
        };
        assert_eq!((heard, closed), (replies.map(String::from).to_vec(), (0x88, code)));
        drop(peer);
        served.await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_takes_one_message_and_sleeps_gets_the_others_later() {
    let (mut peer, served) = serve(SessionOptions::default(), |mut session| async move {
        for n in 0..20 {
            assert_eq!(session.receive().await?, Some(Message::text(format!("{n}"))));
            session.send("taken").await?;
            sleep(Duration::from_secs(1)).await;
        }
        Ok(())
    });
    for n in 0..20 {
        peer.send(TEXT, format!("{n}")).await;
    }
    peer.send(PING, "alive?").await;
    let mut heard = Vec::new();
    while heard.len() < 21 {
        let (first, payload) = peer.frame().await.unwrap();
        heard.push((first, String::from_utf8(payload).unwrap()));
    }
    // The ping is behind all of them, and none of them waits for the handler.
    assert!(heard[..3].contains(&(PONG, "alive?".into())), "{heard:?}");
    assert_eq!(peer.farewell().await, 1000);
    assert!(matches!(served.await.unwrap(), Outcome::Finished));
}

thread_local! {
    static CALLS: RefCell<Option<Sender>> = const { RefCell::new(None) };
}

/// A value that speaks while it is decoded, or panics.
#[derive(Debug, PartialEq)]
struct Odd(u32);

impl<'de> Deserialize<'de> for Odd {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = u32::deserialize(deserializer)?;
        assert!(number != 13, "thirteen");
        if let Some(sender) = CALLS.take() {
            sender.try_send(format!("decoding {number}")).unwrap();
            assert!(sender.flush().now_or_never().is_none(), "what was just sent has not left");
            CALLS.set(Some(sender));
        }
        Ok(Self(number))
    }
}

#[tokio::test(start_paused = true)]
async fn code_of_the_application_may_use_the_session_while_a_value_is_decoded() {
    let (mut peer, served) = serve(SessionOptions::default(), |mut session| async move {
        CALLS.set(Some(session.sender()));
        while let Some(Odd(number)) = session.receive_deserialized().await? {
            session.send(format!("decoded {number}")).await?;
        }
        CALLS.set(None);
        Ok(())
    });
    // The first finds the handler without a batch.
    for numbers in [1..2, 2..10, 10..13] {
        let frames: Vec<_> = numbers.clone().map(|n| n.to_string()).collect();
        let frames: Vec<_> = frames.iter().map(|text| (TEXT, text.as_bytes())).collect();
        says(&mut peer, &frames).await;
        for number in numbers {
            assert_eq!(peer.text().await.1, format!("decoding {number}"));
            assert_eq!(peer.text().await.1, format!("decoded {number}"));
        }
    }
    peer.close(1000, "").await;
    assert!(matches!(served.await.unwrap(), Outcome::Finished));
}

#[tokio::test(start_paused = true)]
async fn a_value_whose_decoding_panics_is_taken_and_the_others_come() {
    let (mut peer, served) = serve(SessionOptions::default(), |mut session| async move {
        loop {
            let received = AssertUnwindSafe(session.receive_deserialized::<Odd>()).catch_unwind().await;
            match received {
                Ok(Ok(Some(Odd(number)))) => session.send(format!("{number}")).await?,
                Ok(Ok(None)) => return Ok(()),
                Ok(Err(error)) => {
                    session.send(format!("error: {}", matches!(error, SessionError::Convert(_)))).await?
                }
                Err(_) => session.send("panicked").await?,
            }
        }
    });
    let replies = ["1", "2", "panicked", "4", "error: true", "5"];
    for _ in 0..3 {
        let values: [(u8, &[u8]); 6] =
            [(TEXT, b"1"), (TEXT, b"2"), (TEXT, b"13"), (TEXT, b"4"), (TEXT, b"\"five\""), (TEXT, b"5")];
        says(&mut peer, &values).await;
        for reply in replies {
            assert_eq!(peer.text().await.1, reply);
        }
    }
    peer.close(1000, "").await;
    assert!(matches!(served.await.unwrap(), Outcome::Finished));
}

#[tokio::test(start_paused = true)]
async fn replies_before_a_panic_of_the_handler_leave() {
    let (mut peer, served) = serve(SessionOptions::default(), |mut session| async move {
        while let Some(Odd(number)) = session.receive_deserialized().await? {
            session.send(format!("{number}")).await?;
        }
        Ok(())
    });
    says(&mut peer, &[(TEXT, b"1")]).await;
    assert_eq!(peer.text().await.1, "1");
    says(&mut peer, &[(TEXT, b"2"), (TEXT, b"3"), (TEXT, b"13"), (TEXT, b"4")]).await;
    assert_eq!((peer.text().await.1, peer.text().await.1), ("2".into(), "3".into()));
    assert_eq!(peer.farewell().await, 1011);
    assert!(matches!(served.await.unwrap(), Outcome::Panicked(_)));
}

/// Receives in an executor within the handler, which polls only what was woken, beside other work.
#[tokio::test(start_paused = true)]
async fn a_handler_may_receive_in_an_executor_of_its_own() {
    let (mut peer, served) = serve(SessionOptions::default(), |session| async move {
        let sender = session.sender();
        let session = Arc::new(Mutex::new(session));
        let mut work: FuturesUnordered<Pin<Box<dyn Future<Output = Option<String>> + Send>>> =
            FuturesUnordered::new();
        let receive = move |session: Arc<Mutex<Session>>| {
            Box::pin(poll_fn(move |cx| {
                let mut session = session.lock().unwrap();
                let message = std::task::ready!(pin!(session.receive()).poll(cx)).unwrap();
                Poll::Ready(message.map(|message| message.as_text().unwrap().to_string()))
            }))
        };
        work.push(receive(Arc::clone(&session)));
        let mut naps = 0;
        while let Some(done) = work.next().await {
            match done {
                Some(text) if text == "nap" => naps += 1,
                Some(text) => {
                    sender.send(format!("{text} {naps}")).await?;
                    work.push(receive(Arc::clone(&session)));
                    let nap = sleep(Duration::from_millis(10)).map(|()| Some("nap".to_string()));
                    work.push(Box::pin(nap));
                }
                None => return Ok(()),
            }
        }
        Ok(())
    });
    for round in 0..5 {
        says(&mut peer, &[(TEXT, b"a"), (TEXT, b"b"), (TEXT, b"c")]).await;
        for text in ["a", "b", "c"] {
            assert_eq!(peer.text().await.1, format!("{text} {}", 3 * round));
        }
        sleep(Duration::from_millis(100)).await;
    }
    peer.close(1000, "").await;
    assert!(matches!(served.await.unwrap(), Outcome::Finished));
}

#[tokio::test(start_paused = true)]
async fn conversations_within_the_handler_of_another_keep_their_messages_apart() {
    let (inner, outer) = (duplex(64 * KIB), duplex(64 * KIB));
    let (mut inner_peer, mut outer_peer) = (Peer::client(inner.1), Peer::client(outer.1));
    let inner = inner.0;
    let handler = |mut session: Session| async move {
        let sender = session.sender();
        let within = |mut session: Session| async move {
            while let Some(message) = session.receive().await? {
                // It sends to both: its own, and the one in whose handler it is polled.
                session.send(format!("inner {}", message.as_text().unwrap())).await?;
                sender.send("heard within").await?;
            }
            converse::Result::<()>::Ok(())
        };
        let options = SessionOptions::default();
        let mut within = pin!(Session::run_over(inner, Role::Server, &options, within));
        loop {
            tokio::select! {
                received = session.receive() => match received? {
                    Some(message) => session.send(format!("outer {}", message.as_text().unwrap())).await?,
                    None => return converse::Result::<()>::Ok(()),
                },
                _ = &mut within => return Ok(()),
            }
        }
    };
    let options = SessionOptions::default();
    let served = Session::run_over(outer.0, Role::Server, &options, handler);
    let talk = async {
        for _ in 0..3 {
            says(&mut outer_peer, &[(TEXT, b"1"), (TEXT, b"2")]).await;
            assert_eq!(outer_peer.text().await.1, "outer 1");
            assert_eq!(outer_peer.text().await.1, "outer 2");
            says(&mut inner_peer, &[(TEXT, b"1"), (TEXT, b"2")]).await;
            assert_eq!(inner_peer.text().await.1, "inner 1");
            assert_eq!(inner_peer.text().await.1, "inner 2");
            assert_eq!(outer_peer.text().await.1, "heard within");
            assert_eq!(outer_peer.text().await.1, "heard within");
        }
        inner_peer.close(1000, "").await;
        assert_eq!(outer_peer.closing().await.0, 1000);
        drop(outer_peer);
    };
    tokio::join!(served, talk);
}

/// A transport of prepared reads, which remembers where each went.
struct Scripted {
    reads: std::vec::IntoIter<Vec<u8>>,
    places: Arc<Mutex<Vec<std::ops::Range<usize>>>>,
    calls: Arc<AtomicUsize>,
    /// Whether the next read waits, as on a socket whose next bytes are not there yet; `None` when none ever does.
    waits: Option<bool>,
}

impl AsyncRead for Scripted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.waits = self.waits.map(|waits| !waits);
        if self.waits == Some(true) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.calls.fetch_add(1, Relaxed);
        if let Some(bytes) = self.reads.next() {
            assert!(bytes.len() <= into.remaining(), "{} bytes for {}", into.remaining(), bytes.len());
            into.put_slice(&bytes);
            let place = into.filled().as_ptr().addr();
            self.places.lock().unwrap().push(place..place + bytes.len());
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Scripted {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.calls.fetch_add(1, Relaxed);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.calls.fetch_add(1, Relaxed);
        Poll::Ready(Ok(slices.iter().map(|slice| slice.len()).sum()))
    }
}

#[tokio::test(start_paused = true)]
async fn long_messages_are_slices_of_what_was_read_and_short_ones_are_not() {
    let message = |len: usize| frame_bytes(BINARY, &vec![7; len], true);
    let long = message(60 * KIB);
    let four = message(64 * KIB).repeat(4);
    // The first tells that they are long.
    let reads = vec![long, four.clone(), [message(64 * KIB), message(20 * KIB)].concat(), four];
    let (places, calls) = (Arc::default(), Arc::new(AtomicUsize::new(0)));
    let transport = Scripted {
        reads: reads.into_iter(),
        places: Arc::clone(&places),
        calls: Arc::clone(&calls),
        waits: Some(false),
    };
    let slices = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&slices);
    let handler = |mut session: Session| async move {
        while let Some(message) = session.receive().await? {
            let at = message.as_bytes().as_ptr().addr();
            let is_slice =
                places.lock().unwrap().iter().any(|place: &std::ops::Range<usize>| place.contains(&at));
            seen.lock().unwrap().push((message.len() / KIB, is_slice));
            session.send(message).await?;
        }
        converse::Result::<()>::Ok(())
    };
    Session::run_over(transport, Role::Server, &SessionOptions::default(), handler).await;
    let slices = slices.lock().unwrap().clone();
    let four = [(64, true); 4];
    assert_eq!(slices, [&[(60, false)][..], &four, &[(64, true), (20, false)], &four].concat());
    // Four reads and the end; four writes and that of the Close frame.
    assert!(calls.load(Relaxed) <= 5 + 5, "{} reads and writes for 11 messages", calls.load(Relaxed));
}

#[tokio::test(start_paused = true)]
async fn typed_values_come_whatever_they_are_and_wherever_they_lie() {
    let options = SessionOptions::default().content_converter(MessagePackConverter::default());
    let (mut peer, served) = serve(options, |mut session| async move {
        loop {
            match session.receive_deserialized::<Vec<u32>>().await {
                Ok(Some(values)) => session.send(format!("{values:?}")).await?,
                Ok(None) => return Ok(()),
                Err(SessionError::Convert(_)) => session.send("no list").await?,
                Err(error) => return Err(error.into()),
            }
        }
    });
    let list: &[u8] = &[0x93, 1, 2, 3];
    for _ in 0..3 {
        let frames: [(u8, &[u8]); 6] = [
            (BINARY, list),
            (TEXT, b"[1,2,3]"),
            (BINARY, &[0xc0]),
            (0x02, &list[..1]),
            (0x80, &list[1..]),
            (BINARY, list),
        ];
        says(&mut peer, &frames).await;
        for reply in ["[1, 2, 3]", "no list", "no list", "[1, 2, 3]", "[1, 2, 3]"] {
            assert_eq!(peer.text().await.1, reply);
        }
    }
    peer.close(1000, "").await;
    assert!(matches!(served.await.unwrap(), Outcome::Finished));
}

#[tokio::test(start_paused = true)]
async fn a_close_behind_replies_leaves_behind_them() {
    for by_sender in [false, true] {
        let (mut peer, served) = serve(SessionOptions::default(), move |mut session| async move {
            let sender = session.sender();
            while let Some(message) = session.receive().await? {
                let last = message.as_text() == Some("last");
                session.send(message).await?;
                if last {
                    let reason = CloseReason::new(CloseCode::GOING_AWAY, "enough");
                    if by_sender { sender.start_close(reason) } else { drop(session.close(reason).await) }
                }
            }
            Ok(())
        });
        says(&mut peer, &[(TEXT, b"first")]).await;
        assert_eq!(peer.text().await.1, "first");
        says(&mut peer, &[(TEXT, b"one"), (TEXT, b"last"), (TEXT, b"more")]).await;
        assert_eq!((peer.text().await.1, peer.text().await.1), ("one".into(), "last".into()));
        assert_eq!(peer.farewell().await, 1001);
        served.await.unwrap();
    }
}

/// Numbered messages of many lengths, a few of them long, as a client sends them.
fn numbered(seed: u64, count: usize) -> (Vec<Vec<u8>>, Vec<u8>) {
    let mut random = SmallRng::seed_from_u64(seed);
    let mut messages = Vec::new();
    let mut wire = Vec::new();
    for n in 0..count {
        let len = match random.random_range(0..100) {
            0..80 => random.random_range(0..200),
            80..97 => random.random_range(0..20_000),
            97..99 => random.random_range(0..100_000),
            _ => random.random_range(200_000..600_000),
        };
        let message =
            format!("{seed}/{n}:").into_bytes().into_iter().chain((0..len).map(|at| (at % 251) as u8));
        let message: Vec<u8> = message.collect();
        wire.extend(frame_bytes(BINARY, &message, true));
        messages.push(message);
    }
    (messages, wire)
}

/// Several connections of one thread, whose bytes come cut anywhere: each gets its own messages, all of them, in order.
#[tokio::test]
async fn every_connection_gets_its_own_messages_however_they_are_cut() {
    let echoes = (0..6).map(|seed| async move {
        let (peer, served) = serve(SessionOptions::default(), |mut session| async move {
            while let Some(message) = session.receive().await? {
                session.send(message).await?;
            }
            Ok(())
        });
        let (messages, wire) = numbered(seed, 1500);
        let mut random = SmallRng::seed_from_u64(seed);
        let (reading, mut writing) = tokio::io::split(peer.io);
        let say = async {
            let mut rest = &wire[..];
            while !rest.is_empty() {
                let most = [300, 5000, 66_000, 300_000][random.random_range(0..4)];
                let (chunk, behind) = rest.split_at(random.random_range(1..most).min(rest.len()));
                writing.write_all(chunk).await.unwrap();
                rest = behind;
                if random.random_range(0..3) > 0 {
                    tokio::task::yield_now().await;
                }
            }
        };
        let hear = async {
            let mut reader = Peer::client(tokio::io::join(reading, tokio::io::sink()));
            for message in &messages {
                let mut echoed = Vec::new();
                while echoed.len() < message.len() {
                    echoed.extend(reader.frame().await.unwrap().1);
                }
                assert!(
                    echoed == *message,
                    "{:?}",
                    String::from_utf8_lossy(&message[..message.len().min(12)])
                );
            }
        };
        tokio::join!(say, hear);
        drop(writing);
        served.abort();
    });
    futures::future::join_all(echoes).await;
}

#[tokio::test(start_paused = true)]
async fn a_message_that_ends_where_a_turn_is_over_is_neither_lost_nor_another_sessions() {
    // The handler takes as many messages as a turn has but one, and does something else; meanwhile one is ended by the
    // next read, in whose batch no more may be taken.
    let cut = frame_bytes(TEXT, b"cut in two", true);
    for few in 60..64 {
        let first = [frame_bytes(TEXT, b"whole", true).repeat(few), cut[..9].to_vec()].concat();
        let second = [&cut[9..], &frame_bytes(TEXT, b"behind", true)].concat();
        let (places, calls) = (Arc::default(), Arc::default());
        let transport = Scripted { reads: vec![first, second].into_iter(), places, calls, waits: None };
        let handler = |mut session: Session| async move {
            for _ in 0..few {
                assert_eq!(session.receive().await?, Some("whole".into()));
            }
            sleep(Duration::from_millis(10)).await;
            assert_eq!(session.receive().await?, Some("cut in two".into()));
            assert_eq!(session.receive().await?, Some("behind".into()));
            converse::Result::<()>::Ok(())
        };
        let options = SessionOptions::default();
        let (mut peer, served) = serve(SessionOptions::default(), |mut session| async move {
            while let Some(message) = session.receive().await? {
                session.send(message).await?;
            }
            Ok(())
        });
        let others = async {
            for _ in 0..20 {
                says(&mut peer, &[(TEXT, b"own")]).await;
                assert_eq!(peer.text().await.1, "own");
            }
            peer.close(1000, "").await;
            assert!(matches!(served.await.unwrap(), Outcome::Finished));
        };
        let served = Session::run_over(transport, Role::Server, &options, handler);
        let ((outcome, _), ()) = tokio::join!(served, others);
        assert!(matches!(outcome, Outcome::Finished), "{few}: {outcome:?}");
    }
}

/// Counts how often it is asked for bytes.
struct Asked(DuplexStream, Arc<AtomicUsize>);

impl AsyncRead for Asked {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        assert!(self.1.fetch_add(1, Relaxed) < 1000, "asked again and again, though nothing comes");
        Pin::new(&mut self.0).poll_read(cx, into)
    }
}

impl AsyncWrite for Asked {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_progress_does_not_spin_while_a_long_message_stands_still() {
    let (here, there) = duplex(1024 * KIB);
    let transport = Asked(here, Arc::default());
    let handler = |mut session: Session| async move {
        assert_eq!(session.receive().await?, Some("begin".into()));
        session.ping().await?;
        assert_eq!(session.receive().await?.map(|message| message.len()), Some(500 * KIB));
        converse::Result::<()>::Ok(())
    };
    let served = tokio::spawn(async move {
        // The pong is read behind the message, which nobody takes before.
        let options = SessionOptions::default().receive_queue(1024 * KIB);
        Session::run_over(transport, Role::Server, &options, handler).await.0
    });
    let mut peer = Peer::client(there);
    peer.send(TEXT, "begin").await;
    let (first, ping) = peer.frame().await.unwrap();
    assert_eq!(first, PING);
    let message = frame_bytes(BINARY, &vec![7; 500 * KIB], true);
    for part in message.chunks(100 * KIB) {
        peer.io.write_all(part).await.unwrap();
        sleep(Duration::from_secs(5)).await;
    }
    peer.send(PONG, ping).await;
    assert_eq!(peer.farewell().await, 1000);
    let outcome = served.await.unwrap();
    assert!(matches!(outcome, Outcome::Finished), "{outcome:?}");
}

/// A handler that waits in `send` for room while the peer's Close, or a fault, comes in the read that ends a long message.
#[tokio::test(start_paused = true)]
async fn replies_that_wait_for_room_come_before_the_answer_to_a_close() {
    let close: (u8, &[u8]) = (0x88, &[3, 232]);
    let fault: (u8, &[u8]) = (0x83, b"");
    for (end, code) in [(close, 1000), (fault, 1002)] {
        for len in [1000, 65_520, 65_535, 65_536, 70_000, 100_000, 131_072, 262_144, 300_000] {
            for cut in [1, 5, 9, 13, len / 2, len + 3] {
                for short in [1, 3, 8] {
                    let long = frame_bytes(BINARY, &vec![7; len], true);
                    let (begin, rest) = long.split_at(cut);
                    let (mut peer, served) = serve(SessionOptions::default(), |mut session| async move {
                        while let Some(message) = session.receive().await? {
                            session.send(message).await?;
                        }
                        Ok(())
                    });
                    peer.io.write_all(begin).await.unwrap();
                    sleep(Duration::from_millis(4)).await;
                    let behind = frame_bytes(TEXT, b"abc", true).repeat(short);
                    let end = frame_bytes(end.0, end.1, true);
                    peer.io.write_all(&[rest, &behind, &end].concat()).await.unwrap();
                    let mut echoed = Vec::new();
                    let closed = loop {
                        match peer.frame().await.unwrap() {
                            (0x88, payload) => break u16::from_be_bytes([payload[0], payload[1]]),
                            (_, payload) => echoed.extend(payload),
                        }
                    };
                    let what = format!("{len} bytes cut at {cut}, {short} behind, {code}");
                    assert_eq!((echoed.len(), closed), (len + 3 * short, code), "{what}");
                    drop(peer);
                    served.await.unwrap();
                }
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn everything_that_came_before_a_close_is_echoed_before_its_answer() {
    for seed in 0..60 {
        let mut random = SmallRng::seed_from_u64(seed);
        let (mut wire, mut expected) = (Vec::new(), 0);
        for _ in 0..random.random_range(1..14) {
            let len = [3, 300, 17_000, 66_000, 100_000][random.random_range(0..5)];
            expected += len;
            if random.random_range(0..4) > 0 {
                wire.extend(frame_bytes(BINARY, &vec![7; len], true));
            } else {
                wire.extend(frame_bytes(0x02, &vec![7; len / 2], true));
                wire.extend(frame_bytes(0x80, &vec![7; len - len / 2], true));
            }
        }
        wire.extend(frame_bytes(0x88, &[3, 232], true));
        let (peer, served) = serve(SessionOptions::default(), |mut session| async move {
            while let Some(message) = session.receive().await? {
                session.send(message).await?;
            }
            Ok(())
        });
        let (reading, mut writing) = tokio::io::split(peer.io);
        let say = async {
            let mut rest = &wire[..];
            while !rest.is_empty() {
                let most = [10, 5000, 66_000, 300_000][random.random_range(0..4)];
                let (chunk, behind) = rest.split_at(random.random_range(1..most).min(rest.len()));
                writing.write_all(chunk).await.unwrap();
                rest = behind;
                tokio::task::yield_now().await;
            }
        };
        let hear = async {
            let mut reader = Peer::client(tokio::io::join(reading, tokio::io::sink()));
            let mut echoed = 0;
            loop {
                match reader.frame().await.unwrap() {
                    (0x88, _) => break echoed,
                    (_, payload) => echoed += payload.len(),
                }
            }
        };
        let (echoed, ()) = tokio::join!(hear, say);
        assert_eq!(echoed, expected, "seed {seed}");
        drop(writing);
        served.await.unwrap();
    }
}
