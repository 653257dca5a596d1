//! A trait as a service: its client and its server over every format, and what becomes of their arguments.
#![allow(clippy::unwrap_used)]

use std::{
    fmt,
    sync::{Arc, Mutex},
};

use converse::{
    CborConverter, JsonConverter, Message, MessagePackConverter, Server, SessionOptions,
    rpc::{
        self, CallError, Code, Context, Kind, Options, Peer, Protocol, Router, ServiceError, Status,
        Streaming,
    },
};
use futures::{Stream, StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum CalcError {
    Overflow { by: i64 },
    Lost(String),
}

impl fmt::Display for CalcError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

impl ServiceError for CalcError {
    fn code(&self) -> Code {
        Code::OUT_OF_RANGE
    }
}

impl<E: ServiceError> From<CallError<E>> for CalcError {
    fn from(error: CallError<E>) -> Self {
        Self::Lost(error.to_string())
    }
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Row {
    name: String,
    value: i64,
}

type Counted<T> = Result<T, CalcError>;

/// Every kind of method, in every way to write it.
#[converse::service(name = "calc")]
trait Calc: fmt::Debug {
    /// Adds two numbers.
    async fn add(&self, cx: Context, a: i64, b: i64) -> Result<i64, CalcError>;
    fn ticks(&self, from: u64, to: Option<u64>) -> impl Stream<Item = Counted<u64>>;
    async fn import(&self, cx: Context, offset: i64, rows: Streaming<Row>) -> Result<i64, CalcError>;
    fn chat(&self, said: Streaming<String>) -> impl Stream<Item = Result<String, CalcError>>;
    #[notify]
    async fn log(&self, cx: Context, line: String);
    /// Calls back.
    #[method(name = "calc/ask")]
    async fn ask(&self, cx: Context) -> Result<String, Status>;
    async fn lines(&self) -> Counted<Vec<String>>;
    async fn double(&self, r#type: i64) -> Result<i64, CalcError> {
        Ok(r#type * 2)
    }
}

/// Has its name from the trait.
#[converse::service]
trait UserInterface {
    async fn confirm(&self, question: String) -> Result<bool, Status>;
}

#[derive(Debug)]
struct Desk {
    lines: Mutex<Vec<String>>,
    /// Streams borrow the service.
    step: u64,
}

impl Desk {
    fn new() -> Self {
        Self { lines: Mutex::default(), step: 1 }
    }
}

impl Calc for Desk {
    async fn add(&self, cx: Context, a: i64, b: i64) -> Result<i64, CalcError> {
        assert_eq!((cx.method(), cx.kind()), ("calc.add", Kind::Unary));
        a.checked_add(b).ok_or(CalcError::Overflow { by: b })
    }

    fn ticks(&self, from: u64, to: Option<u64>) -> impl Stream<Item = Counted<u64>> {
        let step = &self.step;
        let ticks = (from..to.unwrap_or(from + 3)).map(move |tick| Ok(tick * step));
        stream::iter(ticks).chain(stream::once(async { Err(CalcError::Overflow { by: 1 }) }))
    }

    async fn import(&self, _: Context, offset: i64, rows: Streaming<Row>) -> Result<i64, CalcError> {
        let values = rows.map_ok(|row| row.value);
        Ok(values.try_fold(offset, |sum, value| async move { Ok(sum + value) }).await?)
    }

    fn chat(&self, said: Streaming<String>) -> impl Stream<Item = Result<String, CalcError>> {
        said.map(|line| Ok(line?.to_uppercase()))
    }

    async fn log(&self, cx: Context, line: String) {
        assert_eq!(cx.kind(), Kind::Notify);
        self.lines.lock().unwrap().push(line);
    }

    async fn ask(&self, cx: Context) -> Result<String, Status> {
        let user: UserInterfaceClient = cx.peer();
        Ok(if user.confirm("sure?".into()).await? { "yes" } else { "no" }.into())
    }

    async fn lines(&self) -> Counted<Vec<String>> {
        Ok(self.lines.lock().unwrap().clone())
    }
}

struct Agrees;

impl UserInterface for Agrees {
    async fn confirm(&self, question: String) -> Result<bool, Status> {
        Ok(question == "sure?")
    }
}

fn peer(protocol: Protocol) -> Peer {
    let options = Options::default().protocols([protocol]);
    let server = Router::new().options(options).service(CalcServer::new(Desk::new()));
    rpc::duplex_with(server, Router::new().service(UserInterfaceServer::new(Agrees))).1
}

fn protocols() -> [Protocol; 4] {
    [
        Protocol::converse(JsonConverter::default()),
        Protocol::converse(MessagePackConverter::default()),
        Protocol::converse(CborConverter::default()),
        Protocol::json_rpc(),
    ]
}

#[tokio::test]
async fn a_call_has_an_answer_or_the_error_of_its_method() {
    for protocol in protocols() {
        let calc = CalcClient::new(peer(protocol));
        assert_eq!(calc.add(40, 2).await.unwrap(), 42);
        let error = calc.add(i64::MAX, 7).await.unwrap_err();
        assert_eq!(error.app(), Some(CalcError::Overflow { by: 7 }));
        assert_eq!(calc.double(21).await.unwrap(), 42);
    }
}

#[tokio::test]
async fn streams_go_either_way_and_both() {
    for protocol in protocols() {
        let calc = CalcClient::new(peer(protocol));

        let ticks: Vec<_> = calc.ticks(5, Some(7)).await.unwrap().collect().await;
        assert_eq!(ticks.len(), 3);
        assert!(matches!(ticks[..], [Ok(5), Ok(6), Err(CallError::App(CalcError::Overflow { by: 1 }))]));

        let row = |value| Row { name: "row".into(), value };
        assert_eq!(calc.import(100, stream::iter((0..1000).map(row))).await.unwrap(), 100 + 499_500);

        let said = stream::iter(["a", "b"].map(str::to_owned));
        let heard: Vec<String> = calc.chat(said).await.unwrap().try_collect().await.unwrap();
        assert_eq!(heard, ["A", "B"]);
    }
}

#[tokio::test]
async fn a_notification_arrives_and_a_handler_calls_back() {
    for protocol in protocols() {
        let calc: CalcClient = peer(protocol).into();
        calc.log("hello".into()).await.unwrap();
        // Notifications are handled beside the calls behind them.
        while calc.lines().await.unwrap() != ["hello"] {
            tokio::task::yield_now().await;
        }
        assert_eq!(calc.ask().await.unwrap(), "yes");
    }
}

#[tokio::test]
async fn a_service_may_be_used_beside_its_server() {
    let desk = Arc::new(Desk::new());
    let peer = rpc::duplex(Router::new().service(CalcServer::from_arc(Arc::clone(&desk))));
    let calc = CalcClient::new(peer);
    desk.lines.lock().unwrap().push("from here".into());
    assert_eq!(calc.lines().await.unwrap(), ["from here"]);
}

/// Arguments by name, as JSON-RPC has them.
#[derive(Serialize)]
struct Named {
    b: i64,
    unknown: bool,
    a: i64,
}

#[derive(Serialize)]
struct FromOnly {
    from: u64,
}

#[derive(Serialize)]
struct NoNames {}

#[tokio::test]
async fn arguments_come_in_order_or_by_name() {
    for protocol in protocols() {
        let peer = peer(protocol);
        let named = Named { b: 2, unknown: true, a: 40 };
        assert_eq!(peer.call::<_, i64>("calc.add", named).await.unwrap(), 42);
        // A raw identifier is no part of the name.
        let map = std::collections::HashMap::from([("type", 21)]);
        assert_eq!(peer.call::<_, i64>("calc.double", map).await.unwrap(), 42);

        // An option may be left out, by name and at the end.
        let asked =
            [peer.open("calc.ticks", FromOnly { from: 5 }).await, peer.open("calc.ticks", (5,)).await];
        for ticks in asked {
            let ticks: Vec<Result<u64, _>> = ticks.unwrap().take(3).collect().await;
            assert!(matches!(ticks[..], [Ok(5), Ok(6), Ok(7)]));
        }

        // No arguments are an empty array or an empty object.
        assert!(peer.call::<_, Vec<String>>("calc.lines", [(); 0]).await.unwrap().is_empty());
        assert!(peer.call::<_, Vec<String>>("calc.lines", NoNames {}).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn no_params_are_no_arguments() {
    let router = Router::new().service(CalcServer::new(Desk::new()));
    let server = Server::new(SessionOptions::default()).rpc("/", router).bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/", server.local_addr());
    tokio::spawn(server.serve());

    let options = SessionOptions::default().subprotocol("converse.v1.json");
    let mut session = converse::connect(&url, options).await.unwrap();
    session.send(r#"{"hello":{"v":1}}"#).await.unwrap();
    session.send(r#"{"id":1,"method":"calc.lines"}"#).await.unwrap();
    let answer = loop {
        let Message::Text(text) = session.receive().await.unwrap().unwrap() else { panic!("not a text") };
        if let Some(answer) = text.as_str().lines().find(|line| line.contains("\"id\"")) {
            break answer.to_owned();
        }
    };
    assert_eq!(answer, r#"{"id":1,"result":[]}"#);
}

#[tokio::test]
async fn arguments_that_do_not_fit_are_refused() {
    for protocol in protocols() {
        let peer = peer(protocol);
        let refused = [
            peer.call::<_, i64>("calc.add", (40,)).await,
            peer.call::<_, i64>("calc.double", (1, 2)).await,
            peer.call::<_, i64>("calc.double", ("one",)).await,
            peer.call::<_, i64>("calc.double", NoNames {}).await,
            peer.call::<_, i64>("calc.lines", (1,)).await,
        ];
        for refused in refused {
            assert_eq!(refused.unwrap_err().code(), Code::INVALID_ARGUMENT);
        }
        let short = peer.call::<_, i64>("calc.add", (40,)).await.unwrap_err().to_string();
        assert!(short.contains("expected the arguments (a, b)"), "{short}");
    }
}

#[test]
fn a_descriptor_tells_what_the_trait_says() {
    let descriptor = CalcServer::DESCRIPTOR;
    assert_eq!(descriptor.name, "calc");
    let kinds: Vec<_> = descriptor.methods.iter().map(|method| (method.name, method.kind)).collect();
    assert_eq!(
        kinds,
        [
            ("calc.add", Kind::Unary),
            ("calc.ticks", Kind::ServerStream),
            ("calc.import", Kind::ClientStream),
            ("calc.chat", Kind::BidiStream),
            ("calc.log", Kind::Notify),
            ("calc/ask", Kind::Unary),
            ("calc.lines", Kind::Unary),
            ("calc.double", Kind::Unary),
        ]
    );
    assert_eq!(
        serde_json::to_value(&descriptor.methods[2]).unwrap(),
        serde_json::json!({
            "name": "calc.import",
            "kind": "client_stream",
            "args": [{"name": "offset", "ty": "i64"}],
            "sends": "Row",
            "returns": "i64",
            "error": "CalcError",
        })
    );
    // What an alias stands for is not seen.
    let lines = &descriptor.methods[6];
    assert_eq!((lines.returns, lines.error), ("Counted<Vec<String>>", ""));
    assert_eq!(UserInterfaceServer::DESCRIPTOR.methods[0].name, "user_interface.confirm");
}

#[test]
fn a_client_is_cheap_to_copy_and_shows_itself() {
    fn is<T: Clone + fmt::Debug + Send + Sync + Unpin + 'static>() {}
    is::<CalcClient>();
}
