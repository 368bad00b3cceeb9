//! Whose a refused certificate is: the CA certificate that it is from, the template that is bound there, the device.
//!
//! For attempts, which keep what was so when they were made: ids are another's after a deletion, templates change. Decides
//! nothing, and is asked of certificates that break a rule too. Invariant: a device is named because it has the
//! certificate, or because the template of its CA certificate makes it of its Subject; never because a client says so, nor
//! because a certificate does that another device's key has signed ([`Unproven::from`]).

use crate::{
    certificate::{
        CertificateFacts,
        path::{TrustStore, Unproven},
    },
    ids::{CaId, DeviceId, TemplateId},
    registry::{
        collision::Candidate,
        state::{Ca, Configuration, Devices},
    },
    time::Timestamp,
};

/// What is known of a refused certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attribution {
    pub ca: Option<CaId>,
    /// The template that is bound to the CA certificate, in force or not, and its version.
    pub template: Option<(TemplateId, u32)>,
    pub device: Option<DeviceId>,
}

impl Attribution {
    /// Of a chain (DER, the device's own certificate first), whether it holds or not.
    pub fn of_chain(
        configuration: &Configuration,
        devices: &dyn Devices,
        trust: &TrustStore,
        chain: &[&[u8]],
        now: Timestamp,
    ) -> Self {
        let ca = match trust.judge(chain, now) {
            Ok(proven) => configuration.ca_of(&proven),
            Err(Unproven { from, .. }) => from.as_ref().and_then(|from| configuration.ca_from(from)),
        };
        let Some((ca, der)) = ca.zip(chain.first()) else { return Self::default() };
        Self::of(configuration, devices, ca, der)
    }

    /// Of a certificate (DER) that is known to be from this CA certificate.
    pub fn of(configuration: &Configuration, devices: &dyn Devices, ca: &Ca, der: &[u8]) -> Self {
        let template = ca.template.as_ref().and_then(|template| configuration.templates.get(template));
        let device = CertificateFacts::of_refused(der).ok().and_then(|facts| {
            let derived = || Some(template?.body.evaluate(&facts).ok()?.device_id);
            Candidate { facts: &facts, ca }.digests().owner(devices).or_else(derived)
        });
        Self { ca: Some(ca.id.clone()), template: template.map(|template| (template.id.clone(), template.version)), device }
    }
}
