//! What a session stands on: bytes both ways, and what the system tells of the socket below. Knows no engine.

use std::{
    any::Any,
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

/// A transport of a session.
pub(crate) trait Transport: AsyncRead + AsyncWrite + Unpin {
    /// Returns how many bytes were written that the peer has not acknowledged, as far as the system tells: one system
    /// call.
    fn unacknowledged(&self) -> Option<usize>;

    /// Lets the system hold so many bytes unsent before it takes no more, where it can be told.
    fn limit_unsent(&self, bytes: u32);
}

impl Transport for TcpStream {
    fn unacknowledged(&self) -> Option<usize> {
        #[cfg(unix)]
        return converse_socket::unacknowledged(self);
        #[cfg(not(unix))]
        None
    }

    fn limit_unsent(&self, bytes: u32) {
        // What it does not take more of is no worse than before.
        #[cfg(any(target_os = "linux", target_os = "android"))]
        let _ = socket2::SockRef::from(self).set_tcp_notsent_lowat(bytes);
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        let _ = bytes;
    }
}

#[cfg(feature = "tls")]
impl Transport for tokio_rustls::server::TlsStream<TcpStream> {
    fn unacknowledged(&self) -> Option<usize> {
        self.get_ref().0.unacknowledged()
    }

    fn limit_unsent(&self, bytes: u32) {
        self.get_ref().0.limit_unsent(bytes);
    }
}

#[cfg(feature = "tls")]
impl Transport for tokio_rustls::client::TlsStream<TcpStream> {
    fn unacknowledged(&self) -> Option<usize> {
        self.get_ref().0.unacknowledged()
    }

    fn limit_unsent(&self, bytes: u32) {
        self.get_ref().0.limit_unsent(bytes);
    }
}

/// A transport that the application brings.
#[derive(Debug)]
pub(crate) struct Foreign<T>(pub(crate) T);

impl<T: AsyncRead + AsyncWrite + Unpin + 'static> Foreign<T> {
    /// Returns the TCP stream that it is, or stands on.
    fn tcp(&self) -> Option<&TcpStream> {
        let transport: &dyn Any = &self.0;
        #[cfg(feature = "tls")]
        {
            use tokio_rustls::{TlsStream, client, server};
            if let Some(stream) = transport.downcast_ref::<TlsStream<TcpStream>>() {
                return Some(stream.get_ref().0);
            }
            if let Some(stream) = transport.downcast_ref::<client::TlsStream<TcpStream>>() {
                return Some(stream.get_ref().0);
            }
            if let Some(stream) = transport.downcast_ref::<server::TlsStream<TcpStream>>() {
                return Some(stream.get_ref().0);
            }
        }
        transport.downcast_ref()
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin + 'static> Transport for Foreign<T> {
    fn unacknowledged(&self) -> Option<usize> {
        #[cfg(unix)]
        if let Some(stream) = (&self.0 as &dyn Any).downcast_ref::<tokio::net::UnixStream>() {
            return converse_socket::unacknowledged(stream);
        }
        self.tcp()?.unacknowledged()
    }

    fn limit_unsent(&self, bytes: u32) {
        if let Some(stream) = self.tcp() {
            stream.limit_unsent(bytes);
        }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Foreign<T> {
    #[inline]
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Foreign<T> {
    #[inline]
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    #[inline]
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    #[inline]
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
