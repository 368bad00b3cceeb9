//! Reauthorizes live sessions: closes those of devices that lost the right to be connected, with the reason, and
//! withdraws filters that are no longer allowed.
//!
//! Which sessions a record may take something from is the domain's rule
//! ([`Event::affected_sessions`](rollcall_domain::registry::Event::affected_sessions) and
//! [`affected_topics`](rollcall_domain::registry::Event::affected_topics)). Invariant: within a second of the view's
//! learning it; a record that may affect every session has all reauthorized once for a burst of them. A reader that lagged reauthorizes all, and so does one
//! whose view began anew, as soon as that is ready. Changes of time alone (certificates expire) are found by a sweep.

use std::{collections::HashSet, sync::Arc, time::Duration};

use rollcall_domain::{
    authenticate::lost_right, ids::DeviceId, refusal::Refusal, registry::AffectedSessions, time::Timestamp,
};
use rollcall_log::codec::AnyEvent;
use rollcall_projection::admission::Applied;
use tokio::{
    sync::broadcast::{Receiver, error::RecvError, error::TryRecvError},
    time::{Instant, MissedTickBehavior},
};

use crate::{
    admission::view_ready::view_ready,
    instance::Instance,
    sessions::{session::Session, table::SessionTable},
};

/// Between two sweeps for what time alone changes.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);
/// Sessions reauthorized before the task yields.
const SESSIONS_PER_YIELD: usize = 128;

/// The sessions affected by a burst of records, by the domain's rules of what each may take from whom.
#[derive(Debug, Default)]
struct Pending {
    devices: HashSet<DeviceId>,
    /// SHA-256 of certificates that may be another device's now, whichever device is connected with them.
    certificates: HashSet<[u8; 32]>,
    all: bool,
}

/// Reauthorizes until the view is closed or the future is dropped.
pub(crate) async fn run(instance: &Instance) {
    let (mut applied, mut status) = (instance.view.applied(), instance.view.status());
    let mut generation = status.borrow_and_update().generation;
    let mut sweep = tokio::time::interval(SWEEP_INTERVAL);
    sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let mut pending = Pending::default();
        tokio::select! {
            record = applied.recv() => match record {
                Ok(record) => pending.note(instance, &record),
                Err(RecvError::Lagged(_)) => pending.all = true,
                Err(RecvError::Closed) => return,
            },
            changed = status.changed() => if changed.is_err() { return },
            _ = sweep.tick() => {
                sweep_stale(instance);
                sweep_expired(instance).await;
            }
        }
        if let Some(latest) = usable_generation(instance)
            && latest != generation
        {
            generation = latest;
            pending.all = true;
        }
        pending.note_queued(instance, &mut applied);
        pending.reauthorize(instance).await;
    }
}

impl Pending {
    fn note(&mut self, instance: &Instance, applied: &Applied) {
        instance.registration.applied().notify(&applied.record.cause);
        match &applied.record.event {
            AnyEvent::Registry(event) => {
                self.add(event.affected_sessions());
                self.add(event.affected_topics());
            }
            AnyEvent::Fleet(_) | AnyEvent::Log(_) => {}
        }
    }

    fn add(&mut self, affected: AffectedSessions) {
        match affected {
            AffectedSessions::None => {}
            AffectedSessions::OfDevice(device) => _ = self.devices.insert(device),
            AffectedSessions::OfCertificates(device, certificates) => {
                self.devices.insert(device);
                self.certificates.extend(certificates);
            }
            AffectedSessions::All => self.all = true,
        }
    }

    fn note_queued(&mut self, instance: &Instance, applied: &mut Receiver<Applied>) {
        loop {
            match applied.try_recv() {
                Ok(record) => self.note(instance, &record),
                Err(TryRecvError::Lagged(_)) => self.all = true,
                Err(TryRecvError::Empty | TryRecvError::Closed) => return,
            }
        }
    }

    async fn reauthorize(self, instance: &Instance) {
        let devices = (!self.all).then(|| self.devices.iter());
        instance.schedule.recheck(devices, Instant::now());
        reauthorize_all(instance, self.sessions(&instance.sessions)).await;
    }

    fn sessions(self, table: &SessionTable) -> Vec<Arc<Session>> {
        if self.all {
            return table.all();
        }
        let mut sessions: Vec<_> = self.devices.iter().filter_map(|device| table.of(device)).collect();
        let others = table.connected_with(&self.certificates).into_iter();
        sessions.extend(others.filter(|session| !self.devices.contains(&session.device.device)));
        sessions
    }
}

async fn reauthorize_all(instance: &Instance, sessions: Vec<Arc<Session>>) {
    for (n, session) in sessions.iter().enumerate() {
        reauthorize(instance, session);
        if n % SESSIONS_PER_YIELD == SESSIONS_PER_YIELD - 1 {
            tokio::task::yield_now().await;
        }
    }
}

/// The generation of the view, if it is ready.
fn usable_generation(instance: &Instance) -> Option<u64> {
    let status = instance.status.borrow();
    view_ready(&status).then_some(status.generation)
}

/// Reauthorizes one session by the view. While the view is not ready, or began anew meanwhile, the session is left
/// alone: all are reauthorized when it is ready. A lookup that met damage found nothing; the device is not told that it
/// was deleted.
pub(crate) fn reauthorize(instance: &Instance, session: &Arc<Session>) {
    let Some(generation) = usable_generation(instance) else { return };
    let (configuration, damaged) = (instance.view.configuration(), instance.view.lookups_damaged());
    session.forget_record();
    let lost = lost_right(
        &configuration,
        &instance.view,
        &session.facts,
        &session.path,
        &session.identification(),
        &session.device.device,
        Timestamp::from_unix_ms(instance.clock.unix_ms()),
    );
    if usable_generation(instance) != Some(generation) {
        return;
    }
    let lost = lost.or_else(|| {
        // Filters withdrawn because the record was unreadable would be lost for good: such a session is closed too.
        let withdrawn = instance.sessions.withdraw_unpermitted(session, &configuration, &instance.view);
        (withdrawn && instance.view.lookups_damaged() != damaged).then_some(Refusal::NotReady)
    });
    if let Some(refusal) = lost {
        let believed = instance.view.lookups_damaged() == damaged;
        session.mailbox.close(if believed { refusal } else { Refusal::NotReady });
    }
}

/// Ends live sessions if the settings want that of a view this old.
fn sweep_stale(instance: &Instance) {
    if instance.staleness.ends_sessions() && instance.sessions.count() > 0 {
        tracing::warn!(instance = %instance.id, "the view is older than stale_admission_s_max: ending its sessions");
        instance.close_all(&Refusal::RegistryUnavailable);
    }
}

/// Reauthorizes sessions whose certificate, or CA certificate, is outside its validity. Comparing times is cheap,
/// reauthorizing is not.
async fn sweep_expired(instance: &Instance) {
    let now = Timestamp::from_unix_ms(instance.clock.unix_ms());
    let outside = |session: &Arc<Session>| {
        let ca_valid = session.path.chain.last().is_some_and(|ca| ca.not_before <= now && now <= ca.not_after);
        !ca_valid || now < session.facts.not_before || session.facts.not_after < now
    };
    reauthorize_all(instance, instance.sessions.all().into_iter().filter(outside).collect()).await;
}
