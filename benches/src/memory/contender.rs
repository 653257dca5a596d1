//! Who echoes in memory. No handshake is needed by any of them.

use std::{future::Future, pin::Pin};

use bytes::Bytes;
use converse::{Session, SessionOptions, frame::Role};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_tungstenite::{WebSocketStream, tungstenite::protocol};

use crate::{Result, batched::UntilWait, echo, memory::Duplex};

/// An echo under way.
type Echoing = Pin<Box<dyn Future<Output = Result<()>> + Send>>;

/// One that echoes.
#[derive(Clone, Copy, Debug)]
pub struct Contender {
    /// What it is called, as in the bin `server`.
    pub name: &'static str,
    /// What it takes a connection with. All end in an error, because the connection ends without a Close frame.
    pub(super) echo: fn(Duplex) -> Echoing,
    /// Whether its replies are unmasked frames, and not just what came.
    pub(super) frames: bool,
}

/// All of them.
pub const CONTENDERS: [Contender; 10] = [
    Contender { name: "plain copy", echo: copy, frames: false },
    Contender { name: "converse", echo: converse, frames: true },
    Contender { name: "tungstenite", echo: tungstenite, frames: true },
    Contender { name: "tungstenite-batched", echo: tungstenite_batched, frames: true },
    Contender { name: "fastwebsockets", echo: fastwebsockets, frames: true },
    Contender { name: "fastwebsockets-batched", echo: fastwebsockets_batched, frames: true },
    Contender { name: "tokio-websockets", echo: tokio_websockets, frames: true },
    Contender { name: "tokio-websockets-batched", echo: tokio_websockets_batched, frames: true },
    Contender { name: "yawc", echo: yawc, frames: true },
    Contender { name: "yawc-batched", echo: yawc_batched, frames: true },
];

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
