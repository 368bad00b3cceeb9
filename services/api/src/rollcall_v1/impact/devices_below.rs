//! Counts the devices whose certificates were proven by a path through a CA.
//!
//! Does not say what becomes of them. Invariants: a device counts once, however many certificates it has; the work for one request
//! is bounded, and a count that is not complete says so.

use std::{collections::HashSet, sync::Arc, time::Duration};

use rollcall_domain::{fleet::Scope, ids::DeviceId, time::Timestamp};
use rollcall_projection::directory::{CertificateId, ListedCertificate};
use tokio::time::Instant;

use crate::{http::error::ApiError, instances::served::ServedInstance};

/// Device certificates looked at for one request.
const CERTIFICATES_MAX: u64 = 100_000;
/// Longest time for one request.
const COUNTING_MAX: Duration = Duration::from_secs(10);
/// Certificates looked up in one batch.
const CERTIFICATES_AT_A_TIME: usize = 1000;
/// Paths that are remembered.
const PATHS_MAX: usize = 1000;

/// The devices of some CAs.
pub(super) struct DevicesBelow {
    instance: Arc<ServedInstance>,
    scope: Scope,
    /// A certificate that ends until then is counted as ending.
    ending: std::ops::RangeInclusive<Timestamp>,
    looked_at: u64,
    ends: Instant,
    /// Those whose path ends at a CA that was counted.
    pub(super) devices: HashSet<DeviceId>,
    /// Those that have such a CA in between alone.
    pub(super) through: HashSet<DeviceId>,
    pub(super) certificates_ending: u64,
    /// The CAs above the newest of these certificates, by name and key, nearest first.
    pub(super) paths: Vec<Vec<[u8; 32]>>,
    /// Whether every certificate was looked at.
    pub(super) complete: bool,
}

impl DevicesBelow {
    pub(super) fn new(instance: &Arc<ServedInstance>, scope: &Scope, ending: std::ops::RangeInclusive<Timestamp>) -> Self {
        Self {
            instance: Arc::clone(instance),
            scope: scope.clone(),
            ending,
            looked_at: 0,
            ends: Instant::now() + COUNTING_MAX,
            devices: HashSet::new(),
            through: HashSet::new(),
            certificates_ending: 0,
            paths: Vec::new(),
            complete: true,
        }
    }

    /// Counts those below a CA, by name and key.
    ///
    /// # Errors
    /// [`Code::NotReady`](crate::Code::NotReady).
    pub(super) async fn count(&mut self, ca: [u8; 32]) -> Result<(), ApiError> {
        let mut after: Option<CertificateId> = None;
        loop {
            if self.looked_at >= CERTIFICATES_MAX || Instant::now() >= self.ends {
                self.complete = false;
                return Ok(());
            }
            let look = move |instance: &ServedInstance| instance.view.certificates_below(&ca, after, CERTIFICATES_AT_A_TIME);
            let found = self.instance.lookup(look).await?;
            let Some(last) = found.last().map(|certificate| certificate.id) else { return Ok(()) };
            after = Some(last);
            self.looked_at += found.len() as u64;
            for certificate in found {
                self.add(certificate, &ca);
            }
        }
    }

    fn add(&mut self, certificate: ListedCertificate, ca: &[u8; 32]) {
        if !self.scope.holds_space(&certificate.space) {
            return;
        }
        if certificate.path.last() != Some(ca) {
            self.through.insert(certificate.device);
            return;
        }
        let ends = certificate.active && certificate.not_after.is_some_and(|not_after| self.ending.contains(&not_after));
        self.certificates_ending += u64::from(ends);
        if self.paths.len() < PATHS_MAX {
            self.paths.push(certificate.path);
        }
        self.devices.insert(certificate.device);
    }

    /// How many of the devices are online.
    pub(super) fn online(&self) -> u64 {
        let presence = self.instance.devices.presence();
        self.devices.iter().filter(|device| presence.is_online(device)).count() as u64
    }
}
