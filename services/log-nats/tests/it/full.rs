//! A broker without room: what is refused, by which name, and what goes on.

use std::time::Duration;

use async_nats::jetstream::stream;
use bytes::Bytes;
use rollcall_conformance::nats_server::NatsServer;
use rollcall_domain::ids::{InstanceId, LogId, Position, RequestId};
use rollcall_log::{BackboneError, requests::RequestKind};
use rollcall_log_nats::{NatsConfig, connect};

use super::{admin, backbone, instance, log, records};

fn other() -> LogId {
    LogId::Instance(InstanceId::parse("late").unwrap())
}

#[tokio::test]
async fn f52_a_broker_with_all_its_streams_refuses_a_log_by_name_and_serves_the_others() {
    // The fleet's log with its shards, and one instance.
    let config =
        "accounts { ROLLCALL { jetstream { max_streams: 82 }, users: [{ user: up, password: up }] } }\nno_auth_user: up";
    let server = NatsServer::with(config).await;
    let backbone = backbone(&server).await;
    backbone.log.open(&LogId::Fleet).await.unwrap();
    backbone.log.open(&log()).await.unwrap();
    let error = backbone.log.open(&other()).await.unwrap_err();
    let BackboneError::Full { attempted, usage, .. } = &error else { panic!("{error}") };
    assert!(attempted.contains("registry_late") && usage.contains("82 streams"), "{error}");
    assert!(error.to_string().contains("5376 MiB"), "it says what is reserved: {error}");

    backbone.log.append(&log(), Position::START, records(1, 2).into()).await.unwrap();
    let id = RequestId::parse("request").unwrap();
    backbone.requests.submit(&log(), RequestKind::Connect, &id, Bytes::new()).await.unwrap();
    assert_eq!(backbone.requests.take(&log(), 1, Duration::from_secs(5)).await.unwrap().len(), 1);
    admin(&server).await.delete_stream("documents_~00").await.unwrap();
    backbone.log.open(&other()).await.expect("there is room again");
}

#[tokio::test]
async fn f52_a_broker_without_storage_for_all_shards_serves_the_instances_of_those_that_there_are() {
    let config =
        "accounts { ROLLCALL { jetstream { max_file: 1100MB }, users: [{ user: up, password: up }] } }\nno_auth_user: up";
    let server = NatsServer::with(config).await;
    let backbone = backbone(&server).await;
    backbone.log.open(&LogId::Fleet).await.expect("the fleet's own shards find room");
    let mut refused = 0;
    for number in 0..100 {
        let log = LogId::Instance(InstanceId::parse(&format!("instance-{number}")).unwrap());
        match backbone.log.open(&log).await {
            Ok(_) => drop(backbone.log.append(&log, Position::START, records(1, 1).into()).await.unwrap()),
            Err(BackboneError::Full { usage, .. }) => {
                assert!(usage.contains("MiB are left of 1100 MiB"), "{usage}");
                refused += 1;
            }
            Err(error) => panic!("{error}"),
        }
    }
    assert!((1..100).contains(&refused), "{refused} of 100");
}

#[tokio::test]
async fn limits_that_an_operator_has_changed_count_and_other_settings_do_not() {
    let server = NatsServer::start().await;
    backbone(&server).await.log.open(&log()).await.unwrap();
    let admin = admin(&server).await;
    let changed = async |name: String, change: fn(&mut stream::Config)| {
        let mut config = admin.get_stream(&name).await.unwrap().cached_info().config.clone();
        change(&mut config);
        admin.update_stream(config).await.unwrap();
    };
    changed(format!("documents_{}", super::SHARD), |config| config.max_bytes *= 2).await;
    changed(format!("messages_{}", super::SHARD), |config| config.max_age /= 2).await;
    backbone(&server).await.log.open(&log()).await.expect("how much room there is, is an operator's to say");
    changed(format!("documents_{}", super::SHARD), |config| config.max_age = Duration::from_secs(3600)).await;
    let error = backbone(&server).await.documents.open(&log()).await.unwrap_err();
    assert!(matches!(&error, BackboneError::StreamDiffers { difference, .. } if difference.contains("max_age")), "{error}");

    let mut looks = NatsConfig::new(server.url());
    (looks.declares, looks.replicas) = (false, 3);
    let looks = connect(looks).await.unwrap();
    looks.messages.open(&instance()).await.expect("where the copies are is not a reader's to say");
    let error = looks.log.open(&other()).await.unwrap_err();
    assert!(
        matches!(error, BackboneError::Unavailable { .. }) && error.to_string().contains("a registrar makes it"),
        "{error}"
    );
    let mut makes = NatsConfig::new(server.url());
    makes.replicas = 3;
    let error = connect(makes).await.err().expect("its copies are not those that it would make").to_string();
    assert!(error.contains("it has 1 replicas, and the setting `replicas` says 3"), "{error}");
}
