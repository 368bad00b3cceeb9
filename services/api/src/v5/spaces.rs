//! Resource spaces (`/apps`).

use axum::{Json, extract::Path};
use rollcall_domain::{
    fleet::Role,
    ids::{PolicyId, SpaceId},
    registry::{Command, Event, Space},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;

use crate::{
    context::{InstanceContext, space_not_found},
    http::{
        error::ApiError,
        errors::Errors,
        extract::{Body, Query},
        responses::{Created, NoContent},
        route::Routes,
        times,
    },
};

/// What a resource space is to be called.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct ApplicationName {
    /// 1 to 64 of Chinese characters, letters, digits and `_?'#().,&%@!-`.
    #[schema(min_length = 1, max_length = 64, pattern = "^[\u{4e00}-\u{9fa5}A-Za-z0-9_?'#().,&%@! -]+$")]
    app_name: String,
}

/// A resource space.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Application {
    /// Its id.
    app_id: String,
    /// Its name.
    app_name: String,
    /// When it was made, UTC.
    create_time: String,
    /// Whether requests that name no resource space mean this one.
    default_app: bool,
}

/// Every resource space of the instance that the caller may see.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Applications {
    /// Newest first.
    applications: Vec<Application>,
}

/// Which resource spaces to list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Which {
    /// `true`: the default one; `false`: the others; absent: all.
    default_app: Option<bool>,
}

impl From<&Space> for Application {
    fn from(space: &Space) -> Self {
        Self {
            app_id: space.id.to_string(),
            app_name: space.name.to_string(),
            create_time: times::basic(space.created_at),
            default_app: space.default_space,
        }
    }
}

/// The operations, each with the least role that may do it.
pub(crate) fn routes() -> Routes {
    Routes::new()
        .operation(Role::Operator, routes!(add))
        .operation(Role::Viewer, routes!(list))
        .operation(Role::Viewer, routes!(show))
        .operation(Role::Operator, routes!(update))
        .operation(Role::Operator, routes!(delete))
}

/// Add a resource space
#[utoipa::path(post, path = "/v5/iot/{project_id}/apps", tag = "Resource spaces", params(("project_id" = String, Path, description = "The project of the access key")),
    request_body = ApplicationName, responses((status = 201, body = Application), Errors))]
async fn add(context: InstanceContext, Body(wanted): Body<ApplicationName>) -> Result<Created<Application>, ApiError> {
    context.require_whole_instance()?;
    let space = SpaceId::parse(&context.api.new_id()).map_err(|error| ApiError::invalid("app_id", error))?;
    let default_policy = PolicyId::parse(&context.api.new_id()).map_err(|error| ApiError::invalid("policy_id", error))?;
    // As at the service, which knows no resource space without it.
    let default_policy = Some(default_policy);
    let command = Command::CreateSpace { space: space.clone(), name: wanted.app_name.into(), default_policy };
    let made = match context.command(command).await?.earlier {
        Some(Event::SpaceCreated { space, .. }) => space,
        _ => space,
    };
    found(&context, &made).map(Created)
}

/// List resource spaces
#[utoipa::path(get, path = "/v5/iot/{project_id}/apps", tag = "Resource spaces", params(("project_id" = String, Path), Which),
    responses((status = 200, body = Applications), Errors))]
async fn list(context: InstanceContext, Query(which): Query<Which>) -> Result<Json<Applications>, ApiError> {
    let configuration = context.configuration();
    let mut spaces: Vec<&Space> = configuration
        .spaces
        .values()
        .filter(|space| which.default_app.is_none_or(|wanted| wanted == space.default_space))
        .filter(|space| context.caller.scope.holds_space(&space.id))
        .collect();
    spaces.sort_by_key(|space| std::cmp::Reverse(space.created_at));
    Ok(Json(Applications { applications: spaces.into_iter().map(Application::from).collect() }))
}

/// Show a resource space
#[utoipa::path(get, path = "/v5/iot/{project_id}/apps/{app_id}", tag = "Resource spaces", params(("project_id" = String, Path), ("app_id" = String, Path)),
    responses((status = 200, body = Application), Errors))]
async fn show(
    context: InstanceContext,
    Path((_project, app_id)): Path<(String, String)>,
) -> Result<Json<Application>, ApiError> {
    let space = context.space(Some(&app_id))?;
    found(&context, &space).map(Json)
}

/// Rename a resource space
#[utoipa::path(put, path = "/v5/iot/{project_id}/apps/{app_id}", tag = "Resource spaces", params(("project_id" = String, Path), ("app_id" = String, Path)),
    request_body = ApplicationName, responses((status = 200, body = Application), Errors))]
async fn update(
    context: InstanceContext,
    Path((_project, app_id)): Path<(String, String)>,
    Body(wanted): Body<ApplicationName>,
) -> Result<Json<Application>, ApiError> {
    let space = context.space(Some(&app_id))?;
    context.command(Command::RenameSpace { space: space.clone(), name: wanted.app_name.into() }).await?;
    found(&context, &space).map(Json)
}

/// Delete a resource space
#[utoipa::path(delete, path = "/v5/iot/{project_id}/apps/{app_id}", tag = "Resource spaces", params(("project_id" = String, Path), ("app_id" = String, Path)),
    responses((status = 204), Errors))]
async fn delete(context: InstanceContext, Path((_project, app_id)): Path<(String, String)>) -> Result<NoContent, ApiError> {
    context.require_whole_instance()?;
    let space = context.space(Some(&app_id))?;
    context.command(Command::DeleteSpace { space }).await?;
    Ok(NoContent)
}

/// As the view has it now: what was just accepted is in it, unless it was deleted since.
fn found(context: &InstanceContext, space: &SpaceId) -> Result<Application, ApiError> {
    let configuration = context.configuration();
    configuration.spaces.get(space).map(Application::from).ok_or_else(|| space_not_found(space.as_str()))
}
