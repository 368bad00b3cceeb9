//! Who submits is a part of a request's subject, and of an attempt's: what one connector that was broken into may do to the others.

use std::time::Duration;

use async_nats::Client;
use bytes::Bytes;
use rollcall_conformance::nats_server::NatsServer;
use rollcall_domain::ids::{Position, RequestId};
use rollcall_log::{
    Backbone, BackboneError,
    log::Entry,
    requests::{Delivery, RequestKind, RequestQueue, Submitted},
};
use rollcall_log_nats::connect;
use tokio::time::{Instant, timeout};

use super::{
    BOUND, SHARD,
    accounts::{as_user, config_of},
    log, records,
    replies::client_of,
};

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

/// What a connector that was broken into submits: more than the share of a submitter, and of the whole log.
const FLOOD: usize = 20_000;
/// A submitter's share of a log, as it is by default.
const SHARE: usize = 4096;

/// Publishes requests as its user, past what this program keeps to.
async fn flood(client: &Client, user: &str) {
    for number in 0..FLOOD {
        let subject = format!("requests.{SHARD}.inst-1.connect.{user}.loud-{number}");
        client.publish(subject, "body".into()).await.unwrap();
    }
    client.flush().await.unwrap();
}

/// How many requests wait in the shard.
async fn waiting(registrar: &Client) -> u64 {
    let jetstream = async_nats::jetstream::new(registrar.clone());
    jetstream.get_stream(format!("requests_{SHARD}")).await.unwrap().cached_info().state.messages
}

/// Takes and finishes until nothing waits; returns how many there were whose ids begin with each of these.
async fn drain(registrar: &Backbone, client: &Client, prefixes: [&str; 2]) -> [usize; 2] {
    let mut counts = [0; 2];
    let draining = async {
        while waiting(client).await > 0 {
            let taken = registrar.requests.take(&log(), 1000, Duration::from_millis(100)).await.unwrap();
            for (count, prefix) in counts.iter_mut().zip(prefixes) {
                *count += ids(&taken).iter().filter(|id| id.starts_with(prefix)).count();
            }
            finish(&*registrar.requests, taken).await;
        }
    };
    timeout(BOUND, draining).await.expect("what waits is taken or removed");
    counts
}

#[tokio::test]
async fn f26_a_flood_of_one_connector_is_cut_to_its_share_and_the_others_are_answered() {
    let server = NatsServer::with_shipped_accounts().await;
    let (registrar, client) = (as_user(&server, "registrar").await, client_of(&server, "registrar").await);
    registrar.log.open(&log()).await.unwrap();
    flood(&client_of(&server, "connector-1").await, "connector-1").await;
    let stored = async { while waiting(&client).await < FLOOD as u64 {} };
    timeout(BOUND, stored).await.expect("the broker takes all of it");
    let quiet = as_user(&server, "connector-2").await.requests;
    for number in 0..100 {
        let submitted = submit(&*quiet, &format!("quiet-{number}")).await;
        assert_eq!(submitted.unwrap(), Submitted::Queued, "what waits of the flood takes nothing of the others' share");
    }
    let [loud, answered] = drain(&registrar, &client, ["loud", "quiet"]).await;
    assert_eq!(answered, 100, "of those of the other connector none is lost");
    assert!(loud > 0 && loud <= SHARE, "{loud} of the flood were handed out");
}

#[tokio::test]
async fn a_submitter_over_its_rate_is_cut_and_what_was_removed_can_be_submitted_again() {
    const BURST: u32 = 100;
    let server = NatsServer::with_shipped_accounts().await;
    let mut config = config_of(&server, "registrar");
    (config.limits.connects_per_s, config.limits.connects_burst) = (1, BURST);
    let (registrar, client) = (connect(config).await.unwrap(), client_of(&server, "registrar").await);
    registrar.log.open(&log()).await.unwrap();
    let loud = as_user(&server, "connector-1").await.requests;
    let quiet = as_user(&server, "connector-2").await.requests;
    for number in 0..BURST + 50 {
        submit(&*loud, &format!("loud-{number}")).await.unwrap();
    }
    for number in 0..50 {
        submit(&*quiet, &format!("quiet-{number}")).await.unwrap();
    }
    let api = as_user(&server, "api").await.requests;
    for number in 0..BURST * 2 {
        let id = id(&format!("command-{number}"));
        api.submit(&log(), RequestKind::Command, &id, Bytes::new()).await.unwrap();
    }
    let began = Instant::now();
    let [of_loud, rest] = drain(&registrar, &client, ["loud", ""]).await;
    let due = BURST as usize + usize::try_from(began.elapsed().as_secs()).unwrap() + 1;
    assert!((BURST as usize..=due).contains(&of_loud), "{of_loud} of at most {due} were handed out");
    assert_eq!(rest - of_loud, 50 + 2 * BURST as usize, "another's, and commands, are not concerned");
    assert_eq!(submit(&*loud, &format!("loud-{}", BURST + 49)).await.unwrap(), Submitted::Queued);
}

#[tokio::test]
async fn forged_attempts_push_out_the_forgers_own_and_nobody_elses() {
    let server = NatsServer::with_shipped_accounts().await;
    let mut config = config_of(&server, "registrar");
    config.limits.shards.attempts_of_submitter = 5;
    let registrar = connect(config).await.unwrap();
    registrar.log.open(&log()).await.unwrap();
    let forger = as_user(&server, "connector-1").await.attempts;
    as_user(&server, "connector-2").await.attempts.keep(&log(), records(1, 3)).await.unwrap();
    registrar.attempts.keep(&log(), records(4, 1)).await.unwrap();
    forger.keep(&log(), records(100, 1000)).await.unwrap();
    registrar.attempts.keep(&log(), records(5, 1)).await.unwrap();
    forger.keep(&log(), records(2000, 2)).await.unwrap();
    // In the order in which they were kept, in pages, as an API reads them.
    let api = as_user(&server, "api").await.attempts;
    let (mut after, mut found) = (Position::START, Vec::new());
    loop {
        let page: Vec<Entry> = api.read(&log(), after, 3).await.unwrap();
        let Some(last) = page.last() else { break };
        assert!(page.len() <= 3 && page.iter().all(|entry| entry.position > after));
        after = last.position;
        found.extend(page.into_iter().map(|entry| entry.record));
    }
    let kept = [records(1, 4), records(1097, 3), records(5, 1), records(2000, 2)].concat();
    assert_eq!(found, kept);

    // Nor may it push out theirs in their name.
    let client = client_of(&server, "connector-1").await;
    let subject = |submitter: &str| format!("attempts.{SHARD}.inst-1.{submitter}");
    for other in ["connector-2", "registrar", "~"] {
        assert!(!stored(&client, subject(other)).await, "as {other}");
    }
    assert!(!stored(&client, format!("attempts.{SHARD}.inst-1")).await, "as before there were submitters");
}
