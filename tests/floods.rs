//! What a hostile or a dead peer makes this end hold: counted by the allocator, over an in-memory transport.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod wire;

use std::{
    io,
    pin::Pin,
    sync::{Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use converse::{
    CloseCause, Message, Overflow, Session, SessionOptions,
    frame::Role,
    session::{BoxError, SessionError},
};
use peak_alloc::PeakAlloc;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, duplex},
    net::TcpListener,
    task::JoinHandle,
};
use wire::{BINARY, CONTINUATION, FIN, PING, TEXT, Wire, frame, masked};

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;
/// Longer than any of these tests, on a clock that stands still while there is work.
const NEVER: Duration = Duration::from_secs(1 << 30);

/// One test at a time, because all count one heap.
fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn options() -> SessionOptions {
    SessionOptions::default()
        .max_message_size(16 * MIB)
        .ping_interval(None)
        .write_timeout(NEVER)
        .message_timeout(NEVER)
}

/// A server's session whose peer is the returned pipe.
fn session(options: &SessionOptions) -> (Session, DuplexStream) {
    let (ours, theirs) = duplex(64 * KIB);
    (Session::over(ours, Role::Server, options), theirs)
}

fn receiving(mut session: Session) -> JoinHandle<Result<Option<Message>, SessionError>> {
    tokio::spawn(async move { session.receive().await })
}

/// Runs a test on a clock that jumps to the next deadline when nobody has anything to do.
fn paused(test: impl Future<Output = ()>) {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    runtime.block_on(async {
        // The thread's read buffer is there before the counting.
        let peer = Script { part: masked(TEXT, b"hi"), times: 0, tail: vec![], at: 0, room: 0 };
        let mut first = Session::over(peer, Role::Server, &options());
        assert_eq!(first.receive().await.unwrap(), Some("hi".into()));
        drop(first);
        tokio::time::sleep(Duration::from_secs(60)).await;
        test.await;
    });
}

/// On a paused clock this returns when nobody has anything to do.
async fn idle() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

/// A peer that sends `part` `times` over and then `tail`, takes `room` bytes and then none.
struct Script {
    part: Vec<u8>,
    times: usize,
    tail: Vec<u8>,
    at: usize,
    room: usize,
}

impl AsyncRead for Script {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        to: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.at == self.part.len() && self.times > 0 {
            self.times -= 1;
            self.at = 0;
            if self.times == 0 {
                self.part = std::mem::take(&mut self.tail);
            }
        }
        let left = &self.part[self.at..];
        let count = left.len().min(to.remaining());
        if count == 0 {
            return Poll::Pending;
        }
        to.put_slice(&left[..count]);
        self.at += count;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Script {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>> {
        let count = from.len().min(self.room);
        self.room -= count;
        if count == 0 { Poll::Pending } else { Poll::Ready(Ok(count)) }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[test]
fn two_million_pings_of_a_peer_that_never_reads_leave_memory_flat() {
    let _alone = alone();
    paused(async {
        const AT_ONCE: usize = 10_000;
        let part: Vec<u8> = (0..AT_ONCE).flat_map(|i| masked(PING, &(i as u32).to_be_bytes())).collect();
        for room in [0, 1, 100_000] {
            // What comes behind the pings is received: none was skipped on the way.
            let (times, tail) = (2_000_000 / AT_ONCE, masked(TEXT, b"behind"));
            let peer = Script { part: part.clone(), times, tail, at: 0, room };
            let before = HEAP.current_usage();
            HEAP.reset_peak_usage();
            let mut session = Session::over(peer, Role::Server, &options());
            assert_eq!(session.receive().await.unwrap(), Some("behind".into()));
            let peak = HEAP.peak_usage() - before;
            assert!(peak <= 64 * KIB, "{peak} bytes at the peak");
        }
    });
}

#[test]
fn a_header_that_declares_15_mib_allocates_for_what_comes() {
    let _alone = alone();
    paused(async {
        for opcode in [TEXT, BINARY] {
            let mut peers = Vec::new();
            for _ in 0..50 {
                let (session, mut peer) = session(&options());
                let received = receiving(session);
                // Both pipes have their buffers before the counting.
                peer.write_all(&masked(PING, b"")).await.unwrap();
                peer.read_exact(&mut [0; 2]).await.unwrap();
                peers.push((peer, received));
            }
            idle().await;
            let before = HEAP.current_usage();
            HEAP.reset_peak_usage();
            for (peer, _) in &mut peers {
                let mut head = vec![FIN | opcode, 0xff];
                head.extend((15 * MIB as u64).to_be_bytes());
                head.extend([0, 0, 0, 0]);
                peer.write_all(&head).await.unwrap();
                peer.write_all(&[b'a'; 10 * KIB]).await.unwrap();
            }
            idle().await;
            let each = (HEAP.peak_usage() - before) / peers.len();
            assert!(each < 64 * KIB, "{each} bytes each");
            assert!(peers.iter().all(|(_, received)| !received.is_finished()), "they wait for more");
        }
    });
}

#[test]
fn a_million_fragments_of_a_byte_end_with_1008_in_bounded_memory() {
    let _alone = alone();
    paused(async {
        for payload in [&b"a"[..], b""] {
            let mut part = frame(BINARY, payload, true);
            (0..1_000_000).for_each(|_| part.extend(frame(CONTINUATION, payload, true)));
            let peer = Script { part, times: 0, tail: vec![], at: 0, room: usize::MAX };
            let before = HEAP.current_usage();
            HEAP.reset_peak_usage();
            let mut session = Session::over(peer, Role::Server, &options());
            let Err(SessionError::Closed(closed)) = session.receive().await else { panic!("no end") };
            assert_eq!(closed.sent.as_ref().map(|sent| sent.code().get()), Some(1008));
            assert!(matches!(closed.cause, CloseCause::Violation(_)));
            let peak = HEAP.peak_usage() - before;
            assert!(peak <= 64 * KIB, "{peak} bytes at the peak");
        }
    });
}

#[test]
fn a_peer_that_never_reads_a_broadcast_costs_no_more_than_the_hard_mark() {
    let _alone = alone();
    let policies = [
        Overflow::Wait,
        Overflow::Fail,
        Overflow::DropNewest,
        Overflow::DropOldest,
        Overflow::Conflate,
        Overflow::Close,
    ];
    for overflow in policies {
        let name = format!("{overflow:?}");
        paused(async move {
            let options = options().send_queue(64 * KIB, MIB).overflow(overflow);
            let (session, peer) = session(&options);
            let sender = session.sender();
            idle().await;
            let before = HEAP.current_usage();
            HEAP.reset_peak_usage();
            for _ in 0..20_000 {
                // What is refused is not kept by anyone.
                let _ = sender.try_send(vec![7; 1000]);
                tokio::task::yield_now().await;
            }
            let peak = HEAP.peak_usage() - before;
            // The bytes in the pipe and the bookkeeping of a thousand messages come on top.
            assert!(peak <= MIB + 256 * KIB, "{name}: {peak} bytes at the peak");
            assert!(sender.queued_bytes() <= MIB, "{name}: {}", sender.queued_bytes());
            drop((session, peer));
        });
    }
}

#[test]
fn a_peer_that_is_not_received_from_costs_no_more_than_the_receive_queue() {
    let _alone = alone();
    paused(async {
        for size in [0, 1, 1000, 60_000] {
            let (session, mut peer) = session(&options());
            peer.write_all(&masked(PING, b"")).await.unwrap();
            idle().await;
            let message = masked(BINARY, &vec![7; size]);
            let before = HEAP.current_usage();
            HEAP.reset_peak_usage();
            let stuck = async {
                loop {
                    peer.write_all(&message).await.unwrap();
                }
            };
            // The pipe is full, and stays so: the session has stopped to read.
            assert!(tokio::time::timeout(Duration::from_secs(5), stuck).await.is_err());
            let peak = HEAP.peak_usage() - before;
            // A queue of 64 KiB and one message over it, a read of 64 KiB, and the pipe's own buffer.
            assert!(peak <= 320 * KIB, "{size}: {peak} bytes at the peak");
            drop(session);
        }
    });
}

#[test]
fn heap_is_back_after_a_message_of_a_mib() {
    let _alone = alone();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(one_mib_and_back());
}

/// Sends a message of 1 MiB, and reads its echo without keeping it.
async fn exchange_one_mib(peer: &mut Wire) {
    let message = masked(BINARY, &vec![1; MIB]);
    let (mut read, mut write) = peer.io.split();
    let received = async {
        // Eight frames of 128 KiB, with headers of ten bytes.
        let mut left = MIB + 8 * 10;
        let mut buffer = [0; 4096];
        while left > 0 {
            left -= read.read(&mut buffer).await.unwrap();
        }
    };
    let (sent, ()) = wire::in_time(async { tokio::join!(write.write_all(&message), received) }).await;
    sent.unwrap();
}

async fn one_mib_and_back() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut peer = Wire::connect(listener.local_addr().unwrap()).await;
    let (ours, _) = listener.accept().await.unwrap();
    let talk = tokio::spawn(async move {
        let echo = |mut session: Session| async move {
            while let Some(message) = session.receive().await? {
                session.send(message).await?;
            }
            Ok::<(), BoxError>(())
        };
        Session::run_over(ours, Role::Server, &options(), echo).await
    });
    // The thread's read buffer comes into being with the first message, and 2 MiB at most of what it keeps for the
    // next large ones.
    let most = HEAP.current_usage() + 2 * MIB + 128 * KIB;
    for _ in 0..8 {
        exchange_one_mib(&mut peer).await;
    }
    let settled = async {
        while HEAP.current_usage() > most {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let settled = tokio::time::timeout(Duration::from_secs(10), settled).await;
    assert!(settled.is_ok(), "{} bytes too many are kept", HEAP.current_usage() - most);
    drop(peer);
    talk.await.unwrap();
}

#[test]
fn silent_sessions_are_cut_in_time_whatever_they_stopped_in() {
    let _alone = alone();
    paused(async {
        let options = SessionOptions::default();
        let part = frame(BINARY, &[7; 1000], true);
        let begun: [(&str, Vec<u8>); 4] = [
            ("nothing", vec![]),
            ("a header", part[..3].to_vec()),
            ("a frame", part[..500].to_vec()),
            ("a message", part.clone()),
        ];
        for (what, bytes) in begun {
            let (session, mut peer) = session(&options);
            let received = receiving(session);
            peer.write_all(&bytes).await.unwrap();
            let end = tokio::time::timeout(Duration::from_secs(120), received).await;
            assert!(matches!(end, Ok(Ok(Err(SessionError::Closed(_))))), "{what}: {end:?}");
        }
        // One byte a second keeps a peer alive, but not a message open for ever.
        let (session, mut peer) = session(&options);
        let received = receiving(session);
        let drip = async {
            for byte in frame(FIN | BINARY, &[7; 500], true) {
                peer.write_all(&[byte]).await.unwrap_or_default();
                tokio::time::sleep(Duration::from_secs(1)).await;
                if received.is_finished() {
                    return true;
                }
            }
            false
        };
        assert!(drip.await, "a message of 500 bytes may not take 500 seconds");
    });
}
