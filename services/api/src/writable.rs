//! Whether logs can be written, as far as the backbone knows: polled, so that no request causes work to find out.

use std::{sync::Arc, time::Duration};

use rollcall_domain::ids::LogId;
use rollcall_log::log::RegistryLog;
use tokio::{sync::watch, time::MissedTickBehavior};

const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// Why logs cannot be written; `None` if they can.
pub(crate) type Writable = watch::Receiver<Option<Arc<str>>>;

/// Publishes the answer of the fleet's log for as long as it is awaited. One log speaks for all: they share a disk, or a
/// broker.
pub(crate) async fn poll(log: &dyn RegistryLog, known: watch::Sender<Option<Arc<str>>>) {
    let mut ticks = tokio::time::interval(POLL_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let latest = log.writable(&LogId::Fleet).await.err().map(|error| error.to_string().into());
        known.send_if_modified(|known| {
            let changed = *known != latest;
            *known = latest;
            changed
        });
    }
}
