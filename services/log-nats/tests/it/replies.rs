//! F37: what a client names as a reply subject, or as a consumer's delivery subject, is where the server itself writes. With
//! the shipped accounts none of what a connector or an API may publish makes it write where they may not.
//!
//! The list is read from the configuration: a grant that is added later is tried too.

use std::{collections::BTreeMap, time::Duration};

use async_nats::{Client, ConnectOptions, jetstream};
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt};
use rollcall_conformance::nats_server::NatsServer;
use rollcall_domain::ids::{InstanceId, LogId, Position, RequestId};
use rollcall_log::requests::{AnnouncedRuling, RequestKind};
use serde_json::{Value, json};
use tokio::{sync::mpsc, time::timeout};

use super::{BOUND, SHARD, accounts::as_user, log, records};

/// The instance whose log the client reads and writes messages of.
const INSTANCE: &str = "inst-1";
/// What the forged request and ruling are about.
const FORGED: &str = "forged";
/// A queue of requests that registrars have not come to yet.
const QUEUE: &str = "requests_~15";
/// A device for each body that a client may have stored.
const BODIES: [(&str, &[u8]); 3] = [
    ("empty", b""),
    ("command", br#"{"version":1,"type":"command","body":"of one's choice"}"#),
    // A frame as rulings are announced in: id and ruling, each behind its length.
    ("ruling", b"\0\x06forged\0\0\0\x02{}"),
];

/// The subjects that a user may publish to, as the configuration says it.
fn publishable(configuration: &str, user: &str) -> Vec<String> {
    let (_, user) = configuration.split_once(&format!("user: \"{user}\"")).expect("the user is there");
    let (_, publish) = user.split_once("publish").expect("a list of what it may publish");
    list(publish, "allow")
}

/// The strings of the first list of this name.
fn list(text: &str, name: &str) -> Vec<String> {
    let (_, rest) = text.split_once(&format!("{name}: [")).expect("a list");
    let (list, _) = rest.split_once(']').expect("the end of the list");
    let lines = list.lines().filter(|line| !line.trim_start().starts_with('#'));
    lines.flat_map(|line| line.split('"').skip(1).step_by(2)).map(str::to_owned).collect()
}

/// What an account imports: services by the subject that its client publishes to after mapping, and streams.
fn imported(configuration: &str, account: &str) -> (Vec<String>, Vec<String>) {
    let (_, account) = configuration.split_once(&format!("{account} {{")).expect("the account is there");
    let (imports, _) = account.split_once("users: [").expect("its users");
    let (mut services, mut streams) = (Vec::new(), Vec::new());
    for line in imports.lines().filter(|line| line.contains("account: ROLLCALL")) {
        let quoted: Vec<&str> = line.split('"').skip(1).step_by(2).collect();
        let into = if line.contains("service:") { &mut services } else { &mut streams };
        into.push((*quoted.last().expect("a subject")).to_owned());
    }
    (services, streams)
}

/// One thing to publish: a subject and a body.
type Publish = (String, Bytes);

/// Concrete subjects, with the bodies that make the server answer, for a pattern of the configuration. `deliver_to` is where
/// consumers are to deliver.
fn attempts(pattern: &str, streams: &[String], deliver_to: &str) -> Vec<Publish> {
    let pattern = pattern.replace("RC.API.", "$JS.API.");
    let Some(api) = pattern.strip_prefix("$JS.API.") else {
        let subject = match pattern.strip_suffix(".>") {
            Some(kind @ ("presence" | "documents")) => format!("{kind}.{SHARD}.{INSTANCE}.device.x"),
            _ if pattern.starts_with("$JS.FC") || pattern.starts_with("_INBOX") => filled(&pattern, &[], "x"),
            _ => filled(&pattern, &[SHARD], "device.x"),
        };
        return BODIES.iter().map(|(_, body)| (subject.clone(), Bytes::from_static(body))).collect();
    };
    let one = |subject: String, body: Value| (subject, Bytes::from(body.to_string()));
    let mut found = Vec::new();
    for stream in streams {
        if api.starts_with("CONSUMER.CREATE.") {
            found.extend(consumers(&pattern, stream, deliver_to));
            continue;
        }
        if pattern.matches(['*', '>']).count() > 1 {
            for (device, _) in BODIES {
                let held = format!("{SHARD}.{INSTANCE}.device.{device}");
                let (end, given) = if pattern.ends_with("presence.>") {
                    (held, vec![stream.as_str()])
                } else {
                    (format!("device.{device}"), vec![stream.as_str(), SHARD])
                };
                found.push((filled(&pattern, &given, &end), Bytes::new()));
            }
            continue;
        }
        let subject = filled(&pattern, &[stream.as_str()], "x");
        found.push((subject.clone(), Bytes::new()));
        for sequence in 1..=4 {
            found.push(one(subject.clone(), json!({ "seq": sequence })));
        }
        found.push(one(subject, json!({ "seq": 1, "next_by_subj": ">", "batch": 10 })));
    }
    found
}

/// Requests for consumers of a stream: one that reads, one that also talks by itself, one that takes as registrars' do, and one
/// in the place of theirs.
fn consumers(pattern: &str, stream: &str, deliver_to: &str) -> Vec<Publish> {
    let reading = json!({ "ack_policy": "none", "mem_storage": true, "deliver_subject": deliver_to });
    let talking = json!({
        "ack_policy": "none", "mem_storage": true, "deliver_subject": deliver_to,
        "flow_control": true, "idle_heartbeat": 100_000_000,
    });
    // As registrars make theirs, but for the filter: the server lets that be changed.
    let taking = json!({
        "ack_policy": "explicit", "max_deliver": -1, "max_ack_pending": 50_000, "ack_wait": 10_000_000_000_u64,
    });
    // A name of its own for each: of two of one name the second would be refused.
    let to = format!("{pattern}-{deliver_to}").replace(|c: char| !c.is_ascii_alphanumeric(), "-");
    let mut wanted = vec![(format!("reading-{to}"), reading), (format!("talking-{to}"), talking)];
    if stream.starts_with("requests") {
        wanted.extend([(format!("taking-{to}"), taking.clone()), ("registrar".to_owned(), taking)]);
    }
    let request = |(name, mut config): (String, Value)| {
        // Streams of version 0.1 have no shard in their subjects.
        let own =
            pattern.contains("messages.*.devices") || pattern.ends_with(".*.*.attempts.*") || pattern.contains("registry");
        let given = if own { vec![stream, name.as_str()] } else { vec![stream, name.as_str(), SHARD] };
        let subject = filled(pattern, &given, ">");
        // `$JS.API.CONSUMER.CREATE.<stream>.<name>.<filter>`: the server holds name and filter against the body's.
        let filter = subject.splitn(7, '.').nth(6).expect("a filter").to_owned();
        if name.starts_with("taking") || name == "registrar" {
            config["durable_name"] = name.clone().into();
        }
        config["name"] = name.into();
        config["filter_subject"] = filter.into();
        config["deliver_policy"] = "all".into();
        (subject, Bytes::from(json!({ "stream_name": stream, "action": "", "config": config }).to_string()))
    };
    wanted.into_iter().map(request).collect()
}

/// The pattern with its wildcards replaced: by what is given, then by the instance, the rest by `end`.
fn filled(pattern: &str, given: &[&str], end: &str) -> String {
    let mut given = given.iter();
    let tokens = pattern.split('.').map(|token| match token {
        "*" => given.next().unwrap_or(&INSTANCE),
        ">" => end,
        token => token,
    });
    tokens.collect::<Vec<_>>().join(".")
}

/// Subjects that none of what the user may publish reaches.
fn protected(user: &str) -> Vec<String> {
    let mut subjects = Vec::new();
    for log in [INSTANCE, "other", "~fleet"] {
        subjects.push(format!("registry.{log}.record"));
        subjects.push(format!("rulings.{log}"));
        let kind = if user == "api" { "connect" } else { "command" };
        subjects.extend((0..16).map(|shard| format!("requests.~{shard:02}.{log}.{kind}.{user}.{FORGED}")));
    }
    // As somebody else: what it may do itself, and what only they may.
    for other in ["connector-2", "api", "registrar", "~"].into_iter().filter(|other| *other != user) {
        let requests = |kind| format!("requests.{SHARD}.{INSTANCE}.{kind}.{other}.{FORGED}");
        subjects.extend(["connect", "command"].map(requests));
        subjects.push(format!("attempts.{SHARD}.{INSTANCE}.{other}"));
    }
    subjects.push("heartbeats.registrar.0".to_owned());
    for verb in ["STREAM.DELETE.registry_other", "STREAM.PURGE.messages_other", "CONSUMER.DELETE.requests_~09.registrar"] {
        subjects.push(format!("$JS.API.{verb}"));
        subjects.push(format!("RC.API.{verb}"));
    }
    subjects
}

pub(super) async fn client_of(server: &NatsServer, user: &str) -> Client {
    let options = ConnectOptions::with_user_and_password(user.to_owned(), server.password(user));
    options.custom_inbox_prefix(format!("_INBOX.{user}")).connect(server.url()).await.unwrap()
}

/// What must not change: the last sequence of every protected stream, how the registrars' consumers are, and whose attempts there
/// are.
async fn state(registrar: &jetstream::Context, streams: &[String], user: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for name in streams.iter().filter(|name| !name.starts_with("attempts") && !name.starts_with("presence")) {
        let info = registrar.get_stream(name).await.map(|stream| stream.cached_info().clone());
        let Ok(info) = info else {
            found.insert(name.clone(), "gone".to_owned());
            continue;
        };
        if ["registry", "heartbeats"].iter().any(|kind| name.starts_with(kind)) {
            found.insert(name.clone(), info.state.last_sequence.to_string());
        } else {
            found.insert(format!("{name} is there"), info.created.to_string());
        }
    }
    let shard = registrar.get_stream(format!("attempts_{SHARD}")).await.unwrap();
    let kept: Vec<_> = shard.info_with_subjects(">").await.unwrap().try_collect().await.unwrap();
    let others = kept.into_iter().filter(|(subject, _)| !subject.ends_with(&format!(".{user}")));
    found.insert("attempts of others".to_owned(), format!("{:?}", others.collect::<Vec<_>>()));
    found
}

/// The logs that the registrar has opened.
fn logs() -> [LogId; 3] {
    [LogId::Fleet, log(), LogId::Instance(InstanceId::parse("other").unwrap())]
}

fn log_name(log: &LogId) -> &str {
    match log {
        LogId::Fleet => "~fleet",
        LogId::Instance(id) => id.as_str(),
    }
}

/// Publishes everything that `user` may, with every protected subject as where the answer is to go; returns what it has
/// reached, how often, and how much was published.
async fn reached(server: &NatsServer, user: &str, allowed: &[String]) -> (BTreeMap<String, usize>, usize) {
    let registrar = as_user(server, "registrar").await;
    let raw_registrar = client_of(server, "registrar").await;
    let registrar_jetstream = jetstream::new(raw_registrar.clone());
    for log in logs() {
        registrar.log.open(&log).await.unwrap();
        registrar.log.append(&log, Position::START, records(1, 3).into()).await.unwrap();
        // Declares the consumer that requests are taken by.
        assert!(registrar.requests.take(&log, 1, Duration::ZERO).await.unwrap().is_empty());
    }
    let heartbeats = jetstream::stream::Config {
        name: "heartbeats".to_owned(),
        subjects: vec!["heartbeats.*.*".to_owned()],
        max_messages_per_subject: 1,
        allow_direct: true,
        ..Default::default()
    };
    registrar_jetstream.create_stream(heartbeats).await.unwrap();
    let sharded = ["requests", "attempts", "messages", "presence", "documents"].map(|kind| format!("{kind}_{SHARD}"));
    let streams: Vec<String> = logs()
        .iter()
        .map(|log| format!("registry_{}", log_name(log)))
        .chain(sharded)
        .chain(["heartbeats".to_owned(), QUEUE.to_owned()])
        .collect();
    let before = state(&registrar_jetstream, &streams, user).await;

    // Those who listen: to rulings as processes do, to inboxes by a name that only they know, and which the client knows here.
    let others: Vec<&str> = ["registrar", "connector-2", "api"].into_iter().filter(|other| *other != user).collect();
    let mut rulings: Vec<mpsc::Receiver<AnnouncedRuling>> = Vec::new();
    let mut inboxes = Vec::new();
    for other in &others {
        let backbone = as_user(server, other).await;
        for log in logs() {
            rulings.push(backbone.requests.rulings(&log).await.unwrap());
        }
        let client = client_of(server, other).await;
        let inbox = client.subscribe(format!("_INBOX.{other}.known")).await.unwrap();
        client.flush().await.unwrap();
        inboxes.push((*other, client, inbox));
    }

    let client = client_of(server, user).await;
    // Bytes of its choice, where it may put some.
    for (device, body) in BODIES {
        for place in [
            format!("presence.{SHARD}.{INSTANCE}.device.{device}"),
            format!("messages.{SHARD}.{INSTANCE}.devices.lateral.space.{device}"),
            format!("messages.{SHARD}.{INSTANCE}.devices.down.space.{device}"),
            format!("documents.{SHARD}.{INSTANCE}.shadow.{device}"),
        ] {
            client.publish(place, Bytes::from_static(body)).await.unwrap();
        }
    }
    client.flush().await.unwrap();
    let mut published = 0;
    let inbox_names = others.iter().map(|other| format!("_INBOX.{other}.known"));
    for target in protected(user).into_iter().chain(inbox_names) {
        // Who knew the name of an inbox that is listened to could have a consumer deliver there: they are random for that.
        let deliver_to = if target.starts_with("_INBOX") { "_INBOX.unknown" } else { target.as_str() };
        for (subject, body) in allowed.iter().flat_map(|pattern| attempts(pattern, &streams, deliver_to)) {
            client.publish_with_reply(subject, target.clone(), body).await.unwrap();
            published += 1;
        }
        client.flush().await.unwrap();
    }
    settled(&client, user).await;

    let mut reached = BTreeMap::new();
    let mut note = |what: String| *reached.entry(what).or_default() += 1;
    let after = state(&registrar_jetstream, &streams, user).await;
    for (what, was) in before {
        let is = after.get(&what).cloned().unwrap_or_default();
        if is != was {
            note(format!("{what}: {was}, then {is}"));
        }
    }
    for log in logs() {
        // Requests that the user may make itself do not count.
        let own = if user == "api" { "command" } else { "connect" };
        let taken = registrar.requests.take(&log, 1000, Duration::ZERO).await;
        for delivery in taken.unwrap_or_default() {
            let kind = format!("{:?}", delivery.kind).to_lowercase();
            if kind != own || delivery.id.as_str() == FORGED {
                note(format!("a {kind} request of {}", log_name(&log)));
            }
        }
        // The registrars' consumer still takes what comes.
        let id = RequestId::parse("true").unwrap();
        registrar.requests.submit(&log, RequestKind::Command, &id, Bytes::new()).await.unwrap();
        let taken = registrar.requests.take(&log, 1000, Duration::from_secs(2)).await;
        if taken.unwrap_or_default().iter().all(|taken| taken.id != id) {
            note(format!("nobody takes requests of {} any more", log_name(&log)));
        }
    }
    let durable = jetstream::consumer::pull::Config { durable_name: Some("registrar".to_owned()), ..Default::default() };
    if let Err(error) = registrar_jetstream.create_consumer_on_stream(durable, QUEUE).await {
        note(format!("registrars cannot begin to take requests: {error}"));
    }
    for listener in &mut rulings {
        while let Ok(ruling) = listener.try_recv() {
            note(format!("a ruling on {}", ruling.id));
        }
    }
    for (other, _client, inbox) in &mut inboxes {
        while let Ok(Some(message)) = timeout(Duration::from_millis(50), inbox.next()).await {
            note(format!("the inbox of {other}, as {}", message.subject));
        }
    }
    (reached, published)
}

/// Returns when the server has done what was asked of it before: it answers the last question, and a consumer that was made
/// last delivers.
async fn settled(client: &Client, user: &str) {
    let inbox = format!("_INBOX.{user}.last");
    let mut last = client.subscribe(inbox.clone()).await.unwrap();
    let stream = format!("registry_{INSTANCE}");
    let filter = format!("registry.{INSTANCE}.>");
    let config = json!({
        "name": "last", "deliver_policy": "all", "ack_policy": "none", "filter_subject": filter, "deliver_subject": inbox,
    });
    let wanted = json!({ "stream_name": stream, "config": config }).to_string();
    let subject = format!("$JS.API.CONSUMER.CREATE.{stream}.last.{filter}");
    client.request(subject, wanted.into()).await.unwrap();
    timeout(BOUND, last.next()).await.expect("the last consumer delivers").unwrap();
}

async fn nothing_protected_is_reached(user: &str) {
    let server = NatsServer::with_shipped_accounts().await;
    let allowed = publishable(&server.accounts_file("users/processes.conf"), user);
    let (reached, published) = reached(&server, user, &allowed).await;
    assert!(published > 1000, "{published}: the list is not what it was");
    assert!(reached.is_empty(), "of {published} publishes {} reached something: {reached:#?}", reached.len());
}

#[tokio::test]
async fn f37_no_reply_subject_of_a_connector_reaches_what_it_may_not_publish_to() {
    nothing_protected_is_reached("connector-1").await;
}

#[tokio::test]
async fn f37_no_reply_subject_of_an_api_reaches_what_it_may_not_publish_to() {
    nothing_protected_is_reached("api").await;
}

/// The account's imports are the wall; the user's permissions stand behind it and say the same.
#[tokio::test]
async fn f37_what_a_user_may_publish_is_what_its_account_imports() {
    let server = NatsServer::with_shipped_accounts().await;
    let configuration = server.accounts_file("users/processes.conf");
    for (account, user) in [("EDGE_connector-1", "connector-1"), ("EDGE_connector-2", "connector-2"), ("API_api", "api")] {
        let (mut services, mut streams) = imported(&configuration, account);
        services.extend([format!("_INBOX.{user}.>"), "RC.API.STREAM.CREATE.*".to_owned()]);
        let mut allowed = publishable(&configuration, user);
        let (_, of_user) = configuration.split_once(&format!("user: \"{user}\"")).unwrap();
        let (_, subscribe) = of_user.split_once("subscribe").unwrap();
        let mut heard = list(subscribe, "allow");
        for list in [&mut services, &mut streams, &mut allowed, &mut heard] {
            list.sort();
        }
        assert_eq!(allowed, services, "{user} publishes what {account} imports");
        assert_eq!(heard, streams, "{user} hears what {account} imports");
    }
}

/// Grants that nothing uses yet: signed heartbeats, sessions that connectors keep, and streams that several instances share.
#[tokio::test]
async fn what_is_granted_for_what_comes_works() {
    let server = NatsServer::with_shipped_accounts().await;
    let (registrar, connector) = (client_of(&server, "registrar").await, client_of(&server, "connector-1").await);
    let api = client_of(&server, "api").await;
    let jetstream = jetstream::new(registrar.clone());
    for (stream, subjects) in [
        ("heartbeats", "heartbeats.*.*"),
        ("documents_~07", "documents.~07.*.>"),
        ("messages_~07", "messages.~07.*.>"),
        ("attempts_~07", "attempts.~07.*.*"),
    ] {
        let config = jetstream::stream::Config {
            name: stream.to_owned(),
            subjects: vec![subjects.to_owned()],
            allow_direct: true,
            ..Default::default()
        };
        jetstream.create_stream(config).await.unwrap();
    }
    let stored = async |client: &Client, subject: &'static str| {
        let answer = timeout(Duration::from_secs(1), client.request(subject, "body".into())).await;
        matches!(answer, Ok(Ok(answer)) if answer.payload.starts_with(b"{\"stream\""))
    };
    assert!(stored(&registrar, "heartbeats.registrar.0").await);
    assert!(stored(&connector, "documents.~07.north.session.d").await);
    assert!(stored(&connector, "messages.~07.north.platform.up.s.d").await);
    assert!(stored(&connector, "attempts.~07.north.connector-1").await);
    assert!(stored(&api, "documents.~07.north.shadow.d").await);
    assert!(stored(&api, "messages.~07.north.devices.down.s.d").await);
    for (client, subject) in [
        (&connector, "heartbeats.registrar.0"),
        (&api, "heartbeats.registrar.0"),
        (&connector, "documents.~07.north.shadow.d"),
        (&api, "attempts.~07.north.api"),
        (&connector, "attempts.~07.north.connector-2"),
    ] {
        assert!(!stored(client, subject).await, "{subject}");
    }

    let held = connector.request("$JS.API.DIRECT.GET.documents_~07.documents.~07.north.session.d", Bytes::new()).await;
    assert_eq!(held.unwrap().payload, "body");
    for (user, client, stream, filter, subject) in [
        ("connector-1", &connector, "heartbeats", "heartbeats.>", "heartbeats.registrar.0"),
        ("api", &api, "heartbeats", "heartbeats.>", "heartbeats.registrar.0"),
        ("connector-1", &connector, "documents_~07", "documents.~07.north.session.>", "documents.~07.north.session.d"),
        ("connector-1", &connector, "messages_~07", "messages.~07.north.devices.>", "messages.~07.north.devices.down.s.d"),
        ("api", &api, "messages_~07", "messages.~07.north.>", "messages.~07.north.platform.up.s.d"),
        ("api", &api, "attempts_~07", "attempts.~07.north.>", "attempts.~07.north.connector-1"),
    ] {
        let inbox = format!("_INBOX.{user}.{stream}");
        let mut delivered = client.subscribe(inbox.clone()).await.unwrap();
        let config = json!({ "name": user, "ack_policy": "none", "filter_subject": filter, "deliver_subject": inbox });
        let wanted = json!({ "stream_name": stream, "config": config }).to_string();
        let made = client.request(format!("$JS.API.CONSUMER.CREATE.{stream}.{user}.{filter}"), wanted.into()).await.unwrap();
        let first = timeout(BOUND, delivered.next()).await;
        let first = first.unwrap_or_else(|_| panic!("{user} on {stream}: {}", String::from_utf8_lossy(&made.payload)));
        assert_eq!(first.unwrap().subject.as_str(), subject, "{user}");
    }
}
