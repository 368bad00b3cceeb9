//! A self-registration template as an operator wrote it, version 1: the v5 API's `template_body`, unchecked.
//!
//! Looser than the record's shape where a rule of the domain will say more than "missing field" could: fields that must
//! be there may be absent, and a field that must be a reference may be a text.

use std::{collections::BTreeMap, fmt};

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::event::v1::{StaticOrReference, TemplateTag};

/// `template_body` of the v5 API, with Rollcall's own `on_certificate_change`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TemplateDraft {
    /// Declared parameters by name, in the order written.
    #[schemars(with = "BTreeMap<String, ParameterDraft>")]
    pub parameters: ParameterDrafts,
    /// What is made of them.
    pub resources: ResourcesDraft,
    /// `reject` (also when absent) or `replace`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_certificate_change: Option<String>,
}

/// A declared parameter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ParameterDraft {
    #[serde(rename = "type")]
    pub kind: String,
}

/// What a template makes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ResourcesDraft {
    pub device: DeviceDraft,
    /// The policies to bind to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<PolicyDraft>,
}

/// The fields of the device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeviceDraft {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_name: Option<StaticOrReference>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_id: Option<StaticOrReference>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_id: Option<StaticOrReference>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product_id: Option<StaticOrReference>,
    /// Tags, in the order written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<Vec<TemplateTag>>,
}

/// The policies to bind to the device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicyDraft {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy_ids: Option<Vec<String>>,
}

/// A JSON object whose order and repetitions are kept, so that a fault can be told in the order of what was written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ParameterDrafts(pub Vec<(String, ParameterDraft)>);

impl Serialize for ParameterDrafts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, parameter)| (name, parameter)))
    }
}

impl<'de> Deserialize<'de> for ParameterDrafts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = ParameterDrafts;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of parameters, each {\"type\": \"String\"}")
            }
            fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<ParameterDrafts, A::Error> {
                let mut parameters = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    parameters.push(entry);
                }
                Ok(ParameterDrafts(parameters))
            }
        }
        deserializer.deserialize_map(Visitor)
    }
}

impl TemplateDraft {
    /// Reads a `template_body` that has been parsed as JSON (or YAML) already.
    ///
    /// # Errors
    /// [`crate::WireError::Shape`] with the path of the field.
    pub fn from_value(value: &serde_json::Value) -> Result<Self, crate::WireError> {
        crate::error::read_object(value)
    }
}
