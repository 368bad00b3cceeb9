//! Rules on what operators do with devices.

use super::{Decided, Decision, fields, membership, record_if, retired};
use crate::{
    ids::{DeviceId, Fingerprint, SpaceId},
    limits,
    registry::{
        collision,
        event::{DeclaredCredential, DeviceProfile, Event},
        retirement::PinKey,
        state::{Configuration, Credential, Device, DeviceEntry, Devices, Slot},
    },
    rejection::{Rejection, Subject},
    template::Tag,
};

pub(super) fn pre_register(
    configuration: &Configuration,
    devices: &dyn Devices,
    profile: &DeviceProfile,
    credential: &DeclaredCredential,
    [description, extension_info]: [Option<&str>; 2],
    devices_max: u64,
) -> Decided {
    let id = &profile.device;
    membership::space(configuration, &profile.space)?;
    membership::product(configuration, &profile.space, &profile.product)?;
    membership::policies(configuration, &profile.space, &profile.policies)?;
    let profile = DeviceProfile {
        name: tidied(profile.name.as_deref(), fields::device_name)?,
        tags: fields::tags(&profile.tags)?,
        ..profile.clone()
    };
    fields::tags_per_device(&profile.tags)?;
    let description = tidied(description, fields::description)?;
    let extension_info = tidied(extension_info, fields::extension_info)?;
    let is_same = |device: &Device| {
        is_as_declared(device, &profile, credential)
            && device.description == description
            && device.extension_info == extension_info
    };
    match devices.entry(id) {
        None => {}
        // Entering it again is the readmission of its id, by an operator of its resource space.
        Some(DeviceEntry::Deleted { space, .. }) if space == profile.space => {}
        Some(DeviceEntry::Live(device)) if is_same(&device) => return Ok(Decision::AlreadySo),
        Some(DeviceEntry::Live(_) | DeviceEntry::Deleted { .. }) => {
            return Err(Rejection::AlreadyExists(Subject::Device(id.clone())));
        }
    }
    if let DeclaredCredential::Certificates { primary, secondary } = credential {
        for fingerprint in primary.iter().chain(secondary) {
            free(devices, id, &profile.space, fingerprint)?;
        }
        distinct(primary.as_ref(), secondary.as_ref())?;
    }
    room_for_retired(devices)?;
    quota(devices, devices_max)?;
    let credential = credential.clone();
    Ok(Decision::Record(Event::DevicePreRegistered { profile, credential, description, extension_info }))
}

/// Whether a device is what the same command made of it: what has been bound or tagged since would make it another.
fn is_as_declared(device: &Device, profile: &DeviceProfile, credential: &DeclaredCredential) -> bool {
    let same_credential = match (&device.credential, credential) {
        (Credential::Secret, DeclaredCredential::Secret) => true,
        (
            Credential::Certificates { primary, secondary },
            DeclaredCredential::Certificates { primary: first, secondary: spare },
        ) => {
            // Declared without a primary, the device has pinned its own by now: that is what was asked for.
            let first_matches = first.is_none() || primary.as_ref().map(|pin| pin.fingerprint) == *first;
            first_matches && secondary.as_ref().map(|pin| pin.fingerprint) == *spare
        }
        (Credential::Secret, DeclaredCredential::Certificates { .. })
        | (Credential::Certificates { .. }, DeclaredCredential::Secret) => false,
    };
    same_credential
        && device.node_id == profile.node_id
        && device.space == profile.space
        && device.product == profile.product
        && device.name == profile.name
        && device.tags == profile.tags
        && device.policies.iter().map(|bound| &bound.policy).eq(&profile.policies)
}

/// One more device fits into the instance.
pub(super) fn quota(devices: &dyn Devices, max: u64) -> Result<(), Rejection> {
    if devices.count() >= max { Err(Rejection::LimitReached { what: "devices in this instance", max }) } else { Ok(()) }
}

/// One more certificate may become a device's, to be remembered when it is taken away. Everything that gives a device a certificate
/// or a fingerprint asks: a deletion asks nothing, and without this one device could fill the instance.
pub(super) fn room_for_retired(devices: &dyn Devices) -> Result<(), Rejection> {
    let max = limits::RETIRED_PER_INSTANCE_MAX;
    let what = "retired certificates in this instance";
    if devices.retired_count() >= max { Err(Rejection::LimitReached { what, max }) } else { Ok(()) }
}

/// What is left out stays; an empty text takes it away.
pub(super) fn update(
    devices: &dyn Devices,
    id: &DeviceId,
    name: Option<&str>,
    description: Option<&str>,
    extension_info: Option<&str>,
) -> Decided {
    let device = existing(devices, id)?;
    let name = changed(name, &device.name, fields::device_name)?;
    let description = changed(description, &device.description, fields::description)?;
    let extension_info = changed(extension_info, &device.extension_info, fields::extension_info)?;
    let changes = name != device.name || description != device.description || extension_info != device.extension_info;
    record_if(changes, Event::DeviceUpdated { device: id.clone(), name, description, extension_info })
}

type Rule = fn(&str) -> Result<(), Rejection>;

fn changed(wanted: Option<&str>, current: &Option<Box<str>>, rule: Rule) -> Result<Option<Box<str>>, Rejection> {
    match wanted {
        None => Ok(current.clone()),
        Some(_) => tidied(wanted, rule),
    }
}

fn tidied(value: Option<&str>, rule: Rule) -> Result<Option<Box<str>>, Rejection> {
    let Some(value) = value.filter(|value| !value.is_empty()) else { return Ok(None) };
    rule(value)?;
    Ok(Some(value.into()))
}

/// Adds tags; a key that is there already takes the new value.
pub(super) fn tag(devices: &dyn Devices, id: &DeviceId, tags: &[Tag]) -> Decided {
    let device = existing(devices, id)?;
    let mut merged = fields::tags(tags)?;
    merged.extend(device.tags.iter().filter(|old| !tags.iter().any(|new| new.key == old.key)).cloned());
    merged.sort();
    fields::tags_per_device(&merged)?;
    record_if(merged != device.tags, Event::DeviceTagsChanged { device: id.clone(), tags: merged })
}

/// Takes tags away by key; a key that is not there is no error.
pub(super) fn untag(devices: &dyn Devices, id: &DeviceId, keys: &[Box<str>]) -> Decided {
    let device = existing(devices, id)?;
    let kept: Vec<Tag> = device.tags.iter().filter(|tag| !keys.contains(&tag.key)).cloned().collect();
    record_if(kept != device.tags, Event::DeviceTagsChanged { device: id.clone(), tags: kept })
}

pub(super) fn freeze(devices: &dyn Devices, id: &DeviceId) -> Decided {
    let device = existing(devices, id)?;
    record_if(!device.frozen, Event::DeviceFrozen { device: id.clone() })
}

pub(super) fn unfreeze(devices: &dyn Devices, id: &DeviceId) -> Decided {
    let device = existing(devices, id)?;
    record_if(device.frozen, Event::DeviceUnfrozen { device: id.clone() })
}

pub(super) fn reset_fingerprint(
    devices: &dyn Devices,
    id: &DeviceId,
    slot: Slot,
    fingerprint: Option<Fingerprint>,
) -> Decided {
    let device = existing(devices, id)?;
    let Credential::Certificates { primary, secondary } = &device.credential else {
        return Err(Rejection::DeviceHasSecret(id.clone()));
    };
    let (current, other) = match slot {
        Slot::Primary => (primary, secondary),
        Slot::Secondary => (secondary, primary),
    };
    if let Some(fingerprint) = &fingerprint {
        free(devices, id, &device.space, fingerprint)?;
    }
    if let Some(current) = current.as_ref().filter(|current| fingerprint.is_none() && !current.active) {
        // The next certificate would be pinned, the one that an operator has switched off included.
        return retired::delete(devices, id, &current.fingerprint);
    }
    distinct(fingerprint.as_ref(), other.as_ref().map(|pin| &pin.fingerprint))?;
    let changes = current.as_ref().map(|pin| pin.fingerprint) != fingerprint;
    if changes && fingerprint.is_some() {
        room_for_retired(devices)?;
    }
    record_if(changes, Event::DeviceFingerprintReset { device: id.clone(), slot, fingerprint })
}

/// An operator of the resource space may type it: it was not taken away from a device of another space, and no other device
/// has it, one certificate being one device. What an operator of another space typed does not count.
fn free(devices: &dyn Devices, id: &DeviceId, space: &SpaceId, fingerprint: &Fingerprint) -> Result<(), Rejection> {
    let retired = devices.retired(&PinKey::proven(*fingerprint));
    if let Some(retired) = retired.filter(|retired| retired.space != *space) {
        return Err(Rejection::retired(retired, space));
    }
    let holder = collision::keys(*fingerprint, space).iter().find_map(|key| devices.holder(key));
    match holder {
        Some(holder) if holder != *id => Err(collision::held_by_other(devices, holder, space)),
        Some(_) | None => Ok(()),
    }
}

fn distinct(one: Option<&Fingerprint>, other: Option<&Fingerprint>) -> Result<(), Rejection> {
    if one.is_some() && one == other {
        return Err(fields::invalid("fingerprint", "primary and secondary must be different certificates".into()));
    }
    Ok(())
}

pub(super) fn switch_certificate(devices: &dyn Devices, id: &DeviceId, fingerprint: &Fingerprint, active: bool) -> Decided {
    let device = existing(devices, id)?;
    let Some(pin) = device.credential.pins().find(|pin| pin.fingerprint == *fingerprint) else {
        return Err(fields::invalid(
            "fingerprint",
            format!("device {id} has no certificate with fingerprint {fingerprint}"),
        ));
    };
    let event = Event::DeviceCertificateSwitched { device: id.clone(), fingerprint: *fingerprint, active };
    record_if(pin.active != active, event)
}

pub(super) fn delete(devices: &dyn Devices, id: &DeviceId) -> Decided {
    match devices.entry(id) {
        Some(DeviceEntry::Live(_)) => Ok(Decision::Record(Event::DeviceDeleted { device: id.clone() })),
        Some(DeviceEntry::Deleted { .. }) => Ok(Decision::AlreadySo),
        None => Err(not_found(id)),
    }
}

pub(super) fn readmit(devices: &dyn Devices, id: &DeviceId) -> Decided {
    match devices.entry(id) {
        Some(DeviceEntry::Deleted { .. }) => Ok(Decision::Record(Event::DeviceReadmitted { device: id.clone() })),
        Some(DeviceEntry::Live(_)) => Ok(Decision::AlreadySo),
        None => Err(not_found(id)),
    }
}

/// The live device; one that was deleted is not found.
pub(super) fn existing(devices: &dyn Devices, id: &DeviceId) -> Result<Device, Rejection> {
    match devices.entry(id) {
        Some(DeviceEntry::Live(device)) => Ok(device),
        Some(DeviceEntry::Deleted { .. }) | None => Err(not_found(id)),
    }
}

fn not_found(id: &DeviceId) -> Rejection {
    Rejection::NotFound(Subject::Device(id.clone()))
}
