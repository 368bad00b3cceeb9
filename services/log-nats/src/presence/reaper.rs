//! Making the devices of lost connectors offline, for those that begin to watch later.
//!
//! Every watcher does it, each device only over the message that is known to be stale: when several do it at a time, or
//! the device is back, nothing happens.

use std::{collections::VecDeque, sync::Arc};

use rollcall_domain::ids::InstanceId;
use tokio::{task::JoinHandle, time::Instant};

use crate::{
    connection::Connection,
    presence::{message::Change, offline_over},
    streams::atomic::StoreError,
};

/// Devices that are made offline at a time.
const AT_ONCE: usize = 256;

/// A device that a lost connector has left online in the stream.
pub(super) struct Stale {
    pub(super) change: Change,
    pub(super) sequence: u64,
    /// Not before: by then every other watcher has seen the lease run out too, and hears of no device twice.
    pub(super) due: Instant,
}

/// What is still to be done.
#[derive(Default)]
pub(super) struct Reaper {
    waiting: VecDeque<Stale>,
    under_way: Option<JoinHandle<()>>,
}

impl Reaper {
    /// Adds a device; those that come later are not due earlier.
    pub(super) fn add(&mut self, stale: Stale) {
        self.waiting.push_back(stale);
    }

    /// Starts with some of those that are due, unless some are under way.
    pub(super) fn go_on(&mut self, connection: &Arc<Connection>, instance: &InstanceId) {
        let now = Instant::now();
        let due = self.waiting.iter().take(AT_ONCE).take_while(|stale| stale.due <= now).count();
        if due == 0 || self.under_way.as_ref().is_some_and(|task| !task.is_finished()) {
            return;
        }
        let some: Vec<_> = self.waiting.drain(..due).collect();
        let (connection, instance) = (connection.clone(), instance.clone());
        self.under_way = Some(tokio::spawn(async move {
            for Stale { change, sequence, .. } in some {
                let change = Change { online: false, ..change };
                if let Err(StoreError::Backbone(error)) = offline_over(&connection, &instance, &change, sequence).await {
                    // An account that may only watch, or no connection: others do it, or a later watcher.
                    tracing::debug!(%instance, %error, "devices of a lost connector are left as they are");
                    return;
                }
            }
        }));
    }
}
