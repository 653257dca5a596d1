//! What each contender does with an upgraded connection, over whatever carries it: the loop of its README or its example.

use converse::Session;
use fastwebsockets::{FragmentCollector, WebSocket};
use futures_util::{SinkExt, StreamExt, TryStreamExt, future};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio_tungstenite::{WebSocketStream, tungstenite};

use crate::{Result, batched};

/// The crate itself.
///
/// # Errors
/// When the conversation ends in any other way than a normal close. So do all the others.
pub async fn converse(mut session: Session) -> converse::Result<()> {
    while let Some(message) = session.receive().await? {
        session.send(message).await?;
    }
    Ok(())
}

/// tokio-tungstenite's example `echo-server`.
pub async fn tungstenite<S: AsyncRead + AsyncWrite + Unpin>(socket: WebSocketStream<S>) -> Result<()> {
    let (write, read) = socket.split();
    Ok(read.try_filter(|message| future::ready(is_tungstenite_data(message))).forward(write).await?)
}

/// tokio-tungstenite, with one flush for all that is ready.
pub async fn tungstenite_batched<S: AsyncRead + AsyncWrite + Unpin>(
    socket: WebSocketStream<S>,
) -> Result<()> {
    batched::feed(socket, |message: tungstenite::Result<_>| Ok(Some(message?).filter(is_tungstenite_data)))
        .await
}

/// fastwebsockets' example `echo_server`.
pub async fn fastwebsockets<S: AsyncRead + AsyncWrite + Unpin>(socket: WebSocket<S>) -> Result<()> {
    use fastwebsockets::OpCode;
    let mut socket = FragmentCollector::new(socket);
    loop {
        let frame = socket.read_frame().await?;
        match frame.opcode {
            OpCode::Close => return Ok(socket.into_inner().flush().await?),
            OpCode::Text | OpCode::Binary => socket.write_frame(frame).await?,
            _ => {}
        }
    }
}

/// What tokio-websockets is told in its example: to send no fragments, and to have no limits.
pub fn tokio_websockets_builder() -> tokio_websockets::ServerBuilder {
    tokio_websockets::ServerBuilder::new()
        .config(tokio_websockets::Config::default().frame_size(usize::MAX))
        .limits(tokio_websockets::Limits::unlimited())
}

/// tokio-websockets' example `echo_server`.
pub async fn tokio_websockets<S>(mut socket: tokio_websockets::WebSocketStream<S>) -> Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    while let Some(message) = socket.next().await {
        let message = message?;
        if message.is_text() || message.is_binary() {
            socket.send(message).await?;
        }
    }
    Ok(())
}

/// tokio-websockets, with one flush for all that is ready.
pub async fn tokio_websockets_batched<S>(socket: tokio_websockets::WebSocketStream<S>) -> Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    batched::gather(socket, |message: std::result::Result<_, tokio_websockets::Error>| {
        Ok(Some(message?)
            .filter(|message: &tokio_websockets::Message| message.is_text() || message.is_binary()))
    })
    .await
}

/// yawc's example `echo_server`.
pub async fn yawc<S: AsyncRead + AsyncWrite + Unpin>(mut socket: yawc::WebSocket<S>) -> Result<()> {
    while let Some(frame) = socket.next().await {
        if is_yawc_data(&frame) {
            socket.send(frame).await?;
        }
    }
    Ok(())
}

/// yawc, with one flush for all that is ready.
pub async fn yawc_batched<S: AsyncRead + AsyncWrite + Unpin>(socket: yawc::WebSocket<S>) -> Result<()> {
    batched::feed(socket, |frame| Ok(Some(frame).filter(is_yawc_data))).await
}

/// What yawc is told: to check text, as others do, and to take 1 MiB, which its own limits exclude.
pub fn yawc_options() -> yawc::Options {
    yawc::Options::default().with_utf8().with_limits(16 << 20, 32 << 20)
}

fn is_tungstenite_data(message: &tungstenite::Message) -> bool {
    message.is_text() || message.is_binary()
}

fn is_yawc_data(frame: &yawc::Frame) -> bool {
    matches!(frame.opcode(), yawc::OpCode::Text | yawc::OpCode::Binary)
}
