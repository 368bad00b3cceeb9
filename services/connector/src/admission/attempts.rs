//! Records refusals that concern a device among the instance's attempts, for people to find.
//!
//! Does not record what the registrar has refused (it does that itself), nor a chain from no verified CA certificate, or by
//! way of a certificate that may not issue or is distrusted: that is counted and gets a line. A chain that is from one and
//! breaks another rule, such as an expired device certificate, is recorded as what it is: refused before the client has proven
//! to hold the key, by somebody who may only have copied it.
//! Invariant: no connection waits for this. It begins when the device has its answer, and where the queue is full, a rate
//! is exceeded or the backbone fails, the refusal is only counted.

mod notices;
mod recent;
mod share;

use std::{
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use rollcall_chassis::clock::Clock;
use rollcall_domain::{
    certificate::path::{TrustStore, Unproven},
    fleet::{self, AvailabilityRules},
    ids::{DeviceId, InstanceId, LogId},
    refusal::Refusal,
    registry::{Actor, Attribution, Ca, Configuration, Context, Request, RequestBody, decide},
    time::Timestamp,
};
use rollcall_log::{
    attempts::Attempts,
    codec::{AnyRequest, Attempt, AttemptAttribution, QueuedRequest, RejectedRuling, encode_attempt},
};
use rollcall_projection::admission::AdmissionView;
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;

use self::{recent::RecentRefusals, share::Shares};
use crate::{
    admission::registration::certificate_connect::{Chain, request_id},
    metrics::{NotRecorded, metrics},
    transport::{chain_verifier::VerifiedChain, refused_chain::RefusedChain},
};

/// Refusals of one instance that wait to be written; more are only counted.
const WAITING_MAX: usize = 256;
/// Refusals in one write.
const GROUP_MAX: usize = 64;

/// A refused connection of a client whose chain holds and who holds its key.
pub(crate) struct RefusedConnection<'a> {
    pub(crate) verified: &'a VerifiedChain,
    /// The device that the CONNECT names, if it has the standard form.
    pub(crate) claimed: Option<&'a DeviceId>,
    /// What was answered.
    pub(crate) refusal: &'a Refusal,
    /// What was wrong, for people: of a packet that breaks the standard more than the refusal says.
    pub(crate) message: String,
    pub(crate) source: IpAddr,
    /// What the rules go by here, beside the view.
    pub(crate) rules: Rules<'a>,
}

/// What the rules on a certificate go by beside the view.
pub(crate) struct Rules<'a> {
    pub(crate) instance: &'a fleet::Instance,
    pub(crate) availability: &'a AvailabilityRules,
    pub(crate) trust: &'a TrustStore,
}

/// A handshake that the chain was refused in.
pub(crate) struct RefusedHandshake {
    pub(crate) refused: RefusedChain,
    pub(crate) source: IpAddr,
}

/// Queues the refusals of one instance.
pub(crate) struct AttemptRecorder {
    view: AdmissionView,
    clock: Arc<dyn Clock>,
    waiting: mpsc::Sender<Box<Attempt>>,
    recent: Mutex<RecentRefusals>,
    refused_chains: Mutex<RefusedChains>,
}

/// Of chains that do not hold: apart, so that however many are sent, those of proven devices are recorded.
#[derive(Default)]
struct RefusedChains {
    recent: RecentRefusals,
    /// Of clients that have proven to hold the key.
    proven: RecentRefusals,
    shares: Shares,
}

impl AttemptRecorder {
    /// The recorder of one instance, and the queue for [`write_attempts`].
    pub(crate) fn new(view: AdmissionView, clock: Arc<dyn Clock>) -> (Self, mpsc::Receiver<Box<Attempt>>) {
        let (waiting, recorded) = mpsc::channel(WAITING_MAX);
        let (recent, refused_chains) = (Mutex::default(), Mutex::default());
        (Self { view, clock, waiting, recent, refused_chains }, recorded)
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
        let now = self.now();
        let allowed = locked(&self.recent).allows(refused.verified.facts.sha256, refused.refusal.code(), now);
        match allowed {
            Ok(true) => room.send(Box::new(self.of_connection(now, &configuration, ca, refused, chain()))),
            Ok(false) => {}
            Err(recent::Full) => metrics().refusals_lost(NotRecorded::RateLimited, 1),
        }
    }

    /// Queues a handshake that was refused for its chain, if the chain is from a verified CA certificate; does not wait.
    pub(crate) fn record_handshake(&self, handshake: RefusedHandshake) {
        let RefusedHandshake { refused: RefusedChain { unproven, chain }, source } = handshake;
        self.record_chain(&unproven, chain, None, source, false);
    }

    /// Queues a chain that does not hold, if it is from a verified CA certificate; does not wait. `key_proven`: whether the
    /// client has shown that it holds the key, as with a TLS session that is resumed after its certificate has expired.
    pub(crate) fn record_chain(
        &self,
        unproven: &Unproven,
        chain: Chain,
        claimed: Option<DeviceId>,
        source: IpAddr,
        key_proven: bool,
    ) {
        let (configuration, now) = (self.view.configuration(), self.now());
        let Some(ca) = unproven.from.as_ref().and_then(|from| configuration.ca_from(from)) else { return };
        let Some(der) = chain.first() else { return };
        let (sha256, refusal) = (Sha256::digest(der).into(), Refusal::from(unproven.error.clone()));
        // Half of the queue is for clients that have proven something.
        if self.waiting.capacity() <= WAITING_MAX / 2 {
            return metrics().refusals_lost(NotRecorded::QueueFull, 1);
        }
        let lost = {
            let RefusedChains { recent, proven, shares } = &mut *locked(&self.refused_chains);
            let recent = if key_proven { proven } else { recent };
            match recent.allows(sha256, refusal.code(), now) {
                Ok(false) => return,
                Ok(true) if shares.take(&ca.id, key_proven, now) => None,
                Ok(true) => Some(NotRecorded::ShareOfCa),
                Err(recent::Full) => Some(NotRecorded::RateLimited),
            }
        };
        if let Some(why) = lost {
            return metrics().refusals_lost(why, 1);
        }
        let Ok(room) = self.waiting.try_reserve() else { return metrics().refusals_lost(NotRecorded::QueueFull, 1) };
        let attribution = Attribution::of(&configuration, &self.view, ca, der);
        let held = if key_proven {
            "the client has shown it in an earlier handshake, whose session it resumed"
        } else {
            "not shown: TLS refuses a certificate before the client proves to hold its key. Certificates are public: \
             somebody else may have sent this one"
        };
        let from = format!("CA certificate {} of resource space {}", ca.id, ca.space);
        let checks = vec![
            ("signatures_lead_to_verified_ca".to_owned(), true, from),
            ("client_holds_the_key".to_owned(), key_proven, held.to_owned()),
            ("chain_leads_to_verified_ca".to_owned(), false, unproven.error.to_string()),
        ];
        room.send(Box::new(attempt(Found {
            now,
            sha256,
            chain,
            claimed,
            rejection: rejection(&refusal, refusal.to_string()),
            attribution,
            checks,
            source,
            key_proven,
        })));
    }

    fn of_connection(
        &self,
        now: Timestamp,
        configuration: &Configuration,
        ca: &Ca,
        refused: &RefusedConnection<'_>,
        chain: Chain,
    ) -> Attempt {
        let (sha256, claimed) = (refused.verified.facts.sha256, refused.claimed.cloned());
        let attribution = Attribution::of(configuration, &self.view, ca, chain.first().map_or(&[], |der| &**der));
        let rejection = rejection(refused.refusal, refused.message.clone());
        let mut checks = self.checks(now, configuration, &refused.rules, sha256, &chain, claimed.as_ref());
        checks.push(("let_in_by_connector".to_owned(), false, rejection.message.clone()));
        let (source, key_proven) = (refused.source, true);
        attempt(Found { now, sha256, chain, claimed, rejection, attribution, checks, source, key_proven })
    }

    /// What the registrar would find, by the same rules over this connector's view.
    fn checks(
        &self,
        now: Timestamp,
        configuration: &Configuration,
        rules: &Rules<'_>,
        sha256: [u8; 32],
        chain: &Chain,
        claimed: Option<&DeviceId>,
    ) -> Vec<(String, bool, String)> {
        let body = RequestBody::CertificateConnect { chain: chain.clone(), claimed: claimed.cloned() };
        let request = Request { id: request_id(&sha256, claimed), actor: Actor::Certificate(sha256), body };
        let context = Context {
            now,
            instance: rules.instance,
            availability: rules.availability,
            trust: rules.trust,
            verification_code: "",
            devices_max_default: u64::MAX,
        };
        let made = decide(configuration, &self.view, &request, &context).checks;
        // Unless the instance has one of its own, only registrars know the quota.
        let known = made.into_iter().filter(|check| check.name != "device_quota" || rules.instance.devices_max.is_some());
        known.map(|check| (check.name.to_owned(), check.passed, check.detail)).collect()
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_unix_ms(self.clock.unix_ms())
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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

/// What an attempt is made of.
struct Found {
    now: Timestamp,
    sha256: [u8; 32],
    chain: Chain,
    claimed: Option<DeviceId>,
    rejection: RejectedRuling,
    attribution: Attribution,
    checks: Vec<(String, bool, String)>,
    source: IpAddr,
    key_proven: bool,
}

fn attempt(found: Found) -> Attempt {
    let Found { now, sha256, chain, claimed, rejection, attribution, checks, source, key_proven } = found;
    let id = request_id(&sha256, claimed.as_ref());
    let (actor, body) = (Actor::Certificate(sha256), RequestBody::CertificateConnect { chain, claimed });
    let request = AnyRequest::Registry(Request { id, actor, body });
    let Attribution { ca, template, device } = attribution;
    Attempt {
        time: now,
        request: QueuedRequest { submitted_at: now, traceparent: None, request },
        rejection,
        template,
        checks,
        attribution: Some(AttemptAttribution { ca, device, source: Some(source), key_proven: Some(key_proven) }),
    }
}

fn rejection(refusal: &Refusal, message: String) -> RejectedRuling {
    match refusal {
        Refusal::RegistrationRejected(rejection) => RejectedRuling::from(&**rejection),
        refusal => RejectedRuling { code: refusal.code().to_owned(), message },
    }
}

/// Whether people who ask why this device was refused would want to know: not what the registrar keeps itself, what is
/// about Rollcall and its limits, or what has no verified chain.
fn concerns_device(refusal: &Refusal) -> bool {
    match refusal {
        Refusal::CaExpired(_)
        | Refusal::CertificateExpired(_)
        | Refusal::CertificateNotYetValid(_)
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
        | Refusal::SecretAuthenticated
        | Refusal::KeepAliveOutOfRange
        | Refusal::ProtocolVersion
        | Refusal::ClientId
        | Refusal::AuthenticationMethod
        | Refusal::ProtocolError
        | Refusal::PacketTooLarge => true,
        Refusal::CaNotTrusted
        | Refusal::CaDistrusted
        | Refusal::RegistrationRuledOut { .. }
        | Refusal::RegistrationTimedOut
        | Refusal::RegistryUnavailable
        | Refusal::RegistrationShed
        | Refusal::NotReady
        | Refusal::ShuttingDown
        | Refusal::KeepAliveTimedOut
        | Refusal::TakenOver
        | Refusal::SlowConsumer => false,
    }
}
