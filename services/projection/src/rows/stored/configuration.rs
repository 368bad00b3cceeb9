//! The configuration as stored: one value, whole, with the position of the last record that changed it.
//!
//! Holds no devices. One value and not a row for each thing: it is small, it is read whole at every start, and it can
//! never be seen half changed.

use rollcall_domain::{
    certificate::SubjectAttribute,
    ids::Position,
    policy::{Action, Effect, Policy, Statement},
    registry::{Ca, CaStatus, Configuration, Distrusted, Product, ProductDetails, Space, Template},
    template::{OnCertificateChange, TemplateBody, Value},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

use crate::files::{Fault, decode, encode, id};

#[derive(Serialize, Deserialize)]
struct StoredConfiguration<'a> {
    applied: u64,
    #[serde(borrow)]
    spaces: Vec<StoredSpace<'a>>,
    #[serde(borrow)]
    products: Vec<StoredProduct<'a>>,
    #[serde(borrow)]
    policies: Vec<StoredPolicy<'a>>,
    policies_made: u64,
    #[serde(borrow)]
    templates: Vec<StoredTemplate<'a>>,
    #[serde(borrow)]
    cas: Vec<StoredCa<'a>>,
    #[serde(borrow)]
    distrusted: Vec<StoredDistrusted<'a>>,
}

#[derive(Serialize, Deserialize)]
struct StoredSpace<'a> {
    id: &'a str,
    name: &'a str,
    default_space: bool,
    created_at_ms: i64,
    #[serde(borrow)]
    policies: Vec<&'a str>,
}

#[derive(Serialize, Deserialize)]
struct StoredProduct<'a> {
    id: &'a str,
    space: &'a str,
    name: &'a str,
    device_type: &'a str,
    protocol_type: &'a str,
    data_format: &'a str,
    manufacturer_name: Option<&'a str>,
    industry: Option<&'a str>,
    description: Option<&'a str>,
    service_capabilities: &'a str,
    created_at_ms: i64,
    #[serde(borrow)]
    policies: Vec<&'a str>,
}

#[derive(Serialize, Deserialize)]
struct StoredPolicy<'a> {
    id: &'a str,
    made: u64,
    space: &'a str,
    name: &'a str,
    #[serde(borrow)]
    statements: Vec<StoredStatement<'a>>,
    created_at_ms: i64,
    updated_at_ms: i64,
}

#[derive(Serialize, Deserialize)]
struct StoredStatement<'a> {
    allow: bool,
    publish: bool,
    subscribe: bool,
    #[serde(borrow)]
    resources: Vec<&'a str>,
}

#[derive(Serialize, Deserialize)]
struct StoredTemplate<'a> {
    id: &'a str,
    name: &'a str,
    description: &'a str,
    version: u32,
    created_at_ms: i64,
    updated_at_ms: i64,
    #[serde(borrow)]
    parameters: Vec<&'a str>,
    device_name: Option<&'a str>,
    device_id: Option<&'a str>,
    node_id: &'a str,
    #[serde(borrow)]
    product_id: StoredValue<'a>,
    #[serde(borrow)]
    tags: Vec<(StoredValue<'a>, StoredValue<'a>)>,
    #[serde(borrow)]
    policy_ids: Vec<&'a str>,
    replace_certificates: bool,
}

#[derive(Serialize, Deserialize)]
enum StoredValue<'a> {
    Static(&'a str),
    Attribute(&'a str),
}

#[derive(Serialize, Deserialize)]
struct StoredCa<'a> {
    id: &'a str,
    space: &'a str,
    der: &'a [u8],
    cn_name: &'a str,
    sha256: [u8; 32],
    name_and_key_sha256: [u8; 32],
    not_before_ms: i64,
    not_after_ms: i64,
    #[serde(borrow)]
    status: StoredCaStatus<'a>,
    template: Option<&'a str>,
    self_registration: bool,
    created_at_ms: i64,
}

#[derive(Serialize, Deserialize)]
enum StoredCaStatus<'a> {
    AwaitingProof { code: &'a str, expires_at_ms: i64 },
    Verified { at_ms: i64 },
}

#[derive(Serialize, Deserialize)]
struct StoredDistrusted<'a> {
    name_and_key_sha256: [u8; 32],
    space: &'a str,
    ca: &'a str,
    cn_name: &'a str,
    since_ms: i64,
}

/// Encodes a configuration that the record at `applied` was the last to change.
pub(crate) fn encode_configuration(applied: Position, configuration: &Configuration) -> Result<Vec<u8>, Fault> {
    encode(&StoredConfiguration {
        applied: applied.0,
        spaces: configuration.spaces.values().map(stored_space).collect(),
        products: configuration.products.values().map(stored_product).collect(),
        policies: configuration.policies.values().map(stored_policy).collect(),
        policies_made: configuration.policies_made,
        templates: configuration.templates.values().map(stored_template).collect(),
        cas: configuration.cas.values().map(stored_ca).collect(),
        distrusted: configuration.distrusted.iter().map(|(ca, distrusted)| stored_distrusted(*ca, distrusted)).collect(),
    })
}

/// Reads it back.
pub(crate) fn decode_configuration(bytes: &[u8]) -> Result<(Position, Configuration), Fault> {
    let stored: StoredConfiguration<'_> = decode(bytes)?;
    let mut configuration = Configuration { policies_made: stored.policies_made, ..Configuration::default() };
    for space in stored.spaces.iter().map(space) {
        let space = space?;
        configuration.spaces.insert(space.id.clone(), space);
    }
    for product in stored.products.iter().map(product) {
        let product = product?;
        configuration.products.insert((product.space.clone(), product.id.clone()), product);
    }
    for policy in stored.policies.iter().map(policy) {
        let policy = policy?;
        configuration.policies.insert(policy.id.clone(), policy);
    }
    for template in stored.templates.iter().map(template) {
        let template = template?;
        configuration.templates.insert(template.id.clone(), template);
    }
    for ca in stored.cas.iter().map(ca) {
        let ca = ca?;
        configuration.cas.insert(ca.id.clone(), ca);
    }
    for stored in &stored.distrusted {
        configuration.distrusted.insert(stored.name_and_key_sha256, distrusted(stored)?);
    }
    Ok((Position(stored.applied), configuration))
}

fn stored_space(space: &Space) -> StoredSpace<'_> {
    StoredSpace {
        id: space.id.as_str(),
        name: &space.name,
        default_space: space.default_space,
        created_at_ms: space.created_at.unix_ms(),
        policies: space.policies.iter().map(|policy| policy.as_str()).collect(),
    }
}

fn space(stored: &StoredSpace<'_>) -> Result<Space, Fault> {
    Ok(Space {
        id: id(stored.id)?,
        name: stored.name.into(),
        default_space: stored.default_space,
        created_at: Timestamp::from_unix_ms(stored.created_at_ms),
        policies: stored.policies.iter().map(|policy| id(policy)).collect::<Result<_, _>>()?,
    })
}

fn stored_product(product: &Product) -> StoredProduct<'_> {
    let details = &product.details;
    StoredProduct {
        id: product.id.as_str(),
        space: product.space.as_str(),
        name: &details.name,
        device_type: &details.device_type,
        protocol_type: &details.protocol_type,
        data_format: &details.data_format,
        manufacturer_name: details.manufacturer_name.as_deref(),
        industry: details.industry.as_deref(),
        description: details.description.as_deref(),
        service_capabilities: &details.service_capabilities,
        created_at_ms: product.created_at.unix_ms(),
        policies: product.policies.iter().map(|policy| policy.as_str()).collect(),
    }
}

fn product(stored: &StoredProduct<'_>) -> Result<Product, Fault> {
    Ok(Product {
        id: id(stored.id)?,
        space: id(stored.space)?,
        details: ProductDetails {
            name: stored.name.into(),
            device_type: stored.device_type.into(),
            protocol_type: stored.protocol_type.into(),
            data_format: stored.data_format.into(),
            manufacturer_name: stored.manufacturer_name.map(Into::into),
            industry: stored.industry.map(Into::into),
            description: stored.description.map(Into::into),
            service_capabilities: stored.service_capabilities.into(),
        },
        created_at: Timestamp::from_unix_ms(stored.created_at_ms),
        policies: stored.policies.iter().map(|policy| id(policy)).collect::<Result<_, _>>()?,
    })
}

fn stored_policy(policy: &Policy) -> StoredPolicy<'_> {
    StoredPolicy {
        id: policy.id.as_str(),
        made: policy.made,
        space: policy.space.as_str(),
        name: &policy.name,
        statements: policy.statements.iter().map(stored_statement).collect(),
        created_at_ms: policy.created_at.unix_ms(),
        updated_at_ms: policy.updated_at.unix_ms(),
    }
}

fn stored_statement(statement: &Statement) -> StoredStatement<'_> {
    StoredStatement {
        allow: statement.effect == Effect::Allow,
        publish: statement.actions.contains(&Action::Publish),
        subscribe: statement.actions.contains(&Action::Subscribe),
        resources: statement.resources.iter().map(|resource| &**resource).collect(),
    }
}

fn policy(stored: &StoredPolicy<'_>) -> Result<Policy, Fault> {
    Ok(Policy {
        id: id(stored.id)?,
        made: stored.made,
        space: id(stored.space)?,
        name: stored.name.into(),
        statements: stored.statements.iter().map(statement).collect(),
        created_at: Timestamp::from_unix_ms(stored.created_at_ms),
        updated_at: Timestamp::from_unix_ms(stored.updated_at_ms),
    })
}

fn statement(stored: &StoredStatement<'_>) -> Statement {
    let publish = stored.publish.then_some(Action::Publish);
    let subscribe = stored.subscribe.then_some(Action::Subscribe);
    Statement {
        effect: if stored.allow { Effect::Allow } else { Effect::Deny },
        actions: publish.into_iter().chain(subscribe).collect(),
        resources: stored.resources.iter().map(|resource| (*resource).into()).collect(),
    }
}

fn stored_template(template: &Template) -> StoredTemplate<'_> {
    let body = &template.body;
    StoredTemplate {
        id: template.id.as_str(),
        name: &template.name,
        description: &template.description,
        version: template.version,
        created_at_ms: template.created_at.unix_ms(),
        updated_at_ms: template.updated_at.unix_ms(),
        parameters: body.parameters.iter().map(|attribute| attribute.parameter()).collect(),
        device_name: body.device_name.map(SubjectAttribute::parameter),
        device_id: body.device_id.map(SubjectAttribute::parameter),
        node_id: body.node_id.parameter(),
        product_id: stored_value(&body.product_id),
        tags: body.tags.iter().map(|(key, value)| (stored_value(key), stored_value(value))).collect(),
        policy_ids: body.policy_ids.iter().map(|policy| policy.as_str()).collect(),
        replace_certificates: body.on_certificate_change == OnCertificateChange::Replace,
    }
}

fn template(stored: &StoredTemplate<'_>) -> Result<Template, Fault> {
    Ok(Template {
        id: id(stored.id)?,
        name: stored.name.into(),
        description: stored.description.into(),
        body: TemplateBody {
            parameters: stored.parameters.iter().map(|name| attribute(name)).collect::<Result<_, _>>()?,
            device_name: stored.device_name.map(attribute).transpose()?,
            device_id: stored.device_id.map(attribute).transpose()?,
            node_id: attribute(stored.node_id)?,
            product_id: value(&stored.product_id)?,
            tags: stored.tags.iter().map(|(k, v)| Ok((value(k)?, value(v)?))).collect::<Result<_, Fault>>()?,
            policy_ids: stored.policy_ids.iter().map(|policy| id(policy)).collect::<Result<_, _>>()?,
            on_certificate_change: match stored.replace_certificates {
                true => OnCertificateChange::Replace,
                false => OnCertificateChange::Reject,
            },
        },
        version: stored.version,
        created_at: Timestamp::from_unix_ms(stored.created_at_ms),
        updated_at: Timestamp::from_unix_ms(stored.updated_at_ms),
    })
}

fn stored_value(value: &Value) -> StoredValue<'_> {
    match value {
        Value::Static(text) => StoredValue::Static(text),
        Value::Attribute(attribute) => StoredValue::Attribute(attribute.parameter()),
    }
}

fn value(stored: &StoredValue<'_>) -> Result<Value, Fault> {
    Ok(match stored {
        StoredValue::Static(text) => Value::Static((*text).into()),
        StoredValue::Attribute(name) => Value::Attribute(attribute(name)?),
    })
}

fn attribute(name: &str) -> Result<SubjectAttribute, Fault> {
    SubjectAttribute::from_parameter(name).ok_or_else(|| Fault("a stored template names an unknown attribute".into()))
}

fn stored_ca(ca: &Ca) -> StoredCa<'_> {
    StoredCa {
        id: ca.id.as_str(),
        space: ca.space.as_str(),
        der: &ca.der,
        cn_name: &ca.cn_name,
        sha256: ca.sha256,
        name_and_key_sha256: ca.name_and_key_sha256,
        not_before_ms: ca.not_before.unix_ms(),
        not_after_ms: ca.not_after.unix_ms(),
        status: match &ca.status {
            CaStatus::AwaitingProof { code, expires_at } => {
                StoredCaStatus::AwaitingProof { code, expires_at_ms: expires_at.unix_ms() }
            }
            CaStatus::Verified { at } => StoredCaStatus::Verified { at_ms: at.unix_ms() },
        },
        template: ca.template.as_ref().map(|template| template.as_str()),
        self_registration: ca.self_registration,
        created_at_ms: ca.created_at.unix_ms(),
    }
}

fn ca(stored: &StoredCa<'_>) -> Result<Ca, Fault> {
    Ok(Ca {
        id: id(stored.id)?,
        space: id(stored.space)?,
        der: stored.der.into(),
        cn_name: stored.cn_name.into(),
        sha256: stored.sha256,
        name_and_key_sha256: stored.name_and_key_sha256,
        not_before: Timestamp::from_unix_ms(stored.not_before_ms),
        not_after: Timestamp::from_unix_ms(stored.not_after_ms),
        status: match &stored.status {
            StoredCaStatus::AwaitingProof { code, expires_at_ms } => {
                CaStatus::AwaitingProof { code: (*code).into(), expires_at: Timestamp::from_unix_ms(*expires_at_ms) }
            }
            StoredCaStatus::Verified { at_ms } => CaStatus::Verified { at: Timestamp::from_unix_ms(*at_ms) },
        },
        template: stored.template.map(id).transpose()?,
        self_registration: stored.self_registration,
        created_at: Timestamp::from_unix_ms(stored.created_at_ms),
    })
}

fn stored_distrusted(name_and_key_sha256: [u8; 32], distrusted: &Distrusted) -> StoredDistrusted<'_> {
    StoredDistrusted {
        name_and_key_sha256,
        space: distrusted.space.as_str(),
        ca: distrusted.ca.as_str(),
        cn_name: &distrusted.cn_name,
        since_ms: distrusted.since.unix_ms(),
    }
}

fn distrusted(stored: &StoredDistrusted<'_>) -> Result<Distrusted, Fault> {
    Ok(Distrusted {
        space: id(stored.space)?,
        ca: id(stored.ca)?,
        cn_name: stored.cn_name.into(),
        since: Timestamp::from_unix_ms(stored.since_ms),
    })
}
