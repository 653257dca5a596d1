//! A server of calls and streams for clients that know nothing of this crate, in every format and in JSON-RPC 2.0: at `/`
//! with default settings, at `/strict` with small limits and short times.
//! Run by `tests/interop/run`.

use std::{
    collections::{BTreeMap, HashSet},
    fmt,
    io::Write,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use converse::{
    Server, SessionOptions,
    rpc::{CallError, Code, Context, Options, Peer, Protocol, Router, ServiceError, Status, Streaming},
};
use futures::{Stream, StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};
use tokio::{sync::watch, time::sleep};

/// Why a division fails. Its code is an application's own.
#[derive(Debug, Serialize, Deserialize)]
struct DivisionByZero {
    dividend: i64,
}

impl fmt::Display for DivisionByZero {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("division by zero")
    }
}

impl ServiceError for DivisionByZero {
    fn code(&self) -> Code {
        Code::new(1234)
    }
}

/// What came beside the arguments of a call.
#[derive(Serialize, Deserialize)]
struct About {
    millis: Option<u64>,
    traceparent: Option<String>,
    headers: BTreeMap<String, String>,
    token: Option<String>,
}

#[converse::service(name = "calc")]
trait Calc {
    async fn add(&self, a: i64, b: i64) -> Result<i64, Status>;
    async fn div(&self, a: i64, b: i64) -> Result<i64, DivisionByZero>;
    async fn status(&self, code: i32) -> Result<(), Status>;
    async fn panics(&self) -> Result<(), Status>;
    async fn about(&self, cx: Context) -> Result<About, Status>;
    /// Answers behind a call of `release` with the same key, on whatever connection.
    async fn hold(&self, key: String) -> Result<String, Status>;
    async fn release(&self, key: String) -> Result<(), Status>;
    /// Never answers.
    async fn wait(&self, key: String) -> Result<(), Status>;
    /// Answers when the handlers that waited under this key were dropped.
    async fn dropped(&self, key: String, times: usize) -> Result<(), Status>;
    #[notify]
    async fn log(&self, line: String);
    /// Answers when so many lines begin like this.
    async fn logged(&self, start: String, lines: usize) -> Result<Vec<String>, Status>;

    fn count(&self, to: u64) -> impl Stream<Item = Result<u64, Status>>;
    /// Counts, then fails.
    fn broken(&self, to: u64) -> impl Stream<Item = Result<u64, DivisionByZero>>;
    /// Counts for ever.
    fn ticks(&self, key: String) -> impl Stream<Item = Result<u64, Status>>;
    async fn sum(&self, terms: Streaming<i64>) -> Result<i64, Status>;
    /// Takes the first item and no more.
    async fn first(&self, terms: Streaming<i64>) -> Result<i64, Status>;
    /// Gives each item twice as large, and their number behind the end.
    fn double(&self, terms: Streaming<i64>) -> impl Stream<Item = Result<i64, Status>>;

    /// Asks the caller's `ui.confirm`.
    async fn ask(&self, cx: Context, question: String) -> Result<bool, Status>;
    /// Sums a stream of the caller's `ui.numbers`.
    async fn gather(&self, cx: Context, to: u64) -> Result<u64, Status>;
    /// Sends a stream to the caller's `ui.sum`, and gives its answer on.
    async fn pour(&self, cx: Context, to: u64) -> Result<u64, Status>;
    /// Calls the caller's `ui.wait`, and gives it up.
    async fn impatient(&self, cx: Context) -> Result<(), Status>;
    /// Notifies the caller's `ui.told`.
    async fn tell(&self, cx: Context, line: String) -> Result<(), Status>;
    /// Goes away, though not before a call of `hold` is answered.
    async fn leave(&self, cx: Context) -> Result<(), Status>;
}

#[derive(Clone, Default)]
struct Calculator(Arc<Shared>);

/// What all connections have in common.
#[derive(Default)]
struct Shared {
    released: watch::Sender<HashSet<String>>,
    dropped: watch::Sender<BTreeMap<String, usize>>,
    log: watch::Sender<Vec<String>>,
}

/// Notes that a handler is dropped.
struct Guard(Arc<Shared>, String);

impl Drop for Guard {
    fn drop(&mut self) {
        let key = std::mem::take(&mut self.1);
        self.0.dropped.send_modify(|dropped| *dropped.entry(key).or_default() += 1);
    }
}

impl Calculator {
    fn guard(&self, key: String) -> Guard {
        Guard(Arc::clone(&self.0), key)
    }
}

/// Waits until what is watched is as it should be.
async fn until<T: Clone>(watched: &watch::Sender<T>, is: impl FnMut(&T) -> bool) -> Result<T, Status> {
    let mut watched = watched.subscribe();
    let value = watched.wait_for(is).await.map(|value| value.clone());
    value.map_err(|error| Status::new(Code::INTERNAL, error.to_string()))
}

impl Calc for Calculator {
    async fn add(&self, a: i64, b: i64) -> Result<i64, Status> {
        a.checked_add(b).ok_or_else(|| Status::new(Code::OUT_OF_RANGE, "too large"))
    }

    async fn div(&self, a: i64, b: i64) -> Result<i64, DivisionByZero> {
        a.checked_div(b).ok_or(DivisionByZero { dividend: a })
    }

    async fn status(&self, code: i32) -> Result<(), Status> {
        Err(Status::new(Code::new(code), "as you wish"))
    }

    async fn panics(&self) -> Result<(), Status> {
        panic!("asked to")
    }

    async fn about(&self, cx: Context) -> Result<About, Status> {
        let metadata = cx.metadata();
        Ok(About {
            millis: metadata.deadline().and_then(|deadline| u64::try_from(deadline.as_millis()).ok()),
            traceparent: metadata.traceparent().map(str::to_owned),
            headers: metadata.headers().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            token: cx.token(),
        })
    }

    async fn hold(&self, key: String) -> Result<String, Status> {
        until(&self.0.released, |released| released.contains(&key)).await?;
        Ok(key)
    }

    async fn release(&self, key: String) -> Result<(), Status> {
        self.0.released.send_modify(|released| {
            released.insert(key);
        });
        Ok(())
    }

    async fn wait(&self, key: String) -> Result<(), Status> {
        let _guard = self.guard(key);
        std::future::pending().await
    }

    async fn dropped(&self, key: String, times: usize) -> Result<(), Status> {
        until(&self.0.dropped, |dropped| dropped.get(&key).is_some_and(|dropped| *dropped >= times)).await?;
        Ok(())
    }

    async fn log(&self, line: String) {
        self.0.log.send_modify(|log| log.push(line));
    }

    async fn logged(&self, start: String, lines: usize) -> Result<Vec<String>, Status> {
        let those = |log: &Vec<String>| -> Vec<String> {
            log.iter().filter(|line| line.starts_with(&start)).cloned().collect()
        };
        until(&self.0.log, |log| those(log).len() >= lines).await.map(|log| those(&log))
    }

    fn count(&self, to: u64) -> impl Stream<Item = Result<u64, Status>> {
        stream::iter((1..=to).map(Ok))
    }

    fn broken(&self, to: u64) -> impl Stream<Item = Result<u64, DivisionByZero>> {
        stream::iter((1..=to).map(Ok)).chain(stream::iter([Err(DivisionByZero { dividend: 7 })]))
    }

    fn ticks(&self, key: String) -> impl Stream<Item = Result<u64, Status>> {
        stream::unfold((0, self.guard(key)), |(tick, guard)| async move {
            sleep(Duration::from_millis(1)).await;
            Some((Ok(tick), (tick + 1, guard)))
        })
    }

    async fn sum(&self, terms: Streaming<i64>) -> Result<i64, Status> {
        Ok(terms.try_fold(0, |sum, term| async move { Ok(sum + term) }).await?)
    }

    async fn first(&self, mut terms: Streaming<i64>) -> Result<i64, Status> {
        let nothing = || CallError::Status(Status::new(Code::NOT_FOUND, "the stream is empty"));
        Ok(terms.next().await.unwrap_or_else(|| Err(nothing()))?)
    }

    fn double(&self, terms: Streaming<i64>) -> impl Stream<Item = Result<i64, Status>> {
        let number = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&number);
        let doubled = terms.map(move |term| {
            counted.fetch_add(1, SeqCst);
            Ok(term? * 2)
        });
        doubled.chain(stream::once(async move { Ok(number.load(SeqCst) as i64) }))
    }

    async fn ask(&self, cx: Context, question: String) -> Result<bool, Status> {
        let caller: Peer = cx.peer();
        Ok(caller.call("ui.confirm", (question,)).metadata("why", "to know").await?)
    }

    async fn gather(&self, cx: Context, to: u64) -> Result<u64, Status> {
        let caller: Peer = cx.peer();
        let numbers: Streaming<u64> = caller.open("ui.numbers", (to,)).await?;
        Ok(numbers.try_fold(0, |sum, number| async move { Ok(sum + number) }).await?)
    }

    async fn pour(&self, cx: Context, to: u64) -> Result<u64, Status> {
        let caller: Peer = cx.peer();
        Ok(caller.call("ui.sum", [(); 0]).sending(stream::iter(1..=to)).await?)
    }

    async fn impatient(&self, cx: Context) -> Result<(), Status> {
        let caller: Peer = cx.peer();
        Ok(caller.call("ui.wait", [(); 0]).deadline(Duration::from_millis(20)).await?)
    }

    async fn tell(&self, cx: Context, line: String) -> Result<(), Status> {
        let caller: Peer = cx.peer();
        Ok(caller.notify("ui.told", (line,)).await?)
    }

    async fn leave(&self, cx: Context) -> Result<(), Status> {
        let caller: Peer = cx.peer();
        tokio::spawn(async move { caller.go_away("restart", Duration::from_millis(500)).await });
        Ok(())
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> converse::Result<()> {
    std::panic::set_hook(Box::new(|_| {}));
    let calculator = Calculator::default();
    let router = |options: Options| {
        let options = options.without_subprotocol(Protocol::json_rpc());
        Router::new().service(CalcServer::new(calculator.clone())).options(options)
    };
    let strict = Options::default()
        .in_flight(2)
        .window(4)
        .deadline(Duration::from_millis(50))
        .hello_timeout(Duration::from_millis(100))
        .ping_interval(Duration::from_millis(20));
    let server = Server::new(SessionOptions::default())
        .rpc("/", router(Options::default()))
        .rpc("/strict", router(strict))
        .bind("127.0.0.1:0")
        .await?;
    println!("listening on {}", server.local_addr());
    std::io::stdout().flush().ok();
    server.serve().await;
    Ok(())
}
