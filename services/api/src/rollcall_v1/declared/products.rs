//! Declaring a product: all of it, so that what is left out is not there afterwards.

use axum::{Json, extract::Path};
use rollcall_domain::{fleet::Role, ids::ProductId, registry::Command};
use utoipa_axum::routes;

use super::{Declared, Needed, as_in_path};
use crate::{
    context::InstanceContext,
    http::{error::ApiError, errors::Errors, extract::Body, route::Routes},
    v5::products::NewProduct,
};

/// The operations, each with the least role that may do it.
pub(crate) fn routes() -> Routes {
    Routes::new().operation(Role::Operator, routes!(put))
}

/// Declare a product
#[utoipa::path(put, path = "/rollcall/v1/instances/{instance_id}/apps/{app_id}/products/{product_id}", tag = "Declarations",
    params(("instance_id" = String, Path), ("app_id" = String, Path), ("product_id" = String, Path, min_length = 1, max_length = 36, pattern = "^[A-Za-z0-9_-]+$", description = "As the caller chooses it")),
    request_body = NewProduct, responses((status = 200, body = Declared), Errors))]
async fn put(
    context: InstanceContext,
    Path((_instance, app_id, product_id)): Path<(String, String, String)>,
    Body(wanted): Body<NewProduct>,
) -> Result<Json<Declared>, ApiError> {
    let space = context.space(Some(&app_id))?;
    as_in_path("app_id", wanted.app_id(), &app_id)?;
    as_in_path("product_id", wanted.product_id(), &product_id)?;
    let product = ProductId::parse(&product_id).map_err(|error| ApiError::invalid("product_id", error))?;
    let details = wanted.details()?;
    let needed = match context.configuration().products.get(&(space.clone(), product.clone())) {
        Some(found) if found.details == details => Needed::Nothing,
        Some(_) => Needed::Change(Command::UpdateProduct { space, product, details }),
        None => Needed::Create(Command::CreateProduct { space, product, details }),
    };
    needed.ask(&context).await.map(Json)
}
