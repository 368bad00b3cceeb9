//! The names of this process's leases: each unbroken stretch of a connector's being heard of has one.
//!
//! A connector that was cut off for longer than its lease has lost its devices, also when its next heartbeat finds their
//! `Online` still in the stream. So both carry the lease's name, and an `Online` of another lease than the heartbeat's is
//! void: the connector announces again what it holds.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use rollcall_domain::ids::{ConnectorId, InstanceId};
use tokio::time::Instant;

/// Leases of the connectors that announce through this backbone: in production one for each instance.
pub(super) struct Leases {
    length: Duration,
    held: Mutex<HashMap<(InstanceId, ConnectorId), Lease>>,
}

struct Lease {
    name: String,
    renewed: Instant,
}

impl Leases {
    pub(super) fn new(length: Duration) -> Self {
        Self { length, held: Mutex::default() }
    }

    /// The lease under which to say something now; a new one, named by `unique`, if the last has run out.
    pub(super) fn name(&self, instance: &InstanceId, connector: &ConnectorId, unique: impl FnOnce() -> String) -> String {
        let now = Instant::now();
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.retain(|_, lease| now < lease.renewed + self.length);
        let lease = held.entry((instance.clone(), connector.clone()));
        lease.or_insert_with(|| Lease { name: unique(), renewed: now }).name.clone()
    }

    /// What was said under a lease has been stored.
    pub(super) fn renew(&self, instance: &InstanceId, connector: &ConnectorId) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lease) = held.get_mut(&(instance.clone(), connector.clone())) {
            lease.renewed = Instant::now();
        }
    }
}
