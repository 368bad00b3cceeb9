//! The JSON Schemas of everything that is written down or sent, one document for each released (type, version).
//!
//! `generated/` holds them for people and other programs; a test compares, and rewrites when asked to.

use schemars::Schema;
use serde_json::json;

use crate::{announcement::Announcement, attempt::Attempt, event, request, ruling::Ruling};

/// Every document: its path below `generated/` without `.json`, and the schema.
pub fn documents() -> Vec<(String, Schema)> {
    let events = event::upcast::released().into_iter().map(|row| versioned("event", row));
    let requests = request::upcast::released().into_iter().map(|row| versioned("request", row));
    let [attempt_v1, attempt_v2] = Attempt::schemas();
    let others = [
        ("ruling.v1".to_owned(), Ruling::schema()),
        ("attempt.v1".to_owned(), attempt_v1),
        ("attempt.v2".to_owned(), attempt_v2),
        ("announcement.v1".to_owned(), Announcement::schema()),
    ];
    events.chain(requests).chain(others).collect()
}

/// The envelope's schema with `type` and `version` pinned to the one (type, version) that the body is.
fn versioned(family: &str, (kind, version, mut schema): (&str, u32, Schema)) -> (String, Schema) {
    schema.insert("title".to_owned(), json!(format!("{kind}, version {version}")));
    for (field, value) in [("type", json!(kind)), ("version", json!(version))] {
        if let Some(property) = schema.pointer_mut(&format!("/properties/{field}")).and_then(|p| p.as_object_mut()) {
            property.insert("const".to_owned(), value);
        }
    }
    (format!("{family}/{kind}.v{version}"), schema)
}
