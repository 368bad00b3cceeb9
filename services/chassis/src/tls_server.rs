//! TLS in front of a listener of ours: versions 1.2 and 1.3, no client certificates, HTTP/2 and HTTP/1.1 offered.
//!
//! Which certificate is shown is chosen by SNI among those that the caller names; a client that sends another name, or
//! none, gets the default one. Devices are not served here: their certificates are asked for and proven elsewhere. Invariant: a
//! handshake takes no longer than its deadline, and a certificate stays in use until a better one can be read.

mod certificates;

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use rustls::{ServerConfig, crypto::aws_lc_rs};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    sync::watch,
    time::timeout,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use self::certificates::Certificates;
pub use self::certificates::{NamedPair, TlsServerError};
pub use crate::server_certificate::PemPair;

/// How often files are looked at, at most: at the first connection after that.
pub const REREAD_EVERY: Duration = Duration::from_secs(1);

/// What is offered besides the certificate (RFC 7301): what is served, and nothing else.
const PROTOCOLS: [&[u8]; 1] = [b"http/1.1"];

/// What an [`Acceptor`] shows, and how patient it is.
#[derive(Clone, Debug)]
pub struct TlsServerConfig {
    /// For clients that ask for no name that is known.
    pub default: PemPair,
    /// For clients that ask for a name. Where a pair cannot be used, the default is shown and a warning says why.
    pub named: watch::Receiver<Vec<NamedPair>>,
    /// How long a handshake may take.
    pub handshake_max: Duration,
    /// How often files are looked at, at most.
    pub reread_every: Duration,
}

/// Shakes hands on accepted sockets. Clones share their certificates.
#[derive(Clone)]
pub struct Acceptor {
    tls: TlsAcceptor,
    certificates: Arc<Certificates>,
    handshake_max: Duration,
}

impl Acceptor {
    /// Reads the certificates. Blocking, for a few files.
    ///
    /// # Errors
    /// [`TlsServerError`]: the default pair cannot be used.
    pub fn new(config: TlsServerConfig) -> Result<Self, TlsServerError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let certificates =
            Arc::new(Certificates::read(config.default, config.named, config.reread_every, provider.clone())?);
        let mut tls = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(TlsServerError::Provider)?
            .with_no_client_auth()
            .with_cert_resolver(certificates.clone());
        tls.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).into();
        Ok(Self { tls: TlsAcceptor::from(Arc::new(tls)), certificates, handshake_max: config.handshake_max })
    }

    /// Shakes hands. Safe to drop at any time, which closes the socket.
    ///
    /// # Errors
    /// What went wrong with the socket or the handshake; [`io::ErrorKind::TimedOut`] past the deadline.
    pub async fn accept(&self, socket: TcpStream) -> io::Result<Stream> {
        self.certificates.refresh().await;
        match timeout(self.handshake_max, self.tls.accept(socket)).await {
            Ok(accepted) => accepted.map(Stream),
            Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "the TLS handshake took too long")),
        }
    }
}

/// A connection after its handshake.
#[derive(Debug)]
pub struct Stream(TlsStream<TcpStream>);

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, into)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }
}

#[cfg(test)]
mod tests;
