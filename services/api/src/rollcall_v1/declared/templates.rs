//! Declaring a self-registration template.

use axum::{Json, extract::Path};
use rollcall_domain::{fleet::Role, ids::TemplateId, registry::Command};
use utoipa_axum::routes;

use super::{Declared, Needed, taken};
use crate::{
    context::InstanceContext,
    http::{error::ApiError, errors::Errors, extract::Body, route::Routes},
    v5::templates::NewTemplate,
};

/// The operations, each with the least role that may do it.
pub(crate) fn routes() -> Routes {
    Routes::new().operation(Role::Operator, routes!(put))
}

/// Declare a template
#[utoipa::path(put, path = "/rollcall/v1/instances/{instance_id}/templates/{template_id}", tag = "Declarations",
    params(("instance_id" = String, Path), ("template_id" = String, Path, min_length = 1, max_length = 36, pattern = "^[A-Za-z0-9_-]+$", description = "As the caller chooses it")), request_body = NewTemplate,
    responses((status = 200, body = Declared), Errors))]
async fn put(
    context: InstanceContext,
    Path((_instance, template_id)): Path<(String, String)>,
    Body(wanted): Body<NewTemplate>,
) -> Result<Json<Declared>, ApiError> {
    context.require_whole_instance()?;
    let template = TemplateId::parse(&template_id).map_err(|error| ApiError::invalid("template_id", error))?;
    let (name, description, body) = wanted.content()?;
    let needed = match context.configuration().templates.get(&template) {
        Some(found) if found.name != name => {
            let how = format!("with the name {:?}, and a name never changes", found.name);
            return Err(taken("template", &template_id, &how));
        }
        Some(found) if found.description == description && body.validate().as_ref() == Ok(&found.body) => Needed::Nothing,
        Some(_) => Needed::Change(Command::UpdateTemplate { template, description: Some(description), body: Some(body) }),
        None => Needed::Create(Command::CreateTemplate { template, name, description, body }),
    };
    needed.ask(&context).await.map(Json)
}
