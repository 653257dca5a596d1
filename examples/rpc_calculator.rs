//! Shows: a service of typed calls: an answer, the method's own error, a deadline, a cancelled call, a wrong argument.
//! Run: `cargo run --example rpc_calculator`
//! Next: `rpc_streams`, where values flow both ways and the server calls its client.

use std::{
    fmt,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use converse::{
    Server, SessionOptions,
    rpc::{self, CallError, Code, Context, Router, ServiceError},
};
use serde::{Deserialize, Serialize};
use tokio::time::{sleep, timeout};

/// What can go wrong in the calculator. It travels as it is.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum CalcError {
    DivisionByZero,
    Overflow { bits: u32 },
}

impl fmt::Display for CalcError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DivisionByZero => f.write_str("division by zero"),
            Self::Overflow { bits } => write!(f, "the result needs more than {bits} bits"),
        }
    }
}

impl ServiceError for CalcError {
    fn code(&self) -> Code {
        Code::OUT_OF_RANGE
    }
}

/// The service: this trait is all that both ends share.
#[converse::service(name = "calc")]
trait Calc {
    /// Adds two numbers.
    async fn add(&self, a: i64, b: i64) -> Result<i64, CalcError>;
    /// Divides one number by another.
    async fn div(&self, a: i64, b: i64) -> Result<i64, CalcError>;
    /// Thinks for a while.
    async fn ponder(&self, cx: Context, millis: u64) -> Result<String, CalcError>;
    /// Tells how many thoughts were broken off.
    async fn interrupted(&self) -> Result<u64, CalcError>;
}

/// The server's side.
struct Calculator;

static INTERRUPTED: AtomicU64 = AtomicU64::new(0);

/// Counts a handler that is dropped before its end.
struct Thought {
    finished: bool,
}

impl Drop for Thought {
    fn drop(&mut self) {
        INTERRUPTED.fetch_add(u64::from(!self.finished), Relaxed);
    }
}

impl Calc for Calculator {
    async fn add(&self, a: i64, b: i64) -> Result<i64, CalcError> {
        a.checked_add(b).ok_or(CalcError::Overflow { bits: 64 })
    }

    async fn div(&self, a: i64, b: i64) -> Result<i64, CalcError> {
        a.checked_div(b).ok_or(CalcError::DivisionByZero)
    }

    async fn ponder(&self, cx: Context, millis: u64) -> Result<String, CalcError> {
        let mut thought = Thought { finished: false };
        sleep(Duration::from_millis(millis)).await;
        thought.finished = true;
        Ok(format!("{} has thought for {millis} ms", cx.method()))
    }

    async fn interrupted(&self) -> Result<u64, CalcError> {
        Ok(INTERRUPTED.load(Relaxed))
    }
}

/// Prints one call of the transcript.
fn say<T: fmt::Debug>(call: &str, result: &Result<T, CallError<CalcError>>) {
    match result {
        Ok(answer) => println!("{call:<44} = {answer:?}"),
        Err(CallError::App(error)) => println!("{call:<44} ! {error:?}: {error}"),
        Err(error) => println!("{call:<44} ! {error}"),
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let router = Router::new().service(CalcServer::new(Calculator));
    let server = Server::new(SessionOptions::default()).rpc("/calc", router).bind("127.0.0.1:0").await?;
    let url = format!("ws://{}/calc", server.local_addr());
    tokio::spawn(server.serve());

    println!("A calculator at {url}; = is an answer, ! an error.\n");
    let calc = CalcClient::new(rpc::connect(&url, Router::new()).await?);

    say("add(40, 2)", &calc.add(40, 2).await);
    say("div(1, 0)", &calc.div(1, 0).await);
    say("add(i64::MAX, 1)", &calc.add(i64::MAX, 1).await);

    println!("\nThree calls at once, on one connection; the answers come as they are ready:");
    let begun = tokio::time::Instant::now();
    let call = |millis| {
        let (calc, begun) = (calc.clone(), begun);
        async move {
            let result = calc.ponder(millis).await;
            say(
                &format!("ponder({millis}), after about {} ms", (begun.elapsed().as_millis() + 25) / 50 * 50),
                &result,
            );
        }
    };
    tokio::join!(call(150), call(100), call(50));

    println!("\nA call that takes too long ends at its deadline, and one that nobody waits for ends too:");
    say("ponder(60000).deadline(50 ms)", &calc.ponder(60_000).deadline(Duration::from_millis(50)).await);
    let gave_up = timeout(Duration::from_millis(50), calc.ponder(60_000).into_future()).await.is_err();
    println!("{:<44} ? the caller gave up: {gave_up}", "ponder(60000), dropped after 50 ms");
    say("interrupted(), as the server counts them", &calc.interrupted().await);

    println!("\nWhat the service does not know, and what does not fit, is refused; the connection goes on:");
    let peer = calc.peer();
    say("sqrt(2)", &peer.call::<_, f64>("calc.sqrt", (2,)).error().await);
    say("add(\"forty\", 2)", &peer.call::<_, i64>("calc.add", ("forty", 2)).error().await);
    say("add(1, 1)", &calc.add(1, 1).await);

    let stats = peer.stats();
    println!("\nCalls in flight at the end: {}.", stats.calls_in_flight);
    Ok(())
}
