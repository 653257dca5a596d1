//! jsonrpsee's client at a server of this crate. Knows no frame: what is right is what jsonrpsee makes of it.
#![allow(clippy::unwrap_used, missing_docs)]

use std::{
    fmt,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use converse::{
    Server, SessionOptions,
    rpc::{Code, Context, Options, Peer, Protocol, Router, ServiceError, Status},
};
use futures::{Stream, StreamExt, future::join_all, stream};
use jsonrpsee_core::{
    client::{ClientT, Error, IdKind, Subscription, SubscriptionClientT, SubscriptionCloseReason},
    params::{BatchRequestBuilder, ObjectParams},
    rpc_params,
};
use jsonrpsee_ws_client::{WsClient, WsClientBuilder, types::ErrorObjectOwned};
use serde::{Deserialize, Serialize};
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};

/// Longer than anything here takes, however busy the machine is.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum CalcError {
    DivisionByZero { dividend: i64 },
}

impl fmt::Display for CalcError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("division by zero")
    }
}

impl ServiceError for CalcError {
    fn code(&self) -> Code {
        Code::new(1234)
    }
}

#[converse::service(name = "calc")]
trait Calc {
    async fn div(&self, a: i64, b: i64) -> Result<i64, CalcError>;
    async fn status(&self, code: i32) -> Result<(), Status>;
    async fn panics(&self) -> Result<(), Status>;
    /// Answers when the other half calls as well.
    async fn meet(&self, number: u32) -> Result<u32, Status>;
    async fn wait(&self) -> Result<(), Status>;
    #[notify]
    async fn log(&self, line: String);
    async fn logged(&self, lines: usize) -> Result<Vec<String>, Status>;
    #[method(name = "calc_subscribeCount")]
    fn count(&self, to: u64) -> impl Stream<Item = Result<u64, Status>>;
    #[method(name = "calc_subscribeBroken")]
    fn broken(&self, to: u64) -> impl Stream<Item = Result<u64, CalcError>>;
    #[method(name = "calc_subscribeTicks")]
    fn ticks(&self) -> impl Stream<Item = Result<u64, Status>>;
    /// Calls its caller, which serves nothing.
    async fn ask(&self, cx: Context) -> Result<String, Status>;
    async fn leave(&self, cx: Context) -> Result<(), Status>;
}

/// What the tests see of the service.
#[derive(Clone)]
struct Calculator(Arc<Inner>);

struct Inner {
    log: watch::Sender<Vec<String>>,
    met: watch::Sender<u32>,
    dropped: Arc<AtomicUsize>,
    going: Mutex<Option<tokio::task::JoinHandle<()>>>,
}

/// Counts that it is dropped.
struct Guard(Arc<AtomicUsize>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.fetch_add(1, SeqCst);
    }
}

impl Calculator {
    fn new() -> Self {
        Self(Arc::new(Inner {
            log: watch::Sender::default(),
            met: watch::Sender::default(),
            dropped: Arc::default(),
            going: Mutex::default(),
        }))
    }

    fn guard(&self) -> Guard {
        Guard(Arc::clone(&self.0.dropped))
    }

    /// Waits until so many handlers were dropped, and no more.
    async fn dropped(&self, expected: usize) {
        let waiting = async {
            while self.0.dropped.load(SeqCst) < expected {
                sleep(Duration::from_millis(2)).await;
            }
        };
        timeout(PATIENCE, waiting).await.unwrap();
        assert_eq!(self.0.dropped.load(SeqCst), expected);
    }
}

impl Calc for Calculator {
    async fn div(&self, a: i64, b: i64) -> Result<i64, CalcError> {
        a.checked_div(b).ok_or(CalcError::DivisionByZero { dividend: a })
    }

    async fn status(&self, code: i32) -> Result<(), Status> {
        Err(Status::new(Code::new(code), "as you wish"))
    }

    async fn panics(&self) -> Result<(), Status> {
        panic!("a handler that panics")
    }

    async fn meet(&self, number: u32) -> Result<u32, Status> {
        self.0.met.send_modify(|met| *met += 1);
        // The later a call comes, the earlier it is answered.
        let turn = MEETING - 1 - number;
        let mut met = self.0.met.subscribe();
        met.wait_for(|met| *met >= MEETING + turn).await.map_err(|_| Status::new(Code::INTERNAL, ""))?;
        self.0.met.send_modify(|met| *met += 1);
        Ok(number)
    }

    async fn wait(&self) -> Result<(), Status> {
        let _guard = self.guard();
        std::future::pending().await
    }

    async fn log(&self, line: String) {
        self.0.log.send_modify(|log| log.push(line));
    }

    async fn logged(&self, lines: usize) -> Result<Vec<String>, Status> {
        let mut log = self.0.log.subscribe();
        let log =
            log.wait_for(|log| log.len() >= lines).await.map_err(|_| Status::new(Code::INTERNAL, ""))?;
        Ok(log.clone())
    }

    fn count(&self, to: u64) -> impl Stream<Item = Result<u64, Status>> {
        stream::iter((1..=to).map(Ok))
    }

    fn broken(&self, to: u64) -> impl Stream<Item = Result<u64, CalcError>> {
        stream::iter((1..=to).map(Ok)).chain(stream::iter([Err(CalcError::DivisionByZero { dividend: 7 })]))
    }

    fn ticks(&self) -> impl Stream<Item = Result<u64, Status>> {
        stream::unfold((0, self.guard()), |(tick, guard)| async move {
            sleep(Duration::from_millis(1)).await;
            Some((Ok(tick), (tick + 1, guard)))
        })
    }

    async fn ask(&self, cx: Context) -> Result<String, Status> {
        let caller: Peer = cx.peer();
        caller.notify("told", ("before",)).await?;
        let name = caller.call("name", [(); 0]).deadline(Duration::from_millis(50)).await;
        caller.notify("told", ("after",)).await?;
        Ok(name?)
    }

    async fn leave(&self, cx: Context) -> Result<(), Status> {
        let caller: Peer = cx.peer();
        let going = tokio::spawn(async move {
            caller.go_away("restart", Duration::from_millis(500)).await;
        });
        *self.0.going.lock().unwrap() = Some(going);
        Ok(())
    }
}

const MEETING: u32 = 50;

async fn serve(options: Options) -> (Calculator, String) {
    let calculator = Calculator::new();
    // jsonrpsee asks for no subprotocol.
    let options = options.without_subprotocol(Protocol::json_rpc());
    let router = Router::new().service(CalcServer::new(calculator.clone())).options(options);
    let server = Server::new(SessionOptions::default()).rpc("/", router).bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/", server.local_addr());
    tokio::spawn(server.serve());
    (calculator, url)
}

async fn connected() -> (Calculator, WsClient) {
    let (calculator, url) = serve(Options::default()).await;
    let client = WsClientBuilder::default().request_timeout(PATIENCE).build(&url).await.unwrap();
    (calculator, client)
}

/// What a call failed with at the server.
fn failure<T: fmt::Debug>(result: Result<T, Error>) -> ErrorObjectOwned {
    match result {
        Err(Error::Call(error)) => error,
        other => panic!("{other:?}"),
    }
}

async fn next<T: serde::de::DeserializeOwned>(subscription: &mut Subscription<T>) -> Option<T> {
    timeout(PATIENCE, subscription.next()).await.unwrap().map(Result::unwrap)
}

fn named(names: &[(&str, i64)]) -> ObjectParams {
    let mut params = ObjectParams::new();
    names.iter().for_each(|(name, value)| params.insert(name, value).unwrap());
    params
}

#[tokio::test]
async fn arguments_come_by_position_and_by_name() {
    let (_, client) = connected().await;
    assert_eq!(client.request::<i64, _>("calc.div", rpc_params![84, 2]).await.unwrap(), 42);
    assert_eq!(client.request::<i64, _>("calc.div", named(&[("b", 2), ("a", 84)])).await.unwrap(), 42);
    let logged: Vec<String> = client.request("calc.logged", rpc_params![0]).await.unwrap();
    assert!(logged.is_empty());
}

#[tokio::test]
async fn errors_have_their_codes_and_their_data() {
    let (_, client) = connected().await;
    let error = failure(client.request::<i64, _>("calc.div", rpc_params![7, 0]).await);
    assert_eq!((error.code(), error.message()), (1234, "division by zero"));
    let data: CalcError = serde_json::from_str(error.data().unwrap().get()).unwrap();
    assert_eq!(data, CalcError::DivisionByZero { dividend: 7 });

    for (code, expected) in [(5, -32005), (3, -32602), (12, -32601), (13, -32603), (16, -32016), (4711, 4711)]
    {
        let error = failure(client.request::<(), _>("calc.status", rpc_params![code]).await);
        assert_eq!((error.code(), error.message()), (expected, "as you wish"));
        assert!(error.data().is_none());
    }
    let unknown = failure(client.request::<(), _>("calc.sqrt", rpc_params![2]).await);
    assert_eq!(unknown.code(), -32601);
    let unfit = failure(client.request::<i64, _>("calc.div", rpc_params!["84", 2]).await);
    assert_eq!(unfit.code(), -32602);
    let missing = failure(client.request::<i64, _>("calc.div", named(&[("a", 84)])).await);
    assert_eq!(missing.code(), -32602);
    let panicked = failure(client.request::<(), _>("calc.panics", rpc_params![]).await);
    assert_eq!((panicked.code(), panicked.message()), (-32603, ""));
    assert_eq!(client.request::<i64, _>("calc.div", rpc_params![84, 2]).await.unwrap(), 42);
}

#[tokio::test]
async fn a_batch_is_answered_as_one() {
    let (_, client) = connected().await;
    let mut batch = BatchRequestBuilder::new();
    batch.insert("calc.div", rpc_params![84, 2]).unwrap();
    batch.insert("calc.div", named(&[("a", 9), ("b", 0)])).unwrap();
    batch.insert("calc.sqrt", rpc_params![]).unwrap();
    batch.insert("calc.div", rpc_params![9, 3]).unwrap();
    let answers = client.batch_request::<i64>(batch).await.unwrap();
    assert_eq!((answers.num_successful_calls(), answers.num_failed_calls()), (2, 2));
    let answers: Vec<_> = answers.into_iter().map(|answer| answer.map_err(|error| error.code())).collect();
    assert_eq!(answers, [Ok(42), Err(1234), Err(-32601), Ok(3)]);
}

#[tokio::test]
async fn a_long_batch_is_answered() {
    let (_, client) = connected().await;
    let mut batch = BatchRequestBuilder::new();
    (0..500).for_each(|number| batch.insert("calc.div", rpc_params![number, 1]).unwrap());
    let answers = client.batch_request::<i64>(batch).await.unwrap();
    let answers: Vec<i64> = answers.into_ok().unwrap().collect();
    assert_eq!(answers, (0..500).collect::<Vec<i64>>());
}

#[tokio::test]
async fn notifications_are_executed() {
    let (_, client) = connected().await;
    for line in ["one", "two", "three"] {
        client.notification("calc.log", rpc_params![line]).await.unwrap();
    }
    // Nothing answers these, and nothing happens.
    client.notification("calc.sqrt", rpc_params![2]).await.unwrap();
    client.notification("calc.log", rpc_params![2]).await.unwrap();
    let logged: Vec<String> = client.request("calc.logged", rpc_params![3]).await.unwrap();
    assert_eq!(logged, ["one", "two", "three"]);
}

#[tokio::test]
async fn calls_are_answered_as_they_are_ready() {
    let (_, client) = connected().await;
    let order = Mutex::new(Vec::new());
    let calls = (0..MEETING).map(|number| {
        let (client, order) = (&client, &order);
        async move {
            let answer: u32 = client.request("calc.meet", rpc_params![number]).await.unwrap();
            assert_eq!(answer, number);
            order.lock().unwrap().push(number);
        }
    });
    timeout(PATIENCE, join_all(calls)).await.unwrap();
    let mut order = order.into_inner().unwrap();
    assert_ne!(order, (0..MEETING).collect::<Vec<_>>());
    order.sort_unstable();
    assert_eq!(order, (0..MEETING).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_subscription_ends_behind_its_last_item() {
    let (_, client) = connected().await;
    let count = client.subscribe("calc_subscribeCount", rpc_params![500], "calc_unsubscribeCount");
    let mut count: Subscription<u64> = count.await.unwrap();
    for expected in 1..=500 {
        assert_eq!(next(&mut count).await, Some(expected));
    }
    assert_eq!(next(&mut count).await, None);
    assert!(client.is_connected());
}

#[tokio::test]
async fn a_subscription_ends_with_an_error() {
    let (_, client) = connected().await;
    let broken = client.subscribe("calc_subscribeBroken", rpc_params![2], "calc_unsubscribeBroken");
    let mut broken: Subscription<u64> = broken.await.unwrap();
    assert_eq!(next(&mut broken).await, Some(1));
    assert_eq!(next(&mut broken).await, Some(2));
    // jsonrpsee tells nobody of the error.
    assert_eq!(next(&mut broken).await, None);
    assert!(client.is_connected());
}

#[tokio::test]
async fn a_subscription_that_is_refused_is_a_failed_call() {
    let (_, client) = connected().await;
    let none = client.subscribe::<u64, _>("calc_subscribeNone", rpc_params![], "calc_unsubscribeNone");
    assert_eq!(failure(none.await.map(|_| ())).code(), -32601);
    let unfit = client.subscribe::<u64, _>("calc_subscribeCount", rpc_params!["x"], "calc_unsubscribeCount");
    assert_eq!(failure(unfit.await.map(|_| ())).code(), -32602);
}

#[tokio::test]
async fn who_unsubscribes_ends_the_handler_and_no_other() {
    let (calculator, client) = connected().await;
    let mut ticks = Vec::new();
    for _ in 0..3 {
        let subscription = client.subscribe("calc_subscribeTicks", rpc_params![], "calc_unsubscribeTicks");
        let mut subscription: Subscription<u64> = subscription.await.unwrap();
        assert_eq!(next(&mut subscription).await, Some(0));
        ticks.push(subscription);
    }
    let last = ticks.pop().unwrap();
    timeout(PATIENCE, last.unsubscribe()).await.unwrap().unwrap();
    calculator.dropped(1).await;
    // Dropping is unsubscribing, too.
    drop(ticks.pop());
    calculator.dropped(2).await;
    let mut rest = ticks.pop().unwrap();
    for expected in 1..20 {
        assert_eq!(next(&mut rest).await, Some(expected));
    }
    calculator.dropped(2).await;
    assert!(client.is_connected());
    drop(client);
    calculator.dropped(3).await;
}

#[tokio::test]
async fn a_subscriber_that_lags_behind_unsubscribes() {
    let (calculator, url) = serve(Options::default()).await;
    let client =
        WsClientBuilder::default().max_buffer_capacity_per_subscription(4).build(&url).await.unwrap();
    let ticks = client.subscribe("calc_subscribeTicks", rpc_params![], "calc_unsubscribeTicks");
    let ticks: Subscription<u64> = ticks.await.unwrap();
    calculator.dropped(1).await;
    assert!(matches!(ticks.close_reason(), Some(SubscriptionCloseReason::Lagged)));
    assert_eq!(client.request::<i64, _>("calc.div", rpc_params![84, 2]).await.unwrap(), 42);
}

#[tokio::test]
async fn ids_may_be_texts() {
    let (calculator, url) = serve(Options::default()).await;
    let client = WsClientBuilder::default().id_format(IdKind::String).build(&url).await.unwrap();
    assert_eq!(client.request::<i64, _>("calc.div", rpc_params![84, 2]).await.unwrap(), 42);
    let mut batch = BatchRequestBuilder::new();
    batch.insert("calc.div", rpc_params![84, 2]).unwrap();
    batch.insert("calc.div", rpc_params![9, 3]).unwrap();
    let answers = client.batch_request::<i64>(batch).await.unwrap();
    assert_eq!(answers.into_ok().unwrap().collect::<Vec<_>>(), [42, 3]);
    let ticks = client.subscribe("calc_subscribeTicks", rpc_params![], "calc_unsubscribeTicks");
    let mut ticks: Subscription<u64> = ticks.await.unwrap();
    assert_eq!(next(&mut ticks).await, Some(0));
    timeout(PATIENCE, ticks.unsubscribe()).await.unwrap().unwrap();
    calculator.dropped(1).await;
}

#[tokio::test]
async fn a_client_that_serves_nothing_can_be_asked() {
    let (_, client) = connected().await;
    let mut told: Subscription<Vec<String>> = client.subscribe_to_method("told").await.unwrap();
    let unanswered = failure(client.request::<String, _>("calc.ask", rpc_params![]).await);
    assert_eq!(unanswered.code(), -32004);
    assert_eq!(next(&mut told).await, Some(vec!["before".to_owned()]));
    assert_eq!(next(&mut told).await, Some(vec!["after".to_owned()]));
    assert_eq!(client.request::<i64, _>("calc.div", rpc_params![84, 2]).await.unwrap(), 42);
}

#[tokio::test]
async fn the_server_ends_a_call_that_takes_too_long() {
    let (calculator, url) = serve(Options::default().deadline(Duration::from_millis(50))).await;
    let client = WsClientBuilder::default().request_timeout(PATIENCE).build(&url).await.unwrap();
    let late = failure(client.request::<(), _>("calc.wait", rpc_params![]).await);
    assert_eq!(late.code(), -32004);
    calculator.dropped(1).await;
    let mut batch = BatchRequestBuilder::new();
    batch.insert("calc.wait", rpc_params![]).unwrap();
    batch.insert("calc.div", rpc_params![84, 2]).unwrap();
    let answers = client.batch_request::<Option<i64>>(batch).await.unwrap();
    let answers: Vec<_> = answers.into_iter().map(|answer| answer.map_err(|error| error.code())).collect();
    assert_eq!(answers, [Err(-32004), Ok(Some(42))]);
    calculator.dropped(2).await;
}

#[tokio::test]
async fn a_client_that_waits_no_longer_takes_other_answers() {
    let (calculator, url) = serve(Options::default().deadline(Duration::from_secs(1))).await;
    let client =
        WsClientBuilder::default().request_timeout(Duration::from_millis(100)).build(&url).await.unwrap();
    let late = client.request::<(), _>("calc.wait", rpc_params![]).await;
    assert!(matches!(late, Err(Error::RequestTimeout)), "{late:?}");
    // Now the answer comes that nobody waits for.
    calculator.dropped(1).await;
    let client_lives = async {
        while client.request::<i64, _>("calc.div", rpc_params![84, 2]).await.is_err() {
            assert!(client.is_connected());
        }
    };
    timeout(PATIENCE, client_lives).await.unwrap();
}

#[tokio::test]
async fn calls_over_the_limit_are_refused_at_once() {
    let (calculator, url) = serve(Options::default().in_flight(4)).await;
    let client = Arc::new(WsClientBuilder::default().request_timeout(PATIENCE).build(&url).await.unwrap());
    let waiting: Vec<_> = (0..4)
        .map(|_| {
            let client = Arc::clone(&client);
            tokio::spawn(async move { client.request::<(), _>("calc.wait", rpc_params![]).await })
        })
        .collect();
    let refused = async {
        loop {
            match client.request::<i64, _>("calc.div", rpc_params![84, 2]).await {
                Ok(_) => tokio::task::yield_now().await,
                Err(error) => return failure::<()>(Err(error)),
            }
        }
    };
    assert_eq!(timeout(PATIENCE, refused).await.unwrap().code(), -32008);
    waiting.iter().for_each(|call| call.abort());
    drop(waiting);
    drop(client);
    calculator.dropped(4).await;
}

#[tokio::test]
async fn a_server_that_goes_away_answers_first() {
    let (calculator, client) = connected().await;
    client.request::<(), _>("calc.leave", rpc_params![]).await.unwrap();
    timeout(PATIENCE, client.on_disconnect()).await.unwrap();
    assert!(!client.is_connected());
    let going = calculator.0.going.lock().unwrap().take().unwrap();
    timeout(PATIENCE, going).await.unwrap().unwrap();
    let after = client.request::<i64, _>("calc.div", rpc_params![84, 2]).await;
    assert!(matches!(after, Err(Error::RestartNeeded(_))), "{after:?}");
}
