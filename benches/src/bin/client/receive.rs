//! The contenders: each connects as its README does, and receives.

use bytes::Bytes;
use converse::SessionOptions;
use converse_benches::{Result, echo};
use fastwebsockets::{FragmentCollector, OpCode, handshake};
use futures_util::StreamExt;
use http_body_util::Empty;
use hyper::{
    Request,
    header::{CONNECTION, HOST, UPGRADE},
};
use hyper_util::rt::TokioExecutor;
use tokio::net::TcpStream;

use crate::count::Count;

/// The session's driver has a task of its own.
pub(crate) async fn converse(address: String, mut count: Count) -> Result<Count> {
    let mut session = converse::connect(&format!("ws://{address}/"), SessionOptions::default()).await?;
    while session.receive().await?.is_some() {
        if count.is_last() {
            break;
        }
    }
    Ok(count)
}

pub(crate) async fn tungstenite(address: String, mut count: Count) -> Result<Count> {
    let (mut socket, _) = tokio_tungstenite::connect_async(format!("ws://{address}/")).await?;
    while let Some(message) = socket.next().await {
        let message = message?;
        if (message.is_text() || message.is_binary()) && count.is_last() {
            break;
        }
    }
    Ok(count)
}

pub(crate) async fn fastwebsockets(address: String, mut count: Count) -> Result<Count> {
    let stream = TcpStream::connect(&address).await?;
    stream.set_nodelay(true)?;
    let request = Request::get(format!("http://{address}/"))
        .header(HOST, &address)
        .header(UPGRADE, "websocket")
        .header(CONNECTION, "upgrade")
        .header("Sec-WebSocket-Key", handshake::generate_key())
        .header("Sec-WebSocket-Version", "13")
        .body(Empty::<Bytes>::new())?;
    let (socket, _) = handshake::client(&TokioExecutor::new(), request, stream).await?;
    let mut socket = FragmentCollector::new(socket);
    loop {
        let frame = socket.read_frame().await?;
        match frame.opcode {
            OpCode::Text | OpCode::Binary if count.is_last() => break,
            OpCode::Close => break,
            _ => {}
        }
    }
    Ok(count)
}

pub(crate) async fn tokio_websockets(address: String, mut count: Count) -> Result<Count> {
    let builder = tokio_websockets::ClientBuilder::new().uri(&format!("ws://{address}/"))?;
    let (mut socket, _) = builder.connect().await?;
    while let Some(message) = socket.next().await {
        let message = message?;
        if (message.is_text() || message.is_binary()) && count.is_last() {
            break;
        }
    }
    Ok(count)
}

pub(crate) async fn yawc(address: String, mut count: Count) -> Result<Count> {
    let url = format!("ws://{address}/").parse()?;
    let mut socket = yawc::WebSocket::connect(url).with_options(echo::yawc_options()).await?;
    loop {
        let frame = socket.next_frame().await?;
        match frame.opcode() {
            yawc::OpCode::Text | yawc::OpCode::Binary if count.is_last() => break,
            yawc::OpCode::Close => break,
            _ => {}
        }
    }
    Ok(count)
}
