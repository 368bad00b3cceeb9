//! Tags of devices: bound, unbound, and searched by.
//!
//! Invariant: only devices have tags here.

use axum::{Json, http::StatusCode};
use rollcall_domain::{
    fleet::Role,
    limits::{TAG_KEY_CHARS_MAX, TAG_VALUE_CHARS_MAX, TAGS_PER_DEVICE_MAX},
    registry::Command,
    template::Tag,
};
use rollcall_projection::directory::{Condition, TextTest};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::devices::{list, object::TagShown};
use crate::{
    context::InstanceContext,
    http::{
        error::ApiError,
        errors::Errors,
        extract::{Body, Query},
        paging::{Page, PageQuery},
        route::Routes,
    },
};

/// What can have tags.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ResourceType {
    /// A device.
    Device,
}

/// Tags to put on something.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct Binding {
    /// What it is.
    #[expect(dead_code, reason = "there is one kind of thing, and another is refused")]
    resource_type: ResourceType,
    /// Which.
    #[schema(max_length = 128)]
    resource_id: String,
    /// The tags; a key that is there already takes the new value.
    #[schema(min_items = 1, max_items = 10)]
    tags: Vec<TagShown>,
}

/// Tags to take off something.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct Unbinding {
    /// What it is.
    #[expect(dead_code, reason = "there is one kind of thing, and another is refused")]
    resource_type: ResourceType,
    /// Which.
    #[schema(max_length = 128)]
    resource_id: String,
    /// The keys of the tags; one that is not there is no error.
    #[schema(min_items = 1, max_items = 10)]
    tag_keys: Vec<String>,
}

/// What to look for.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct TagQuery {
    /// What it is.
    #[expect(dead_code, reason = "there is one kind of thing, and another is refused")]
    resource_type: ResourceType,
    /// Any of these tags.
    #[schema(min_items = 1, max_items = 10)]
    tags: Vec<TagWanted>,
}

/// A tag to look for.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct TagWanted {
    /// Its key.
    #[schema(min_length = 1, max_length = 64)]
    tag_key: String,
    /// Its value; any, when absent.
    #[schema(max_length = 128)]
    tag_value: Option<String>,
}

/// One page of what has the tags.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Resources {
    /// Newest first.
    resources: Vec<Resource>,
    /// Which page it is.
    page: Page,
}

/// Something with a tag.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Resource {
    /// Its id.
    resource_id: String,
}

/// The operations, each with the least role that may do it.
pub(crate) fn routes() -> Routes {
    Routes::new()
        .operation(Role::Operator, routes!(bind))
        .operation(Role::Operator, routes!(unbind))
        .operation(Role::Viewer, routes!(query))
}

/// Put tags on a device
#[utoipa::path(post, path = "/v5/iot/{project_id}/tags/bind-resource", tag = "Tags", params(("project_id" = String, Path)),
    request_body = Binding, responses((status = 200), Errors))]
async fn bind(context: InstanceContext, Body(binding): Body<Binding>) -> Result<StatusCode, ApiError> {
    let device = context.device(&binding.resource_id)?.device.id;
    check_count("tags", binding.tags.len())?;
    let tags = binding.tags.into_iter().map(|tag| Tag { key: tag.tag_key.into(), value: tag.tag_value.into() }).collect();
    context.command(Command::TagDevice { device, tags }).await?;
    Ok(StatusCode::OK)
}

/// Take tags off a device
#[utoipa::path(post, path = "/v5/iot/{project_id}/tags/unbind-resource", tag = "Tags", params(("project_id" = String, Path)),
    request_body = Unbinding, responses((status = 200), Errors))]
async fn unbind(context: InstanceContext, Body(unbinding): Body<Unbinding>) -> Result<StatusCode, ApiError> {
    let device = context.device(&unbinding.resource_id)?.device.id;
    check_count("tag_keys", unbinding.tag_keys.len())?;
    let keys = unbinding.tag_keys.into_iter().map(Into::into).collect();
    context.command(Command::UntagDevice { device, keys }).await?;
    Ok(StatusCode::OK)
}

/// List devices with any of some tags
#[utoipa::path(post, path = "/v5/iot/{project_id}/tags/query-resources", tag = "Tags",
    params(("project_id" = String, Path), PageQuery),
    request_body = TagQuery, responses((status = 200, body = Resources), Errors))]
async fn query(
    context: InstanceContext,
    Query(page): Query<PageQuery>,
    Body(wanted): Body<TagQuery>,
) -> Result<Json<Resources>, ApiError> {
    let page = page.wanted()?;
    check_count("tags", wanted.tags.len())?;
    for (index, tag) in wanted.tags.iter().enumerate() {
        check_chars(&format!("tags[{index}].tag_key"), &tag.tag_key, 1, TAG_KEY_CHARS_MAX)?;
        check_chars(
            &format!("tags[{index}].tag_value"),
            tag.tag_value.as_deref().unwrap_or_default(),
            0,
            TAG_VALUE_CHARS_MAX,
        )?;
    }
    let is = |text: String| TextTest::Eq(text.into());
    let any_of = wanted.tags.into_iter().map(|tag| {
        let value = tag.tag_value.map(|value| Condition::TagValue(is(value)));
        std::iter::once(Condition::TagKey(is(tag.tag_key))).chain(value).collect()
    });
    let shown = |_: &_, _: &_, device: &rollcall_domain::registry::Device| Resource { resource_id: device.id.to_string() };
    let (resources, page) = list::page_of(&context, any_of.collect(), page, shown).await?;
    Ok(Json(Resources { resources, page }))
}

fn check_chars(field: &str, text: &str, min: usize, max: usize) -> Result<(), ApiError> {
    let count = text.chars().count();
    if (min..=max).contains(&count) {
        return Ok(());
    }
    Err(ApiError::invalid(field, format!("has {count} characters: give {min} to {max}")))
}

fn check_count(field: &str, count: usize) -> Result<(), ApiError> {
    if (1..=TAGS_PER_DEVICE_MAX).contains(&count) {
        return Ok(());
    }
    Err(ApiError::invalid(field, format!("has {count} entries: give 1 to {TAGS_PER_DEVICE_MAX}")))
}
