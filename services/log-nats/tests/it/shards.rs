//! What instances share: the shards, and what one instance may do to another in its shard.

use std::{collections::HashSet, time::Duration};

use bytes::Bytes;
use rollcall_conformance::nats_server::NatsServer;
use rollcall_domain::ids::{InstanceId, LogId, Position, RequestId};
use rollcall_log::{
    Backbone, BackboneError,
    log::Followed,
    messages::{Lane, MessageCursor},
    presence::{Beat, PresenceChange},
    requests::{RequestKind, Submitted},
};
use rollcall_log_nats::{NatsConfig, connect};
use tokio::time::timeout;

use super::{BOUND, admin, message, online, session};

fn instance(name: &str) -> InstanceId {
    InstanceId::parse(name).unwrap()
}

fn log(name: &str) -> LogId {
    LogId::Instance(instance(name))
}

async fn submit(backbone: &Backbone, log: &LogId, number: usize) -> Result<Submitted, BackboneError> {
    let id = RequestId::parse(&format!("request-{number}")).unwrap();
    backbone.requests.submit(log, RequestKind::Connect, &id, Bytes::from_static(b"body")).await
}

/// All instances in one shard.
async fn one_shard(server: &NatsServer) -> NatsConfig {
    let mut config = NatsConfig::new(server.url());
    config.limits.shards.count = 1;
    config.limits.request_lease = Duration::from_secs(2);
    connect(config.clone()).await.unwrap().log.open(&LogId::Fleet).await.unwrap();
    config
}

#[tokio::test]
async fn the_count_is_written_down_with_the_fleet_and_read_by_everybody() {
    let server = NatsServer::start().await;
    one_shard(&server).await;
    let others = connect(NatsConfig::new(server.url())).await.unwrap();
    others.log.open(&LogId::Fleet).await.unwrap();
    others.log.open(&log("a")).await.unwrap();
    assert_eq!(submit(&others, &log("a"), 1).await.unwrap(), Submitted::Queued);
    let mut names = Vec::new();
    let admin = admin(&server).await;
    let mut streams = admin.stream_names();
    while let Some(name) = futures_util::StreamExt::next(&mut streams).await {
        names.push(name.unwrap());
    }
    names.sort();
    let shards =
        ["attempts_~00", "documents_~00", "messages_~00", "presence_~00", "registry_a", "registry_~fleet", "requests_~00"];
    assert_eq!(names, shards, "a process that is told of 16 finds the one that there is");
}

#[tokio::test]
async fn a_log_that_nobody_serves_keeps_no_other_waiting_and_is_served_when_it_is() {
    let server = NatsServer::start().await;
    let backbone = connect(one_shard(&server).await).await.unwrap();
    for name in ["deleted", "served"] {
        backbone.log.open(&log(name)).await.unwrap();
    }
    for number in 0..300 {
        submit(&backbone, &log("deleted"), number).await.unwrap();
    }
    for number in 0..10 {
        submit(&backbone, &log("served"), number).await.unwrap();
    }
    let mut taken = Vec::new();
    let all = async {
        while taken.len() < 10 {
            let deliveries = backbone.requests.take(&log("served"), 100, Duration::from_secs(1)).await.unwrap();
            taken.extend(deliveries.iter().map(|delivery| delivery.id.to_string()));
            let receipts = deliveries.into_iter().map(|delivery| delivery.receipt).collect();
            backbone.requests.finish(&log("served"), receipts).await.unwrap();
        }
    };
    timeout(BOUND, all).await.expect("what is served comes through");
    assert_eq!(taken, (0..10).map(|number| format!("request-{number}")).collect::<Vec<_>>());
    // Another registrar serves the other one: what was handed back comes to it.
    let other = connect(one_shard(&server).await).await.unwrap();
    let mut found = HashSet::new();
    let all = async {
        while found.len() < 300 {
            let taken = other.requests.take(&log("deleted"), 1000, Duration::from_secs(1)).await.unwrap();
            found.extend(taken.iter().map(|delivery| delivery.id.to_string()));
            let receipts = taken.into_iter().map(|delivery| delivery.receipt).collect();
            other.requests.finish(&log("deleted"), receipts).await.unwrap();
        }
    };
    timeout(BOUND, all).await.expect("what nobody served is served now");
}

#[tokio::test]
async fn f15_what_a_killed_registrar_had_taken_and_what_lay_in_its_inboxes_comes_again() {
    let server = NatsServer::start().await;
    let config = one_shard(&server).await;
    let (killed, other) = (connect(config.clone()).await.unwrap(), connect(config).await.unwrap());
    for name in ["a", "b"] {
        other.log.open(&log(name)).await.unwrap();
        // From now on it serves both, and what comes for the one is pulled with what comes for the other.
        assert!(killed.requests.take(&log(name), 10, Duration::ZERO).await.unwrap().is_empty());
        for number in 0..20 {
            submit(&other, &log(name), number).await.unwrap();
        }
    }
    assert_eq!(killed.requests.take(&log("a"), 40, BOUND).await.unwrap().len(), 20);
    drop(killed);
    for name in ["a", "b"] {
        let mut found = Vec::new();
        let all = async {
            while found.len() < 20 {
                for delivery in other.requests.take(&log(name), 100, Duration::from_secs(1)).await.unwrap() {
                    found.push(delivery.id.to_string());
                    other.requests.finish(&log(name), vec![delivery.receipt]).await.unwrap();
                }
            }
        };
        timeout(BOUND, all).await.expect("leases run out");
        found.sort();
        found.dedup();
        assert_eq!(found.len(), 20, "{name}");
    }
}

#[tokio::test]
async fn a_log_takes_no_more_of_its_queue_than_its_share() {
    let server = NatsServer::start().await;
    let mut config = one_shard(&server).await;
    config.limits.shards.requests_of_log = 50;
    let backbone = connect(config.clone()).await.unwrap();
    for name in ["loud", "quiet"] {
        backbone.log.open(&log(name)).await.unwrap();
    }
    let (mut number, mut refused) = (0, None);
    let filling = async {
        while refused.is_none() {
            refused = submit(&backbone, &log("loud"), number).await.err();
            number += 1;
        }
    };
    timeout(BOUND, filling).await.expect("there is an end to it");
    let refused = refused.unwrap();
    assert!(matches!(&refused, BackboneError::LimitReached { what, max: 50 } if what.contains("loud")), "{refused}");
    assert_eq!(number, 51, "a share is what it says");
    assert_eq!(submit(&backbone, &log("loud"), 0).await.unwrap(), Submitted::AlreadyQueued, "what waits is not refused");
    assert_eq!(submit(&backbone, &log("quiet"), 0).await.unwrap(), Submitted::Queued, "the others have the rest");
    let taken = backbone.requests.take(&log("loud"), 1000, BOUND).await.unwrap();
    backbone.requests.finish(&log("loud"), taken.into_iter().map(|delivery| delivery.receipt).collect()).await.unwrap();
    let queued = async { while submit(&backbone, &log("loud"), number).await.is_err() {} };
    timeout(BOUND, queued).await.expect("there is room again");
}

#[tokio::test]
async fn a_device_keeps_its_share_of_messages_and_leaves_others_theirs() {
    let server = NatsServer::start().await;
    let mut config = NatsConfig::new(server.url());
    config.limits.shards.count = 1;
    config.limits.shards.messages_of_device = 5;
    let messages = connect(config).await.unwrap().messages;
    for name in ["loud", "quiet"] {
        messages.open(&instance(name)).await.unwrap();
    }
    messages.publish(&instance("quiet"), message(Lane::Uplink, 0, Bytes::new())).await.unwrap();
    for number in 0..20 {
        messages.publish(&instance("loud"), message(Lane::Uplink, number, Bytes::new())).await.unwrap();
    }
    for (name, kept) in [("quiet", 0..1), ("loud", 15..20)] {
        let mut follower = messages.follow(&instance(name), &[Lane::Uplink], Some(MessageCursor::START)).await.unwrap();
        for number in kept {
            let found = timeout(BOUND, follower.recv()).await.unwrap().unwrap().unwrap();
            assert_eq!(found.message, message(Lane::Uplink, number, Bytes::new()));
        }
    }
}

#[tokio::test]
async fn instances_that_are_added_disturb_none_that_is_served() {
    let server = NatsServer::start().await;
    let backbone = connect(one_shard(&server).await).await.unwrap();
    backbone.log.open(&log("served")).await.unwrap();
    let mut follower = backbone.log.follow(&log("served"), Position::START).await.unwrap();
    assert_eq!(timeout(BOUND, follower.recv()).await.unwrap().unwrap().unwrap(), Followed::CaughtUp(Position::START));
    let mut uplinks = backbone.messages.follow(&instance("served"), &[Lane::Uplink], None).await.unwrap();
    let mut watch = backbone.presence.watch(&instance("served")).await.unwrap();
    assert_eq!(timeout(BOUND, watch.recv()).await.unwrap(), Some(PresenceChange::CaughtUp));
    let registrar = connect(one_shard(&server).await).await.unwrap();
    for number in 0..40_u64 {
        registrar.log.open(&log(&format!("added-{number}"))).await.unwrap();
        submit(&registrar, &log(&format!("added-{number}")), 0).await.unwrap();

        submit(&registrar, &log("served"), usize::try_from(number).unwrap()).await.unwrap();
        let taken = backbone.requests.take(&log("served"), 1, BOUND).await.unwrap();
        assert_eq!(taken[0].id.to_string(), format!("request-{number}"));
        backbone
            .requests
            .finish(&log("served"), taken.into_iter().map(|delivery| delivery.receipt).collect())
            .await
            .unwrap();
        backbone.log.append(&log("served"), Position(number), super::records(number, 1).into()).await.unwrap();
        let followed = timeout(BOUND, follower.recv()).await.unwrap().unwrap().unwrap();
        assert!(matches!(&followed, Followed::Entry(entry) if entry.position.0 == number + 1), "{followed:?}");
        let sent = message(Lane::Uplink, usize::try_from(number).unwrap(), Bytes::new());
        backbone.messages.publish(&instance("served"), sent.clone()).await.unwrap();
        assert_eq!(timeout(BOUND, uplinks.recv()).await.unwrap().unwrap().unwrap().message, sent);
        backbone.presence.announce(&instance("served"), online("device", session("c", number))).await.unwrap();
        assert_eq!(timeout(BOUND, watch.recv()).await.unwrap(), Some(online("device", session("c", number))));
    }
}

#[tokio::test]
async fn presence_of_a_shard_is_heard_once_and_each_instance_sees_its_own() {
    let server = NatsServer::start().await;
    let backbone = connect(one_shard(&server).await).await.unwrap();
    let presence = &backbone.presence;
    let mut watches = Vec::new();
    for name in ["a", "b", "a"] {
        let mut watch = presence.watch(&instance(name)).await.unwrap();
        assert_eq!(timeout(BOUND, watch.recv()).await.unwrap(), Some(PresenceChange::CaughtUp));
        watches.push((name, watch));
    }
    for number in 1..50 {
        for name in ["a", "b"] {
            presence.heartbeat(&instance(name), &session("c", 1).connector, Beat::default()).await.unwrap();
            presence.announce(&instance(name), online(&format!("device-{name}"), session("c", number))).await.unwrap();
        }
    }
    for (name, watch) in &mut watches {
        for number in 1..50 {
            let change = timeout(BOUND, watch.recv()).await.unwrap();
            assert_eq!(change, Some(online(&format!("device-{name}"), session("c", number))), "without a gap");
        }
    }
}
