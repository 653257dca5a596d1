//! tarpc over its own TCP transport, with its default settings, and with `TCP_NODELAY` as all the others have it.

use converse_benches::{
    Result,
    typed::{Chat, Room},
};
use futures_util::{Stream, StreamExt, stream};
use tarpc::{
    ClientMessage, Response, Transport,
    client::Config,
    context::{self, Context},
    serde_transport::tcp,
    server::{BaseChannel, Channel},
    tokio_serde::formats::{Bincode, Json},
};
use tokio::net::TcpListener;

use crate::{
    load::{Caller, Load},
    peers::{Calling, Serving},
};

#[tarpc::service]
trait Calc {
    async fn add(a: i64, b: i64) -> i64;
    async fn chat(chat: Chat) -> Chat;
    async fn room(room: Room) -> Room;
}

#[derive(Clone, Copy)]
struct Calculator;

impl Calc for Calculator {
    async fn add(self, _: Context, a: i64, b: i64) -> i64 {
        a + b
    }

    async fn chat(self, _: Context, chat: Chat) -> Chat {
        chat
    }

    async fn room(self, _: Context, room: Room) -> Room {
        room
    }
}

/// In the format of most of its examples.
pub(super) fn serve_bincode(listener: TcpListener) -> Serving {
    Box::pin(async move {
        let mut incoming = tcp::listen_on(listener, Bincode::default).await?;
        while let Some(transport) = incoming.next().await {
            let transport = transport?;
            transport.get_ref().set_nodelay(true)?;
            handle(transport);
        }
        Ok(())
    })
}

/// In the format that can be compared with the others' JSON.
pub(super) fn serve_json(listener: TcpListener) -> Serving {
    Box::pin(async move {
        let mut incoming = tcp::listen_on(listener, Json::default).await?;
        while let Some(transport) = incoming.next().await {
            let transport = transport?;
            transport.get_ref().set_nodelay(true)?;
            handle(transport);
        }
        Ok(())
    })
}

fn handle<T>(transport: T)
where
    T: Transport<Response<CalcResponse>, ClientMessage<CalcRequest>> + Send + 'static,
    T::Error: Send + Sync,
{
    let channel = BaseChannel::with_defaults(transport);
    tokio::spawn(channel.execute(Calculator.serve()).for_each(|response| async move {
        tokio::spawn(response);
    }));
}

pub(super) fn call_bincode(address: String, load: Load) -> Calling {
    Box::pin(async move {
        let transport = tcp::connect(address, Bincode::default).await?;
        transport.get_ref().set_nodelay(true)?;
        load.run(CalcClient::new(Config::default(), transport).spawn()).await
    })
}

pub(super) fn call_json(address: String, load: Load) -> Calling {
    Box::pin(async move {
        let transport = tcp::connect(address, Json::default).await?;
        transport.get_ref().set_nodelay(true)?;
        load.run(CalcClient::new(Config::default(), transport).spawn()).await
    })
}

impl Caller for CalcClient {
    async fn add(&self, a: i64, b: i64) -> Result<i64> {
        Ok(CalcClient::add(self, context::current(), a, b).await?)
    }

    async fn chat(&self, chat: Chat) -> Result<Chat> {
        Ok(CalcClient::chat(self, context::current(), chat).await?)
    }

    async fn room(&self, room: Room) -> Result<Room> {
        Ok(CalcClient::room(self, context::current(), room).await?)
    }

    async fn lines(&self) -> Result<impl Stream<Item = Result<Chat>> + Send + Unpin> {
        Err::<stream::Pending<_>, _>("tarpc has no streams".into())
    }
}
