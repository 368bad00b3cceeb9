//! What an operator asks about templates and CA certificates, version 1. Absent in an update: leave as it is.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::TemplateDraft;
use crate::encoding::Base64;

/// Make a template.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateTemplate {
    pub template: String,
    pub name: String,
    pub description: String,
    /// As written, unchecked.
    pub body: TemplateDraft,
}

/// Changes a template; what is absent stays.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateTemplate {
    pub template: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// As written, unchecked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<TemplateDraft>,
}

/// Removes a template that is bound to no CA certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeleteTemplate {
    pub template: String,
}

/// Enter a CA certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UploadCa {
    /// The CA certificate, by its id.
    pub ca: String,
    /// The resource space.
    pub space: String,
    /// The certificate, DER.
    pub der: Base64,
}

/// Make a new verification code for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IssueCaCode {
    /// The CA certificate, by its id.
    pub ca: String,
}

/// Prove to hold its key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VerifyCa {
    /// The CA certificate, by its id.
    pub ca: String,
    /// The verification certificate, DER.
    pub proof: Base64,
}

/// What to do with a CA certificate's template: `"keep"`, `{"bind": "<template>"}` or `"unbind"`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TemplateChange {
    /// Leave it as it is.
    Keep,
    /// Bind this one in place of whatever is bound.
    Bind(String),
    /// Binds no template.
    Unbind,
}

/// Bind a template, switch self-registration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfigureCa {
    /// The CA certificate, by its id.
    pub ca: String,
    /// What to do with its template.
    pub template: TemplateChange,
    /// Whether unknown devices may register themselves with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub self_registration: Option<bool>,
}

/// Removes a CA certificate from its resource space.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeleteCa {
    /// The CA certificate, by its id.
    pub ca: String,
}
