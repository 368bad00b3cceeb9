//! One TLS handshake, from ClientHello to a connection whose client chain has been verified or refused.
//!
//! Does not decide who the device is. Invariant: a client that fails can read the alert that says why: after an alert the
//! connection is half-closed and drained, because a reset would overtake it.

use std::{io, net::IpAddr, sync::Arc};

use rollcall_domain::refusal::Refusal;
use rustls::{HandshakeKind, pki_types::CertificateDer};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, timeout_at},
};
use tokio_rustls::server::TlsStream;

use crate::{
    admission::view_ready::view_ready,
    context::ConnectorContext,
    instance::Instance,
    metrics::{HandshakeEnd, metrics},
    transport::{
        chain_verifier::{ChainVerifier, VerifiedChain},
        failures::{self, Cause, FailedHandshake},
        refused_chain::{self, RefusedChain},
        sni::{self, Hello, Unreadable},
    },
};

/// Bytes drained from a client after the last packet to it.
const DRAINED_BYTES_MAX: usize = 64 * 1024;

/// A connection after its handshake.
pub(crate) struct Handshake<S> {
    /// The instance that the SNI named.
    pub(crate) instance: Arc<Instance>,
    pub(crate) stream: S,
    /// The verified chain, or why CONNECT will be refused whatever it says.
    pub(crate) verified: Result<Arc<VerifiedChain>, Refusal>,
}

/// Does the handshake within the deadline; `None`: it failed, and has been answered and counted.
pub(crate) async fn handshake(
    context: &ConnectorContext,
    socket: TcpStream,
    source: IpAddr,
) -> Option<Handshake<TlsStream<TcpStream>>> {
    let deadline = Instant::now() + context.config.limits.handshake();
    let (outcome, refused) = refused_chain::catching(timeout_at(deadline, perform(context, socket))).await;
    match outcome {
        Ok(Ok(handshake)) => {
            let resumed = handshake.stream.get_ref().1.handshake_kind() == Some(HandshakeKind::Resumed);
            metrics().handshake(if resumed { HandshakeEnd::Resumed } else { HandshakeEnd::Full });
            Some(handshake)
        }
        Ok(Err(failed)) => {
            metrics().handshake(failed.end);
            failed.report(context, source, refused);
            if let Some(socket) = failed.socket {
                linger(context, socket).await;
            }
            None
        }
        Err(_) => {
            metrics().handshake(HandshakeEnd::TimedOut);
            let cause = Cause::TimedOut;
            failures::report(context, FailedHandshake { source, sni: None, instance: None, cause });
            None
        }
    }
}

/// A handshake that failed, with the socket to drain if a client may still read an alert.
struct Failed {
    end: HandshakeEnd,
    socket: Option<TcpStream>,
    sni: Option<String>,
    instance: Option<Arc<Instance>>,
    /// What TLS or the socket said, where it was one of them.
    error: Option<io::Error>,
}

impl Failed {
    fn report(&self, context: &ConnectorContext, source: IpAddr, refused: Option<Box<RefusedChain>>) {
        let tls = self.error.as_ref().and_then(|error| error.get_ref()?.downcast_ref::<rustls::Error>());
        let cause = match (self.end, refused, tls) {
            (HandshakeEnd::NameAbsent, _, _) => Cause::NameAbsent,
            (HandshakeEnd::NameUnknown, _, _) => Cause::NameUnknown,
            (HandshakeEnd::NoServerCertificate, _, _) => Cause::NoServerCertificate,
            (_, Some(refused), _) => Cause::Chain(refused),
            (_, None, Some(error)) => Cause::Tls(error),
            (_, None, None) => Cause::Gone,
        };
        let (sni, instance) = (self.sni.as_deref(), self.instance.as_ref());
        failures::report(context, FailedHandshake { source, sni, instance, cause });
    }
}

async fn perform(context: &ConnectorContext, socket: TcpStream) -> Result<Handshake<TlsStream<TcpStream>>, Failed> {
    let (start, name) = match sni::read_hello(socket).await {
        Ok(Hello::Named(start, name)) => (start, name),
        Ok(Hello::Nameless(socket)) => {
            return Err(alert(HandshakeEnd::NameAbsent, socket, &sni::UNRECOGNIZED_NAME, None).await);
        }
        Err(unreadable) => {
            tracing::debug!(error = %unreadable.error, "not a ClientHello");
            let Unreadable { error, socket } = unreadable;
            return Err(Failed { end: HandshakeEnd::Failed, socket, sni: None, instance: None, error: Some(error) });
        }
    };
    let Some(instance) = context.instances.of(&name) else {
        return Err(alert(HandshakeEnd::NameUnknown, start.io, &sni::UNRECOGNIZED_NAME, Some(name)).await);
    };
    let Some(trust) = instance.trust.load_full() else {
        return Err(alert(HandshakeEnd::NoServerCertificate, start.io, &sni::INTERNAL_ERROR, Some(name)).await);
    };
    // Acquired after the ClientHello, when CPU time is due: silent connections take no permit.
    let _turn = context.handshakes.acquire().await;
    match start.into_stream(trust.tls.clone()).into_fallible().await {
        Ok(tls) => {
            let chain = tls.get_ref().1.peer_certificates().unwrap_or_default();
            let verified = verify_chain(&instance, &trust.chain_verifier, chain);
            Ok(Handshake { instance, stream: tls, verified })
        }
        Err((error, socket)) => {
            tracing::debug!(instance = %instance.id, epoch = trust.epoch, %error, "handshake failed");
            let (sni, instance, error) = (Some(name), Some(instance), Some(error));
            Err(Failed { end: HandshakeEnd::Failed, socket: Some(socket), sni, instance, error })
        }
    }
}

/// A full handshake has verified the chain, and the verifier has cached it; a resumed one has not, so it is verified
/// here.
pub(crate) fn verify_chain(
    instance: &Instance,
    chain_verifier: &ChainVerifier,
    chain: &[CertificateDer<'_>],
) -> Result<Arc<VerifiedChain>, Refusal> {
    chain_verifier
        .verify(chain.iter())
        .map_err(|unproven| if view_ready(&instance.status.borrow()) { unproven.error.into() } else { Refusal::NotReady })
}

async fn alert(end: HandshakeEnd, mut socket: TcpStream, record: &[u8], sni: Option<String>) -> Failed {
    // An error means that the client is gone.
    let _: io::Result<()> = socket.write_all(record).await;
    Failed { end, socket: Some(socket), sni, instance: None, error: None }
}

/// Half-closes and reads on until the client has closed its side, so that it gets what was sent last.
pub(crate) async fn linger(context: &ConnectorContext, mut socket: TcpStream) {
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
