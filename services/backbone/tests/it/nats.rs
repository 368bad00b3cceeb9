//! What only a real nats-server can show: a server that is killed, connections that break, streams that others touch.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use async_nats::jetstream::{self, stream};
use bytes::Bytes;
use rollcall_backbone::{
    Backbone, BackboneError,
    conformance::UnderTest,
    log::{AppendError, Followed, Follower},
    messages::{DeviceMessage, Lane, MessageProperties},
    nats::{Credentials, NatsConfig, connect},
    presence::{PresenceChange, Session},
    requests::{AnnouncedRuling, Submitted},
};
use rollcall_domain::{
    ids::{ConnectorId, DeviceId, InstanceId, LogId, Position, RequestId, SpaceId},
    time::Timestamp,
};
use tokio::time::timeout;

use crate::nats_server::NatsServer;

/// Longer than anything here takes; a test that waits so long has failed.
const BOUND: Duration = Duration::from_secs(30);

fn instance() -> InstanceId {
    InstanceId::parse("inst-1").unwrap()
}

fn log() -> LogId {
    LogId::Instance(instance())
}

fn records(from: u64, count: u64) -> Vec<Bytes> {
    (from..from + count).map(|n| Bytes::from(format!("record {n}"))).collect()
}

async fn backbone(server: &NatsServer) -> Backbone {
    connect(NatsConfig::new(server.url())).await.unwrap()
}

async fn next(follower: &mut Follower) -> Result<Followed, BackboneError> {
    timeout(BOUND, follower.recv()).await.expect("something follows").expect("following goes on")
}

/// The positions up to the one given, as they come; `CaughtUp` is passed over.
async fn follow_to(follower: &mut Follower, last: u64) -> Vec<(u64, Bytes)> {
    let mut found = Vec::new();
    while found.last().is_none_or(|(position, _)| *position < last) {
        if let Followed::Entry(entry) = next(follower).await.unwrap() {
            found.push((entry.position.0, entry.record));
        }
    }
    found
}

#[tokio::test]
async fn a_log_is_appended_to_and_followed() {
    let server = NatsServer::start().await;
    let log_of = backbone(&server).await.log;
    let identity = log_of.open(&log()).await.unwrap();
    assert_eq!(log_of.open(&log()).await.unwrap(), identity);
    assert_eq!(log_of.last(&log()).await.unwrap(), Position::START);

    let mut empty = log_of.follow(&log(), Position::START).await.unwrap();
    assert_eq!(next(&mut empty).await.unwrap(), Followed::CaughtUp(Position::START));

    assert_eq!(log_of.append(&log(), Position::START, records(1, 1)).await.unwrap(), Position(1));
    assert_eq!(log_of.append(&log(), Position(1), records(2, 300)).await.unwrap(), Position(301));
    for stale in [0, 1, 300, 302] {
        for count in [1, 7] {
            let error = log_of.append(&log(), Position(stale), records(0, count)).await.unwrap_err();
            assert!(matches!(error, AppendError::Conflict { expected } if expected.0 == stale), "{error}");
        }
    }
    assert_eq!(log_of.last(&log()).await.unwrap(), Position(301));
    assert_eq!(log_of.append(&log(), Position(301), records(302, 1000)).await.unwrap(), Position(1301));
    let found = follow_to(&mut empty, 1301).await;
    let wanted: Vec<_> = (1..=1301).map(|n| (n, Bytes::from(format!("record {n}")))).collect();
    assert_eq!(found, wanted);

    let mut later = log_of.follow(&log(), Position(1300)).await.unwrap();
    assert!(matches!(next(&mut later).await.unwrap(), Followed::Entry(entry) if entry.position.0 == 1301));
    assert_eq!(next(&mut later).await.unwrap(), Followed::CaughtUp(Position(1301)));
    let beyond = log_of.follow(&log(), Position(1302)).await.unwrap_err();
    assert!(matches!(beyond, BackboneError::Damaged { .. }), "{beyond}");
}

#[tokio::test]
async fn requests_wait_once_and_come_again_until_finished() {
    let server = NatsServer::start().await;
    let mut config = NatsConfig::new(server.url());
    config.limits.request_lease = Duration::from_secs(1);
    let requests = connect(config).await.unwrap().requests;
    requests.open(&log()).await.unwrap();
    let id = |n: usize| RequestId::parse(&format!("request-{n}")).unwrap();
    let submit = |n| {
        let requests = requests.clone();
        async move { requests.submit(&log(), &id(n), Bytes::from(format!("body {n}"))).await.unwrap() }
    };
    assert_eq!(submit(0).await, Submitted::Queued);
    assert_eq!(submit(0).await, Submitted::AlreadyQueued);
    let all = futures_util::future::join_all((0..200).map(|n| submit(n / 2))).await;
    assert_eq!(all.iter().filter(|submitted| **submitted == Submitted::Queued).count(), 99);

    let taken = requests.take(&log(), 1000, BOUND).await.unwrap();
    assert_eq!(taken.len(), 100);
    assert_eq!(taken[0].id, id(0));
    assert_eq!(submit(5).await, Submitted::AlreadyQueued, "taken, not finished");
    assert!(requests.take(&log(), 10, Duration::from_millis(50)).await.unwrap().is_empty());
    let (first, rest) = taken.split_at(1);
    requests.finish(&log(), rest.iter().map(|delivery| delivery.receipt.clone()).collect()).await.unwrap();
    assert_eq!(submit(5).await, Submitted::Queued);
    let again = requests.take(&log(), 1, BOUND).await.unwrap();
    assert_eq!(again[0].id, id(5));
    requests.finish(&log(), vec![again[0].receipt.clone()]).await.unwrap();

    let redelivered = requests.take(&log(), 5, BOUND).await.unwrap();
    assert_eq!((redelivered.len(), &redelivered[0].id), (1, &id(0)));
    requests.finish(&log(), vec![first[0].receipt.clone()]).await.unwrap();
    assert_eq!(submit(0).await, Submitted::AlreadyQueued, "a receipt whose lease has run out finishes nothing");
    requests.finish(&log(), vec![redelivered[0].receipt.clone()]).await.unwrap();
    assert_eq!(submit(0).await, Submitted::Queued);
}

fn message(lane: Lane, n: usize, payload: Bytes) -> DeviceMessage {
    DeviceMessage {
        lane,
        space: SpaceId::parse("space").unwrap(),
        device: DeviceId::parse("device").unwrap(),
        topic: format!("$oc/devices/device/sys/messages/up\n{n}"),
        payload,
        qos: 1,
        properties: MessageProperties::default(),
    }
}

#[tokio::test]
async fn messages_are_stored_in_order_and_followed_by_lane() {
    let server = NatsServer::start().await;
    let messages = backbone(&server).await.messages;
    messages.open(&instance()).await.unwrap();
    let mut all = messages.follow(&instance(), &[Lane::Up, Lane::Down, Lane::Lateral], None).await.unwrap();
    let mut down = messages.follow(&instance(), &[Lane::Down], None).await.unwrap();
    let publish = async |lane: Lane| {
        for n in 0..100 {
            messages.publish(&instance(), message(lane, n, Bytes::from(vec![7; n]))).await.unwrap();
        }
    };
    // Three callers at a time share commits; each of them waits for one message before the next.
    futures_util::join!(publish(Lane::Up), publish(Lane::Down), publish(Lane::Lateral));
    let mut counts = HashMap::new();
    for position in 1..=300 {
        let found = timeout(BOUND, all.recv()).await.unwrap().unwrap().unwrap();
        let count = counts.entry(found.message.lane).or_insert(0);
        assert_eq!(found.position.0, position);
        assert_eq!(found.message, message(found.message.lane, *count, Bytes::from(vec![7; *count])));
        assert!(found.stored_at_ms > 1_700_000_000_000);
        *count += 1;
    }
    for n in 0..100 {
        let found = timeout(BOUND, down.recv()).await.unwrap().unwrap().unwrap();
        assert_eq!(found.message, message(Lane::Down, n, Bytes::from(vec![7; n])));
    }
    let largest = message(Lane::Up, 1, Bytes::from(vec![0; 1024 * 1024]));
    messages.publish(&instance(), largest.clone()).await.unwrap();
    assert_eq!(timeout(BOUND, all.recv()).await.unwrap().unwrap().unwrap().message, largest);
    let larger = message(Lane::Up, 1, Bytes::from(vec![0; 1024 * 1024 + 1]));
    assert!(matches!(messages.publish(&instance(), larger).await, Err(BackboneError::LimitReached { .. })));
}

fn session(connector: &str, number: u64) -> Session {
    Session { connector: ConnectorId::parse(connector).unwrap(), number }
}

fn online(device: &str, session: Session) -> PresenceChange {
    PresenceChange::Online { device: DeviceId::parse(device).unwrap(), session, at: Timestamp::from_unix_ms(1) }
}

fn offline(device: &str, session: Session) -> PresenceChange {
    PresenceChange::Offline { device: DeviceId::parse(device).unwrap(), session, at: Timestamp::from_unix_ms(2) }
}

#[tokio::test]
async fn a_lost_connector_takes_its_devices_with_it() {
    let server = NatsServer::start().await;
    let mut config = NatsConfig::new(server.url());
    config.limits.presence_lease = Duration::from_secs(1);
    let presence = connect(config).await.unwrap().presence;
    presence.open(&instance()).await.unwrap();
    let next = async |watch: &mut tokio::sync::mpsc::Receiver<PresenceChange>| {
        timeout(BOUND, watch.recv()).await.expect("something changes").expect("watching goes on")
    };
    let mut first = presence.watch(&instance()).await.unwrap();
    assert_eq!(next(&mut first).await, PresenceChange::CaughtUp);
    presence.heartbeat(&instance(), &session("a", 1).connector).await.unwrap();
    presence.announce(&instance(), online("d1", session("a", 1))).await.unwrap();
    presence.announce(&instance(), online("d2", session("a", 2))).await.unwrap();
    presence.announce(&instance(), online("d1", session("b", 1))).await.unwrap();
    // Late: d1 has moved on.
    presence.announce(&instance(), offline("d1", session("a", 1))).await.unwrap();
    for change in [online("d1", session("a", 1)), online("d2", session("a", 2)), online("d1", session("b", 1))] {
        assert_eq!(next(&mut first).await, change);
    }
    let mut second = presence.watch(&instance()).await.unwrap();
    assert_eq!(next(&mut second).await, online("d2", session("a", 2)));
    assert_eq!(next(&mut second).await, online("d1", session("b", 1)));
    assert_eq!(next(&mut second).await, PresenceChange::CaughtUp);
    let mut lost = HashSet::new();
    for _ in 0..2 {
        let PresenceChange::ConnectorLost { connector } = next(&mut first).await else { panic!("another change") };
        assert!(lost.insert(connector.to_string()));
    }
    assert_eq!(lost, HashSet::from(["a".to_owned(), "b".to_owned()]));
    let mut third = presence.watch(&instance()).await.unwrap();
    assert_eq!(next(&mut third).await, PresenceChange::CaughtUp);
}

/// Appends batch after batch, as long as `go_on` says; returns what was acknowledged. After an unknown outcome it looks at
/// the log, as a registrar does.
async fn append_until(backbone: &Backbone, mut go_on: impl FnMut(u64) -> bool) -> Vec<Bytes> {
    let mut acknowledged = Vec::new();
    let mut batch = 0;
    while go_on(batch) {
        batch += 1;
        let count = batch * 7 % 40 + 1;
        let records: Vec<_> = (0..count).map(|n| Bytes::from(format!("batch {batch} record {n}"))).collect();
        loop {
            let before = acknowledged.len() as u64;
            let after = before + count;
            match backbone.log.append(&log(), Position(before), records.clone()).await {
                Ok(position) => assert_eq!(position.0, after),
                Err(error) => {
                    let last = last_of(backbone).await;
                    assert!(last == before || last == after, "{last} is inside batch {batch} ({before}..{after}): {error}");
                    if last == before {
                        continue;
                    }
                }
            }
            acknowledged.extend(records);
            break;
        }
    }
    acknowledged
}

async fn last_of(backbone: &Backbone) -> u64 {
    let looking = async {
        loop {
            match backbone.log.last(&log()).await {
                Ok(last) => return last.0,
                Err(BackboneError::Unavailable { .. }) => {}
                Err(error) => panic!("{error}"),
            }
        }
    };
    timeout(BOUND, looking).await.expect("the server comes back")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f16_a_killed_server_loses_and_doubles_nothing() {
    const KILLS: u64 = 5;
    const BATCHES_BETWEEN: u64 = 60;
    let mut server = NatsServer::start().await;
    let backbone = backbone(&server).await;
    backbone.log.open(&log()).await.unwrap();
    let mut follower = backbone.log.follow(&log(), Position::START).await.unwrap();
    let (progress, mut seen) = tokio::sync::watch::channel(0);
    let appender = tokio::spawn({
        let backbone = backbone.clone();
        async move {
            append_until(&backbone, |batch| {
                progress.send_replace(batch);
                batch < (KILLS + 1) * BATCHES_BETWEEN
            })
            .await
        }
    });
    for kill in 1..=KILLS {
        timeout(BOUND, seen.wait_for(|batch| *batch >= kill * BATCHES_BETWEEN)).await.expect("appends go on").unwrap();
        server.kill();
        server.start_again().await;
    }
    let acknowledged = timeout(BOUND, appender).await.expect("appends end").unwrap();
    let found = follow_to(&mut follower, acknowledged.len() as u64).await;
    let wanted: Vec<_> = (1..).zip(acknowledged).collect();
    assert_eq!(found, wanted);
}

#[tokio::test]
async fn a_follower_goes_on_when_its_consumer_is_deleted() {
    let server = NatsServer::start().await;
    let backbone = backbone(&server).await;
    backbone.log.open(&log()).await.unwrap();
    backbone.log.append(&log(), Position::START, records(1, 3)).await.unwrap();
    let mut follower = backbone.log.follow(&log(), Position::START).await.unwrap();
    assert_eq!(follow_to(&mut follower, 3).await.len(), 3);
    assert_eq!(next(&mut follower).await.unwrap(), Followed::CaughtUp(Position(3)));
    let stream = admin(&server).await.get_stream("registry_inst-1").await.unwrap();
    let consumers: Vec<_> = futures_util::TryStreamExt::try_collect(stream.consumer_names()).await.unwrap();
    assert!(!consumers.is_empty());
    for consumer in &consumers {
        stream.delete_consumer(consumer).await.unwrap();
    }
    backbone.log.append(&log(), Position(3), records(4, 2)).await.unwrap();
    // No second CaughtUp comes between.
    for position in [4, 5] {
        assert!(matches!(next(&mut follower).await.unwrap(), Followed::Entry(entry) if entry.position.0 == position));
    }
}

#[tokio::test]
async fn a_slow_reader_gets_everything_in_the_end() {
    let server = NatsServer::start().await;
    let backbone = backbone(&server).await;
    backbone.log.open(&log()).await.unwrap();
    let mut slow = backbone.log.follow(&log(), Position::START).await.unwrap();
    // More than the server sends unacknowledged (32 MB), and than all buffers on the way hold.
    let record = Bytes::from(vec![b'x'; 64 * 1024]);
    for batch in 0..10 {
        backbone.log.append(&log(), Position(batch * 100), vec![record.clone(); 100]).await.unwrap();
    }
    let found = follow_to(&mut slow, 1000).await;
    assert!(found.iter().map(|(position, _)| *position).eq(1..=1000));
}

async fn admin(server: &NatsServer) -> jetstream::Context {
    jetstream::new(async_nats::connect(server.url()).await.unwrap())
}

/// A registry stream as somebody made it by hand, where deletion is possible, with ten records.
async fn foreign_log(server: &NatsServer) -> stream::Stream {
    let admin = admin(server).await;
    let config = stream::Config {
        name: "registry_inst-1".to_owned(),
        subjects: vec!["registry.inst-1.>".to_owned()],
        ..stream::Config::default()
    };
    let stream = admin.create_stream(config).await.unwrap();
    for record in records(1, 10) {
        admin.publish("registry.inst-1.record", record).await.unwrap().await.unwrap();
    }
    stream
}

#[tokio::test]
async fn a_stream_with_other_settings_is_refused() {
    let server = NatsServer::start().await;
    foreign_log(&server).await;
    let error = backbone(&server).await.log.open(&log()).await.unwrap_err();
    let BackboneError::StreamDiffers { stream, difference } = &error else { panic!("{error}") };
    assert_eq!(stream, "registry_inst-1");
    assert!(difference.contains("deny_delete is false, wanted true"), "{difference}");
}

#[tokio::test]
async fn f17_a_gap_stops_a_follower_and_names_its_place() {
    let server = NatsServer::start().await;
    let stream = foreign_log(&server).await;
    let log_of = backbone(&server).await.log;
    stream.delete_message(5).await.unwrap();
    let mut follower = log_of.follow(&log(), Position::START).await.unwrap();
    assert_eq!(follow_to(&mut follower, 4).await.len(), 4);
    let error = next(&mut follower).await.unwrap_err();
    assert!(matches!(&error, BackboneError::Damaged { reason, .. } if reason.contains("6 follows on 4")), "{error}");
    assert!(timeout(BOUND, follower.recv()).await.unwrap().is_none(), "nothing comes after an error");

    // A log whose end has been cut off: the last sequence is there, the records are not.
    stream.delete_message(9).await.unwrap();
    stream.delete_message(10).await.unwrap();
    let mut follower = log_of.follow(&log(), Position(5)).await.unwrap();
    assert_eq!(follow_to(&mut follower, 8).await.len(), 3);
    let error = next(&mut follower).await.unwrap_err();
    assert!(matches!(&error, BackboneError::Damaged { reason, .. } if reason.contains("9 to 10 are gone")), "{error}");
}

#[tokio::test]
async fn a_log_that_was_made_again_stops_its_followers() {
    let server = NatsServer::start().await;
    foreign_log(&server).await;
    let log_of = backbone(&server).await.log;
    let mut follower = log_of.follow(&log(), Position::START).await.unwrap();
    assert_eq!(follow_to(&mut follower, 10).await.len(), 10);
    assert_eq!(next(&mut follower).await.unwrap(), Followed::CaughtUp(Position(10)));
    admin(&server).await.delete_stream("registry_inst-1").await.unwrap();
    foreign_log(&server).await;
    let error = next(&mut follower).await.unwrap_err();
    assert!(matches!(error, BackboneError::Damaged { .. }), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_appenders_never_mix() {
    const BATCHES: u64 = 40;
    let server = NatsServer::start().await;
    let append = async |name: &'static str| {
        let backbone = backbone(&server).await;
        backbone.log.open(&log()).await.unwrap();
        for batch in 0..BATCHES {
            let records: Vec<_> = (0..3).map(|n| Bytes::from(format!("{name} {batch} {n}"))).collect();
            loop {
                let last = backbone.log.last(&log()).await.unwrap();
                match backbone.log.append(&log(), last, records.clone()).await {
                    Ok(position) => break assert_eq!(position.0, last.0 + 3),
                    Err(AppendError::Conflict { .. }) => {}
                    Err(error) => panic!("{error}"),
                }
            }
        }
    };
    tokio::join!(append("a"), append("b"));
    let mut follower = backbone(&server).await.log.follow(&log(), Position::START).await.unwrap();
    let found = follow_to(&mut follower, BATCHES * 6).await;
    let batches: Vec<_> = found.chunks(3).map(|batch| batch.iter().map(|(_, record)| record.clone()).collect()).collect();
    let wanted = ["a", "b"].into_iter().flat_map(|name| {
        (0..BATCHES).map(move |batch| (0..3).map(|n| Bytes::from(format!("{name} {batch} {n}"))).collect::<Vec<_>>())
    });
    assert_eq!(batches.len() as u64, BATCHES * 2);
    assert_eq!(batches.into_iter().collect::<HashSet<_>>(), wanted.collect::<HashSet<_>>());
}

#[tokio::test]
async fn without_a_server_everything_ends_in_unavailable_and_resumes() {
    let mut server = NatsServer::start().await;
    let mut config = NatsConfig::new(server.url());
    config.operation_timeout = Duration::from_millis(500);
    let backbone = connect(config).await.unwrap();
    backbone.log.open(&log()).await.unwrap();
    backbone.requests.open(&log()).await.unwrap();
    backbone.messages.open(&instance()).await.unwrap();
    backbone.presence.open(&instance()).await.unwrap();
    let mut rulings = backbone.requests.rulings(&log()).await.unwrap();
    let mut watch = backbone.presence.watch(&instance()).await.unwrap();
    assert_eq!(watch.recv().await, Some(PresenceChange::CaughtUp));
    let id = RequestId::parse("request").unwrap();
    server.kill();
    let bounded = async {
        let down = message(Lane::Up, 1, Bytes::new());
        let errors = [
            backbone.log.last(&log()).await.map(|_| ()).unwrap_err(),
            backbone.requests.submit(&log(), &id, Bytes::new()).await.map(|_| ()).unwrap_err(),
            backbone.requests.take(&log(), 1, Duration::ZERO).await.map(|_| ()).unwrap_err(),
            backbone.messages.publish(&instance(), down).await.map(|_| ()).unwrap_err(),
            backbone.presence.announce(&instance(), online("d", session("c", 1))).await.unwrap_err(),
            backbone.presence.watch(&instance()).await.map(|_| ()).unwrap_err(),
        ];
        for error in errors {
            assert!(matches!(error, BackboneError::Unavailable { .. }), "{error}");
        }
        let error = backbone.log.append(&log(), Position::START, records(1, 2)).await.unwrap_err();
        assert!(matches!(error, AppendError::Backbone(BackboneError::Unavailable { .. })), "{error}");
    };
    timeout(BOUND, bounded).await.expect("nothing waits for ever");
    while timeout(BOUND, watch.recv()).await.expect("watching ends with the connection").is_some() {}
    server.start_again().await;
    assert_eq!(last_of(&backbone).await, 0);
    assert_eq!(backbone.requests.submit(&log(), &id, Bytes::new()).await.unwrap(), Submitted::Queued);
    assert_eq!(backbone.requests.take(&log(), 1, BOUND).await.unwrap().len(), 1);
    let ruling = AnnouncedRuling { id, ruling: Bytes::from_static(b"{}") };
    backbone.requests.announce(&log(), vec![ruling.clone()]).await.unwrap();
    assert_eq!(timeout(BOUND, rulings.recv()).await.unwrap(), Some(ruling));
}

#[tokio::test]
async fn what_a_caller_who_went_away_had_taken_is_handed_back() {
    let server = NatsServer::start().await;
    let mut config = NatsConfig::new(server.url());
    config.limits.request_lease = Duration::from_secs(3600);
    let requests = connect(config).await.unwrap().requests;
    requests.open(&log()).await.unwrap();
    assert!(requests.take(&log(), 10, Duration::ZERO).await.unwrap().is_empty());
    // Polled until it waits at the server, then dropped.
    let given_up = timeout(Duration::from_millis(200), requests.take(&log(), 10, BOUND)).await;
    assert!(given_up.is_err());
    let id = RequestId::parse("request").unwrap();
    requests.submit(&log(), &id, Bytes::from_static(b"body")).await.unwrap();
    let taken = requests.take(&log(), 10, BOUND).await.unwrap();
    assert_eq!(taken[0].id, id);
}

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

#[tokio::test]
async fn messages_go_on_when_their_stream_is_made_again() {
    let server = NatsServer::start().await;
    let messages = backbone(&server).await.messages;
    messages.open(&instance()).await.unwrap();
    for n in 0..3 {
        messages.publish(&instance(), message(Lane::Down, n, Bytes::new())).await.unwrap();
    }
    let mut follower = messages.follow(&instance(), &[Lane::Down], Some(Position::START)).await.unwrap();
    for n in 0..3 {
        let found = timeout(BOUND, follower.recv()).await.unwrap().unwrap().unwrap();
        assert_eq!(found.message, message(Lane::Down, n, Bytes::new()));
    }
    admin(&server).await.delete_stream("messages_inst-1").await.unwrap();
    messages.open(&instance()).await.unwrap();
    messages.publish(&instance(), message(Lane::Down, 7, Bytes::new())).await.unwrap();
    let found = timeout(BOUND, follower.recv()).await.unwrap().unwrap().unwrap();
    assert_eq!((found.position, found.message), (Position(1), message(Lane::Down, 7, Bytes::new())));
}

/// The sample configuration's accounts, as in `deploy/nats`.
async fn server_with_accounts() -> NatsServer {
    let accounts = include_str!("../../../../deploy/nats/accounts.conf");
    let accounts = accounts
        .replace("$ROLLCALL_NATS_CONNECTOR_PASSWORD", "connector-password")
        .replace("$ROLLCALL_NATS_REGISTRAR_PASSWORD", "registrar-password")
        .replace("$ROLLCALL_NATS_UP_PASSWORD", "up-password");
    NatsServer::with(&accounts).await
}

async fn as_user(server: &NatsServer, name: &str) -> Backbone {
    let mut config = NatsConfig::new(server.url());
    config.credentials = Credentials::User { name: name.to_owned(), password: format!("{name}-password") };
    // What is not permitted is not answered either.
    config.operation_timeout = Duration::from_secs(1);
    connect(config).await.unwrap()
}

#[tokio::test]
async fn a_connector_may_submit_and_read_and_only_a_registrar_append() {
    let server = server_with_accounts().await;
    let (connector, registrar) = (as_user(&server, "connector").await, as_user(&server, "registrar").await);
    let id = RequestId::parse("request").unwrap();
    assert!(connector.log.open(&log()).await.is_err(), "a connector makes no streams");
    registrar.log.open(&log()).await.unwrap();

    connector.log.open(&log()).await.unwrap();
    connector.messages.open(&instance()).await.unwrap();
    connector.presence.open(&instance()).await.unwrap();
    let mut rulings = connector.requests.rulings(&log()).await.unwrap();
    let mut follower = connector.log.follow(&log(), Position::START).await.unwrap();
    assert_eq!(connector.requests.submit(&log(), &id, Bytes::new()).await.unwrap(), Submitted::Queued);
    let error = connector.log.append(&log(), Position::START, records(1, 1)).await.unwrap_err();
    assert!(matches!(error, AppendError::Backbone(BackboneError::Unavailable { .. })), "{error}");
    assert!(connector.log.append(&log(), Position::START, records(1, 5)).await.is_err());
    assert!(connector.requests.take(&log(), 1, Duration::ZERO).await.is_err());
    assert!(connector.attempts.keep(&log(), records(1, 1)).await.is_err());

    let taken = registrar.requests.take(&log(), 10, BOUND).await.unwrap();
    registrar.log.append(&log(), Position::START, records(1, 5)).await.unwrap();
    let ruling = AnnouncedRuling { id, ruling: Bytes::from_static(b"{}") };
    registrar.requests.announce(&log(), vec![ruling.clone()]).await.unwrap();
    registrar.requests.finish(&log(), taken.into_iter().map(|delivery| delivery.receipt).collect()).await.unwrap();
    registrar.attempts.keep(&log(), records(1, 3)).await.unwrap();
    assert_eq!(registrar.attempts.read(&log(), Position(1), 10).await.unwrap().len(), 2);
    assert_eq!(follow_to(&mut follower, 5).await.len(), 5);
    assert_eq!(timeout(BOUND, rulings.recv()).await.unwrap(), Some(ruling));

    let lanes = [Lane::Down, Lane::Lateral];
    let mut messages = connector.messages.follow(&instance(), &lanes, None).await.unwrap();
    for lane in [Lane::Up, Lane::Lateral] {
        connector.messages.publish(&instance(), message(lane, 1, Bytes::new())).await.unwrap();
    }
    assert_eq!(timeout(BOUND, messages.recv()).await.unwrap().unwrap().unwrap().message.lane, Lane::Lateral);
    let mut watch = connector.presence.watch(&instance()).await.unwrap();
    connector.presence.heartbeat(&instance(), &session("c", 1).connector).await.unwrap();
    connector.presence.announce(&instance(), online("d", session("c", 1))).await.unwrap();
    connector.presence.announce(&instance(), offline("d", session("c", 1))).await.unwrap();
    assert_eq!(watch.recv().await, Some(PresenceChange::CaughtUp));
    assert_eq!(timeout(BOUND, watch.recv()).await.unwrap(), Some(online("d", session("c", 1))));
    assert_eq!(timeout(BOUND, watch.recv()).await.unwrap(), Some(offline("d", session("c", 1))));
}

#[tokio::test]
async fn one_user_may_do_what_both_may() {
    let server = server_with_accounts().await;
    let backbone = as_user(&server, "up").await;
    backbone.log.open(&log()).await.unwrap();
    backbone.log.append(&log(), Position::START, records(1, 5)).await.unwrap();
    let mut follower = backbone.log.follow(&log(), Position::START).await.unwrap();
    assert_eq!(follow_to(&mut follower, 5).await.len(), 5);
    backbone.messages.publish(&instance(), message(Lane::Down, 1, Bytes::new())).await.unwrap();
    backbone.presence.announce(&instance(), online("d", session("c", 1))).await.unwrap();
    let id = RequestId::parse("request").unwrap();
    backbone.requests.submit(&log(), &id, Bytes::new()).await.unwrap();
    assert_eq!(backbone.requests.take(&log(), 10, BOUND).await.unwrap().len(), 1);
}

#[test]
fn the_sample_configuration_is_one_that_a_server_takes() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/nats/nats-server.conf");
    let passwords = ["CONNECTOR", "REGISTRAR", "UP"].map(|user| (format!("ROLLCALL_NATS_{user}_PASSWORD"), "secret"));
    let checked = NatsServer::program().args(["-t", "-c", file]).envs(passwords).output().unwrap();
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
}

/// A server of its own for each check, with short leases.
async fn under_test() -> (UnderTest, NatsServer) {
    let server = NatsServer::start().await;
    let mut config = NatsConfig::new(server.url());
    config.limits.request_lease = Duration::from_secs(1);
    config.limits.presence_lease = Duration::from_secs(1);
    let under_test = UnderTest {
        request_lease: config.limits.request_lease,
        presence_lease: config.limits.presence_lease,
        backbone: connect(config).await.unwrap(),
        prefix: "check".to_owned(),
    };
    (under_test, server)
}

rollcall_backbone::conformance_tests!(under_test);
