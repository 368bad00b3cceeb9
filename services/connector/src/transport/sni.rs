//! Reads the ClientHello and its SNI (RFC 6066 §3).
//!
//! Does not do the rest of the handshake. Invariant: without the exact access domain of one instance (in any case) a
//! client learns of no instance, not even a server certificate.

use tokio::net::TcpStream;
use tokio_rustls::{LazyConfigAcceptor, StartHandshake};

/// A fatal `unrecognized_name` alert (RFC 6066 §3, RFC 8446 §6) as one unencrypted record: rustls sends its own alerts
/// only for what it finds out itself.
pub(crate) const UNRECOGNIZED_NAME: [u8; 7] = [21, 3, 3, 0, 2, 2, 112];
/// A fatal `internal_error` alert, for an instance without a usable server certificate.
pub(crate) const INTERNAL_ERROR: [u8; 7] = [21, 3, 3, 0, 2, 2, 80];

/// What a ClientHello asks for.
pub(crate) enum Hello {
    /// Continue with this server name, lower case.
    Named(Box<StartHandshake<TcpStream>>, String),
    /// No name, or an IP literal, which is none (RFC 6066 §3).
    Nameless(TcpStream),
}

/// Reads one ClientHello.
///
/// # Errors
/// The socket's, or what is wrong with the bytes: the client has been sent an alert then, and `socket` of the error is
/// there to be drained.
pub(crate) async fn read_hello(socket: TcpStream) -> Result<Hello, Unreadable> {
    let mut acceptor = LazyConfigAcceptor::new(rustls::server::Acceptor::default(), socket);
    match (&mut acceptor).await {
        Ok(start) => Ok(match start.client_hello().server_name().map(str::to_ascii_lowercase) {
            Some(name) => Hello::Named(Box::new(start), name),
            None => Hello::Nameless(start.io),
        }),
        Err(error) => Err(Unreadable { error, socket: acceptor.take_io() }),
    }
}

/// What came is no ClientHello.
pub(crate) struct Unreadable {
    /// What was wrong.
    pub(crate) error: std::io::Error,
    /// The socket, if it is still open.
    pub(crate) socket: Option<TcpStream>,
}
