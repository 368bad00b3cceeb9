//! A device certificate as stored: what is looked up of it. The certificate itself stays in the log.
//!
//! Does not say whether it may be used: that is in the row of its device.

use rollcall_domain::{
    ids::{CaId, DeviceId},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

use crate::files::{Fault, decode, encode, id};

/// What the directory keeps of a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CertificateRow {
    pub(crate) device: DeviceId,
    /// The CA certificate that proved it, by the id that it had.
    pub(crate) ca: CaId,
    /// The CAs above it, by name and key, nearest first; that of `ca` comes last.
    pub(crate) path: Vec<[u8; 32]>,
    pub(crate) sha256: [u8; 32],
    pub(crate) sha1: Option<[u8; 20]>,
    pub(crate) common_name: Box<str>,
    pub(crate) not_after: Option<Timestamp>,
}

#[derive(Serialize, Deserialize)]
struct StoredCertificate<'a> {
    device: &'a str,
    ca: &'a str,
    path: Vec<[u8; 32]>,
    sha256: [u8; 32],
    sha1: Option<[u8; 20]>,
    common_name: &'a str,
    not_after_ms: Option<i64>,
}

/// Encodes a certificate.
pub(crate) fn encode_certificate(row: &CertificateRow) -> Result<Vec<u8>, Fault> {
    encode(&StoredCertificate {
        device: row.device.as_str(),
        ca: row.ca.as_str(),
        path: row.path.clone(),
        sha256: row.sha256,
        sha1: row.sha1,
        common_name: &row.common_name,
        not_after_ms: row.not_after.map(Timestamp::unix_ms),
    })
}

/// Reads a certificate back.
pub(crate) fn decode_certificate(bytes: &[u8]) -> Result<CertificateRow, Fault> {
    let stored: StoredCertificate<'_> = decode(bytes)?;
    Ok(CertificateRow {
        device: id(stored.device)?,
        ca: id(stored.ca)?,
        path: stored.path,
        sha256: stored.sha256,
        sha1: stored.sha1,
        common_name: stored.common_name.into(),
        not_after: stored.not_after_ms.map(Timestamp::from_unix_ms),
    })
}
