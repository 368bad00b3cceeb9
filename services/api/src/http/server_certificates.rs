//! Which certificate the API shows to whom: an instance's own to whoever asks for its access domain, the given one to others.
//!
//! Not for reading or checking files; the chassis does. Invariant: an instance that appears in the fleet is shown without a
//! restart, as soon as its files are there.

use std::{sync::Arc, time::Duration};

use rollcall_chassis::tls_server::{Acceptor, NamedPair, PemPair, REREAD_EVERY, TlsServerConfig, TlsServerError};
use rollcall_projection::fleet::FleetSnapshot;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::config::Config;

/// What shakes hands on accepted sockets, following the fleet until `shutdown`.
///
/// # Errors
/// [`TlsServerError`]: the given certificate and key cannot be used.
pub(crate) fn acceptor(
    config: &Config,
    mut fleet: watch::Receiver<Arc<FleetSnapshot>>,
    shutdown: &CancellationToken,
) -> Result<Acceptor, TlsServerError> {
    let folder = config.tls_folder.clone();
    let pairs = move |snapshot: &FleetSnapshot| -> Vec<NamedPair> {
        let instances = snapshot.fleet.instances.values();
        let pair =
            |id: &str| PemPair { certificate: folder.join(format!("{id}.crt")), key: folder.join(format!("{id}.key")) };
        instances
            .map(|instance| NamedPair { dns_name: instance.access_domain.to_string(), pair: pair(instance.id.as_str()) })
            .collect()
    };
    let (publisher, named) = watch::channel(pairs(&fleet.borrow_and_update().clone()));
    let stop = shutdown.clone();
    tokio::spawn(async move {
        while let Some(Ok(())) = stop.run_until_cancelled(fleet.changed()).await {
            let snapshot = Arc::clone(&fleet.borrow_and_update());
            publisher.send_replace(pairs(&snapshot));
        }
        // Whoever still shakes hands goes on with what is known.
        stop.cancelled().await;
    });
    Acceptor::new(TlsServerConfig {
        default: PemPair { certificate: config.certificate.clone(), key: config.key.clone() },
        named,
        handshake_max: Duration::from_millis(config.limits.handshake_ms_max),
        reread_every: REREAD_EVERY,
    })
}
