//! Shows: the same kind of service, used by a plain JSON-RPC 2.0 client that knows nothing of this crate: every text that
//! goes over the wire, with a batch, an error, a subscription, and a call from the server to the client.
//! Run: `cargo run --example rpc_jsonrpc`
//! Next: the guides `rpc`, `wire` and `json_rpc`.

use std::time::Duration;

use converse::{
    Server, SessionOptions,
    rpc::{Code, Context, Options, Peer, Protocol, Router, Status},
};
use futures::{SinkExt, Stream, StreamExt, stream};
use tokio_tungstenite::tungstenite::Message;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

#[converse::service(name = "calc")]
trait Calc {
    /// Arguments come by their order or by their names.
    async fn div(&self, a: i64, b: i64) -> Result<i64, Status>;
    /// A stream is a subscription there.
    #[method(name = "calc_subscribe")]
    fn count(&self, to: u64) -> impl Stream<Item = Result<u64, Status>>;
    /// Asks its caller.
    async fn greet(&self, cx: Context) -> Result<String, Status>;
    #[notify]
    async fn log(&self, line: String);
}

struct Calculator;

impl Calc for Calculator {
    async fn div(&self, a: i64, b: i64) -> Result<i64, Status> {
        a.checked_div(b).ok_or_else(|| Status::new(Code::OUT_OF_RANGE, "division by zero"))
    }

    fn count(&self, to: u64) -> impl Stream<Item = Result<u64, Status>> {
        stream::iter(1..=to).then(|value| async move {
            tokio::time::sleep(Duration::from_millis(10)).await;
            Ok(value)
        })
    }

    async fn greet(&self, cx: Context) -> Result<String, Status> {
        let caller: Peer = cx.peer();
        let name: String = caller.call("name", [(); 0]).await?;
        Ok(format!("Hello {name}"))
    }

    async fn log(&self, line: String) {
        println!("   (the server logs {line:?})");
    }
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    // Plain clients ask for no subprotocol, so the server says what that means.
    let options = Options::default().without_subprotocol(Protocol::json_rpc());
    let router = Router::new().service(CalcServer::new(Calculator)).options(options);
    let server = Server::new(SessionOptions::default()).rpc("/", router).bind("127.0.0.1:0").await?;
    let url = format!("ws://{}/", server.local_addr());
    tokio::spawn(server.serve());

    println!("A plain client says > and hears < at {url}:\n");
    let (mut socket, _) = tokio_tungstenite::connect_async(&url).await?;
    let conversation = [
        // What is said, and how many texts are heard then.
        (r#"{"jsonrpc":"2.0","method":"calc.div","params":[84,2],"id":1}"#, 1),
        (r#"{"jsonrpc":"2.0","method":"calc.div","params":{"a":1,"b":0},"id":"by name"}"#, 1),
        (r#"{"jsonrpc":"2.0","method":"calc.log","params":["no answer to this"]}"#, 0),
        (
            r#"[{"jsonrpc":"2.0","method":"calc.div","params":[9,3],"id":2},{"jsonrpc":"2.0","method":"calc.sqrt","id":3}]"#,
            1,
        ),
        (r#"{"jsonrpc":"2.0","method":"calc_subscribe","params":[3],"id":4}"#, 5),
        (r#"{"jsonrpc":"2.0","method":"calc.greet","params":[],"id":5}"#, 1),
        (r#"{"jsonrpc":"2.0","result":"Ada","id":2}"#, 1),
        ("that is no JSON", 1),
    ];
    for (said, answers) in conversation {
        println!("> {said}");
        socket.send(Message::text(said)).await?;
        for _ in 0..answers {
            let heard = socket.next().await.ok_or("the server hung up")??;
            println!("< {heard}");
        }
    }
    socket.close(None).await?;
    Ok(())
}
