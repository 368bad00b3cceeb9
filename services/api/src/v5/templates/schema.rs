//! The schema of a template body, for the OpenAPI document.
//!
//! Does not read one: the codec does, and more strictly. Invariant: what the schema allows is accepted there as far as a schema
//! can say it; that a reference is to a declared parameter, it cannot.

use std::borrow::Cow;

use rollcall_domain::certificate::SubjectAttribute;
use serde_json::json;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{RefOr, Schema},
};

/// `template_body`.
pub(crate) struct TemplateBodyShape;

impl ToSchema for TemplateBodyShape {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("TemplateBody")
    }
}

impl PartialSchema for TemplateBodyShape {
    fn schema() -> RefOr<Schema> {
        let names = SubjectAttribute::ALL.map(SubjectAttribute::parameter);
        let parameter = json!({
            "type": "object", "required": ["type"], "additionalProperties": false,
            "properties": {"type": {"type": "string", "pattern": "^[Ss][Tt][Rr][Ii][Nn][Gg]$"}},
        });
        let parameters: serde_json::Map<_, _> = names.iter().map(|name| ((*name).to_owned(), parameter.clone())).collect();
        let reference = json!({
            "type": "object", "required": ["ref"], "additionalProperties": false,
            "properties": {"ref": {"type": "string", "enum": names}},
        });
        let or_null = |schema: serde_json::Value| json!({"anyOf": [schema, {"type": "null"}]});
        let text_or_reference =
            |pattern: &str| json!({"oneOf": [{"type": "string", "pattern": pattern}, reference.clone()]});
        let tag = json!({
            "type": "object", "required": ["tag_key", "tag_value"], "additionalProperties": false,
            "properties": {
                "tag_key": text_or_reference("^[\u{4e00}-\u{9fa5}A-Za-z0-9_.-]{1,64}$"),
                "tag_value": text_or_reference("^[\u{4e00}-\u{9fa5}A-Za-z0-9_.-]{1,128}$"),
            },
        });
        let device = json!({
            "type": "object", "required": ["node_id", "product_id"], "additionalProperties": false,
            "properties": {
                "device_name": or_null(reference.clone()), "device_id": or_null(reference.clone()), "node_id": reference.clone(),
                "product_id": text_or_reference("^[A-Za-z0-9_-]{1,36}$"),
                "tags": {"type": ["array", "null"], "maxItems": 10, "items": tag},
            },
        });
        let policy = json!({
            "type": ["object", "null"], "additionalProperties": false,
            "properties": {"policy_ids": {"type": ["array", "null"], "maxItems": 5, "uniqueItems": true,
                "items": {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,36}$"}}},
        });
        let body = json!({
            "type": "object", "required": ["parameters", "resources"], "additionalProperties": false,
            "description": "What becomes of a certificate. A field is a text or {\"ref\": a declared parameter}.",
            "properties": {
                "parameters": {"type": "object", "additionalProperties": false, "properties": parameters,
                    "description": "The Subject attributes that a certificate must have."},
                "resources": {"type": "object", "required": ["device"], "additionalProperties": false,
                    "properties": {"device": device, "policy": policy}},
                "on_certificate_change": {"type": ["string", "null"], "enum": ["reject", "replace", null],
                    "description": "Rollcall's own: what to do when a known device comes with another certificate."},
            },
        });
        serde_json::from_value(body).expect("a schema written in this file is a schema")
    }
}
