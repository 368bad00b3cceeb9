//! A folder over the life of several processes: restarts, one opener, damage.

use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use rollcall_domain::ids::{DeviceId, LogId, Position, RequestId};
use rollcall_log::{
    Backbone, BackboneError,
    documents::{Document, DocumentKey, PutError, Revision},
    log::Followed,
    messages::{Lane, MessageCursor, MessagePosition, MessagesOf},
    requests::RequestKind,
};
use rollcall_log_embedded::EmbeddedConfig;
use tokio::time::timeout;

use crate::{LEASE, PATIENCE, instance, message};

/// Opens with the leases of tests and ids that count.
pub(crate) fn open(folder: &Path) -> Result<Backbone, BackboneError> {
    static IDS: AtomicU64 = AtomicU64::new(1);
    let ids = || uuid::Uuid::from_u128(IDS.fetch_add(1, Ordering::SeqCst).into());
    let mut config = EmbeddedConfig::new(Arc::new(|| 1_700_000_000_000), Arc::new(ids));
    config.limits.request_lease = LEASE;
    config.limits.presence_lease = LEASE;
    rollcall_log_embedded::open(folder, config)
}

/// Every record of the log; an error if it cannot be read to its end.
pub(crate) async fn records(backbone: &Backbone, log: &LogId) -> Result<Vec<Bytes>, BackboneError> {
    let mut follower = backbone.log.follow(log, Position::START).await?;
    let mut records = Vec::new();
    loop {
        let next = timeout(PATIENCE, follower.recv()).await.expect("a record, or the end");
        match next.expect("an error comes before the end")? {
            Followed::Entry(entry) => records.push(entry.record),
            Followed::CaughtUp(_) => return Ok(records),
            Followed::Interrupted { reason } => panic!("{reason}"),
        }
    }
}

/// The payloads of the first `count` messages.
async fn payloads(backbone: &Backbone, count: usize) -> Result<Vec<Bytes>, BackboneError> {
    let mut follower = backbone.messages.follow(&instance(), &[Lane::Uplink], Some(MessageCursor::START)).await?;
    let mut payloads = Vec::new();
    while payloads.len() < count {
        let next = timeout(PATIENCE, follower.recv()).await.expect("a message, or an error");
        payloads.push(next.expect("an error comes before the end")?.message.payload);
    }
    Ok(payloads)
}

const RECORDS: usize = 300;

fn record(number: usize) -> Bytes {
    Bytes::from(format!("{number} {}", "x".repeat(number * 7 % 900)))
}

/// A backbone with something in everything that is kept on disk, closed cleanly.
async fn filled(folder: &Path) {
    let (backbone, log) = (open(folder).unwrap(), LogId::Fleet);
    backbone.log.open(&log).await.unwrap();
    backbone.requests.open(&log).await.unwrap();
    backbone.messages.open(&instance()).await.unwrap();
    for number in (0..RECORDS).step_by(30) {
        let batch: Vec<_> = (number..number + 30).map(record).collect();
        backbone.log.append(&log, Position(number as u64), batch.into()).await.unwrap();
        backbone.attempts.keep(&log, vec![record(number)]).await.unwrap();
        backbone.messages.publish(&instance(), message(Lane::Uplink, &number.to_string())).await.unwrap();
        let id = RequestId::parse(&format!("request-{number:03}")).unwrap();
        backbone.requests.submit(&log, RequestKind::Connect, &id, record(number)).await.unwrap();
    }
}

/// Checks that everything of [`filled`] is there; an error if some of it cannot be read.
async fn check_filled(backbone: &Backbone) -> Result<(), BackboneError> {
    let log = LogId::Fleet;
    let expected: Vec<Bytes> = (0..RECORDS).map(record).collect();
    assert_eq!(records(backbone, &log).await?, expected);
    let tens: Vec<Bytes> = (0..RECORDS).step_by(30).map(record).collect();
    let attempts = backbone.attempts.read(&log, Position::START, 100).await?;
    assert_eq!(attempts.into_iter().map(|entry| entry.record).collect::<Vec<_>>(), tens);
    let taken = backbone.requests.take(&log, 100, Duration::ZERO).await?;
    assert_eq!(taken.into_iter().map(|delivery| delivery.request).collect::<Vec<_>>(), tens);
    let expected: Vec<String> = (0..RECORDS).step_by(30).map(|number| number.to_string()).collect();
    assert_eq!(payloads(backbone, expected.len()).await?, expected);
    Ok(())
}

#[tokio::test]
async fn everything_that_is_kept_survives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    filled(folder.path()).await;
    let backbone = open(folder.path()).unwrap();
    let identity = backbone.log.open(&LogId::Fleet).await.unwrap();
    check_filled(&backbone).await.unwrap();
    drop(backbone);
    let backbone = open(folder.path()).unwrap();
    check_filled(&backbone).await.unwrap();
    assert_eq!(backbone.log.open(&LogId::Fleet).await.unwrap(), identity, "the log is the same one");
}

#[tokio::test]
async fn after_a_restart_taken_requests_come_again_at_once_and_finished_ones_do_not() {
    let folder = tempfile::tempdir().unwrap();
    filled(folder.path()).await;
    let backbone = open(folder.path()).unwrap();
    let mut taken = backbone.requests.take(&LogId::Fleet, 4, Duration::ZERO).await.unwrap();
    let unfinished: Vec<RequestId> = taken.drain(1..3).map(|delivery| delivery.id).collect();
    let finished: BTreeSet<RequestId> = taken.iter().map(|delivery| delivery.id.clone()).collect();
    let receipts = taken.into_iter().map(|delivery| delivery.receipt).collect();
    backbone.requests.finish(&LogId::Fleet, receipts).await.unwrap();
    drop(backbone);
    let backbone = open(folder.path()).unwrap();
    let again = backbone.requests.take(&LogId::Fleet, 100, Duration::ZERO).await.unwrap();
    let again: Vec<RequestId> = again.into_iter().map(|delivery| delivery.id).collect();
    assert_eq!(again[..2], unfinished);
    assert_eq!(again.len(), 8);
    assert!(again.iter().all(|id| !finished.contains(id)));
}

#[tokio::test]
async fn documents_and_their_revisions_survive_a_restart() {
    let (folder, log) = (tempfile::tempdir().unwrap(), LogId::Instance(instance()));
    let [kept, deleted] = ["kept", "deleted"].map(|name| DocumentKey::Shadow(DeviceId::parse(name).unwrap()));
    let backbone = open(folder.path()).unwrap();
    backbone.documents.open(&log).await.unwrap();
    let first = backbone.documents.put(&log, &kept, Revision::NONE, "first".into()).await.unwrap();
    let second = backbone.documents.put(&log, &kept, first, "second".into()).await.unwrap();
    let last = backbone.documents.put(&log, &deleted, Revision::NONE, "gone".into()).await.unwrap();
    backbone.documents.delete(&log, &deleted, last).await.unwrap();
    drop(backbone);
    let backbone = open(folder.path()).unwrap();
    let found = backbone.documents.get(&log, &kept).await.unwrap();
    assert_eq!(found, Some(Document { revision: second, body: "second".into() }));
    assert_eq!(backbone.documents.get(&log, &deleted).await.unwrap(), None);
    let stale = backbone.documents.put(&log, &kept, first, "third".into()).await.unwrap_err();
    assert!(matches!(stale, PutError::Conflict), "{stale}");
    let again = backbone.documents.put(&log, &deleted, Revision::NONE, "again".into()).await.unwrap();
    assert!(again > last, "no revision comes twice: {again:?} after {last:?}");
}

#[tokio::test]
async fn a_second_opener_is_told_that_the_folder_is_in_use() {
    let folder = tempfile::tempdir().unwrap();
    let backbone = open(folder.path()).unwrap();
    let error = open(folder.path()).map(|_| ()).unwrap_err();
    assert!(matches!(error, BackboneError::Unavailable { .. }), "{error}");
    assert!(error.to_string().contains("another process has it open"), "{error}");
    drop(backbone);
    open(folder.path()).expect("the folder is free again");
}

#[tokio::test]
async fn followers_end_when_the_backbone_is_closed_and_do_not_hold_its_folder() {
    let folder = tempfile::tempdir().unwrap();
    filled(folder.path()).await;
    let backbone = open(folder.path()).unwrap();
    let mut follower = backbone.log.follow(&LogId::Fleet, Position(RECORDS as u64)).await.unwrap();
    assert!(matches!(follower.recv().await, Some(Ok(Followed::CaughtUp(_)))));
    drop(backbone);
    let reopened = open(folder.path()).expect("the folder is free although a follower is left");
    let end = timeout(PATIENCE, follower.recv()).await.expect("the follower ends");
    assert!(matches!(end, Some(Err(BackboneError::Closed))), "{end:?}");
    drop(reopened);
}

#[tokio::test]
async fn many_writers_at_once_are_all_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let backbone = open(folder.path()).unwrap();
    backbone.messages.open(&instance()).await.unwrap();
    let publish = |number: usize| {
        let backbone = backbone.clone();
        tokio::spawn(async move { backbone.messages.publish(&instance(), message(Lane::Uplink, &number.to_string())).await })
    };
    // More than may wait for the writer: the rest wait in their callers.
    let published: Vec<_> = (0..6000).map(publish).collect();
    let mut positions = BTreeSet::new();
    for published in published {
        positions.insert(published.await.unwrap().unwrap());
    }
    assert_eq!(positions, (1..=6000).map(MessagePosition::own).collect());
}

/// What a damaged file may come to: a clear error when it is opened or read, or, where the damage is in a page that is
/// not in use, everything as it was. Never a panic, never less than was acknowledged.
async fn check_damaged(folder: &Path, how: &str) -> bool {
    let damaged = |error: BackboneError| {
        let clear = match &error {
            BackboneError::Damaged { .. } | BackboneError::StreamDiffers { .. } => true,
            BackboneError::Unavailable { .. }
            | BackboneError::Unwritable { .. }
            | BackboneError::LimitReached { .. }
            | BackboneError::Full { .. }
            | BackboneError::Closed => false,
        };
        assert!(clear, "{how}: Damaged is expected, not: {error}");
        true
    };
    match open(folder) {
        Err(error) => damaged(error),
        Ok(backbone) => check_filled(&backbone).await.map_or_else(damaged, |()| false),
    }
}

#[tokio::test]
async fn a_truncated_file_is_damaged() {
    let whole = tempfile::tempdir().unwrap();
    filled(whole.path()).await;
    let bytes = fs::read(whole.path().join("backbone.redb")).unwrap();
    for length in [1, 64, 320, 4095, 4096, 8192, bytes.len() / 3, bytes.len() / 2, bytes.len() - 4096, bytes.len() - 1] {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("backbone.redb"), &bytes[..length]).unwrap();
        let how = format!("cut to {length} of {} bytes", bytes.len());
        assert!(check_damaged(folder.path(), &how).await, "{how}: opened as if nothing were missing");
    }
}

#[tokio::test]
async fn flipped_bytes_are_damage_or_do_not_matter() {
    let whole = tempfile::tempdir().unwrap();
    filled(whole.path()).await;
    let bytes = fs::read(whole.path().join("backbone.redb")).unwrap();
    let used = bytes.chunks(4096).filter(|page| page.iter().any(|byte| *byte != 0)).count();
    // The header, every third byte (the one that says which commit is current among them), then one place in each page.
    let header = (0..320).step_by(3);
    let pages = (1..bytes.len() / 4096).map(|page| page * 4096 + page * 97 % 4096);
    let mut noticed = 0;
    for place in header.chain(pages.filter(|place| bytes[place / 4096 * 4096..][..4096].iter().any(|byte| *byte != 0))) {
        let folder = tempfile::tempdir().unwrap();
        let mut flipped = bytes.clone();
        flipped[place] ^= 0x55;
        fs::write(folder.path().join("backbone.redb"), flipped).unwrap();
        noticed += usize::from(check_damaged(folder.path(), &format!("byte {place} flipped")).await);
    }
    assert!(noticed > 10, "of {used} pages in use some hold what is kept; only {noticed} flips were noticed");
}

#[tokio::test]
async fn a_file_that_is_no_database_is_damaged() {
    for content in [&b"not a database"[..], &[0; 5000], "x".repeat(100_000).as_bytes()] {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("backbone.redb"), content).unwrap();
        let error = open(folder.path()).map(|_| ()).unwrap_err();
        assert!(matches!(error, BackboneError::Damaged { .. }), "{error}");
        let kept = fs::read(folder.path().join("backbone.redb")).unwrap();
        assert_eq!(kept, content, "what is not understood is left as it is");
    }
}

/// F21: one message that cannot be read costs none of the others.
#[tokio::test]
async fn f21_damaged_messages_are_stepped_over_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    let backbone = open(folder.path()).unwrap();
    backbone.messages.open(&instance()).await.unwrap();
    for number in 1..=5 {
        backbone.messages.publish(&instance(), message(Lane::Uplink, &number.to_string())).await.unwrap();
    }
    drop(backbone);
    let name = format!("messages/instance/{}", instance());
    let rows: redb::TableDefinition<'_, u64, &[u8]> = redb::TableDefinition::new(&name);
    let database = redb::Database::open(folder.path().join("backbone.redb")).unwrap();
    let transaction = database.begin_write().unwrap();
    {
        let mut rows = transaction.open_table(rows).unwrap();
        // One with a byte that is another, one at the place of another, as a disk may have them.
        let mut second = redb::ReadableTable::get(&rows, 2).unwrap().unwrap().value().to_vec();
        let third = second.clone();
        *second.last_mut().unwrap() ^= 1;
        rows.insert(2, second.as_slice()).unwrap();
        rows.insert(3, third.as_slice()).unwrap();
    }
    transaction.commit().unwrap();
    drop(database);
    let backbone = open(folder.path()).unwrap();
    assert_eq!(payloads(&backbone, 3).await.unwrap(), ["1", "4", "5"]);
    let latest = backbone.messages.latest(&instance(), Lane::Uplink, &MessagesOf::Instance, None, 10).await.unwrap();
    let found: Vec<_> = latest.messages.iter().map(|found| &found.message.payload).collect();
    assert_eq!(found, ["5", "4", "1"]);
    assert_eq!((latest.damaged, latest.next), (2, None));
}
