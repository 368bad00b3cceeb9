//! Template bodies and statements: the v5 API's JSON shape on one side, the domain on the other.
//!
//! A [`TemplateBody`] of a record was found valid when it was written, so it is read field by field and never validated
//! again: a rule that became stricter since must not make an old record unreadable.

use std::collections::{BTreeMap, BTreeSet};

use rollcall_domain::{
    certificate::SubjectAttribute,
    policy::Statement,
    template::{DraftValue, OnCertificateChange, TemplateBody, TemplateDraft, Value},
};
use rollcall_schemas::{
    event::latest as wire,
    request::latest::{self as draft, ParameterDraft, ParameterDrafts},
};

use super::{
    CodecError,
    part::{self, Read, Violation, ids, texts},
};

/// Reads a v5 `template_body` (with Rollcall's `on_certificate_change`) as a person wrote it. Only its shape is checked:
/// [`TemplateDraft::validate`] says what is wrong with the content.
///
/// # Errors
/// [`CodecError`] with the path of the field that has no place there or is of the wrong kind.
pub fn template_draft_from_json(json: &serde_json::Value) -> Result<TemplateDraft, CodecError> {
    draft::TemplateDraft::from_value(json).map(draft_from_wire).map_err(CodecError::wire("template_body"))
}

/// A draft as a v5 `template_body`.
pub fn template_draft_to_json(draft: &TemplateDraft) -> serde_json::Value {
    json(&draft_to_wire(draft))
}

/// A template's body as a v5 `template_body`, as a person would have written it.
pub fn template_body_to_json(body: &TemplateBody) -> serde_json::Value {
    json(&body_to_wire(body))
}

/// Reads the v5 `statement` list of a policy as a person wrote it. Only its shape is checked:
/// [`rollcall_domain::policy::validate`] says what is wrong with the content.
///
/// # Errors
/// [`CodecError`] with the path of the field that has no place there or is of the wrong kind.
pub fn statements_from_json(json: &serde_json::Value) -> Result<Vec<Statement>, CodecError> {
    wire::Statement::list_from_value(json).map(part::statements_from_wire).map_err(CodecError::wire("statement"))
}

/// Statements as the v5 `statement` list of a policy.
pub fn statements_to_json(statements: &[Statement]) -> serde_json::Value {
    json(&part::statements_to_wire(statements))
}

fn json<T: serde::Serialize>(value: &T) -> serde_json::Value {
    serde_json::to_value(value).expect("structs and maps with text keys are always JSON")
}

pub(super) fn body_to_wire(body: &TemplateBody) -> wire::TemplateBody {
    let parameter = |attribute: &SubjectAttribute| {
        (attribute.parameter().to_owned(), wire::Parameter { kind: wire::ParameterKind::String })
    };
    let reference = |attribute: SubjectAttribute| wire::Reference { parameter: attribute.parameter().to_owned() };
    let value = |value: &Value| match value {
        Value::Static(text) => wire::StaticOrReference::Static(text.to_string()),
        Value::Attribute(attribute) => wire::StaticOrReference::Reference(reference(*attribute)),
    };
    wire::TemplateBody {
        parameters: body.parameters.iter().map(parameter).collect(),
        resources: wire::TemplateResources {
            device: wire::TemplateDevice {
                device_name: body.device_name.map(reference),
                device_id: body.device_id.map(reference),
                node_id: reference(body.node_id),
                product_id: value(&body.product_id),
                tags: body
                    .tags
                    .iter()
                    .map(|(key, text)| wire::TemplateTag { tag_key: value(key), tag_value: value(text) })
                    .collect(),
            },
            policy: (!body.policy_ids.is_empty()).then(|| wire::TemplatePolicy { policy_ids: texts(&body.policy_ids) }),
        },
        on_certificate_change: match body.on_certificate_change {
            OnCertificateChange::Reject => wire::OnCertificateChange::Reject,
            OnCertificateChange::Replace => wire::OnCertificateChange::Replace,
        },
    }
}

pub(super) fn body_from_wire(body: wire::TemplateBody) -> Read<TemplateBody> {
    const DEVICE: &str = "body.body.resources.device";
    let device = body.resources.device;
    let optional = |field: &str, value: Option<wire::Reference>| {
        value.map(|value| attribute(&format!("{DEVICE}.{field}.ref"), &value.parameter)).transpose()
    };
    let mut tags = Vec::with_capacity(device.tags.len());
    for (index, tag) in device.tags.into_iter().enumerate() {
        let key = value_from_wire(&format!("{DEVICE}.tags[{index}].tag_key"), tag.tag_key)?;
        tags.push((key, value_from_wire(&format!("{DEVICE}.tags[{index}].tag_value"), tag.tag_value)?));
    }
    let policy_ids = body.resources.policy.map(|policy| policy.policy_ids).unwrap_or_default();
    Ok(TemplateBody {
        parameters: parameters_from_wire(&body.parameters)?,
        device_name: optional("device_name", device.device_name)?,
        device_id: optional("device_id", device.device_id)?,
        node_id: attribute(&format!("{DEVICE}.node_id.ref"), &device.node_id.parameter)?,
        product_id: value_from_wire(&format!("{DEVICE}.product_id"), device.product_id)?,
        tags,
        policy_ids: ids("body.body.resources.policy.policy_ids", &policy_ids)?,
        on_certificate_change: match body.on_certificate_change {
            wire::OnCertificateChange::Reject => OnCertificateChange::Reject,
            wire::OnCertificateChange::Replace => OnCertificateChange::Replace,
        },
    })
}

/// Sorted as the domain sorts them, not as their names sort.
fn parameters_from_wire(parameters: &BTreeMap<String, wire::Parameter>) -> Read<Vec<SubjectAttribute>> {
    let attributes: Read<BTreeSet<_>> = parameters.keys().map(|name| attribute("body.body.parameters", name)).collect();
    Ok(attributes?.into_iter().collect())
}

fn attribute(path: &str, name: &str) -> Read<SubjectAttribute> {
    SubjectAttribute::from_parameter(name).ok_or_else(|| {
        let name: String = name.chars().take(64).collect();
        Violation::new(path, format!("{name:?} is not a parameter that a certificate has"))
    })
}

fn value_from_wire(path: &str, value: wire::StaticOrReference) -> Read<Value> {
    Ok(match value {
        wire::StaticOrReference::Static(text) => Value::Static(text.into()),
        wire::StaticOrReference::Reference(reference) => Value::Attribute(attribute(path, &reference.parameter)?),
    })
}

pub(super) fn draft_to_wire(written: &TemplateDraft) -> draft::TemplateDraft {
    let value = |value: &DraftValue| match value {
        DraftValue::Static(text) => wire::StaticOrReference::Static(text.clone()),
        DraftValue::Ref(parameter) => wire::StaticOrReference::Reference(wire::Reference { parameter: parameter.clone() }),
    };
    let tag = |(key, text): &(DraftValue, DraftValue)| wire::TemplateTag { tag_key: value(key), tag_value: value(text) };
    draft::TemplateDraft {
        parameters: ParameterDrafts(
            written.parameters.iter().map(|(name, kind)| (name.clone(), ParameterDraft { kind: kind.clone() })).collect(),
        ),
        resources: draft::ResourcesDraft {
            device: draft::DeviceDraft {
                device_name: written.device_name.as_ref().map(value),
                device_id: written.device_id.as_ref().map(value),
                node_id: written.node_id.as_ref().map(value),
                product_id: written.product_id.as_ref().map(value),
                tags: (!written.tags.is_empty()).then(|| written.tags.iter().map(tag).collect()),
            },
            policy: (!written.policy_ids.is_empty())
                .then(|| draft::PolicyDraft { policy_ids: Some(written.policy_ids.clone()) }),
        },
        on_certificate_change: written.on_certificate_change.clone(),
    }
}

pub(super) fn draft_from_wire(written: draft::TemplateDraft) -> TemplateDraft {
    let value = |value| match value {
        wire::StaticOrReference::Static(text) => DraftValue::Static(text),
        wire::StaticOrReference::Reference(reference) => DraftValue::Ref(reference.parameter),
    };
    let device = written.resources.device;
    let tags = device.tags.unwrap_or_default();
    TemplateDraft {
        parameters: written.parameters.0.into_iter().map(|(name, parameter)| (name, parameter.kind)).collect(),
        device_name: device.device_name.map(value),
        device_id: device.device_id.map(value),
        node_id: device.node_id.map(value),
        product_id: device.product_id.map(value),
        tags: tags.into_iter().map(|tag| (value(tag.tag_key), value(tag.tag_value))).collect(),
        policy_ids: written.resources.policy.and_then(|policy| policy.policy_ids).unwrap_or_default(),
        on_certificate_change: written.on_certificate_change,
    }
}
