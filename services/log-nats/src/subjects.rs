//! Every subject and stream name, built here and nowhere else, from ids only: certificate text never gets near one.
//!
//! What is sharded has the shard as its second token, and then what it had before there were shards: the broker tells
//! streams apart by whole tokens, and refuses two that could hold the same subject.
//!
//! Below it is what names are made of: `token`, `shards`, `submitter`. Invariant: an id is one token of them; see `token`.

pub(crate) mod shards;
pub(crate) mod submitter;
pub(crate) mod token;

use rollcall_domain::{
    ids::{ConnectorId, DeviceId, InstanceId, LogId, RegistrarId, RequestId, SpaceId},
    session::Session,
};
use rollcall_log::{
    documents::{CursorName, DocumentKey},
    messages::Lane,
    requests::RequestKind,
};

use shards::Shard;
use submitter::Submitter;
use token::{FLEET, log_token, token};

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

/// The stream of a shard of requests.
pub(super) fn requests_stream(shard: Shard) -> String {
    format!("requests_{shard}")
}

/// All subjects of a shard of requests.
pub(super) fn requests_all(shard: Shard) -> String {
    format!("requests.{shard}.*.*.*.*")
}

/// The subjects of one log's requests.
pub(super) fn requests_of_log(shard: Shard, log: &LogId) -> String {
    format!("requests.{shard}.{}.*.*.*", log_token(log))
}

/// The subjects of a shard's certificate-connect events.
pub(super) fn connects(shard: Shard) -> String {
    format!("requests.{shard}.*.{}.*.*", kind_token(RequestKind::Connect))
}

/// What a request's subject says of it: it is what makes a request wait at most once, and what permissions name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) log: LogId,
    pub(super) kind: RequestKind,
    pub(super) submitter: Submitter,
    pub(super) id: RequestId,
}

impl Request {
    /// The subject in the log's shard.
    pub(super) fn subject(&self, shard: Shard) -> String {
        let Self { log, kind, submitter, id } = self;
        format!("requests.{shard}.{}.{}.{submitter}.{}", log_token(log), kind_token(*kind), token(id.as_str()))
    }

    /// From a subject of a shard, or of a log's own stream of version 0.1, which does not say who submitted.
    pub(super) fn read(subject: &str) -> Result<Self, String> {
        let tokens: Vec<&str> = subject.split('.').collect();
        let (log, kind, submitter, id) = match *tokens.as_slice() {
            [_, _shard, log, kind, submitter, id] => (log, kind, Submitter::read(submitter), id),
            [_, log, kind, id] => (log, kind, Submitter::NOBODY, id),
            _ => return Err(format!("{} tokens are no request's", tokens.len())),
        };
        let known = [RequestKind::Connect, RequestKind::Command].into_iter().find(|known| kind_token(*known) == kind);
        let kind = known.ok_or_else(|| format!("{kind:?} is no kind of request"))?;
        let log = match log {
            FLEET => LogId::Fleet,
            instance => LogId::Instance(InstanceId::parse(instance).map_err(|error| error.to_string())?),
        };
        Ok(Self { log, kind, submitter, id: RequestId::parse(id).map_err(|error| error.to_string())? })
    }
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

/// The stream of a shard of rejected attempts.
pub(super) fn attempts_stream(shard: Shard) -> String {
    format!("attempts_{shard}")
}

/// All rejected attempts of a shard.
pub(super) fn attempts_all(shard: Shard) -> String {
    format!("attempts.{shard}.*.*")
}

/// The rejected attempts of a log, of all submitters.
pub(super) fn attempts_of_log(shard: Shard, log: &LogId) -> String {
    format!("attempts.{shard}.{}.>", log_token(log))
}

/// The one subject of the rejected attempts of a log that one submitter keeps.
pub(super) fn attempts(shard: Shard, log: &LogId, submitter: &Submitter) -> String {
    format!("attempts.{shard}.{}.{submitter}", log_token(log))
}

/// Where device messages of an instance are: the stream, and what its subjects begin with.
#[derive(Clone, Debug)]
pub(super) struct Messages {
    /// The stream's name.
    pub(super) stream: String,
    root: String,
}

impl Messages {
    /// In the instance's shard.
    pub(super) fn sharded(shard: Shard, instance: &InstanceId) -> Self {
        Self { stream: messages_stream(shard), root: format!("messages.{shard}.{}", token(instance.as_str())) }
    }

    /// In the stream of the instance's own that version 0.1 made.
    pub(super) fn own(instance: &InstanceId) -> Self {
        let instance = token(instance.as_str());
        Self { stream: format!("messages_{instance}"), root: format!("messages.{instance}") }
    }

    /// All of them.
    pub(super) fn all(&self) -> String {
        format!("{}.>", self.root)
    }

    /// What of them is for connectors to hand on: a filter of one subject is one that the broker's permissions can name.
    pub(super) fn to_devices(&self) -> String {
        format!("{}.devices.>", self.root)
    }

    /// One lane of them.
    pub(super) fn lane(&self, lane: Lane) -> String {
        format!("{}.{}.>", self.root, lane_tokens(lane))
    }

    /// One lane of a resource space's devices.
    pub(super) fn of_space(&self, lane: Lane, space: &SpaceId) -> String {
        format!("{}.{}.{}.>", self.root, lane_tokens(lane), token(space.as_str()))
    }

    /// The subject of one device's messages on one lane.
    pub(super) fn of_device(&self, lane: Lane, space: &SpaceId, device: &DeviceId) -> String {
        format!("{}.{}.{}.{}", self.root, lane_tokens(lane), token(space.as_str()), token(device.as_str()))
    }
}

/// The stream of a shard of device messages.
pub(super) fn messages_stream(shard: Shard) -> String {
    format!("messages_{shard}")
}

/// All device messages of a shard.
pub(super) fn messages_all(shard: Shard) -> String {
    format!("messages.{shard}.>")
}

const fn lane_tokens(lane: Lane) -> &'static str {
    match lane {
        Lane::Uplink => "platform.up",
        Lane::Downlink => "devices.down",
        Lane::Peer => "devices.lateral",
    }
}

/// The stream of a shard of presence.
pub(super) fn presence_stream(shard: Shard) -> String {
    format!("presence_{shard}")
}

/// All presence of a shard.
pub(super) fn presence_all(shard: Shard) -> String {
    format!("presence.{shard}.>")
}

/// All presence of an instance.
pub(super) fn presence_of_instance(shard: Shard, instance: &InstanceId) -> String {
    format!("presence.{shard}.{}.>", token(instance.as_str()))
}

/// Where the server repeats everything that it stores of a shard's presence, as it stores it.
pub(super) fn presence_repeated(shard: Shard) -> String {
    format!("presence-repeated.{shard}.>")
}

/// The instance, the kind and the id of a subject of presence, repeated or not.
pub(super) fn read_presence(subject: &str) -> Option<(&str, &str, &str)> {
    let mut tokens = subject.split('.').skip(2);
    Some((tokens.next()?, tokens.next()?, tokens.next()?))
}

/// The last change of one device.
pub(super) fn presence_device(shard: Shard, instance: &InstanceId, device: &DeviceId) -> String {
    format!("presence.{shard}.{}.device.{}", token(instance.as_str()), token(device.as_str()))
}

/// The last heartbeat of one connector.
pub(super) fn presence_connector(shard: Shard, instance: &InstanceId, connector: &ConnectorId) -> String {
    format!("presence.{shard}.{}.connector.{}", token(instance.as_str()), token(connector.as_str()))
}

/// The last heartbeats of all connectors.
pub(super) fn presence_connectors(shard: Shard, instance: &InstanceId) -> String {
    format!("presence.{shard}.{}.connector.*", token(instance.as_str()))
}

/// The stream of registrars' announcements: one for the fleet.
pub(super) const HEARTBEATS_STREAM: &str = "heartbeats";
/// All of them.
pub(super) const HEARTBEATS_ALL: &str = "heartbeats.>";

/// The last announcement of a registrar for one shard of logs.
pub(super) fn heartbeat(registrar: &RegistrarId, shard: u32) -> String {
    format!("heartbeats.{}.{shard}", token(registrar.as_str()))
}

/// The stream of a shard of documents.
pub(super) fn documents_stream(shard: Shard) -> String {
    format!("documents_{shard}")
}

/// All documents of a shard.
pub(super) fn documents_all(shard: Shard) -> String {
    format!("documents.{shard}.>")
}

/// The subject of one document.
pub(super) fn document(shard: Shard, log: &LogId, key: &DocumentKey) -> String {
    let key = match key {
        DocumentKey::Shadow(device) => format!("shadow.{}", token(device.as_str())),
        DocumentKey::Messages(device) => format!("messages.{}", token(device.as_str())),
        DocumentKey::Message(device, number) => format!("message.{}.{number}", token(device.as_str())),
        DocumentKey::Cursor(CursorName::Reports) => "cursor.reports".to_owned(),
        DocumentKey::Session(device) => format!("session.kept.{}", token(device.as_str())),
        DocumentKey::Will(device, Session { connector, number }) => {
            format!("session.will.{}.{}.{number}", token(device.as_str()), token(connector.as_str()))
        }
        // Not under `session`, which connectors' accounts may read and write.
        DocumentKey::OperatorSession(sha256) => format!("operators.{}", hex::encode(sha256)),
    };
    format!("documents.{shard}.{}.{key}", log_token(log))
}

/// All documents of an instance's sessions and wills, or of the fleet's operators' sessions.
pub(super) fn documents_of_sessions(shard: Shard, log: &LogId) -> String {
    let sessions = match log {
        LogId::Fleet => "operators",
        LogId::Instance(_) => "session",
    };
    format!("documents.{shard}.{}.{sessions}.>", log_token(log))
}

/// The session or will that a subject is of. An id is the same as a token: it holds only letters, digits, `_` and `-`.
pub(super) fn read_session_document(subject: &str) -> Option<DocumentKey> {
    let tokens: Vec<&str> = subject.split('.').skip(3).collect();
    match *tokens.as_slice() {
        ["session", "kept", device] => Some(DocumentKey::Session(DeviceId::parse(device).ok()?)),
        ["session", "will", device, connector, number] => {
            let session = Session { connector: ConnectorId::parse(connector).ok()?, number: number.parse().ok()? };
            Some(DocumentKey::Will(DeviceId::parse(device).ok()?, session))
        }
        ["operators", sha256] => {
            let mut bytes = [0; 32];
            hex::decode_to_slice(sha256, &mut bytes).ok()?;
            Some(DocumentKey::OperatorSession(bytes))
        }
        _ => None,
    }
}

/// What is there once the documents of an instance's own stream have been copied into its shard.
pub(super) fn documents_copied(shard: Shard, instance: &InstanceId) -> String {
    format!("documents.{shard}.{}.copied", token(instance.as_str()))
}

/// The subject in the shard of what has this subject in the instance's own stream.
pub(super) fn document_copy(shard: Shard, own: &str) -> Option<String> {
    own.strip_prefix("documents.").map(|rest| format!("documents.{shard}.{rest}"))
}

/// The streams that version 0.1 made for each log or instance, by what they hold.
pub(super) mod own {
    use rollcall_domain::ids::{InstanceId, LogId};

    use super::token::{log_token, token};

    pub(crate) fn requests_stream(log: &LogId) -> String {
        format!("requests_{}", log_token(log))
    }

    pub(crate) fn attempts_stream(log: &LogId) -> String {
        format!("attempts_{}", log_token(log))
    }

    pub(crate) fn attempts(log: &LogId) -> String {
        format!("attempts.{}", log_token(log))
    }

    pub(crate) fn documents_stream(instance: &InstanceId) -> String {
        format!("documents_{}", token(instance.as_str()))
    }

    pub(crate) fn documents_all(instance: &InstanceId) -> String {
        format!("documents.{}.>", token(instance.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::{shards::Shards, *};

    #[test]
    fn f9_nothing_but_a_plain_token_comes_of_an_id() {
        assert_eq!(token("a.b*c>d e\u{0}/é"), "a%2Eb%2Ac%3Ed%20e%00%2F%C3%A9");
        assert_eq!(token("Dev-1_x"), "Dev-1_x");
    }

    #[test]
    fn a_request_reads_back_from_its_subject_and_from_one_of_version_0_1() {
        let log = LogId::Instance(InstanceId::parse("north").unwrap());
        let shard = Shards::read("registry", &Shards::write(16)).unwrap().of(&log);
        let id = RequestId::parse("request").unwrap();
        let request = Request { log, kind: RequestKind::Connect, submitter: Submitter::read("connector-1"), id };
        assert_eq!(request.subject(shard), "requests.~01.north.connect.connector-1.request");
        assert_eq!(Request::read(&request.subject(shard)), Ok(request.clone()));
        let own = Request { submitter: Submitter::NOBODY, ..request };
        assert_eq!(Request::read("requests.north.connect.request"), Ok(own.clone()));
        assert_eq!(Request::read(&own.subject(shard)), Ok(own));
        assert!(Request::read("requests.~01.north.connect.request").is_err());
    }

    #[test]
    fn an_instance_called_fleet_has_a_log_of_its_own() {
        let instance = LogId::Instance(InstanceId::parse("fleet").unwrap());
        assert_ne!(registry_stream(&instance), registry_stream(&LogId::Fleet));
        assert_ne!(registry_record(&instance), registry_record(&LogId::Fleet));
    }
}
