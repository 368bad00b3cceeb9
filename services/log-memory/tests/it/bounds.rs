//! What is kept has bounds, and what is over them goes oldest first or is refused by name.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use rollcall_domain::ids::{DeviceId, InstanceId, LogId, Position, RequestId, SpaceId};
use rollcall_log::{
    Backbone, BackboneError,
    documents::{DocumentKey, PutError, Revision},
    limits::{Bounds, Limits},
    messages::{DeviceMessage, Lane, MessageCursor, MessagePosition, MessageProperties},
    requests::{RequestKind, Submitted},
};
use rollcall_log_memory::{MemoryConfig, new};

fn instance() -> InstanceId {
    InstanceId::parse("plant-1").unwrap()
}

fn log() -> LogId {
    LogId::Instance(instance())
}

fn message() -> DeviceMessage {
    DeviceMessage {
        lane: Lane::Uplink,
        space: SpaceId::parse("space-1").unwrap(),
        device: DeviceId::parse("device-1").unwrap(),
        topic: "$oc/devices/device-1/sys/messages/up".to_owned(),
        payload: Bytes::from("message"),
        qos: 1,
        properties: MessageProperties::default(),
    }
}

fn bounded(entries: u64, bytes: u64, age_ms: i64) -> (MemoryConfig, Arc<AtomicI64>) {
    let clock = Arc::new(AtomicI64::new(0));
    let bounds = Bounds { entries, bytes, age_ms };
    let mut config = MemoryConfig::seeded(1);
    config.limits = Limits { attempts: bounds, messages: bounds, requests_waiting: 3, ..Limits::default() };
    let now = Arc::clone(&clock);
    config.now_ms = Arc::new(move || now.load(Ordering::SeqCst));
    (config, clock)
}

async fn kept(backbone: &Backbone) -> Vec<u64> {
    let read = backbone.attempts.read(&LogId::Fleet, Position::START, 1000).await.unwrap();
    read.into_iter().map(|entry| entry.position.0).collect()
}

#[tokio::test]
async fn attempts_over_their_number_or_bytes_go_oldest_first() {
    for (entries, bytes) in [(3, u64::MAX), (u64::MAX, 3 * (100 + 12))] {
        let (config, _) = bounded(entries, bytes, i64::MAX);
        let backbone = new(config);
        for _ in 0..5 {
            backbone.attempts.keep(&LogId::Fleet, vec![Bytes::from(vec![b'x'; 100]); 2]).await.unwrap();
        }
        assert_eq!(kept(&backbone).await, [8, 9, 10], "at most {entries} attempts of {bytes} bytes");
    }
}

#[tokio::test]
async fn documents_over_their_bytes_are_refused_until_there_is_room() {
    let mut config = MemoryConfig::seeded(1);
    config.limits.documents_bytes = 3 * 1024;
    let documents = new(config).documents;
    documents.open(&log()).await.unwrap();
    let key = |number: u64| DocumentKey::Message(DeviceId::parse("device-1").unwrap(), number);
    let body = |bytes: usize| Bytes::from(vec![b'x'; bytes]);
    let first = documents.put(&log(), &key(1), Revision::NONE, body(1000)).await.unwrap();
    documents.put(&log(), &key(2), Revision::NONE, body(1900)).await.unwrap();
    let full = documents.put(&log(), &key(3), Revision::NONE, body(1000)).await.unwrap_err();
    assert!(matches!(full, PutError::Backbone(BackboneError::LimitReached { max: 3072, .. })), "{full}");
    let first = documents.put(&log(), &key(1), first, body(900)).await.expect("what does not grow is taken");
    documents.delete(&log(), &key(1), first).await.unwrap();
    documents.put(&log(), &key(3), Revision::NONE, body(1000)).await.expect("there is room again");
}

#[tokio::test]
async fn attempts_and_messages_over_their_age_go() {
    let (config, clock) = bounded(u64::MAX, u64::MAX, 1000);
    let backbone = new(config);
    backbone.messages.open(&instance()).await.unwrap();
    for at in [0, 500, 1200] {
        clock.store(at, Ordering::SeqCst);
        backbone.attempts.keep(&LogId::Fleet, vec![Bytes::from("attempt")]).await.unwrap();
        backbone.messages.publish(&instance(), message()).await.unwrap();
    }
    assert_eq!(kept(&backbone).await, [2, 3]);
    let mut follower = backbone.messages.follow(&instance(), &[Lane::Uplink], Some(MessageCursor::START)).await.unwrap();
    for (position, stored_at_ms) in [(2, 500), (3, 1200)] {
        let found = follower.recv().await.unwrap().unwrap();
        assert_eq!((found.position, found.stored_at_ms), (MessagePosition::own(position), stored_at_ms));
    }
}

#[tokio::test]
async fn a_full_queue_refuses_by_name_until_one_is_finished() {
    let (config, _) = bounded(1, 1, 1);
    let backbone = new(config);
    backbone.requests.open(&LogId::Fleet).await.unwrap();
    let submit = async |number: u64| {
        let id = RequestId::parse(&number.to_string()).unwrap();
        backbone.requests.submit(&LogId::Fleet, RequestKind::Connect, &id, Bytes::from("request")).await
    };
    for number in 1..=3 {
        assert_eq!(submit(number).await.unwrap(), Submitted::Queued);
    }
    assert!(matches!(submit(4).await, Err(BackboneError::LimitReached { max: 3, .. })));
    assert_eq!(submit(2).await.unwrap(), Submitted::AlreadyQueued, "what waits already needs no room");
    let taken = backbone.requests.take(&LogId::Fleet, 1, Duration::ZERO).await.unwrap();
    backbone.requests.finish(&LogId::Fleet, taken.into_iter().map(|taken| taken.receipt).collect()).await.unwrap();
    assert_eq!(submit(4).await.unwrap(), Submitted::Queued);
}
