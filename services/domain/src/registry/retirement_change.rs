//! What an event does to retired certificates: those that were taken away from their device, which no device is to come back
//! with by itself.
//!
//! A fingerprint, not a device, is retired: a template may derive another id from the same certificate, and an operator may
//! enter another device that waits for one. A certificate that was proven is retired under both its digests, so that whichever
//! an operator types or names is that certificate. Everything that keeps retirements follows [`RetirementChange`]. Invariant: only
//! a readmission, or a fingerprint that an operator of the resource space types again, lifts a retirement while the certificate
//! is good; in a log of before this rule, a pin that was granted since does.

use std::convert::Infallible;

use crate::{
    certificate::sha1_of,
    ids::{DeviceId, Fingerprint, SpaceId},
    registry::{
        event::{DeclaredCredential, Event, PresentedCertificate},
        retirement::{PinKey, Retired, RetirementReason},
        state::{DeviceEntry, Pin},
    },
    time::Timestamp,
};

/// What one event does to retirements.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RetirementChange {
    retired: Vec<(PinKey, Retired)>,
    lifted: Vec<(PinKey, LiftIf)>,
    /// From now on it bars all but this device.
    narrowed: Option<Narrowed>,
}

/// A retirement that is lifted for one device.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Narrowed {
    key: PinKey,
    device: DeviceId,
    /// Where that device is or was; what another resource space took away is not that one's to give back.
    space: Option<SpaceId>,
}

/// Which retirement under a key is lifted.
#[derive(Clone, Debug, PartialEq, Eq)]
enum LiftIf {
    Always,
    /// Of a device of this resource space.
    OfSpace(SpaceId),
    /// Of this device: another may have had the certificate since.
    OfDevice(DeviceId),
    /// Of a certificate that ended before this.
    EndedBefore(Timestamp),
}

impl LiftIf {
    fn holds(&self, retired: &Retired) -> bool {
        match self {
            Self::Always => true,
            Self::OfSpace(space) => retired.space == *space,
            Self::OfDevice(device) => retired.device == *device,
            Self::EndedBefore(instant) => retired.not_after.is_some_and(|not_after| not_after < *instant),
        }
    }
}

impl RetirementChange {
    /// `before` and `after`: the entry of the event's device, if it is about one. `at`: the record's time.
    pub fn of(event: &Event, before: Option<&DeviceEntry>, after: Option<&DeviceEntry>, at: Timestamp) -> Self {
        let mut change = Self::default();
        change.note_released(event, before, after, at);
        change.note_taken(event, after);
        change.note_readmitted(event, before, at);
        change
    }

    /// The retirements that are otherwise after the event, each as it is then. `retired` says what it is before.
    pub fn outcomes(&self, retired: impl Fn(&PinKey) -> Option<Retired>) -> Vec<(PinKey, Option<Retired>)> {
        match self.try_outcomes(|key| Ok::<_, Infallible>(retired(key))) {
            Ok(outcomes) => outcomes,
            Err(never) => match never {},
        }
    }

    /// As [`outcomes`](Self::outcomes), where what is before cannot always be said.
    ///
    /// # Errors
    /// The first of `retired`.
    pub fn try_outcomes<E>(
        &self,
        retired: impl Fn(&PinKey) -> Result<Option<Retired>, E>,
    ) -> Result<Vec<(PinKey, Option<Retired>)>, E> {
        let mut outcomes = Vec::new();
        for (key, lift) in &self.lifted {
            let found = by_both_digests(key, &retired, |found| lift.holds(found))?;
            outcomes.extend(found.into_iter().map(|(key, _)| (key, None)));
        }
        if let Some(Narrowed { key, device, space }) = &self.narrowed {
            let is_of_space = |found: &Retired| space.as_ref().is_none_or(|space| found.space == *space);
            let found = by_both_digests(key, &retired, is_of_space)?;
            let narrowed = |found| Some(Retired { readmitted_for: Some(device.clone()), ..found });
            outcomes.extend(found.into_iter().map(|(key, found)| (key, narrowed(found))));
        }
        outcomes.extend(self.retired.iter().map(|(key, retired)| (key.clone(), Some(retired.clone()))));
        Ok(outcomes)
    }

    /// Only what it lifts.
    #[must_use]
    pub fn lifting(self) -> Self {
        Self { retired: Vec::new(), ..self }
    }

    /// The pins that a device has no longer, where the event says that they were taken away. A fingerprint that an operator
    /// clears is not: the service pins the next certificate then, the same one included.
    fn note_released(&mut self, event: &Event, before: Option<&DeviceEntry>, after: Option<&DeviceEntry>, at: Timestamp) {
        let (reason, told) = match event {
            Event::DeviceDeleted { .. } => (RetirementReason::DeviceDeleted, None),
            Event::DeviceCertificateReplaced { .. } | Event::DeviceFingerprintReset { fingerprint: Some(_), .. } => {
                (RetirementReason::Replaced, None)
            }
            Event::CertificateRetired { reason, not_after, .. } => (*reason, *not_after),
            _ => return,
        };
        if let Some(DeviceEntry::Live(device)) = before {
            let kept = |pin: &Pin| match after {
                Some(DeviceEntry::Live(after)) => after.credential.pins().any(|kept| kept.fingerprint == pin.fingerprint),
                Some(DeviceEntry::Deleted { .. }) | None => false,
            };
            for (key, pin) in device.pin_keys().filter(|(_, pin)| !kept(pin)) {
                let (device, space) = (device.id.clone(), device.space.clone());
                let (not_after, other_digest) = (pin.not_after.or(told), pin.sha1.map(Fingerprint::Sha1));
                let retired = Retired { device, space, reason, since: at, not_after, readmitted_for: None, other_digest };
                if let Some(sha1) = other_digest {
                    let other_digest = Some(pin.fingerprint);
                    self.retired.push((PinKey::proven(sha1), Retired { other_digest, ..retired.clone() }));
                }
                self.retired.push((key, retired));
            }
        }
    }

    /// The fingerprints that an event names and its device has. Whether the device has come to have them by this event alone is not
    /// asked: a view that folds a record again cannot tell.
    fn note_taken(&mut self, event: &Event, after: Option<&DeviceEntry>) {
        let Some(DeviceEntry::Live(device)) = after else { return };
        let space = &device.space;
        let has = |key: PinKey| device.pin_keys().any(|(pinned, _)| pinned == key);
        match event {
            Event::DeviceRegistered { certificate, .. }
            | Event::DeviceCertificatePinned { certificate, .. }
            | Event::DeviceCertificateReplaced { certificate, .. }
                if has(PinKey::proven(Fingerprint::Sha256(certificate.sha256))) =>
            {
                self.note_proven(certificate, space);
            }
            Event::DevicePreRegistered { credential: DeclaredCredential::Certificates { primary, secondary }, .. } => {
                let typed = primary.iter().chain(secondary).filter(|typed| has(PinKey::typed(**typed, space)));
                typed.for_each(|fingerprint| self.note_typed(*fingerprint, space));
            }
            Event::DeviceFingerprintReset { fingerprint: Some(fingerprint), .. }
                if has(PinKey::typed(*fingerprint, space)) =>
            {
                self.note_typed(*fingerprint, space);
            }
            _ => {}
        }
    }

    /// No decision pins a retired certificate. One of before this rule did, and what it granted stays.
    fn note_proven(&mut self, certificate: &PresentedCertificate, space: &SpaceId) {
        let [sha256, sha1] = [Fingerprint::Sha256(certificate.sha256), Fingerprint::Sha1(sha1_of(&certificate.der))];
        let keys = [PinKey::proven(sha256), PinKey::typed(sha256, space), PinKey::typed(sha1, space)];
        self.lifted.extend(keys.map(|key| (key, LiftIf::Always)));
    }

    fn note_typed(&mut self, fingerprint: Fingerprint, space: &SpaceId) {
        self.lifted.push((PinKey::proven(fingerprint), LiftIf::OfSpace(space.clone())));
        self.lifted.push((PinKey::typed(fingerprint, space), LiftIf::Always));
    }

    fn note_readmitted(&mut self, event: &Event, before: Option<&DeviceEntry>, at: Timestamp) {
        match event {
            Event::DeviceReadmitted { device } => {
                if let Some(DeviceEntry::Deleted { certificates, .. }) = before {
                    // One that it had by a typed SHA-1 may have been proven for it before.
                    let keys = certificates.iter().flat_map(|key| [key.clone(), PinKey::proven(key.fingerprint)]);
                    self.lifted.extend(keys.map(|key| (key, LiftIf::OfDevice(device.clone()))));
                }
            }
            Event::CertificateReadmitted { fingerprint, device: None } => {
                self.lifted.push((PinKey::proven(*fingerprint), LiftIf::Always));
            }
            Event::CertificateReadmitted { fingerprint, device: Some(device) } => {
                let (key, device, space) =
                    (PinKey::proven(*fingerprint), device.clone(), before.map(|entry| entry.space().clone()));
                self.narrowed = Some(Narrowed { key, device, space });
                if let Some(entry) = before {
                    self.lifted.push((PinKey::typed(*fingerprint, entry.space()), LiftIf::Always));
                }
            }
            Event::RetiredForgotten { fingerprints } => {
                let ended = fingerprints.iter().map(|found| (PinKey::proven(*found), LiftIf::EndedBefore(at)));
                self.lifted.extend(ended);
            }
            _ => {}
        }
    }
}

/// The retirement under a key, if it `holds`, and that of the same certificate under its other digest. That one comes first: a
/// record that is folded again after a stop between the two still finds what leads to both.
fn by_both_digests<E>(
    key: &PinKey,
    retired: impl Fn(&PinKey) -> Result<Option<Retired>, E>,
    holds: impl Fn(&Retired) -> bool,
) -> Result<Vec<(PinKey, Retired)>, E> {
    let Some(named) = retired(key)?.filter(&holds) else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    if let Some(other) = named.other_digest.map(PinKey::proven) {
        // Two certificates of one SHA-1 are two.
        let is_same = |of_other: &Retired| of_other.other_digest == Some(key.fingerprint) && holds(of_other);
        found.extend(retired(&other)?.filter(is_same).map(|of_other| (other, of_other)));
    }
    found.push((key.clone(), named));
    Ok(found)
}
