//! The collision table: what a certificate is to the device id that it comes to, and whether it may change that.
//!
//! One file for the registrar and for the edge, so that both decide alike. Invariant: a certificate belongs to at most one
//! device, and a device to one resource space; whatever contradicts that is refused here, before anything is written.
//!
//! | the device id is … | then |
//! | --- | --- |
//! | unknown, and so is the certificate | [`CertificateMatch::Unknown`]: it may be registered |
//! | a device with this certificate | [`CertificateMatch::Same`]: nothing to do |
//! | pre-registered, still without a certificate | [`CertificateMatch::Unpinned`]: it may be pinned |
//! | a device with another certificate | [`CertificateMatch::Other`]: [`may_replace`] decides |
//! | a device of another space or product, or with a secret | refused |
//! | deleted earlier | refused until readmitted |
//! | any, but the certificate is another device's | refused |
//! | any, but the certificate is retired | refused, before anything else is asked |
//!
//! What an operator typed says something of certificates only that a CA of the same resource space proves: so no operator
//! keeps out, by typing fingerprints, what another space's CA has proven. What a CA has proven counts in the whole instance.

use crate::{
    certificate::CertificateFacts,
    ids::{DeviceId, Fingerprint, ProductId, SpaceId},
    registry::{
        retirement::{PinKey, Retired, RetirementReason},
        state::{Ca, Credential, Device, DeviceEntry, Devices, Pin},
    },
    rejection::Rejection,
    template::OnCertificateChange,
};

/// A certificate that may become a device's, and the CA certificate that it was proven by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Candidate<'a> {
    pub(crate) facts: &'a CertificateFacts,
    pub(crate) ca: &'a Ca,
}

/// A certificate by its digests, shown in a resource space: that of the CA that proves it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Digests<'a> {
    pub(crate) sha256: [u8; 32],
    pub(crate) sha1: [u8; 20],
    pub(crate) space: &'a SpaceId,
}

/// What a certificate is to a device id.
#[derive(Debug)]
pub(crate) enum CertificateMatch {
    /// Neither is known.
    Unknown,
    /// It is pinned there. `active`: no operator has switched it off.
    Same { device: Box<Device>, active: bool },
    /// The device waits for its first certificate.
    Unpinned(Box<Device>),
    /// The device has another certificate.
    Other(Box<Device>),
}

impl Digests<'_> {
    /// The device that this certificate is pinned to. SHA-256 before SHA-1: what Rollcall has proven outranks what an
    /// operator has typed, so a careless pre-registration by SHA-1 cannot lock out the device that has the certificate.
    pub(crate) fn owner(&self, devices: &dyn Devices) -> Option<DeviceId> {
        let [sha256, sha1] = self.fingerprints();
        self.holder(devices, sha256).or_else(|| self.holder(devices, sha1))
    }

    /// Refuses a retired certificate. `device`: the id that it comes to; while that is not known, `None`, which lets pass what is
    /// readmitted for some device.
    ///
    /// # Errors
    /// [`Rejection::CertificateRetired`].
    pub(crate) fn not_retired(&self, devices: &dyn Devices, device: Option<&DeviceId>) -> Result<(), Rejection> {
        let readmitted = |retired: &Retired| match (&retired.readmitted_for, device) {
            (None, _) => false,
            (Some(_), None) => true,
            (Some(only), Some(device)) => only == device,
        };
        let [sha256, sha1] = self.fingerprints();
        let bars = |retired: &Retired| !self.is_typed_anew(devices, retired) && !readmitted(retired);
        // A device that has it by SHA-256 never lost it: the SHA-1 was typed for another, or is the device's own from before.
        let by_sha1 = || self.retired(devices, sha1).filter(|_| self.holder(devices, sha256).is_none());
        match self.retired(devices, sha256).filter(bars).or_else(|| by_sha1().filter(bars)) {
            None => Ok(()),
            Some(retired) => Err(Rejection::retired(retired, self.space)),
        }
    }

    /// Whether the operator who replaced this certificate by a SHA-1 gave that of the same certificate.
    fn is_typed_anew(&self, devices: &dyn Devices, retired: &Retired) -> bool {
        let [_, sha1] = self.fingerprints();
        retired.reason == RetirementReason::Replaced && self.holder(devices, sha1).as_ref() == Some(&retired.device)
    }

    fn holder(&self, devices: &dyn Devices, fingerprint: Fingerprint) -> Option<DeviceId> {
        self.keys(fingerprint).iter().find_map(|key| devices.holder(key))
    }

    fn retired(&self, devices: &dyn Devices, fingerprint: Fingerprint) -> Option<Retired> {
        self.keys(fingerprint).iter().find_map(|key| devices.retired(key))
    }

    /// What a fingerprint is looked up by. Proven before typed.
    fn keys(&self, fingerprint: Fingerprint) -> [PinKey; 2] {
        keys(fingerprint, self.space)
    }

    fn fingerprints(&self) -> [Fingerprint; 2] {
        [Fingerprint::Sha256(self.sha256), Fingerprint::Sha1(self.sha1)]
    }

    /// What this certificate is to the device `id`; `product` is what its template derives, if one does.
    ///
    /// # Errors
    /// [`Rejection`]: a row of the table that refuses.
    pub(crate) fn match_with(
        &self,
        devices: &dyn Devices,
        id: &DeviceId,
        product: Option<&ProductId>,
    ) -> Result<CertificateMatch, Rejection> {
        self.not_retired(devices, Some(id))?;
        if let Some(owner) = self.owner(devices)
            && owner != *id
        {
            return Err(held_by_other(devices, owner, self.space));
        }
        let device = match devices.entry(id) {
            None => return Ok(CertificateMatch::Unknown),
            // Only an operator of that space has the id back: to this one it is taken.
            Some(DeviceEntry::Deleted { space, .. }) if space != *self.space => {
                return Err(Rejection::DeviceElsewhere(id.clone()));
            }
            Some(DeviceEntry::Deleted { .. }) => return Err(Rejection::DeviceDeleted(id.clone())),
            Some(DeviceEntry::Live(device)) => Box::new(device),
        };
        let unpinned = match &device.credential {
            Credential::Secret => return Err(Rejection::DeviceHasSecret(id.clone())),
            Credential::Certificates { primary, .. } => primary.is_none(),
        };
        if device.space != *self.space || product.is_some_and(|product| *product != device.product) {
            return Err(Rejection::DeviceElsewhere(id.clone()));
        }
        match self.pins_of(&device) {
            // With another certificate, whether the device is frozen is not told.
            None if !unpinned => Ok(CertificateMatch::Other(device)),
            _ if device.frozen => Err(Rejection::DeviceFrozen(id.clone())),
            Some(active) => Ok(CertificateMatch::Same { device, active }),
            None => Ok(CertificateMatch::Unpinned(device)),
        }
    }

    /// Whether this certificate is pinned to the device, and then whether no matching pin is switched off.
    pub(crate) fn pins_of(&self, device: &Device) -> Option<bool> {
        let fingerprints = self.fingerprints();
        let matching = device.credential.pins().filter(|pin| fingerprints.contains(&pin.fingerprint));
        matching.map(|pin| pin.active).reduce(|all, active| all && active)
    }
}

impl Candidate<'_> {
    pub(crate) fn digests(&self) -> Digests<'_> {
        Digests { sha256: self.facts.sha256, sha1: self.facts.sha1, space: &self.ca.space }
    }

    /// As [`Digests::match_with`].
    ///
    /// # Errors
    /// As there.
    pub(crate) fn match_with(
        &self,
        devices: &dyn Devices,
        id: &DeviceId,
        product: Option<&ProductId>,
    ) -> Result<CertificateMatch, Rejection> {
        self.digests().match_with(devices, id, product)
    }
}

/// What a fingerprint is looked up by in a resource space: proven before typed.
pub(crate) fn keys(fingerprint: Fingerprint, space: &SpaceId) -> [PinKey; 2] {
    [PinKey::proven(fingerprint), PinKey::typed(fingerprint, space)]
}

/// A device has it already; named only within its own resource space.
pub(crate) fn held_by_other(devices: &dyn Devices, holder: DeviceId, space: &SpaceId) -> Rejection {
    let within = devices.entry(&holder).is_some_and(|entry| entry.space() == space);
    Rejection::CertificateHeldByOther(within.then_some(holder))
}

/// Whether the certificate may take the place of the device's primary one.
///
/// # Errors
/// [`Rejection`]: the template does not replace, the device is frozen, or the certificate is not a newer one of the same CA.
pub(crate) fn may_replace(candidate: &Candidate<'_>, device: &Device, change: OnCertificateChange) -> Result<(), Rejection> {
    match change {
        OnCertificateChange::Reject => Err(Rejection::DeviceHasOtherCertificate(device.id.clone())),
        OnCertificateChange::Replace if device.frozen => Err(Rejection::DeviceFrozen(device.id.clone())),
        OnCertificateChange::Replace => match &device.credential {
            Credential::Certificates { primary: Some(primary), .. } if is_newer_of_same_ca(candidate, primary) => Ok(()),
            Credential::Certificates { .. } | Credential::Secret => Err(Rejection::CertificateNotNewer(device.id.clone())),
        },
    }
}

/// Same CA (name and key, whatever became of the certificate that proved the old one) and a newer notBefore. A pin that an
/// operator typed has neither, so nothing replaces it: whose it was cannot be told.
fn is_newer_of_same_ca(candidate: &Candidate<'_>, primary: &Pin) -> bool {
    let Some((ca, not_before)) = primary.ca_name_and_key_sha256.zip(primary.not_before) else { return false };
    ca == candidate.ca.name_and_key_sha256 && candidate.facts.not_before > not_before
}
