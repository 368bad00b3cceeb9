//! The fleet in memory: small, folded from the start at every start, published as one immutable snapshot.

use std::sync::Arc;

use rollcall_backbone::log::RegistryLog;
use rollcall_domain::{fleet::Fleet, ids::Position};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// The fleet at one position.
#[derive(Clone, Debug, Default)]
pub struct FleetSnapshot {
    /// How far the fleet log has been read.
    pub position: Position,
    /// The instances.
    pub fleet: Fleet,
    /// Whether everything that the log held when following began has been read.
    pub caught_up: bool,
}

/// Follows the fleet log until `shutdown`; reconnects by itself. The receiver always holds the latest snapshot.
pub fn follow(log: Arc<dyn RegistryLog>, shutdown: CancellationToken) -> watch::Receiver<Arc<FleetSnapshot>> {
    let _ = (log, shutdown);
    todo!()
}
