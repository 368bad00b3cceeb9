//! Rejected attempts are kept in order, and apart by log.

use bytes::Bytes;
use rollcall_domain::ids::{LogId, Position};
use rollcall_log::Backbone;

use super::{Failure, UnderTest, ensure};

async fn read_all(backbone: &Backbone, log: &LogId, step: usize) -> Result<Vec<Bytes>, Failure> {
    let (mut after, mut all) = (Position::START, Vec::new());
    loop {
        let read = backbone.attempts.read(log, after, step).await?;
        ensure!(read.len() <= step, "at most {step} attempts are read at a time, not {}", read.len());
        if read.is_empty() {
            return Ok(all);
        }
        for entry in read {
            ensure!(entry.position > after, "positions rise: {} comes after {after}", entry.position);
            after = entry.position;
            all.push(entry.record);
        }
    }
}

/// Attempts are read oldest first, in steps, each after the position of the last; a log without any has none.
pub async fn attempts_are_read_in_order(under_test: &UnderTest) -> Result<(), Failure> {
    let (backbone, log) = (&under_test.backbone, under_test.open_log("attempts").await?);
    let read = read_all(backbone, &log, 10).await?;
    ensure!(read.is_empty(), "a log without attempts has none, not {read:?}");
    let attempts: Vec<Bytes> = (1..=25).map(|number| Bytes::from(format!("attempt {number}"))).collect();
    for some in attempts.chunks(7) {
        backbone.attempts.keep(&log, some.to_vec()).await?;
    }
    for step in [4, 25, 1000] {
        let read = read_all(backbone, &log, step).await?;
        ensure!(read == attempts, "25 attempts are read in order, {step} at a time, not {read:?}");
    }
    Ok(())
}

/// Attempts of one log are not among those of another.
pub async fn attempts_of_logs_are_isolated(under_test: &UnderTest) -> Result<(), Failure> {
    let (backbone, one) = (&under_test.backbone, under_test.open_log("attempts-1").await?);
    let two = under_test.open_log("attempts-2").await?;
    backbone.attempts.keep(&one, vec![Bytes::from("one")]).await?;
    backbone.attempts.keep(&two, vec![Bytes::from("two")]).await?;
    for (log, expected) in [(&one, "one"), (&two, "two")] {
        let read = read_all(backbone, log, 10).await?;
        ensure!(read == [expected], "the attempts of {log} are [{expected:?}], not {read:?}");
    }
    Ok(())
}
