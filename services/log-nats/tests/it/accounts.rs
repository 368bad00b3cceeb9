//! Who is let in, and what the sample configuration lets each user do.

use std::time::Duration;

use bytes::Bytes;
use rollcall_conformance::nats_server::{NatsServer, make_users};
use rollcall_domain::ids::{DeviceId, InstanceId, LogId, Position, RegistrarId, RequestId};
use rollcall_log::{
    Backbone, BackboneError,
    documents::{DocumentKey, Revision},
    heartbeat::{Heard, Source},
    log::{AppendError, Followed},
    messages::Lane,
    presence::{Beat, PresenceChange},
    requests::{AnnouncedRuling, RequestKind, Submitted},
};
use rollcall_log_nats::{Credentials, NatsConfig, connect};
use tokio::time::timeout;

use super::{BOUND, follow_to, instance, log, message, offline, online, records, session};

#[tokio::test]
async fn connecting_says_what_is_wrong() {
    let server = NatsServer::with("authorization { user: ann, password: secret }").await;
    let with = |password: &str| {
        let mut config = NatsConfig::new(server.url());
        config.credentials = Credentials::User { name: "ann".to_owned(), password: password.to_owned() };
        config
    };
    connect(with("secret")).await.unwrap();
    let error = connect(with("wrong")).await.err().unwrap().to_string();
    assert!(error.contains("authorization violation") && !error.contains("wrong"), "{error}");

    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut config = NatsConfig::new(format!("nats://{free}"));
    config.connect_timeout = Duration::from_millis(300);
    let error = connect(config).await.err().unwrap();
    assert!(matches!(error, BackboneError::Unavailable { .. }), "{error}");
    assert!(error.to_string().contains(&free.to_string()), "{error}");
}

/// One of two, each with a user and an account of its own.
const CONNECTOR: &str = "connector-1";

pub(super) async fn as_user(server: &NatsServer, name: &str) -> Backbone {
    connect(config_of(server, name)).await.unwrap()
}

pub(super) fn config_of(server: &NatsServer, name: &str) -> NatsConfig {
    let mut config = NatsConfig::new(server.url());
    config.credentials = Credentials::User { name: name.to_owned(), password: server.password(name) };
    // What is not permitted is not answered either.
    config.operation_timeout = Duration::from_secs(1);
    config
}

#[tokio::test]
async fn a_connector_may_submit_and_read_and_only_a_registrar_append() {
    let server = NatsServer::with_shipped_accounts().await;
    let (connector, registrar) = (as_user(&server, CONNECTOR).await, as_user(&server, "registrar").await);
    let id = RequestId::parse("request").unwrap();
    assert!(connector.log.open(&log()).await.is_err(), "a connector makes no streams");
    registrar.log.open(&log()).await.unwrap();

    connector.log.open(&log()).await.unwrap();
    connector.messages.open(&instance()).await.unwrap();
    connector.presence.open(&instance()).await.unwrap();
    let mut rulings = connector.requests.rulings(&log()).await.unwrap();
    let mut follower = connector.log.follow(&log(), Position::START).await.unwrap();
    assert_eq!(connector.requests.submit(&log(), RequestKind::Connect, &id, Bytes::new()).await.unwrap(), Submitted::Queued);
    let error = connector.log.append(&log(), Position::START, records(1, 1).into()).await.unwrap_err();
    assert!(matches!(error, AppendError::Backbone(BackboneError::Unavailable { .. })), "{error}");
    assert!(connector.log.append(&log(), Position::START, records(1, 5).into()).await.is_err());
    let command = RequestId::parse("command").unwrap();
    let error = connector.requests.submit(&log(), RequestKind::Command, &command, Bytes::new()).await.unwrap_err();
    assert!(matches!(error, BackboneError::Unavailable { .. }), "a connector gives no commands: {error}");
    assert!(connector.requests.take(&log(), 1, Duration::ZERO).await.is_err());
    // What it refuses by itself it keeps, one or several, and reads nobody's.
    connector.attempts.keep(&log(), records(1, 1)).await.unwrap();
    connector.attempts.keep(&log(), records(2, 2)).await.unwrap();
    assert!(connector.attempts.read(&log(), Position::START, 10).await.is_err());

    let taken = registrar.requests.take(&log(), 10, BOUND).await.unwrap();
    let found: Vec<_> = taken.iter().map(|delivery| (delivery.kind, delivery.id.clone())).collect();
    assert_eq!(found, [(RequestKind::Connect, id.clone())]);
    assert_eq!(
        registrar.requests.submit(&log(), RequestKind::Command, &command, Bytes::new()).await.unwrap(),
        Submitted::Queued,
        "what an operator applies goes by the registrar's account"
    );
    registrar.log.append(&log(), Position::START, records(1, 5).into()).await.unwrap();
    let ruling = AnnouncedRuling { id, ruling: Bytes::from_static(b"{}") };
    registrar.requests.announce(&log(), vec![ruling.clone()]).await.unwrap();
    registrar.requests.finish(&log(), taken.into_iter().map(|delivery| delivery.receipt).collect()).await.unwrap();
    registrar.attempts.keep(&log(), records(4, 3)).await.unwrap();
    let kept = registrar.attempts.read(&log(), Position(1), 10).await.unwrap();
    assert_eq!(kept.into_iter().map(|entry| entry.record).collect::<Vec<_>>(), records(2, 5));
    assert_eq!(follow_to(&mut follower, 5).await.len(), 5);
    assert_eq!(timeout(BOUND, rulings.recv()).await.unwrap(), Some(ruling));

    let lanes = [Lane::Downlink, Lane::Peer];
    let mut messages = connector.messages.follow(&instance(), &lanes, None).await.unwrap();
    for lane in [Lane::Uplink, Lane::Peer] {
        connector.messages.publish(&instance(), message(lane, 1, Bytes::new())).await.unwrap();
    }
    assert_eq!(timeout(BOUND, messages.recv()).await.unwrap().unwrap().unwrap().message.lane, Lane::Peer);
    let mut watch = connector.presence.watch(&instance()).await.unwrap();
    connector.presence.heartbeat(&instance(), &session("c", 1).connector, Beat::default()).await.unwrap();
    connector.presence.announce(&instance(), online("d", session("c", 1))).await.unwrap();
    connector.presence.announce(&instance(), offline("d", session("c", 1))).await.unwrap();
    assert_eq!(watch.recv().await, Some(PresenceChange::CaughtUp));
    assert_eq!(timeout(BOUND, watch.recv()).await.unwrap(), Some(online("d", session("c", 1))));
    assert_eq!(timeout(BOUND, watch.recv()).await.unwrap(), Some(offline("d", session("c", 1))));
}

#[tokio::test]
async fn a_connector_keeps_sessions_and_wills_and_no_other_documents() {
    let server = NatsServer::with_shipped_accounts().await;
    let (one, registrar) = (as_user(&server, CONNECTOR).await, as_user(&server, "registrar").await);
    let two = as_user(&server, "connector-2").await;
    registrar.log.open(&log()).await.unwrap();
    let device = DeviceId::parse("d").unwrap();
    let (kept, will) = (DocumentKey::Session(device.clone()), DocumentKey::Will(device.clone(), session("c", 1)));
    one.documents.open_sessions(&log()).await.unwrap();
    let first = one.documents.put(&log(), &will, Revision::NONE, "gone".into()).await.unwrap();
    one.documents.put(&log(), &kept, Revision::NONE, "filters".into()).await.unwrap();
    let found = two.documents.get(&log(), &will).await.unwrap().unwrap();
    assert_eq!((found.revision, &found.body[..]), (first, &b"gone"[..]), "each reads the others'");
    let mut listed = two.documents.sessions(&log()).await.unwrap();
    for key in [&will, &kept] {
        assert_eq!(timeout(BOUND, listed.recv()).await.unwrap().unwrap().unwrap().0, *key);
    }
    two.documents.delete(&log(), &will, first).await.unwrap();
    assert_eq!(one.documents.get(&log(), &will).await.unwrap(), None);
    let shadow = DocumentKey::Shadow(device);
    assert!(one.documents.put(&log(), &shadow, Revision::NONE, "{}".into()).await.is_err());
    assert!(one.documents.get(&log(), &shadow).await.is_err());
}

#[tokio::test]
async fn the_api_gives_commands_reads_everything_and_keeps_documents() {
    let server = NatsServer::with_shipped_accounts().await;
    let (api, registrar) = (as_user(&server, "api").await, as_user(&server, "registrar").await);
    let connector = as_user(&server, CONNECTOR).await;
    for log in [LogId::Fleet, log()] {
        registrar.log.open(&log).await.unwrap();
        registrar.log.append(&log, Position::START, records(1, 5).into()).await.unwrap();
        registrar.attempts.keep(&log, records(1, 3)).await.unwrap();

        api.log.open(&log).await.unwrap();
        api.requests.open(&log).await.unwrap();
        let mut rulings = api.requests.rulings(&log).await.unwrap();
        let command = RequestId::parse("command").unwrap();
        let submitted = api.requests.submit(&log, RequestKind::Command, &command, Bytes::new()).await.unwrap();
        assert_eq!(submitted, Submitted::Queued);
        let taken = registrar.requests.take(&log, 10, BOUND).await.unwrap();
        let found: Vec<_> = taken.iter().map(|delivery| (delivery.kind, delivery.id.clone())).collect();
        assert_eq!(found, [(RequestKind::Command, command.clone())]);
        let ruling = AnnouncedRuling { id: command, ruling: Bytes::from_static(b"{}") };
        registrar.requests.announce(&log, vec![ruling.clone()]).await.unwrap();
        assert_eq!(timeout(BOUND, rulings.recv()).await.unwrap(), Some(ruling));

        let read = api.log.read(&log, Position(3), 10).await.unwrap();
        assert_eq!(read.iter().map(|entry| entry.position.0).collect::<Vec<_>>(), [4, 5]);
        let mut follower = api.log.follow(&log, Position::START).await.unwrap();
        assert_eq!(follow_to(&mut follower, 5).await.len(), 5);
        assert_eq!(api.attempts.read(&log, Position(1), 10).await.unwrap().len(), 2);
    }

    let lanes = [Lane::Uplink, Lane::Downlink, Lane::Peer];
    api.messages.open(&instance()).await.unwrap();
    let mut messages = api.messages.follow(&instance(), &lanes, None).await.unwrap();
    for (from, lane) in [(&connector, Lane::Uplink), (&api, Lane::Downlink), (&connector, Lane::Peer)] {
        from.messages.publish(&instance(), message(lane, 1, Bytes::new())).await.unwrap();
        assert_eq!(timeout(BOUND, messages.recv()).await.unwrap().unwrap().unwrap().message.lane, lane);
    }
    api.presence.open(&instance()).await.unwrap();
    let mut watch = api.presence.watch(&instance()).await.unwrap();
    let beat = Beat { position: Position(5), sessions: 1, digest: Some([5; 32]), age_ms: None, fleet: None };
    connector.presence.heartbeat(&instance(), &session("c", 1).connector, beat).await.unwrap();
    connector.presence.announce(&instance(), online("d", session("c", 1))).await.unwrap();
    assert_eq!(watch.recv().await, Some(PresenceChange::CaughtUp));
    assert_eq!(timeout(BOUND, watch.recv()).await.unwrap(), Some(online("d", session("c", 1))));
    let alive = api.presence.connectors(&instance()).await.unwrap();
    assert_eq!(alive.iter().map(|alive| (alive.connector.as_str(), alive.beat)).collect::<Vec<_>>(), [("c", beat)]);

    let (documents, key) = (&api.documents, shadow());
    documents.open(&log()).await.unwrap();
    let revision = documents.put(&log(), &key, Revision::NONE, "{}".into()).await.unwrap();
    assert_eq!(documents.get(&log(), &key).await.unwrap().map(|found| found.revision), Some(revision));
    documents.delete(&log(), &key, revision).await.unwrap();
}

#[tokio::test]
async fn operators_sessions_are_the_apis_and_no_connectors() {
    let server = NatsServer::with_shipped_accounts().await;
    let (api, registrar) = (as_user(&server, "api").await, as_user(&server, "registrar").await);
    let connector = as_user(&server, CONNECTOR).await;
    registrar.log.open(&LogId::Fleet).await.unwrap();
    let (fleet, key, other) = (LogId::Fleet, DocumentKey::OperatorSession([7; 32]), DocumentKey::OperatorSession([8; 32]));
    api.documents.open(&fleet).await.unwrap();
    let first = api.documents.put(&fleet, &key, Revision::NONE, "session".into()).await.unwrap();
    let mut listed = api.documents.sessions(&fleet).await.unwrap();
    assert_eq!(timeout(BOUND, listed.recv()).await.unwrap().unwrap().unwrap().0, key);
    assert!(timeout(BOUND, listed.recv()).await.unwrap().is_none());
    // What is not permitted is not answered: all at once, so that they wait together.
    let (got, put, deleted, listed) = tokio::join!(
        connector.documents.get(&fleet, &key),
        connector.documents.put(&fleet, &other, Revision::NONE, "forged".into()),
        connector.documents.delete(&fleet, &key, first),
        connector.documents.sessions(&fleet),
    );
    let listed = match listed {
        Ok(mut listed) => timeout(BOUND, listed.recv()).await.unwrap().and_then(Result::ok),
        Err(_) => None,
    };
    assert!(got.is_err() && put.is_err() && deleted.is_err() && listed.is_none());
    assert_eq!(api.documents.get(&fleet, &key).await.unwrap().map(|found| found.revision), Some(first));
    assert_eq!(api.documents.get(&fleet, &other).await.unwrap(), None);
    api.documents.delete(&fleet, &key, first).await.unwrap();
}

fn shadow() -> DocumentKey {
    DocumentKey::Shadow(DeviceId::parse("d").unwrap())
}

#[tokio::test]
async fn the_api_appends_nothing_takes_nothing_and_speaks_for_nobody() {
    let server = NatsServer::with_shipped_accounts().await;
    let (api, registrar) = (as_user(&server, "api").await, as_user(&server, "registrar").await);
    registrar.log.open(&log()).await.unwrap();
    let (instance, log, other) = (instance(), log(), LogId::Instance(InstanceId::parse("other").unwrap()));
    let (id, connector) = (RequestId::parse("request").unwrap(), session("c", 1).connector);
    let mut rulings = registrar.requests.rulings(&log).await.unwrap();
    // What is not permitted is not answered: all at once, so that they wait together.
    let (made, connect, taken, one, several, kept) = tokio::join!(
        api.log.open(&other),
        api.requests.submit(&log, RequestKind::Connect, &id, Bytes::new()),
        api.requests.take(&log, 1, Duration::ZERO),
        api.log.append(&log, Position::START, records(1, 1).into()),
        api.log.append(&log, Position::START, records(1, 5).into()),
        api.attempts.keep(&log, records(1, 1)),
    );
    assert!(made.is_err() && connect.is_err() && taken.is_err() && one.is_err() && several.is_err() && kept.is_err());
    let (up, lateral, beat, online) = tokio::join!(
        api.messages.publish(&instance, message(Lane::Uplink, 1, Bytes::new())),
        api.messages.publish(&instance, message(Lane::Peer, 1, Bytes::new())),
        api.presence.heartbeat(&instance, &connector, Beat::default()),
        api.presence.announce(&instance, online("d", session("c", 1))),
    );
    assert!(up.is_err() && lateral.is_err() && beat.is_err() && online.is_err());
    let ruling = |text: &'static [u8]| AnnouncedRuling { id: id.clone(), ruling: Bytes::from_static(text) };
    // Said to nobody in particular, so nobody says that it was not permitted.
    let _ = api.requests.announce(&log, vec![ruling(b"\"of the api\"")]).await;
    registrar.requests.announce(&log, vec![ruling(b"{}")]).await.unwrap();
    assert_eq!(timeout(BOUND, rulings.recv()).await.unwrap(), Some(ruling(b"{}")));
    assert_eq!(registrar.log.last(&log).await.unwrap(), Position::START);

    let (connector, key) = (as_user(&server, CONNECTOR).await.documents, shadow());
    let got = connector.get(&log, &key);
    let put = connector.put(&log, &key, Revision::NONE, "{}".into());
    let (got, put) = tokio::join!(got, put);
    assert!(got.is_err() && put.is_err(), "a connector has nothing to do with documents");
    assert_eq!(api.documents.get(&log, &key).await.unwrap(), None);
}

/// Short, so that a connector that is gone is found to be within the test.
const PRESENCE_LEASE: Duration = Duration::from_secs(2);

#[tokio::test]
async fn f14_presence_outlives_a_server_although_connectors_may_not_declare_it() {
    let mut server = NatsServer::with_shipped_accounts().await;
    as_user(&server, "registrar").await.log.open(&log()).await.unwrap();
    let mut config = config_of(&server, CONNECTOR);
    config.limits.presence_lease = PRESENCE_LEASE;
    let presence = connect(config).await.unwrap().presence;
    presence.heartbeat(&instance(), &session("gone", 1).connector, Beat::default()).await.unwrap();
    presence.announce(&instance(), online("old", session("gone", 1))).await.unwrap();
    let mut watch = presence.watch(&instance()).await.unwrap();
    assert_eq!(watch.recv().await, Some(online("old", session("gone", 1))));
    server.kill();
    server.start_again().await;

    let back = async {
        loop {
            let opened = presence.open(&instance()).await;
            match (opened, presence.watch(&instance()).await) {
                (Ok(()), Ok(watch)) => break watch,
                (Err(error), _) | (_, Err(error)) => {
                    assert!(matches!(error, BackboneError::Unavailable { .. }), "the stream is there: {error}");
                }
            }
        }
    };
    let mut watch = timeout(BOUND, back).await.expect("presence is back without a registrar");
    let mut old_is_online = false;
    let mut next = async || timeout(BOUND, watch.recv()).await.expect("something changes").expect("watching goes on");
    loop {
        match next().await {
            PresenceChange::CaughtUp => break,
            change => old_is_online |= change == online("old", session("gone", 1)),
        }
    }
    presence.heartbeat(&instance(), &session("here", 1).connector, Beat::default()).await.unwrap();
    presence.announce(&instance(), online("new", session("here", 1))).await.unwrap();
    assert_eq!(next().await, online("new", session("here", 1)));
    if old_is_online {
        // What the server kept is believed until its connector's lease runs out, and no longer.
        let lost = PresenceChange::ConnectorLost { connector: session("gone", 1).connector };
        let kept_alive = async {
            loop {
                presence.heartbeat(&instance(), &session("here", 1).connector, Beat::default()).await.unwrap();
                tokio::time::sleep(PRESENCE_LEASE / 4).await;
            }
        };
        tokio::select! {
            change = next() => assert_eq!(change, lost),
            () = kept_alive => {}
        }
    }
}

/// More than the server sends without having been answered: its questions go out of the account and the answers come back in.
#[tokio::test]
async fn flow_control_passes_between_accounts() {
    let server = NatsServer::with_shipped_accounts().await;
    let (connector, registrar) = (as_user(&server, CONNECTOR).await, as_user(&server, "registrar").await);
    registrar.log.open(&log()).await.unwrap();
    let record = Bytes::from(vec![b'x'; 1024]);
    for batch in 0..12 {
        registrar.log.append(&log(), Position(batch * 1000), vec![record.clone(); 1000].into()).await.unwrap();
    }
    let mut follower = connector.log.follow(&log(), Position::START).await.unwrap();
    let mut seen = 0;
    while seen < 12_000 {
        match super::next(&mut follower).await.unwrap() {
            Followed::Entry(_) => seen += 1,
            Followed::CaughtUp(_) => {}
            Followed::Interrupted { reason } => panic!("interrupted after {seen}: {reason}"),
        }
    }
}

#[tokio::test]
async fn only_a_registrar_announces_itself_and_everybody_hears_it() {
    let server = NatsServer::with_shipped_accounts().await;
    let (registrar, others) = (as_user(&server, "registrar").await, [CONNECTOR, "api"]);
    let source = Source { registrar: RegistrarId::parse("r-1").unwrap(), shard: 3 };
    registrar.heartbeats.open().await.unwrap();
    for name in others {
        let other = as_user(&server, name).await;
        let mut heard = other.heartbeats.follow().await.unwrap();
        let forged = other.heartbeats.announce(&source, Bytes::from("forged")).await;
        assert!(matches!(forged, Err(BackboneError::Unavailable { .. })), "{name}: {forged:?}");
        let told = Bytes::from(format!("told to {name}"));
        registrar.heartbeats.announce(&source, told.clone()).await.unwrap();
        let next = async {
            loop {
                // What was announced to the one before may come first.
                match heard.recv().await.expect("following goes on").unwrap() {
                    Heard::Announced(bytes) if bytes == told => return,
                    Heard::Announced(bytes) => assert!(bytes.starts_with(b"told to "), "{bytes:?}"),
                    Heard::Interrupted => panic!("nothing interrupts it"),
                }
            }
        };
        timeout(BOUND, next).await.unwrap();
    }
}

#[tokio::test]
async fn one_user_may_do_what_all_may() {
    let server = NatsServer::with_shipped_accounts().await;
    let backbone = as_user(&server, "up").await;
    backbone.log.open(&log()).await.unwrap();
    backbone.log.append(&log(), Position::START, records(1, 5).into()).await.unwrap();
    let mut follower = backbone.log.follow(&log(), Position::START).await.unwrap();
    assert_eq!(follow_to(&mut follower, 5).await.len(), 5);
    backbone.messages.publish(&instance(), message(Lane::Downlink, 1, Bytes::new())).await.unwrap();
    backbone.presence.announce(&instance(), online("d", session("c", 1))).await.unwrap();
    let id = RequestId::parse("request").unwrap();
    backbone.requests.submit(&log(), RequestKind::Connect, &id, Bytes::new()).await.unwrap();
    assert_eq!(backbone.requests.take(&log(), 10, BOUND).await.unwrap().len(), 1);
    assert_eq!(backbone.log.read(&log(), Position(4), 10).await.unwrap().len(), 1);
    let (connector, documents) = (session("c", 1).connector, &backbone.documents);
    backbone.presence.heartbeat(&instance(), &connector, Beat::default()).await.unwrap();
    assert_eq!(backbone.presence.connectors(&instance()).await.unwrap().len(), 1);
    let source = Source { registrar: RegistrarId::parse("r-1").unwrap(), shard: 3 };
    backbone.heartbeats.open().await.unwrap();
    backbone.heartbeats.announce(&source, Bytes::from("up")).await.unwrap();
    let mut heard = backbone.heartbeats.follow().await.unwrap();
    let heard = timeout(BOUND, heard.recv()).await.unwrap();
    assert!(matches!(heard, Some(Ok(Heard::Announced(ref bytes))) if bytes == "up"), "{heard:?}");
    let revision = documents.put(&log(), &shadow(), Revision::NONE, "{}".into()).await.unwrap();
    assert_eq!(documents.get(&log(), &shadow()).await.unwrap().map(|found| found.revision), Some(revision));
}

/// The folder as an operator has it: `make-users`, then nats-server's own check.
#[test]
fn the_shipped_configuration_is_one_that_a_server_takes() {
    let folder = tempfile::tempdir().unwrap();
    make_users(folder.path(), &["--registrar", "registrar-a", "--registrar", "registrar-b", "north", "south"]);
    let checked = || NatsServer::program().arg("-t").arg("-c").arg(folder.path().join("nats-server.conf")).output().unwrap();
    let checked_once = checked();
    assert!(checked_once.status.success(), "{}", String::from_utf8_lossy(&checked_once.stderr));
    let password = |user: &str| std::fs::read_to_string(folder.path().join("users/passwords").join(user));
    let (north, up) = (password("north").unwrap(), password("up").unwrap());
    assert!(north.trim().len() >= 64 && north != up, "a secret of its own for each");

    // One more connector: who is there already keeps its password.
    make_users(folder.path(), &["north", "south", "west"]);
    assert!(checked().status.success());
    assert_eq!(password("north").unwrap(), north);
    let processes = std::fs::read_to_string(folder.path().join("users/processes.conf")).unwrap();
    assert!(processes.contains("EDGE_west {") && processes.contains("_INBOX.west.>"), "{processes}");
}

/// Nobody but its owner reads a file with a secret in it.
#[test]
fn what_holds_a_password_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    make_users(folder.path(), &["1"]);
    let (mut folders, mut files) = (vec![folder.path().join("users")], Vec::new());
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(&next).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_dir() { folders.push(entry.path()) } else { files.push(entry.path()) }
        }
    }
    assert_eq!(files.len(), 6, "two includes, four users: {files:?}");
    for file in files {
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600, "{}", file.display());
    }
}

#[tokio::test]
async fn a_server_is_believed_only_with_a_certificate_of_the_given_authority() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["server", "other"] {
        let made = std::process::Command::new("openssl")
            .args("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=nats".split(' '))
            .args("-addext subjectAltName=IP:127.0.0.1 -addext basicConstraints=critical,CA:FALSE".split(' '))
            .args(["-keyout", &format!("{name}.key"), "-out", &format!("{name}.crt")])
            .current_dir(folder.path())
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    }
    let file = |name: &str| folder.path().join(name);
    let server =
        NatsServer::with(&format!("tls {{ cert_file: {:?}, key_file: {:?} }}", file("server.crt"), file("server.key")))
            .await;
    let with = |authority: &str| {
        let mut config = NatsConfig::new(server.url().replace("nats://", "tls://"));
        config.ca_file = Some(file(authority));
        config.connect_timeout = Duration::from_secs(1);
        config
    };
    connect(with("server.crt")).await.unwrap();
    let error = connect(with("other.crt")).await.err().unwrap().to_string();
    assert!(error.contains("certificate"), "{error}");
    let error = connect(with("missing.crt")).await.err().unwrap().to_string();
    assert!(error.contains("missing.crt"), "{error}");
}
