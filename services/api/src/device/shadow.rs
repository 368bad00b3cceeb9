//! The shadow of a device: what is desired of its properties and what it has reported, by service. No I/O and no clock.
//!
//! Not for when it is stored or sent. Invariants: a report counts once, whoever folds it and however reports are grouped;
//! the version of a service rises with every change of either side; what one change asks for happens whole or not at all.

use std::collections::{BTreeMap, VecDeque};

use rollcall_backbone::{messages::MessagePosition, presence::Session};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{claim::Claim, documents::Life};

/// Properties by name.
pub(crate) type Properties = Map<String, Value>;

/// How many changes with an `Idempotency-Key` are remembered.
const GRANTED_MAX: usize = 8;

/// The document.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Shadow {
    /// The record that created the device.
    born: u64,
    /// By service id.
    pub(crate) services: BTreeMap<String, Service>,
    /// How often what is desired has changed.
    desired_changes: u64,
    /// What the device was last told.
    sent: Option<Sent>,
    /// Who is telling it.
    pub(crate) claim: Option<Claim>,
    /// The last message of the device that is in here.
    folded: Mark,
    /// Keys of the latest changes that had one.
    granted: VecDeque<String>,
}

/// One service of a device.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Service {
    /// What it should be.
    pub(crate) desired: Side,
    /// What it says it is.
    pub(crate) reported: Side,
    /// Rises with every change of either.
    pub(crate) version: u64,
}

/// Values and when they were last set.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Side {
    /// The values.
    pub(crate) properties: Properties,
    /// Milliseconds since the Unix epoch; `None`: never.
    pub(crate) at_ms: Option<i64>,
}

/// A place in the message stream of an instance; `epoch` counts how often that was made anew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Mark {
    /// Which stream.
    pub(crate) epoch: u64,
    /// Where in it.
    #[serde(flatten)]
    pub(crate) position: MessagePosition,
}

/// What a session has been told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Sent {
    connector: String,
    number: u64,
    desired_changes: u64,
}

/// A wanted change of what is desired of one service.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Wish {
    /// Which service.
    pub(crate) service_id: String,
    /// Values to set; null removes one, none at all removes all.
    pub(crate) desired: Properties,
    /// What the version must be.
    pub(crate) version: Option<u64>,
}

/// What a device reports of one service.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Reported {
    /// Which service.
    pub(crate) service_id: String,
    /// Values; null removes one.
    pub(crate) properties: Properties,
    /// When they were so, milliseconds since the Unix epoch.
    pub(crate) at_ms: i64,
}

/// A service has another version than the change was made for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OtherVersion {
    /// Which service.
    pub(crate) service_id: String,
    /// What its version is.
    pub(crate) found: u64,
}

impl Life for Shadow {
    fn beginning(born: u64) -> Self {
        Self { born, ..Self::default() }
    }

    fn born(&self) -> u64 {
        self.born
    }
}

impl Side {
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
    /// Whether a change with this key is in here already.
    pub(crate) fn has_granted(&self, key: &str) -> bool {
        self.granted.iter().any(|granted| granted == key)
    }

    /// Whether anything was ever desired.
    pub(crate) fn has_wishes(&self) -> bool {
        self.desired_changes > 0
    }

    /// Changes what is desired.
    ///
    /// # Errors
    /// [`OtherVersion`]: nothing has been changed.
    pub(crate) fn desire(&mut self, wishes: &[Wish], key: Option<&str>, now_ms: i64) -> Result<(), OtherVersion> {
        let mut services = self.services.clone();
        for wish in wishes {
            let found = services.get(&wish.service_id).map_or(0, |service| service.version);
            if wish.version.is_some_and(|wanted| wanted != found) {
                return Err(OtherVersion { service_id: wish.service_id.clone(), found });
            }
            // Nothing is made of taking away what is not there.
            if found == 0 && wish.desired.values().all(Value::is_null) {
                continue;
            }
            let service = services.entry(wish.service_id.clone()).or_default();
            if wish.desired.is_empty() {
                service.desired.properties.clear();
            }
            service.desired.merge(&wish.desired, now_ms);
            service.version += 1;
        }
        self.services = services;
        self.desired_changes += 1;
        if let Some(key) = key {
            self.granted.push_back(key.to_owned());
            while self.granted.len() > GRANTED_MAX {
                self.granted.pop_front();
            }
        }
        Ok(())
    }

    /// Desires nothing any more. Says whether that is a change.
    pub(crate) fn clear(&mut self, now_ms: i64) -> bool {
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
    pub(crate) fn is_news(&self, mark: Mark) -> bool {
        mark > self.folded
    }

    /// Takes a message of the device in: what it reports, if that is anything. Messages come in their order.
    pub(crate) fn fold(&mut self, mark: Mark, reports: &[Reported]) {
        for report in reports {
            let service = self.services.entry(report.service_id.clone()).or_default();
            service.reported.merge(&report.properties, report.at_ms);
            service.version += 1;
        }
        self.folded = mark;
    }

    /// What is desired and not so, by service.
    pub(crate) fn differences(&self) -> BTreeMap<&str, Properties> {
        let differences = self.services.iter().map(|(id, service)| {
            let reported = &service.reported.properties;
            let wanted = service.desired.properties.iter().filter(|(name, value)| reported.get(*name) != Some(*value));
            (id.as_str(), wanted.map(|(name, value)| (name.clone(), value.clone())).collect::<Properties>())
        });
        differences.filter(|(_, properties)| !properties.is_empty()).collect()
    }

    /// Whether a session is to be told what is desired: it has not been, or not the latest, and something is not so.
    pub(crate) fn is_owed_to(&self, session: &Session) -> bool {
        self.sent.as_ref() != Some(&self.told(session)) && !self.differences().is_empty()
    }

    /// What [`Shadow::has_told`] is to be told after telling a session what is desired now.
    pub(crate) fn desired_changes(&self) -> u64 {
        self.desired_changes
    }

    /// A session has been told what was desired after so many changes.
    pub(crate) fn has_told(&mut self, session: &Session, desired_changes: u64) {
        self.sent = Some(Sent { desired_changes, ..self.told(session) });
    }

    fn told(&self, session: &Session) -> Sent {
        Sent { connector: session.connector.to_string(), number: session.number, desired_changes: self.desired_changes }
    }
}

#[cfg(test)]
mod tests;
