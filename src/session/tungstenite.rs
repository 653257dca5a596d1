//! A session over a `tokio_tungstenite::WebSocketStream`, so that an application that has one adopts
//! typed messages with one line. Knows messages only: tungstenite does the framing on the wire.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::{Bytes, BytesMut};
use futures::{Sink, Stream};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{self, error::ProtocolError, protocol::CloseFrame},
};

use crate::{
    frame::{CloseCode, CloseReason, Decoder, Frame, FrameHeader, MAX_HEADER, OpCode, Role, Rsv},
    session::{Session, SessionOptions, Setup, Transport},
};

impl Session {
    /// Holds a typed conversation over a connection that tokio-tungstenite has upgraded, in either role.
    /// Its driver runs in a task of its own.
    ///
    /// tungstenite keeps its own limits, answers pings and knows no extensions; what a peer does wrong on
    /// the wire ends the connection without a Close frame, as tungstenite does.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn from_tungstenite<S>(stream: WebSocketStream<S>, options: &SessionOptions) -> Self
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        // Between the engine and the adapter the engine is a server: only what it receives is masked.
        let mut setup = Setup::bare(Role::Server, options);
        Arc::make_mut(&mut setup.config).fragment_size = usize::MAX;
        setup.spawn(Adapter::new(stream))
    }
}

/// Makes frames of tungstenite's messages, and messages of the engine's frames.
struct Adapter<S> {
    stream: WebSocketStream<S>,
    /// Frames that the engine has not read yet.
    incoming: BytesMut,
    decoder: Decoder,
    /// The payload of the engine's frame under way.
    outgoing: BytesMut,
}

/// tungstenite's buffers are between what the engine has written and the socket.
impl<S: AsyncRead + AsyncWrite + Unpin> Transport for Adapter<S> {
    fn tcp(&self) -> Option<&TcpStream> {
        None
    }
}

impl<S> Adapter<S> {
    fn new(stream: WebSocketStream<S>) -> Self {
        let decoder = Decoder::new(Role::Client, Rsv::NONE, u64::MAX);
        Self { stream, incoming: BytesMut::new(), decoder, outgoing: BytesMut::new() }
    }

    /// Puts a message down as a frame that is masked with zeros.
    fn put(&mut self, message: tungstenite::Message) {
        let (opcode, payload) = match message {
            tungstenite::Message::Text(text) => (OpCode::Text, Bytes::from(text)),
            tungstenite::Message::Binary(payload) => (OpCode::Binary, payload),
            tungstenite::Message::Pong(payload) => (OpCode::Pong, payload),
            // tungstenite has answered it; an empty pong stands for the sign of life.
            tungstenite::Message::Ping(_) => (OpCode::Pong, Bytes::new()),
            tungstenite::Message::Close(frame) => (OpCode::Close, Frame::close(&reason_of(frame)).payload),
            tungstenite::Message::Frame(_) => return,
        };
        let len = payload.len() as u64;
        let header = FrameHeader { fin: true, rsv: Rsv::NONE, opcode, mask: Some([0; 4]), len };
        let mut head = [0; MAX_HEADER];
        let end = header.write(&mut head);
        self.incoming.extend_from_slice(head.get(..end).unwrap_or_default());
        self.incoming.extend_from_slice(&payload);
    }

    /// Takes bytes of the engine; returns how many, and the message that they complete.
    fn take(&mut self, bytes: &mut [u8]) -> io::Result<(usize, Option<tungstenite::Message>)> {
        let (taken, piece) = self.decoder.decode(bytes).map_err(io::Error::other)?;
        let Some(piece) = piece else { return Ok((taken, None)) };
        self.outgoing.extend_from_slice(piece.payload);
        if piece.remaining > 0 {
            return Ok((taken, None));
        }
        let payload = self.outgoing.split().freeze();
        Ok((taken, Some(message_of(piece.header.opcode, payload)?)))
    }
}

fn message_of(opcode: OpCode, payload: Bytes) -> io::Result<tungstenite::Message> {
    Ok(match opcode {
        OpCode::Text => tungstenite::Message::Text(payload.try_into().map_err(io::Error::other)?),
        OpCode::Binary | OpCode::Continuation => tungstenite::Message::Binary(payload),
        OpCode::Ping => tungstenite::Message::Ping(payload),
        OpCode::Pong => tungstenite::Message::Pong(payload),
        OpCode::Close => {
            let reason = CloseReason::from_payload(&payload).map_err(io::Error::other)?;
            tungstenite::Message::Close(
                (reason.code() != CloseCode::NO_STATUS)
                    .then(|| CloseFrame { code: reason.code().get().into(), reason: reason.text().into() }),
            )
        }
    })
}

fn reason_of(frame: Option<CloseFrame>) -> CloseReason {
    let Some(frame) = frame else { return CloseReason::EMPTY };
    let code = CloseCode::new(frame.code.into()).unwrap_or(CloseCode::NO_STATUS);
    CloseReason::new(code, frame.reason.as_str())
}

fn io_error(error: tungstenite::Error) -> io::Error {
    match error {
        tungstenite::Error::Io(error) => error,
        error => io::Error::other(error),
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Adapter<S> {
    /// Hands a message to tungstenite, which has answered the peer's Close frame by itself.
    fn pass_on(&mut self, message: tungstenite::Message) -> io::Result<()> {
        let closes = message.is_close();
        match Pin::new(&mut self.stream).start_send(message) {
            Err(tungstenite::Error::Protocol(ProtocolError::SendAfterClosing)) if closes => Ok(()),
            passed => passed.map_err(io_error),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Adapter<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        while this.incoming.is_empty() {
            match ready!(Pin::new(&mut this.stream).poll_next(cx)) {
                Some(Ok(message)) => this.put(message),
                Some(Err(error)) => return Poll::Ready(Err(io_error(error))),
                None => return Poll::Ready(Ok(())),
            }
        }
        let count = buf.remaining().min(this.incoming.len());
        buf.put_slice(&this.incoming.split_to(count));
        if this.incoming.is_empty() {
            this.incoming = BytesMut::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Adapter<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let mut bytes = buf.to_vec();
        let mut taken = 0;
        while let Some(rest) = bytes.get_mut(taken..).filter(|rest| !rest.is_empty()) {
            match Pin::new(&mut this.stream).poll_ready(cx) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(io_error(error))),
                Poll::Pending if taken > 0 => break,
                Poll::Pending => return Poll::Pending,
            }
            let (count, message) = this.take(rest)?;
            taken += count;
            if let Some(message) = message {
                this.pass_on(message)?;
            }
        }
        Poll::Ready(Ok(taken))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match ready!(Pin::new(&mut self.get_mut().stream).poll_flush(cx)) {
            // Behind the closing handshake there is nothing left to flush.
            Ok(()) | Err(tungstenite::Error::ConnectionClosed | tungstenite::Error::AlreadyClosed) => {
                Poll::Ready(Ok(()))
            }
            Err(error) => Poll::Ready(Err(io_error(error))),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(self.get_mut().stream.get_mut()).poll_shutdown(cx)
    }
}
