//! Appending to a registry log.

use std::collections::BTreeSet;

use bytes::Bytes;
use futures_util::future::try_join_all;
use rollcall_domain::ids::{Incarnation, LogId, Position};
use rollcall_log::{
    Backbone, BackboneError,
    log::{AppendError, BATCH_RECORDS_MAX, Batch, Entry, Followed, READ_BYTES_MAX, RECORD_BYTES_MAX},
    seal::{SealedLog, seal},
    signing::SigningKey,
};

use super::{Failure, UnderTest, ensure, next};

/// Records that say where they stand.
pub(crate) fn numbered(from: u64, count: u64) -> Vec<Bytes> {
    (from..from + count).map(|number| Bytes::from(format!("record {number}"))).collect()
}

/// Every record of a log up to its end.
pub(crate) async fn all_of(backbone: &Backbone, log: &LogId) -> Result<Vec<(u64, Bytes)>, Failure> {
    let mut follower = backbone.log.follow(log, Position::START).await?;
    let mut entries = Vec::new();
    loop {
        match next("the next record, or the end", &mut follower).await?? {
            Followed::Entry(entry) => entries.push((entry.position.0, entry.record)),
            Followed::CaughtUp(_) => return Ok(entries),
            Followed::Interrupted { reason } => return Err(Failure(format!("nothing interrupts following here: {reason}"))),
        }
    }
}

/// Appends of one and of several records continue one series of positions, and are read back as they were written.
pub async fn positions_rise_by_one_over_batches(under_test: &UnderTest) -> Result<(), Failure> {
    let (backbone, log) = (&under_test.backbone, under_test.open_log("batches").await?);
    let last = backbone.log.last(&log).await?;
    ensure!(last == Position::START, "a new log ends at position 0, not {last}");
    let mut end = 0;
    for count in [1, 3, 2, 40] {
        let last = backbone.log.append(&log, Position(end), numbered(end + 1, count).into()).await?;
        end += count;
        ensure!(last == Position(end), "the append of {count} records ends at {end}, not {last}");
        let last = backbone.log.last(&log).await?;
        ensure!(last == Position(end), "the log ends at {end} after the append, not {last}");
    }
    let expected: Vec<(u64, Bytes)> = (1..).zip(numbered(1, end)).collect();
    let read = all_of(backbone, &log).await?;
    ensure!(read == expected, "the log holds {end} records as they were appended, not {read:?}");
    Ok(())
}

/// An append that expects another end than the log has (before, behind) is a conflict, and nothing is written.
pub async fn a_stale_expectation_is_a_conflict(under_test: &UnderTest) -> Result<(), Failure> {
    let (backbone, log) = (&under_test.backbone, under_test.open_log("stale").await?);
    backbone.log.append(&log, Position::START, numbered(1, 2).into()).await?;
    for (expected, count) in [(0, 1), (1, 1), (3, 1), (0, 2), (1, 5), (900, 3)] {
        match backbone.log.append(&log, Position(expected), numbered(900, count).into()).await {
            Err(AppendError::Conflict { expected: told }) => {
                ensure!(told == Position(expected), "the conflict names the expectation {expected}, not {told}");
            }
            other => {
                return Err(Failure(format!(
                    "an append of {count} at {expected}, where the log ends at 2, is a conflict, not {other:?}"
                )));
            }
        }
    }
    let read = all_of(backbone, &log).await?;
    ensure!(read.len() == 2, "appends that were conflicts left nothing in the log, not {read:?}");
    let last = backbone.log.append(&log, Position(2), numbered(3, 1).into()).await?;
    ensure!(last == Position(3), "the next append at the true end succeeds at 3, not {last}");
    Ok(())
}

/// Of writers that race for the same positions exactly one wins each; every batch is there whole, once.
pub async fn one_racer_wins_each_position(under_test: &UnderTest) -> Result<(), Failure> {
    const RACERS: u64 = 4;
    const WINS: u64 = 8;
    let (backbone, log) = (&under_test.backbone, under_test.open_log("race").await?);
    let race = |racer: u64| {
        let log = &log;
        async move {
            for win in 0..WINS {
                let count = 1 + (racer + win) % 3;
                let batch: Vec<Bytes> =
                    (0..count).map(|part| Bytes::from(format!("{racer}/{win}/{part}/{count}"))).collect();
                loop {
                    let last = backbone.log.last(log).await?;
                    match backbone.log.append(log, last, batch.clone().into()).await {
                        Ok(_) => break,
                        Err(AppendError::Conflict { .. }) => {}
                        Err(error) => return Err(Failure::from(error)),
                    }
                }
            }
            Ok(())
        }
    };
    try_join_all((0..RACERS).map(race)).await?;

    let (mut seen, mut open) = (BTreeSet::new(), None::<(String, u64, u64)>);
    for (position, record) in all_of(backbone, &log).await? {
        let text = String::from_utf8_lossy(&record).into_owned();
        let fields: Vec<u64> = text.split('/').filter_map(|field| field.parse().ok()).collect();
        let [racer, win, part, count] = fields[..] else {
            return Err(Failure(format!("record {position} was written by nobody: {text:?}")));
        };
        ensure!(seen.insert((racer, win, part)), "record {text} is in the log once, not again at {position}");
        let batch = format!("{racer}/{win}");
        let expected = open.take().unwrap_or((batch.clone(), 0, count));
        ensure!(
            expected == (batch.clone(), part, count),
            "a batch stands together: part {} of {} is expected at {position}, not {text}",
            expected.1,
            expected.0
        );
        open = (part + 1 < count).then_some((batch, part + 1, count));
    }
    ensure!(open.is_none(), "the last batch is whole: {open:?} is missing");
    let batches: BTreeSet<(u64, u64)> = seen.iter().map(|(racer, win, _)| (*racer, *win)).collect();
    ensure!(
        batches.len() as u64 == RACERS * WINS,
        "each of {RACERS} racers has won {WINS} times: {} batches are there",
        batches.len()
    );
    Ok(())
}

/// No records, too many, or one that is too large: refused by name of the limit, nothing of the append is written.
pub async fn what_is_too_large_is_refused_whole(under_test: &UnderTest) -> Result<(), Failure> {
    let (backbone, log) = (&under_test.backbone, under_test.open_log("large").await?);
    let large = Bytes::from(vec![b'x'; RECORD_BYTES_MAX + 1]);
    let appends = [
        ("no records", Vec::new()),
        ("one record too many", numbered(1, BATCH_RECORDS_MAX as u64 + 1)),
        ("a record that is one byte too large", vec![large.clone()]),
        ("a record that is too large between two that are not", vec!["a".into(), large, "b".into()]),
    ];
    for (what, records) in appends {
        match backbone.log.append(&log, Position::START, records.into()).await {
            Err(AppendError::Backbone(BackboneError::LimitReached { .. })) => {}
            Err(other) => return Err(Failure(format!("{what}: expected to be over a limit, got: {other}"))),
            Ok(last) => return Err(Failure(format!("{what}: expected to be refused, was appended up to {last}"))),
        }
    }
    let last = backbone.log.last(&log).await?;
    ensure!(last == Position::START, "nothing of what was refused is in the log, which ends at {last}");
    Ok(())
}

/// As many records, and as large a one, as the limits allow.
pub async fn the_largest_append_is_taken(under_test: &UnderTest) -> Result<(), Failure> {
    let (backbone, log) = (&under_test.backbone, under_test.open_log("most").await?);
    let most = BATCH_RECORDS_MAX as u64;
    let last = backbone.log.append(&log, Position::START, numbered(1, most).into()).await?;
    ensure!(last == Position(most), "{most} records in one append end at {most}, not {last}");
    let large = Bytes::from(vec![b'x'; RECORD_BYTES_MAX]);
    let last = backbone.log.append(&log, last, vec![large.clone()].into()).await?;
    let mut read = all_of(backbone, &log).await?;
    let read_last = read.pop();
    ensure!(read_last == Some((last.0, large)), "a record of {RECORD_BYTES_MAX} bytes comes back as it was");
    let expected: Vec<(u64, Bytes)> = (1..).zip(numbered(1, most)).collect();
    ensure!(read == expected, "the records before it come back as they were");
    Ok(())
}

/// A log is read in steps, each after the last position of the one before; the end is an empty step.
pub async fn a_log_is_read_in_steps(under_test: &UnderTest) -> Result<(), Failure> {
    let (backbone, log) = (&under_test.backbone, under_test.open_log("steps").await?);
    let read = async |after: u64, max: usize| -> Result<Vec<(u64, Bytes)>, Failure> {
        let read = backbone.log.read(&log, Position(after), max).await?;
        Ok(read.into_iter().map(|entry| (entry.position.0, entry.record)).collect())
    };
    let nothing = read(0, 10).await?;
    ensure!(nothing.is_empty(), "there is nothing in an empty log, not {nothing:?}");
    let most = BATCH_RECORDS_MAX as u64;
    let last = backbone.log.append(&log, Position::START, numbered(1, most).into()).await?;
    backbone.log.append(&log, last, numbered(most + 1, 7).into()).await?;
    let written: Vec<(u64, Bytes)> = (1..).zip(numbered(1, most + 7)).collect();
    let cases = [
        (0, 1, &written[..1]),
        (500, 1, &written[500..501]),
        (most + 6, 1, &written[written.len() - 1..]),
        (3, 400, &written[3..403]),
        (0, usize::MAX, &written[..BATCH_RECORDS_MAX]),
        (most, usize::MAX, &written[BATCH_RECORDS_MAX..]),
        (most + 7, 10, &[]),
        (most + 900, 10, &[]),
        (0, 0, &[]),
    ];
    for (after, max, expected) in cases {
        let found = read(after, max).await?;
        ensure!(
            found == expected,
            "up to {max} records after {after} are {} records, not the {} from {:?} on",
            expected.len(),
            found.len(),
            found.first()
        );
    }
    Ok(())
}

/// Large records are read in more and smaller steps, whatever was asked for, and every step has at least one.
pub async fn a_step_of_large_records_is_shorter(under_test: &UnderTest) -> Result<(), Failure> {
    const RECORDS: u64 = 24;
    let (backbone, log) = (&under_test.backbone, under_test.open_log("bytes").await?);
    let large = Bytes::from(vec![b'x'; RECORD_BYTES_MAX]);
    for end in (0..RECORDS).step_by(8) {
        backbone.log.append(&log, Position(end), vec![large.clone(); 8].into()).await?;
    }
    let (mut after, mut steps) = (Position::START, 0);
    while after < Position(RECORDS) {
        let read = backbone.log.read(&log, after, RECORDS as usize).await?;
        let bytes: usize = read.iter().map(|entry| entry.record.len()).sum();
        ensure!(bytes < READ_BYTES_MAX + RECORD_BYTES_MAX, "a step ends after {READ_BYTES_MAX} bytes, not {bytes}");
        let Some(last) = read.last() else { return Err(Failure(format!("records follow on {after}: none was read"))) };
        (after, steps) = (last.position, steps + 1);
    }
    ensure!(steps > 1, "{RECORDS} records of {RECORD_BYTES_MAX} bytes are more than one step");
    Ok(())
}

/// Opening again changes nothing and tells the same identity; another log has another.
pub async fn the_identity_is_stable(under_test: &UnderTest) -> Result<(), Failure> {
    let (backbone, log) = (&under_test.backbone, under_test.open_log("identity").await?);
    let other = under_test.open_log("identity2").await?;
    let first = backbone.log.open(&log).await?;
    backbone.log.append(&log, Position::START, numbered(1, 2).into()).await?;
    let again = backbone.log.open(&log).await?;
    ensure!(first == again, "a log that is opened again has the same identity: {first:?}, not {again:?}");
    let last = backbone.log.last(&log).await?;
    ensure!(last == Position(2), "opening again leaves the log as it is, ending at 2, not {last}");
    let other = backbone.log.open(&other).await?;
    ensure!(first != other, "two logs have two identities, not both {first:?}");
    Ok(())
}

/// A batch's seal stands beside its first record, a request's digest beside its own, read and followed alike; records with
/// nothing beside them have nothing.
pub async fn what_stands_beside_records_comes_back(under_test: &UnderTest) -> Result<(), Failure> {
    let (backbone, log) = (&under_test.backbone, under_test.open_log("beside").await?);
    let (key, sealed) = (SigningKey::generate(), SealedLog { log: log.clone(), incarnation: Incarnation([5; 16]) });
    backbone.log.append(&log, Position::START, numbered(1, 2).into()).await?;
    let mut batch = Batch::from(numbered(3, 3));
    batch.records[1].request_sha256 = Some([9; 32]);
    let made = seal(&key, &sealed, (Position(2), [1; 32]), &batch.records);
    batch.seal = Some(made.clone());
    backbone.log.append(&log, Position(2), batch).await?;
    let mut alone = Batch::from(numbered(6, 1));
    alone.records[0].request_sha256 = Some([8; 32]);
    let other = seal(&key, &sealed, (Position(5), [2; 32]), &alone.records);
    alone.seal = Some(other.clone());
    backbone.log.append(&log, Position(5), alone).await?;
    let expected = vec![
        (None, None),
        (None, None),
        (Some(made), None),
        (None, Some([9; 32])),
        (None, None),
        (Some(other), Some([8; 32])),
    ];
    let read = backbone.log.read(&log, Position::START, 100).await?;
    let beside = |entry: Entry| (entry.seal, entry.request_sha256);
    let read: Vec<_> = read.into_iter().map(beside).collect();
    ensure!(read == expected, "reading gives what stands beside records, {expected:?}, not {read:?}");
    let mut follower = backbone.log.follow(&log, Position::START).await?;
    let mut followed = Vec::new();
    while followed.len() < expected.len() {
        if let Followed::Entry(entry) = next("the next record", &mut follower).await?? {
            followed.push(beside(entry));
        }
    }
    ensure!(followed == expected, "following gives what stands beside records, {expected:?}, not {followed:?}");
    Ok(())
}

/// What is appended to one instance's log is in no other log, and not in the fleet's.
pub async fn logs_are_isolated(under_test: &UnderTest) -> Result<(), Failure> {
    let backbone = &under_test.backbone;
    let (one, two) = (under_test.open_log("isolated").await?, under_test.open_log("isolated-2").await?);
    backbone.log.open(&LogId::Fleet).await?;
    let fleet = backbone.log.last(&LogId::Fleet).await?;
    backbone.log.append(&one, Position::START, numbered(1, 3).into()).await?;
    backbone.log.append(&two, Position::START, numbered(101, 1).into()).await?;
    let read = all_of(backbone, &two).await?;
    let expected = vec![(1, Bytes::from("record 101"))];
    ensure!(read == expected, "the second log holds its own record at position 1, not {read:?}");
    let last = backbone.log.last(&one).await?;
    ensure!(last == Position(3), "the first log ends at 3, not {last}");
    let last = backbone.log.last(&LogId::Fleet).await?;
    ensure!(last == fleet, "the fleet's log still ends at {fleet}, not {last}");
    Ok(())
}
