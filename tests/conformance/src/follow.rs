//! Following a registry log.

use futures_util::future::try_join_all;
use rollcall_domain::ids::{LogId, Position};
use rollcall_log::{
    Backbone, BackboneError,
    log::{AppendError, Followed, Follower},
};

use super::{Failure, UnderTest, ensure, log::numbered, next, nothing};

/// A follower from each position, started while records are appended, gets every later record once and in order.
pub async fn every_position_without_gap_or_repeat(under_test: &UnderTest) -> Result<(), Failure> {
    const BEFORE: u64 = 30;
    const END: u64 = 120;
    let (backbone, log) = (&under_test.backbone, under_test.open_log("each").await?);
    backbone.log.append(&log, Position::START, numbered(1, BEFORE).into()).await?;
    let write = async {
        let mut end = BEFORE;
        for count in (1..=5).cycle() {
            let count = std::cmp::min(count, END - end);
            if count == 0 {
                break;
            }
            end = backbone.log.append(&log, Position(end), numbered(end + 1, count).into()).await?.0;
        }
        Ok::<(), Failure>(())
    };
    let read = try_join_all((0..=BEFORE).map(|after| whole(backbone, &log, after, END)));
    let (written, read) = futures_util::join!(write, read);
    written?;
    read?;
    Ok(())
}

/// Following after a position that the log has not reached means that the reader knows another log.
pub async fn beyond_the_end_is_damaged(under_test: &UnderTest) -> Result<(), Failure> {
    let (backbone, log) = (&under_test.backbone, under_test.open_log("beyond").await?);
    backbone.log.append(&log, Position::START, numbered(1, 2).into()).await?;
    for after in [3, 100_000] {
        match backbone.log.follow(&log, Position(after)).await {
            Err(BackboneError::Damaged { .. }) => {}
            Err(other) => return Err(Failure(format!("following after {after} of 2 is Damaged, not: {other}"))),
            Ok(_) => return Err(Failure(format!("following after {after} of 2 is refused as Damaged, not begun"))),
        }
    }
    let mut follower = backbone.log.follow(&log, Position(2)).await?;
    caught_up(&mut follower, 2).await
}

/// `CaughtUp` comes once, after everything that was there, also when nothing was.
pub async fn caught_up_is_said_once(under_test: &UnderTest) -> Result<(), Failure> {
    let (backbone, log) = (&under_test.backbone, under_test.open_log("caught-up").await?);
    let mut from_empty = backbone.log.follow(&log, Position::START).await?;
    caught_up(&mut from_empty, 0).await?;
    backbone.log.append(&log, Position::START, numbered(1, 3).into()).await?;
    let mut from_middle = backbone.log.follow(&log, Position(1)).await?;
    entry(&mut from_middle, 2).await?;
    entry(&mut from_middle, 3).await?;
    caught_up(&mut from_middle, 3).await?;
    let mut from_end = backbone.log.follow(&log, Position(3)).await?;
    caught_up(&mut from_end, 3).await?;

    backbone.log.append(&log, Position(3), numbered(4, 2).into()).await?;
    for (mut follower, first) in [(from_empty, 1), (from_middle, 4), (from_end, 4)] {
        for position in first..=5 {
            entry(&mut follower, position).await?;
        }
        nothing("after the last record", &mut follower)?;
    }
    Ok(())
}

/// A follower that reads nothing while thousands of records are appended then gets all of them.
pub async fn a_slow_follower_misses_nothing(under_test: &UnderTest) -> Result<(), Failure> {
    const RECORDS: u64 = 5000;
    let (backbone, log) = (&under_test.backbone, under_test.open_log("slow").await?);
    let mut slow = backbone.log.follow(&log, Position::START).await?;
    let mut end = 0;
    while end < RECORDS {
        end = match backbone.log.append(&log, Position(end), numbered(end + 1, 500).into()).await {
            Ok(last) => last.0,
            Err(error @ (AppendError::Conflict { .. } | AppendError::Backbone(_))) => return Err(error.into()),
        };
    }
    caught_up(&mut slow, 0).await?;
    for position in 1..=RECORDS {
        entry(&mut slow, position).await?;
    }
    nothing("after the last record", &mut slow)
}

/// Follows after a position up to `end`; every record must be there, and `CaughtUp` once.
async fn whole(backbone: &Backbone, log: &LogId, after: u64, end: u64) -> Result<(), Failure> {
    let mut follower = backbone.log.follow(log, Position(after)).await?;
    let (mut position, mut told) = (after, 0);
    while position < end || told == 0 {
        match next(&format!("record {} for the follower after {after}", position + 1), &mut follower).await?? {
            Followed::CaughtUp(at) => {
                told += 1;
                ensure!(
                    at.0 == position && told == 1,
                    "the follower after {after} is told once that it has caught up at {position}, not at {at} for the \
                     {told}. time"
                );
            }
            Followed::Interrupted { reason } => return Err(Failure(format!("nothing interrupts following here: {reason}"))),
            Followed::Entry(found) => {
                position += 1;
                ensure!(
                    found.position.0 == position && found.record == format!("record {position}"),
                    "the follower after {after} gets record {position} next, not {found:?}"
                );
            }
        }
    }
    Ok(())
}

async fn entry(follower: &mut Follower, position: u64) -> Result<(), Failure> {
    match next(&format!("record {position}"), follower).await?? {
        Followed::Entry(entry) => {
            ensure!(
                entry.position.0 == position && entry.record == format!("record {position}"),
                "record {position} is expected next, not {entry:?}"
            );
            Ok(())
        }
        other @ (Followed::CaughtUp(_) | Followed::Interrupted { .. }) => {
            Err(Failure(format!("record {position} is expected next, not {other:?}")))
        }
    }
}

async fn caught_up(follower: &mut Follower, at: u64) -> Result<(), Failure> {
    let found = next(&format!("CaughtUp({at})"), follower).await??;
    ensure!(found == Followed::CaughtUp(Position(at)), "CaughtUp({at}) is expected next, not {found:?}");
    Ok(())
}
