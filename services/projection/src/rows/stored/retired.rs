//! A retired certificate as stored. What it is looked up by is in its key.

use rollcall_domain::{
    ids::Position,
    registry::{Retired, RetirementReason},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

use super::device::{StoredFingerprint, fingerprint, stored_fingerprint};
use crate::files::{Fault, decode, encode, id};

/// A retirement and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RetiredRow {
    /// The record that it is the outcome of.
    pub(crate) applied: Position,
    pub(crate) retired: Retired,
}

#[derive(Serialize, Deserialize)]
struct StoredRetired<'a> {
    applied: u64,
    device: &'a str,
    space: &'a str,
    reason: StoredReason,
    since_ms: i64,
    not_after_ms: Option<i64>,
    readmitted_for: Option<&'a str>,
    other_digest: Option<StoredFingerprint>,
}

#[derive(Serialize, Deserialize)]
enum StoredReason {
    DeviceDeleted,
    CertificateDeleted,
    Replaced,
}

/// Encodes a retirement.
pub(crate) fn encode_retired(row: &RetiredRow) -> Result<Vec<u8>, Fault> {
    let RetiredRow { applied, retired } = row;
    encode(&StoredRetired {
        applied: applied.0,
        device: retired.device.as_str(),
        space: retired.space.as_str(),
        reason: match retired.reason {
            RetirementReason::DeviceDeleted => StoredReason::DeviceDeleted,
            RetirementReason::CertificateDeleted => StoredReason::CertificateDeleted,
            RetirementReason::Replaced => StoredReason::Replaced,
        },
        since_ms: retired.since.unix_ms(),
        not_after_ms: retired.not_after.map(Timestamp::unix_ms),
        readmitted_for: retired.readmitted_for.as_ref().map(|device| device.as_str()),
        other_digest: retired.other_digest.map(stored_fingerprint),
    })
}

/// Reads a retirement back.
pub(crate) fn decode_retired(bytes: &[u8]) -> Result<RetiredRow, Fault> {
    let stored: StoredRetired<'_> = decode(bytes)?;
    let retired = Retired {
        device: id(stored.device)?,
        space: id(stored.space)?,
        reason: match stored.reason {
            StoredReason::DeviceDeleted => RetirementReason::DeviceDeleted,
            StoredReason::CertificateDeleted => RetirementReason::CertificateDeleted,
            StoredReason::Replaced => RetirementReason::Replaced,
        },
        since: Timestamp::from_unix_ms(stored.since_ms),
        not_after: stored.not_after_ms.map(Timestamp::from_unix_ms),
        readmitted_for: stored.readmitted_for.map(id).transpose()?,
        other_digest: stored.other_digest.map(fingerprint),
    };
    Ok(RetiredRow { applied: Position(stored.applied), retired })
}
