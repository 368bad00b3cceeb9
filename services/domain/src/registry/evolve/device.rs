//! `evolve` for one device: its entry before and after an event.

use crate::{
    certificate::sha1_of,
    ids::{Fingerprint, PolicyId},
    registry::{
        event::{DeclaredCredential, DeviceProfile, Event, PolicyTarget, PresentedCertificate},
        state::{BoundPolicy, Configuration, Credential, Device, DeviceEntry, Pin, Slot},
    },
    time::Timestamp,
};

/// The entry of the event's device after the event: `None` when there is none (readmitted, or never was).
/// Only called for events that are about a device; for others the entry is returned unchanged. `configuration` is that of the
/// event's position: it says which CA the id in a record of version 1 means.
pub fn evolve_device(
    entry: Option<DeviceEntry>,
    event: &Event,
    configuration: &Configuration,
    at: Timestamp,
) -> Option<DeviceEntry> {
    match (entry, event) {
        (None, Event::DeviceRegistered { profile, certificate, .. }) => {
            let credential = Credential::Certificates { primary: Some(pin(certificate, configuration)), secondary: None };
            Some(DeviceEntry::Live(new_device(profile, credential, configuration, at)))
        }
        (None, Event::DevicePreRegistered { profile, credential, description, extension_info }) => {
            let (description, extension_info) = (description.clone(), extension_info.clone());
            let device = new_device(profile, declared(credential), configuration, at);
            Some(DeviceEntry::Live(Device { description, extension_info, ..device }))
        }
        (None, _) => None,
        (Some(DeviceEntry::Deleted { .. }), Event::DeviceReadmitted { .. }) => None,
        // An operator of its own resource space enters it again.
        (Some(DeviceEntry::Deleted { space, .. }), Event::DevicePreRegistered { profile, .. }) if profile.space == space => {
            evolve_device(None, event, configuration, at)
        }
        (Some(deleted @ DeviceEntry::Deleted { .. }), _) => Some(deleted),
        (Some(DeviceEntry::Live(device)), Event::DeviceDeleted { .. }) => Some(deleted(&device, at)),
        (Some(DeviceEntry::Live(mut device)), event) => {
            change(&mut device, event, configuration);
            Some(DeviceEntry::Live(device))
        }
    }
}

fn change(device: &mut Device, event: &Event, configuration: &Configuration) {
    match event {
        Event::DeviceCertificatePinned { certificate, .. } => {
            if let Credential::Certificates { primary: primary @ None, .. } = &mut device.credential {
                *primary = Some(pin(certificate, configuration));
            }
        }
        Event::DeviceCertificateReplaced { certificate, .. } => {
            if let Credential::Certificates { primary: Some(primary), .. } = &mut device.credential {
                *primary = pin(certificate, configuration);
            }
        }
        Event::DeviceUpdated { name, description, extension_info, .. } => {
            device.name = name.clone();
            device.description = description.clone();
            device.extension_info = extension_info.clone();
        }
        Event::DeviceTagsChanged { tags, .. } => device.tags = tags.clone(),
        Event::DeviceFrozen { .. } => device.frozen = true,
        Event::DeviceUnfrozen { .. } => device.frozen = false,
        Event::DeviceFingerprintReset { slot, fingerprint, .. } => reset(device, *slot, *fingerprint),
        Event::DeviceCertificateSwitched { fingerprint, active, .. } => switch(device, fingerprint, *active),
        Event::PolicyBound { policy, target: PolicyTarget::Device(_) } => {
            let bound = bound(policy, configuration);
            if !device.policies.contains(&bound) {
                device.policies.retain(|other| other.policy != *policy);
                device.policies.push(bound);
            }
        }
        Event::PolicyUnbound { policy, target: PolicyTarget::Device(_) } => {
            device.policies.retain(|other| other.policy != *policy);
        }
        Event::CertificateRetired { fingerprint, .. } => take_away(device, fingerprint),
        // Registered or bound again, readmitted without having been deleted, or not about a device: nothing to change.
        _ => {}
    }
}

fn reset(device: &mut Device, slot: Slot, fingerprint: Option<Fingerprint>) {
    let Credential::Certificates { primary, secondary } = &mut device.credential else { return };
    let place = match slot {
        Slot::Primary => primary,
        Slot::Secondary => secondary,
    };
    *place = fingerprint.map(unproven);
}

fn switch(device: &mut Device, fingerprint: &Fingerprint, active: bool) {
    let Credential::Certificates { primary, secondary } = &mut device.credential else { return };
    for pin in [primary, secondary].into_iter().flatten().filter(|pin| pin.fingerprint == *fingerprint) {
        pin.active = active;
    }
}

fn take_away(device: &mut Device, fingerprint: &Fingerprint) {
    let Credential::Certificates { primary, secondary } = &mut device.credential else { return };
    // Pinned by both digests, it goes by both.
    let named = [&*primary, &*secondary].into_iter().flatten().filter(|pin| pin.has_digest(fingerprint));
    let named: Vec<Pin> = named.cloned().collect();
    for place in [primary, secondary] {
        place.take_if(|pin| named.iter().any(|named| named.has_digest(&pin.fingerprint)));
    }
}

/// A readmission gives back what the device had, but not a certificate that an operator had switched off.
fn deleted(device: &Device, at: Timestamp) -> DeviceEntry {
    let certificates = device.pin_keys().filter(|(_, pin)| pin.active).map(|(key, _)| key).collect();
    DeviceEntry::Deleted { at, space: device.space.clone(), certificates }
}

/// As the id is at the event's position.
fn bound(policy: &PolicyId, configuration: &Configuration) -> BoundPolicy {
    let made = configuration.policies.get(policy).map_or(0, |policy| policy.made);
    BoundPolicy { policy: policy.clone(), made }
}

fn new_device(profile: &DeviceProfile, credential: Credential, configuration: &Configuration, at: Timestamp) -> Device {
    Device {
        id: profile.device.clone(),
        node_id: profile.node_id.clone(),
        space: profile.space.clone(),
        product: profile.product.clone(),
        name: profile.name.clone(),
        description: None,
        extension_info: None,
        tags: profile.tags.clone(),
        policies: profile.policies.iter().map(|policy| bound(policy, configuration)).collect(),
        credential,
        frozen: false,
        registered_at: at,
    }
}

fn declared(credential: &DeclaredCredential) -> Credential {
    match credential {
        DeclaredCredential::Secret => Credential::Secret,
        DeclaredCredential::Certificates { primary, secondary } => {
            Credential::Certificates { primary: primary.map(unproven), secondary: secondary.map(unproven) }
        }
    }
}

/// A fingerprint that an operator gave: its certificate has not been shown yet.
fn unproven(fingerprint: Fingerprint) -> Pin {
    Pin { fingerprint, ca_name_and_key_sha256: None, not_before: None, not_after: None, sha1: None, active: true }
}

fn pin(certificate: &PresentedCertificate, configuration: &Configuration) -> Pin {
    Pin {
        fingerprint: Fingerprint::Sha256(certificate.sha256),
        ca_name_and_key_sha256: configuration.prover_of(certificate),
        not_before: Some(certificate.not_before),
        not_after: certificate.proof.as_ref().map(|proof| proof.not_after),
        sha1: Some(sha1_of(&certificate.der)),
        active: true,
    }
}
