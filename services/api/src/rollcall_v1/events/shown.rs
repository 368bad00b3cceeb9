//! One record of a log as it is shown.
//!
//! Invariant: what is stored is shown, whatever its version; only the bytes of certificates are replaced by their Subject.

use rollcall_domain::certificate::{CertificateFacts, SubjectAttribute};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::{http::times, instances::records::StoredRecord};

/// What happened.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EventShown {
    /// Its place in the log.
    position: u64,
    /// When it was decided, UTC.
    time: String,
    /// What kind of event, such as `DeviceRegistered`.
    #[serde(rename = "type")]
    pub(super) kind: String,
    /// The version of the body's shape.
    version: u64,
    /// The id of the request that it came of.
    cause: String,
    /// Who asked: `{"certificate": "<SHA-256>"}` or `{"operator": "<name>"}`.
    #[schema(value_type = Object)]
    actor: Value,
    /// The W3C `traceparent` of the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    traceparent: Option<String>,
    /// What it says, as it is stored; a certificate is its fingerprint and `subject`.
    #[schema(value_type = Object)]
    body: Value,
}

impl From<&StoredRecord> for EventShown {
    fn from(stored: &StoredRecord) -> Self {
        let record = &stored.record;
        // It was decoded, so it is an object.
        let mut envelope: Map<String, Value> = serde_json::from_slice(&stored.text).unwrap_or_default();
        let mut take = |name: &str| envelope.remove(name).unwrap_or_default();
        let mut body = take("body");
        name_certificates(&mut body);
        Self {
            position: stored.position.0,
            time: times::with_milliseconds(record.time),
            kind: take("type").as_str().unwrap_or_default().to_owned(),
            version: take("version").as_u64().unwrap_or_default(),
            cause: record.cause.to_string(),
            actor: take("actor"),
            traceparent: record.traceparent.clone(),
            body,
        }
    }
}

/// Replaces the bytes of every certificate by its Subject. The fingerprint is beside it already.
fn name_certificates(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            if let Some(Value::String(der)) = fields.remove("der") {
                fields.insert("subject".to_owned(), subject(&der).into());
            }
            fields.values_mut().for_each(name_certificates);
        }
        Value::Array(entries) => entries.iter_mut().for_each(name_certificates),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Such as `CN=truck-1, O=Example`; empty if nothing of it can be used.
fn subject(base64: &str) -> String {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let facts = STANDARD.decode(base64).ok().and_then(|der| CertificateFacts::from_der(&der).ok());
    let Some(facts) = facts else { return String::new() };
    let usable = SubjectAttribute::ALL.into_iter().filter_map(|attribute| {
        let value = facts.attribute(attribute).ok()?;
        Some(format!("{}={value}", short(attribute)))
    });
    usable.collect::<Vec<_>>().join(", ")
}

/// As RFC 4514 writes it.
const fn short(attribute: SubjectAttribute) -> &'static str {
    match attribute {
        SubjectAttribute::Country => "C",
        SubjectAttribute::Organization => "O",
        SubjectAttribute::OrganizationalUnit => "OU",
        SubjectAttribute::DistinguishedNameQualifier => "dnQualifier",
        SubjectAttribute::StateName => "ST",
        SubjectAttribute::CommonName => "CN",
        SubjectAttribute::SerialNumber => "serialNumber",
    }
}
