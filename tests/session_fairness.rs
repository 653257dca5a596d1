//! One busy session on one thread: how much it does before another task has its turn, counted and not timed.
//! Knows no content.
#![allow(clippy::unwrap_used)]

mod support;

use std::{
    convert::Infallible,
    future::poll_fn,
    io,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll},
};

use converse::{Message, Overflow, Sender, Session, SessionOptions, frame::Role};
use support::{PING, TEXT, frame_bytes, pair};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Counts what a session does, and how much of it at most between two turns of another task.
#[derive(Clone, Default)]
struct Witness(Arc<[AtomicUsize; 3]>);

impl Witness {
    /// Begins to look, in a task of its own.
    fn watch() -> Self {
        let witness = Self::default();
        let Witness(counts) = witness.clone();
        tokio::spawn(async move {
            while Arc::strong_count(&counts) > 1 {
                counts[0].store(0, Relaxed);
                turn().await;
            }
        });
        witness
    }

    fn count(&self, amount: usize) {
        let since = self.0[0].fetch_add(amount, Relaxed) + amount;
        self.0[1].fetch_max(since, Relaxed);
        self.0[2].fetch_add(amount, Relaxed);
    }

    fn most(&self) -> usize {
        self.0[1].load(Relaxed)
    }

    fn total(&self) -> usize {
        self.0[2].load(Relaxed)
    }
}

/// Ends with the next turn of the scheduler. Tokio's own `yield_now` passes over many.
async fn turn() {
    let mut begun = false;
    poll_fn(|cx| match std::mem::replace(&mut begun, true) {
        true => Poll::Ready(()),
        false => {
            cx.waker().wake_by_ref();
            Poll::Pending
        }
    })
    .await;
}

type OnWrite = Box<dyn FnMut(usize) + Send>;

/// A transport that is always ready: it gives what it has, and takes everything.
struct Eager {
    input: Vec<u8>,
    at: usize,
    chunk: usize,
    on_write: OnWrite,
}

impl Eager {
    fn new(input: Vec<u8>, on_write: impl FnMut(usize) + Send + 'static) -> Self {
        Self { input, at: 0, chunk: usize::MAX, on_write: Box::new(on_write) }
    }

    fn chunks(self, chunk: usize) -> Self {
        Self { chunk, ..self }
    }
}

impl AsyncRead for Eager {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.at == self.input.len() {
            return Poll::Pending;
        }
        let end = self.input.len().min(self.at + buf.remaining().min(self.chunk));
        buf.put_slice(&self.input[self.at..end]);
        self.at = end;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Eager {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        (self.on_write)(buf.len());
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

fn quiet() -> SessionOptions {
    SessionOptions::default().ping_interval(None)
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_messages_lets_others_have_their_turn() {
    for chunk in [usize::MAX, 7] {
        let witness = Witness::watch();
        let flood = Eager::new(frame_bytes(TEXT, b"x", true).repeat(20_000), |_| ()).chunks(chunk);
        let counting = witness.clone();
        let run = tokio::spawn(async move {
            Session::run_over(flood, Role::Server, &quiet(), |mut session| async move {
                for _ in 0..20_000 {
                    assert_eq!(session.receive().await.unwrap(), Some(Message::text("x")));
                    counting.count(1);
                    session.send("y").await.unwrap();
                }
                Ok::<_, Infallible>(())
            })
            .await;
        });
        while witness.total() < 20_000 {
            turn().await;
        }
        run.abort();
        // A turn is 64 messages, and a read may go over it by what it holds.
        assert!(witness.most() <= 128, "{} messages in a row", witness.most());
    }
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_pings_lets_others_have_their_turn() {
    let witness = Witness::watch();
    let counting = witness.clone();
    let flood = Eager::new(frame_bytes(PING, b"", true).repeat(200_000), move |count| counting.count(count));
    let session = Session::over(flood, Role::Server, &quiet());
    while witness.total() == 0 || !idle(&session) {
        turn().await;
    }
    assert!(witness.most() <= 512 * 1024, "{} bytes in a row", witness.most());
}

fn idle(session: &Session) -> bool {
    session.sender().queued_bytes() == 0
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_always_sends_lets_others_have_their_turn() {
    const MESSAGES: usize = 20_000;
    let witness = Witness::watch();
    let counting = witness.clone();
    let sink = Eager::new(Vec::new(), move |count| counting.count(count));
    let run = tokio::spawn(async move {
        Session::run_over(sink, Role::Server, &quiet(), |session| async move {
            for _ in 0..MESSAGES {
                session.send("x".repeat(1_000)).await.unwrap();
            }
            session.flush().await
        })
        .await
    });
    while witness.total() < MESSAGES * 1_000 {
        turn().await;
    }
    assert!(witness.most() <= 512 * 1024, "{} bytes in a row", witness.most());
    run.abort();
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_always_flushes_lets_others_have_their_turn() {
    const MESSAGES: usize = 20_000;
    let witness = Witness::watch();
    let counting = witness.clone();
    let sink = Eager::new(Vec::new(), |_| ());
    let run = tokio::spawn(async move {
        Session::run_over(sink, Role::Server, &quiet(), |session| async move {
            for _ in 0..MESSAGES {
                session.send("x").await.unwrap();
                session.flush().await.unwrap();
                counting.count(1);
            }
            Ok::<_, Infallible>(())
        })
        .await
    });
    while witness.total() < MESSAGES {
        turn().await;
    }
    assert!(witness.most() <= 128, "{} writes in a row", witness.most());
    run.abort();
}

#[tokio::test(start_paused = true)]
async fn a_send_that_never_waits_lets_others_have_their_turn() {
    const MESSAGES: usize = 20_000;
    for overflow in [Overflow::Fail, Overflow::DropNewest, Overflow::DropOldest, Overflow::Conflate] {
        let witness = Witness::watch();
        let counting = witness.clone();
        let sink = Eager::new(Vec::new(), |_| ());
        let options = quiet().send_queue(1_000, 2_000).overflow(overflow);
        let run = tokio::spawn(async move {
            Session::run_over(sink, Role::Server, &options, |session| async move {
                for index in 0..MESSAGES {
                    let _ = match index % 2 {
                        0 => session.send("xxxxxxxx").await,
                        _ => session.send_serialized("xxxxxxxx").await,
                    };
                    counting.count(1);
                }
                Ok::<_, Infallible>(())
            })
            .await
        });
        while witness.total() < MESSAGES {
            turn().await;
        }
        assert!(witness.most() <= 256, "{} messages in a row under {overflow:?}", witness.most());
        run.abort();
    }
}

#[tokio::test(start_paused = true)]
async fn senders_as_fast_as_the_transport_let_others_have_their_turn() {
    // Whatever leaves is replaced at once, as by a sender on another thread.
    let witness = Witness::watch();
    let sender: Arc<Mutex<Option<Sender>>> = Arc::default();
    let (counting, refill) = (witness.clone(), Arc::clone(&sender));
    let sink = Eager::new(Vec::new(), move |count| {
        counting.count(count);
        if let Some(sender) = refill.lock().unwrap().as_ref().filter(|_| counting.total() < 10_000_000) {
            sender.try_send("x".repeat(5_000)).unwrap();
        }
    });
    let session = Session::over(sink, Role::Server, &quiet());
    *sender.lock().unwrap() = Some(session.sender());
    session.send("begins").await.unwrap();
    while witness.total() < 10_000_000 {
        turn().await;
    }
    assert!(witness.most() <= 512 * 1024, "{} bytes in a row", witness.most());
    sender.lock().unwrap().take();
}

#[tokio::test(start_paused = true)]
async fn another_session_talks_beside_a_flood() {
    let flood = Eager::new(frame_bytes(TEXT, b"x", true).repeat(50_000), |_| ());
    let heard = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&heard);
    let busy = tokio::spawn(async move {
        Session::run_over(flood, Role::Server, &quiet(), |mut session| async move {
            while session.receive().await.is_ok_and(|message| message.is_some()) {
                count.fetch_add(1, Relaxed);
            }
            Ok::<_, Infallible>(())
        })
        .await
    });
    let (session, mut other) = pair(64, &quiet());
    let talk = tokio::spawn(async move {
        let mut before = heard.load(Relaxed);
        for round in 0..50 {
            session.send("ask").await.unwrap();
            assert!(other.receive().await.unwrap().is_some());
            // Each exchange takes a few rounds of the scheduler, and each of these is a turn of the flood.
            let now = heard.load(Relaxed);
            assert!(now - before <= 8 * 128, "round {round}: {} messages passed", now - before);
            before = now;
        }
    });
    talk.await.unwrap();
    busy.abort();
}
