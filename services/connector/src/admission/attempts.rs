//! Records refusals that concern a device among the instance's attempts, for people to find.
//!
//! Does not record what the registrar has refused (it does that itself), nor a connection whose chain leads to no
//! verified CA certificate: that is only counted. Invariant: no connection waits for this. It begins when the device
//! has its answer, and where the queue is full, the rate is exceeded or the backbone fails, the refusal is only
//! counted.

mod notices;
mod recent;

use std::sync::{Arc, Mutex, PoisonError};

use rollcall_chassis::clock::Clock;
use rollcall_domain::{
    ids::{DeviceId, InstanceId, LogId, TemplateId},
    refusal::Refusal,
    registry::{Actor, Ca, Configuration, Request, RequestBody},
    time::Timestamp,
};
use rollcall_log::{
    attempts::Attempts,
    codec::{AnyRequest, Attempt, QueuedRequest, RejectedRuling, encode_attempt},
};
use rollcall_projection::admission::AdmissionView;
use tokio::sync::mpsc;

use self::recent::RecentRefusals;
use crate::{
    admission::registration::certificate_connect::{Chain, request_id},
    metrics::{NotRecorded, metrics},
    transport::chain_verifier::VerifiedChain,
};

/// Refusals of one instance that wait to be written; more are only counted.
const WAITING_MAX: usize = 256;
/// Refusals in one write.
const GROUP_MAX: usize = 64;

/// A refused connection.
pub(crate) struct RefusedConnection<'a> {
    pub(crate) verified: &'a VerifiedChain,
    /// The device that the CONNECT names, if it has the standard form.
    pub(crate) claimed: Option<&'a DeviceId>,
    /// What was answered.
    pub(crate) refusal: &'a Refusal,
}

/// Queues the refusals of one instance.
pub(crate) struct AttemptRecorder {
    view: AdmissionView,
    clock: Arc<dyn Clock>,
    waiting: mpsc::Sender<Box<Attempt>>,
    recent: Mutex<RecentRefusals>,
}

impl AttemptRecorder {
    /// The recorder of one instance, and the queue for [`write_attempts`].
    pub(crate) fn new(view: AdmissionView, clock: Arc<dyn Clock>) -> (Self, mpsc::Receiver<Box<Attempt>>) {
        let (waiting, recorded) = mpsc::channel(WAITING_MAX);
        (Self { view, clock, waiting, recent: Mutex::default() }, recorded)
    }

    /// Queues a refusal that concerns a device; does not wait. `chain` is called only then.
    pub(crate) fn record(&self, refused: &RefusedConnection<'_>, chain: impl FnOnce() -> Chain) {
        if !concerns_device(refused.refusal) {
            return;
        }
        let configuration = self.view.configuration();
        // Deleted meanwhile: then the chain leads to no verified CA certificate.
        let Some(ca) = configuration.ca_of(&refused.verified.path) else { return };
        let Ok(room) = self.waiting.try_reserve() else { return metrics().refusals_lost(NotRecorded::QueueFull, 1) };
        let now = Timestamp::from_unix_ms(self.clock.unix_ms());
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let allowed = recent.allows(refused.verified.facts.sha256, refused.refusal.code(), now);
        drop(recent);
        match allowed {
            Ok(true) => room.send(Box::new(attempt(now, &configuration, ca, refused, chain()))),
            Ok(false) => {}
            Err(recent::Full) => metrics().refusals_lost(NotRecorded::RateLimited, 1),
        }
    }
}

/// Writes what is queued, in groups, until the instance ends. A group that fails is given up: the device will be back,
/// and a backbone that is away has more important things to take when it returns.
pub(crate) async fn write_attempts(
    instance: &InstanceId,
    attempts: &dyn Attempts,
    mut recorded: mpsc::Receiver<Box<Attempt>>,
) {
    let (log, mut group, mut failing) = (LogId::Instance(instance.clone()), Vec::new(), false);
    while recorded.recv_many(&mut group, GROUP_MAX).await > 0 {
        let encoded: Vec<_> = group.drain(..).map(|attempt| encode_attempt(&attempt)).collect();
        let count = encoded.len();
        let Err(error) = attempts.keep(&log, encoded).await else {
            metrics().refusals_kept(count);
            failing = false;
            continue;
        };
        metrics().refusals_lost(NotRecorded::WriteFailed, count);
        // Once for as long as it lasts.
        if std::mem::replace(&mut failing, true) {
            tracing::debug!(%instance, count, %error, "refusals could not be kept for people to look at");
        } else {
            tracing::warn!(%instance, count, %error, "refusals could not be kept for people to look at");
        }
    }
}

fn attempt(
    now: Timestamp,
    configuration: &Configuration,
    ca: &Ca,
    refused: &RefusedConnection<'_>,
    chain: Chain,
) -> Attempt {
    let (sha256, claimed) = (refused.verified.facts.sha256, refused.claimed.cloned());
    let id = request_id(&sha256, claimed.as_ref());
    let (actor, body) = (Actor::Certificate(sha256), RequestBody::CertificateConnect { chain, claimed });
    let rejection = match refused.refusal {
        Refusal::RegistrationRejected(rejection) => RejectedRuling::from(&**rejection),
        refusal => RejectedRuling { code: refusal.code().to_owned(), message: refusal.to_string() },
    };
    let proven = format!("CA certificate {} of resource space {}", ca.id, ca.space);
    let checks = vec![
        ("chain_leads_to_verified_ca".to_owned(), true, proven),
        ("let_in_by_connector".to_owned(), false, rejection.message.clone()),
    ];
    let request = AnyRequest::Registry(Request { id, actor, body });
    Attempt {
        time: now,
        request: QueuedRequest { submitted_at: now, traceparent: None, request },
        rejection,
        template: template(configuration, ca),
        checks,
    }
}

/// The template that devices with certificates of this CA are made by, as the registrar's attempts say it too.
fn template(configuration: &Configuration, ca: &Ca) -> Option<(TemplateId, u32)> {
    let template = configuration.templates.get(ca.template.as_ref()?)?;
    Some((template.id.clone(), template.version))
}

/// Whether people who ask why this device was refused would want to know: not what the registrar keeps itself, what is
/// about Rollcall, its limits or the MQTT session, or what has no verified chain.
fn concerns_device(refusal: &Refusal) -> bool {
    match refusal {
        Refusal::CaExpired
        | Refusal::CertificateExpired
        | Refusal::CertificateNotYetValid
        | Refusal::CertificateInactive
        | Refusal::DeviceFrozen
        | Refusal::DeviceDeleted
        | Refusal::CertificateRetired
        | Refusal::DeviceMismatch
        | Refusal::CertificateMismatch
        | Refusal::TemplateNotBound
        | Refusal::SelfRegistrationDisabled
        | Refusal::SelfRegistrationUnavailable
        | Refusal::TemplateNoLongerDerives
        | Refusal::RegistrationRejected(_)
        | Refusal::SecretAuthenticated => true,
        Refusal::CaNotTrusted
        | Refusal::CaDistrusted
        | Refusal::RegistrationRuledOut { .. }
        | Refusal::RegistrationTimedOut
        | Refusal::RegistryUnavailable
        | Refusal::RegistrationShed
        | Refusal::NotReady
        | Refusal::ShuttingDown
        | Refusal::KeepAliveOutOfRange
        | Refusal::ProtocolVersion
        | Refusal::ClientId
        | Refusal::AuthenticationMethod
        | Refusal::ProtocolError
        | Refusal::PacketTooLarge
        | Refusal::KeepAliveTimedOut
        | Refusal::TakenOver
        | Refusal::SlowConsumer => false,
    }
}
