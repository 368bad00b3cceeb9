//! Reads the ClientHello and its SNI (RFC 6066 §3).
//!
//! Does not do the rest of the handshake. Invariant: without the exact access domain of one instance (in any case) a
//! client learns of no instance, not even a server certificate.

use std::{future::poll_fn, io};

use rustls::server::{Accepted, AcceptedAlert, Acceptor};
use tokio::net::TcpStream;

use crate::transport::tls_stream::poll_read_by;

/// A fatal `unrecognized_name` alert (RFC 6066 §3, RFC 8446 §6) as one unencrypted record: rustls sends its own alerts
/// only for what it finds out itself.
pub(super) const UNRECOGNIZED_NAME: [u8; 7] = [21, 3, 3, 0, 2, 2, 112];
/// A fatal `internal_error` alert, for an instance without a usable server certificate.
pub(super) const INTERNAL_ERROR: [u8; 7] = [21, 3, 3, 0, 2, 2, 80];

/// A fatal `decode_error` alert, for a ClientHello longer than [`HELLO_BYTES_MAX`].
pub(super) const DECODE_ERROR: [u8; 7] = [21, 3, 3, 0, 2, 2, 50];

/// Bytes up to the end of a ClientHello, record headers included. rustls alone would hold 64 KB for each client that ends none;
/// the longest in the field, with post-quantum key shares and a ticket, have a few thousand.
pub(super) const HELLO_BYTES_MAX: usize = 16 * 1024;

/// A ClientHello, to go on from.
pub(super) struct Hello {
    pub(super) accepted: Accepted,
    /// Lower case; `None` also for an IP literal, which is no name (RFC 6066 §3).
    pub(super) server_name: Option<String>,
}

/// What came is no ClientHello.
pub(super) enum Unreadable {
    /// The client has gone.
    Gone(io::Error),
    /// It is longer than [`HELLO_BYTES_MAX`].
    TooLong,
    /// What was wrong, and the alert that says so.
    Refused(rustls::Error, Vec<u8>),
}

/// Reads one ClientHello.
///
/// # Errors
/// [`Unreadable`].
pub(super) async fn read_hello(socket: &mut TcpStream) -> Result<Hello, Unreadable> {
    let mut acceptor = Acceptor::default();
    let mut received = 0;
    loop {
        match poll_fn(|cx| poll_read_by(socket, cx, |bytes| acceptor.read_tls(bytes))).await {
            Ok(0) => return Err(Unreadable::Gone(io::ErrorKind::UnexpectedEof.into())),
            Ok(count) => received += count,
            Err(error) => return Err(Unreadable::Gone(error)),
        }
        if received > HELLO_BYTES_MAX {
            return Err(Unreadable::TooLong);
        }
        match acceptor.accept() {
            Ok(Some(accepted)) => {
                let server_name = accepted.client_hello().server_name().map(str::to_ascii_lowercase);
                return Ok(Hello { accepted, server_name });
            }
            Ok(None) => {}
            Err((error, alert)) => return Err(Unreadable::Refused(error, record(alert))),
        }
    }
}

/// The bytes of an alert.
pub(super) fn record(mut alert: AcceptedAlert) -> Vec<u8> {
    let mut bytes = Vec::new();
    alert.write_all(&mut bytes).expect("a Vec takes every byte");
    bytes
}
