//! Whether the connection to the broker stands: `dial` says it, what holds state on the server waits for its loss.

use tokio::sync::watch;

/// Whether the connection stands, and how often it has been made again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) up: bool,
    pub(crate) epoch: u64,
}

/// Returns when the connection of this epoch is down, or is another by now.
pub(crate) async fn lost(mut link: watch::Receiver<Link>, epoch: u64) {
    // An error means that the client has ended, and with it the connection.
    let _ = link.wait_for(|link| !link.up || link.epoch != epoch).await;
}
