//! The verified CA certificates, kept ready for path building: parsing them for every request would cost more than the
//! proof itself.
//!
//! Invariant: what is handed out was built from exactly the verified CA certificates of the configuration given.

use std::sync::Arc;

use rollcall_domain::{certificate::path::TrustStore, ids::CaId, registry::Configuration};

pub(crate) struct Trust {
    /// The configuration that was looked at last: most often it is the same one again.
    configuration: Arc<Configuration>,
    anchors: Vec<(CaId, [u8; 32])>,
    store: Arc<TrustStore>,
}

impl Trust {
    pub(crate) fn new() -> Self {
        let configuration = Arc::<Configuration>::default();
        Self { store: Arc::new(configuration.trust_store()), configuration, anchors: Vec::new() }
    }

    /// The trust store of a configuration.
    pub(crate) fn of(&mut self, configuration: &Arc<Configuration>) -> Arc<TrustStore> {
        if !Arc::ptr_eq(&self.configuration, configuration) {
            self.configuration = Arc::clone(configuration);
            let verified = configuration.cas.values().filter(|ca| ca.is_verified());
            let anchors: Vec<_> = verified.map(|ca| (ca.id.clone(), ca.sha256)).collect();
            if anchors != self.anchors {
                self.anchors = anchors;
                self.store = Arc::new(configuration.trust_store());
            }
        }
        Arc::clone(&self.store)
    }
}
