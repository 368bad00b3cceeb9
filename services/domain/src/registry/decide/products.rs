//! Rules on products.

use super::{Decided, Decision, fields, membership, record_if, templates};
use crate::{
    ids::{ProductId, SpaceId},
    limits,
    registry::{
        event::Event,
        state::{Configuration, Devices, Product, ProductDetails},
    },
    rejection::{Rejection, Subject},
};

pub(super) fn create(
    configuration: &Configuration,
    space: &SpaceId,
    product: &ProductId,
    details: &ProductDetails,
) -> Decided {
    membership::space(configuration, space)?;
    fields::product_details(details)?;
    if let Some(existing) = find(configuration, space, product) {
        return if existing.details == *details {
            Ok(Decision::AlreadySo)
        } else {
            Err(Rejection::AlreadyExists(Subject::Product(product.clone())))
        };
    }
    fields::limit(configuration.products.len() + 1, limits::PRODUCTS_PER_INSTANCE_MAX, "products in this instance")?;
    let (space, product, details) = (space.clone(), product.clone(), details.clone());
    Ok(Decision::Record(Event::ProductCreated { space, product, details }))
}

pub(super) fn update(
    configuration: &Configuration,
    space: &SpaceId,
    product: &ProductId,
    details: &ProductDetails,
) -> Decided {
    let existing = existing(configuration, space, product)?;
    fields::product_details(details)?;
    let changes = existing.details != *details;
    let (space, product, details) = (space.clone(), product.clone(), details.clone());
    record_if(changes, Event::ProductUpdated { space, product, details })
}

/// Devices keep a product, and so does a bound template that names it: it would register no device afterwards, and only
/// devices in the field would tell. One that is not bound is checked when it is.
pub(super) fn delete(configuration: &Configuration, devices: &dyn Devices, space: &SpaceId, product: &ProductId) -> Decided {
    existing(configuration, space, product)?;
    if devices.any_of_product(space, product) {
        return Err(Rejection::InUse { subject: Subject::Product(product.clone()), user: "devices".into() });
    }
    if let Some(template) = templates::in_force_for(configuration, space, product) {
        let user = Subject::Template(template.id.clone()).to_string();
        return Err(Rejection::InUse { subject: Subject::Product(product.clone()), user });
    }
    Ok(Decision::Record(Event::ProductDeleted { space: space.clone(), product: product.clone() }))
}

fn find<'a>(configuration: &'a Configuration, space: &SpaceId, product: &ProductId) -> Option<&'a Product> {
    configuration.products.get(&(space.clone(), product.clone()))
}

fn existing<'a>(configuration: &'a Configuration, space: &SpaceId, product: &ProductId) -> Result<&'a Product, Rejection> {
    membership::space(configuration, space)?;
    find(configuration, space, product).ok_or_else(|| Rejection::NotFound(Subject::Product(product.clone())))
}
