//! What a connection is served over once its client has presented a chain: TLS on a socket, or what stands in for both.
//!
//! Does not verify the chain; that is done by then.

use tokio::io::{AsyncRead, AsyncWrite};

use crate::{admission::registration::certificate_connect::Chain, context::ConnectorContext};

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
