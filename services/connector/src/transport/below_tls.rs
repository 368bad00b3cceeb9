//! Clients that come without a socket and a handshake: for what has a chain and a stream already, such as a simulation.
//!
//! In the place of the listener, SNI and TLS, and of nothing else: the chain is verified as a resumed session's is, and
//! everything from CONNECT on is what it is for any client. Whoever hands a client over vouches that it holds the key of its
//! certificate: no handshake proves that here.

use std::{
    io,
    net::IpAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use rustls::pki_types::CertificateDer;
use tokio::{
    io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf},
    sync::mpsc,
};
use tokio_util::task::TaskTracker;

use crate::{
    admission::registration::certificate_connect::Chain,
    connection::serve_established,
    context::ConnectorContext,
    transport::{
        client_stream::ClientStream,
        handshake::{Handshake, verify_chain},
    },
};

/// A client below TLS.
#[derive(Debug)]
pub struct Client {
    /// The access domain that its SNI would have named, lower case. An unknown one is closed at once.
    pub server_name: Box<str>,
    /// The chain that it presents, DER, its own certificate first.
    pub chain: Vec<Box<[u8]>>,
    /// Where it comes from, for rate limits and reports.
    pub source: IpAddr,
    /// Its bytes: MQTT in the clear.
    pub stream: DuplexStream,
}

/// Accepts clients until the connector is stopping or their sender is gone. `connections` tracks the tasks.
pub(crate) async fn accept(mut clients: mpsc::Receiver<Client>, context: Arc<ConnectorContext>, connections: &TaskTracker) {
    while let Some(Some(client)) = context.stopping.run_until_cancelled(clients.recv()).await {
        if let Some(handshake) = present(&context, client) {
            connections.spawn(serve_established(context.clone(), handshake));
        }
    }
}

/// `None` where TLS would have refused the client with an alert.
fn present(context: &ConnectorContext, client: Client) -> Option<Handshake<Presented>> {
    let instance = context.instances.of(&client.server_name)?;
    let trust = instance.trust.load_full()?;
    let chain: Vec<_> = client.chain.iter().map(|der| CertificateDer::from(&**der)).collect();
    let verified = verify_chain(&instance, &trust.chain_verifier, &chain);
    let stream = Presented { stream: client.stream, chain: client.chain };
    Some(Handshake { instance, stream, verified, source: client.source, place: None })
}

struct Presented {
    stream: DuplexStream,
    chain: Chain,
}

impl ClientStream for Presented {
    fn chain(&self) -> Chain {
        self.chain.clone()
    }

    /// What it has sent before would have to be read to know that.
    fn has_left(&self) -> bool {
        false
    }

    /// What was written stays to be read after the stream is dropped.
    async fn linger(self, _: &ConnectorContext) {}
}

impl AsyncRead for Presented {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Presented {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
