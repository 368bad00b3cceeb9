//! The shape of a fleet file, as serde reads it: names, nesting and types, no rule. Every id keeps its line.

use std::path::PathBuf;

use serde::Deserialize;
use serde_saphyr::Spanned;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawFleet {
    pub(super) instances: Vec<Spanned<RawInstance>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawInstance {
    pub(super) id: Spanned<String>,
    pub(super) access_domain: Spanned<String>,
    pub(super) edition: RawEdition,
    pub(super) region: Spanned<String>,
    pub(super) devices_max: Option<u64>,
    #[serde(default)]
    pub(super) resource_spaces: Vec<Spanned<RawSpace>>,
    #[serde(default)]
    pub(super) templates: Vec<Spanned<RawTemplate>>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum RawEdition {
    Basic,
    Standard,
    Enterprise,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSpace {
    pub(super) id: Spanned<String>,
    pub(super) name: Option<String>,
    pub(super) default_policy: Option<RawDefaultPolicy>,
    #[serde(default)]
    pub(super) products: Vec<Spanned<RawProduct>>,
    #[serde(default)]
    pub(super) policies: Vec<Spanned<RawPolicy>>,
    #[serde(default)]
    pub(super) ca_certificates: Vec<Spanned<RawCa>>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum RawDefaultPolicy {
    Allow,
    None,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawProduct {
    pub(super) id: Spanned<String>,
    pub(super) name: Option<String>,
    #[serde(default = "RawProduct::default_device_type")]
    pub(super) device_type: String,
    #[serde(default = "RawProduct::default_protocol_type")]
    pub(super) protocol_type: String,
    #[serde(default = "RawProduct::default_data_format")]
    pub(super) data_format: String,
    pub(super) manufacturer_name: Option<String>,
    pub(super) industry: Option<String>,
    pub(super) description: Option<String>,
    #[serde(default)]
    pub(super) service_capabilities: Vec<serde_json::Value>,
}

impl RawProduct {
    fn default_device_type() -> String {
        "device".to_owned()
    }

    fn default_protocol_type() -> String {
        "MQTT".to_owned()
    }

    fn default_data_format() -> String {
        "json".to_owned()
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawPolicy {
    pub(super) id: Spanned<String>,
    pub(super) name: Option<String>,
    pub(super) statement: Spanned<serde_json::Value>,
    #[serde(default)]
    pub(super) bind: RawBinding,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawBinding {
    pub(super) resource_space: bool,
    pub(super) products: Vec<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawTemplate {
    pub(super) id: Spanned<String>,
    pub(super) name: Option<String>,
    #[serde(default)]
    pub(super) description: String,
    pub(super) body: Spanned<serde_json::Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawCa {
    pub(super) id: Spanned<String>,
    pub(super) certificate: Spanned<PathBuf>,
    pub(super) proof_of_possession: Option<Spanned<RawProof>>,
    pub(super) template: Option<Spanned<String>>,
    pub(super) self_registration: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum RawProof {
    Key(PathBuf),
    Certificate(PathBuf),
}
