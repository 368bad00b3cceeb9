//! TLS on a socket: rustls' records in and out, driven by hand.
//!
//! In the place of tokio-rustls' stream, whose handshake reads and computes in one step: a permit for computing would be held
//! while bytes are waited for. Nothing is written but when there is something to say or to flush, so that a TLS 1.3 ticket goes out with
//! the first packet. Invariant: bytes are processed only by who read them; after an error the alert has been tried once.

use std::{
    future::poll_fn,
    io::{self, BufRead as _, Write as _},
    pin::Pin,
    task::{Context, Poll, ready},
};

use futures_util::FutureExt as _;
use rustls::{HandshakeKind, ProtocolVersion, ServerConnection};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, Interest, ReadBuf},
    net::TcpStream,
};

use crate::{
    admission::registration::certificate_connect::Chain, context::ConnectorContext, transport::client_stream::ClientStream,
};

/// Bytes drained from a client after the last packet to it.
const DRAINED_BYTES_MAX: usize = 64 * 1024;

/// A socket and the state of TLS on it.
pub(crate) struct TlsStream {
    socket: TcpStream,
    tls: ServerConnection,
    /// close_notify has been queued.
    closing: bool,
}

impl TlsStream {
    /// `tls` may be in the midst of its handshake.
    pub(super) fn new(socket: TcpStream, tls: ServerConnection) -> Self {
        Self { socket, tls, closing: false }
    }

    pub(super) fn tls(&self) -> &ServerConnection {
        &self.tls
    }

    pub(super) fn into_socket(self) -> TcpStream {
        self.socket
    }

    pub(super) fn is_resumed(&self) -> bool {
        self.tls.handshake_kind() == Some(HandshakeKind::Resumed)
    }

    /// Whether what is queued can wait for the first packet: TLS 1.3 leaves a ticket, TLS 1.2 what the client waits for.
    pub(super) fn may_hold_back(&self) -> bool {
        !self.tls.is_handshaking() && self.tls.protocol_version() == Some(ProtocolVersion::TLSv1_3)
    }

    /// Writes all that is queued.
    pub(super) async fn send(&mut self) -> io::Result<()> {
        poll_fn(|cx| self.poll_send(cx)).await
    }

    /// Reads what has come, without computing anything; 0: the client has closed its side.
    pub(super) async fn receive(&mut self) -> io::Result<usize> {
        poll_fn(|cx| self.poll_receive(cx)).await
    }

    /// Computes with what was received.
    ///
    /// # Errors
    /// The client's fault; the alert is queued.
    pub(super) fn process(&mut self) -> Result<(), rustls::Error> {
        self.tls.process_new_packets().map(drop)
    }

    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { socket, tls, .. } = self;
        while tls.wants_write() {
            match tls.write_tls(&mut Blocking { socket, cx }) {
                Ok(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Poll::Pending,
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        Poll::Ready(Ok(()))
    }

    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let tls = &mut self.tls;
        poll_read_by(&mut self.socket, cx, |bytes| tls.read_tls(bytes))
    }
}

/// Lets rustls read from a socket, in one read.
pub(super) fn poll_read_by(
    socket: &mut TcpStream,
    cx: &mut Context<'_>,
    read_tls: impl FnOnce(&mut dyn io::Read) -> io::Result<usize>,
) -> Poll<io::Result<usize>> {
    match read_tls(&mut Blocking { socket, cx }) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
        read => Poll::Ready(read),
    }
}

/// Half-closes and reads on until the client has closed its side, so that it gets what was sent last.
pub(super) async fn linger(context: &ConnectorContext, mut socket: TcpStream) {
    let drained = async {
        socket.shutdown().await?;
        let (mut scratch, mut total) = ([0; 1024], 0);
        while total < DRAINED_BYTES_MAX {
            match socket.read(&mut scratch).await? {
                0 => break,
                bytes => total += bytes,
            }
        }
        Ok::<(), io::Error>(())
    };
    drop(tokio::time::timeout(context.config.limits.linger(), drained).await);
}

impl ClientStream for TlsStream {
    fn chain(&self) -> Chain {
        self.tls.peer_certificates().unwrap_or_default().iter().map(|der| der.as_ref().into()).collect()
    }

    fn has_left(&self) -> bool {
        // Ready also if there are bytes to read: asked, not waited for.
        let ready = self.socket.ready(Interest::READABLE).now_or_never();
        ready.is_some_and(|ready| ready.is_ok_and(|ready| ready.is_read_closed()))
    }

    async fn linger(self, context: &ConnectorContext) {
        linger(context, self.socket).await;
    }
}

impl AsyncRead for TlsStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            match this.tls.reader().into_first_chunk() {
                Ok(bytes) => {
                    let taken = bytes.len().min(into.remaining());
                    into.put_slice(&bytes[..taken]);
                    this.tls.reader().consume(taken);
                    return Poll::Ready(Ok(()));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
            // At the end of the socket's bytes the reader says whether TLS has ended too.
            ready!(this.poll_receive(cx))?;
            if let Err(error) = this.process() {
                // The first error counts, whether or not the client can be told.
                let _: Poll<io::Result<()>> = this.poll_send(cx);
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, error)));
            }
        }
    }
}

impl AsyncWrite for TlsStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let (this, mut taken) = (self.get_mut(), 0);
        while taken < bytes.len() {
            // As much as fits into the bound of rustls' buffer.
            taken += this.tls.writer().write(&bytes[taken..])?;
            match this.poll_send(cx) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending if taken == 0 => return Poll::Pending,
                Poll::Pending => break,
            }
        }
        Poll::Ready(Ok(taken))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().poll_send(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.closing {
            this.closing = true;
            this.tls.send_close_notify();
        }
        ready!(this.poll_send(cx))?;
        match ready!(Pin::new(&mut this.socket).poll_shutdown(cx)) {
            Err(error) if error.kind() != io::ErrorKind::NotConnected => Poll::Ready(Err(error)),
            _ => Poll::Ready(Ok(())),
        }
    }
}

/// A socket as rustls wants it: what would have to be waited for is [`io::ErrorKind::WouldBlock`], and wakes the task.
struct Blocking<'a, 'b> {
    socket: &'a mut TcpStream,
    cx: &'a mut Context<'b>,
}

impl io::Read for Blocking<'_, '_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let mut into = ReadBuf::new(into);
        match Pin::new(&mut *self.socket).poll_read(self.cx, &mut into) {
            Poll::Ready(read) => read.map(|()| into.filled().len()),
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }
}

impl io::Write for Blocking<'_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match Pin::new(&mut *self.socket).poll_write(self.cx, bytes) {
            Poll::Ready(written) => written,
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    fn write_vectored(&mut self, slices: &[io::IoSlice<'_>]) -> io::Result<usize> {
        match Pin::new(&mut *self.socket).poll_write_vectored(self.cx, slices) {
            Poll::Ready(written) => written,
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
