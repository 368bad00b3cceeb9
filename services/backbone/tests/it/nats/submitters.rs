//! Who submits is a part of a request's subject, and of an attempt's: what one connector that was broken into may do to the others.

use std::time::Duration;

use async_nats::Client;
use bytes::Bytes;
use rollcall_backbone::{
    BackboneError,
    nats::connect,
    requests::{Delivery, RequestKind, RequestQueue, Submitted},
};
use rollcall_domain::ids::RequestId;
use tokio::time::timeout;

use super::{
    BOUND, SHARD,
    accounts::{as_user, config_of},
    log,
    replies::client_of,
};
use crate::nats_server::NatsServer;

/// How long an answer is waited for that does not come.
const UNANSWERED: Duration = Duration::from_millis(500);

fn id(name: &str) -> RequestId {
    RequestId::parse(name).unwrap()
}

fn ids(taken: &[Delivery]) -> Vec<&str> {
    taken.iter().map(|delivery| delivery.id.as_str()).collect()
}

async fn submit(requests: &dyn RequestQueue, name: &str) -> Result<Submitted, BackboneError> {
    requests.submit(&log(), RequestKind::Connect, &id(name), Bytes::from_static(b"body")).await
}

async fn finish(requests: &dyn RequestQueue, taken: Vec<Delivery>) {
    requests.finish(&log(), taken.into_iter().map(|delivery| delivery.receipt).collect()).await.unwrap();
}

/// Whether a stream has taken what was published.
async fn stored(client: &Client, subject: String) -> bool {
    let answer = timeout(UNANSWERED, client.request(subject, "body".into())).await;
    matches!(answer, Ok(Ok(answer)) if answer.payload.starts_with(b"{\"stream\""))
}

#[tokio::test]
async fn a_connector_submits_as_itself_and_as_nobody_else() {
    let server = NatsServer::with_shipped_accounts().await;
    let registrar = as_user(&server, "registrar").await;
    registrar.log.open(&log()).await.unwrap();
    let client = client_of(&server, "connector-1").await;
    let subject = |submitter: &str, id: &str| format!("requests.{SHARD}.inst-1.connect.{submitter}.{id}");
    for other in ["connector-2", "api", "registrar", "~", "made-up"] {
        assert!(!stored(&client, subject(other, "forged")).await, "as {other}");
    }
    assert!(!stored(&client, format!("requests.{SHARD}.inst-1.connect.forged")).await, "as before there were submitters");
    assert!(stored(&client, subject("connector-1", "own")).await);
    assert_eq!(ids(&registrar.requests.take(&log(), 10, BOUND).await.unwrap()), ["own"]);
}

#[tokio::test]
async fn a_key_waits_once_for_each_submitter() {
    let server = NatsServer::with_shipped_accounts().await;
    let registrar = as_user(&server, "registrar").await;
    registrar.log.open(&log()).await.unwrap();
    for name in ["connector-1", "connector-2"] {
        let connector = as_user(&server, name).await;
        assert_eq!(submit(&*connector.requests, "one").await.unwrap(), Submitted::Queued, "{name}");
        assert_eq!(submit(&*connector.requests, "one").await.unwrap(), Submitted::AlreadyQueued, "{name}");
    }
    let taken = registrar.requests.take(&log(), 10, BOUND).await.unwrap();
    assert_eq!(ids(&taken), ["one", "one"]);
    finish(&*registrar.requests, taken).await;
}

#[tokio::test]
async fn a_submitter_takes_no_more_of_a_log_than_its_share() {
    let server = NatsServer::with_shipped_accounts().await;
    let registrar = as_user(&server, "registrar").await;
    registrar.log.open(&log()).await.unwrap();
    let mut config = config_of(&server, "connector-1");
    config.limits.shards.requests_of_submitter = 50;
    let loud = connect(config).await.unwrap().requests;
    for number in 0..50 {
        assert_eq!(submit(&*loud, &format!("loud-{number}")).await.unwrap(), Submitted::Queued);
    }
    let refused = submit(&*loud, "one-more").await.unwrap_err();
    assert!(matches!(&refused, BackboneError::LimitReached { what, max: 50 } if what.contains("connector-1")), "{refused}");
    assert_eq!(submit(&*loud, "loud-0").await.unwrap(), Submitted::AlreadyQueued, "what waits is not refused");
    let quiet = as_user(&server, "connector-2").await.requests;
    assert_eq!(submit(&*quiet, "quiet").await.unwrap(), Submitted::Queued, "the others have the rest");
    let taken = registrar.requests.take(&log(), 1000, BOUND).await.unwrap();
    assert_eq!(taken.len(), 51);
    finish(&*registrar.requests, taken).await;
    let queued = async { while submit(&*loud, "one-more").await.is_err() {} };
    timeout(BOUND, queued).await.expect("there is room again");
}
