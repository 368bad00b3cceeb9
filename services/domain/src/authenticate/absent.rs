//! Whether a device that is not connected has kept its right: for what is done in its name afterwards, such as a will.
//!
//! Asked without the certificate, which is gone with the connection. So what a template makes of its Subject is not asked
//! again; all else that [`lost_right`](super::lost_right) asks is: the CA certificate, validity, the pin, whether the device
//! is frozen, deleted, or another one of the same id.

use crate::{
    certificate::lapse::{Lapse, Link},
    ids::{DeviceId, Fingerprint},
    refusal::Refusal,
    registry::{Configuration, Device, DeviceEntry, Devices},
    time::Timestamp,
};

/// A device and the certificate that it was let in with.
#[derive(Clone, Copy, Debug)]
pub struct Absent<'a> {
    pub device: &'a DeviceId,
    /// Tells the device from a later one of its id.
    pub registered_at: Timestamp,
    /// SHA-256 over the certificate's DER.
    pub sha256: [u8; 32],
    /// SHA-1 over it; only a pin that an operator typed is compared with it.
    pub sha1: [u8; 20],
    /// The certificate's last instant of validity.
    pub not_after: Timestamp,
    /// SHA-256 over the DER of the CA certificate that the chain led to.
    pub ca_sha256: [u8; 32],
    /// The CAs of that chain, by name and key.
    pub above: &'a [[u8; 32]],
}

/// The device, if it would still be let in with that certificate.
///
/// # Errors
/// [`Refusal`]: why it would not.
pub fn absent(
    configuration: &Configuration,
    devices: &dyn Devices,
    absent: &Absent<'_>,
    now: Timestamp,
) -> Result<Device, Refusal> {
    if absent.above.iter().any(|ca| configuration.is_distrusted(ca)) {
        return Err(Refusal::CaDistrusted);
    }
    let ca = configuration.in_force().find(|ca| ca.sha256 == absent.ca_sha256).ok_or(Refusal::CaNotTrusted)?;
    ca.lapse_at(now).map_or(Ok(()), |lapse| Err(Refusal::from(lapse)))?;
    let lapse = Lapse::of(Link::Presented(0), "", absent.not_after.min(now), absent.not_after, now);
    lapse.map_or(Ok(()), |lapse| Err(Refusal::from(lapse)))?;
    let device = match devices.entry(absent.device) {
        Some(DeviceEntry::Live(device)) if device.registered_at == absent.registered_at => device,
        Some(DeviceEntry::Live(_) | DeviceEntry::Deleted { .. }) | None => return Err(Refusal::DeviceDeleted),
    };
    let fingerprints = [Fingerprint::Sha256(absent.sha256), Fingerprint::Sha1(absent.sha1)];
    let pins = device.credential.pins().filter(|pin| fingerprints.contains(&pin.fingerprint));
    let active: Vec<bool> = pins.map(|pin| pin.active).collect();
    if device.space != ca.space || active.is_empty() {
        return Err(Refusal::CertificateMismatch);
    }
    if device.frozen {
        return Err(Refusal::DeviceFrozen);
    }
    if active.contains(&false) {
        return Err(Refusal::CertificateInactive);
    }
    Ok(device)
}
