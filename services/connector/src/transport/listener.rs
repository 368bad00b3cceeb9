//! Accepts connections under the limit of connections, each into a task of its own.
//!
//! Over the limit a connection ends that has proven nothing, if its source has too many of them. If there is none, the new one
//! is accepted and closed at once: left in the backlog it would look like a dead server and delay the connections behind it.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use rollcall_chassis::retry::{Backoff, Retry};
use rollcall_log::repeats::Repeats;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tokio_util::task::TaskTracker;

use crate::{connection::serve, context::ConnectorContext, metrics::metrics};

/// After the process could open no more sockets.
const RETRY: Backoff = Backoff { min: Duration::from_millis(50), max: Duration::from_secs(1) };

/// A port that is taken and not listened on: who connects is told at once that nobody does.
pub(crate) struct Bound(Socket);

/// Binds; port 0 lets the operating system choose.
///
/// # Errors
/// The operating system's.
pub(crate) fn bind(address: SocketAddr) -> io::Result<Bound> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(Bound(socket))
}

impl Bound {
    /// Where it is bound.
    ///
    /// # Errors
    /// The operating system's.
    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        let address = self.0.local_addr()?.as_socket();
        address.ok_or_else(|| io::Error::other("a TCP socket has an IP address"))
    }

    /// Listens.
    ///
    /// # Errors
    /// The operating system's: another process may have begun to listen there.
    pub(crate) fn listen(self, backlog_max: u32) -> io::Result<TcpListener> {
        self.0.listen(i32::try_from(backlog_max).unwrap_or(i32::MAX))?;
        TcpListener::from_std(self.0.into())
    }
}

/// Accepts until the connector is stopping. `connections` tracks the tasks.
pub(crate) async fn accept(listener: TcpListener, context: Arc<ConnectorContext>, connections: &TaskTracker) {
    let (repeats, mut retry) = (Repeats::default(), Retry::new(RETRY, context.entropy.clone()));
    let room = Arc::new(Semaphore::new(context.config.limits.connections_max as usize));
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = context.stopping.cancelled() => return,
        };
        let (socket, source) = match accepted {
            Ok((socket, peer)) => {
                retry.succeeded();
                (socket, peer.ip())
            }
            Err(error) => {
                if let Some(left_out) = repeats.failed(&error) {
                    tracing::warn!(%error, left_out, "a connection could not be accepted");
                }
                if context.stopping.run_until_cancelled(retry.pause()).await.is_none() {
                    return;
                }
                continue;
            }
        };
        match find_room(&room, &context, source).await {
            Some(permit) => {
                let context = context.clone();
                connections.spawn(async move {
                    metrics().connections(1);
                    serve_socket(context, socket, source).await;
                    metrics().connections(-1);
                    drop(permit);
                });
            }
            None => metrics().turned_away(),
        }
    }
}

/// A permit for one connection more, at another's cost if need be; `None`: there is none.
async fn find_room(room: &Arc<Semaphore>, context: &ConnectorContext, source: IpAddr) -> Option<OwnedSemaphorePermit> {
    match room.clone().try_acquire_owned() {
        Ok(permit) => Some(permit),
        // What was made to end waits for nothing any more: its permit comes as soon as its task is run.
        Err(_) if context.unproven.make_way(source) => room.clone().acquire_owned().await.ok(),
        Err(_) => None,
    }
}

async fn serve_socket(context: Arc<ConnectorContext>, socket: TcpStream, source: IpAddr) {
    // Answers are small and the client waits for each.
    if let Err(error) = socket.set_nodelay(true) {
        tracing::debug!(%error, "a connection was gone before it was served");
        return;
    }
    serve(context, socket, source).await;
}
