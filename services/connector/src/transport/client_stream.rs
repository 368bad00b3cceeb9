//! What a connection is served over once its client has presented a chain: TLS on a socket, or what stands in for both.
//!
//! Does not verify the chain; that is done by then.

use futures_util::FutureExt;
use tokio::{
    io::{AsyncRead, AsyncWrite, Interest},
    net::TcpStream,
};
use tokio_rustls::server::TlsStream;

use crate::{admission::registration::certificate_connect::Chain, context::ConnectorContext, transport::handshake::linger};

/// The stream of one client.
pub(crate) trait ClientStream: AsyncRead + AsyncWrite + Unpin + Send {
    /// The chain as it was presented.
    fn chain(&self) -> Chain;

    /// Whether the client has closed its end, or the connection has broken, as far as that is known. Reads nothing: bytes
    /// that the client has sent before stay where they are.
    fn has_left(&self) -> bool;

    /// Leaves the client time to read what it was sent last.
    fn linger(self, context: &ConnectorContext) -> impl Future<Output = ()> + Send;
}

impl ClientStream for TlsStream<TcpStream> {
    fn chain(&self) -> Chain {
        let chain = self.get_ref().1.peer_certificates().unwrap_or_default();
        chain.iter().map(|der| der.as_ref().into()).collect()
    }

    fn has_left(&self) -> bool {
        // Ready also if there are bytes to read: asked, not waited for.
        let ready = self.get_ref().0.ready(Interest::READABLE).now_or_never();
        ready.is_some_and(|ready| ready.is_ok_and(|ready| ready.is_read_closed()))
    }

    async fn linger(self, context: &ConnectorContext) {
        linger(context, self.into_inner().0).await;
    }
}
