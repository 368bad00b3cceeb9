//! A device that a search has found, with the selected fields.
//!
//! Invariant: the marker is always there, so that the next search can continue from it.

use rollcall_domain::registry::Configuration;
use rollcall_projection::directory::Listed;
use rollcall_search_language::{Field, Select};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    http::{paging::marker_of, times},
    instances::served::ServedInstance,
    v5::devices::object::{NODE_TYPE, TagShown, app_name, product_name, status_name},
};

/// A device that was found. Fields that were not selected are absent.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FoundDevice {
    /// The resource space that it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    app_id: Option<String>,
    /// The name of that.
    #[serde(skip_serializing_if = "Option::is_none")]
    app_name: Option<String>,
    /// Its id.
    #[serde(skip_serializing_if = "Option::is_none")]
    device_id: Option<String>,
    /// What its owner calls it.
    #[serde(skip_serializing_if = "Option::is_none")]
    node_id: Option<String>,
    /// Its own id.
    #[serde(skip_serializing_if = "Option::is_none")]
    gateway_id: Option<String>,
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    device_name: Option<String>,
    /// `GATEWAY`.
    #[serde(skip_serializing_if = "Option::is_none")]
    node_type: Option<&'static str>,
    /// Its product.
    #[serde(skip_serializing_if = "Option::is_none")]
    product_id: Option<String>,
    /// The name of that.
    #[serde(skip_serializing_if = "Option::is_none")]
    product_name: Option<String>,
    /// `ONLINE`, `OFFLINE`, `ABNORMAL`, `INACTIVE` or `FROZEN`.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'static str>,
    /// Its tags, by key.
    #[serde(skip_serializing_if = "Option::is_none")]
    tags: Option<Vec<TagShown>>,
    /// When it was registered, UTC; only if it was selected by name.
    #[serde(skip_serializing_if = "Option::is_none")]
    create_time: Option<String>,
    /// Where it stands in a list; 24 hex digits.
    marker: String,
}

impl FoundDevice {
    /// What was selected of a device.
    pub(super) fn of(instance: &ServedInstance, configuration: &Configuration, listed: &Listed, select: &Select) -> Self {
        let device = &listed.device;
        let is_named = |field| matches!(select, Select::Fields(fields) if fields.contains(&field));
        let everything = *select == Select::Everything;
        let wants = |field| everything || is_named(field);
        let tags = || device.tags.iter().map(TagShown::from).collect();
        Self {
            app_id: wants(Field::AppId).then(|| device.space.to_string()),
            app_name: everything.then(|| app_name(configuration, device)),
            device_id: wants(Field::DeviceId).then(|| device.id.to_string()),
            node_id: wants(Field::NodeId).then(|| device.node_id.to_string()),
            gateway_id: wants(Field::GatewayId).then(|| device.id.to_string()),
            device_name: device.name.as_deref().filter(|_| wants(Field::DeviceName)).map(str::to_owned),
            node_type: wants(Field::NodeType).then_some(NODE_TYPE),
            product_id: wants(Field::ProductId).then(|| device.product.to_string()),
            product_name: everything.then(|| product_name(configuration, device)),
            status: wants(Field::Status).then(|| status_name(instance.status_of(device))),
            tags: (wants(Field::TagKey) || wants(Field::TagValue)).then(tags),
            create_time: is_named(Field::CreateTime).then(|| times::basic(device.registered_at)),
            marker: marker_of(listed.created),
        }
    }
}
