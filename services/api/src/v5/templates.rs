//! Self-registration templates (`/provisioning-templates`).
//!
//! They belong to the instance as a whole, so only callers with all of it change them; callers who are limited to resource
//! spaces see those that [`concern`](concerns) them, and bind them. What a template makes of a certificate is
//! the domain's; what a change of one would do is answered by `rollcall_v1::what_if`.

mod schema;

use axum::{Json, extract::Path};
use rollcall_domain::{
    fleet::{Role, Scope},
    ids::{SpaceId, TemplateId},
    registry::{Command, Configuration, Event, Template, template_fits},
    template::{TemplateBody, TemplateDraft, Value as FieldValue},
};
use rollcall_log::codec::{template_body_to_json, template_draft_from_json};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;

pub(crate) use self::schema::TemplateBodyShape;
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

/// The fields of a template body that are lists.
const LISTS: [&str; 2] = ["tags", "policy_ids"];

/// A template to be made.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct NewTemplate {
    /// Its name, unique in the instance; it never changes.
    #[schema(min_length = 1, max_length = 128, pattern = "^[\u{4e00}-\u{9fa5}A-Za-z0-9_-]+$")]
    template_name: String,
    /// For people.
    #[schema(max_length = 2048, pattern = "^[\u{4e00}-\u{9fa5}A-Za-z0-9_?'#().,&%@! -]*$")]
    description: Option<String>,
    /// What it makes of a certificate.
    #[schema(value_type = TemplateBodyShape)]
    template_body: serde_json::Value,
}

impl NewTemplate {
    /// Name, description and body.
    ///
    /// # Errors
    /// As [`draft`].
    pub(crate) fn content(self) -> Result<(Box<str>, Box<str>, TemplateDraft), ApiError> {
        let body = draft(&self.template_body)?;
        Ok((self.template_name.into(), self.description.unwrap_or_default().into(), body))
    }
}

/// What is to change of a template; what is absent stays.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct TemplateChanged {
    /// For people.
    #[schema(max_length = 2048, pattern = "^[\u{4e00}-\u{9fa5}A-Za-z0-9_?'#().,&%@! -]*$")]
    description: Option<String>,
    /// What it makes of a certificate.
    #[schema(value_type = Option<TemplateBodyShape>)]
    template_body: Option<serde_json::Value>,
    /// As it is: a name never changes.
    #[serde(default)]
    #[schema(ignore)]
    template_name: Option<String>,
}

/// A template.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TemplateShown {
    /// Its id.
    template_id: String,
    /// Its name.
    template_name: String,
    /// For people.
    description: String,
    /// What it makes of a certificate; not in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<TemplateBodyShape>)]
    template_body: Option<serde_json::Value>,
    /// When it was made, UTC.
    create_time: String,
    /// When it was last changed, UTC.
    update_time: String,
}

/// A page of templates.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Templates {
    /// Newest first.
    templates: Vec<TemplateShown>,
    /// Which page it is.
    page: Page,
}

/// Which templates to list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Filter {
    /// Only the one with this name.
    #[param(max_length = 128)]
    template_name: Option<String>,
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

/// Create a template
#[utoipa::path(post, path = "/v5/iot/{project_id}/provisioning-templates", tag = "Provisioning templates", params(("project_id" = String, Path)),
    request_body = NewTemplate, responses((status = 201, body = TemplateShown), Errors))]
async fn create(context: InstanceContext, Body(wanted): Body<NewTemplate>) -> Result<Created<TemplateShown>, ApiError> {
    context.require_whole_instance()?;
    let template = TemplateId::parse(&context.api.new_id()).map_err(|error| ApiError::invalid("template_id", error))?;
    let (name, description, body) = wanted.content()?;
    let command = Command::CreateTemplate { template: template.clone(), name, description, body };
    let made = match context.command(command).await?.earlier {
        Some(Event::TemplateCreated { template, .. }) => template,
        _ => template,
    };
    found(&context, made.as_str()).map(|template| Created(shown(&template)))
}

/// List templates
#[utoipa::path(get, path = "/v5/iot/{project_id}/provisioning-templates", tag = "Provisioning templates",
    params(("project_id" = String, Path), PageQuery, Filter), responses((status = 200, body = Templates), Errors))]
async fn list(
    context: InstanceContext,
    Query(page): Query<PageQuery>,
    Query(filter): Query<Filter>,
) -> Result<Json<Templates>, ApiError> {
    let wanted = page.wanted()?;
    let name = filter.template_name.filter(|name| !name.is_empty());
    let configuration = context.configuration();
    let templates = configuration.templates.values();
    let templates = templates.filter(|template| concerns(&context.caller.scope, &configuration, template));
    let templates = templates.filter(|template| name.as_ref().is_none_or(|name| *template.name == **name)).collect();
    let key = |template: &&Template| paging::list_key(template.id.as_str(), template.created_at);
    let (templates, page) = paging::page(templates, &wanted, key);
    Ok(Json(Templates { templates: templates.into_iter().map(summary).collect(), page }))
}

/// Show a template
#[utoipa::path(get, path = "/v5/iot/{project_id}/provisioning-templates/{template_id}", tag = "Provisioning templates",
    params(("project_id" = String, Path), ("template_id" = String, Path)), responses((status = 200, body = TemplateShown), Errors))]
async fn show(
    context: InstanceContext,
    Path((_project, template_id)): Path<(String, String)>,
) -> Result<Json<TemplateShown>, ApiError> {
    found(&context, &template_id).map(|template| Json(shown(&template)))
}

/// Update a template
#[utoipa::path(put, path = "/v5/iot/{project_id}/provisioning-templates/{template_id}", tag = "Provisioning templates",
    params(("project_id" = String, Path), ("template_id" = String, Path)), request_body = TemplateChanged,
    responses((status = 200, body = TemplateShown), Errors))]
async fn update(
    context: InstanceContext,
    Path((_project, template_id)): Path<(String, String)>,
    Body(change): Body<TemplateChanged>,
) -> Result<Json<TemplateShown>, ApiError> {
    context.require_whole_instance()?;
    let existing = found(&context, &template_id)?;
    if change.template_name.is_some_and(|name| *name != *existing.name) {
        return Err(ApiError::invalid("template_name", "a template keeps the name that it was made with"));
    }
    let body = change.template_body.as_ref().map(draft).transpose()?;
    let description = change.description.map(Into::into);
    context.command(Command::UpdateTemplate { template: existing.id, description, body }).await?;
    found(&context, &template_id).map(|template| Json(shown(&template)))
}

/// Delete a template that is bound to no CA certificate
#[utoipa::path(delete, path = "/v5/iot/{project_id}/provisioning-templates/{template_id}", tag = "Provisioning templates",
    params(("project_id" = String, Path), ("template_id" = String, Path)), responses((status = 204), Errors))]
async fn delete(
    context: InstanceContext,
    Path((_project, template_id)): Path<(String, String)>,
) -> Result<NoContent, ApiError> {
    context.require_whole_instance()?;
    let template = found(&context, &template_id)?.id;
    context.command(Command::DeleteTemplate { template }).await?;
    Ok(NoContent)
}

/// A template that concerns the caller.
///
/// # Errors
/// [`Code::TemplateNotFound`], also for one that does not concern them.
pub(crate) fn found(context: &InstanceContext, template_id: &str) -> Result<Template, ApiError> {
    let configuration = context.configuration();
    let template = TemplateId::parse(template_id).ok().and_then(|id| configuration.templates.get(&id));
    let template = template.filter(|template| concerns(&context.caller.scope, &configuration, template)).cloned();
    template.ok_or_else(|| ApiError::new(Code::TemplateNotFound, format!("The template does not exist: {template_id:?}")))
}

/// Whether a template is any of the caller's business: it is bound to a CA certificate in scope, it names nothing of any
/// resource space, or it is bound to nothing and could be in scope. One that is bound elsewhere and names what is there is the
/// others', also if the ids that it names are in scope too.
pub(crate) fn concerns(scope: &Scope, configuration: &Configuration, template: &Template) -> bool {
    let Some(spaces) = &scope.spaces else { return true };
    let mut bound = configuration.cas.values().filter(|ca| ca.template.as_ref() == Some(&template.id)).peekable();
    let is_bound = bound.peek().is_some();
    if bound.any(|ca| scope.holds_space(&ca.space)) {
        return true;
    }
    let TemplateBody { product_id, policy_ids, .. } = &template.body;
    let names_nothing = matches!(product_id, FieldValue::Attribute(_)) && policy_ids.is_empty();
    names_nothing || (!is_bound && fits_any(configuration, spaces, &template.body))
}

/// Whether all that a template names outright is in one of some resource spaces.
pub(crate) fn fits_any<'a>(
    configuration: &Configuration,
    spaces: impl IntoIterator<Item = &'a SpaceId>,
    body: &TemplateBody,
) -> bool {
    let there = spaces.into_iter().filter(|space| configuration.spaces.contains_key(space));
    there.into_iter().any(|space| template_fits(configuration, space, body))
}

/// A body as it was written: the registrar validates its content and reports all faults at once.
///
/// # Errors
/// [`Code::InvalidTemplate`] with the path of what is not part of a body.
pub(crate) fn draft(body: &serde_json::Value) -> Result<TemplateDraft, ApiError> {
    if let Some(path) = list_for_object(body) {
        return Err(ApiError::new(
            Code::InvalidTemplate,
            format!("template_body{path} is a list: give an object or a text"),
        ));
    }
    template_draft_from_json(body).map_err(|error| ApiError::new(Code::InvalidTemplate, error.to_string()))
}

/// The path of a list that is neither tags nor policies: the codec would read it as an object's values in their order.
fn list_for_object(value: &serde_json::Value) -> Option<String> {
    let inside = |name: &str, value| list_for_object(value).map(|path| format!(".{name}{path}"));
    match value {
        serde_json::Value::Array(_) => Some(String::new()),
        serde_json::Value::Object(fields) => fields.iter().find_map(|(name, value)| match value.as_array() {
            Some(items) if LISTS.contains(&name.as_str()) => items.iter().find_map(|item| inside(name, item)),
            Some(_) | None => inside(name, value),
        }),
        _ => None,
    }
}

fn shown(template: &Template) -> TemplateShown {
    TemplateShown { template_body: Some(template_body_to_json(&template.body)), ..summary(template) }
}

fn summary(template: &Template) -> TemplateShown {
    TemplateShown {
        template_id: template.id.to_string(),
        template_name: template.name.to_string(),
        description: template.description.to_string(),
        template_body: None,
        create_time: times::basic(template.created_at),
        update_time: times::basic(template.updated_at),
    }
}
