//! A device as the API shows it: in a list, and alone.
//!
//! Does not look one up. Invariants: no secret is shown, for none is stored; every device is a direct one, its own gateway.

use rollcall_device_model::event::DeviceInfo;
use rollcall_domain::{
    registry::{Configuration, Credential, Device},
    template::Tag,
};
use rollcall_projection::directory::{DeviceStatus, Listed};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::origin::Origin;
use crate::{http::times, instances::served::ServedInstance, rollcall_v1::retired_certificates::RetiredCertificate};

/// The `node_type` of a direct device, which every device is.
pub(crate) const NODE_TYPE: &str = "GATEWAY";

/// A tag.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct TagShown {
    /// Its key, once on a device.
    #[schema(min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9_.\\-\u{4e00}-\u{9fa5}]+$")]
    pub(crate) tag_key: String,
    /// Its value.
    #[schema(min_length = 1, max_length = 128, pattern = "^[A-Za-z0-9_.\\-\u{4e00}-\u{9fa5}]+$")]
    pub(crate) tag_value: String,
}

/// A device, as lists show it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DeviceSummary {
    /// The resource space that it belongs to.
    app_id: String,
    /// The name of that.
    app_name: String,
    /// Its id.
    device_id: String,
    /// What its owner calls it.
    node_id: String,
    /// Its own id: every device is a direct one.
    gateway_id: String,
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    device_name: Option<String>,
    /// `GATEWAY`: every device is a direct one.
    #[schema(example = "GATEWAY")]
    node_type: &'static str,
    /// Its description.
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    /// Its product.
    product_id: String,
    /// The name of that.
    product_name: String,
    /// `ONLINE`, `OFFLINE`, `ABNORMAL`, `INACTIVE` (has never connected) or `FROZEN`.
    #[schema(example = "INACTIVE")]
    status: &'static str,
    /// Its tags, by key.
    tags: Vec<TagShown>,
}

/// How a device proves who it is.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AuthInfoShown {
    /// `CERTIFICATES`, or `SECRET`: such a device is kept in the registry and never let in.
    #[schema(example = "CERTIFICATES")]
    auth_type: &'static str,
    /// The fingerprint of its certificate. Absent: the next certificate that fits becomes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    fingerprint: Option<String>,
    /// The fingerprint of its spare certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    secondary_fingerprint: Option<String>,
    /// `true`: a device connects by TLS or not at all.
    secure_access: bool,
    /// `0`: a device that never connects is kept.
    timeout: u32,
}

/// A device, whole.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DeviceShown {
    #[serde(flatten)]
    summary: DeviceSummary,
    /// How it proves who it is.
    auth_info: AuthInfoShown,
    /// The version of its SDK, as it says itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    device_sdk_version: Option<String>,
    /// The version of its software, as it says itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    sw_version: Option<String>,
    /// The version of its firmware, as it says itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    fw_version: Option<String>,
    /// When it was registered, UTC.
    create_time: String,
    /// When its connection last came or went, UTC; absent while it has never connected.
    #[serde(skip_serializing_if = "Option::is_none")]
    connection_status_update_time: Option<String>,
    /// When it first connected, UTC; absent while it has not.
    #[serde(skip_serializing_if = "Option::is_none")]
    active_time: Option<String>,
    /// Always empty: Rollcall updates no modules.
    #[schema(value_type = Vec<Object>)]
    modules: Vec<Value>,
    /// What was said of it beside, any JSON object.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    extension_info: Option<Value>,
    /// Where it comes from: Rollcall's own. Absent while the record that created it cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    origin: Option<Origin>,
}

/// A device that was added.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DeviceAdded {
    #[serde(flatten)]
    pub(crate) device: DeviceShown,
    /// Certificates that were taken away from a device of this id before, and that it is not let in with until each is
    /// readmitted. Absent: none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) retired_certificates: Vec<RetiredCertificate>,
}

impl From<&Tag> for TagShown {
    fn from(tag: &Tag) -> Self {
        Self { tag_key: tag.key.to_string(), tag_value: tag.value.to_string() }
    }
}

impl DeviceSummary {
    /// Of a device, with the names of its space and product out of `configuration`, and its status now.
    pub(crate) fn of(instance: &ServedInstance, configuration: &Configuration, device: &Device) -> Self {
        Self {
            app_id: device.space.to_string(),
            app_name: app_name(configuration, device),
            device_id: device.id.to_string(),
            node_id: device.node_id.to_string(),
            gateway_id: device.id.to_string(),
            device_name: device.name.as_deref().map(str::to_owned),
            node_type: NODE_TYPE,
            description: device.description.as_deref().map(str::to_owned),
            product_id: device.product.to_string(),
            product_name: product_name(configuration, device),
            status: status_name(instance.status_of(device)),
            tags: device.tags.iter().map(TagShown::from).collect(),
        }
    }
}

impl DeviceShown {
    /// Of a device as the view has it, with how it came and what it says of its software. Reads the view: call it where
    /// blocking is allowed.
    pub(crate) fn of(instance: &ServedInstance, listed: &Listed, origin: Option<Origin>, info: DeviceInfo) -> Self {
        let device = &listed.device;
        let seen = instance.view.seen(&device.id);
        // A device with a proven certificate has connected, although this process may not have seen it.
        let proven =
            device.credential.pins().any(|pin| pin.ca_name_and_key_sha256.is_some()).then_some(device.registered_at);
        Self {
            summary: DeviceSummary::of(instance, &instance.configuration(), device),
            auth_info: AuthInfoShown::from(&device.credential),
            device_sdk_version: info.device_sdk_version,
            sw_version: info.sw_version,
            fw_version: info.fw_version,
            create_time: times::basic(device.registered_at),
            connection_status_update_time: seen.map(|seen| seen.changed_at).or(proven).map(times::with_milliseconds),
            active_time: seen.and_then(|seen| seen.first_online_at).or(proven).map(times::with_milliseconds),
            modules: Vec::new(),
            extension_info: device.extension_info.as_deref().and_then(|text| serde_json::from_str(text).ok()),
            origin,
        }
    }
}

impl From<&Credential> for AuthInfoShown {
    fn from(credential: &Credential) -> Self {
        let (auth_type, primary, secondary) = match credential {
            Credential::Secret => ("SECRET", None, None),
            Credential::Certificates { primary, secondary } => ("CERTIFICATES", primary.as_ref(), secondary.as_ref()),
        };
        Self {
            auth_type,
            fingerprint: primary.map(|pin| pin.fingerprint.to_string()),
            secondary_fingerprint: secondary.map(|pin| pin.fingerprint.to_string()),
            secure_access: true,
            timeout: 0,
        }
    }
}

pub(crate) fn app_name(configuration: &Configuration, device: &Device) -> String {
    configuration.spaces.get(&device.space).map(|space| space.name.to_string()).unwrap_or_default()
}

pub(crate) fn product_name(configuration: &Configuration, device: &Device) -> String {
    let product = configuration.products.get(&(device.space.clone(), device.product.clone()));
    product.map(|product| product.details.name.to_string()).unwrap_or_default()
}

/// The status as the v5 API writes it.
pub(crate) const fn status_name(status: DeviceStatus) -> &'static str {
    match status {
        DeviceStatus::Online => "ONLINE",
        DeviceStatus::Offline => "OFFLINE",
        DeviceStatus::Abnormal => "ABNORMAL",
        DeviceStatus::Inactive => "INACTIVE",
        DeviceStatus::Frozen => "FROZEN",
    }
}
