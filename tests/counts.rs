//! What a message costs, counted and not timed: writes, allocations, and the heap of an idle session.
#![allow(clippy::unwrap_used)]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    future::poll_fn,
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll},
};

use converse::{Session, SessionOptions, frame::Role};
use futures::Stream;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};

/// Counts the calls and the live bytes of each thread by itself.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
    static LIVE: Cell<isize> = const { Cell::new(0) };
}

fn count(calls: usize, bytes: isize) {
    let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + calls));
    let _ = LIVE.try_with(|live| live.set(live.get() + bytes));
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: every call is handed on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(1, layout.size() as isize);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(0, -(layout.size() as isize));
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// A transport whose reads are prepared and whose writes are counted and dropped.
struct Scripted {
    reads: Vec<Vec<u8>>,
    next: usize,
    writes: Arc<AtomicUsize>,
}

impl AsyncRead for Scripted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Some(bytes) = self.reads.get(self.next) {
            buffer.put_slice(bytes);
            self.next += 1;
            return Poll::Ready(Ok(()));
        }
        Poll::Pending
    }
}

impl AsyncWrite for Scripted {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.writes.fetch_add(1, Relaxed);
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
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.writes.fetch_add(1, Relaxed);
        Poll::Ready(Ok(buffers.iter().map(|buffer| buffer.len()).sum()))
    }
}

/// `count` masked binary frames of `len` bytes, as a client sends them.
fn frames(count: usize, len: usize) -> Vec<u8> {
    let mut frame = vec![0x82, 0x80 | len as u8, 1, 2, 3, 4];
    frame.extend(vec![7; len]);
    frame.repeat(count)
}

/// What a run of scripted reads costs.
struct Cost {
    allocations: usize,
    writes: usize,
}

/// Runs a server session over `warm` + `bursts` reads of 16 messages each; counts behind the warm ones.
async fn run(warm: usize, bursts: usize, echoes: bool) -> Cost {
    let writes = Arc::new(AtomicUsize::new(0));
    let reads = vec![frames(16, 20); warm + bursts];
    let transport = Scripted { reads, next: 0, writes: Arc::clone(&writes) };
    let options = SessionOptions::default();
    let mut cost = Cost { allocations: 0, writes: 0 };
    let slot = &mut cost;
    Session::run_over(transport, Role::Server, &options, |mut session| async move {
        let mut before = (0, 0);
        for received in 0..(warm + bursts) * 16 {
            if received == warm * 16 {
                before.0 = ALLOCATIONS.get();
            }
            let message = session.receive().await?.unwrap();
            if received == warm * 16 {
                before.1 = writes.load(Relaxed);
            }
            if echoes {
                session.send(message).await?;
            }
        }
        session.flush().await?;
        *slot = Cost { allocations: ALLOCATIONS.get() - before.0, writes: writes.load(Relaxed) - before.1 };
        session.sender().start_close(converse::CloseReason::NORMAL);
        Ok::<(), converse::Error>(())
    })
    .await;
    cost
}

#[tokio::test(start_paused = true)]
async fn a_burst_of_16_echoes_leaves_in_one_write() {
    let cost = run(8, 100, true).await;
    assert_eq!(cost.writes, 100, "for 1600 echoes: 0.0625 a message");
}

#[tokio::test(start_paused = true)]
async fn a_small_message_received_costs_one_allocation() {
    let cost = run(8, 100, false).await;
    assert!(cost.allocations <= 1600, "{} allocations for 1600 messages", cost.allocations);
}

#[tokio::test(start_paused = true)]
async fn a_small_message_echoed_costs_no_second_allocation() {
    let cost = run(8, 100, true).await;
    // One more is the timer, which is set when the driver rests for the first time.
    assert!(cost.allocations <= 1601, "{} allocations for 1600 echoes", cost.allocations);
}

/// Opens `count` connections to a task per connection, and returns the heap that each task costs while
/// it waits. Each holds a handler as large as `HANDLER` bytes, boxed as a server has to.
async fn bare_heap<const HANDLER: usize>(count: usize) -> isize {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut peers = Vec::with_capacity(count);
    let mut tasks = tokio::task::JoinSet::new();
    let before = LIVE.get();
    for _ in 0..count {
        peers.push(std::net::TcpStream::connect(address).unwrap());
        let (socket, _) = listener.accept().await.unwrap();
        let handler = Box::new([0_u8; HANDLER]);
        tasks.spawn(async move {
            let mut buffer = [0; 1];
            while socket.try_read(&mut buffer).is_err() {
                poll_fn(|cx| socket.poll_read_ready(cx)).await.unwrap();
            }
            drop(handler);
        });
    }
    settle().await;
    let heap = LIVE.get() - before;
    tasks.shutdown().await;
    heap / count as isize
}

/// Lets every task come to rest.
async fn settle() {
    for _ in 0..1000 {
        tokio::task::yield_now().await;
    }
}

/// A handler of a known size: it waits for messages and does nothing with them.
struct Listener(Session);

impl Future for Listener {
    type Output = converse::Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut incoming = self.0.incoming();
        while let Some(message) = std::task::ready!(Pin::new(&mut incoming).poll_next(cx)) {
            message?;
        }
        Poll::Ready(Ok(()))
    }
}

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

/// A raw client that is upgraded.
async fn upgraded(address: std::net::SocketAddr) -> tokio::net::TcpStream {
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    stream.write_all(REQUEST).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        stream.read_buf(&mut answer).await.unwrap();
    }
    stream
}

#[tokio::test]
async fn an_idle_session_costs_less_than_1280_bytes_of_heap() {
    const SESSIONS: usize = 200;
    let bare = bare_heap::<{ size_of::<Listener>() }>(SESSIONS).await;
    let options = SessionOptions::default().max_message_size(2 << 20);
    let server = converse::Server::new(options).route("/", Listener).bind("127.0.0.1:0").await.unwrap();
    let address = server.local_addr();
    let handle = server.handle();
    let served = tokio::spawn(server.serve());
    // The first connection pays for what all share; the peers' sockets are known from a second count.
    drop(upgraded(address).await);
    let mut peers = Vec::with_capacity(SESSIONS);
    let before = LIVE.get();
    for _ in 0..SESSIONS {
        peers.push(upgraded(address).await);
    }
    settle().await;
    let with_peers = LIVE.get() - before;
    let idle = with_peers / SESSIONS as isize - peer_heap(address).await;
    println!("bare {bare} B, idle session {idle} B");
    assert!(idle - bare <= 1280, "an idle session costs {} B beyond a bare task", idle - bare);
    drop(peers);
    handle.stop();
    served.await.unwrap();
}

/// Reads a server's frame without keeping it, and returns the length of its payload.
async fn skip_message(stream: &mut (impl AsyncRead + Unpin)) -> usize {
    let mut total = 0;
    loop {
        let mut head = [0; 2];
        stream.read_exact(&mut head).await.unwrap();
        let len = match head[1] {
            126 => usize::from(stream.read_u16().await.unwrap()),
            127 => usize::try_from(stream.read_u64().await.unwrap()).unwrap(),
            short => usize::from(short),
        };
        tokio::io::copy(&mut stream.take(len as u64), &mut tokio::io::sink()).await.unwrap();
        total += len;
        if head[0] & 0x80 != 0 {
            return total;
        }
    }
}

async fn echo(mut session: Session) -> converse::Result<()> {
    while let Some(message) = session.receive().await? {
        session.send(message).await?;
    }
    Ok(())
}

#[tokio::test]
async fn the_heap_of_a_session_is_back_after_a_mebibyte_was_echoed() {
    const SESSIONS: usize = 60;
    /// What a thread keeps of large buffers, for all its sessions.
    const KEPT: isize = 2 << 20;
    const MEBIBYTE: usize = 1 << 20;
    let server = converse::Server::new(SessionOptions::default()).route("/", echo);
    let server = server.bind("127.0.0.1:0").await.unwrap();
    let address = server.local_addr();
    let handle = server.handle();
    let served = tokio::spawn(server.serve());
    let mut message = vec![0x82, 0xff];
    message.extend((MEBIBYTE as u64).to_be_bytes());
    message.extend([0; 4]);
    message.extend(vec![7; MEBIBYTE]);
    let mut peers = Vec::with_capacity(SESSIONS);
    for _ in 0..SESSIONS {
        peers.push(upgraded(address).await);
    }
    // The first echo also pays for what all sessions of a thread share.
    exchange(&mut peers[0], &message).await;
    let before = LIVE.get();
    for peer in &mut peers[1..] {
        assert_eq!(exchange(peer, &message).await, MEBIBYTE);
    }
    settle().await;
    let kept = LIVE.get() - before;
    assert!(kept <= KEPT + 64 * SESSIONS as isize, "{kept} B are kept behind {SESSIONS} messages of 1 MiB");
    handle.stop();
    drop(peers);
    served.await.unwrap();
}

/// Sends a frame, and reads the echo.
async fn exchange(peer: &mut tokio::net::TcpStream, message: &[u8]) -> usize {
    let (mut reading, mut writing) = peer.split();
    let mut total = 0;
    let (sent, ()) = tokio::join!(writing.write_all(message), async {
        total = skip_message(&mut reading).await;
    });
    sent.unwrap();
    total
}

/// The heap of a connected socket of the runtime, which the peers of the tests have too.
async fn peer_heap(address: std::net::SocketAddr) -> isize {
    let listener = tokio::net::TcpListener::bind((address.ip(), 0)).await.unwrap();
    let target = listener.local_addr().unwrap();
    let mut streams = Vec::with_capacity(100);
    let before = LIVE.get();
    for _ in 0..100 {
        streams.push(tokio::net::TcpStream::connect(target).await.unwrap());
    }
    (LIVE.get() - before) / 100
}
