//! Makes a device of a certificate.
//!
//! Single-pass: a value is copied from the certificate into its field and never looked into for anything to expand, so
//! `${…}`, `{{…}}`, `$1` and `%s` are text like any other. Whatever is not within the limits of the v5 API is refused.

use crate::{
    certificate::{CertificateFacts, SubjectAttribute},
    ids::{DeviceId, IdError, NodeId, ProductId},
    limits,
    template::{
        DerivedDevice, EvaluationFault, Tag, TemplateBody, Value,
        validate::{tag_key_rule, tag_value_rule},
    },
    text,
};

/// Characters of a refused value that are shown again.
const SHOWN_CHARS_MAX: usize = 128;

impl TemplateBody {
    /// The device that this template makes of a certificate.
    ///
    /// # Errors
    /// The first [`EvaluationFault`].
    pub fn evaluate(&self, facts: &CertificateFacts) -> Result<DerivedDevice, EvaluationFault> {
        // The service asks for every declared parameter, also for one that no field refers to.
        for declared in &self.parameters {
            taken(facts, *declared)?;
        }
        let node_id: NodeId = id("node_id", taken(facts, self.node_id)?, NodeId::parse)?;
        let product_id: ProductId = id("product_id", value(facts, &self.product_id)?, ProductId::parse)?;
        let device_id = match self.device_id {
            Some(attribute) => id("device_id", taken(facts, attribute)?, DeviceId::parse)?,
            None => id("device_id", &format!("{product_id}_{node_id}"), DeviceId::parse)?,
        };
        let device_name = match self.device_name {
            Some(attribute) => Some(device_name(taken(facts, attribute)?)?),
            None => None,
        };
        Ok(DerivedDevice {
            device_id,
            node_id,
            product_id,
            device_name,
            tags: self.derive_tags(facts)?,
            policy_ids: self.policy_ids.clone(),
        })
    }

    fn derive_tags(&self, facts: &CertificateFacts) -> Result<Vec<Tag>, EvaluationFault> {
        let mut tags: Vec<Tag> = Vec::with_capacity(self.tags.len());
        for (n, (key, tag_value)) in self.tags.iter().enumerate() {
            let (key, tag_value) = (value(facts, key)?, value(facts, tag_value)?);
            let key_rule = tag_key_rule(key);
            let key_rule =
                key_rule.or_else(|| tags.iter().any(|tag| &*tag.key == key).then(|| "is the key of an earlier tag".into()));
            if let Some(rule) = key_rule {
                return Err(fault(format!("tags[{n}].tag_key"), key, rule));
            }
            if let Some(rule) = tag_value_rule(tag_value) {
                return Err(fault(format!("tags[{n}].tag_value"), tag_value, rule));
            }
            tags.push(Tag { key: key.into(), value: tag_value.into() });
        }
        Ok(tags)
    }
}

fn taken(facts: &CertificateFacts, attribute: SubjectAttribute) -> Result<&str, EvaluationFault> {
    facts.attribute(attribute).map_err(|fault| EvaluationFault::Attribute { attribute, fault })
}

fn value<'a>(facts: &'a CertificateFacts, value: &'a Value) -> Result<&'a str, EvaluationFault> {
    match value {
        Value::Static(text) => Ok(text),
        Value::Attribute(attribute) => taken(facts, *attribute),
    }
}

fn id<T>(field: &str, value: &str, parse: impl Fn(&str) -> Result<T, IdError>) -> Result<T, EvaluationFault> {
    parse(value).map_err(|error| fault(field.into(), value, error.to_string()))
}

fn device_name(name: &str) -> Result<Box<str>, EvaluationFault> {
    let max = limits::DEVICE_NAME_CHARS_MAX;
    if (1..=max).contains(&name.chars().count()) && text::is_name(name) {
        Ok(name.into())
    } else {
        let rule = format!("must be 1 to {max} of Chinese characters, letters, digits, blanks and _?'#().,&%@!-");
        Err(fault("device_name".into(), name, rule))
    }
}

fn fault(field: String, value: &str, rule: String) -> EvaluationFault {
    EvaluationFault::Field { field, value: text::shown(value, SHOWN_CHARS_MAX), rule }
}
