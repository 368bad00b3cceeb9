//! Documents on a server: how much there may be, and what is left of those that were deleted.

use async_nats::jetstream::stream::RawMessageErrorKind;
use bytes::Bytes;
use rollcall_conformance::nats_server::NatsServer;
use rollcall_domain::ids::DeviceId;
use rollcall_log::{
    BackboneError,
    documents::{DocumentKey, PutError, Revision},
};
use rollcall_log_nats::{NatsConfig, connect};

use super::{SHARD, admin, log};

fn key(number: u64) -> DocumentKey {
    DocumentKey::Message(DeviceId::parse("device-1").unwrap(), number)
}

#[tokio::test]
async fn documents_over_their_bytes_are_refused_until_there_is_room() {
    let server = NatsServer::start().await;
    let mut config = NatsConfig::new(server.url());
    config.limits.shards.documents_bytes = 3 * 1024;
    let documents = connect(config).await.unwrap().documents;
    documents.open(&log()).await.unwrap();
    let body = |bytes: usize| Bytes::from(vec![b'x'; bytes]);
    let first = documents.put(&log(), &key(1), Revision::NONE, body(1000)).await.unwrap();
    documents.put(&log(), &key(2), Revision::NONE, body(1500)).await.unwrap();
    let full = documents.put(&log(), &key(3), Revision::NONE, body(1000)).await.unwrap_err();
    assert!(matches!(full, PutError::Backbone(BackboneError::LimitReached { max: 3072, .. })), "{full}");
    let first = documents.put(&log(), &key(1), first, body(900)).await.expect("what does not grow is taken");
    documents.delete(&log(), &key(1), first).await.unwrap();
    documents.put(&log(), &key(3), Revision::NONE, body(900)).await.expect("there is room again");
}

#[tokio::test]
async fn a_deleted_document_leaves_nothing_of_its_body() {
    let server = NatsServer::start().await;
    let documents = connect(NatsConfig::new(server.url())).await.unwrap().documents;
    documents.open(&log()).await.unwrap();
    let revision = documents.put(&log(), &key(1), Revision::NONE, "secret".into()).await.unwrap();
    documents.delete(&log(), &key(1), revision).await.unwrap();
    let stream = admin(&server).await.get_stream(format!("documents_{SHARD}")).await.unwrap();
    let body = stream.get_raw_message(revision.0).await.unwrap_err();
    assert_eq!(body.kind(), RawMessageErrorKind::NoMessageFound, "{body}");
    let left = stream.get_raw_message(revision.0 + 1).await.unwrap();
    assert_eq!((left.subject.to_string(), left.payload.len()), (format!("documents.{SHARD}.inst-1.message.device-1.1"), 0));
    let header = |name: &str| left.headers.get(name).map(|value| value.as_str());
    assert_eq!((header("KV-Operation"), header("Nats-TTL")), (Some("DEL"), Some("60s")), "it goes away by itself");
}
