//! Whether a device that is not connected has kept its right: for what is done in its name afterwards, such as a will.
//!
//! Asked without the certificate, which is gone with the connection. So what a template makes of its Subject is not asked
//! again; all else that [`lost_right`](super::lost_right) asks is: the CA certificate, validity, the pin, whether the device
//! is frozen, deleted, or another one of the same id, and whether the certificate was taken away or is another device's now. Random histories compare
//! the two.

use crate::{
    certificate::lapse::{Lapse, Link},
    ids::DeviceId,
    refusal::Refusal,
    registry::{Configuration, Device, DeviceEntry, Devices, collision::Digests},
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
    let certificate = Digests { sha256: absent.sha256, sha1: absent.sha1, space: &ca.space };
    certificate.not_retired(devices, Some(absent.device)).map_err(|_| Refusal::CertificateRetired)?;
    if certificate.owner(devices).is_some_and(|owner| owner != *absent.device) {
        return Err(Refusal::DeviceMismatch);
    }
    match certificate.pins_of(&device) {
        Some(_) if device.space != ca.space => Err(Refusal::CertificateMismatch),
        None => Err(Refusal::CertificateMismatch),
        Some(_) if device.frozen => Err(Refusal::DeviceFrozen),
        Some(false) => Err(Refusal::CertificateInactive),
        Some(true) => Ok(device),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ids::Fingerprint,
        registry::{
            Command, Slot,
            command::{Distrust, TemplateChange},
            tests::world::{Leaf, NOW, World, any, authorities, cn_template, id},
        },
    };

    /// A device that registered itself.
    fn registered() -> (World, Leaf) {
        let mut world = World::furnished();
        world.put_in_force("t", cn_template("meter"), "acme-ca");
        let leaf = authorities()[0].device("dev1");
        assert!(world.connect(&leaf).outcome.is_ok());
        (world, leaf)
    }

    /// What is said when all that was known at the end of its session is asked again.
    fn kept(world: &World, leaf: &Leaf, now: Timestamp) -> Option<Refusal> {
        let path = world.path("acme-ca");
        let above: Vec<[u8; 32]> = path.chain.iter().map(|ca| ca.name_and_key_sha256).collect();
        let device = id("meter_dev1");
        let asked = Absent {
            device: &device,
            registered_at: NOW,
            sha256: leaf.facts.sha256,
            sha1: leaf.facts.sha1,
            not_after: leaf.facts.not_after,
            ca_sha256: path.ca_sha256,
            above: &above,
        };
        absent(&world.registry.configuration, &world.registry, &asked, now).err()
    }

    fn reset(slot: Slot, fingerprint: Option<Fingerprint>) -> Command {
        Command::ResetFingerprint { device: id("meter_dev1"), slot, fingerprint }
    }

    #[test]
    fn what_ends_the_right_of_a_session_ends_that_of_an_absent_device() {
        let (world, leaf) = registered();
        let (device, fingerprint) = (id::<DeviceId>("meter_dev1"), leaf.sha256());
        assert_eq!(kept(&world, &leaf, NOW), None);
        let other = Fingerprint::Sha256([9; 32]);
        let delete_ca = |distrust| Command::DeleteCa { ca: id("acme-ca"), distrust };
        for (command, refusal) in [
            (Command::DeleteDevice { device: device.clone() }, Refusal::DeviceDeleted),
            (Command::FreezeDevice { device: device.clone() }, Refusal::DeviceFrozen),
            (
                Command::SwitchCertificate { device: device.clone(), fingerprint, active: false },
                Refusal::CertificateInactive,
            ),
            (Command::DeleteCertificate { device: device.clone(), fingerprint }, Refusal::CertificateRetired),
            (reset(Slot::Primary, Some(other)), Refusal::CertificateRetired),
            (reset(Slot::Primary, None), Refusal::CertificateMismatch),
            (delete_ca(Distrust::Yes), Refusal::CaDistrusted),
            (delete_ca(Distrust::No), Refusal::CaNotTrusted),
        ] {
            let mut world = world.clone();
            world.grant(command.clone());
            assert_eq!(kept(&world, &leaf, NOW), Some(refusal), "{command:?}");
            assert!(world.lost_right(&leaf, "acme-ca", &any(), device.as_str()).is_some(), "{command:?}");
        }
        assert_eq!(kept(&world, &leaf, leaf.facts.not_after), None);
        let code = |now| kept(&world, &leaf, now).map(|refusal| refusal.code().to_owned());
        assert_eq!(code(leaf.facts.not_after.plus_s(1)).as_deref(), Some("certificate_expired"));
        let ca_ends = world.registry.configuration.cas[&id("acme-ca")].not_after;
        assert_eq!(code(ca_ends.plus_s(1)).as_deref(), Some("ca_expired"));
    }

    #[test]
    fn what_a_template_says_is_not_asked_nor_by_which_digest_the_certificate_is_pinned() {
        let (mut world, leaf) = registered();
        world.configure("acme-ca", TemplateChange::Unbind, Some(false));
        assert_eq!(kept(&world, &leaf, NOW), None);
        world.grant(reset(Slot::Primary, Some(leaf.sha1())));
        assert_eq!(kept(&world, &leaf, NOW), None);
        world.grant(reset(Slot::Secondary, Some(leaf.sha256())));
        let (device, fingerprint) = (id("meter_dev1"), leaf.sha256());
        world.grant(Command::SwitchCertificate { device, fingerprint, active: false });
        assert_eq!(kept(&world, &leaf, NOW), Some(Refusal::CertificateInactive), "inactive by one of its digests");
    }

    #[test]
    fn f39_a_later_device_of_the_same_id_has_not_the_right_of_the_earlier() {
        let (mut world, leaf) = registered();
        for command in
            [Command::DeleteDevice { device: id("meter_dev1") }, Command::ReadmitDevice { device: id("meter_dev1") }]
        {
            world.grant(command);
            assert_eq!(kept(&world, &leaf, NOW), Some(Refusal::DeviceDeleted));
        }
        world.now = NOW.plus_s(1);
        assert!(world.connect(&leaf).outcome.is_ok());
        assert_eq!(kept(&world, &leaf, world.now), Some(Refusal::DeviceDeleted));
    }
}
