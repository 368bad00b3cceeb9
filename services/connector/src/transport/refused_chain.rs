//! Carries what the client-certificate verifier found out of the handshake that it stopped: rustls hands back the alert's
//! error and neither the reason nor the chain.
//!
//! The verifier is shared by all handshakes of a trust epoch, so the way out is bound to the task that does the handshake.
//! Invariant: outside [`catching`] nothing is kept; a chain is copied only if it is from a verified CA certificate.

use std::cell::Cell;

use rollcall_domain::certificate::path::Unproven;
use rustls::pki_types::CertificateDer;

use crate::admission::registration::certificate_connect::Chain;

tokio::task_local! {
    static SLOT: Cell<Option<Box<RefusedChain>>>;
}

/// A chain that did not hold.
#[derive(Debug)]
pub(crate) struct RefusedChain {
    pub(crate) unproven: Unproven,
    /// As it was presented; empty if it is from no verified CA certificate.
    pub(crate) chain: Chain,
}

impl RefusedChain {
    pub(crate) fn of<'a>(unproven: Unproven, chain: impl Iterator<Item = &'a CertificateDer<'a>>) -> Self {
        let chain = if unproven.from.is_some() { chain.map(|der| der.as_ref().into()).collect() } else { Chain::new() };
        Self { unproven, chain }
    }
}

/// For the verifier: leaves what it found to the handshake under way in this task.
pub(crate) fn put(refused: impl FnOnce() -> RefusedChain) {
    // Nobody asks: then it is only the alert that tells.
    let _ = SLOT.try_with(|slot| slot.set(Some(Box::new(refused()))));
}

/// Does a handshake, and returns with its outcome the chain that the verifier refused in it, if it did.
pub(crate) async fn catching<F: Future>(handshake: F) -> (F::Output, Option<Box<RefusedChain>>) {
    let caught = async {
        let outcome = handshake.await;
        (outcome, SLOT.with(Cell::take))
    };
    SLOT.scope(Cell::new(None), caught).await
}
