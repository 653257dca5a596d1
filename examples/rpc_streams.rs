//! Shows: all four kinds of call, a notification, and a server that calls its client while it serves it.
//! Run: `cargo run --example rpc_streams`
//! Next: `rpc_jsonrpc`, where a client that knows nothing of this crate uses a service.

use std::{collections::BTreeMap, time::Duration};

use converse::{
    Server, SessionOptions,
    rpc::{self, Context, Router, Status, Streaming},
};
use futures::{Stream, StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Row {
    product: String,
    pieces: u64,
}

/// What the server offers.
#[converse::service(name = "store")]
trait Store {
    /// One value in, one out.
    async fn pieces(&self, product: String) -> Result<u64, Status>;
    /// A stream out: counts down.
    fn countdown(&self, from: u32) -> impl Stream<Item = Result<u32, Status>>;
    /// A stream in: takes rows and tells how many pieces they were.
    async fn import(&self, rows: Streaming<Row>) -> Result<u64, Status>;
    /// A stream in and a stream out: sums up what has come so far.
    fn running_total(&self, rows: Streaming<Row>) -> impl Stream<Item = Result<u64, Status>>;
    /// Asks the caller before it does something that cannot be undone.
    async fn clear(&self, cx: Context) -> Result<String, Status>;
    /// One way.
    #[notify]
    async fn note(&self, text: String);
}

/// What the client offers to the server.
#[converse::service(name = "ui")]
trait Ui {
    /// Asks the user.
    async fn confirm(&self, question: String) -> Result<bool, Status>;
}

struct Shelf(BTreeMap<String, u64>);

impl Store for Shelf {
    async fn pieces(&self, product: String) -> Result<u64, Status> {
        let found = self.0.get(&product).copied();
        found.ok_or_else(|| Status::new(rpc::Code::NOT_FOUND, format!("no {product} here")))
    }

    fn countdown(&self, from: u32) -> impl Stream<Item = Result<u32, Status>> {
        stream::iter((1..=from).rev()).then(|left| async move {
            sleep(Duration::from_millis(20)).await;
            Ok(left)
        })
    }

    async fn import(&self, rows: Streaming<Row>) -> Result<u64, Status> {
        Ok(rows.try_fold(0, |sum, row| async move { Ok(sum + row.pieces) }).await?)
    }

    fn running_total(&self, rows: Streaming<Row>) -> impl Stream<Item = Result<u64, Status>> {
        rows.err_into().scan(0, |sum, row: Result<Row, Status>| {
            let total = row.map(|row| {
                *sum += row.pieces;
                *sum
            });
            async move { Some(total) }
        })
    }

    async fn clear(&self, cx: Context) -> Result<String, Status> {
        let ui: UiClient = cx.peer();
        match ui.confirm("Throw everything away?".into()).await? {
            true => Ok("everything is gone".into()),
            false => Ok("nothing has happened".into()),
        }
    }

    async fn note(&self, text: String) {
        println!("   server: noted {text:?}");
    }
}

struct Terminal;

impl Ui for Terminal {
    async fn confirm(&self, question: String) -> Result<bool, Status> {
        println!("   client: asked {question:?}, says no");
        Ok(false)
    }
}

fn rows() -> Vec<Row> {
    let row = |product: &str, pieces| Row { product: product.into(), pieces };
    vec![row("apples", 3), row("pears", 4), row("plums", 5)]
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let shelf = Shelf(rows().into_iter().map(|row| (row.product, row.pieces)).collect());
    let router = Router::new().service(StoreServer::new(shelf));
    let server = Server::new(SessionOptions::default()).rpc("/store", router).bind("127.0.0.1:0").await?;
    let url = format!("ws://{}/store", server.local_addr());
    tokio::spawn(server.serve());

    let client = Router::new().service(UiServer::new(Terminal));
    let store = StoreClient::new(rpc::connect(&url, client).await?);

    println!("1. A call: pieces(\"pears\") = {}", store.pieces("pears".into()).await?);

    println!("2. A stream from the server, with a call in between:");
    let mut countdown = store.countdown(4).await?;
    while let Some(left) = countdown.next().await {
        print!("   {}", left?);
        println!(
            "{}",
            if store.pieces("apples".into()).await.is_ok() { ", and the call passed" } else { "" }
        );
    }

    println!(
        "3. A stream to the server: import({} rows) = {}",
        rows().len(),
        store.import(stream::iter(rows())).await?
    );

    println!("4. Streams both ways, each total before the next row is sent:");
    let (send, receive) = tokio::sync::mpsc::channel::<Row>(1);
    let sent = stream::unfold(receive, |mut receive| async move { Some((receive.recv().await?, receive)) });
    let mut totals = store.running_total(sent).await?;
    for row in rows() {
        println!("   {row:?}");
        send.send(row).await?;
        println!("   total {}", totals.next().await.ok_or("the server hung up")??);
    }
    drop(send);
    println!("   end: {:?}", totals.next().await.is_none());

    println!("5. The server calls back before it answers:");
    println!("   clear() = {:?}", store.clear().await?);

    println!("6. A notification, and a stream that is given up:");
    store.note("one way".into()).await?;
    let begun = Instant::now();
    let mut endless = store.countdown(u32::MAX).await?;
    let first = endless.next().await.ok_or("the server hung up")??;
    drop(endless);
    println!(
        "   the first of {first} values came after {} ms; the others never will",
        begun.elapsed().as_millis()
    );
    Ok(())
}
