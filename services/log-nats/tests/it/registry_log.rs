//! The registry log on a server that is killed, and on streams that others have touched.

use std::{collections::HashSet, time::Duration};

use async_nats::jetstream::stream;
use bytes::Bytes;
use rollcall_conformance::nats_server::NatsServer;
use rollcall_domain::ids::Position;
use rollcall_log::{
    Backbone, BackboneError,
    log::{AppendError, Followed},
};
use rollcall_log_nats::{NatsConfig, connect};
use tokio::time::timeout;

use super::{BOUND, admin, backbone, follow_to, log, next, records};

#[tokio::test]
async fn a_log_is_appended_to_and_followed() {
    let server = NatsServer::start().await;
    let log_of = backbone(&server).await.log;
    let identity = log_of.open(&log()).await.unwrap();
    assert_eq!(log_of.open(&log()).await.unwrap(), identity);
    assert_eq!(log_of.last(&log()).await.unwrap(), Position::START);

    let mut empty = log_of.follow(&log(), Position::START).await.unwrap();
    assert_eq!(next(&mut empty).await.unwrap(), Followed::CaughtUp(Position::START));

    assert_eq!(log_of.append(&log(), Position::START, records(1, 1).into()).await.unwrap(), Position(1));
    assert_eq!(log_of.append(&log(), Position(1), records(2, 300).into()).await.unwrap(), Position(301));
    for stale in [0, 1, 300, 302] {
        for count in [1, 7] {
            let error = log_of.append(&log(), Position(stale), records(0, count).into()).await.unwrap_err();
            assert!(matches!(error, AppendError::Conflict { expected } if expected.0 == stale), "{error}");
        }
    }
    assert_eq!(log_of.last(&log()).await.unwrap(), Position(301));
    assert_eq!(log_of.append(&log(), Position(301), records(302, 1000).into()).await.unwrap(), Position(1301));
    let found = follow_to(&mut empty, 1301).await;
    let wanted: Vec<_> = (1..=1301).map(|n| (n, Bytes::from(format!("record {n}")))).collect();
    assert_eq!(found, wanted);

    let mut later = log_of.follow(&log(), Position(1300)).await.unwrap();
    assert!(matches!(next(&mut later).await.unwrap(), Followed::Entry(entry) if entry.position.0 == 1301));
    assert_eq!(next(&mut later).await.unwrap(), Followed::CaughtUp(Position(1301)));
    let beyond = log_of.follow(&log(), Position(1302)).await.unwrap_err();
    assert!(matches!(beyond, BackboneError::Damaged { .. }), "{beyond}");
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
            match backbone.log.append(&log(), Position(before), records.clone().into()).await {
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

pub(super) async fn last_of(backbone: &Backbone) -> u64 {
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
    backbone.log.append(&log(), Position::START, records(1, 3).into()).await.unwrap();
    let mut follower = backbone.log.follow(&log(), Position::START).await.unwrap();
    assert_eq!(follow_to(&mut follower, 3).await.len(), 3);
    assert_eq!(next(&mut follower).await.unwrap(), Followed::CaughtUp(Position(3)));
    let stream = admin(&server).await.get_stream("registry_inst-1").await.unwrap();
    let consumers: Vec<_> = futures_util::TryStreamExt::try_collect(stream.consumer_names()).await.unwrap();
    assert!(!consumers.is_empty());
    for consumer in &consumers {
        stream.delete_consumer(consumer).await.unwrap();
    }
    backbone.log.append(&log(), Position(3), records(4, 2).into()).await.unwrap();
    assert!(matches!(next(&mut follower).await.unwrap(), Followed::Interrupted { .. }));
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
        backbone.log.append(&log(), Position(batch * 100), vec![record.clone(); 100].into()).await.unwrap();
    }
    let found = follow_to(&mut slow, 1000).await;
    assert!(found.iter().map(|(position, _)| *position).eq(1..=1000));
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
    assert!(matches!(next(&mut follower).await.unwrap(), Followed::Interrupted { .. }));
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
                match backbone.log.append(&log(), last, records.clone().into()).await {
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
async fn f14_a_follower_is_told_once_that_the_server_is_away_and_when_it_has_caught_up() {
    let mut server = NatsServer::start().await;
    let mut config = NatsConfig::new(server.url());
    config.operation_timeout = Duration::from_millis(200);
    let log_of = connect(config).await.unwrap().log;
    log_of.open(&log()).await.unwrap();
    log_of.append(&log(), Position::START, records(1, 3).into()).await.unwrap();
    let mut follower = log_of.follow(&log(), Position(3)).await.unwrap();
    assert_eq!(next(&mut follower).await.unwrap(), Followed::CaughtUp(Position(3)));
    server.kill();
    assert!(matches!(next(&mut follower).await.unwrap(), Followed::Interrupted { .. }));
    for _ in 0..5 {
        // Each of them as long as one try of the follower's.
        log_of.last(&log()).await.unwrap_err();
    }
    server.start_again().await;
    assert_eq!(next(&mut follower).await.unwrap(), Followed::CaughtUp(Position(3)), "it was told once");
    // Through a connection of its own: this one may still be settling.
    let appended = backbone(&server).await.log.append(&log(), Position(3), records(4, 1).into()).await;
    assert_eq!(appended.unwrap(), Position(4));
    assert!(matches!(next(&mut follower).await.unwrap(), Followed::Entry(entry) if entry.position.0 == 4));
}
