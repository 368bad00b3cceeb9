//! What must be in one resource space: the CA certificate, the product and the policies that come together in a device.
//!
//! Checked when a template is saved (in any one space), when it is bound, when self-registration is switched on, when a bound
//! template changes, and again when a device is registered, because products and policies can go in between. The space is always the one that the registry
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

/// The product that a certificate names is one of the space. Whether it is anywhere else is not said: whoever holds the key of
/// a CA could ask for the products of every other space.
pub(super) fn product_of_certificate(
    configuration: &Configuration,
    space: &SpaceId,
    product: &ProductId,
) -> Result<(), Rejection> {
    self::product(configuration, space, product).map_err(|_| Rejection::ProductInAnotherSpace { product: product.clone() })
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
    if let Some(id) = static_product(body)? {
        product(configuration, space, &id)?;
    }
    policies(configuration, space, &body.policy_ids)
}

/// Whether a template could be bound to a CA certificate of the space.
pub fn template_fits(configuration: &Configuration, space: &SpaceId, body: &TemplateBody) -> bool {
    template(configuration, space, body).is_ok()
}

/// What a template names outright is there, in one space or another: a template that could be bound nowhere is a mistake that
/// is cheapest to tell while it is written.
pub(super) fn template_somewhere(configuration: &Configuration, body: &TemplateBody) -> Result<(), Rejection> {
    let spaces: Vec<&SpaceId> = match (static_product(body)?, body.policy_ids.first()) {
        (Some(product), _) => {
            let spaces = configuration.products.keys().filter(|(_, id)| *id == product).map(|(space, _)| space).collect();
            if Vec::is_empty(&spaces) {
                return Err(Rejection::NotFound(Subject::Product(product)));
            }
            spaces
        }
        (None, Some(first)) => {
            let first =
                configuration.policies.get(first).ok_or_else(|| Rejection::NotFound(Subject::Policy(first.clone())))?;
            vec![&first.space]
        }
        (None, None) => return Ok(()),
    };
    let mut refused = Ok(());
    for space in spaces {
        match policies(configuration, space, &body.policy_ids) {
            Ok(()) => return Ok(()),
            Err(rejection) => refused = refused.and(Err(rejection)),
        }
    }
    refused
}

fn static_product(body: &TemplateBody) -> Result<Option<ProductId>, Rejection> {
    let Value::Static(named) = &body.product_id else { return Ok(None) };
    let id = ProductId::parse(named);
    id.map(Some).map_err(|error| super::fields::invalid("resources.device.product_id", error.to_string()))
}
