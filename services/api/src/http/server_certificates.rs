//! Which certificate the API shows: the instance's own for its access domain, the configured one for every other name.
//!
//! Does not read or check files; the chassis does. Invariant: an instance that appears in the fleet is shown without a
//! restart, as soon as its files are there.

use std::{sync::Arc, time::Duration};

use rollcall_chassis::tls_server::{Acceptor, NamedPair, PemPair, REREAD_EVERY, TlsServerConfig, TlsServerError};
use rollcall_projection::fleet::FleetSnapshot;
use tokio::sync::watch;

use crate::config::Config;

/// What makes TLS connections of accepted sockets, and the task that it needs: following the instances of the fleet.
///
/// # Errors
/// [`TlsServerError`]: the given certificate and key cannot be used.
pub(crate) fn acceptor(
    config: &Config,
    mut fleet: watch::Receiver<Arc<FleetSnapshot>>,
) -> Result<(Acceptor, impl Future<Output = ()> + use<>), TlsServerError> {
    let folder = config.tls_folder.clone();
    let pairs = move |snapshot: &FleetSnapshot| -> Vec<NamedPair> {
        let instances = snapshot.fleet.instances.values();
        instances
            .map(|instance| NamedPair {
                dns_name: instance.access_domain.to_string(),
                pair: PemPair::named(&folder, instance.id.as_str()),
            })
            .collect()
    };
    let (publisher, named) = watch::channel(pairs(&fleet.borrow_and_update().clone()));
    let acceptor = Acceptor::new(TlsServerConfig {
        default: PemPair { certificate: config.certificate.clone(), key: config.key.clone() },
        named,
        handshake_max: Duration::from_millis(config.limits.handshake_ms_max),
        reread_every: REREAD_EVERY,
    })?;
    let follow = async move {
        while fleet.changed().await.is_ok() {
            let snapshot = Arc::clone(&fleet.borrow_and_update());
            publisher.send_replace(pairs(&snapshot));
        }
        // Nothing publishes the fleet any more: handshakes go on with the names that are known.
        std::future::pending::<()>().await;
    };
    Ok((acceptor, follow))
}
