//! Who may connect: a pure function of configuration, device, certificate, CONNECT and the instant.
//!
//! Judged at every connection, resumed TLS sessions included, and again for every live session when a record changes
//! what it depends on. A stale view may refuse more, never admit more than the log at its position allows.

use crate::{
    certificate::CertificateFacts,
    fleet::{AvailabilityRules, Instance},
    ids::{CaId, DeviceId, ProductId, SpaceId},
    refusal::Refusal,
    registry::{Configuration, Devices},
    time::Timestamp,
};

/// What of a CONNECT packet matters to who somebody is. A password is ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identification<'a> {
    /// Client identifier, as sent.
    pub client_id: &'a str,
    /// User name, as sent.
    pub user_name: Option<&'a str>,
}

/// The platform's standard form: `{device_id}_0_{0|1}_{YYYYMMDDHH}` with the device id as user name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StandardForm {
    /// The device that the client says it is.
    pub device_id: DeviceId,
}

impl StandardForm {
    /// Reads client id and user name; `None` when they are anything else. Parsed from the right: ids may hold `_`.
    pub fn of(identification: &Identification<'_>) -> Option<Self> {
        let _ = identification;
        todo!()
    }
}

/// The device that somebody has been recognised as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recognised {
    /// Its id.
    pub device: DeviceId,
    /// Its resource space.
    pub space: SpaceId,
    /// Its product.
    pub product: ProductId,
}

/// The judgement on one connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Let in as this device.
    Accept(Recognised),
    /// The certificate is nobody's yet, but the registrar may make it somebody's (register, pin, replace): ask it, then
    /// judge again.
    Register {
        /// The device that it would be now; for logs and limits only, the registrar derives its own.
        derived: DeviceId,
        /// Goes into the request as it is: the device that the CONNECT names, where no template names one.
        claimed: Option<DeviceId>,
    },
    /// Not let in.
    Refuse(Refusal),
}

/// Judges one connection of a certificate (`facts`) that was proven to chain to `ca`.
pub fn authenticate(
    configuration: &Configuration,
    devices: &dyn Devices,
    instance: &Instance,
    availability: &AvailabilityRules,
    facts: &CertificateFacts,
    ca: &CaId,
    identification: &Identification<'_>,
    now: Timestamp,
) -> Verdict {
    let _ = (configuration, devices.count(), instance, availability, facts, ca, identification, now);
    todo!()
}

/// Judges a live session again: `None` while it keeps its right.
/// The same rules as [`authenticate`], except that an unknown device is no longer welcome to register.
pub fn lost_right(
    configuration: &Configuration,
    devices: &dyn Devices,
    facts: &CertificateFacts,
    ca: &CaId,
    identification: &Identification<'_>,
    device: &DeviceId,
    now: Timestamp,
) -> Option<Refusal> {
    let _ = (configuration, devices.count(), facts, ca, identification, device, now);
    todo!()
}
