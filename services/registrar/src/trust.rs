//! The verified CA certificates, kept ready for path building: parsing them for every request would cost more than the
//! proof itself.
//!
//! Invariant: what is handed out was built from exactly the verified CA certificates, and the distrusted CAs, of the
//! configuration given.

use std::sync::Arc;

use rollcall_domain::{
    certificate::path::TrustStore,
    registry::{Configuration, TrustBasis},
};

pub(crate) struct Trust {
    /// The configuration that was looked at last: most often it is the same one again.
    configuration: Arc<Configuration>,
    basis: TrustBasis,
    store: Arc<TrustStore>,
}

impl Trust {
    pub(crate) fn new() -> Self {
        let configuration = Arc::<Configuration>::default();
        let (basis, store) = (configuration.trust_basis(), Arc::new(configuration.trust_store()));
        Self { store, configuration, basis }
    }

    /// The trust store of a configuration.
    pub(crate) fn of(&mut self, configuration: &Arc<Configuration>) -> Arc<TrustStore> {
        if !Arc::ptr_eq(&self.configuration, configuration) {
            self.configuration = Arc::clone(configuration);
            let basis = configuration.trust_basis();
            if basis != self.basis {
                self.basis = basis;
                self.store = Arc::new(configuration.trust_store());
            }
        }
        Arc::clone(&self.store)
    }
}
