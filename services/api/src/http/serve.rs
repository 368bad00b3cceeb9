//! From sockets to requests: accepting, TLS, and how many and how slow clients may be.
//!
//! Accepting is a loop of our own, since `axum::serve` has no bound on connections and no deadline for the head of a request;
//! the HTTP and the graceful end of connections are hyper's. Over the limit a connection is accepted and closed: left in the
//! kernel's backlog it would delay those behind it. Does not look at what a request means. Invariants: a client that sends
//! nothing, or takes nothing of an answer, holds a connection for no longer than the deadlines allow; the silent connections of
//! one source leave room for others; plain HTTP is served on loopback addresses only; a request that has begun is answered
//! before the process stops, within the time that draining may take.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes},
    http::Request,
};
use hyper::{
    body::{Frame, Incoming, SizeHint},
    server::conn::http1,
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::{GracefulShutdown, Watcher},
    service::TowerToHyperService,
};
use rollcall_chassis::{
    entropy::Entropy,
    retry::{Backoff, Retry},
    sources::{Exhausted, SharedBound, SourceNetwork},
    tls_server::Acceptor,
};
use rollcall_log::repeats::Repeats;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt as _;

use super::{
    metrics::{Closed, metrics},
    peer::Peer,
    write_deadline::WriteDeadline,
};
use crate::config::Limits;

/// The pauses after a socket could not be accepted: out of file descriptors, mostly.
const ACCEPT_RETRY: Backoff = Backoff { min: Duration::from_millis(50), max: Duration::from_secs(1) };

/// What is read ahead of a connection at most, bytes; so a head may be as long.
const READ_AHEAD_BYTES_MAX: usize = 64 * 1024;

/// Serves until `shutdown`, then lets requests under way finish, within [`Limits::drain_ms_max`]; what lasts longer is cut
/// off.
pub(crate) async fn serve(
    listener: TcpListener,
    tls: Option<Acceptor>,
    router: Router,
    limits: &Limits,
    entropy: Arc<dyn Entropy>,
    shutdown: CancellationToken,
) {
    let open = SharedBound::new(limits.connections_max.into(), limits.connections_of_source_max.into());
    let silent_max = Duration::from_millis(limits.silent_ms_max);
    let (graceful, connections) = (GracefulShutdown::new(), TaskTracker::new());
    // Also when this future is dropped.
    let cut_off = CancellationToken::new();
    let cutting_off = cut_off.clone().drop_guard();
    let (head, write) = (Duration::from_millis(limits.head_ms_max), Duration::from_millis(limits.write_ms_max));
    let server = Arc::new(Server { tls, router, head, write });
    let (repeats, mut retry) = (Repeats::default(), Retry::new(ACCEPT_RETRY, entropy));
    let accepting = async {
        loop {
            match listener.accept().await {
                Ok((socket, address)) => {
                    retry.succeeded();
                    if repeats.recovered() {
                        tracing::info!("connections are accepted again");
                    }
                    let mut share = open.share(SourceNetwork::of(address.ip()));
                    if let Err(why) = share.take(1) {
                        metrics().connection_closed(match why {
                            Exhausted::Whole => Closed::Whole,
                            Exhausted::Source => Closed::Source,
                        });
                        continue;
                    }
                    let (peer, crowded) = (Arc::new(Peer::new(share)), open.crowded());
                    let (server, watcher, cut_off) = (Arc::clone(&server), graceful.watcher(), cut_off.clone());
                    connections.spawn(cut_off.run_until_cancelled_owned(async move {
                        tokio::select! {
                            () = server.connection(socket, &peer, watcher) => {}
                            () = peer.silent_while_crowded(crowded, silent_max) => metrics().connection_closed(Closed::Silent),
                        }
                    }));
                }
                Err(error) => {
                    if let Some(left_out) = repeats.failed(&error) {
                        tracing::warn!(%error, left_out, "a connection could not be accepted");
                    }
                    retry.pause().await;
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
    drop(cutting_off);
    connections.close();
    connections.wait().await;
}

struct Server {
    tls: Option<Acceptor>,
    router: Router,
    /// How long the head of a request may take.
    head: Duration,
    /// How long a client may take nothing of an answer.
    write: Duration,
}

impl Server {
    async fn connection(&self, socket: TcpStream, peer: &Arc<Peer>, watcher: Watcher) {
        // An answer goes out whole; waiting for more to send would only delay it.
        drop(socket.set_nodelay(true));
        match &self.tls {
            None => self.requests(socket, peer, watcher).await,
            Some(acceptor) => match acceptor.accept(socket).await {
                Ok(stream) => self.requests(stream, peer, watcher).await,
                Err(error) => tracing::debug!(source = %peer.source(), %error, "no TLS connection"),
            },
        }
    }

    async fn requests(
        &self,
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
        peer: &Arc<Peer>,
        watcher: Watcher,
    ) {
        let (router, of_requests) = (self.router.clone(), Arc::clone(peer));
        let service = tower::service_fn(move |request: Request<Incoming>| {
            let (peer, router) = (Arc::clone(&of_requests), router.clone());
            async move {
                peer.request_begins();
                let mut request = request.map(Body::new);
                request.extensions_mut().insert(Arc::clone(&peer));
                router.oneshot(request).await.map(|answer| answer.map(|body| AnswerBody { body, peer }))
            }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.head)
            .max_buf_size(READ_AHEAD_BYTES_MAX)
            .serve_connection(
                TokioIo::new(WriteDeadline::new(stream, self.write, Arc::clone(peer))),
                TowerToHyperService::new(service),
            );
        if let Err(error) = watcher.watch(connection).await {
            tracing::debug!(source = %peer.source(), %error, "a connection ended early");
        }
    }
}

/// What follows the head of an answer; the peer is told when there is no more of it.
struct AnswerBody {
    body: Body,
    peer: Arc<Peer>,
}

impl hyper::body::Body for AnswerBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for AnswerBody {
    fn drop(&mut self) {
        self.peer.answer_ends();
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
    use axum::routing::get;
    use rollcall_chassis::entropy::SystemEntropy;
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpSocket,
        sync::{mpsc, oneshot},
        task::JoinHandle,
    };

    use super::*;

    /// How long anything may take.
    const PATIENCE: Duration = Duration::from_secs(30);
    const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: here\r\n\r\n";

    async fn within<T>(future: impl Future<Output = T>) -> T {
        tokio::time::timeout(PATIENCE, future).await.expect("in time")
    }

    /// A server whose handler says that a request has begun and answers when it is let.
    struct Slow {
        address: SocketAddr,
        begun: mpsc::Receiver<oneshot::Sender<()>>,
        shutdown: CancellationToken,
        serving: JoinHandle<()>,
    }

    impl Slow {
        async fn start(limits: Limits) -> Self {
            let (begins, begun) = mpsc::channel::<oneshot::Sender<()>>(8);
            let handler = move || {
                let begins = begins.clone();
                async move {
                    let (answer, answered) = oneshot::channel();
                    begins.send(answer).await.unwrap();
                    answered.await.unwrap();
                    "done"
                }
            };
            let listener = bind(([127, 0, 0, 1], 0).into(), true).await.unwrap();
            let (address, shutdown) = (listener.local_addr().unwrap(), CancellationToken::new());
            let (router, stop) = (Router::new().route("/", get(handler)), shutdown.clone());
            let serving =
                tokio::spawn(async move { serve(listener, None, router, &limits, Arc::new(SystemEntropy), stop).await });
            Self { address, begun, shutdown, serving }
        }

        /// A connection whose request has begun.
        async fn request(&mut self) -> (TcpStream, oneshot::Sender<()>) {
            let mut client = TcpStream::connect(self.address).await.unwrap();
            client.write_all(REQUEST).await.unwrap();
            (client, within(self.begun.recv()).await.unwrap())
        }
    }

    async fn rest(client: &mut TcpStream) -> String {
        let mut text = String::new();
        within(client.read_to_string(&mut text)).await.unwrap();
        text
    }

    #[tokio::test]
    async fn a_request_that_has_begun_is_answered_before_serving_ends() {
        let mut server = Slow::start(Limits { drain_ms_max: 30_000, ..Limits::default() }).await;
        let (mut client, answer) = server.request().await;
        let mut idle = TcpStream::connect(server.address).await.unwrap();
        server.shutdown.cancel();
        // Closed at once, with an error if it was not accepted yet.
        let _ = within(idle.read(&mut [0])).await;
        assert!(!server.serving.is_finished());
        answer.send(()).unwrap();
        let text = rest(&mut client).await;
        assert!(text.starts_with("HTTP/1.1 200") && text.ends_with("done"), "{text}");
        within(server.serving).await.unwrap();
    }

    #[tokio::test]
    async fn a_request_that_does_not_end_holds_the_process_for_no_longer_than_draining_may_take() {
        let mut server = Slow::start(Limits { drain_ms_max: 10, ..Limits::default() }).await;
        let (_client, _answer) = server.request().await;
        server.shutdown.cancel();
        within(server.serving).await.unwrap();
    }

    #[tokio::test]
    async fn a_client_that_sends_no_whole_head_is_disconnected() {
        let mut server = Slow::start(Limits { head_ms_max: 50, ..Limits::default() }).await;
        for sent in [&b""[..], b"GET / HTTP/1.1\r\nHost: he"] {
            let mut client = TcpStream::connect(server.address).await.unwrap();
            client.write_all(sent).await.unwrap();
            let _ = rest(&mut client).await;
        }
        // The deadline is for the head alone.
        let (mut client, answer) = server.request().await;
        let later = TcpStream::connect(server.address).await.unwrap();
        let _ = rest(&mut { later }).await;
        answer.send(()).unwrap();
        assert!(rest(&mut client).await.starts_with("HTTP/1.1 200"));
    }

    #[tokio::test]
    async fn a_client_that_takes_nothing_of_an_answer_is_disconnected() {
        /// More than sockets buffer.
        const ANSWER_BYTES: usize = 64 * 1024 * 1024;
        let router = Router::new().route("/", get(|| async { vec![b'x'; ANSWER_BYTES] }));
        let limits = Limits { write_ms_max: 50, drain_ms_max: 60_000, ..Limits::default() };
        let listener = bind(([127, 0, 0, 1], 0).into(), true).await.unwrap();
        let (address, shutdown) = (listener.local_addr().unwrap(), CancellationToken::new());
        let stop = shutdown.clone();
        let serving =
            tokio::spawn(async move { serve(listener, None, router, &limits, Arc::new(SystemEntropy), stop).await });
        let mut client = TcpStream::connect(address).await.unwrap();
        client.write_all(REQUEST).await.unwrap();
        within(client.read_exact(&mut [0; 12])).await.unwrap();
        shutdown.cancel();
        // The client still holds its end.
        within(serving).await.unwrap();
        let mut rest = Vec::new();
        let _ = within(client.read_to_end(&mut rest)).await;
        assert!(rest.len() < ANSWER_BYTES, "{}", rest.len());
    }

    #[tokio::test]
    async fn a_connection_beyond_the_limit_is_closed_at_once() {
        let mut server = Slow::start(Limits { connections_max: 1, connections_of_source_max: 1, ..Limits::default() }).await;
        let (mut first, answer) = server.request().await;
        let mut second = TcpStream::connect(server.address).await.unwrap();
        assert_eq!(within(second.read(&mut [0])).await.unwrap_or(0), 0, "it was queued");
        answer.send(()).unwrap();
        let mut start = [0; 12];
        within(first.read_exact(&mut start)).await.unwrap();
        assert_eq!(&start, b"HTTP/1.1 200");
    }

    /// A connection from an address of this machine other than 127.0.0.1.
    async fn connect_from(source: [u8; 4], to: SocketAddr) -> TcpStream {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((source, 0).into()).unwrap();
        socket.connect(to).await.unwrap()
    }

    #[tokio::test]
    async fn f44_silent_connections_of_one_source_leave_room_for_another() {
        let mut server = Slow::start(Limits { silent_ms_max: 60_000, ..Limits::default() }).await;
        let mut silent = Vec::new();
        for _ in 0..1005 {
            silent.push(connect_from([127, 0, 0, 2], server.address).await);
        }
        let mut closed = 0;
        // Those up to half of all are kept, and the next are closed at once.
        for connection in &mut silent[500..] {
            closed += usize::from(within(connection.read(&mut [0])).await.unwrap_or(0) == 0);
        }
        assert_eq!(closed, 505);
        let (mut other, answer) = server.request().await;
        answer.send(()).unwrap();
        let mut start = [0; 12];
        within(other.read_exact(&mut start)).await.unwrap();
        assert_eq!(&start, b"HTTP/1.1 200");
    }

    /// Two connections are more than half; only silence ends one that sends nothing.
    fn crowded_by_two() -> Limits {
        let long = 2 * u64::try_from(PATIENCE.as_millis()).unwrap();
        let (connections_max, connections_of_source_max) = (3, 3);
        Limits { connections_max, connections_of_source_max, silent_ms_max: 50, head_ms_max: long, ..Limits::default() }
    }

    #[tokio::test]
    async fn f44_silent_connections_end_while_room_is_short() {
        let mut server = Slow::start(crowded_by_two()).await;
        let (_client, _answer) = server.request().await;
        let mut silent = TcpStream::connect(server.address).await.unwrap();
        assert_eq!(within(silent.read(&mut [0])).await.unwrap_or(0), 0);
    }

    #[tokio::test]
    async fn f44_an_answer_that_is_being_sent_is_not_silence() {
        /// More than sockets buffer.
        const ANSWER_BYTES: usize = 64 * 1024 * 1024;
        let router = Router::new().route("/", get(|| async { vec![b'x'; ANSWER_BYTES] }));
        let limits = crowded_by_two();
        let listener = bind(([127, 0, 0, 1], 0).into(), true).await.unwrap();
        let (address, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
        let _serving =
            tokio::spawn(async move { serve(listener, None, router, &limits, Arc::new(SystemEntropy), stop).await });
        let mut client = TcpStream::connect(address).await.unwrap();
        client.write_all(b"GET / HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n").await.unwrap();
        within(client.read_exact(&mut [0; 12])).await.unwrap();
        // The server is still sending; both end, one after the other, since room is short for each.
        for _ in 0..2 {
            let mut silent = TcpStream::connect(address).await.unwrap();
            assert_eq!(within(silent.read(&mut [0])).await.unwrap_or(0), 0);
        }
        let mut rest = Vec::new();
        let _ = within(client.read_to_end(&mut rest)).await;
        assert!(rest.len() > ANSWER_BYTES, "{}", rest.len());
    }

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
