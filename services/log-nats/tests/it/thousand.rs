//! A thousand instances on one server: what they cost, and that all of them are there again after everything was started
//! anew. Some seconds on two cores; on a disk that syncs slowly fewer may do, and the figures can be seen:
//! `ROLLCALL_INSTANCES=60 cargo nextest run -p rollcall-log --no-capture a_thousand_instances`

use std::time::Duration;

use async_nats::jetstream;
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use rollcall_conformance::nats_server::NatsServer;
use rollcall_domain::ids::{DeviceId, InstanceId, LogId, Position, RequestId};
use rollcall_log::{
    Backbone,
    documents::{DocumentKey, Revision},
    log::Followed,
    messages::{Lane, MessageCursor},
    requests::{AnnouncedRuling, RequestKind},
};
use rollcall_log_nats::{NatsConfig, connect};
use tokio::time::{Instant, timeout};

use super::{BOUND, admin, message};

/// Instances that are made at a time.
const AT_ONCE: usize = 16;
/// Streams and durable consumers that a cluster is advised to replicate.
const ASSETS_MAX: usize = 2000;

fn instances() -> Vec<InstanceId> {
    let count =
        std::env::var("ROLLCALL_INSTANCES").map_or(1000, |count| count.parse().expect("ROLLCALL_INSTANCES is a number"));
    (0..count).map(|number: usize| InstanceId::parse(&format!("instance-{number}")).unwrap()).collect()
}

async fn backbone(server: &NatsServer) -> Backbone {
    let mut config = NatsConfig::new(server.url());
    config.operation_timeout = Duration::from_secs(20);
    connect(config).await.unwrap()
}

/// Does it for every instance, some at a time.
async fn each<F: Future<Output = ()>>(instances: &[InstanceId], what: impl Fn(InstanceId) -> F) {
    stream::iter(instances.iter().cloned().map(what)).buffer_unordered(AT_ONCE).collect::<Vec<_>>().await;
}

/// A device's first connection, as far as the backbone sees it: a request, taken, a record, a ruling, finished.
async fn register(backbone: &Backbone, instance: InstanceId) {
    let log = LogId::Instance(instance.clone());
    let id = RequestId::parse("first-connection").unwrap();
    let mut rulings = backbone.requests.rulings(&log).await.unwrap();
    backbone.requests.submit(&log, RequestKind::Connect, &id, Bytes::from(instance.to_string())).await.unwrap();
    let taken = backbone.requests.take(&log, 10, BOUND).await.unwrap();
    assert_eq!((taken.len(), &taken[0].request), (1, &Bytes::from(instance.to_string())), "each log gets its own");
    let record = Bytes::from(format!("a device of {instance}"));
    assert_eq!(backbone.log.append(&log, Position::START, vec![record].into()).await.unwrap(), Position(1));
    let ruling = AnnouncedRuling { id, ruling: Bytes::from_static(b"{}") };
    backbone.requests.announce(&log, vec![ruling.clone()]).await.unwrap();
    backbone.requests.finish(&log, taken.into_iter().map(|delivery| delivery.receipt).collect()).await.unwrap();
    assert_eq!(timeout(BOUND, rulings.recv()).await.unwrap(), Some(ruling));
    backbone.messages.publish(&instance, message(Lane::Uplink, 1, Bytes::from(instance.to_string()))).await.unwrap();
    let shadow = DocumentKey::Shadow(DeviceId::parse("device").unwrap());
    backbone.documents.put(&log, &shadow, Revision::NONE, Bytes::from(instance.to_string())).await.unwrap();
}

/// What was kept of it.
async fn is_there(backbone: &Backbone, instance: InstanceId) {
    let log = LogId::Instance(instance.clone());
    backbone.log.open(&log).await.unwrap();
    let mut follower = backbone.log.follow(&log, Position::START).await.unwrap();
    let Followed::Entry(entry) = timeout(BOUND, follower.recv()).await.unwrap().unwrap().unwrap() else {
        panic!("no record")
    };
    assert_eq!((entry.position, entry.record), (Position(1), Bytes::from(format!("a device of {instance}"))));
    let mut uplinks = backbone.messages.follow(&instance, &[Lane::Uplink], Some(MessageCursor::START)).await.unwrap();
    let found = timeout(BOUND, uplinks.recv()).await.unwrap().unwrap().unwrap();
    assert_eq!(found.message, message(Lane::Uplink, 1, Bytes::from(instance.to_string())));
    let shadow = DocumentKey::Shadow(DeviceId::parse("device").unwrap());
    assert_eq!(backbone.documents.get(&log, &shadow).await.unwrap().unwrap().body, instance.to_string());
}

/// Streams, durable consumers, and bytes of file storage that are reserved.
async fn assets(admin: &jetstream::Context) -> (usize, usize, u64) {
    let streams: Vec<_> = admin.streams().try_collect().await.unwrap();
    let reserved = streams.iter().map(|info| u64::try_from(info.config.max_bytes).unwrap_or(0)).sum();
    let mut durable = 0;
    for info in streams.iter().filter(|info| info.state.consumer_count > 0) {
        let stream = admin.get_stream(&info.config.name).await.unwrap();
        let consumers: Vec<_> = stream.consumers().try_collect().await.unwrap();
        durable += consumers.iter().filter(|consumer| consumer.config.durable_name.is_some()).count();
    }
    (streams.len(), durable, reserved)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f52_a_thousand_instances_cost_little_and_are_all_there_after_a_restart() {
    let mut server = NatsServer::start().await;
    let instances = instances();
    let began = Instant::now();
    let first = backbone(&server).await;
    first.log.open(&LogId::Fleet).await.unwrap();
    let (empty_streams, _, empty_reserved) = assets(&admin(&server).await).await;
    assert_eq!(empty_streams, 1 + 5 * 16, "the fleet's log and the shards");
    eprintln!("fleet: {empty_streams} streams, {} MiB reserved, {:?}", empty_reserved >> 20, began.elapsed());

    let began = Instant::now();
    each(&instances, async |instance| drop(first.log.open(&LogId::Instance(instance)).await.unwrap())).await;
    eprintln!("{} instances made in {:?}", instances.len(), began.elapsed());
    let began = Instant::now();
    each(&instances, async |instance| register(&first, instance).await).await;
    eprintln!("a device on each in {:?}", began.elapsed());
    let (streams, durable, reserved) = assets(&admin(&server).await).await;
    eprintln!("{streams} streams, {durable} durable consumers, {} MiB reserved; {}", reserved >> 20, server.memory());
    assert_eq!(reserved, empty_reserved, "an instance reserves nothing");
    assert_eq!(streams, empty_streams + instances.len());
    assert!(durable <= 16, "one consumer for each shard of requests: {durable}");
    assert!(streams + durable <= ASSETS_MAX, "{streams} + {durable}");

    drop(first);
    server.kill();
    let began = Instant::now();
    server.start_again().await;
    eprintln!("the server listens again after {:?}", began.elapsed());
    let second = backbone(&server).await;
    second.log.open(&LogId::Fleet).await.unwrap();
    each(&instances, async |instance| is_there(&second, instance).await).await;
    eprintln!("everything read again after {:?}; {}", began.elapsed(), server.memory());
}
