//! What an unsaved template would make of a certificate: asked while the template is being written.
//!
//! The template is put into a copy of the configuration and the rules are asked about that copy, so none is repeated here.
//! Invariant: where the CA certificate is in force, the outcome is what a registrar would rule if the template were saved, bound
//! to it and switched on now.

use super::{Context, DebugOutcome, Debugged, debug, membership};
use crate::{
    certificate::CertificateFacts,
    ids::{CaId, SpaceId},
    registry::{
        collision::{CertificateMatch, Digests},
        state::{Configuration, Devices, Product, ProductDetails, Template},
    },
    rejection::Rejection,
    template::{DerivedDevice, EvaluationFault},
};

/// Where the device of the certificate would be.
#[derive(Clone, Copy, Debug)]
pub enum Below<'a> {
    /// Below this CA certificate, whatever else the certificate's chain leads to.
    Ca(&'a CaId),
    /// In this resource space, below a CA certificate that is not there yet.
    Space(&'a SpaceId),
}

/// The answer to [`preview`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Previewed {
    /// What would become of the certificate; `None` where there is no CA certificate to ask about.
    pub debugged: Option<Debugged>,
    /// The device that the template makes of it.
    pub derived: Result<DerivedDevice, EvaluationFault>,
    /// Why the template could not be bound to a CA certificate there.
    pub unbindable: Option<Rejection>,
    /// Why the certificate could not become that device, whatever the template: the collision table's answer.
    pub collision: Option<Rejection>,
}

/// A copy of a configuration with a template that is not saved. Products, policies and resource spaces that are not `visible` are
/// left out, so that no rejection tells of them; of products only what a rule on certificates or templates reads is kept.
pub fn supposed(configuration: &Configuration, template: Template, visible: &dyn Fn(&SpaceId) -> bool) -> Configuration {
    let mut templates = configuration.templates.clone();
    templates.insert(template.id.clone(), template);
    let products = configuration.products.values().filter(|product| visible(&product.space));
    let products = products.map(|product| {
        let Product { id, space, created_at, policies, .. } = product;
        let (details, policies) = (ProductDetails::default(), policies.clone());
        let copy = Product { id: id.clone(), space: space.clone(), details, created_at: *created_at, policies };
        ((space.clone(), id.clone()), copy)
    });
    let seen = |space: &SpaceId| visible(space);
    Configuration {
        spaces: configuration
            .spaces
            .iter()
            .filter(|(id, _)| seen(id))
            .map(|(id, space)| (id.clone(), space.clone()))
            .collect(),
        products: products.collect(),
        policies: configuration
            .policies
            .iter()
            .filter(|(_, policy)| seen(&policy.space))
            .map(|(id, policy)| (id.clone(), policy.clone()))
            .collect(),
        policies_made: configuration.policies_made,
        templates,
        cas: configuration.cas.clone(),
        distrusted: configuration.distrusted.clone(),
    }
}

/// What `template` would make of the first certificate of `chain` (DER), whose facts are `facts`, if it were in force where
/// `below` says. `configuration` is one that [`supposed`] gave for this template; `context.trust` is that of the real one.
pub fn preview(
    mut configuration: Configuration,
    devices: &dyn Devices,
    template: &Template,
    chain: &[Box<[u8]>],
    facts: &CertificateFacts,
    below: Below<'_>,
    context: &Context<'_>,
) -> Previewed {
    let (space, debugged) = match below {
        Below::Space(space) => (space.clone(), None),
        Below::Ca(id) => match configuration.cas.get_mut(id) {
            None => {
                let rejection = Rejection::NotFound(crate::rejection::Subject::Ca(id.clone()));
                let derived = template.body.evaluate(facts);
                return Previewed { debugged: None, derived, unbindable: Some(rejection), collision: None };
            }
            Some(ca) => {
                ca.template = Some(template.id.clone());
                ca.self_registration = true;
                let space = ca.space.clone();
                (space, Some(debug(&configuration, devices, chain, id, None, context)))
            }
        },
    };
    let derived = template.body.evaluate(facts);
    let digests = Digests { sha256: facts.sha256, sha1: facts.sha1, space: &space };
    let matched = derived.as_ref().ok().map(|derived| {
        let matched = digests.match_with(devices, &derived.device_id, Some(&derived.product_id));
        (derived, matched)
    });
    let replaces = matches!(&debugged, Some(Debugged { outcome: DebugOutcome::Replace, .. }));
    let collision = match matched {
        Some((_, Err(rejection))) => Some(rejection),
        Some((derived, Ok(CertificateMatch::Other(_)))) if !replaces => {
            Some(Rejection::DeviceHasOtherCertificate(derived.device_id.clone()))
        }
        Some((_, Ok(_))) | None => None,
    };
    let unbindable = membership::template(&configuration, &space, &template.body).err();
    Previewed { debugged, derived, unbindable, collision }
}
