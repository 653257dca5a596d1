//! jsonrpsee, its server and its WebSocket client, with their default settings but for one.

use std::sync::Arc;

use converse_benches::{
    Result,
    typed::{Chat, Room},
};
use futures_util::{Stream, StreamExt};
use jsonrpsee::{
    RpcModule, SubscriptionMessage,
    core::{
        SubscriptionResult,
        client::{Client, ClientT, SubscriptionClientT},
    },
    rpc_params,
    server::{PendingSubscriptionSink, Server},
    types::ErrorObjectOwned,
};
use jsonrpsee_ws_client::WsClientBuilder;
use tokio::net::TcpListener;

use crate::{
    load::{Caller, Load},
    peers::{Calling, Serving},
};

/// How many items a reader may be behind before its subscription is ended. With the usual 1,024 one is ended now and then
/// here, since nothing makes the server wait for its reader.
const BEHIND: usize = 1 << 20;

pub(super) fn serve(listener: TcpListener) -> Serving {
    Box::pin(async move {
        let server = Server::builder().build_from_tcp(listener.into_std()?)?;
        server.start(module()?).stopped().await;
        Ok(())
    })
}

fn module() -> Result<RpcModule<()>> {
    let mut module = RpcModule::new(());
    module.register_async_method("add", |params, _, _| async move {
        let (a, b): (i64, i64) = params.parse()?;
        Ok::<_, ErrorObjectOwned>(a + b)
    })?;
    module.register_async_method("chat", |params, _, _| async move { params.one::<Chat>() })?;
    module.register_async_method("room", |params, _, _| async move { params.one::<Room>() })?;
    let lines = super::lines();
    module.register_subscription("subscribe_lines", "lines", "unsubscribe_lines", move |_, sink, _, _| {
        send(sink, lines)
    })?;
    Ok(module)
}

async fn send(pending: PendingSubscriptionSink, lines: &'static [Chat]) -> SubscriptionResult {
    let sink = pending.accept().await?;
    for line in lines.iter().cycle() {
        // The way that its documentation calls the more efficient one.
        sink.send(SubscriptionMessage::new(sink.method_name(), sink.subscription_id(), line)?).await?;
    }
    Ok(())
}

pub(super) fn call(address: String, load: Load) -> Calling {
    Box::pin(async move {
        let builder = WsClientBuilder::default().max_buffer_capacity_per_subscription(BEHIND);
        let client = builder.build(format!("ws://{address}")).await?;
        load.run(Arc::new(client)).await
    })
}

impl Caller for Arc<Client> {
    async fn add(&self, a: i64, b: i64) -> Result<i64> {
        Ok(self.request("add", rpc_params![a, b]).await?)
    }

    async fn chat(&self, chat: Chat) -> Result<Chat> {
        Ok(self.request("chat", rpc_params![chat]).await?)
    }

    async fn room(&self, room: Room) -> Result<Room> {
        Ok(self.request("room", rpc_params![room]).await?)
    }

    async fn lines(&self) -> Result<impl Stream<Item = Result<Chat>> + Send + Unpin> {
        let lines = self.subscribe("subscribe_lines", rpc_params![], "unsubscribe_lines").await?;
        Ok(lines.map(|line| Ok(line?)))
    }
}
