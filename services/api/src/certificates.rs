//! Stands in until the real one is merged.
use std::sync::Arc;

use rollcall_chassis::tls_server::{Acceptor, TlsServerError};
use rollcall_projection::fleet::FleetSnapshot;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

pub(crate) fn acceptor(
    _: &crate::Config,
    _: watch::Receiver<Arc<FleetSnapshot>>,
    _: &CancellationToken,
) -> Result<Acceptor, TlsServerError> {
    Err(TlsServerError)
}
