//! The request queue and the rulings.

use std::{collections::BTreeSet, time::Duration};

use bytes::Bytes;
use rollcall_domain::ids::{LogId, RequestId};
use rollcall_log::{
    Backbone,
    requests::{AnnouncedRuling, Delivery, Receipt, RequestKind, Submitted},
};
use tokio::time::Instant;

use super::{Failure, PATIENCE, UnderTest, ensure, next, nothing, soon};

/// Long enough for what waits to be handed out, short enough to find out that nothing waits.
const A_MOMENT: Duration = Duration::from_millis(300);

fn id(number: u64) -> Result<RequestId, Failure> {
    RequestId::parse(&format!("request-{number}")).map_err(|error| Failure(error.to_string()))
}

async fn submit(backbone: &Backbone, log: &LogId, number: u64) -> Result<Submitted, Failure> {
    Ok(backbone.requests.submit(log, RequestKind::Connect, &id(number)?, Bytes::from(format!("body {number}"))).await?)
}

/// Takes exactly these, in this order, in as many steps as it takes.
async fn take(backbone: &Backbone, log: &LogId, numbers: &[u64]) -> Result<Vec<Delivery>, Failure> {
    let mut taken: Vec<Delivery> = Vec::new();
    while taken.len() < numbers.len() {
        let missing = &numbers[taken.len()..];
        let deliveries = backbone.requests.take(log, missing.len(), PATIENCE).await?;
        ensure!(!deliveries.is_empty(), "requests {missing:?} wait and are handed out, but nothing came");
        taken.extend(deliveries);
    }
    for (delivery, number) in taken.iter().zip(numbers) {
        ensure!(
            delivery.id == id(*number)? && delivery.request == format!("body {number}"),
            "request {number} is handed out next as it was submitted, not {delivery:?}"
        );
    }
    ensure!(taken.len() == numbers.len(), "no more than {} requests are handed out, not {taken:?}", numbers.len());
    Ok(taken)
}

async fn nothing_waits(backbone: &Backbone, log: &LogId, why: &str) -> Result<(), Failure> {
    let taken = backbone.requests.take(log, 10, A_MOMENT).await?;
    ensure!(taken.is_empty(), "{why}: nothing waits, but {taken:?} was handed out");
    Ok(())
}

fn receipts(taken: Vec<Delivery>) -> Vec<Receipt> {
    taken.into_iter().map(|delivery| delivery.receipt).collect()
}

/// A request that waits, or is out, is not queued again; when it is finished its key is free.
pub async fn a_key_waits_once(under_test: &UnderTest) -> Result<(), Failure> {
    let (backbone, log) = (&under_test.backbone, under_test.open_log("key").await?);
    for (expected, why) in [(Submitted::Queued, "a new request"), (Submitted::AlreadyQueued, "one that waits")] {
        let submitted = submit(backbone, &log, 1).await?;
        ensure!(submitted == expected, "{why} is {expected:?}, not {submitted:?}");
    }
    let taken = take(backbone, &log, &[1]).await?;
    let submitted = submit(backbone, &log, 1).await?;
    ensure!(submitted == Submitted::AlreadyQueued, "a request that is out is AlreadyQueued, not {submitted:?}");
    backbone.requests.finish(&log, receipts(taken)).await?;
    let submitted = submit(backbone, &log, 1).await?;
    ensure!(submitted == Submitted::Queued, "the key of a finished request is free: Queued, not {submitted:?}");
    take(backbone, &log, &[1]).await?;
    Ok(())
}

/// The kind that a request was submitted as comes with it, and is a part of its key.
pub async fn the_kind_stays_with_a_request(under_test: &UnderTest) -> Result<(), Failure> {
    let (backbone, log) = (&under_test.backbone, under_test.open_log("kind").await?);
    let kinds = [RequestKind::Connect, RequestKind::Command];
    for kind in kinds {
        let submitted = backbone.requests.submit(&log, kind, &id(1)?, Bytes::from("body 1")).await?;
        ensure!(submitted == Submitted::Queued, "a request of another kind has a key of its own: Queued, not {submitted:?}");
    }
    let taken = take(backbone, &log, &[1, 1]).await?;
    let found: Vec<RequestKind> = taken.iter().map(|delivery| delivery.kind).collect();
    ensure!(found == kinds, "requests are handed out as the kinds {kinds:?} that they were submitted as, not {found:?}");
    backbone.requests.finish(&log, receipts(taken)).await?;
    let submitted = backbone.requests.submit(&log, RequestKind::Command, &id(1)?, Bytes::new()).await?;
    ensure!(submitted == Submitted::Queued, "the key of a finished command is free: Queued, not {submitted:?}");
    Ok(())
}

/// Requests are handed out in the order in which they were submitted, never more than asked for.
pub async fn the_oldest_come_first(under_test: &UnderTest) -> Result<(), Failure> {
    let (backbone, log) = (&under_test.backbone, under_test.open_log("order").await?);
    for number in 1..=20 {
        submit(backbone, &log, number).await?;
    }
    for numbers in [1..=1_u64, 2..=8, 9..=20] {
        let taken = take(backbone, &log, &numbers.collect::<Vec<_>>()).await?;
        backbone.requests.finish(&log, receipts(taken)).await?;
    }
    nothing_waits(backbone, &log, "all 20 were finished").await
}

/// Taking from an empty queue waits for the first request, or for as long as it was told.
pub async fn taking_waits_for_the_first(under_test: &UnderTest) -> Result<(), Failure> {
    let (backbone, log) = (&under_test.backbone, under_test.open_log("wait").await?);
    nothing_waits(backbone, &log, "nothing was submitted").await?;
    let waiting = soon("a request for whoever waits", backbone.requests.take(&log, 5, PATIENCE * 2));
    let (taken, submitted) = futures_util::join!(waiting, submit(backbone, &log, 1));
    submitted?;
    let taken = taken??;
    ensure!(taken.len() == 1, "whoever waits gets the request that arrives, not {taken:?}");
    Ok(())
}

/// Of several takers each request goes to one.
pub async fn takers_share_a_queue(under_test: &UnderTest) -> Result<(), Failure> {
    const REQUESTS: u64 = 40;
    let (backbone, log) = (&under_test.backbone, under_test.open_log("share").await?);
    let take_all = || async {
        let mut taken = Vec::new();
        loop {
            let deliveries = backbone.requests.take(&log, 3, A_MOMENT).await?;
            if deliveries.is_empty() {
                return Ok::<_, Failure>(taken);
            }
            taken.extend(deliveries.iter().map(|delivery| delivery.id.to_string()));
            backbone.requests.finish(&log, receipts(deliveries)).await?;
        }
    };
    for number in 1..=REQUESTS {
        submit(backbone, &log, number).await?;
    }
    let (one, two, three) = futures_util::join!(take_all(), take_all(), take_all());
    let all = [one?, two?, three?].concat();
    let distinct: BTreeSet<&String> = all.iter().collect();
    ensure!(
        all.len() as u64 == REQUESTS && distinct.len() == all.len(),
        "{REQUESTS} requests are handed out once each, to one of three takers, not {all:?}"
    );
    Ok(())
}

/// A request that is not finished within its lease is handed out again, in its old place.
pub async fn an_unfinished_request_comes_again(under_test: &UnderTest) -> Result<(), Failure> {
    let (backbone, log) = (&under_test.backbone, under_test.open_log("again").await?);
    submit(backbone, &log, 1).await?;
    submit(backbone, &log, 2).await?;
    let taken_at = Instant::now();
    take(backbone, &log, &[1]).await?;
    let second = take(backbone, &log, &[2]).await?;
    backbone.requests.finish(&log, receipts(second)).await?;
    let again = take(backbone, &log, &[1]).await?;
    // A lease may be a little longer than it says, never shorter.
    ensure!(
        taken_at.elapsed() >= under_test.request_lease,
        "request 1 comes again when its lease of {:?} has run out, not after {:?}",
        under_test.request_lease,
        taken_at.elapsed()
    );
    backbone.requests.finish(&log, receipts(again)).await?;
    let after_a_lease = backbone.requests.take(&log, 5, under_test.request_lease + A_MOMENT).await?;
    ensure!(after_a_lease.is_empty(), "finished requests never come again, but {after_a_lease:?} did");
    Ok(())
}

/// Whoever finishes requests is told which of them are gone for good while nobody else had them: what is said of those is final.
pub async fn finishing_tells_what_is_gone_for_good(under_test: &UnderTest) -> Result<(), Failure> {
    let (backbone, log) = (&under_test.backbone, under_test.open_log("gone").await?);
    submit(backbone, &log, 1).await?;
    submit(backbone, &log, 2).await?;
    let stale = receipts(take(backbone, &log, &[1, 2]).await?);
    ensure!(
        stale.iter().all(|receipt| backbone.requests.is_leased(&log, receipt)),
        "what was just taken is its taker's: {stale:?}"
    );
    let fresh = receipts(take(backbone, &log, &[1, 2]).await?);
    ensure!(
        stale.iter().all(|receipt| !backbone.requests.is_leased(&log, receipt)),
        "what was handed out again is no more its first taker's: {stale:?}"
    );
    let finished = backbone.requests.finish(&log, vec![stale[0].clone(), fresh[1].clone()]).await?;
    ensure!(finished == fresh[1..], "of a stale and a fresh receipt only {:?} is gone, not {finished:?}", fresh[1]);
    let left = take(backbone, &log, &[1]).await?;
    let finished = backbone.requests.finish(&log, receipts(left)).await?;
    ensure!(finished.len() == 1, "the request that was left is gone now, not {finished:?}");
    nothing_waits(backbone, &log, "both requests are gone").await
}

/// Finishing with a receipt whose lease has run out leaves the request where it is.
pub async fn a_stale_receipt_finishes_nothing(under_test: &UnderTest) -> Result<(), Failure> {
    let (backbone, log) = (&under_test.backbone, under_test.open_log("receipt").await?);
    submit(backbone, &log, 1).await?;
    let stale = take(backbone, &log, &[1]).await?;
    take(backbone, &log, &[1]).await?;
    let finished = backbone.requests.finish(&log, receipts(stale)).await?;
    ensure!(finished.is_empty(), "a stale receipt finishes nothing, not {finished:?}");
    let submitted = submit(backbone, &log, 1).await?;
    ensure!(
        submitted == Submitted::AlreadyQueued,
        "a stale receipt leaves the request in its queue: AlreadyQueued, not {submitted:?}"
    );
    let fresh = take(backbone, &log, &[1]).await?;
    backbone.requests.finish(&log, receipts(fresh)).await?;
    let submitted = submit(backbone, &log, 1).await?;
    ensure!(submitted == Submitted::Queued, "the fresh receipt removes it: then Queued, not {submitted:?}");
    Ok(())
}

/// Every listener of a log gets every ruling announced since, in order; listeners of other logs get none.
pub async fn rulings_reach_every_listener(under_test: &UnderTest) -> Result<(), Failure> {
    let (backbone, log) = (&under_test.backbone, under_test.open_log("rulings").await?);
    let other = under_test.open_log("rulings-2").await?;
    let ruling =
        |number: u64| Ok::<_, Failure>(AnnouncedRuling { id: id(number)?, ruling: Bytes::from(format!("ruling {number}")) });
    backbone.requests.announce(&log, vec![ruling(0)?]).await?;
    let mut listeners = [backbone.requests.rulings(&log).await?, backbone.requests.rulings(&log).await?];
    let mut elsewhere = backbone.requests.rulings(&other).await?;
    backbone.requests.announce(&log, vec![ruling(1)?, ruling(2)?]).await?;
    backbone.requests.announce(&log, vec![ruling(3)?]).await?;
    backbone.requests.announce(&other, vec![ruling(4)?]).await?;
    for listener in &mut listeners {
        for number in 1..=3 {
            let found = next(&format!("ruling {number}"), listener).await?;
            ensure!(found == ruling(number)?, "a listener hears ruling {number} next, not {found:?}");
        }
        nothing("after the last ruling", listener)?;
    }
    let found = next("ruling 4 of the other log", &mut elsewhere).await?;
    ensure!(found == ruling(4)?, "a listener of another log hears only ruling 4, not {found:?}");
    Ok(())
}

/// The same request id in two queues is two requests.
pub async fn queues_are_isolated(under_test: &UnderTest) -> Result<(), Failure> {
    let (backbone, one) = (&under_test.backbone, under_test.open_log("queue").await?);
    let two = under_test.open_log("queue-2").await?;
    submit(backbone, &one, 1).await?;
    nothing_waits(backbone, &two, "nothing was submitted to this queue").await?;
    let submitted = submit(backbone, &two, 1).await?;
    ensure!(submitted == Submitted::Queued, "the key is free in another queue: Queued, not {submitted:?}");
    let taken = take(backbone, &two, &[1]).await?;
    backbone.requests.finish(&two, receipts(taken)).await?;
    take(backbone, &one, &[1]).await?;
    Ok(())
}
