//! Requests, messages and presence, with what is particular to NATS about them.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use bytes::Bytes;
use rollcall_conformance::nats_server::NatsServer;
use rollcall_domain::ids::{Position, RegistrarId, RequestId};
use rollcall_log::{
    BackboneError,
    heartbeat::{Heard, Source},
    log::AppendError,
    messages::{Lane, MessageCursor},
    presence::{Beat, PresenceChange},
    requests::{AnnouncedRuling, RequestKind, Submitted},
};
use rollcall_log_nats::{NatsConfig, connect};
use tokio::time::timeout;

use super::registry_log::last_of;
use super::{BOUND, SHARD, admin, backbone, instance, log, message, offline, online, records, session};

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
        async move { requests.submit(&log(), RequestKind::Connect, &id(n), Bytes::from(format!("body {n}"))).await.unwrap() }
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

#[tokio::test]
async fn messages_are_stored_in_order_and_followed_by_lane() {
    let server = NatsServer::start().await;
    let messages = backbone(&server).await.messages;
    messages.open(&instance()).await.unwrap();
    let mut all = messages.follow(&instance(), &[Lane::Uplink, Lane::Downlink, Lane::Peer], None).await.unwrap();
    let mut down = messages.follow(&instance(), &[Lane::Downlink], None).await.unwrap();
    let publish = async |lane: Lane| {
        for n in 0..100 {
            messages.publish(&instance(), message(lane, n, Bytes::from(vec![7; n]))).await.unwrap();
        }
    };
    // Three callers at a time share commits; each of them waits for one message before the next.
    futures_util::join!(publish(Lane::Uplink), publish(Lane::Downlink), publish(Lane::Peer));
    let mut counts = HashMap::new();
    for position in 1..=300 {
        let found = timeout(BOUND, all.recv()).await.unwrap().unwrap().unwrap();
        let count = counts.entry(found.message.lane).or_insert(0);
        assert_eq!(found.position.to_string(), format!("{SHARD}:{position}"));
        assert_eq!(found.message, message(found.message.lane, *count, Bytes::from(vec![7; *count])));
        assert!(found.stored_at_ms > 1_700_000_000_000);
        *count += 1;
    }
    for n in 0..100 {
        let found = timeout(BOUND, down.recv()).await.unwrap().unwrap().unwrap();
        assert_eq!(found.message, message(Lane::Downlink, n, Bytes::from(vec![7; n])));
    }
    let largest = message(Lane::Uplink, 1, Bytes::from(vec![0; 1024 * 1024]));
    messages.publish(&instance(), largest.clone()).await.unwrap();
    assert_eq!(timeout(BOUND, all.recv()).await.unwrap().unwrap().unwrap().message, largest);
    let larger = message(Lane::Uplink, 1, Bytes::from(vec![0; 1024 * 1024 + 1]));
    assert!(matches!(messages.publish(&instance(), larger).await, Err(BackboneError::LimitReached { .. })));
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
    presence.heartbeat(&instance(), &session("a", 1).connector, Beat::default()).await.unwrap();
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
        let down = message(Lane::Uplink, 1, Bytes::new());
        let errors = [
            backbone.log.last(&log()).await.map(|_| ()).unwrap_err(),
            backbone.requests.submit(&log(), RequestKind::Connect, &id, Bytes::new()).await.map(|_| ()).unwrap_err(),
            backbone.requests.take(&log(), 1, Duration::ZERO).await.map(|_| ()).unwrap_err(),
            backbone.messages.publish(&instance(), down).await.map(|_| ()).unwrap_err(),
            backbone.presence.announce(&instance(), online("d", session("c", 1))).await.unwrap_err(),
            backbone.presence.watch(&instance()).await.map(|_| ()).unwrap_err(),
        ];
        for error in errors {
            assert!(matches!(error, BackboneError::Unavailable { .. }), "{error}");
        }
        let error = backbone.log.append(&log(), Position::START, records(1, 2).into()).await.unwrap_err();
        assert!(matches!(error, AppendError::Backbone(BackboneError::Unavailable { .. })), "{error}");
    };
    timeout(BOUND, bounded).await.expect("nothing waits for ever");
    while timeout(BOUND, watch.recv()).await.expect("watching ends with the connection").is_some() {}
    server.start_again().await;
    assert_eq!(last_of(&backbone).await, 0);
    assert_eq!(backbone.requests.submit(&log(), RequestKind::Connect, &id, Bytes::new()).await.unwrap(), Submitted::Queued);
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
    requests.submit(&log(), RequestKind::Connect, &id, Bytes::from_static(b"body")).await.unwrap();
    let taken = requests.take(&log(), 10, BOUND).await.unwrap();
    assert_eq!(taken[0].id, id);
}

#[tokio::test]
async fn messages_go_on_when_their_stream_is_made_again() {
    let server = NatsServer::start().await;
    let messages = backbone(&server).await.messages;
    messages.open(&instance()).await.unwrap();
    for n in 0..3 {
        messages.publish(&instance(), message(Lane::Downlink, n, Bytes::new())).await.unwrap();
    }
    let mut follower = messages.follow(&instance(), &[Lane::Downlink], Some(MessageCursor::START)).await.unwrap();
    for n in 0..3 {
        let found = timeout(BOUND, follower.recv()).await.unwrap().unwrap().unwrap();
        assert_eq!(found.message, message(Lane::Downlink, n, Bytes::new()));
    }
    admin(&server).await.delete_stream(format!("messages_{SHARD}")).await.unwrap();
    messages.open(&instance()).await.unwrap();
    messages.publish(&instance(), message(Lane::Downlink, 7, Bytes::new())).await.unwrap();
    let found = timeout(BOUND, follower.recv()).await.unwrap().unwrap().unwrap();
    assert_eq!(found.position.to_string(), format!("{SHARD}:1"));
    assert_eq!(found.message, message(Lane::Downlink, 7, Bytes::new()));
}

#[tokio::test]
async fn f9_a_message_that_names_no_request_holds_up_nobody() {
    let server = NatsServer::start().await;
    let requests = backbone(&server).await.requests;
    requests.open(&log()).await.unwrap();
    let admin = admin(&server).await;
    let queue = format!("requests.{SHARD}.inst-1");
    let too_long = "x".repeat(300);
    for odd in ["connect.~.a%2Eb", "other.~.request", &format!("command.~.{too_long}")] {
        admin.publish(format!("{queue}.{odd}"), Bytes::from_static(b"odd")).await.unwrap().await.unwrap();
    }
    let id = RequestId::parse("request").unwrap();
    requests.submit(&log(), RequestKind::Command, &id, Bytes::from_static(b"body")).await.unwrap();
    let mut taken = Vec::new();
    while taken.is_empty() {
        taken = requests.take(&log(), 10, BOUND).await.expect("what is odd is no reason to take nothing");
    }
    assert_eq!((taken.len(), &taken[0].id), (1, &id));
    requests.finish(&log(), vec![taken[0].receipt.clone()]).await.unwrap();
    // Its queue is empty: what was odd is gone, not only passed over.
    let emptied = async {
        while admin.get_stream(format!("requests_{SHARD}")).await.unwrap().cached_info().state.messages > 0 {
            tokio::task::yield_now().await;
        }
    };
    timeout(BOUND, emptied).await.expect("what was odd is removed");
}

#[tokio::test]
async fn f9_a_message_is_on_the_lane_and_of_the_device_that_its_subject_says() {
    let server = NatsServer::start().await;
    let messages = backbone(&server).await.messages;
    messages.open(&instance()).await.unwrap();
    let lanes = [Lane::Downlink, Lane::Peer];
    let mut follower = messages.follow(&instance(), &lanes, Some(MessageCursor::START)).await.unwrap();
    // The bytes of a message down to the device, as the backbone itself writes them.
    messages.publish(&instance(), message(Lane::Downlink, 1, Bytes::from_static(b"true"))).await.unwrap();
    let admin = admin(&server).await;
    let stream = admin.get_stream(format!("messages_{SHARD}")).await.unwrap();
    let body = stream.get_raw_message(1).await.unwrap().payload;
    for forged in ["devices.lateral.space.device", "devices.down.space.other", "devices.down.other.device"] {
        admin.publish(format!("messages.{SHARD}.inst-1.{forged}"), body.clone()).await.unwrap().await.unwrap();
    }
    messages.publish(&instance(), message(Lane::Peer, 2, Bytes::from_static(b"last"))).await.unwrap();
    for (position, payload) in [(1, "true"), (5, "last")] {
        let found = timeout(BOUND, follower.recv()).await.unwrap().unwrap().unwrap();
        assert_eq!(found.position.to_string(), format!("{SHARD}:{position}"));
        assert_eq!(&found.message.payload[..], payload.as_bytes());
    }
}

#[tokio::test]
async fn f50_a_follower_of_registrars_is_told_of_a_cut_before_what_comes_after_it() {
    let mut server = NatsServer::start().await;
    let backbone = backbone(&server).await;
    let source = Source { registrar: RegistrarId::parse("r-1").unwrap(), shard: 0 };
    backbone.heartbeats.open().await.unwrap();
    let mut heard = backbone.heartbeats.follow().await.unwrap();
    let mut next = async || timeout(BOUND, heard.recv()).await.unwrap().expect("following goes on").unwrap();
    backbone.heartbeats.announce(&source, Bytes::from("before")).await.unwrap();
    assert_eq!(next().await, Heard::Announced(Bytes::from("before")));
    server.kill();
    server.start_again().await;
    let announced = async { while backbone.heartbeats.announce(&source, Bytes::from("after")).await.is_err() {} };
    timeout(BOUND, announced).await.unwrap();
    assert_eq!(next().await, Heard::Interrupted);
    loop {
        match next().await {
            Heard::Announced(bytes) if bytes == "after" => return,
            // It is tried until it holds, and what was there before may come once more.
            Heard::Interrupted | Heard::Announced(_) => {}
        }
    }
}
