//! Checks a template as written.
//!
//! Does not check what needs a registry, such as whether the product exists. Invariant: a checked template, written down
//! again, is valid and the same.

use crate::{
    certificate::SubjectAttribute,
    ids::{PolicyId, ProductId},
    limits,
    template::{DraftValue, OnCertificateChange, TemplateBody, TemplateDraft, TemplateFault, Value},
    text,
};

/// Tag keys that begin with this are the platform's.
pub(super) const RESERVED_TAG_KEY_PREFIX: &str = "iot_";
/// Characters of a draft that are shown again in a fault.
const SHOWN_CHARS_MAX: usize = 64;

impl TemplateDraft {
    /// Checks everything that needs no registry.
    ///
    /// # Errors
    /// Every fault found, in the order of the fields.
    pub fn validate(&self) -> Result<TemplateBody, Vec<TemplateFault>> {
        let mut checks = Checks::default();
        checks.parameters(&self.parameters);
        let device_name = checks.attribute("resources.device.device_name", self.device_name.as_ref());
        let device_id = checks.attribute("resources.device.device_id", self.device_id.as_ref());
        let node_id = checks.attribute("resources.device.node_id", self.node_id.as_ref());
        if self.node_id.is_none() {
            checks.fault("resources.device.node_id", "is required: give {\"ref\": \"<a declared parameter>\"}");
        }
        let product_id = checks.product(self.product_id.as_ref());
        let tags = checks.tags(&self.tags);
        let policy_ids = checks.policies(&self.policy_ids);
        let on_certificate_change = checks.on_certificate_change(self.on_certificate_change.as_deref());
        match (node_id, product_id) {
            (Some(node_id), Some(product_id)) if checks.faults.is_empty() => Ok(TemplateBody {
                parameters: checks.declared,
                device_name,
                device_id,
                node_id,
                product_id,
                tags,
                policy_ids,
                on_certificate_change,
            }),
            _ => Err(checks.faults),
        }
    }
}

/// The rule that a tag key breaks, if any.
pub(super) fn tag_key_rule(key: &str) -> Option<String> {
    if key.starts_with(RESERVED_TAG_KEY_PREFIX) {
        return Some(format!("must not begin with {RESERVED_TAG_KEY_PREFIX:?}, which is the platform's"));
    }
    tag_rule(key, limits::TAG_KEY_CHARS_MAX)
}

/// The rule that a tag value breaks, if any.
pub(super) fn tag_value_rule(value: &str) -> Option<String> {
    tag_rule(value, limits::TAG_VALUE_CHARS_MAX)
}

fn tag_rule(text: &str, chars_max: usize) -> Option<String> {
    let fits = (1..=chars_max).contains(&text.chars().count()) && text::is_tag(text);
    (!fits).then(|| format!("must be 1 to {chars_max} of Chinese characters, letters, digits, '_', '.' and '-'"))
}

/// The faults found so far, and the parameters declared.
#[derive(Default)]
struct Checks {
    declared: Vec<SubjectAttribute>,
    faults: Vec<TemplateFault>,
}

impl Checks {
    fn fault(&mut self, field: impl Into<String>, rule: impl Into<String>) {
        self.faults.push(TemplateFault { field: field.into(), rule: rule.into() });
    }

    fn parameters(&mut self, parameters: &[(String, String)]) {
        for (name, kind) in parameters {
            let field = format!("parameters.{}", text::shown(name, SHOWN_CHARS_MAX));
            match SubjectAttribute::from_parameter(name) {
                None => {
                    let known = SubjectAttribute::ALL.map(SubjectAttribute::parameter).join(", ");
                    self.fault(field.clone(), format!("is not a parameter: use one of {known}"));
                }
                Some(attribute) if self.declared.contains(&attribute) => self.fault(field.clone(), "is declared twice"),
                Some(attribute) => self.declared.push(attribute),
            }
            if !kind.eq_ignore_ascii_case("String") {
                self.fault(format!("{field}.type"), "must be \"String\"");
            }
        }
        self.declared.sort_unstable();
    }

    /// What a `ref` refers to.
    fn reference(&mut self, field: &str, name: &str) -> Option<SubjectAttribute> {
        let declared = SubjectAttribute::from_parameter(name).filter(|attribute| self.declared.contains(attribute));
        if declared.is_none() {
            let name = text::shown(name, SHOWN_CHARS_MAX);
            self.fault(field, format!("refers to {name}, which is not declared under parameters"));
        }
        declared
    }

    /// A field that only ever comes from the certificate.
    fn attribute(&mut self, field: &str, value: Option<&DraftValue>) -> Option<SubjectAttribute> {
        match value? {
            DraftValue::Ref(name) => self.reference(field, name),
            DraftValue::Static(_) => {
                self.fault(field, "must come from the certificate: give {\"ref\": \"<a declared parameter>\"}");
                None
            }
        }
    }

    /// A field that may be static text; `rule` names the rule that such a text breaks.
    fn value(&mut self, field: &str, value: &DraftValue, rule: impl Fn(&str) -> Option<String>) -> Option<Value> {
        match value {
            DraftValue::Ref(name) => self.reference(field, name).map(Value::Attribute),
            DraftValue::Static(text) => match rule(text) {
                None => Some(Value::Static(text.as_str().into())),
                Some(rule) => {
                    self.fault(field, rule);
                    None
                }
            },
        }
    }

    fn product(&mut self, product: Option<&DraftValue>) -> Option<Value> {
        const FIELD: &str = "resources.device.product_id";
        let Some(product) = product else {
            self.fault(FIELD, "is required: give a product id, or {\"ref\": \"<a declared parameter>\"}");
            return None;
        };
        self.value(FIELD, product, |text| ProductId::parse(text).err().map(|error| error.to_string()))
    }

    fn tags(&mut self, tags: &[(DraftValue, DraftValue)]) -> Vec<(Value, Value)> {
        const FIELD: &str = "resources.device.tags";
        if tags.len() > limits::TAGS_PER_DEVICE_MAX {
            self.fault(FIELD, format!("has {} tags: at most {} are allowed", tags.len(), limits::TAGS_PER_DEVICE_MAX));
            return Vec::new();
        }
        let mut checked: Vec<(Value, Value)> = Vec::with_capacity(tags.len());
        for (n, (key, value)) in tags.iter().enumerate() {
            let key_field = format!("{FIELD}[{n}].tag_key");
            let key = self.value(&key_field, key, tag_key_rule);
            let value = self.value(&format!("{FIELD}[{n}].tag_value"), value, tag_value_rule);
            if key.is_some() && checked.iter().any(|(known, _)| Some(known) == key.as_ref()) {
                self.fault(key_field, "is the key of an earlier tag");
            } else if let (Some(key), Some(value)) = (key, value) {
                checked.push((key, value));
            }
        }
        checked
    }

    fn policies(&mut self, ids: &[String]) -> Vec<PolicyId> {
        const FIELD: &str = "resources.policy.policy_ids";
        let max = limits::POLICIES_PER_TARGET_MAX;
        if ids.len() > max {
            self.fault(FIELD, format!("has {} policies: at most {max} can be bound to a device", ids.len()));
            return Vec::new();
        }
        let mut checked = Vec::with_capacity(ids.len());
        for (n, id) in ids.iter().enumerate() {
            match PolicyId::parse(id) {
                Err(error) => self.fault(format!("{FIELD}[{n}]"), error.to_string()),
                Ok(id) if checked.contains(&id) => self.fault(format!("{FIELD}[{n}]"), "is there twice"),
                Ok(id) => checked.push(id),
            }
        }
        checked
    }

    fn on_certificate_change(&mut self, rule: Option<&str>) -> OnCertificateChange {
        match rule {
            None | Some("reject") => OnCertificateChange::Reject,
            Some("replace") => OnCertificateChange::Replace,
            Some(_) => {
                self.fault("on_certificate_change", "must be \"reject\" or \"replace\"");
                OnCertificateChange::Reject
            }
        }
    }
}
