//! Who echoes in memory. No handshake is needed by any of them.

use std::{future::Future, pin::Pin};

use bytes::Bytes;
use converse::{JsonConverter, Session, SessionOptions, frame::Role};
use fastwebsockets::{FragmentCollector, Frame, OpCode, Payload};
use futures_util::StreamExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_tungstenite::{WebSocketStream, tungstenite::protocol};

use crate::{
    Result,
    batched::UntilWait,
    echo,
    memory::{Duplex, Task},
    typed::{Chat, Format, Json},
};

/// An echo under way.
type Echoing = Pin<Box<dyn Future<Output = Result<()>> + Send>>;

/// One that echoes.
#[derive(Clone, Copy, Debug)]
pub struct Contender {
    /// What it is called, as in the bin `server`.
    pub name: &'static str,
    /// What it takes a connection with. All end in an error, because the connection ends without a Close frame.
    pub(super) echo: fn(Duplex) -> Echoing,
    /// What it does.
    pub task: Task,
    /// Whether its replies are unmasked frames, and not just what came.
    pub(super) frames: bool,
}

/// All of them.
pub const CONTENDERS: [Contender; 16] = [
    Contender { name: "plain copy", echo: copy, task: Task::Echo, frames: false },
    Contender { name: "converse", echo: converse, task: Task::Echo, frames: true },
    Contender { name: "tungstenite", echo: tungstenite, task: Task::Echo, frames: true },
    Contender { name: "tungstenite-batched", echo: tungstenite_batched, task: Task::Echo, frames: true },
    Contender { name: "fastwebsockets", echo: fastwebsockets, task: Task::Echo, frames: true },
    Contender {
        name: "fastwebsockets-batched",
        echo: fastwebsockets_batched,
        task: Task::Echo,
        frames: true,
    },
    Contender { name: "tokio-websockets", echo: tokio_websockets, task: Task::Echo, frames: true },
    Contender {
        name: "tokio-websockets-batched",
        echo: tokio_websockets_batched,
        task: Task::Echo,
        frames: true,
    },
    Contender { name: "yawc", echo: yawc, task: Task::Echo, frames: true },
    Contender { name: "yawc-batched", echo: yawc_batched, task: Task::Echo, frames: true },
    Contender { name: "converse-json", echo: converse_json, task: Task::EchoJson, frames: true },
    Contender { name: "fastwebsockets-json", echo: fastwebsockets_json, task: Task::EchoJson, frames: true },
    Contender { name: "converse-client", echo: converse_client, task: Task::Receive, frames: true },
    Contender {
        name: "converse-joined-client",
        echo: converse_joined_client,
        task: Task::Receive,
        frames: true,
    },
    Contender {
        name: "fastwebsockets-client",
        echo: fastwebsockets_client,
        task: Task::Receive,
        frames: true,
    },
    Contender {
        name: "tokio-websockets-client",
        echo: tokio_websockets_client,
        task: Task::Receive,
        frames: true,
    },
];

fn converse_json(duplex: Duplex) -> Echoing {
    Box::pin(async {
        let options = SessionOptions::default().content_converter(JsonConverter::default());
        let echo = |mut session: Session| async move {
            while let Some(value) = session.receive_deserialized::<Chat>().await? {
                session.send_serialized(&value).await?;
            }
            converse::Result::<()>::Ok(())
        };
        drop(Session::run_over(duplex, Role::Server, &options, echo).await);
        Ok(())
    })
}

fn fastwebsockets_json(duplex: Duplex) -> Echoing {
    let (duplex, role) = (UntilWait::new(duplex), fastwebsockets::Role::Server);
    Box::pin(async move {
        let mut socket = FragmentCollector::new(fastwebsockets::WebSocket::after_handshake(duplex, role));
        loop {
            let frame = socket.read_frame().await?;
            if matches!(frame.opcode, OpCode::Text | OpCode::Binary) {
                let reply = Json::encode(&Json::decode::<Chat>(&frame.payload)?)?;
                socket.write_frame(Frame::text(Payload::Owned(reply))).await?;
            }
        }
    })
}

/// The driver has a task of its own, as a client's has.
fn converse_client(duplex: Duplex) -> Echoing {
    Box::pin(async {
        let mut session = Session::over(duplex, Role::Client, &SessionOptions::default());
        while session.receive().await?.is_some() {}
        Ok(())
    })
}

/// The handler runs beside the driver.
fn converse_joined_client(duplex: Duplex) -> Echoing {
    Box::pin(async {
        let receive = |mut session: Session| async move {
            while session.receive().await?.is_some() {}
            converse::Result::<()>::Ok(())
        };
        drop(Session::run_over(duplex, Role::Client, &SessionOptions::default(), receive).await);
        Ok(())
    })
}

fn fastwebsockets_client(duplex: Duplex) -> Echoing {
    let role = fastwebsockets::Role::Client;
    Box::pin(async move {
        let mut socket = FragmentCollector::new(fastwebsockets::WebSocket::after_handshake(duplex, role));
        loop {
            socket.read_frame().await?;
        }
    })
}

fn tokio_websockets_client(duplex: Duplex) -> Echoing {
    Box::pin(async move {
        let limits = tokio_websockets::Limits::unlimited();
        let mut socket = tokio_websockets::ClientBuilder::new().limits(limits).take_over(duplex);
        while let Some(message) = socket.next().await {
            message?;
        }
        Ok(())
    })
}

/// One read into 64 KiB, one copy to where it would be kept, one write.
fn copy(mut duplex: Duplex) -> Echoing {
    Box::pin(async move {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let read = duplex.read(&mut buffer).await?;
            if read == 0 {
                return Ok(());
            }
            duplex.write_all(&Bytes::copy_from_slice(&buffer[..read])).await?;
        }
    })
}

/// The handler runs beside the driver in one task, as a server has it.
fn converse(duplex: Duplex) -> Echoing {
    Box::pin(async {
        let options = SessionOptions::default();
        let (outcome, _) = Session::run_over(duplex, Role::Server, &options, echo::converse).await;
        drop(outcome);
        Ok(())
    })
}

fn tungstenite(duplex: Duplex) -> Echoing {
    Box::pin(async {
        echo::tungstenite(WebSocketStream::from_raw_socket(duplex, protocol::Role::Server, None).await).await
    })
}

fn tungstenite_batched(duplex: Duplex) -> Echoing {
    Box::pin(async {
        let socket = WebSocketStream::from_raw_socket(duplex, protocol::Role::Server, None).await;
        echo::tungstenite_batched(socket).await
    })
}

fn fastwebsockets(duplex: Duplex) -> Echoing {
    let role = fastwebsockets::Role::Server;
    Box::pin(echo::fastwebsockets(fastwebsockets::WebSocket::after_handshake(duplex, role)))
}

fn fastwebsockets_batched(duplex: Duplex) -> Echoing {
    let (duplex, role) = (UntilWait::new(duplex), fastwebsockets::Role::Server);
    Box::pin(echo::fastwebsockets(fastwebsockets::WebSocket::after_handshake(duplex, role)))
}

fn tokio_websockets(duplex: Duplex) -> Echoing {
    Box::pin(echo::tokio_websockets(echo::tokio_websockets_builder().serve(duplex)))
}

fn tokio_websockets_batched(duplex: Duplex) -> Echoing {
    Box::pin(echo::tokio_websockets_batched(echo::tokio_websockets_builder().serve(duplex)))
}

fn yawc(duplex: Duplex) -> Echoing {
    let socket = yawc::WebSocket::from_stream(duplex, yawc::Role::Server, echo::yawc_options());
    Box::pin(async { echo::yawc(socket?).await })
}

fn yawc_batched(duplex: Duplex) -> Echoing {
    let socket = yawc::WebSocket::from_stream(duplex, yawc::Role::Server, echo::yawc_options());
    Box::pin(async { echo::yawc_batched(socket?).await })
}
