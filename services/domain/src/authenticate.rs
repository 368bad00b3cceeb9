//! Who may connect: a pure function of configuration, device, certificate, CONNECT and the instant.
//!
//! Asked at every connection, resumed TLS sessions included, and again for every live session when a record changes what
//! it depends on ([`crate::registry::Event::affected_sessions`] says which); expiry comes without a record, so sessions
//! are also authenticated again from time to time. A stale view may refuse more, never admit more than the log at its
//! position allows.
//!
//! Two ways to be known. With client id and user name in the platform's standard form, the named device's own record and
//! fingerprint decide, and no template is asked. With anything else, the template that is bound to the CA certificate
//! must be in force and must, as it stands now, derive the device: so editing a template changes who gets in.

mod absent;

pub use self::absent::{Absent, absent};
use crate::{
    certificate::{CertificateFacts, path::Proven},
    fleet::{AvailabilityRules, Instance},
    ids::{DeviceId, ProductId, SpaceId},
    limits,
    policy::ClientId,
    refusal::Refusal,
    registry::{
        Configuration, Device, DeviceEntry, Devices,
        collision::{Candidate, CertificateMatch, may_replace},
    },
    rejection::Rejection,
    template::{DerivedDevice, OnCertificateChange},
    time::Timestamp,
};

/// The part of a CONNECT packet that identifies a device. A password is ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identification<'a> {
    /// Client identifier, as sent.
    pub client_id: &'a str,
    /// User name, as sent.
    pub user_name: Option<&'a str>,
}

impl<'a> Identification<'a> {
    /// The client id as policies of `device` may take it. Bound are its device id, its node id, and its standard form. An empty
    /// one is the device id, which the server assigns (MQTT 5 section 3.1.3.1). All else is a text that any device could send:
    /// believed, one device would have the topics of another.
    pub fn client_id_of(&self, device: &'a Device) -> ClientId<'a> {
        let is_own_form = || StandardForm::of(self).is_some_and(|form| form.device_id == device.id);
        match self.client_id {
            "" => ClientId::Bound(device.id.as_str()),
            own if own == device.id.as_str() || own == device.node_id.as_str() || is_own_form() => ClientId::Bound(own),
            other => ClientId::Unbound(other),
        }
    }
}

/// The platform's standard form: `{device_id}_0_{0|1}_{YYYYMMDDHH}` with the device id as user name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StandardForm {
    /// The device that the client says it is.
    pub device_id: DeviceId,
}

impl StandardForm {
    /// Reads client id and user name; `None` when they are anything else. Parsed from the right: ids may hold `_`.
    /// Sign 1 asks the platform to check the hour; that guards a password, and a certificate has none, so it is not.
    pub fn of(identification: &Identification<'_>) -> Option<Self> {
        let mut fields = identification.client_id.rsplitn(4, '_');
        let (hour, sign, device_type, device_id) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
        let is_hour = hour.len() == limits::STANDARD_FORM_HOUR_DIGITS && hour.bytes().all(|digit| digit.is_ascii_digit());
        let is_standard = is_hour && matches!(sign, "0" | "1") && device_type == "0";
        if !is_standard || identification.user_name != Some(device_id) {
            return None;
        }
        DeviceId::parse(device_id).ok().map(|device_id| Self { device_id })
    }
}

/// The device that a certificate is pinned to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recognised {
    pub device: DeviceId,
    /// Its resource space.
    pub space: SpaceId,
    pub product: ProductId,
}

/// What one connection is answered with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Let in as this device.
    Accept(Recognised),
    /// The certificate is pinned to no device yet; the registrar may register, pin or replace. Ask it, then
    /// authenticate again.
    Register {
        /// The device that it would be now; for logs and limits only, the registrar derives its own.
        derived: DeviceId,
        /// Goes into the request as it is: the device that the CONNECT names, where no template names one.
        claimed: Option<DeviceId>,
    },
    /// Not let in.
    Refuse(Refusal),
}

/// Authenticates one connection of a certificate (`facts`) that was proven by `path`, perhaps a while ago.
pub fn authenticate(
    configuration: &Configuration,
    devices: &dyn Devices,
    instance: &Instance,
    availability: &AvailabilityRules,
    facts: &CertificateFacts,
    path: &Proven,
    identification: &Identification<'_>,
    now: Timestamp,
) -> Verdict {
    match recognise(configuration, devices, facts, path, identification, now) {
        Ok(Known::Recognised(recognised)) => Verdict::Accept(recognised),
        Ok(Known::Not(Registrable { unknown: true, .. })) if !availability.allow(instance) => {
            Verdict::Refuse(Refusal::SelfRegistrationUnavailable)
        }
        Ok(Known::Not(Registrable { derived, claimed, .. })) => Verdict::Register { derived, claimed },
        Err(refusal) => Verdict::Refuse(refusal),
    }
}

/// Authenticates a live session again: `None` while it keeps its right, that is, while [`authenticate`] would accept the same
/// device. What would have to be asked of the registrar first has no right any more.
pub fn lost_right(
    configuration: &Configuration,
    devices: &dyn Devices,
    facts: &CertificateFacts,
    path: &Proven,
    identification: &Identification<'_>,
    device: &DeviceId,
    now: Timestamp,
) -> Option<Refusal> {
    match recognise(configuration, devices, facts, path, identification, now) {
        Ok(Known::Recognised(recognised)) if recognised.device == *device => None,
        Ok(Known::Recognised(_)) => Some(Refusal::TemplateNoLongerDerives),
        Ok(Known::Not(_)) => Some(match devices.entry(device) {
            Some(DeviceEntry::Live(_)) => Refusal::CertificateMismatch,
            Some(DeviceEntry::Deleted { .. }) | None => Refusal::DeviceDeleted,
        }),
        // The certificate went with the device: the session is told of the device. Another connection is told of both.
        Err(Refusal::CertificateRetired) if matches!(devices.entry(device), Some(DeviceEntry::Deleted { .. })) => {
            Some(Refusal::DeviceDeleted)
        }
        Err(refusal) => Some(refusal),
    }
}

/// What the registry knows of a certificate that nothing forbids.
enum Known {
    /// It is pinned to this device.
    Recognised(Recognised),
    /// It is pinned to no device; the registrar may pin it.
    Not(Registrable),
}

struct Registrable {
    derived: DeviceId,
    claimed: Option<DeviceId>,
    /// Whether the device itself would be new: only then does it matter where self-registration is available.
    unknown: bool,
}

fn recognise(
    configuration: &Configuration,
    devices: &dyn Devices,
    facts: &CertificateFacts,
    path: &Proven,
    identification: &Identification<'_>,
    now: Timestamp,
) -> Result<Known, Refusal> {
    if configuration.distrusts(&path.chain) {
        return Err(Refusal::CaDistrusted);
    }
    let ca = configuration.ca_of(path).ok_or(Refusal::CaNotTrusted)?;
    ca.lapse_at(now).map_or(Ok(()), |lapse| Err(Refusal::from(lapse)))?;
    facts.lapse_at(now).map_or(Ok(()), |lapse| Err(Refusal::from(lapse)))?;
    let authentication = Authentication { configuration, devices, candidate: Candidate { facts, ca } };
    authentication.candidate.digests().not_retired(devices, None).map_err(refusal)?;
    match StandardForm::of(identification) {
        Some(form) => authentication.by_own_record(form.device_id),
        None => authentication.by_template(),
    }
}

/// What both ways of being known depend on.
struct Authentication<'a> {
    configuration: &'a Configuration,
    devices: &'a dyn Devices,
    candidate: Candidate<'a>,
}

impl Authentication<'_> {
    /// The standard form: the named device's own record decides; the template only where there is nothing to compare.
    fn by_own_record(&self, named: DeviceId) -> Result<Known, Refusal> {
        let matched = self.candidate.match_with(self.devices, &named, None).map_err(|rejection| match rejection {
            Rejection::CertificateHeldByOther(_) | Rejection::DeviceElsewhere(_) => Refusal::DeviceMismatch,
            other => refusal(other),
        })?;
        match matched {
            CertificateMatch::Same { device, active } => pinned_to(*device, active),
            CertificateMatch::Unpinned(device) => self.unpinned(&device),
            CertificateMatch::Other(device) => {
                let mismatch = |_| Refusal::CertificateMismatch;
                let (derived, change) = self.derive().map_err(mismatch)?;
                if derived.device_id != named || derived.product_id != device.product {
                    return Err(Refusal::CertificateMismatch);
                }
                may_replace(&self.candidate, &device, change).map_err(refusal)?;
                Ok(registrable(named, None, false))
            }
            CertificateMatch::Unknown => {
                let (derived, _) = self.derive()?;
                if derived.device_id != named {
                    return Err(Refusal::DeviceMismatch);
                }
                Ok(registrable(named, None, true))
            }
        }
    }

    /// A pre-registered device that waits for its first certificate, named by the CONNECT. Where a template says which
    /// device a certificate is, the name may not contradict it. Where none does, the name is all there is, as with the
    /// service: the first certificate of a CA of that space is pinned. An operator who does not want that gives the
    /// fingerprint when pre-registering.
    fn unpinned(&self, device: &Device) -> Result<Known, Refusal> {
        match self.derive() {
            Err(_) => Ok(registrable(device.id.clone(), Some(device.id.clone()), false)),
            Ok((derived, _)) if derived.device_id == device.id && derived.product_id == device.product => {
                Ok(registrable(device.id.clone(), None, false))
            }
            Ok(_) => Err(Refusal::DeviceMismatch),
        }
    }

    /// Anything but the standard form: the template decides which device this is, if it is one at all.
    fn by_template(&self) -> Result<Known, Refusal> {
        let (derived, change) = self.derive()?;
        let matched = self.candidate.match_with(self.devices, &derived.device_id, Some(&derived.product_id));
        let matched = matched.map_err(|rejection| match rejection {
            Rejection::CertificateHeldByOther(_) => Refusal::TemplateNoLongerDerives,
            Rejection::DeviceElsewhere(_) if self.candidate.digests().owner(self.devices).is_some() => {
                Refusal::TemplateNoLongerDerives
            }
            other => refusal(other),
        })?;
        match matched {
            CertificateMatch::Same { device, active } => pinned_to(*device, active),
            CertificateMatch::Unpinned(_) => Ok(registrable(derived.device_id, None, false)),
            CertificateMatch::Other(device) => {
                may_replace(&self.candidate, &device, change).map_err(refusal)?;
                Ok(registrable(derived.device_id, None, false))
            }
            CertificateMatch::Unknown => Ok(registrable(derived.device_id, None, true)),
        }
    }

    /// What the template in force makes of the certificate.
    fn derive(&self) -> Result<(DerivedDevice, OnCertificateChange), Refusal> {
        let Candidate { facts, ca } = self.candidate;
        let body = &self.configuration.template_in_force(ca).map_err(refusal)?.body;
        match body.evaluate(facts) {
            Ok(derived) => Ok((derived, body.on_certificate_change)),
            Err(_) if self.candidate.digests().owner(self.devices).is_some() => Err(Refusal::TemplateNoLongerDerives),
            Err(fault) => Err(refusal(Rejection::TemplateNotApplicable(fault))),
        }
    }
}

fn pinned_to(device: Device, active: bool) -> Result<Known, Refusal> {
    if !active {
        return Err(Refusal::CertificateInactive);
    }
    Ok(Known::Recognised(Recognised { device: device.id, space: device.space, product: device.product }))
}

fn registrable(derived: DeviceId, claimed: Option<DeviceId>, unknown: bool) -> Known {
    Known::Not(Registrable { derived, claimed, unknown })
}

/// A rule's no, as a connection gets it. Those that have a refusal of their own take it; the rest keep the rule's words.
fn refusal(rejection: Rejection) -> Refusal {
    match rejection {
        Rejection::CaDistrusted => Refusal::CaDistrusted,
        Rejection::TemplateNotBound => Refusal::TemplateNotBound,
        Rejection::SelfRegistrationDisabled => Refusal::SelfRegistrationDisabled,
        Rejection::DeviceHasOtherCertificate(_) => Refusal::CertificateMismatch,
        Rejection::DeviceHasSecret(_) => Refusal::SecretAuthenticated,
        Rejection::DeviceDeleted(_) => Refusal::DeviceDeleted,
        Rejection::CertificateRetired { .. } => Refusal::CertificateRetired,
        Rejection::DeviceFrozen(_) => Refusal::DeviceFrozen,
        Rejection::DeviceMismatch(_) => Refusal::DeviceMismatch,
        other => Refusal::RegistrationRejected(Box::new(other)),
    }
}

#[cfg(test)]
mod tests;
