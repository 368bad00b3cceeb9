//! Whether logs can be written, as far as the backbone knows: looked at now and then, so that nobody who asks makes it work.

use std::{sync::Arc, time::Duration};

use rollcall_backbone::log::RegistryLog;
use rollcall_domain::ids::LogId;
use tokio::{sync::watch, time::MissedTickBehavior};
use tokio_util::sync::CancellationToken;

/// How often it is looked.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// Why logs cannot be written; `None` if they can.
pub(crate) type Writable = watch::Receiver<Option<Arc<str>>>;

/// Looks until `shutdown`. One log speaks for all: they share a disk, or a broker.
pub(crate) fn watch(log: Arc<dyn RegistryLog>, shutdown: CancellationToken) -> Writable {
    let (sender, receiver) = watch::channel(None);
    tokio::spawn(async move {
        shutdown.run_until_cancelled(poll(&*log, &sender)).await;
    });
    receiver
}

async fn poll(log: &dyn RegistryLog, known: &watch::Sender<Option<Arc<str>>>) {
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
