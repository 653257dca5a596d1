//! What a client's process does: it keeps calls or streams under way on its one connection, and measures both processes
//! meanwhile. It knows no contender.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use converse_benches::{
    Result,
    clock::CpuClock,
    typed::{self, Chat, Room},
};
use futures_util::{Stream, StreamExt};
use tokio::{
    sync::mpsc,
    time::{sleep, timeout},
};

use crate::cell::{Cell, Method};

/// Different values in a cycle.
pub const CYCLE: usize = 64;

/// How long a server may say nothing.
const PATIENCE: Duration = Duration::from_secs(5);

/// A contender's client.
pub trait Caller: Clone + Send + Sync + 'static {
    /// Returns the sum.
    fn add(&self, a: i64, b: i64) -> impl Future<Output = Result<i64>> + Send;
    /// Returns the value.
    fn chat(&self, chat: Chat) -> impl Future<Output = Result<Chat>> + Send;
    /// Returns the value.
    fn room(&self, room: Room) -> impl Future<Output = Result<Room>> + Send;
    /// Opens a stream of [`typed::small`] from 0 to [`CYCLE`], again and again.
    fn lines(&self) -> impl Future<Output = Result<impl Stream<Item = Result<Chat>> + Send + Unpin>> + Send;
}

/// How long is measured.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    /// Before it counts.
    pub warm_up: Duration,
    /// While it counts.
    pub measured: Duration,
}

/// What a window gave, for each call or item.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// How many in a second.
    pub rate: f64,
    /// CPU time of the server's process, in microseconds.
    pub server: f64,
    /// CPU time of the client's process, in microseconds.
    pub client: f64,
}

impl Sample {
    /// Writes it for [`read`](Self::read).
    pub fn write(&self) -> String {
        format!("{} {} {}", self.rate, self.server, self.client)
    }

    /// Reads what a client's process has written.
    ///
    /// # Errors
    /// When it is something else.
    pub fn read(text: &str) -> Result<Self> {
        let figures: Vec<f64> =
            text.split_whitespace().map(|figure| Ok(figure.parse()?)).collect::<Result<_>>()?;
        match figures[..] {
            [rate, server, client] => Ok(Self { rate, server, client }),
            _ => Err(format!("no sample: {text}").into()),
        }
    }
}

/// What is to be done, and who is measured.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// What is called.
    pub cell: Cell,
    /// The server's process.
    pub server: u32,
    /// How long.
    pub window: Window,
}

impl Load {
    /// Keeps the calls under way, and measures.
    ///
    /// # Errors
    /// When a call fails, or gives what it should not, or when nothing happens for too long.
    pub async fn run(self, caller: impl Caller) -> Result<Sample> {
        timeout(PATIENCE, check(&caller, &self.cell)).await.map_err(|_| "the server does not answer")??;
        let (count, (failing, mut failed)) = (Arc::new(AtomicU64::new(0)), mpsc::unbounded_channel());
        for _ in 0..self.cell.at_once {
            let (caller, count, failing) = (caller.clone(), Arc::clone(&count), failing.clone());
            tokio::spawn(async move {
                if let Err(error) = turn(&caller, self.cell.method, &count).await {
                    let _ = failing.send(error);
                }
            });
        }
        tokio::select! {
            sample = self.measure(&count) => sample,
            Some(error) = failed.recv() => Err(error),
        }
    }

    async fn measure(&self, count: &AtomicU64) -> Result<Sample> {
        sleep(self.window.warm_up).await;
        let clocks = [self.server, std::process::id()].map(CpuClock::of_process);
        let (start, before, first) = (Instant::now(), clocks.map(CpuClock::now), count.load(Relaxed));
        sleep(self.window.measured).await;
        let (after, number) = (clocks.map(CpuClock::now), count.load(Relaxed) - first);
        let wall = start.elapsed();
        if number == 0 {
            return Err("nothing came back".into());
        }
        let each = |time: Duration| time.as_secs_f64() * 1e6 / number as f64;
        Ok(Sample {
            rate: number as f64 / wall.as_secs_f64(),
            server: each(after[0] - before[0]),
            client: each(after[1] - before[1]),
        })
    }
}

/// Compares answers as a whole, once.
async fn check(caller: &impl Caller, cell: &Cell) -> Result<()> {
    let right = match cell.method {
        Method::Add => caller.add(40, 2).await? == 42,
        Method::Chat => caller.chat(typed::small(3)).await? == typed::small(3),
        Method::Room => caller.room(typed::large(3)).await? == typed::large(3),
        Method::Lines => {
            let mut lines = caller.lines().await?;
            let mut right = true;
            for number in (0..CYCLE as u64).chain(0..3) {
                right &= lines.next().await.ok_or("the stream has ended")?? == typed::small(number);
            }
            right
        }
    };
    if right { Ok(()) } else { Err("another answer was expected".into()) }
}

/// Makes calls, one behind the other. Each takes a value of its own along, as an application's would.
async fn turn(caller: &impl Caller, method: Method, count: &AtomicU64) -> Result<()> {
    match method {
        Method::Add => loop {
            expect(caller.add(40, 2).await? == 42, count)?;
        },
        Method::Chat => {
            let chats: Vec<Chat> = (0..CYCLE as u64).map(typed::small).collect();
            for chat in chats.iter().cycle() {
                expect(caller.chat(chat.clone()).await?.id == chat.id, count)?;
            }
        }
        Method::Room => {
            let rooms: Vec<Room> = (0..CYCLE as u64).map(typed::large).collect();
            for room in rooms.iter().cycle() {
                expect(caller.room(room.clone()).await?.len() == room.len(), count)?;
            }
        }
        Method::Lines => {
            let mut lines = caller.lines().await?;
            let ids: Vec<u64> = (0..CYCLE as u64).map(|number| typed::small(number).id).collect();
            for id in ids.iter().cycle() {
                let line = lines.next().await.ok_or("the stream has ended")??;
                expect(line.id == *id, count)?;
            }
        }
    }
    Ok(())
}

fn expect(right: bool, count: &AtomicU64) -> Result<()> {
    count.fetch_add(1, Relaxed);
    if right { Ok(()) } else { Err("another answer was expected".into()) }
}
