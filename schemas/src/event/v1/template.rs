//! Self-registration templates, version 1. The body has the shape of `template_body` in the v5 API, with Rollcall's own
//! `on_certificate_change` beside `parameters` and `resources`. A record holds only bodies that were found valid.

use std::{collections::BTreeMap, fmt};

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de};

/// A template exists.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TemplateCreated {
    pub template: String,
    pub name: String,
    pub description: String,
    /// What it makes of a certificate.
    pub body: TemplateBody,
}

/// The whole of what it says now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TemplateUpdated {
    pub template: String,
    pub description: String,
    /// What it makes of a certificate.
    pub body: TemplateBody,
}

/// It is gone; it was bound to no CA certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TemplateDeleted {
    pub template: String,
}

/// Which certificate attributes become which device fields.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TemplateBody {
    /// Declared parameters by name, such as `iotda::certificate::common_name`: the certificate must hold each of them.
    pub parameters: BTreeMap<String, Parameter>,
    /// What is made of them.
    pub resources: TemplateResources,
    /// What to do when a known device comes with another certificate.
    pub on_certificate_change: OnCertificateChange,
}

/// A declared parameter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Parameter {
    /// Always a text.
    #[serde(rename = "type")]
    pub kind: ParameterKind,
}

/// The type of a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ParameterKind {
    /// A text, which is all there is.
    String,
}

/// What a template makes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TemplateResources {
    pub device: TemplateDevice,
    /// The policies bound to it, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<TemplatePolicy>,
}

/// The fields of the device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TemplateDevice {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_name: Option<Reference>,
    /// Device id; absent: `<product_id>_<node_id>`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_id: Option<Reference>,
    pub node_id: Reference,
    pub product_id: StaticOrReference,
    /// Tags, in the order written.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<TemplateTag>,
}

/// One tag of the device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TemplateTag {
    pub tag_key: StaticOrReference,
    pub tag_value: StaticOrReference,
}

/// The policies that are bound to the device at registration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TemplatePolicy {
    pub policy_ids: Vec<String>,
}

/// What to do when a known device comes with another certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnCertificateChange {
    /// Refuse the new certificate.
    Reject,
    /// Accept a newer certificate of the same CA in place of the old one.
    Replace,
}

/// A field taken from a declared parameter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reference {
    /// The parameter's name.
    #[serde(rename = "ref")]
    pub parameter: String,
}

/// A field with a text of its own, or taken from a declared parameter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum StaticOrReference {
    /// Used as it is.
    Static(String),
    /// Taken from a parameter.
    Reference(Reference),
}

// By hand: serde's own reading of an untagged enum says only that nothing matched, and loses the path.
impl<'de> Deserialize<'de> for StaticOrReference {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = StaticOrReference;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text, or an object {\"ref\": \"<parameter>\"}")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(StaticOrReference::Static(text.to_owned()))
            }
            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                Reference::deserialize(de::value::MapAccessDeserializer::new(map)).map(StaticOrReference::Reference)
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}
