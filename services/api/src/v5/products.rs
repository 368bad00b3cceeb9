//! Products.
//!
//! Does not interpret a product's services: [`capabilities`] checks their shape only.

mod capabilities;

use std::collections::BTreeSet;

use axum::{Json, extract::Path};
use rollcall_domain::{
    fleet::Role,
    ids::{ProductId, SpaceId},
    registry::{Command, Configuration, Event, Product, ProductDetails},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;

use self::capabilities::ServiceCapability;
use crate::{
    context::InstanceContext,
    http::{
        codes::Code,
        error::ApiError,
        errors::Errors,
        extract::{Body, Query},
        paging::{self, Page, PageQuery},
        responses::{Created, NoContent},
        route::Routes,
        times,
    },
};

/// A product to be made.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct NewProduct {
    /// Unique in its resource space; one is made up when absent.
    #[schema(max_length = 36, pattern = "^[A-Za-z0-9_-]*$")]
    product_id: Option<String>,
    /// Its name.
    #[schema(min_length = 1, max_length = 64, pattern = "^[\u{4e00}-\u{9fa5}A-Za-z0-9_?'#().,&%@! -]+$")]
    name: String,
    /// What kind of device it is.
    #[schema(min_length = 1, max_length = 32, pattern = "^[\u{4e00}-\u{9fa5}A-Za-z0-9_?'#().,&%@! -]+$")]
    device_type: String,
    /// What its devices speak.
    #[schema(pattern = "^(MQTT|CoAP|HTTP|HTTPS|Modbus|ONVIF|OPC-UA|OPC-DA|Other|TCP|UDP)$")]
    protocol_type: String,
    /// `json` or `binary`.
    #[schema(pattern = "^(json|binary)$")]
    data_format: String,
    /// What its devices can do, at most 500 services in 500 KB; kept as given.
    #[schema(value_type = Vec<ServiceCapability>, max_items = 500)]
    service_capabilities: Vec<serde_json::Value>,
    /// Who makes it.
    #[schema(max_length = 32, pattern = "^[\u{4e00}-\u{9fa5}A-Za-z0-9_?'#().,&%@! -]*$")]
    manufacturer_name: Option<String>,
    /// What it is used in.
    #[schema(max_length = 64, pattern = "^[\u{4e00}-\u{9fa5}A-Za-z0-9_?'#().,&%@! -]*$")]
    industry: Option<String>,
    /// For people.
    #[schema(max_length = 128, pattern = "^[\u{4e00}-\u{9fa5}A-Za-z0-9_?'#().,&%@! -]*$")]
    description: Option<String>,
    /// Its resource space; the default one when absent.
    #[schema(max_length = 36)]
    app_id: Option<String>,
}

impl NewProduct {
    /// The resource space that it names.
    pub(crate) fn app_id(&self) -> Option<&str> {
        self.app_id.as_deref()
    }

    /// The id that it names.
    pub(crate) fn product_id(&self) -> Option<&str> {
        self.product_id.as_deref().filter(|id| !id.is_empty())
    }

    /// All but its ids.
    ///
    /// # Errors
    /// [`Code::InvalidInput`] for capabilities that have not their shape.
    pub(crate) fn details(self) -> Result<ProductDetails, ApiError> {
        Ok(ProductDetails {
            name: self.name.into(),
            device_type: self.device_type.into(),
            protocol_type: self.protocol_type.into(),
            data_format: self.data_format.into(),
            manufacturer_name: self.manufacturer_name.map(Into::into),
            industry: self.industry.map(Into::into),
            description: self.description.map(Into::into),
            service_capabilities: capabilities::checked(self.service_capabilities)?,
        })
    }
}

/// What is to change of a product; what is absent stays.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct ProductChange {
    /// The resource space that the product is in; when absent, the default one if it has such a product, else the oldest.
    #[schema(max_length = 36)]
    app_id: Option<String>,
    /// Its name.
    #[schema(min_length = 1, max_length = 64, pattern = "^[\u{4e00}-\u{9fa5}A-Za-z0-9_?'#().,&%@! -]+$")]
    name: Option<String>,
    /// What kind of device it is.
    #[schema(min_length = 1, max_length = 32, pattern = "^[\u{4e00}-\u{9fa5}A-Za-z0-9_?'#().,&%@! -]+$")]
    device_type: Option<String>,
    /// What its devices speak.
    #[schema(pattern = "^(MQTT|CoAP|HTTP|HTTPS|Modbus|ONVIF|OPC-UA|OPC-DA|Other|TCP|UDP)$")]
    protocol_type: Option<String>,
    /// `json` or `binary`.
    #[schema(pattern = "^(json|binary)$")]
    data_format: Option<String>,
    /// What its devices can do, whole; kept as given.
    #[schema(value_type = Option<Vec<ServiceCapability>>, max_items = 500)]
    service_capabilities: Option<Vec<serde_json::Value>>,
    /// Who makes it.
    #[schema(max_length = 32, pattern = "^[\u{4e00}-\u{9fa5}A-Za-z0-9_?'#().,&%@! -]*$")]
    manufacturer_name: Option<String>,
    /// What it is used in.
    #[schema(max_length = 64, pattern = "^[\u{4e00}-\u{9fa5}A-Za-z0-9_?'#().,&%@! -]*$")]
    industry: Option<String>,
    /// For people.
    #[schema(max_length = 128, pattern = "^[\u{4e00}-\u{9fa5}A-Za-z0-9_?'#().,&%@! -]*$")]
    description: Option<String>,
}

/// A product.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ProductShown {
    /// Its resource space.
    app_id: String,
    /// The name of its resource space.
    app_name: String,
    /// Its id.
    product_id: String,
    /// Its name.
    name: String,
    /// What kind of device it is.
    device_type: String,
    /// What its devices speak.
    protocol_type: String,
    /// `json` or `binary`.
    data_format: String,
    /// Who makes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    manufacturer_name: Option<String>,
    /// What it is used in.
    #[serde(skip_serializing_if = "Option::is_none")]
    industry: Option<String>,
    /// For people.
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    /// What its devices can do; not in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<ServiceCapability>>)]
    service_capabilities: Option<serde_json::Value>,
    /// When it was made, UTC.
    create_time: String,
}

/// A page of products.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Products {
    /// Newest first.
    products: Vec<ProductShown>,
    /// Which page it is.
    page: Page,
}

/// Which products to list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Filter {
    /// Only those of this resource space.
    #[param(max_length = 36)]
    app_id: Option<String>,
    /// Only those with this name.
    #[param(max_length = 64)]
    product_name: Option<String>,
}

/// Which of the products with one id.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Where {
    /// The resource space that it is in; when absent, the default one if it has such a product, else the oldest.
    #[param(max_length = 36)]
    app_id: Option<String>,
}

/// The operations, each with the least role that may do it.
pub(crate) fn routes() -> Routes {
    Routes::new()
        .operation(Role::Operator, routes!(create))
        .operation(Role::Viewer, routes!(list))
        .operation(Role::Viewer, routes!(show))
        .operation(Role::Operator, routes!(update))
        .operation(Role::Operator, routes!(delete))
}

/// Create a product
#[utoipa::path(post, path = "/v5/iot/{project_id}/products", tag = "Products", params(("project_id" = String, Path)),
    request_body = NewProduct, responses((status = 201, body = ProductShown), Errors))]
async fn create(context: InstanceContext, Body(wanted): Body<NewProduct>) -> Result<Created<ProductShown>, ApiError> {
    let space = context.space(wanted.app_id.as_deref())?;
    let named = wanted.product_id().map(str::to_owned);
    let product = ProductId::parse(&named.unwrap_or_else(|| context.api.new_id()));
    let product = product.map_err(|error| ApiError::invalid("product_id", error))?;
    let details = wanted.details()?;
    let command = Command::CreateProduct { space: space.clone(), product: product.clone(), details };
    let (space, product) = match context.command(command).await?.earlier {
        Some(Event::ProductCreated { space, product, .. }) => (space, product),
        _ => (space, product),
    };
    found(&context, &space, &product).map(Created)
}

/// List products
#[utoipa::path(get, path = "/v5/iot/{project_id}/products", tag = "Products", params(("project_id" = String, Path), PageQuery, Filter),
    responses((status = 200, body = Products), Errors))]
async fn list(
    context: InstanceContext,
    Query(page): Query<PageQuery>,
    Query(filter): Query<Filter>,
) -> Result<Json<Products>, ApiError> {
    let wanted = page.wanted()?;
    let space = context.space_filter(filter.app_id.as_deref())?;
    let name = filter.product_name.filter(|name| !name.is_empty());
    let configuration = context.configuration();
    let products: Vec<&Product> = configuration
        .products
        .values()
        .filter(|product| space.as_ref().is_none_or(|space| product.space == *space))
        .filter(|product| context.caller.scope.holds_space(&product.space))
        .filter(|product| name.as_ref().is_none_or(|name| *product.details.name == **name))
        .collect();
    let twins = twins(&configuration);
    let (products, page) = paging::page(products, &wanted, |product| key(product, &twins));
    let products = products.into_iter().map(|product| summary(&configuration, product)).collect();
    Ok(Json(Products { products, page }))
}

/// Show a product
#[utoipa::path(get, path = "/v5/iot/{project_id}/products/{product_id}", tag = "Products", params(("project_id" = String, Path), ("product_id" = String, Path), Where),
    responses((status = 200, body = ProductShown), Errors))]
async fn show(
    context: InstanceContext,
    Path((_project, product_id)): Path<(String, String)>,
    Query(which): Query<Where>,
) -> Result<Json<ProductShown>, ApiError> {
    let (space, product) = resolve(&context, &product_id, which.app_id.as_deref())?;
    found(&context, &space, &product).map(Json)
}

/// Update a product
#[utoipa::path(put, path = "/v5/iot/{project_id}/products/{product_id}", tag = "Products", params(("project_id" = String, Path), ("product_id" = String, Path)),
    request_body = ProductChange, responses((status = 200, body = ProductShown), Errors))]
async fn update(
    context: InstanceContext,
    Path((_project, product_id)): Path<(String, String)>,
    Body(change): Body<ProductChange>,
) -> Result<Json<ProductShown>, ApiError> {
    let (space, product) = resolve(&context, &product_id, change.app_id.as_deref())?;
    let configuration = context.configuration();
    let existing = configuration.products.get(&(space.clone(), product.clone())).ok_or_else(|| not_found(&product_id))?;
    let details = changed(&existing.details, change)?;
    context.command(Command::UpdateProduct { space: space.clone(), product: product.clone(), details }).await?;
    found(&context, &space, &product).map(Json)
}

/// Delete a product
#[utoipa::path(delete, path = "/v5/iot/{project_id}/products/{product_id}", tag = "Products", params(("project_id" = String, Path), ("product_id" = String, Path), Where),
    responses((status = 204), Errors))]
async fn delete(
    context: InstanceContext,
    Path((_project, product_id)): Path<(String, String)>,
    Query(which): Query<Where>,
) -> Result<NoContent, ApiError> {
    let (space, product) = resolve(&context, &product_id, which.app_id.as_deref())?;
    context.command(Command::DeleteProduct { space, product }).await?;
    Ok(NoContent)
}

/// A product, with what is to change of it.
fn changed(old: &ProductDetails, change: ProductChange) -> Result<ProductDetails, ApiError> {
    let text = |new: Option<String>, old: &str| -> Box<str> { new.map_or_else(|| old.into(), Into::into) };
    let optional = |new: Option<String>, old: &Option<Box<str>>| new.map_or_else(|| old.clone(), |new| Some(new.into()));
    Ok(ProductDetails {
        name: text(change.name, &old.name),
        device_type: text(change.device_type, &old.device_type),
        protocol_type: text(change.protocol_type, &old.protocol_type),
        data_format: text(change.data_format, &old.data_format),
        manufacturer_name: optional(change.manufacturer_name, &old.manufacturer_name),
        industry: optional(change.industry, &old.industry),
        description: optional(change.description, &old.description),
        service_capabilities: match change.service_capabilities {
            Some(new) => capabilities::checked(new)?,
            None => old.service_capabilities.clone(),
        },
    })
}

/// The product that an id means: in the resource space that is named, else in the default one, else the oldest.
///
/// # Errors
/// [`Code::ProductNotFound`], [`Code::SpaceNotFound`]; also for what is out of scope.
pub(super) fn resolve(
    context: &InstanceContext,
    product_id: &str,
    app_id: Option<&str>,
) -> Result<(SpaceId, ProductId), ApiError> {
    let product = ProductId::parse(product_id).map_err(|_| not_found(product_id))?;
    let named = context.space_filter(app_id)?;
    let configuration = context.configuration();
    let is_default = |space: &SpaceId| configuration.spaces.get(space).is_some_and(|space| space.default_space);
    let best = configuration
        .products
        .values()
        .filter(|other| other.id == product && context.caller.scope.holds_space(&other.space))
        .filter(|other| named.as_ref().is_none_or(|space| other.space == *space))
        .min_by_key(|other| (!is_default(&other.space), other.created_at));
    best.map(|best| (best.space.clone(), best.id.clone())).ok_or_else(|| not_found(product_id))
}

/// As the view has it now: what was just accepted is in it, unless it was deleted since.
fn found(context: &InstanceContext, space: &SpaceId, product: &ProductId) -> Result<ProductShown, ApiError> {
    let configuration = context.configuration();
    let product =
        configuration.products.get(&(space.clone(), product.clone())).ok_or_else(|| not_found(product.as_str()))?;
    let service_capabilities = serde_json::from_str(&product.details.service_capabilities).map_err(|error| {
        tracing::error!(product = %product.id, %error, "the service capabilities of a product are not JSON");
        ApiError::new(Code::Internal, "the service capabilities of this product cannot be read")
    })?;
    Ok(ProductShown { service_capabilities: Some(service_capabilities), ..summary(&configuration, product) })
}

fn summary(configuration: &Configuration, product: &Product) -> ProductShown {
    let details = &product.details;
    let optional = |text: &Option<Box<str>>| text.as_deref().map(str::to_owned);
    ProductShown {
        app_id: product.space.to_string(),
        app_name: configuration.spaces.get(&product.space).map(|space| space.name.to_string()).unwrap_or_default(),
        product_id: product.id.to_string(),
        name: details.name.to_string(),
        device_type: details.device_type.to_string(),
        protocol_type: details.protocol_type.to_string(),
        data_format: details.data_format.to_string(),
        manufacturer_name: optional(&details.manufacturer_name),
        industry: optional(&details.industry),
        description: optional(&details.description),
        service_capabilities: None,
        create_time: times::basic(product.created_at),
    }
}

/// The ids that products of several resource spaces share.
fn twins(configuration: &Configuration) -> BTreeSet<ProductId> {
    let mut seen = BTreeSet::new();
    configuration.products.keys().filter(|(_, id)| !seen.insert(id.clone())).map(|(_, id)| id.clone()).collect()
}

/// The key that a product is listed by; no two products share one.
fn key(product: &Product, twins: &BTreeSet<ProductId>) -> String {
    if twins.contains(&product.id) {
        return paging::list_key(&format!("{}/{}", product.space, product.id), product.created_at);
    }
    paging::list_key(product.id.as_str(), product.created_at)
}

pub(crate) fn not_found(product_id: &str) -> ApiError {
    ApiError::new(Code::ProductNotFound, format!("The product does not exist: {product_id:?}"))
}
