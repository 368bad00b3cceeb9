//! The shadow of a device: what is desired of its properties and what it has reported, by service. No I/O and no clock.
//!
//! Does not store or send. Invariants: a report counts once, whichever process folds it and however reports are grouped;
//! the version of a service rises with every change of either side; what one change asks for happens whole or not at all.

use std::collections::{BTreeMap, VecDeque};

use rollcall_domain::{session::Session, time::Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::{claim::Claim, document::DeviceDocument, event::DeviceInfo, times};

/// Properties by name.
pub type Properties = Map<String, Value>;

/// How many changes with an `Idempotency-Key` are remembered.
const APPLIED_KEYS_MAX: usize = 8;

/// The document with both sides of each service of a device.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Shadow {
    /// See [`DeviceDocument::created_at`].
    #[serde(rename = "born")]
    created_at: u64,
    /// By service id.
    pub services: BTreeMap<String, Service>,
    /// What software the device runs, if it has said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub info: Option<DeviceInfo>,
    /// How often what is desired has changed, or a report has shown that it is not so: either is a reason to send it.
    desired_changes: u64,
    /// `desired_changes` when a report last raised it; 0: none has.
    #[serde(default)]
    raised_by_report: u64,
    /// What the device was last told.
    sent: Option<Sent>,
    /// Who is telling it.
    pub claim: Option<Claim>,
    /// The last message of the device that is in here.
    folded: StreamMark,
    /// The latest changes that had an `Idempotency-Key`: hash of the key, a dot, hash of the request.
    #[serde(rename = "granted")]
    applied_keys: VecDeque<String>,
}

/// One service of a device.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Service {
    /// What it should be.
    pub desired: Side,
    /// What it says it is.
    pub reported: Side,
    /// Rises with every change of either.
    pub version: u64,
}

/// Values and when they were last set.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Side {
    pub properties: Properties,
    /// Milliseconds since the Unix epoch; `None`: never.
    pub at_ms: Option<i64>,
}

/// A place among the messages of an instance. Rises in the order in which they are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct StreamMark {
    /// How often the streams were made anew.
    pub epoch: u64,
    /// The shard; `None`: the instance's own stream, whose messages come before those of its shard.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard: Option<u32>,
    /// The sequence in that stream.
    #[serde(rename = "position")]
    pub sequence: u64,
}

/// What a session has been told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Sent {
    connector: String,
    number: u64,
    desired_changes: u64,
}

/// A property that is desired and not so.
#[derive(Clone, Copy, Debug)]
struct Unmet<'a> {
    service_id: &'a str,
    name: &'a str,
    desired: &'a Value,
    reported: Option<&'a Value>,
}

/// A wanted change of what is desired of one service.
#[derive(Clone, Debug, PartialEq)]
pub struct DesiredChange {
    pub service_id: String,
    /// Values to set; null removes one, none at all removes all.
    pub desired: Properties,
    /// What the version must be.
    pub version: Option<u64>,
}

/// What a device reports of one service.
#[derive(Clone, Debug, PartialEq)]
pub struct Reported {
    pub service_id: String,
    /// Values; null removes one.
    pub properties: Properties,
    /// When they were so, milliseconds since the Unix epoch.
    pub at_ms: i64,
}

/// A request that came with an `Idempotency-Key`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyedRequest {
    /// Hash of the key, without a dot.
    pub key: String,
    /// Hash of the request.
    pub request: String,
}

/// For what the key of a request was used before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyUse {
    /// For nothing that is remembered.
    Unused,
    SameRequest,
    OtherRequest,
}

/// A service has another version than the change was made for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtherVersion {
    pub service_id: String,
    /// What its version is.
    pub found: u64,
}

impl DeviceDocument for Shadow {
    fn new(created_at: u64) -> Self {
        Self { created_at, ..Self::default() }
    }

    fn created_at(&self) -> u64 {
        self.created_at
    }
}

impl KeyedRequest {
    fn to_text(&self) -> String {
        format!("{}.{}", self.key, self.request)
    }
}

impl Service {
    /// As devices are sent it, and as the v5 API shows it: `service_id`, `desired`, `reported`, `version`.
    pub fn to_json(&self, service_id: &str) -> Value {
        json!({
            "service_id": service_id,
            "desired": self.desired.to_json(),
            "reported": self.reported.to_json(),
            "version": self.version,
        })
    }
}

impl Side {
    /// `event_time` is absent if nothing was ever set.
    fn to_json(&self) -> Value {
        let mut side = Properties::from_iter([("properties".to_owned(), Value::Object(self.properties.clone()))]);
        if let Some(at_ms) = self.at_ms {
            side.insert("event_time".to_owned(), times::basic(Timestamp::from_unix_ms(at_ms)).into());
        }
        Value::Object(side)
    }

    fn merge(&mut self, changes: &Properties, at_ms: i64) {
        for (name, value) in changes {
            if value.is_null() {
                self.properties.remove(name);
            } else {
                self.properties.insert(name.clone(), value.clone());
            }
        }
        self.at_ms = Some(at_ms);
    }
}

impl Shadow {
    /// For what the key of a request was used among the changes that are remembered.
    pub fn key_use(&self, by: &KeyedRequest) -> KeyUse {
        let of_key = format!("{}.", by.key);
        match self.applied_keys.iter().find_map(|applied| applied.strip_prefix(&of_key)) {
            None => KeyUse::Unused,
            Some(request) if request == by.request => KeyUse::SameRequest,
            Some(_) => KeyUse::OtherRequest,
        }
    }

    /// Whether anything was ever desired.
    pub fn has_desired(&self) -> bool {
        self.desired_changes > 0
    }

    /// Changes what is desired.
    ///
    /// # Errors
    /// [`OtherVersion`]: nothing has been changed.
    pub fn apply(
        &mut self,
        changes: &[DesiredChange],
        keyed: Option<&KeyedRequest>,
        now_ms: i64,
    ) -> Result<(), OtherVersion> {
        let mut services = self.services.clone();
        for change in changes {
            let found = services.get(&change.service_id).map_or(0, |service| service.version);
            if change.version.is_some_and(|wanted| wanted != found) {
                return Err(OtherVersion { service_id: change.service_id.clone(), found });
            }
            // Nothing is made of taking away what is not there.
            if found == 0 && change.desired.values().all(Value::is_null) {
                continue;
            }
            let service = services.entry(change.service_id.clone()).or_default();
            if change.desired.is_empty() {
                service.desired.properties.clear();
            }
            service.desired.merge(&change.desired, now_ms);
            service.version += 1;
        }
        self.services = services;
        self.desired_changes += 1;
        if let Some(keyed) = keyed {
            self.applied_keys.push_back(keyed.to_text());
            while self.applied_keys.len() > APPLIED_KEYS_MAX {
                self.applied_keys.pop_front();
            }
        }
        Ok(())
    }

    /// Desires nothing any more. Says whether that is a change.
    pub fn clear_desired(&mut self, now_ms: i64) -> bool {
        let mut changed = false;
        for service in self.services.values_mut().filter(|service| !service.desired.properties.is_empty()) {
            service.desired = Side { properties: Properties::new(), at_ms: Some(now_ms) };
            service.version += 1;
            changed = true;
        }
        self.desired_changes += u64::from(changed);
        changed
    }

    /// Whether a message of the device is not in here yet.
    pub fn is_new(&self, mark: StreamMark) -> bool {
        mark > self.folded
    }

    /// Takes a message of the device in: what it reports, if that is anything. Messages come in their order. Says whether it
    /// reported and something is not as desired.
    ///
    /// What is desired is sent again then, as at the service, but not if the report before showed the same: a device that keeps
    /// another value than it is told, as the most that it can, reports that each time that it is told.
    pub fn fold(&mut self, mark: StreamMark, reports: &[Reported]) -> bool {
        self.folded = mark;
        if reports.is_empty() {
            return false;
        }
        let before = self.unmet().map(|unmet| (unmet.service_id.to_owned(), unmet.name.to_owned(), unmet.reported.cloned()));
        let before: Vec<_> = before.collect();
        for report in reports {
            let service = self.services.entry(report.service_id.clone()).or_default();
            service.reported.merge(&report.properties, report.at_ms);
            service.version += 1;
        }
        let after: Vec<Unmet<'_>> = self.unmet().collect();
        if after.is_empty() {
            return false;
        }
        let is_as_before = after.len() == before.len()
            && after.iter().zip(&before).all(|(unmet, (service_id, name, reported))| {
                unmet.service_id == service_id && unmet.name == name && same_reported(unmet.reported, reported.as_ref())
            });
        // What was desired anew since is sent once more, whatever the report before showed.
        if !is_as_before || self.raised_by_report != self.desired_changes {
            self.desired_changes += 1;
            self.raised_by_report = self.desired_changes;
        }
        true
    }

    /// What is desired and not so, by service.
    pub fn delta(&self) -> BTreeMap<&str, Properties> {
        let mut delta = BTreeMap::<_, Properties>::new();
        for Unmet { service_id, name, desired, .. } in self.unmet() {
            delta.entry(service_id).or_default().insert(name.to_owned(), desired.clone());
        }
        delta
    }

    fn unmet(&self) -> impl Iterator<Item = Unmet<'_>> {
        self.services.iter().flat_map(|(service_id, service)| {
            let unmet = service.desired.properties.iter().map(move |(name, desired)| Unmet {
                service_id,
                name,
                desired,
                reported: service.reported.properties.get(name),
            });
            unmet.filter(|unmet| !unmet.reported.is_some_and(|reported| same(reported, unmet.desired)))
        })
    }

    /// Whether anything that is desired is not so.
    fn differs(&self) -> bool {
        self.unmet().next().is_some()
    }

    /// Whether a session is to be told what is desired: it has not been, or not since there was reason to, and something is
    /// not so.
    pub fn is_pending_for(&self, session: &Session) -> bool {
        self.sent.as_ref() != Some(&self.sent_to(session)) && self.differs()
    }

    /// What [`Shadow::mark_sent`] is to be told after telling a session what is desired now.
    pub fn desired_changes(&self) -> u64 {
        self.desired_changes
    }

    /// A session has been told what was desired after so many changes.
    pub fn mark_sent(&mut self, session: &Session, desired_changes: u64) {
        self.sent = Some(Sent { desired_changes, ..self.sent_to(session) });
    }

    fn sent_to(&self, session: &Session) -> Sent {
        Sent { connector: session.connector.to_string(), number: session.number, desired_changes: self.desired_changes }
    }
}

/// Whether two values are the same to a device. Numbers are compared by value: 20 and 20.0 are one number in JSON, and which of
/// them is written depends on the writer.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        // Two integers are compared exactly, an integer and a float as floats: a device that has floats can tell no more apart.
        (Value::Number(one), Value::Number(other)) => {
            one == other || ((one.is_f64() || other.is_f64()) && one.as_f64() == other.as_f64())
        }
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(name, value)| other.get(name).is_some_and(|other| same(value, other)))
        }
        _ => one == other,
    }
}

fn same_reported(one: Option<&Value>, other: Option<&Value>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => same(one, other),
        (one, other) => one.is_none() && other.is_none(),
    }
}

#[cfg(test)]
mod tests;
