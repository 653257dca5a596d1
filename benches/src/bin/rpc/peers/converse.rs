//! The crate itself, as its documentation has it.

use converse::{
    Server, SessionOptions,
    rpc::{self, CallError, Context, Options, Peer, Protocol, Router, Status},
};
use converse_benches::{
    Result,
    typed::{Chat, Room},
};
use futures_util::{Stream, StreamExt, stream};
use tokio::net::TcpListener;

use crate::{
    load::{Caller, Load},
    peers::{Calling, Serving},
};

/// Serves in one protocol.
pub(super) fn serve(listener: TcpListener, protocol: Protocol) -> Serving {
    let lines = super::lines();
    let router = Router::new()
        .options(options(protocol))
        .call("add", |_: Context, (a, b): (i64, i64)| async move { Ok::<_, Status>(a + b) })
        .call("chat", |_: Context, (chat,): (Chat,)| async move { Ok::<_, Status>(chat) })
        .call("room", |_: Context, (room,): (Room,)| async move { Ok::<_, Status>(room) })
        .stream("subscribe_lines", move |_: Context, _: [(); 0]| {
            stream::iter(lines.iter().cycle().map(Ok::<_, Status>))
        });
    Box::pin(async move {
        Server::new(SessionOptions::default()).rpc("/", router).listen(listener)?.serve().await;
        Ok(())
    })
}

/// Calls in one protocol.
pub(super) fn call(address: String, load: Load, protocol: Protocol) -> Calling {
    call_with(address, load, options(protocol))
}

/// The same, with streams that may be 1,024 items ahead.
pub(super) fn call_far_ahead(address: String, load: Load, protocol: Protocol) -> Calling {
    call_with(address, load, options(protocol).window(1024).window_bytes(1024 * 1024))
}

/// One protocol, with ends too that agree on none, as jsonrpsee's.
fn options(protocol: Protocol) -> Options {
    Options::default().protocols([protocol.clone()]).without_subprotocol(protocol)
}

fn call_with(address: String, load: Load, options: Options) -> Calling {
    Box::pin(async move {
        let peer = rpc::connect(&format!("ws://{address}/"), Router::new().options(options)).await?;
        load.run(peer).await
    })
}

impl Caller for Peer {
    async fn add(&self, a: i64, b: i64) -> Result<i64> {
        Ok(self.call("add", (a, b)).await?)
    }

    async fn chat(&self, chat: Chat) -> Result<Chat> {
        Ok(self.call("chat", (chat,)).await?)
    }

    async fn room(&self, room: Room) -> Result<Room> {
        Ok(self.call("room", (room,)).await?)
    }

    async fn lines(&self) -> Result<impl Stream<Item = Result<Chat>> + Send + Unpin> {
        let lines = self.open("subscribe_lines", [(); 0]).await?;
        Ok(lines.map(|line: std::result::Result<Chat, CallError>| Ok(line?)))
    }
}
