//! A fleet that version 0.1 kept on NATS, with streams of each instance's own: what is in them is used, drained or copied.

use std::{collections::HashMap, time::Duration};

use async_nats::{
    HeaderMap, jetstream,
    jetstream::stream::{Config, DiscardPolicy, RetentionPolicy},
};
use bytes::Bytes;
use rollcall_conformance::nats_server::NatsServer;
use rollcall_domain::ids::{DeviceId, LogId, Position, RequestId};
use rollcall_log::{
    Backbone,
    documents::{CursorName, DocumentKey, PutError, Revision},
    messages::{Lane, MessageCursor, MessagesOf},
    requests::RequestKind,
};
use rollcall_log_nats::{NatsConfig, connect};
use tokio::time::timeout;

use super::{BOUND, SHARD, admin, instance, log, message, records};

/// Streams as version 0.1 declared them, as far as it matters here.
async fn fleet_of_0_1(admin: &jetstream::Context) {
    let registry = |log: &str| Config {
        deny_delete: true,
        deny_purge: true,
        allow_direct: true,
        allow_atomic_publish: true,
        discard: DiscardPolicy::New,
        ..named(&format!("registry_{log}"), &format!("registry.{log}.>"))
    };
    let streams = [
        registry("~fleet"),
        registry("inst-1"),
        Config {
            retention: RetentionPolicy::WorkQueue,
            max_messages_per_subject: 1,
            discard: DiscardPolicy::New,
            discard_new_per_subject: true,
            max_messages: 1_000_000,
            ..named("requests_inst-1", "requests.inst-1.*.*")
        },
        named("attempts_inst-1", "attempts.inst-1"),
        Config { allow_direct: true, ..named("messages_inst-1", "messages.inst-1.>") },
        Config { max_messages_per_subject: 1, ..named("documents_inst-1", "documents.inst-1.>") },
    ];
    for stream in streams {
        admin.create_stream(stream).await.unwrap();
    }
}

fn named(name: &str, subject: &str) -> Config {
    Config { name: name.to_owned(), subjects: vec![subject.to_owned()], ..Config::default() }
}

async fn put(admin: &jetstream::Context, subject: &str, body: impl Into<Bytes>) {
    admin.publish(subject.to_owned(), body.into()).await.unwrap().await.unwrap();
}

/// A message as both versions write it.
async fn body(server: &NatsServer, lane: Lane, number: usize) -> Bytes {
    let scratch = NatsServer::start().await;
    let backbone = connect(NatsConfig::new(scratch.url())).await.unwrap();
    backbone.messages.open(&instance()).await.unwrap();
    backbone.messages.publish(&instance(), message(lane, number, Bytes::from_static(b"payload"))).await.unwrap();
    assert_ne!(scratch.url(), server.url());
    let stream = admin(&scratch).await.get_stream(format!("messages_{SHARD}")).await.unwrap();
    stream.get_raw_message(1).await.unwrap().payload
}

async fn opened(server: &NatsServer) -> Backbone {
    let backbone = connect(NatsConfig::new(server.url())).await.unwrap();
    backbone.log.open(&LogId::Fleet).await.unwrap();
    backbone.log.open(&log()).await.unwrap();
    backbone
}

#[tokio::test]
async fn a_registry_goes_on_where_it_was() {
    let server = NatsServer::start().await;
    let admin = admin(&server).await;
    fleet_of_0_1(&admin).await;
    for record in records(1, 3) {
        put(&admin, "registry.inst-1.record", record).await;
    }
    let backbone = opened(&server).await;
    assert_eq!(backbone.log.append(&log(), Position(3), records(4, 1).into()).await.unwrap(), Position(4));
    let found: Vec<_> = backbone.log.read(&log(), Position::START, 10).await.unwrap();
    assert_eq!(found.into_iter().map(|entry| entry.record).collect::<Vec<_>>(), records(1, 4));
}

#[tokio::test]
async fn requests_that_waited_and_those_of_connectors_of_0_1_are_taken() {
    let server = NatsServer::start().await;
    let admin = admin(&server).await;
    fleet_of_0_1(&admin).await;
    put(&admin, "requests.inst-1.connect.waited", "body").await;
    let backbone = opened(&server).await;
    let id = |id: &str| RequestId::parse(id).unwrap();
    backbone.requests.submit(&log(), RequestKind::Command, &id("new"), Bytes::from_static(b"body")).await.unwrap();
    let take = async || {
        let taken = backbone.requests.take(&log(), 10, BOUND).await.unwrap();
        let ids: Vec<_> = taken.iter().map(|delivery| delivery.id.to_string()).collect();
        backbone.requests.finish(&log(), taken.into_iter().map(|delivery| delivery.receipt).collect()).await.unwrap();
        ids
    };
    let mut found = Vec::new();
    while found.len() < 2 {
        found.extend(take().await);
    }
    assert_eq!(found, ["waited", "new"], "the oldest come first");
    let (waiting, ()) = tokio::join!(take(), put(&admin, "requests.inst-1.connect.later", "body"));
    assert_eq!(waiting, ["later"], "a connector of version 0.1 is waited for too");
    let left = admin.get_stream("requests_inst-1").await.unwrap().cached_info().state.messages;
    assert_eq!(left, 0, "the old queue is drained");
}

#[tokio::test]
async fn attempts_are_read_from_both_and_positions_rise() {
    let server = NatsServer::start().await;
    let admin = admin(&server).await;
    fleet_of_0_1(&admin).await;
    for attempt in records(1, 3) {
        put(&admin, "attempts.inst-1", attempt).await;
    }
    let backbone = opened(&server).await;
    backbone.attempts.keep(&log(), records(4, 2)).await.unwrap();
    let (mut after, mut found) = (Position::START, Vec::new());
    loop {
        let read = backbone.attempts.read(&log(), after, 2).await.unwrap();
        let Some(last) = read.last() else { break };
        assert!(read.iter().all(|entry| entry.position > after));
        after = last.position;
        found.extend(read.into_iter().map(|entry| entry.record));
    }
    assert_eq!(found, records(1, 5));
    let one = backbone.attempts.read(&log(), Position(2), 1).await.unwrap();
    assert_eq!((one[0].position, &one[0].record), (Position(3), &records(3, 1)[0]), "an old position finds what it did");
}

#[tokio::test]
async fn messages_are_followed_in_both_old_ones_first_and_a_cursor_of_0_1_goes_on() {
    let server = NatsServer::start().await;
    let admin = admin(&server).await;
    fleet_of_0_1(&admin).await;
    let subject = "messages.inst-1.platform.up.space.device";
    for number in 1..=3 {
        put(&admin, subject, body(&server, Lane::Uplink, number).await).await;
    }
    let backbone = opened(&server).await;
    let messages = &backbone.messages;
    let new = message(Lane::Uplink, 4, Bytes::from_static(b"payload"));
    messages.publish(&instance(), new).await.unwrap();
    let cursor: MessageCursor = serde_json::from_str(r#"{"position":1}"#).unwrap();
    let mut follower = messages.follow(&instance(), &[Lane::Uplink], Some(cursor)).await.unwrap();
    let mut reached = cursor;
    let mut last = None;
    for number in 2..=4 {
        let found = timeout(BOUND, follower.recv()).await.unwrap().unwrap().unwrap();
        assert_eq!(found.message, message(Lane::Uplink, number, Bytes::from_static(b"payload")));
        assert!(last.is_none_or(|last| found.position > last), "positions rise from the one stream to the other");
        last = Some(found.position);
        reached.advance(found.position);
    }
    // A connector of version 0.1 still says something, and a new one.
    put(&admin, subject, body(&server, Lane::Uplink, 5).await).await;
    let mut again = messages.follow(&instance(), &[Lane::Uplink], Some(reached)).await.unwrap();
    for follower in [&mut follower, &mut again] {
        let found = timeout(BOUND, follower.recv()).await.unwrap().unwrap().unwrap();
        assert_eq!(found.message, message(Lane::Uplink, 5, Bytes::from_static(b"payload")));
    }
    let (mut latest, mut before) = (Vec::new(), None);
    for _ in 0..3 {
        let page = messages.latest(&instance(), Lane::Uplink, &MessagesOf::Instance, before, 2).await.unwrap();
        latest.extend(page.messages.into_iter().map(|found| found.message.topic));
        before = page.next;
    }
    let newest_first = [4, 5, 3, 2, 1].map(|number| message(Lane::Uplink, number, Bytes::new()).topic);
    assert_eq!((latest, before), (newest_first.to_vec(), None), "what is in the shard first");
    // Deleted by an operator when it has aged out.
    admin.delete_stream("messages_inst-1").await.unwrap();
    messages.publish(&instance(), message(Lane::Uplink, 6, Bytes::from_static(b"payload"))).await.unwrap();
    let found = timeout(BOUND, follower.recv()).await.unwrap().unwrap().unwrap();
    assert_eq!(found.message, message(Lane::Uplink, 6, Bytes::from_static(b"payload")));
}

#[tokio::test]
async fn documents_are_copied_once_and_what_is_deleted_does_not_come_back() {
    let server = NatsServer::start().await;
    let admin = admin(&server).await;
    fleet_of_0_1(&admin).await;
    let device = |number: usize| DeviceId::parse(&format!("device-{number}")).unwrap();
    for number in 0..40 {
        put(&admin, &format!("documents.inst-1.shadow.device-{number}"), format!("shadow {number}")).await;
    }
    put(&admin, "documents.inst-1.cursor.reports", r#"{"epoch":0,"position":7}"#).await;
    let deleted = HeaderMap::from_iter([("KV-Operation".parse().unwrap(), "DEL".parse().unwrap())]);
    admin.publish_with_headers("documents.inst-1.shadow.device-1", deleted, Bytes::new()).await.unwrap().await.unwrap();

    // Two processes at a time.
    let (one, other) = (opened(&server).await, opened(&server).await);
    let log_id = log();
    let (first, second) = tokio::join!(one.documents.open(&log_id), other.documents.open(&log_id));
    first.unwrap();
    second.unwrap();
    let documents = &one.documents;
    let get = async |key: &DocumentKey| documents.get(&log(), key).await.unwrap();
    let mut found = HashMap::new();
    for number in 0..40 {
        if let Some(document) = get(&DocumentKey::Shadow(device(number))).await {
            assert_eq!(document.body, format!("shadow {number}"));
            found.insert(number, document.revision);
        }
    }
    assert_eq!((found.len(), found.get(&1)), (39, None), "all but what was deleted");
    let cursor = get(&DocumentKey::Cursor(CursorName::Reports)).await.unwrap();
    assert_eq!(cursor.body, r#"{"epoch":0,"position":7}"#);

    let changed = documents.put(&log(), &DocumentKey::Shadow(device(2)), found[&2], "new".into()).await.unwrap();
    documents.delete(&log(), &DocumentKey::Shadow(device(3)), found[&3]).await.unwrap();
    // What a deletion leaves goes away after a minute; here at once.
    let purged = admin.get_stream(format!("documents_{SHARD}")).await.unwrap();
    purged.purge().filter(format!("documents.{SHARD}.inst-1.shadow.device-3")).await.unwrap();
    let late = opened(&server).await;
    late.documents.open(&log()).await.unwrap();
    assert_eq!(late.documents.get(&log(), &DocumentKey::Shadow(device(3))).await.unwrap(), None);
    let kept = late.documents.get(&log(), &DocumentKey::Shadow(device(2))).await.unwrap().unwrap();
    assert_eq!((kept.revision, kept.body), (changed, Bytes::from("new")));
    let stale = late.documents.put(&log(), &DocumentKey::Shadow(device(2)), Revision(1), "stale".into()).await;
    assert!(matches!(stale, Err(PutError::Conflict)));
}

#[tokio::test]
async fn an_instance_that_is_made_after_the_upgrade_has_no_stream_of_its_own() {
    let server = NatsServer::start().await;
    let admin = admin(&server).await;
    fleet_of_0_1(&admin).await;
    let backbone = opened(&server).await;
    let new = LogId::Instance(rollcall_domain::ids::InstanceId::parse("new").unwrap());
    backbone.log.open(&new).await.unwrap();
    let id = RequestId::parse("request").unwrap();
    backbone.requests.submit(&new, RequestKind::Connect, &id, Bytes::new()).await.unwrap();
    assert_eq!(backbone.requests.take(&new, 1, BOUND).await.unwrap().len(), 1);
    assert!(admin.get_stream("requests_new").await.is_err());
    assert_eq!(backbone.requests.take(&new, 1, Duration::ZERO).await.unwrap().len(), 0);
}
