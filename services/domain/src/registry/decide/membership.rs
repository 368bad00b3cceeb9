//! What must be in one resource space: the CA certificate, the product and the policies that come together in a device.
//!
//! Checked when a template is bound, when self-registration is switched on, when a bound template changes, and again when
//! a device is registered, because products and policies can go in between. The space is always the one that the registry
//! has for the CA certificate, never one that a caller names (F36).

use std::collections::BTreeSet;

use super::fields::limit;
use crate::{
    ids::{PolicyId, ProductId, SpaceId},
    limits,
    registry::state::{Configuration, Space},
    rejection::{Rejection, Subject},
    template::{TemplateBody, Value},
};

pub(super) fn space<'a>(configuration: &'a Configuration, space: &SpaceId) -> Result<&'a Space, Rejection> {
    configuration.spaces.get(space).ok_or_else(|| Rejection::NotFound(Subject::Space(space.clone())))
}

/// The product is one of the space.
pub(super) fn product(configuration: &Configuration, space: &SpaceId, product: &ProductId) -> Result<(), Rejection> {
    if configuration.products.contains_key(&(space.clone(), product.clone())) {
        return Ok(());
    }
    if configuration.products.keys().any(|(_, elsewhere)| elsewhere == product) {
        return Err(Rejection::ProductInAnotherSpace { product: product.clone() });
    }
    Err(Rejection::NotFound(Subject::Product(product.clone())))
}

/// The policy is one of the space.
pub(super) fn policy(configuration: &Configuration, space: &SpaceId, policy: &PolicyId) -> Result<(), Rejection> {
    match configuration.policies.get(policy) {
        Some(found) if found.space == *space => Ok(()),
        Some(_) => Err(Rejection::PolicyInAnotherSpace { policy: policy.clone() }),
        None => Err(Rejection::NotFound(Subject::Policy(policy.clone()))),
    }
}

/// The policies are of the space, each named once, and no more than a device may have.
pub(super) fn policies(configuration: &Configuration, space: &SpaceId, ids: &[PolicyId]) -> Result<(), Rejection> {
    for id in ids {
        policy(configuration, space, id)?;
    }
    let distinct: BTreeSet<_> = ids.iter().collect();
    if distinct.len() != ids.len() {
        return Err(super::fields::invalid("policy_ids", "each policy may be named once".into()));
    }
    limit(ids.len(), limits::POLICIES_PER_TARGET_MAX, "policies bound to one device")
}

/// What a template names outright is there, in the space.
pub(super) fn template(configuration: &Configuration, space: &SpaceId, body: &TemplateBody) -> Result<(), Rejection> {
    if let Value::Static(named) = &body.product_id {
        let id = ProductId::parse(named)
            .map_err(|error| super::fields::invalid("resources.device.product_id", error.to_string()))?;
        product(configuration, space, &id)?;
    }
    policies(configuration, space, &body.policy_ids)
}
