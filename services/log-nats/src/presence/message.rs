//! What the messages of a presence stream say: that a connector is alive, or where a device is.

use async_nats::{HeaderMap, Message};
use bytes::Bytes;
use rollcall_domain::{
    ids::{ConnectorId, DeviceId, Position},
    time::Timestamp,
};
use rollcall_log::presence::{Beat, FleetBeat, PresenceChange, Session};
use serde::{Deserialize, Serialize};

use crate::subjects;

/// How far the view of a connector is that is alive.
const POSITION: &str = "Rollcall-Position";
/// How many sessions it holds.
const SESSIONS: &str = "Rollcall-Sessions";
/// The log's digest at the position, in hexadecimal.
const DIGEST: &str = "Rollcall-Digest";
/// How old the view is.
const AGE_MS: &str = "Rollcall-Age-Ms";
/// How far its view of the fleet's log is.
const FLEET_POSITION: &str = "Rollcall-Fleet-Position";
/// The digest of the fleet's log there, in hexadecimal.
const FLEET_DIGEST: &str = "Rollcall-Fleet-Digest";
/// How old that view is.
const FLEET_AGE_MS: &str = "Rollcall-Fleet-Age-Ms";

/// Says with a heartbeat how its connector is. In headers: the payload is the lease's name and nothing else, for watchers
/// of earlier versions too.
pub(super) fn write_beat(beat: Beat, headers: &mut HeaderMap) {
    headers.insert(POSITION, beat.position.to_string());
    headers.insert(SESSIONS, beat.sessions.to_string());
    if let Some(digest) = beat.digest {
        headers.insert(DIGEST, hex::encode(digest));
    }
    if let Some(age_ms) = beat.age_ms {
        headers.insert(AGE_MS, age_ms.to_string());
    }
    if let Some(FleetBeat { position, digest, age_ms }) = beat.fleet {
        headers.insert(FLEET_POSITION, position.to_string());
        headers.insert(FLEET_DIGEST, hex::encode(digest));
        if let Some(age_ms) = age_ms {
            headers.insert(FLEET_AGE_MS, age_ms.to_string());
        }
    }
}

/// What a heartbeat says of its connector; what it does not say, as earlier versions do not, is zero or nothing.
pub(super) fn read_beat(headers: &HeaderMap) -> Beat {
    let number = |name: &str| headers.get(name).and_then(|value| value.as_str().parse().ok());
    let digest = |name: &str| headers.get(name).and_then(|value| hex::decode(value.as_str()).ok()?.try_into().ok());
    let fleet = number(FLEET_POSITION).zip(digest(FLEET_DIGEST));
    Beat {
        position: Position(number(POSITION).unwrap_or_default()),
        sessions: number(SESSIONS).unwrap_or_default(),
        digest: digest(DIGEST),
        age_ms: number(AGE_MS),
        fleet: fleet.map(|(position, digest)| FleetBeat {
            position: Position(position),
            digest,
            age_ms: number(FLEET_AGE_MS),
        }),
    }
}

/// What a message of the stream says.
pub(super) enum Said {
    Alive { connector: ConnectorId, lease: String },
    Change(Change),
}

/// Reads a message by its subject, as it was stored or repeated.
pub(super) fn said(message: &Message) -> Result<Said, String> {
    match subjects::read_presence(&message.subject) {
        Some((_, "connector", id)) => Ok(Said::Alive {
            connector: ConnectorId::parse(id).map_err(|error| error.to_string())?,
            lease: String::from_utf8_lossy(&message.payload).into_owned(),
        }),
        Some((_, "device", _)) => Change::read(&message.payload).map(Said::Change),
        _ => Err(format!("nothing is said on {}", message.subject)),
    }
}

/// A device's change as stored.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredChange {
    online: bool,
    device: String,
    connector: String,
    number: u64,
    lease: String,
    at_ms: i64,
}

/// The same with its values checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) online: bool,
    pub(super) device: DeviceId,
    pub(super) session: Session,
    /// Under which lease of its connector it was said.
    pub(super) lease: String,
    pub(super) at: Timestamp,
}

impl Change {
    pub(super) fn read(payload: &[u8]) -> Result<Self, String> {
        let stored: StoredChange = serde_json::from_slice(payload).map_err(|error| error.to_string())?;
        Ok(Self {
            online: stored.online,
            device: DeviceId::parse(&stored.device).map_err(|error| error.to_string())?,
            session: Session {
                connector: ConnectorId::parse(&stored.connector).map_err(|error| error.to_string())?,
                number: stored.number,
            },
            lease: stored.lease,
            at: Timestamp::from_unix_ms(stored.at_ms),
        })
    }

    pub(super) fn write(&self) -> Result<Bytes, String> {
        let stored = StoredChange {
            online: self.online,
            device: self.device.to_string(),
            connector: self.session.connector.to_string(),
            number: self.session.number,
            lease: self.lease.clone(),
            at_ms: self.at.unix_ms(),
        };
        serde_json::to_vec(&stored).map(Bytes::from).map_err(|error| error.to_string())
    }

    /// As watchers see it.
    pub(super) fn shown(self) -> PresenceChange {
        let Self { online, device, session, at, lease: _ } = self;
        if online { PresenceChange::Online { device, session, at } } else { PresenceChange::Offline { device, session, at } }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use async_nats::HeaderMap;
    use rollcall_domain::ids::Position;

    use super::{Change, read_beat, write_beat};
    use rollcall_log::presence::{Beat, FleetBeat};

    #[test]
    fn a_heartbeat_that_says_nothing_of_its_connector_is_read_all_the_same() {
        let mut headers = HeaderMap::new();
        assert_eq!(read_beat(&headers), Beat::default());
        let fleet = FleetBeat { position: Position(9), digest: [0xcd; 32], age_ms: Some(40) };
        let beat = Beat {
            position: Position(u64::MAX),
            sessions: 7,
            digest: Some([0xab; 32]),
            age_ms: Some(250),
            fleet: Some(fleet),
        };
        write_beat(beat, &mut headers);
        assert_eq!(read_beat(&headers), beat);
        headers.insert("Rollcall-Sessions", "many");
        headers.insert("Rollcall-Digest", "abab");
        headers.insert("Rollcall-Fleet-Digest", "cdcd");
        assert_eq!(read_beat(&headers), Beat { sessions: 0, digest: None, fleet: None, ..beat });
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            let _ = Change::read(&bytes);
        }
    }
}
