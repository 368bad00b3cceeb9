//! The trust epochs of one instance: what TLS trusts and presents, and the task that publishes it.
//!
//! A **trust epoch** is one set of verified CA certificates, one of distrusted CAs and what certificates of the server there are. Each has a `ServerConfig` of
//! its own with its own session store and no tickets that outlive it: a session of an earlier epoch cannot be resumed.
//! The task publishes, every handshake reads the latest once; nothing is trusted before the first value.

use std::{
    sync::{Arc, LazyLock},
    time::Duration,
};

use arc_swap::ArcSwapOption;
use rollcall_chassis::clock::Clock;
use rollcall_domain::{
    ids::InstanceId,
    registry::{Configuration, TrustBasis},
};
use rollcall_projection::admission::AdmissionView;
use rustls::{
    ServerConfig,
    crypto::{CryptoProvider, aws_lc_rs},
    server::ServerSessionMemoryCache,
};
use tokio::time::MissedTickBehavior;

use crate::{
    config::Config,
    transport::{
        chain_verifier::ChainVerifier,
        client_verifier::ClientVerifier,
        server_certificates::{ServerCertificates, Shown},
    },
};

/// Between two looks at the files of the server certificate.
const POLL_INTERVAL: Duration = Duration::from_millis(500);
/// TLS 1.3 tickets for each handshake. rustls sends two; a device has one connection, so the second is only work.
const TICKETS_PER_HANDSHAKE: usize = 1;

/// The default of aws-lc-rs: rustls has no cipher suites but ECDHE with AEAD.
pub(super) static PROVIDER: LazyLock<Arc<CryptoProvider>> = LazyLock::new(|| Arc::new(aws_lc_rs::default_provider()));

/// One trust epoch of one instance.
pub(crate) struct TrustEpoch {
    /// Rises with every change; for logs and status.
    pub(crate) epoch: u64,
    /// Of which CA certificates it is.
    pub(crate) basis: TrustBasis,
    pub(crate) tls: Arc<ServerConfig>,
    pub(crate) chain_verifier: Arc<ChainVerifier>,
}

/// Publishes the trust epochs of one instance; runs until the view is closed or the future is dropped.
pub(crate) struct TrustPublisher {
    instance: InstanceId,
    view: AdmissionView,
    clock: Arc<dyn Clock>,
    config: Arc<Config>,
    certificates: ServerCertificates,
    basis: TrustBasis,
    epoch: u64,
}

impl TrustPublisher {
    /// For one instance.
    pub(crate) fn new(instance: InstanceId, view: AdmissionView, clock: Arc<dyn Clock>, config: Arc<Config>) -> Self {
        let certificates = ServerCertificates::new(instance.clone(), &config.tls_folder);
        Self { instance, view, clock, config, certificates, basis: TrustBasis::default(), epoch: 0 }
    }

    /// Publishes every epoch.
    pub(crate) async fn run(mut self, published: &ArcSwapOption<TrustEpoch>) {
        let mut status = self.view.status();
        let mut poll = tokio::time::interval(POLL_INTERVAL);
        poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut configuration: Option<Arc<Configuration>> = None;
        loop {
            let ticked = tokio::select! {
                changed = status.changed() => if changed.is_err() { return } else { false },
                _ = poll.tick() => true,
            };
            let latest = self.view.configuration();
            let same = configuration.as_ref().is_some_and(|known| Arc::ptr_eq(known, &latest));
            let replaced = ticked && self.certificates.refresh(&PROVIDER);
            let trust_changed = !same && self.trust_changed(&latest);
            if replaced || trust_changed {
                self.publish(&latest, published);
            }
            configuration = Some(latest);
        }
    }

    fn trust_changed(&mut self, configuration: &Configuration) -> bool {
        let basis = configuration.trust_basis();
        let changed = basis != self.basis;
        self.basis = basis;
        changed
    }

    fn publish(&mut self, configuration: &Configuration, published: &ArcSwapOption<TrustEpoch>) {
        // Without a server certificate there is no handshake; the first usable one is published from here.
        let Some(shown) = self.certificates.shown() else { return };
        let chain_verifier = Arc::new(ChainVerifier::new(
            configuration.trust_store(),
            self.clock.clone(),
            self.config.limits.chain_bytes_max as usize,
        ));
        self.epoch += 1;
        match self.server_config(shown, chain_verifier.clone()) {
            Ok(tls) => {
                tracing::info!(instance = %self.instance, epoch = self.epoch, cas = self.basis.anchors(), "trust changed");
                published.store(Some(Arc::new(TrustEpoch {
                    epoch: self.epoch,
                    basis: self.basis.clone(),
                    tls: Arc::new(tls),
                    chain_verifier,
                })));
            }
            // Closed rather than outdated: the epoch before may trust a CA certificate that is gone.
            Err(error) => {
                tracing::error!(instance = %self.instance, %error, "TLS cannot be configured; nothing is let in");
                published.store(None);
            }
        }
    }

    fn server_config(&self, shown: Arc<Shown>, chain_verifier: Arc<ChainVerifier>) -> Result<ServerConfig, rustls::Error> {
        let algorithms = PROVIDER.signature_verification_algorithms;
        let verifier = Arc::new(ClientVerifier::new(chain_verifier, self.view.status(), algorithms));
        let mut tls = ServerConfig::builder_with_provider(PROVIDER.clone())
            .with_safe_default_protocol_versions()?
            .with_client_cert_verifier(verifier)
            .with_cert_resolver(shown);
        let settings = self.config.instance(&self.instance);
        tls.session_storage = ServerSessionMemoryCache::new(self.config.limits.resumable_sessions_max as usize);
        tls.send_tls13_tickets = if settings.tls_session_tickets.unwrap_or(true) { TICKETS_PER_HANDSHAKE } else { 0 };
        tls.max_fragment_size = settings.max_fragment_size;
        tls.max_early_data_size = 0;
        Ok(tls)
    }
}
