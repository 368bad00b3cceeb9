//! A device row as stored: the entry and the positions of the records that made it what it is.
//!
//! The indexes that lead to it are elsewhere. The position of the last one lets a record that is folded again (after a stop
//! between two writes) leave rows alone that have it already.

use rollcall_domain::{
    ids::{DeviceId, Fingerprint, Position},
    registry::{BoundPolicy, Credential, Device, DeviceEntry, Pin, PinKey},
    template::Tag,
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

use crate::files::{Fault, decode, encode, id};

/// A device's entry and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    /// The record that it is the outcome of.
    pub(crate) applied: Position,
    /// The record that created the device.
    pub(crate) created: Position,
    /// The records that brought those of its certificates that the directory knows; empty without the directory.
    pub(crate) certificates: Vec<Position>,
    pub(crate) entry: DeviceEntry,
}

#[derive(Serialize, Deserialize)]
struct StoredRow<'a> {
    applied: u64,
    created: u64,
    certificates: Vec<u64>,
    #[serde(borrow)]
    entry: StoredEntry<'a>,
}

#[derive(Serialize, Deserialize)]
enum StoredEntry<'a> {
    #[serde(borrow)]
    Live(StoredDevice<'a>),
    Deleted {
        at_ms: i64,
        space: &'a str,
        #[serde(borrow)]
        certificates: Vec<StoredPinKey<'a>>,
    },
}

#[derive(Serialize, Deserialize)]
struct StoredDevice<'a> {
    node: &'a str,
    space: &'a str,
    product: &'a str,
    name: Option<&'a str>,
    description: Option<&'a str>,
    extension_info: Option<&'a str>,
    #[serde(borrow)]
    tags: Vec<(&'a str, &'a str)>,
    #[serde(borrow)]
    policies: Vec<(&'a str, u64)>,
    credential: StoredCredential,
    frozen: bool,
    registered_at_ms: i64,
}

#[derive(Serialize, Deserialize)]
enum StoredCredential {
    Secret,
    Certificates { primary: Option<StoredPin>, secondary: Option<StoredPin> },
}

#[derive(Serialize, Deserialize)]
struct StoredPin {
    fingerprint: StoredFingerprint,
    ca_name_and_key_sha256: Option<[u8; 32]>,
    not_before_ms: Option<i64>,
    not_after_ms: Option<i64>,
    sha1: Option<[u8; 20]>,
    active: bool,
}

#[derive(Serialize, Deserialize)]
struct StoredPinKey<'a> {
    fingerprint: StoredFingerprint,
    space: Option<&'a str>,
}

#[derive(Serialize, Deserialize)]
pub(super) enum StoredFingerprint {
    Sha256([u8; 32]),
    Sha1([u8; 20]),
}

/// Encodes a row.
pub(crate) fn encode_row(row: &Row) -> Result<Vec<u8>, Fault> {
    let entry = match &row.entry {
        DeviceEntry::Deleted { at, space, certificates } => StoredEntry::Deleted {
            at_ms: at.unix_ms(),
            space: space.as_str(),
            certificates: certificates.iter().map(stored_pin_key).collect(),
        },
        DeviceEntry::Live(device) => StoredEntry::Live(StoredDevice {
            node: device.node_id.as_str(),
            space: device.space.as_str(),
            product: device.product.as_str(),
            name: device.name.as_deref(),
            description: device.description.as_deref(),
            extension_info: device.extension_info.as_deref(),
            tags: device.tags.iter().map(|tag| (&*tag.key, &*tag.value)).collect(),
            policies: device.policies.iter().map(|bound| (bound.policy.as_str(), bound.made)).collect(),
            credential: stored_credential(&device.credential),
            frozen: device.frozen,
            registered_at_ms: device.registered_at.unix_ms(),
        }),
    };
    let certificates = row.certificates.iter().map(|position| position.0).collect();
    encode(&StoredRow { applied: row.applied.0, created: row.created.0, certificates, entry })
}

/// Reads the row of `device` back.
pub(crate) fn decode_row(device: &DeviceId, bytes: &[u8]) -> Result<Row, Fault> {
    let row: StoredRow<'_> = decode(bytes)?;
    let entry = match row.entry {
        StoredEntry::Deleted { at_ms, space, certificates } => DeviceEntry::Deleted {
            at: Timestamp::from_unix_ms(at_ms),
            space: id(space)?,
            certificates: certificates.into_iter().map(pin_key).collect::<Result<_, _>>()?,
        },
        StoredEntry::Live(stored) => DeviceEntry::Live(Device {
            id: device.clone(),
            node_id: id(stored.node)?,
            space: id(stored.space)?,
            product: id(stored.product)?,
            name: stored.name.map(Into::into),
            description: stored.description.map(Into::into),
            extension_info: stored.extension_info.map(Into::into),
            tags: stored.tags.iter().map(|(key, value)| Tag { key: (*key).into(), value: (*value).into() }).collect(),
            policies: stored.policies.into_iter().map(bound_policy).collect::<Result<_, _>>()?,
            credential: credential(stored.credential),
            frozen: stored.frozen,
            registered_at: Timestamp::from_unix_ms(stored.registered_at_ms),
        }),
    };
    let certificates = row.certificates.into_iter().map(Position).collect();
    Ok(Row { applied: Position(row.applied), created: Position(row.created), certificates, entry })
}

fn bound_policy((policy, made): (&str, u64)) -> Result<BoundPolicy, Fault> {
    Ok(BoundPolicy { policy: id(policy)?, made })
}

fn stored_credential(credential: &Credential) -> StoredCredential {
    match credential {
        Credential::Secret => StoredCredential::Secret,
        Credential::Certificates { primary, secondary } => StoredCredential::Certificates {
            primary: primary.as_ref().map(stored_pin),
            secondary: secondary.as_ref().map(stored_pin),
        },
    }
}

fn stored_pin(pin: &Pin) -> StoredPin {
    StoredPin {
        fingerprint: stored_fingerprint(pin.fingerprint),
        ca_name_and_key_sha256: pin.ca_name_and_key_sha256,
        not_before_ms: pin.not_before.map(Timestamp::unix_ms),
        not_after_ms: pin.not_after.map(Timestamp::unix_ms),
        sha1: pin.sha1,
        active: pin.active,
    }
}

fn credential(stored: StoredCredential) -> Credential {
    match stored {
        StoredCredential::Secret => Credential::Secret,
        StoredCredential::Certificates { primary, secondary } => {
            Credential::Certificates { primary: primary.map(pin), secondary: secondary.map(pin) }
        }
    }
}

fn pin(stored: StoredPin) -> Pin {
    Pin {
        fingerprint: fingerprint(stored.fingerprint),
        ca_name_and_key_sha256: stored.ca_name_and_key_sha256,
        not_before: stored.not_before_ms.map(Timestamp::from_unix_ms),
        not_after: stored.not_after_ms.map(Timestamp::from_unix_ms),
        sha1: stored.sha1,
        active: stored.active,
    }
}

fn stored_pin_key(key: &PinKey) -> StoredPinKey<'_> {
    StoredPinKey { fingerprint: stored_fingerprint(key.fingerprint), space: key.space.as_ref().map(|space| space.as_str()) }
}

fn pin_key(stored: StoredPinKey<'_>) -> Result<PinKey, Fault> {
    Ok(PinKey { fingerprint: fingerprint(stored.fingerprint), space: stored.space.map(id).transpose()? })
}

pub(super) fn stored_fingerprint(fingerprint: Fingerprint) -> StoredFingerprint {
    match fingerprint {
        Fingerprint::Sha256(bytes) => StoredFingerprint::Sha256(bytes),
        Fingerprint::Sha1(bytes) => StoredFingerprint::Sha1(bytes),
    }
}

pub(super) fn fingerprint(stored: StoredFingerprint) -> Fingerprint {
    match stored {
        StoredFingerprint::Sha256(bytes) => Fingerprint::Sha256(bytes),
        StoredFingerprint::Sha1(bytes) => Fingerprint::Sha1(bytes),
    }
}
