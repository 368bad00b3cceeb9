//! The certificates that devices have shown: their rows, which come and go with the pins that they explain.
//!
//! Does not find them by what they say. Invariants: a certificate's row counts only while the row of its device names
//! its record, so a stop between two writes leaves at most one that is not found; its indexes go before it, for they are
//! known by what it says.

use rollcall_domain::{
    certificate::{CertificateFacts, SubjectAttribute},
    ids::{CaId, DeviceId, Fingerprint, Position, SpaceId},
    registry::{Configuration, Device, DeviceEntry, Event, Pin, event::PresentedCertificate},
    time::Timestamp,
};

use super::{
    Rows,
    index::{CERTIFICATE, COMMON_NAME, DIGEST, INVERTED_BYTES, ISSUER, end_of, inverted},
    stored::{
        certificate::{CertificateRow, decode_certificate, encode_certificate},
        device::Row,
    },
};
use crate::files::Fault;

/// Characters of a common name that are kept: as many as RFC 5280 (`ub-common-name`) allows.
const COMMON_NAME_CHARS_MAX: usize = 64;
/// Bytes of the SHA-256 in an id.
const DIGEST_BYTES: usize = 4;
/// Bytes of an id, and of the end of a key that leads to a certificate.
pub(crate) const ID_BYTES: usize = INVERTED_BYTES + DIGEST_BYTES;

/// A certificate that a device has shown: the position of the record that brought it and the beginning of its SHA-256. The newest
/// sort last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CertificateId {
    /// The record that holds the certificate.
    pub position: Position,
    digest: [u8; DIGEST_BYTES],
}

impl CertificateId {
    /// The id of the certificate with this SHA-256 in the record at `position`.
    pub fn of(position: Position, sha256: &[u8; 32]) -> Self {
        Self { position, digest: sha256.first_chunk().copied().unwrap_or_default() }
    }

    /// The 12 bytes of an id: the position, then the digest. They sort as ids do.
    pub fn to_bytes(&self) -> [u8; ID_BYTES] {
        let mut bytes = [0; ID_BYTES];
        let (position, digest) = bytes.split_at_mut(INVERTED_BYTES);
        position.copy_from_slice(&self.position.0.to_be_bytes());
        digest.copy_from_slice(&self.digest);
        bytes
    }

    /// Reads what [`Self::to_bytes`] gives; each 12 bytes are an id, if perhaps of no certificate.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (position, digest) = bytes.split_first_chunk()?;
        Some(Self { position: Position(u64::from_be_bytes(*position)), digest: digest.try_into().ok()? })
    }

    /// As it ends a key.
    pub(crate) fn key_end(&self) -> [u8; ID_BYTES] {
        let mut end = [0; ID_BYTES];
        let (position, digest) = end.split_at_mut(INVERTED_BYTES);
        position.copy_from_slice(&inverted(self.position));
        digest.copy_from_slice(&self.digest);
        end
    }

    /// Reads the end of a key.
    pub(crate) fn at_end(key: &[u8]) -> Result<Self, Fault> {
        let read = || {
            let end = key.last_chunk::<ID_BYTES>()?;
            let position = Position(!u64::from_be_bytes(*end.first_chunk()?));
            Some(Self { position, digest: *end.last_chunk()? })
        };
        read().ok_or_else(|| Fault("a key of the view ends too early".into()))
    }
}

/// A device certificate as people look it up. The DER is in the log, in the record at `id.position`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedCertificate {
    pub id: CertificateId,
    /// The device that it is pinned to.
    pub device: DeviceId,
    /// The device's resource space.
    pub space: SpaceId,
    /// The CA certificate that it was proven by, by the id that it had then.
    pub ca: CaId,
    /// The CAs above it as it was proven, by name and key, nearest first; that of `ca` comes last. Of a record of version 1
    /// only that one, if the id was known.
    pub path: Vec<[u8; 32]>,
    /// SHA-256 over the DER.
    pub sha256: [u8; 32],
    /// SHA-1 over the DER; none if it could not be read.
    pub sha1: Option<[u8; 20]>,
    /// Subject CN, at most 64 characters of it; empty if there is no usable one.
    pub common_name: Box<str>,
    /// Last instant of validity; none if it could not be read.
    pub not_after: Option<Timestamp>,
    /// `false`: an operator has made it INACTIVE.
    pub active: bool,
}

/// A certificate that a record brings to a device, and which CAs stand above it.
pub(crate) struct Brought<'a> {
    certificate: &'a PresentedCertificate,
    /// By name and key, nearest first.
    path: Vec<[u8; 32]>,
}

impl<'a> Brought<'a> {
    /// `configuration` is that of the record's position: it says which CA the id in a record of version 1 means.
    pub(crate) fn by(event: &'a Event, configuration: &Configuration) -> Option<Self> {
        let certificate = presented(event)?;
        let path = match &certificate.proof {
            Some(proof) => proof.chain.iter().map(|above| above.name_and_key_sha256).collect(),
            None => configuration.prover_of(certificate).into_iter().collect(),
        };
        Some(Self { certificate, path })
    }

    /// Whether a pin is of this certificate and not one that an operator typed.
    fn is_pinned_by(&self, pin: &Pin) -> bool {
        let certificate = self.certificate;
        pin.fingerprint == Fingerprint::Sha256(certificate.sha256)
            && pin.not_before == Some(certificate.not_before)
            && pin.ca_name_and_key_sha256.as_ref() == self.path.last()
    }
}

/// The certificate that an event brings to a device.
pub(crate) fn presented(event: &Event) -> Option<&PresentedCertificate> {
    if let Event::DeviceRegistered { certificate, .. }
    | Event::DeviceCertificatePinned { certificate, .. }
    | Event::DeviceCertificateReplaced { certificate, .. } = event
    {
        Some(certificate)
    } else {
        None
    }
}

impl Rows {
    /// The records that brought the certificates which are pinned after an event: those known before that are still
    /// pinned, and the event's own if it took effect.
    pub(crate) fn certificates_after(
        &self,
        old: Option<&Row>,
        new: Option<&DeviceEntry>,
        brought: Option<(Position, &Brought<'_>)>,
    ) -> Result<Vec<Position>, Fault> {
        let Some(DeviceEntry::Live(device)) = new.filter(|_| self.has_directory()) else { return Ok(Vec::new()) };
        let mut known = Vec::new();
        let mut is_known = false;
        for position in old.into_iter().flat_map(|old| &old.certificates) {
            if let Some((_, row)) = self.certificate_at(*position)?
                && pins(device, &row).next().is_some()
            {
                known.push(*position);
                is_known |= brought.is_some_and(|(_, brought)| brought.certificate.sha256 == row.sha256);
            }
        }
        if let Some((position, brought)) = brought.filter(|_| !is_known)
            && device.credential.pins().any(|pin| brought.is_pinned_by(pin))
        {
            known.push(position);
        }
        Ok(known)
    }

    /// Writes a certificate and what leads to it.
    pub(crate) fn put_certificate(&self, device: &DeviceId, position: Position, brought: &Brought<'_>) -> Result<(), Fault> {
        let presented = brought.certificate;
        let facts = CertificateFacts::from_der(&presented.der).ok();
        let common_name = facts.as_ref().and_then(|facts| facts.attribute(SubjectAttribute::CommonName).ok());
        let row = CertificateRow {
            device: device.clone(),
            ca: presented.ca.clone(),
            path: brought.path.clone(),
            sha256: presented.sha256,
            sha1: facts.as_ref().map(|facts| facts.sha1),
            common_name: common_name.unwrap_or_default().chars().take(COMMON_NAME_CHARS_MAX).collect(),
            not_after: facts.as_ref().map(|facts| facts.not_after),
        };
        let id = CertificateId::of(position, &presented.sha256);
        self.database.put(&self.certificate_key(&id), &encode_certificate(&row)?)?;
        self.put_certificate_index(&id, &row)
    }

    /// Writes what a stop between two writes left out of a certificate. A row that is there stays: by the configuration as it is
    /// when its record is folded again, its path may not be told any more.
    pub(crate) fn complete_certificate(
        &self,
        device: &DeviceId,
        position: Position,
        brought: &Brought<'_>,
    ) -> Result<(), Fault> {
        match self.certificate_at(position)? {
            Some((id, row)) => self.put_certificate_index(&id, &row),
            None => self.put_certificate(device, position, brought),
        }
    }

    fn put_certificate_index(&self, id: &CertificateId, row: &CertificateRow) -> Result<(), Fault> {
        self.certificate_index(id, row).iter().try_for_each(|key| self.database.put(key, &[]))
    }

    /// Removes the certificate that the record at `position` brought.
    pub(crate) fn remove_certificate(&self, position: Position) -> Result<(), Fault> {
        let Some((id, row)) = self.certificate_at(position)? else { return Ok(()) };
        for key in self.certificate_index(&id, &row) {
            self.database.remove(&key)?;
        }
        self.database.remove(&self.certificate_key(&id))
    }

    fn certificate_at(&self, position: Position) -> Result<Option<(CertificateId, CertificateRow)>, Fault> {
        let mut prefix = self.key(CERTIFICATE, &[]);
        prefix.extend_from_slice(&inverted(position));
        let end = end_of(&prefix);
        let found = self.database.walk((prefix, end), false)?.next().transpose()?;
        found.map(|(key, value)| Ok((CertificateId::at_end(&key)?, decode_certificate(value.as_ref())?))).transpose()
    }

    fn certificate_key(&self, id: &CertificateId) -> Vec<u8> {
        let mut key = self.key(CERTIFICATE, &[]);
        key.extend_from_slice(&id.key_end());
        key
    }

    fn certificate_index(&self, id: &CertificateId, row: &CertificateRow) -> Vec<Vec<u8>> {
        let mut keys =
            vec![self.index_prefix(COMMON_NAME, &[&row.common_name]), self.digest_prefix(&Fingerprint::Sha256(row.sha256))];
        keys.extend(row.path.iter().map(|ca| self.issuer_prefix(ca)));
        keys.extend(row.sha1.map(|sha1| self.digest_prefix(&Fingerprint::Sha1(sha1))));
        for key in &mut keys {
            key.extend_from_slice(&id.key_end());
        }
        keys
    }
}

impl Rows {
    /// A certificate that is pinned to a device.
    pub(crate) fn certificate(&self, id: &CertificateId) -> Result<Option<ListedCertificate>, Fault> {
        let Some(found) = self.database.get(&self.certificate_key(id))? else { return Ok(None) };
        self.listed_certificate(id, decode_certificate(found.as_ref())?)
    }

    /// What stands before the id in the index by the CAs above a certificate.
    pub(crate) fn issuer_prefix(&self, name_and_key_sha256: &[u8; 32]) -> Vec<u8> {
        let mut prefix = self.key(ISSUER, &[]);
        prefix.extend_from_slice(name_and_key_sha256);
        prefix
    }

    /// What stands before the id in the index by fingerprint.
    pub(crate) fn digest_prefix(&self, fingerprint: &Fingerprint) -> Vec<u8> {
        let kind: u8 = match fingerprint {
            Fingerprint::Sha256(_) => 1,
            Fingerprint::Sha1(_) => 2,
        };
        let mut prefix = self.key(DIGEST, &[&[kind]]);
        prefix.extend_from_slice(fingerprint.as_bytes());
        prefix
    }

    fn listed_certificate(&self, id: &CertificateId, row: CertificateRow) -> Result<Option<ListedCertificate>, Fault> {
        let Some(of) = self.row(&row.device)?.filter(|of| of.certificates.contains(&id.position)) else { return Ok(None) };
        let DeviceEntry::Live(device) = of.entry else { return Ok(None) };
        let active = pins(&device, &row).all(|active| active);
        let CertificateRow { device: holder, ca, path, sha256, sha1, common_name, not_after } = row;
        let (id, space) = (*id, device.space);
        Ok(Some(ListedCertificate { id, device: holder, space, ca, path, sha256, sha1, common_name, not_after, active }))
    }
}

/// Of each pin of a device that is of this certificate, whether it is active.
fn pins(device: &Device, row: &CertificateRow) -> impl Iterator<Item = bool> {
    let is_of_it = |fingerprint: &Fingerprint| match fingerprint {
        Fingerprint::Sha256(sha256) => *sha256 == row.sha256,
        Fingerprint::Sha1(sha1) => Some(*sha1) == row.sha1,
    };
    device.credential.pins().filter(move |pin| is_of_it(&pin.fingerprint)).map(|pin| pin.active)
}
