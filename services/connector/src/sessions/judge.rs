//! Judges live sessions again: who lost the right to be connected is closed with the reason, and a filter that is no
//! longer allowed is withdrawn.
//!
//! Invariant: within a second of the view's learning it. A record about one device touches one session; a record that
//! may concern any touches all, once for a burst of them; a reader that lagged looks at all,
//! and so does one whose view began anew, as soon as it may be judged by. What time alone changes
//! (certificates expire) is swept.

use std::{sync::Arc, time::Duration};

use rollcall_backbone::codec::AnyEvent;
use rollcall_domain::{
    authenticate::lost_right,
    ids::DeviceId,
    refusal::Refusal,
    registry::{Event, event::PolicyTarget},
    time::Timestamp,
};
use rollcall_projection::admission::Applied;
use tokio::{
    sync::broadcast::{Receiver, error::RecvError, error::TryRecvError},
    time::MissedTickBehavior,
};

use crate::{admission::view_ready::view_ready, instance::Instance, sessions::table::Session};

/// How often sessions are looked at for what time alone changes.
const SWEEP: Duration = Duration::from_secs(1);
/// Sessions judged before others on this thread get their turn.
const AT_A_TIME: usize = 128;

/// What a record may change for sessions.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Concern {
    /// Nothing.
    Nobody,
    /// Right and policies of one device.
    Device(DeviceId),
    /// What any device may publish and subscribe.
    Policies,
    /// Who may be connected at all.
    Rights,
}

/// What has to be looked at after a burst of records.
#[derive(Debug, Default)]
struct Due {
    devices: Vec<DeviceId>,
    policies: bool,
    rights: bool,
}

/// Judges until the view is closed or the future is dropped.
pub(crate) async fn run(instance: &Instance) {
    let (mut applied, mut status) = (instance.view.applied(), instance.view.status());
    let mut generation = status.borrow_and_update().generation;
    let mut sweep = tokio::time::interval(SWEEP);
    sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let mut due = Due::default();
        tokio::select! {
            record = applied.recv() => match record {
                Ok(record) => due.note(instance, &record),
                Err(RecvError::Lagged(_)) => due.all(),
                Err(RecvError::Closed) => return,
            },
            changed = status.changed() => if changed.is_err() { return },
            _ = sweep.tick() => {
                sweep_stale(instance);
                sweep_expired(instance).await;
            }
        }
        if let Some(latest) = standing(instance)
            && latest != generation
        {
            generation = latest;
            due.all();
        }
        due.note_the_rest(instance, &mut applied);
        due.judge(instance).await;
    }
}

impl Due {
    fn note(&mut self, instance: &Instance, applied: &Applied) {
        instance.registration.applied().arrived(&applied.record.cause);
        match concern(&applied.record.event) {
            Concern::Nobody => {}
            Concern::Device(device) => self.devices.push(device),
            Concern::Policies => self.policies = true,
            Concern::Rights => self.rights = true,
        }
    }

    fn all(&mut self) {
        (self.policies, self.rights) = (true, true);
    }

    fn note_the_rest(&mut self, instance: &Instance, applied: &mut Receiver<Applied>) {
        loop {
            match applied.try_recv() {
                Ok(record) => self.note(instance, &record),
                Err(TryRecvError::Lagged(_)) => self.all(),
                Err(TryRecvError::Empty | TryRecvError::Closed) => return,
            }
        }
    }

    async fn judge(self, instance: &Instance) {
        if self.policies || self.rights {
            return judge_all(instance, instance.sessions.all()).await;
        }
        judge_all(instance, self.devices.iter().filter_map(|device| instance.sessions.of(device)).collect()).await;
    }
}

async fn judge_all(instance: &Instance, sessions: Vec<Arc<Session>>) {
    for (n, session) in sessions.iter().enumerate() {
        judge_one(instance, session);
        if n % AT_A_TIME == AT_A_TIME - 1 {
            tokio::task::yield_now().await;
        }
    }
}

/// The generation of the view, if it may be judged by.
fn standing(instance: &Instance) -> Option<u64> {
    let status = instance.status.borrow();
    view_ready(&status).then_some(status.generation)
}

/// Judges one session by the view as it stands. While that may not be judged by, or began anew meanwhile, the session is
/// left alone: all are judged again when it may. A lookup that met damage found nothing: that is no reason to tell a device
/// that it was deleted.
pub(crate) fn judge_one(instance: &Instance, session: &Arc<Session>) {
    let Some(generation) = standing(instance) else { return };
    let (configuration, damaged) = (instance.view.configuration(), instance.view.lookups_damaged());
    session.forget_record();
    let lost = lost_right(
        &configuration,
        &instance.view,
        &session.facts,
        &session.ca,
        &session.identification(),
        &session.device.device,
        Timestamp::from_unix_ms(instance.clock.unix_ms()),
    );
    if standing(instance) != Some(generation) {
        return;
    }
    let lost = lost.or_else(|| {
        // Withdrawn for want of the record, filters would be gone for good: such a session is closed too.
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

/// Certificates that are no longer valid, of devices and of CAs. Comparing is cheap, judging is not: only those that
/// have reached an end are judged.
async fn sweep_expired(instance: &Instance) {
    let now = Timestamp::from_unix_ms(instance.clock.unix_ms());
    let configuration = instance.view.configuration();
    let outside = |session: &Arc<Session>| {
        let ca_valid = configuration.cas.get(&session.ca).is_some_and(|ca| ca.not_before <= now && now <= ca.not_after);
        !ca_valid || now < session.facts.not_before || session.facts.not_after < now
    };
    judge_all(instance, instance.sessions.all().into_iter().filter(outside).collect()).await;
}

fn concern(event: &AnyEvent) -> Concern {
    let event = match event {
        AnyEvent::Registry(event) => event,
        AnyEvent::Fleet(_) | AnyEvent::Log(_) => return Concern::Nobody,
    };
    match event {
        Event::DeviceRegistered { profile, .. } | Event::DevicePreRegistered { profile, .. } => {
            Concern::Device(profile.device.clone())
        }
        Event::DeviceCertificatePinned { device, .. }
        | Event::DeviceCertificateReplaced { device, .. }
        | Event::DeviceFrozen { device }
        | Event::DeviceUnfrozen { device }
        | Event::DeviceFingerprintReset { device, .. }
        | Event::DeviceCertificateSwitched { device, .. }
        | Event::DeviceDeleted { device }
        | Event::DeviceReadmitted { device }
        | Event::PolicyBound { target: PolicyTarget::Device(device), .. }
        | Event::PolicyUnbound { target: PolicyTarget::Device(device), .. } => Concern::Device(device.clone()),
        Event::PolicyCreated { .. }
        | Event::PolicyUpdated { .. }
        | Event::PolicyDeleted { .. }
        | Event::PolicyBound { target: PolicyTarget::Product(..) | PolicyTarget::Space(_), .. }
        | Event::PolicyUnbound { target: PolicyTarget::Product(..) | PolicyTarget::Space(_), .. } => Concern::Policies,
        Event::TemplateUpdated { .. }
        | Event::TemplateDeleted { .. }
        | Event::CaConfigured { .. }
        | Event::CaDeleted { .. }
        | Event::SpaceDeleted { .. }
        | Event::ProductDeleted { .. } => Concern::Rights,
        Event::SpaceCreated { .. }
        | Event::SpaceRenamed { .. }
        | Event::ProductCreated { .. }
        | Event::ProductUpdated { .. }
        | Event::TemplateCreated { .. }
        | Event::CaUploaded { .. }
        | Event::CaCodeIssued { .. }
        | Event::CaVerified { .. }
        | Event::DeviceUpdated { .. }
        | Event::DeviceTagsChanged { .. }
        | Event::CertificateRetired { .. }
        | Event::CertificateReadmitted { .. }
        | Event::RetiredForgotten { .. } => Concern::Nobody,
    }
}
