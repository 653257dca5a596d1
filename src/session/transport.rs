//! What a session stands on: bytes both ways, and what the system tells of the socket below. Knows no engine.

use std::{
    any::Any,
    io::{self, IoSlice, Write},
    pin::Pin,
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

/// A transport of a session.
pub(crate) trait Transport: AsyncRead + AsyncWrite + Unpin {
    /// Returns the TCP stream that it is, or stands on.
    fn tcp(&self) -> Option<&TcpStream>;

    /// Returns how many bytes were written that the peer has not acknowledged, as far as the system tells: one system
    /// call.
    fn unacknowledged(&self) -> Option<usize> {
        #[cfg(unix)]
        return converse_socket::unacknowledged(self.tcp()?);
        #[cfg(not(unix))]
        None
    }

    /// Lets the system hold so many bytes unsent before it takes no more, where it can be told.
    fn limit_unsent(&self, bytes: u32) {
        // What it does not take more of is no worse than before.
        #[cfg(any(target_os = "linux", target_os = "android"))]
        let _ = self.tcp().map(|tcp| socket2::SockRef::from(tcp).set_tcp_notsent_lowat(bytes));
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        let _ = bytes;
    }

    /// Writes to the socket itself, whatever the runtime knows of it: for when the runtime ends, and nobody is told any
    /// more that a socket takes bytes. An error where there is no such socket, where it takes nothing, and where there is
    /// nothing to write.
    fn write_past(&mut self, _: &[IoSlice<'_>]) -> io::Result<usize> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

impl Transport for TcpStream {
    fn tcp(&self) -> Option<&TcpStream> {
        Some(self)
    }

    fn write_past(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        Past(self).write_vectored(slices)
    }
}

/// A socket past the runtime that it is registered with.
struct Past<'a>(&'a TcpStream);

impl Write for Past<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match socket2::SockRef::from(self.0).send_vectored(slices)? {
            0 => Err(io::ErrorKind::WriteZero.into()),
            count => Ok(count),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes through TLS to the socket itself: what waits there first.
#[cfg(feature = "tls")]
fn write_tls<S: tokio_rustls::rustls::SideData>(
    tcp: &TcpStream,
    tls: &mut tokio_rustls::rustls::ConnectionCommon<S>,
    slices: &[IoSlice<'_>],
) -> io::Result<usize> {
    let empty = |tls: &mut tokio_rustls::rustls::ConnectionCommon<S>| {
        while tls.wants_write() {
            tls.write_tls(&mut Past(tcp))?;
        }
        io::Result::Ok(())
    };
    empty(tls)?;
    match tls.writer().write_vectored(slices)? {
        0 => Err(io::ErrorKind::WriteZero.into()),
        count => {
            // It counts as written where it waits in TLS.
            let _ = empty(tls);
            Ok(count)
        }
    }
}

#[cfg(feature = "tls")]
impl Transport for tokio_rustls::server::TlsStream<TcpStream> {
    fn tcp(&self) -> Option<&TcpStream> {
        Some(self.get_ref().0)
    }

    fn write_past(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let (tcp, tls) = self.get_mut();
        write_tls(tcp, tls, slices)
    }
}

#[cfg(feature = "tls")]
impl Transport for tokio_rustls::client::TlsStream<TcpStream> {
    fn tcp(&self) -> Option<&TcpStream> {
        Some(self.get_ref().0)
    }

    fn write_past(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let (tcp, tls) = self.get_mut();
        write_tls(tcp, tls, slices)
    }
}

/// A transport that the application brings, looked at by its type.
#[derive(Debug)]
pub(crate) struct Foreign<T>(pub(crate) T);

impl<T: AsyncRead + AsyncWrite + Unpin + 'static> Foreign<T> {
    fn is<S: 'static>(&self) -> Option<&S> {
        (&self.0 as &dyn Any).downcast_ref()
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin + 'static> Transport for Foreign<T> {
    fn tcp(&self) -> Option<&TcpStream> {
        let tcp = self.is::<TcpStream>();
        #[cfg(feature = "tls")]
        let tcp = tcp
            .or_else(|| Some(self.is::<tokio_rustls::TlsStream<TcpStream>>()?.get_ref().0))
            .or_else(|| self.is::<tokio_rustls::client::TlsStream<TcpStream>>()?.tcp())
            .or_else(|| self.is::<tokio_rustls::server::TlsStream<TcpStream>>()?.tcp());
        tcp
    }

    fn write_past(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let any: &mut dyn Any = &mut self.0;
        #[cfg(feature = "tls")]
        {
            use tokio_rustls::{TlsStream, client, server};
            if let Some(stream) = any.downcast_mut::<client::TlsStream<TcpStream>>() {
                return stream.write_past(slices);
            }
            if let Some(stream) = any.downcast_mut::<server::TlsStream<TcpStream>>() {
                return stream.write_past(slices);
            }
            match any.downcast_mut::<TlsStream<TcpStream>>() {
                Some(TlsStream::Client(stream)) => return stream.write_past(slices),
                Some(TlsStream::Server(stream)) => return stream.write_past(slices),
                None => {}
            }
        }
        match any.downcast_mut::<TcpStream>() {
            Some(stream) => stream.write_past(slices),
            None => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    #[cfg(unix)]
    fn unacknowledged(&self) -> Option<usize> {
        match self.is::<tokio::net::UnixStream>() {
            Some(stream) => converse_socket::unacknowledged(stream),
            None => converse_socket::unacknowledged(self.tcp()?),
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
