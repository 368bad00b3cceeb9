//! One TLS handshake, from ClientHello to a connection whose client chain has been verified or refused.
//!
//! Does not decide who the device is. Invariants: no permit is held while bytes are waited for; and a client that fails can
//! read the alert that says why: after an alert the connection is half-closed and drained, because a reset would overtake it.

use std::{io, net::IpAddr, sync::Arc};

use rollcall_domain::refusal::Refusal;
use rustls::{
    ServerConfig, ServerConnection,
    pki_types::CertificateDer,
    server::{Accepted, AcceptedAlert},
};
use tokio::{
    io::AsyncWriteExt,
    net::TcpStream,
    time::{Instant, timeout_at},
};

use crate::{
    admission::view_ready::view_ready,
    context::ConnectorContext,
    instance::Instance,
    metrics::{HandshakeEnd, metrics},
    transport::{
        chain_verifier::{ChainVerifier, VerifiedChain},
        failures::{self, Attempted, Fault},
        proxy_protocol::{self, HeaderFault},
        refused_chain,
        sni::{self, Hello, Unreadable},
        tls_stream::{TlsStream, linger},
        unproven::Place,
    },
};

/// A connection after its handshake.
pub(crate) struct Handshake<S> {
    /// The instance that the SNI named.
    pub(crate) instance: Arc<Instance>,
    pub(crate) stream: S,
    /// The verified chain, or why CONNECT will be refused whatever it says.
    pub(crate) verified: Result<Arc<VerifiedChain>, Refusal>,
    pub(crate) source: IpAddr,
    /// Its place among the unproven; `None` where these are not bounded.
    pub(crate) place: Option<Place>,
}

/// Does the handshake within the deadline; `None`: it failed, and has been answered and reported.
pub(crate) async fn handshake(
    context: &ConnectorContext,
    socket: TcpStream,
    source: IpAddr,
    mut place: Place,
) -> Option<Handshake<TlsStream>> {
    let deadline = Instant::now() + context.config.limits.handshake();
    let mut client = Attempted { source, server_name: None, instance: None };
    let performed = timeout_at(deadline, perform(context, socket, &mut client, &mut place));
    // Every handshake that fails is reported; one that is shed is not.
    let (performed, refused) = refused_chain::catching(Box::pin(performed)).await;
    match performed {
        Ok(Ok(Performed { instance, stream, verified })) => {
            metrics().handshake(if stream.is_resumed() { HandshakeEnd::Resumed } else { HandshakeEnd::Full });
            Some(Handshake { instance, stream, verified, source: client.source, place: Some(place) })
        }
        Ok(Err(Failed { fault, socket })) => {
            failures::report(context, &client, &fault, refused);
            place.wait_for_client();
            if let Some(socket) = socket {
                linger(context, socket).await;
            }
            None
        }
        Err(_) => {
            failures::report(context, &client, &Fault::TimedOut, refused);
            None
        }
    }
}

struct Performed {
    instance: Arc<Instance>,
    stream: TlsStream,
    verified: Result<Arc<VerifiedChain>, Refusal>,
}

/// With the socket to drain if a client may still read an alert.
struct Failed {
    fault: Fault,
    socket: Option<TcpStream>,
}

async fn perform(
    context: &ConnectorContext,
    mut socket: TcpStream,
    client: &mut Attempted,
    place: &mut Place,
) -> Result<Performed, Failed> {
    place.wait_for_client();
    if context.config.is_proxy(client.source) {
        match proxy_protocol::read_header(&mut socket).await {
            Ok(None) => {}
            Ok(Some(source)) => {
                client.source = source;
                place.attribute(source);
                place.wait_for_client();
            }
            Err(HeaderFault::Gone(error)) => return Err(Failed { fault: Fault::Gone(error), socket: None }),
            Err(fault) => return Err(Failed { fault: Fault::Proxy(fault), socket: None }),
        }
    }
    let Hello { accepted, server_name } = match sni::read_hello(&mut socket).await {
        Ok(hello) => hello,
        Err(Unreadable::Gone(error)) => return Err(Failed { fault: Fault::Gone(error), socket: None }),
        Err(Unreadable::TooLong) => return Err(alert(Fault::HelloTooLong, socket, &sni::DECODE_ERROR).await),
        Err(Unreadable::Refused(error, record)) => return Err(alert(Fault::NotTls(error), socket, &record).await),
    };
    client.server_name = server_name;
    let Some(name) = &client.server_name else {
        return Err(alert(Fault::NameAbsent, socket, &sni::UNRECOGNIZED_NAME).await);
    };
    client.instance = context.instances.of(name);
    let Some(instance) = client.instance.clone() else {
        return Err(alert(Fault::NameUnknown, socket, &sni::UNRECOGNIZED_NAME).await);
    };
    let Some(trust) = instance.trust.load_full() else {
        return Err(alert(Fault::NoServerCertificate, socket, &sni::INTERNAL_ERROR).await);
    };
    let tls = match answer(context, accepted, trust.tls.clone(), place).await {
        Ok(tls) => tls,
        Err((error, record)) => return Err(alert(Fault::Tls(error), socket, &sni::record(record)).await),
    };
    let mut stream = TlsStream::new(socket, tls);
    if let Err(fault) = finish(context, &mut stream, place).await {
        return Err(Failed { fault, socket: Some(stream.into_socket()) });
    }
    let chain = stream.tls().peer_certificates().unwrap_or_default();
    let verified = verify_chain(&instance, &trust.chain_verifier, chain);
    place.handshake_complete();
    Ok(Performed { instance, stream, verified })
}

/// Computes the answer to a ClientHello: key exchange and our signature.
async fn answer(
    context: &ConnectorContext,
    accepted: Accepted,
    config: Arc<ServerConfig>,
    place: &Place,
) -> Result<ServerConnection, (rustls::Error, AcceptedAlert)> {
    place.take_turn();
    let _turn = context.turns.begin().await;
    accepted.into_connection(config)
}

/// Exchanges flights until the handshake is complete.
async fn finish(context: &ConnectorContext, stream: &mut TlsStream, place: &Place) -> Result<(), Fault> {
    loop {
        if !stream.may_hold_back() {
            stream.send().await.map_err(Fault::Gone)?;
        }
        if !stream.tls().is_handshaking() {
            return Ok(());
        }
        place.flight_sent();
        place.wait_for_client();
        if stream.receive().await.map_err(Fault::Gone)? == 0 {
            return Err(Fault::Gone(io::ErrorKind::UnexpectedEof.into()));
        }
        place.take_turn();
        let processed = {
            let _turn = context.turns.go_on().await;
            stream.process()
        };
        if let Err(error) = processed {
            // An error means that the client is gone.
            let _: io::Result<()> = stream.send().await;
            return Err(Fault::Tls(error));
        }
    }
}

async fn alert(fault: Fault, mut socket: TcpStream, record: &[u8]) -> Failed {
    // An error means that the client is gone.
    let _: io::Result<()> = socket.write_all(record).await;
    Failed { fault, socket: Some(socket) }
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
