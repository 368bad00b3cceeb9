//! Every subject and stream name, built here and nowhere else, from ids only: certificate text never gets near one.
//!
//! Invariant: an id is one token. Ids hold only letters, digits, `_` and `-`; whatever else should ever come is
//! percent-encoded all the same, so that a wider alphabet tomorrow cannot become a wildcard.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use rollcall_domain::ids::{ConnectorId, DeviceId, InstanceId, LogId, RegistrarId, RequestId, SpaceId};

use crate::{
    documents::{CursorName, DocumentKey},
    messages::Lane,
    requests::RequestKind,
};

/// What the fleet's own log is called where an instance's id would stand. No id can hold `~`.
const FLEET: &str = "~fleet";
/// What stays as it is in a token. `.`, `*`, `>` and blanks are not among it.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'_').remove(b'-');

/// One token of a subject, whatever the text.
pub(super) fn token(id: &str) -> String {
    utf8_percent_encode(id, ENCODED).to_string()
}

/// The token of a log.
fn log_token(log: &LogId) -> String {
    match log {
        LogId::Fleet => FLEET.to_owned(),
        LogId::Instance(id) => token(id.as_str()),
    }
}

/// The stream of a registry log.
pub(super) fn registry_stream(log: &LogId) -> String {
    format!("registry_{}", log_token(log))
}

/// All subjects of a registry log.
pub(super) fn registry_all(log: &LogId) -> String {
    format!("registry.{}.>", log_token(log))
}

/// The subject of its records: one, because a log is read whole.
pub(super) fn registry_record(log: &LogId) -> String {
    format!("registry.{}.record", log_token(log))
}

/// The stream of a request queue.
pub(super) fn requests_stream(log: &LogId) -> String {
    format!("requests_{}", log_token(log))
}

/// All subjects of a request queue.
pub(super) fn requests_all(log: &LogId) -> String {
    format!("requests.{}.*.*", log_token(log))
}

/// The subject of one request: it is what makes a request wait at most once, and what a connector's permissions name.
pub(super) fn request(log: &LogId, kind: RequestKind, id: &RequestId) -> String {
    format!("requests.{}.{}.{}", log_token(log), kind_token(kind), token(id.as_str()))
}

/// The kind and the id in the subject of a request.
pub(super) fn read_request(subject: &str) -> Result<(RequestKind, RequestId), String> {
    let mut tokens = subject.rsplit('.');
    let (id, kind) = (tokens.next().unwrap_or_default(), tokens.next().unwrap_or_default());
    let known = [RequestKind::Connect, RequestKind::Command].into_iter().find(|known| kind_token(*known) == kind);
    let kind = known.ok_or_else(|| format!("{kind:?} is no kind of request"))?;
    Ok((kind, RequestId::parse(id).map_err(|error| error.to_string())?))
}

const fn kind_token(kind: RequestKind) -> &'static str {
    match kind {
        RequestKind::Connect => "connect",
        RequestKind::Command => "command",
    }
}

/// Where rulings are announced; kept by no stream.
pub(super) fn rulings(log: &LogId) -> String {
    format!("rulings.{}", log_token(log))
}

/// The stream of rejected attempts.
pub(super) fn attempts_stream(log: &LogId) -> String {
    format!("attempts_{}", log_token(log))
}

/// The one subject of rejected attempts.
pub(super) fn attempts(log: &LogId) -> String {
    format!("attempts.{}", log_token(log))
}

/// The stream of an instance's device messages.
pub(super) fn messages_stream(instance: &InstanceId) -> String {
    format!("messages_{}", token(instance.as_str()))
}

/// All device messages of an instance.
pub(super) fn messages_all(instance: &InstanceId) -> String {
    format!("messages.{}.>", token(instance.as_str()))
}

/// What of them is for connectors to hand on: a filter of one subject is one that the broker's permissions can name.
pub(super) fn messages_to_devices(instance: &InstanceId) -> String {
    format!("messages.{}.devices.>", token(instance.as_str()))
}

/// One lane of them.
pub(super) fn messages_lane(instance: &InstanceId, lane: Lane) -> String {
    format!("messages.{}.{}.>", token(instance.as_str()), lane_tokens(lane))
}

/// The subject of one device's messages on one lane.
pub(super) fn message(instance: &InstanceId, lane: Lane, space: &SpaceId, device: &DeviceId) -> String {
    let (instance, lane) = (token(instance.as_str()), lane_tokens(lane));
    format!("messages.{instance}.{lane}.{}.{}", token(space.as_str()), token(device.as_str()))
}

const fn lane_tokens(lane: Lane) -> &'static str {
    match lane {
        Lane::Up => "platform.up",
        Lane::Down => "devices.down",
        Lane::Lateral => "devices.lateral",
    }
}

/// The stream of an instance's presence.
pub(super) fn presence_stream(instance: &InstanceId) -> String {
    format!("presence_{}", token(instance.as_str()))
}

/// All of an instance's presence.
pub(super) fn presence_all(instance: &InstanceId) -> String {
    format!("presence.{}.>", token(instance.as_str()))
}

/// Where the server repeats everything that it stores of an instance's presence, as it stores it.
pub(super) fn presence_repeated(instance: &InstanceId) -> String {
    format!("presence-repeated.{}.>", token(instance.as_str()))
}

/// The last change of one device.
pub(super) fn presence_device(instance: &InstanceId, device: &DeviceId) -> String {
    format!("presence.{}.device.{}", token(instance.as_str()), token(device.as_str()))
}

/// The last heartbeat of one connector.
pub(super) fn presence_connector(instance: &InstanceId, connector: &ConnectorId) -> String {
    format!("presence.{}.connector.{}", token(instance.as_str()), token(connector.as_str()))
}

/// The last heartbeats of all connectors.
pub(super) fn presence_connectors(instance: &InstanceId) -> String {
    format!("presence.{}.connector.*", token(instance.as_str()))
}

/// The stream of registrars' announcements: one for the fleet.
pub(super) const HEARTBEATS_STREAM: &str = "heartbeats";
/// All of them.
pub(super) const HEARTBEATS_ALL: &str = "heartbeats.>";

/// The last announcement of a registrar for one shard of logs.
pub(super) fn heartbeat(registrar: &RegistrarId, shard: u32) -> String {
    format!("heartbeats.{}.{shard}", token(registrar.as_str()))
}

/// The stream of an instance's documents.
pub(super) fn documents_stream(instance: &InstanceId) -> String {
    format!("documents_{}", token(instance.as_str()))
}

/// All documents of an instance.
pub(super) fn documents_all(instance: &InstanceId) -> String {
    format!("documents.{}.>", token(instance.as_str()))
}

/// The subject of one document.
pub(super) fn document(instance: &InstanceId, key: &DocumentKey) -> String {
    let key = match key {
        DocumentKey::Shadow(device) => format!("shadow.{}", token(device.as_str())),
        DocumentKey::Messages(device) => format!("messages.{}", token(device.as_str())),
        DocumentKey::Message(device, number) => format!("message.{}.{number}", token(device.as_str())),
        DocumentKey::Cursor(CursorName::Reports) => "cursor.reports".to_owned(),
    };
    format!("documents.{}.{key}", token(instance.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f9_nothing_but_a_plain_token_comes_of_an_id() {
        assert_eq!(token("a.b*c>d e\u{0}/é"), "a%2Eb%2Ac%3Ed%20e%00%2F%C3%A9");
        assert_eq!(token("Dev-1_x"), "Dev-1_x");
    }

    #[test]
    fn an_instance_called_fleet_has_a_log_of_its_own() {
        let instance = LogId::Instance(InstanceId::parse("fleet").unwrap());
        assert_ne!(registry_stream(&instance), registry_stream(&LogId::Fleet));
        assert_ne!(registry_record(&instance), registry_record(&LogId::Fleet));
    }
}
