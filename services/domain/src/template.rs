//! Self-registration templates: which certificate attributes become which device fields.
//!
//! A [`TemplateDraft`] is what an operator wrote; [`TemplateDraft::validate`] makes a [`TemplateBody`] of it or says what is
//! wrong and where. Evaluation ([`TemplateBody::evaluate`]) is single-pass: a value taken from a certificate is data and is never expanded again.

use crate::{
    certificate::{AttributeFault, SubjectAttribute},
    ids::{DeviceId, NodeId, PolicyId, ProductId},
};

mod evaluate;
mod validate;

#[cfg(test)]
mod tests;

/// A field as written: static text, or the name of a declared parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DraftValue {
    /// Used as it is.
    Static(String),
    /// `{"ref": "iotda::certificate::…"}`.
    Ref(String),
}

/// A template body as written, before any check. Mirrors `template_body` of the v5 API.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TemplateDraft {
    /// `parameters`: name and `type`, in the order written.
    pub parameters: Vec<(String, String)>,
    /// `resources.device.device_name`.
    pub device_name: Option<DraftValue>,
    /// `resources.device.device_id`.
    pub device_id: Option<DraftValue>,
    /// `resources.device.node_id`.
    pub node_id: Option<DraftValue>,
    /// `resources.device.product_id`.
    pub product_id: Option<DraftValue>,
    /// `resources.device.tags`: key and value.
    pub tags: Vec<(DraftValue, DraftValue)>,
    /// `resources.policy.policy_ids`.
    pub policy_ids: Vec<String>,
    /// `on_certificate_change`: `reject` (also when absent) or `replace`. Rollcall's own.
    pub on_certificate_change: Option<String>,
}

/// A checked field: static text within its limits, or a declared attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Used as it is.
    Static(Box<str>),
    /// Taken from the certificate.
    Attribute(SubjectAttribute),
}

/// What to do when a known device comes with another certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum OnCertificateChange {
    #[default]
    Reject,
    /// Accept a certificate of the same CA with a newer notBefore in place of the old one.
    Replace,
}

/// A template body that has passed every check that needs no registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateBody {
    /// Declared parameters: the certificate must hold each of them. Sorted, unique.
    pub parameters: Vec<SubjectAttribute>,
    /// Device name, if the template gives one.
    pub device_name: Option<SubjectAttribute>,
    /// Device id, if the template gives one; else `<product_id>_<node_id>`.
    pub device_id: Option<SubjectAttribute>,
    pub node_id: SubjectAttribute,
    pub product_id: Value,
    /// Tags, in the order written.
    pub tags: Vec<(Value, Value)>,
    /// Policies to bind at registration.
    pub policy_ids: Vec<PolicyId>,
    /// What to do when a known device comes with another certificate.
    pub on_certificate_change: OnCertificateChange,
}

/// What is wrong with a draft, and where: `field` is a path such as `resources.device.tags[1].tag_key`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {rule}")]
pub struct TemplateFault {
    /// Path of the field in the template body.
    pub field: String,
    /// The rule that it breaks, and what would satisfy it.
    pub rule: String,
}

/// One tag of a device.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag {
    /// 1 to 64 of Chinese, letters, digits, `_.-`; `iot_` is reserved.
    pub key: Box<str>,
    /// 1 to 128 of the same characters.
    pub value: Box<str>,
}

/// The device that a template makes of a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DerivedDevice {
    /// Explicit, or `<product_id>_<node_id>`.
    pub device_id: DeviceId,
    /// What the owner calls it.
    pub node_id: NodeId,
    /// The product it will belong to.
    pub product_id: ProductId,
    /// Its name, if the template gives one.
    pub device_name: Option<Box<str>>,
    pub tags: Vec<Tag>,
    /// The policies to bind.
    pub policy_ids: Vec<PolicyId>,
}

/// Why a template makes no device of a certificate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EvaluationFault {
    /// A declared parameter cannot be used.
    #[error("the certificate's {attribute} cannot be used: {fault}")]
    Attribute { attribute: SubjectAttribute, fault: AttributeFault },
    /// A field's value breaks the limits of the v5 API.
    #[error("{field} would be \"{value}\", but {rule}")]
    Field {
        /// `device_id`, `node_id`, `product_id`, `device_name`, `tags[n].tag_key`, `tags[n].tag_value`.
        field: String,
        /// The value, escaped and bounded to 128 characters.
        value: String,
        /// The rule that it breaks.
        rule: String,
    },
}
