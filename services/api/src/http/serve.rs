//! From sockets to requests: accepting, TLS, and how many and how slow clients may be.
//!
//! Accepting is a loop of our own, since `axum::serve` has no bound on connections and no deadline for the head of a request;
//! the HTTP and the graceful end of connections are hyper's. Does not look at what a request means. Invariants: a client
//! that sends nothing holds a connection for no longer than the deadlines allow; plain HTTP is served on loopback addresses
//! only; a request that has begun is answered before the process stops, within the time that draining may take.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use axum::{Router, body::Body, http::Request};
use hyper::{body::Incoming, server::conn::http1};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::{GracefulShutdown, Watcher},
    service::TowerToHyperService,
};
use rollcall_chassis::tls_server::Acceptor;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use crate::config::Limits;

/// The pause after a socket could not be accepted: out of file descriptors, mostly.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(50);

/// The address that a request was sent from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) SocketAddr);

/// Serves until `shutdown`, then lets requests under way finish.
pub(crate) async fn serve(
    listener: TcpListener,
    tls: Option<Acceptor>,
    router: Router,
    limits: &Limits,
    shutdown: CancellationToken,
) {
    let permits = Arc::new(Semaphore::new(limits.connections_max as usize));
    let graceful = GracefulShutdown::new();
    let server = Arc::new(Server { tls, router, head: Duration::from_millis(limits.head_ms_max) });
    let accepting = async {
        loop {
            // Taken before accepting: a client beyond the limit waits in the kernel's backlog.
            let Ok(permit) = Arc::clone(&permits).acquire_owned().await else { return };
            match listener.accept().await {
                Ok((socket, peer)) => {
                    let (server, watcher) = (Arc::clone(&server), graceful.watcher());
                    tokio::spawn(async move {
                        server.connection(socket, peer, watcher).await;
                        drop(permit);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_RETRY_DELAY).await;
                }
            }
        }
    };
    shutdown.run_until_cancelled(accepting).await;
    drop(listener);
    // Also waits for handshakes under way: each holds its watcher.
    let drained = tokio::time::timeout(Duration::from_millis(limits.drain_ms_max), graceful.shutdown()).await;
    if drained.is_err() {
        tracing::warn!("some requests did not end in time");
    }
}

struct Server {
    tls: Option<Acceptor>,
    router: Router,
    /// How long the head of a request may take.
    head: Duration,
}

impl Server {
    async fn connection(&self, socket: TcpStream, peer: SocketAddr, watcher: Watcher) {
        // An answer goes out whole; waiting for more to send would only delay it.
        drop(socket.set_nodelay(true));
        match &self.tls {
            None => self.requests(socket, peer, watcher).await,
            Some(acceptor) => match acceptor.accept(socket).await {
                Ok(stream) => self.requests(stream, peer, watcher).await,
                Err(error) => tracing::debug!(%peer, %error, "no TLS connection"),
            },
        }
    }

    async fn requests(
        &self,
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
        peer: SocketAddr,
        watcher: Watcher,
    ) {
        let service = self.router.clone().map_request(move |request: Request<Incoming>| {
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(Peer(peer));
            request
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.head)
            .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
        if let Err(error) = watcher.watch(connection).await {
            tracing::debug!(%peer, %error, "a connection ended early");
        }
    }
}

/// Binds, and refuses to serve plain HTTP where others could listen in.
///
/// # Errors
/// The operating system's, or [`io::ErrorKind::InvalidInput`] for plain HTTP on an address that is not loopback.
pub(crate) async fn bind(address: SocketAddr, plain_http: bool) -> io::Result<TcpListener> {
    if plain_http && !address.ip().is_loopback() {
        let text = "plain HTTP is served on loopback addresses only: give a certificate, or listen on 127.0.0.1";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    }
    TcpListener::bind(address).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn plain_http_is_for_this_machine_only() {
        for (address, plain_http, bound) in
            [("127.0.0.1:0", true, true), ("[::1]:0", true, true), ("0.0.0.0:0", true, false), ("192.0.2.1:0", true, false)]
        {
            let outcome = bind(address.parse().unwrap(), plain_http).await;
            match outcome {
                Ok(_) => assert!(bound, "{address}"),
                // A machine without IPv6 has no ::1.
                Err(error) if bound => assert_eq!(error.kind(), io::ErrorKind::AddrNotAvailable, "{address}"),
                Err(error) => assert!(error.to_string().contains("loopback addresses only"), "{address}: {error}"),
            }
        }
    }
}
