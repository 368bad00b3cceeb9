//! What several bodies share: ids, instants, actors, fingerprints, tags, policies' targets and statements.

use std::{fmt, str::FromStr};

use rollcall_domain::{
    fleet::{Edition, Instance, InstanceDraft},
    ids::{Fingerprint, IdError, Incarnation},
    policy::{Action, Effect, Statement},
    registry::{
        Actor, ProductDetails, Slot,
        event::{DeclaredCredential, DeviceProfile, PolicyTarget},
    },
    template::Tag,
    time::Timestamp,
};
use rollcall_schemas::{
    encoding::{self, Base64, Sha256, Time},
    event::latest as wire,
    record as wire_record,
    request::latest as wire_request,
};
use uuid::Uuid;

/// Most characters in an operator's name.
const OPERATOR_CHARS_MAX: usize = 64;

/// A value that has the right shape and breaks a rule of the domain.
#[derive(Debug)]
pub(super) struct Violation {
    path: String,
    reason: String,
}

impl Violation {
    pub(super) fn new(path: impl Into<String>, reason: impl fmt::Display) -> Self {
        Self { path: path.into(), reason: reason.to_string() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.reason)
    }
}

pub(super) type Read<T> = Result<T, Violation>;

/// An id of the kind that the caller wants.
pub(super) fn id<T: FromStr<Err = IdError>>(path: &str, text: &str) -> Read<T> {
    text.parse().map_err(|error: IdError| Violation::new(path, error))
}

/// Ids in a list.
pub(super) fn ids<T: FromStr<Err = IdError>>(path: &str, texts: &[String]) -> Read<Vec<T>> {
    texts
        .iter()
        .enumerate()
        .map(|(index, text)| text.parse().map_err(|error: IdError| Violation::new(format!("{path}[{index}]"), error)))
        .collect()
}

/// An optional id.
pub(super) fn optional_id<T: FromStr<Err = IdError>>(path: &str, text: Option<&String>) -> Read<Option<T>> {
    text.map(|text| id(path, text)).transpose()
}

pub(super) fn optional_text(text: Option<&str>) -> Option<String> {
    text.map(str::to_owned)
}

pub(super) fn boxed(text: Option<String>) -> Option<Box<str>> {
    text.map(Into::into)
}

/// RFC 3339 ends in the year 9999; a certificate cannot say more either.
pub(super) fn time(at: Timestamp) -> Time {
    Time::from_unix_ms(at.unix_ms())
}

pub(super) fn timestamp(at: Time) -> Timestamp {
    Timestamp::from_unix_ms(at.unix_ms())
}

pub(super) fn base64(bytes: &[u8]) -> Base64 {
    Base64(bytes.to_vec())
}

pub(super) fn actor_to_wire(actor: &Actor) -> wire_record::Actor {
    match actor {
        Actor::Certificate(sha256) => wire_record::Actor::Certificate(Sha256(*sha256)),
        Actor::Operator(name) => wire_record::Actor::Operator(name.to_string()),
    }
}

pub(super) fn actor_from_wire(actor: wire_record::Actor) -> Read<Actor> {
    match actor {
        wire_record::Actor::Certificate(sha256) => Ok(Actor::Certificate(sha256.0)),
        wire_record::Actor::Operator(name) => {
            let chars = name.chars().count();
            if chars == 0 || chars > OPERATOR_CHARS_MAX || name.chars().any(char::is_control) {
                let rule = format!("an operator's name has 1 to {OPERATOR_CHARS_MAX} characters and no control characters");
                return Err(Violation::new("actor.operator", rule));
            }
            Ok(Actor::Operator(name.into()))
        }
    }
}

/// A trace context that is not one is left out: it must never make a decision unreadable.
pub(super) fn traceparent_to_wire(traceparent: Option<&str>) -> Option<String> {
    traceparent.filter(|text| is_traceparent(text)).map(str::to_owned)
}

pub(super) fn traceparent_from_wire(traceparent: Option<String>) -> Read<Option<String>> {
    match traceparent {
        Some(text) if !is_traceparent(&text) => {
            Err(Violation::new("traceparent", "not a W3C traceparent (00-<32 hex>-<16 hex>-<2 hex>)"))
        }
        traceparent => Ok(traceparent),
    }
}

/// W3C Trace Context §3.2: four groups of lower-case hex digits.
fn is_traceparent(text: &str) -> bool {
    text.len() == 55
        && text.bytes().enumerate().all(|(at, byte)| match at {
            2 | 35 | 52 => byte == b'-',
            _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
        })
}

pub(super) fn fingerprint_to_wire(fingerprint: &Fingerprint) -> encoding::Fingerprint {
    match fingerprint {
        Fingerprint::Sha256(bytes) => encoding::Fingerprint::Sha256(*bytes),
        Fingerprint::Sha1(bytes) => encoding::Fingerprint::Sha1(*bytes),
    }
}

pub(super) fn fingerprint_from_wire(fingerprint: encoding::Fingerprint) -> Fingerprint {
    match fingerprint {
        encoding::Fingerprint::Sha256(bytes) => Fingerprint::Sha256(bytes),
        encoding::Fingerprint::Sha1(bytes) => Fingerprint::Sha1(bytes),
    }
}

pub(super) fn slot_to_wire(slot: Slot) -> wire::CertificateSlot {
    match slot {
        Slot::Primary => wire::CertificateSlot::Primary,
        Slot::Secondary => wire::CertificateSlot::Secondary,
    }
}

pub(super) fn slot_from_wire(slot: wire::CertificateSlot) -> Slot {
    match slot {
        wire::CertificateSlot::Primary => Slot::Primary,
        wire::CertificateSlot::Secondary => Slot::Secondary,
    }
}

pub(super) fn tags_to_wire(tags: &[Tag]) -> Vec<wire::Tag> {
    tags.iter().map(|tag| wire::Tag { key: tag.key.to_string(), value: tag.value.to_string() }).collect()
}

pub(super) fn tags_from_wire(tags: Vec<wire::Tag>) -> Vec<Tag> {
    tags.into_iter().map(|tag| Tag { key: tag.key.into(), value: tag.value.into() }).collect()
}

pub(super) fn texts<T: fmt::Display>(ids: &[T]) -> Vec<String> {
    ids.iter().map(ToString::to_string).collect()
}

pub(super) fn details_to_wire(details: &ProductDetails) -> wire::ProductDetails {
    wire::ProductDetails {
        name: details.name.to_string(),
        device_type: details.device_type.to_string(),
        protocol_type: details.protocol_type.to_string(),
        data_format: details.data_format.to_string(),
        manufacturer_name: optional_text(details.manufacturer_name.as_deref()),
        industry: optional_text(details.industry.as_deref()),
        description: optional_text(details.description.as_deref()),
        service_capabilities: details.service_capabilities.to_string(),
    }
}

pub(super) fn details_from_wire(details: wire::ProductDetails) -> ProductDetails {
    ProductDetails {
        name: details.name.into(),
        device_type: details.device_type.into(),
        protocol_type: details.protocol_type.into(),
        data_format: details.data_format.into(),
        manufacturer_name: boxed(details.manufacturer_name),
        industry: boxed(details.industry),
        description: boxed(details.description),
        service_capabilities: details.service_capabilities.into(),
    }
}

pub(super) fn profile_to_wire(profile: &DeviceProfile) -> wire::DeviceProfile {
    wire::DeviceProfile {
        device: profile.device.to_string(),
        node_id: profile.node_id.to_string(),
        space: profile.space.to_string(),
        product: profile.product.to_string(),
        name: optional_text(profile.name.as_deref()),
        tags: tags_to_wire(&profile.tags),
        policies: texts(&profile.policies),
    }
}

pub(super) fn profile_from_wire(profile: wire::DeviceProfile) -> Read<DeviceProfile> {
    Ok(DeviceProfile {
        device: id("body.profile.device", &profile.device)?,
        node_id: id("body.profile.node_id", &profile.node_id)?,
        space: id("body.profile.space", &profile.space)?,
        product: id("body.profile.product", &profile.product)?,
        name: boxed(profile.name),
        tags: tags_from_wire(profile.tags),
        policies: ids("body.profile.policies", &profile.policies)?,
    })
}

pub(super) fn credential_to_wire(credential: &DeclaredCredential) -> wire::DeclaredCredential {
    match credential {
        DeclaredCredential::Secret => wire::DeclaredCredential::Secret,
        DeclaredCredential::Certificates { primary, secondary } => wire::DeclaredCredential::Certificates {
            primary: primary.as_ref().map(fingerprint_to_wire),
            secondary: secondary.as_ref().map(fingerprint_to_wire),
        },
    }
}

pub(super) fn credential_from_wire(credential: wire::DeclaredCredential) -> DeclaredCredential {
    match credential {
        wire::DeclaredCredential::Secret => DeclaredCredential::Secret,
        wire::DeclaredCredential::Certificates { primary, secondary } => DeclaredCredential::Certificates {
            primary: primary.map(fingerprint_from_wire),
            secondary: secondary.map(fingerprint_from_wire),
        },
    }
}

pub(super) fn target_to_wire(target: &PolicyTarget) -> wire::PolicyTarget {
    match target {
        PolicyTarget::Device(device) => wire::PolicyTarget::Device(device.to_string()),
        PolicyTarget::Product(space, product) => {
            wire::PolicyTarget::Product { space: space.to_string(), product: product.to_string() }
        }
        PolicyTarget::Space(space) => wire::PolicyTarget::Space(space.to_string()),
    }
}

pub(super) fn target_from_wire(target: &wire::PolicyTarget) -> Read<PolicyTarget> {
    Ok(match target {
        wire::PolicyTarget::Device(device) => PolicyTarget::Device(id("body.target.device", device)?),
        wire::PolicyTarget::Product { space, product } => {
            PolicyTarget::Product(id("body.target.product.space", space)?, id("body.target.product.product", product)?)
        }
        wire::PolicyTarget::Space(space) => PolicyTarget::Space(id("body.target.space", space)?),
    })
}

pub(super) fn statements_to_wire(statements: &[Statement]) -> Vec<wire::Statement> {
    let action = |action: &Action| match action {
        Action::Publish => wire::Action::Publish,
        Action::Subscribe => wire::Action::Subscribe,
    };
    let statement = |statement: &Statement| wire::Statement {
        effect: match statement.effect {
            Effect::Allow => wire::Effect::Allow,
            Effect::Deny => wire::Effect::Deny,
        },
        actions: statement.actions.iter().map(action).collect(),
        resources: texts(&statement.resources),
    };
    statements.iter().map(statement).collect()
}

/// Actions come out sorted and unique, whatever the order they were written in: the domain holds them so.
pub(super) fn statements_from_wire(statements: Vec<wire::Statement>) -> Vec<Statement> {
    let action = |action| match action {
        wire::Action::Publish => Action::Publish,
        wire::Action::Subscribe => Action::Subscribe,
    };
    let statement = |statement: wire::Statement| {
        let mut actions: Vec<Action> = statement.actions.into_iter().map(action).collect();
        actions.sort_unstable();
        actions.dedup();
        let effect = match statement.effect {
            wire::Effect::Allow => Effect::Allow,
            wire::Effect::Deny => Effect::Deny,
        };
        Statement { effect, actions, resources: statement.resources.into_iter().map(Into::into).collect() }
    };
    statements.into_iter().map(statement).collect()
}

pub(super) fn instance_to_wire(instance: &Instance) -> wire::Instance {
    wire::Instance {
        id: instance.id.to_string(),
        access_domain: instance.access_domain.to_string(),
        edition: edition_to_wire(instance.edition),
        region: instance.region.to_string(),
        incarnation: Uuid::from_bytes(instance.incarnation.0),
        devices_max: instance.devices_max,
        self_registration_available: instance.self_registration_available,
    }
}

pub(super) fn instance_from_wire(instance: wire::Instance) -> Read<Instance> {
    Ok(Instance {
        id: id("body.instance.id", &instance.id)?,
        access_domain: instance.access_domain.into(),
        edition: edition_from_wire(instance.edition),
        region: instance.region.into(),
        incarnation: Incarnation(instance.incarnation.into_bytes()),
        devices_max: instance.devices_max,
        self_registration_available: instance.self_registration_available,
    })
}

pub(super) fn draft_to_wire(draft: &InstanceDraft) -> wire_request::InstanceDraft {
    wire_request::InstanceDraft {
        id: draft.id.to_string(),
        access_domain: draft.access_domain.to_string(),
        edition: edition_to_wire(draft.edition),
        region: draft.region.to_string(),
        devices_max: draft.devices_max,
    }
}

pub(super) fn draft_from_wire(draft: wire_request::InstanceDraft) -> Read<InstanceDraft> {
    Ok(InstanceDraft {
        id: id("body.instance.id", &draft.id)?,
        access_domain: draft.access_domain.into(),
        edition: edition_from_wire(draft.edition),
        region: draft.region.into(),
        devices_max: draft.devices_max,
    })
}

pub(super) fn edition_to_wire(edition: Edition) -> wire::Edition {
    match edition {
        Edition::Basic => wire::Edition::Basic,
        Edition::Standard => wire::Edition::Standard,
        Edition::Enterprise => wire::Edition::Enterprise,
    }
}

pub(super) fn edition_from_wire(edition: wire::Edition) -> Edition {
    match edition {
        wire::Edition::Basic => Edition::Basic,
        wire::Edition::Standard => Edition::Standard,
        wire::Edition::Enterprise => Edition::Enterprise,
    }
}
