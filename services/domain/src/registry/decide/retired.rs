//! Rules on certificates that are taken away and let back in by name, and on forgetting those that have ended.

use super::{Decided, Decision, devices::existing, fields};
use crate::{
    ids::{DeviceId, Fingerprint},
    limits,
    registry::{
        collision,
        event::Event,
        retirement::{PinKey, RetirementReason},
        state::Devices,
    },
    rejection::Rejection,
    time::Timestamp,
};

/// Takes a certificate away from its device, by whichever of its digests the device has it. The device then waits for another
/// one.
pub(super) fn delete(devices: &dyn Devices, id: &DeviceId, fingerprint: &Fingerprint) -> Decided {
    let device = existing(devices, id)?;
    let pins = device.credential.pins().filter(|pin| pin.has_digest(fingerprint));
    // What was proven says more: both digests, and when it ends.
    if let Some(pin) = pins.max_by_key(|pin| pin.is_proven()) {
        return Ok(Decision::Record(Event::CertificateRetired {
            fingerprint: pin.fingerprint,
            device: id.clone(),
            reason: RetirementReason::CertificateDeleted,
            not_after: pin.not_after,
        }));
    }
    let retired = collision::keys(*fingerprint, &device.space).iter().find_map(|key| devices.retired(key));
    match retired.filter(|retired| retired.device == *id) {
        Some(_) => Ok(Decision::AlreadySo),
        None => {
            Err(fields::invalid("fingerprint", format!("device {id} has no certificate with fingerprint {fingerprint}")))
        }
    }
}

/// Lifts the retirement of a certificate: for a device alone, or for whichever it comes to. What an operator typed and no CA
/// has proven is lifted for the device's resource space, or by typing it again.
pub(super) fn readmit(devices: &dyn Devices, fingerprint: &Fingerprint, device: Option<&DeviceId>) -> Decided {
    let entry = device.and_then(|device| devices.entry(device));
    let typed = entry.as_ref().and_then(|entry| devices.retired(&PinKey::typed(*fingerprint, entry.space())));
    match devices.retired(&PinKey::proven(*fingerprint)) {
        Some(proven) if typed.is_none() && entry.is_some_and(|entry| *entry.space() != proven.space) => {
            let rule =
                "it is of another resource space than the device that had the certificate: name none, or one of that space";
            Err(fields::invalid("device_id", rule.into()))
        }
        Some(proven) if typed.is_none() && device.is_some() && proven.readmitted_for.as_ref() == device => {
            Ok(Decision::AlreadySo)
        }
        None if typed.is_none() => Err(not_retired(fingerprint)),
        Some(_) | None => {
            let (fingerprint, device) = (*fingerprint, device.cloned());
            Ok(Decision::Record(Event::CertificateReadmitted { fingerprint, device }))
        }
    }
}

fn not_retired(fingerprint: &Fingerprint) -> Rejection {
    fields::invalid("fingerprint", format!("no certificate with fingerprint {fingerprint} is retired"))
}

/// What is to be forgotten now: certificates that no connector can take for valid any more. `None` while there is none. The
/// registrar's own chore; nobody asks for it.
pub fn forget(devices: &dyn Devices, now: Timestamp) -> Option<Event> {
    let ended = devices.retired_and_ended(now.plus_s(-limits::RETIRED_BEYOND_END_S), limits::RETIRED_FORGOTTEN_MAX);
    (!ended.is_empty()).then_some(Event::RetiredForgotten { fingerprints: ended })
}
