//! The directory against a plain pass over all devices: every kind of question, live, reopened, stopped between writes,
//! switched on and off.

mod oracle;
mod questions;

use rollcall_domain::ids::Incarnation;
use rollcall_log::{codec::AnyEvent, seal::SealKeys};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, atomic::Ordering},
};

use rollcall_domain::{
    ids::{DeviceId, Position},
    registry::{Device, Devices, Event},
    time::Timestamp,
};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use self::{oracle::Oracle, questions::assert_answers};
use super::{
    BOUND, Running,
    history::{self, Dice, History},
    instance,
    log::TestLog,
    reopening::{abandon, put_back},
};
use crate::{
    admission::{Store, StoreConfig, ViewError, ViewHealth},
    directory::{CertificateId, Condition, DeviceQuery, DeviceStatus, DirectoryView, Online, TextTest, ValueTest},
};

fn with_directory(folder: &TempDir) -> StoreConfig {
    StoreConfig { directory: true, ..super::config(folder) }
}

/// A store with the directory of one instance.
struct Open {
    running: Running,
    view: DirectoryView,
}

impl Open {
    fn at(folder: &TempDir, log: &Arc<TestLog>) -> Self {
        let running = Running::start(Store::open(&with_directory(folder)).unwrap(), log);
        let view = running.store.directory(&instance(), Incarnation::NIL, log.clone(), running.shutdown.clone()).unwrap();
        Self { running, view }
    }

    async fn close(self) {
        drop(self.view);
        self.running.close().await;
    }
}

/// Has a view hear of these devices what [`status`] takes for so.
fn hear(view: &DirectoryView, devices: impl Iterator<Item = DeviceId>) {
    for device in devices {
        let (online, seen) = (EveryThird.is_online(&device), was_seen(&device));
        if online || seen {
            view.note_seen(&device, true, Timestamp::from_unix_s(1));
        }
        if !online && seen {
            view.note_seen(&device, false, Timestamp::from_unix_s(2));
        }
    }
}

fn hear_all(view: &DirectoryView) {
    hear(view, (0..20).map(history::device));
}

/// The device ids of even length count as seen.
fn was_seen(device: &DeviceId) -> bool {
    device.as_str().len().is_multiple_of(2)
}

fn status(device: &Device) -> DeviceStatus {
    let proven = device.credential.pins().any(|pin| pin.ca_name_and_key_sha256.is_some());
    match (device.frozen, EveryThird.is_online(&device.id), proven || was_seen(&device.id)) {
        (true, _, _) => DeviceStatus::Frozen,
        (false, true, _) => DeviceStatus::Online,
        (false, false, true) => DeviceStatus::Offline,
        (false, false, false) => DeviceStatus::Inactive,
    }
}

/// Every third device is online, by the last digit of its id.
struct EveryThird;

impl Online for EveryThird {
    fn is_online(&self, device: &DeviceId) -> bool {
        device.as_str().bytes().last().unwrap_or_default().is_multiple_of(3)
    }

    fn at_most(&self, max: usize) -> Option<Vec<DeviceId>> {
        let all: Vec<DeviceId> = (0..100).map(history::device).filter(|device| self.is_online(device)).collect();
        (all.len() <= max).then_some(all)
    }
}

#[tokio::test]
async fn every_question_is_answered_as_a_pass_over_all_devices_would() {
    for seed in 0..15 {
        eprintln!("seed {seed}");
        let history = History::random(seed, 300);
        let log = Arc::new(TestLog::of(Vec::new()));
        let folder = tempfile::tempdir().unwrap();
        let open = Open::at(&folder, &log);
        let mut encoded = history.encoded().into_iter();
        for step in [40, 130, 130] {
            log.push(encoded.by_ref().take(step));
            let view = open.view.clone();
            // While the records are folded.
            tokio::task::spawn_blocking(move || hear_all(&view)).await.unwrap();
            open.running.reached(log.len()).await;
            let oracle = Oracle::of(&history, log.len());
            assert_answers(&open.view, &oracle, &mut Dice::of(seed), 60);
        }
        open.close().await;
        let open = Open::at(&folder, &log);
        hear_all(&open.view);
        open.running.reached(log.len()).await;
        assert_answers(&open.view, &Oracle::of(&history, log.len()), &mut Dice::of(seed), 30);
        open.close().await;
    }
}

#[tokio::test]
async fn a_count_by_status_leaves_out_other_spaces_also_where_more_are_named_than_ranges_are_walked() {
    let history = History::random(3, 300);
    let log = Arc::new(TestLog::of(history.encoded()));
    let folder = tempfile::tempdir().unwrap();
    let open = Open::at(&folder, &log);
    hear_all(&open.view);
    open.running.reached(log.len()).await;
    let oracle = Oracle::of(&history, log.len());
    let and_others = |id: &str| (1..17).map(|n| format!("none-{n}").into()).chain([id.into()]).collect::<Vec<Box<str>>>();
    let scope = ["space-1".into(), "space-none".into()];
    let (mut found, all) = (0, oracle.devices.len());
    for wanted in [DeviceStatus::Frozen, DeviceStatus::Online, DeviceStatus::Offline, DeviceStatus::Inactive] {
        for (spaces, products) in [
            (and_others("space-1"), Some(and_others("product-1"))),
            (scope.to_vec(), Some(vec!["product-1".into(); 160])),
            ((0..257).map(|n| format!("none-{n}").into()).chain(["space-1".into()]).collect(), None),
        ] {
            let mut all_of = vec![Condition::Status(ValueTest::Eq(wanted))];
            all_of.extend(products.map(|products| Condition::Product(TextTest::In(products))));
            let mut query =
                DeviceQuery { any_of: vec![all_of], online: Some(&EveryThird), ..DeviceQuery::all(1000, &status) };
            query.narrow(&Condition::Space(TextTest::In(spaces)));
            let meant = oracle.meant(&query).len();
            assert_eq!(open.view.count(&query), Some(meant as u64), "{:?}", query.any_of);
            found += meant;
        }
    }
    assert!((1..all).contains(&found), "{found} of {all}");
}

/// The devices that were ever heard of, and whether each is online.
#[derive(Clone, Default)]
struct HeardOf(Arc<Mutex<BTreeMap<DeviceId, bool>>>);

impl HeardOf {
    fn status(&self, device: &Device) -> DeviceStatus {
        let proven = device.credential.pins().any(|pin| pin.ca_name_and_key_sha256.is_some());
        match (device.frozen, self.0.lock().unwrap().get(&device.id), proven) {
            (true, _, _) => DeviceStatus::Frozen,
            (false, Some(true), _) => DeviceStatus::Online,
            (false, Some(false), _) | (false, None, true) => DeviceStatus::Offline,
            (false, None, false) => DeviceStatus::Inactive,
        }
    }

    /// Some devices come online or go offline, also such as there are not.
    fn hear(&self, view: &DirectoryView, dice: &mut Dice) {
        for _ in 0..dice.roll(8) {
            let (device, online) = (history::device(dice.roll(14)), dice.roll(3) > 0);
            self.0.lock().unwrap().insert(device.clone(), online);
            view.note_seen(&device, online, Timestamp::from_unix_s(1));
        }
    }

    /// As after a start, when presence has been read.
    fn hear_again(&self, view: &DirectoryView) {
        let online = self.0.lock().unwrap().clone().into_iter().filter(|(_, online)| *online);
        online.for_each(|(device, _)| view.note_seen(&device, true, Timestamp::from_unix_s(1)));
    }
}

impl Online for HeardOf {
    fn is_online(&self, device: &DeviceId) -> bool {
        self.0.lock().unwrap().get(device) == Some(&true)
    }

    fn at_most(&self, _: usize) -> Option<Vec<DeviceId>> {
        None
    }
}

#[tokio::test]
async fn counts_by_status_are_those_of_a_pass_over_all_devices_whatever_changes_meanwhile() {
    let equal = |text: &str| TextTest::Eq(text.into());
    let filters = [
        vec![],
        vec![Condition::Space(equal("space-0"))],
        vec![
            Condition::Space(TextTest::In(vec!["space-0".into(), "space-1".into()])),
            Condition::Product(equal("product-1")),
        ],
        vec![Condition::Product(TextTest::Ne("product-1".into())), Condition::Space(TextTest::Prefix("space-".into()))],
    ];
    let mut met = BTreeSet::new();
    for seed in 100..108 {
        eprintln!("seed {seed}");
        let (history, mut dice, heard) = (History::random(seed, 300), Dice::of(seed), HeardOf::default());
        let (log, folder) = (Arc::new(TestLog::of(Vec::new())), tempfile::tempdir().unwrap());
        let mut open = Open::at(&folder, &log);
        let mut encoded = history.encoded().into_iter();
        while encoded.len() > 0 {
            if dice.roll(5) == 0 {
                open.close().await;
                open = Open::at(&folder, &log);
                heard.hear_again(&open.view);
            }
            log.push(encoded.by_ref().take(dice.roll(30) as usize));
            let (view, hearing) = (open.view.clone(), heard.clone());
            // While the records are folded, or the rows are passed over.
            dice = tokio::task::spawn_blocking(move || {
                hearing.hear(&view, &mut dice);
                dice
            })
            .await
            .unwrap();
            open.running.reached(log.len()).await;
            let (oracle, status) = (Oracle::of(&history, log.len()), |device: &Device| heard.status(device));
            for filter in &filters {
                for wanted in [DeviceStatus::Frozen, DeviceStatus::Online, DeviceStatus::Offline, DeviceStatus::Inactive] {
                    for asked in [ValueTest::Eq(wanted), ValueTest::Ne(wanted)] {
                        let mut all_of = filter.clone();
                        all_of.push(Condition::Status(asked));
                        let query =
                            DeviceQuery { any_of: vec![all_of], online: Some(&heard), ..DeviceQuery::all(0, &status) };
                        let meant = oracle.meant(&query);
                        assert_eq!(open.view.count(&query), Some(meant.len() as u64), "{:?}", query.any_of);
                        met.extend(meant.iter().map(|listed| status(&listed.device)));
                    }
                }
            }
        }
        open.close().await;
    }
    assert_eq!(met.len(), 4, "{met:?}");
}

#[tokio::test]
async fn a_count_by_status_reads_no_row() {
    let log = Arc::new(TestLog::of(History::devices(50).encoded()));
    let folder = tempfile::tempdir().unwrap();
    let open = Open::at(&folder, &log);
    open.running.reached(log.len()).await;
    open.view.note_seen(&history::device(1), true, Timestamp::from_unix_s(1));
    open.view.note_seen(&history::device(2), true, Timestamp::from_unix_s(1));
    open.view.note_seen(&history::device(2), false, Timestamp::from_unix_s(2));
    let served = open.running.view.state().served().rows.clone().unwrap();
    (0..50).for_each(|n| served.damage(&history::device(n)));
    let asked = |_: &Device| panic!("no device is asked about");
    for (wanted, count) in
        [(DeviceStatus::Online, 1), (DeviceStatus::Offline, 1), (DeviceStatus::Inactive, 48), (DeviceStatus::Frozen, 0)]
    {
        let any_of = vec![vec![Condition::Status(ValueTest::Eq(wanted)), Condition::Space(TextTest::Eq("space-0".into()))]];
        let query = DeviceQuery { any_of, online: Some(&EveryThird), ..DeviceQuery::all(0, &asked) };
        assert_eq!(open.view.count(&query), Some(count), "{wanted:?}");
    }
}

#[tokio::test]
async fn a_page_by_status_looks_for_no_more_devices_than_are_counted() {
    let log = Arc::new(TestLog::of(History::devices(300).encoded()));
    let folder = tempfile::tempdir().unwrap();
    let open = Open::at(&folder, &log);
    open.running.reached(log.len()).await;
    let heard = HeardOf::default();
    let status = |device: &Device| heard.status(device);
    let any_of = vec![vec![Condition::Status(ValueTest::Eq(DeviceStatus::Offline))]];
    let query = DeviceQuery { any_of, online: Some(&heard), ..DeviceQuery::all(50, &status) };
    let read = |query: &DeviceQuery<'_>| {
        let page = open.view.list(query).unwrap();
        (page.devices.iter().map(|listed| listed.device.id.clone()).collect::<Vec<_>>(), page.rows_read)
    };
    assert_eq!(read(&query), (vec![], 0));
    for device in [299, 297].map(history::device) {
        heard.0.lock().unwrap().insert(device.clone(), false);
        open.view.note_seen(&device, true, Timestamp::from_unix_s(1));
        open.view.note_seen(&device, false, Timestamp::from_unix_s(2));
    }
    assert_eq!(read(&query), ([299, 297].map(history::device).to_vec(), 3));
    assert_eq!(read(&DeviceQuery { offset: 1, ..query.clone() }), (vec![history::device(297)], 3));
}

#[tokio::test]
async fn f15_f16_stopping_between_any_two_writes_leaves_no_gap_in_the_directory() {
    let history = History::random(14, 45);
    let log = Arc::new(TestLog::of(history.encoded()));
    let oracle = Oracle::of(&history, log.len());
    for writes in 0.. {
        eprintln!("stopped after {writes} writes");
        let folder = tempfile::tempdir().unwrap();
        let live = Arc::new(TestLog::of(Vec::new()));
        let open = Open::at(&folder, &live);
        open.running.reached(Position::START).await;
        let database = open.running.store.database();
        database.writes_left.store(writes, Ordering::SeqCst);
        live.push(history.encoded());
        let mut status = open.running.view.status();
        let ended = status.wait_for(|status| status.health != ViewHealth::Following || status.position == log.len());
        let stopped = tokio::time::timeout(BOUND, ended).await.unwrap().unwrap().position < log.len();
        drop(status);
        drop(open.view);
        abandon(open.running).await;
        put_back(&folder, database).await;
        let open = Open::at(&folder, &log);
        hear_all(&open.view);
        open.running.reached(log.len()).await;
        assert_answers(&open.view, &oracle, &mut Dice::of(writes.unsigned_abs()), 12);
        open.close().await;
        if !stopped {
            assert!(writes > 150, "{writes} writes are all that a history takes");
            break;
        }
    }
}

#[tokio::test]
async fn a_store_is_built_again_when_the_directory_is_switched_on_or_off() {
    let history = History::random(61, 150);
    let log = Arc::new(TestLog::of(history.encoded()));
    let folder = tempfile::tempdir().unwrap();
    let oracle = Oracle::of(&history, log.len());
    let without = Running::open(&folder, &log);
    let digest = without.reached(log.len()).await.digest;
    let refused = without.store.directory(&instance(), Incarnation::NIL, log.clone(), CancellationToken::new());
    assert!(matches!(refused, Err(ViewError::WithoutDirectory { .. })));
    without.close().await;

    log.reachable(false);
    let open = Open::at(&folder, &log);
    super::assert_equal(&open.running.view, &history, &history.folded(150));
    assert_eq!(open.view.list(&DeviceQuery::all(10, &status)), None, "not there is not empty");
    log.reachable(true);
    let built = open.running.until("has the directory", |status| status.caught_up).await;
    assert_eq!(built.digest, digest);
    hear_all(&open.view);
    assert_answers(&open.view, &oracle, &mut Dice::of(1), 60);
    open.close().await;

    let as_left = Store::open_as_left(with_directory(&folder).folder, 1 << 24, SealKeys::default()).unwrap();
    let as_left = Running::start(as_left, &log);
    let before = as_left.view.status().borrow().generation;
    assert_eq!(as_left.reached(log.len()).await.generation, before, "nothing is built to look at what is there");
    let view = as_left.store.directory(&instance(), Incarnation::NIL, log.clone(), as_left.shutdown.clone()).unwrap();
    hear_all(&view);
    assert_answers(&view, &oracle, &mut Dice::of(2), 30);
    drop(view);
    as_left.close().await;

    let without = Running::open(&folder, &log);
    assert_eq!(without.reached(log.len()).await.digest, digest);
    super::assert_equal(&without.view, &history, &history.folded(150));
}

#[tokio::test]
async fn a_store_without_the_directory_has_none_of_its_keys() {
    let history = History::random(62, 150);
    let log = Arc::new(TestLog::of(history.encoded()));
    let folder = tempfile::tempdir().unwrap();
    let without = Running::open(&folder, &log);
    without.reached(log.len()).await;
    let mut kinds = BTreeSet::new();
    let look = |key: &[u8], _: &[u8]| {
        kinds.insert(char::from(key[4]));
        Ok(crate::files::Scan::Next)
    };
    without.store.database().scan(&[], look).unwrap();
    assert_eq!(kinds.into_iter().collect::<String>(), "CDEFIMNPRTr");
}

#[tokio::test]
async fn what_was_seen_of_a_device_survives_a_rebuild() {
    let log = Arc::new(TestLog::of(History::devices(5).encoded()));
    let folder = tempfile::tempdir().unwrap();
    let open = Open::at(&folder, &log);
    open.running.reached(log.len()).await;
    let device = history::device(2);
    assert_eq!(open.view.seen(&device), None);
    let at = Timestamp::from_unix_s;
    open.view.note_seen(&device, true, at(100));
    open.view.note_seen(&device, true, at(110));
    open.view.note_seen(&device, false, at(150));
    open.view.note_seen(&device, true, at(120));
    let seen = open.view.seen(&device).unwrap();
    assert_eq!((seen.first_online_at, seen.changed_at, seen.online), (Some(at(100)), at(150), false));
    // Another log: everything that was folded goes.
    log.replace(History::devices(3).encoded());
    open.running.until("has the other log", |status| status.position == log.len() && status.caught_up).await;
    assert_eq!(open.running.view.count(), 3);
    assert_eq!(open.view.seen(&device), Some(seen));
    open.close().await;
    let open = Open::at(&folder, &log);
    assert_eq!(open.view.seen(&device), Some(seen), "and a restart");
}

#[tokio::test]
async fn connections_are_counted_by_the_minute_for_a_day_and_through_a_restart() {
    let log = Arc::new(TestLog::of(History::devices(5).encoded()));
    let folder = tempfile::tempdir().unwrap();
    let open = Open::at(&folder, &log);
    open.running.reached(log.len()).await;
    assert_eq!(open.view.connects_counted_until(), None);
    let minute = |n: i64| n * 60_000;
    let at = |minutes: i64, ms: i64| Timestamp::from_unix_ms(minute(minutes) + ms);
    for connected in [at(10, 7), at(10, 3), at(11, 0), at(12, 59_999)] {
        open.view.note_connect(connected);
    }
    assert_eq!(open.view.connects_counted_until(), Some(at(12, 59_999)));
    open.close().await;
    let open = Open::at(&folder, &log);
    open.running.reached(log.len()).await;
    let counted = |since| open.view.connects_by_minute(since).unwrap().into_iter().collect::<Vec<_>>();
    assert_eq!(counted(at(0, 0)), [(minute(10), 2), (minute(11), 1), (minute(12), 1)]);
    assert_eq!(counted(at(11, 0)), [(minute(11), 1), (minute(12), 1)]);
    open.view.note_connect(at(24 * 60 + 12, 0));
    assert_eq!(counted(at(0, 0)), [(minute(12), 1), (minute(24 * 60 + 12), 1)]);
}

#[tokio::test]
async fn an_instance_that_was_made_again_takes_nothing_over_of_what_was_seen() {
    let log = Arc::new(TestLog::of(History::devices(3).encoded()));
    let folder = tempfile::tempdir().unwrap();
    let open = Open::at(&folder, &log);
    open.running.reached(log.len()).await;
    let (device, stop) = (history::device(2), CancellationToken::new());
    let again = |incarnation| open.running.store.directory(&instance(), incarnation, log.clone(), stop.clone()).unwrap();
    open.view.note_seen(&device, true, Timestamp::from_unix_s(100));
    let made_again = again(Incarnation([7; 16]));
    assert_eq!(made_again.seen(&device), None);
    made_again.note_seen(&device, true, Timestamp::from_unix_s(200));
    let third = again(Incarnation([8; 16]));
    assert_eq!(third.seen(&device), None);
    let first_online = |view: &DirectoryView| view.seen(&device).unwrap().first_online_at;
    assert_eq!(first_online(&open.view), Some(Timestamp::from_unix_s(100)));
    assert_eq!(first_online(&made_again), Some(Timestamp::from_unix_s(200)));
    stop.cancel();
}

#[tokio::test]
async fn a_page_reads_as_many_rows_as_it_returns() {
    let log = Arc::new(TestLog::of(History::devices(3000).encoded()));
    let folder = tempfile::tempdir().unwrap();
    let open = Open::at(&folder, &log);
    open.running.reached(log.len()).await;
    let mut query = DeviceQuery::all(50, &status);
    let mut listed = 0;
    loop {
        let page = open.view.list(&query).unwrap();
        assert_eq!(page.rows_read, page.devices.len() as u64);
        listed += page.devices.len();
        query.after = page.last();
        if page.devices.len() < query.limit {
            break;
        }
    }
    assert_eq!(listed, 3000);
}

#[tokio::test]
async fn a_page_and_a_count_look_at_no_more_devices_than_they_may_and_say_so() {
    let log = Arc::new(TestLog::of(History::devices(300).encoded()));
    let folder = tempfile::tempdir().unwrap();
    let open = Open::at(&folder, &log);
    open.running.reached(log.len()).await;
    // No index leads to what is unlike something.
    let sparse = vec![Condition::Name(TextTest::NotIn((0..95).map(|n| format!("name {n}").into()).collect()))];
    let mut query = DeviceQuery { any_of: vec![sparse], ..DeviceQuery::all(50, &status) };
    let meant = open.view.list(&DeviceQuery { limit: 1000, ..query.clone() }).unwrap().devices;
    let (mut found, mut short) = (Vec::new(), 0);
    loop {
        let page = open.view.list_within(&query, Some(20)).unwrap();
        assert!(page.rows_read <= 20, "{}", page.rows_read);
        short += usize::from(page.stopped_at.is_some());
        query.after = page.last();
        let ended = page.devices.is_empty() && page.stopped_at.is_none();
        found.extend(page.devices);
        if ended {
            break;
        }
    }
    assert_eq!(found, meant);
    assert!(short >= 10, "{short} pages were left off");
    let at_least = open.view.count_within(&query, Some(20)).unwrap();
    assert!(!at_least.is_whole && at_least.count < meant.len() as u64, "{at_least:?}");
    let whole = open.view.count_within(&query, Some(300)).unwrap();
    assert_eq!((whole.count, whole.is_whole), (meant.len() as u64, true));
    let all = open.view.count_within(&DeviceQuery::all(0, &status), Some(1)).unwrap();
    assert_eq!((all.count, all.is_whole), (300, true), "what has been counted costs nothing");
}

#[tokio::test]
async fn what_is_asked_by_state_time_or_certificates_end_reads_the_rows_that_it_returns() {
    let mut history = History::devices(3000);
    let frozen = Event::DeviceFrozen { device: history::device(7) };
    history.records.push(history::record(history.records.len(), frozen));
    history.records.push(history::record(history.records.len(), history::registered(5000, 3)));
    let log = Arc::new(TestLog::of(history.encoded()));
    let folder = tempfile::tempdir().unwrap();
    let open = Open::at(&folder, &log);
    open.running.reached(log.len()).await;
    FewOnline.at_most(100).unwrap().iter().for_each(|device| open.view.note_seen(device, true, Timestamp::from_unix_s(1)));
    let oracle = Oracle::of(&history, log.len());
    let time = |n: usize| history.records[n].time;
    let one_space = || Condition::Space(TextTest::Eq("space-0".into()));
    for (found, all_of) in [
        (1, vec![Condition::Status(ValueTest::Eq(DeviceStatus::Frozen))]),
        (1, vec![Condition::Status(ValueTest::Eq(DeviceStatus::Frozen)), one_space()]),
        (40, vec![Condition::Status(ValueTest::Eq(DeviceStatus::Online))]),
        (5, vec![Condition::CreateTime(ValueTest::Lt(time(6)))]),
        (4, vec![Condition::CreateTime(ValueTest::Gt(time(9))), Condition::CreateTime(ValueTest::Lt(time(14)))]),
        (1, vec![Condition::CertificateEnd(ValueTest::Lt(history::not_after(4)))]),
        (0, vec![Condition::CertificateEnd(ValueTest::Lt(history::not_after(3))), one_space()]),
    ] {
        // Fewer are online than the device ids say, or a pass over all would be as good.
        let (status, online) = (|device: &Device| few_online(status(device), &device.id), FewOnline);
        let query = DeviceQuery { any_of: vec![all_of], online: Some(&online), ..DeviceQuery::all(50, &status) };
        let page = open.view.list(&query).unwrap();
        assert_eq!(page.devices, oracle.meant(&query), "{:?}", query.any_of);
        assert_eq!((page.devices.len(), page.rows_read), (found, found as u64), "{:?}", query.any_of);
        assert_eq!(open.view.count(&query), Some(found as u64), "{:?}", query.any_of);
    }
}

#[tokio::test]
async fn devices_of_more_spaces_than_ranges_are_walked_are_all_found_by_state_and_time() {
    let mut history = History::devices(300);
    for (n, record) in history.records.iter_mut().enumerate() {
        if let AnyEvent::Registry(Event::DevicePreRegistered { profile, .. }) = &mut record.event {
            profile.space = history::space_id(n as u64);
        }
    }
    let log = Arc::new(TestLog::of(history.encoded()));
    let folder = tempfile::tempdir().unwrap();
    let open = Open::at(&folder, &log);
    open.running.reached(log.len()).await;
    let oracle = Oracle::of(&history, log.len());
    hear(&open.view, oracle.devices.iter().map(|listed| listed.device.id.clone()));
    let last = history.records.last().unwrap().time;
    let any = |status| Condition::Status(ValueTest::Eq(status));
    for condition in [
        any(DeviceStatus::Inactive),
        any(DeviceStatus::Offline),
        Condition::Status(ValueTest::In(vec![DeviceStatus::Inactive, DeviceStatus::Online])),
        Condition::CreateTime(ValueTest::Lt(last)),
    ] {
        let query =
            DeviceQuery { any_of: vec![vec![condition]], online: Some(&EveryThird), ..DeviceQuery::all(1000, &status) };
        let meant = oracle.meant(&query);
        assert!(meant.len() > 30, "{:?}", query.any_of);
        assert_eq!(open.view.list(&query).unwrap().devices.len(), meant.len(), "{:?}", query.any_of);
        assert_eq!(open.view.count(&query), Some(meant.len() as u64), "{:?}", query.any_of);
    }
}

/// Of [`EveryThird`] the first hundred.
struct FewOnline;

impl Online for FewOnline {
    fn is_online(&self, device: &DeviceId) -> bool {
        device.as_str().len() <= "device-99".len() && EveryThird.is_online(device)
    }

    fn at_most(&self, max: usize) -> Option<Vec<DeviceId>> {
        EveryThird.at_most(max)
    }
}

fn few_online(status: DeviceStatus, device: &DeviceId) -> DeviceStatus {
    if status == DeviceStatus::Online && !FewOnline.is_online(device) { DeviceStatus::Inactive } else { status }
}

#[test]
fn certificate_ids_are_read_as_they_are_given() {
    let id = CertificateId::of(Position(0x1F), &[0xC0; 32]);
    assert_eq!(id.to_bytes(), [0, 0, 0, 0, 0, 0, 0, 0x1F, 0xC0, 0xC0, 0xC0, 0xC0]);
    assert_eq!(CertificateId::from_bytes(&id.to_bytes()), Some(id));
    assert_eq!(CertificateId::from_bytes(&[0; 11]), None);
    assert_eq!(CertificateId::from_bytes(&[0; 13]), None);
}

#[test]
fn what_a_device_does_not_have_is_only_ever_unlike_something() {
    let tests = |value: Option<&str>| {
        let of = |test: TextTest| test.holds(value);
        [
            of(TextTest::Eq("ab".into())),
            of(TextTest::Ne("ab".into())),
            of(TextTest::Prefix("a".into())),
            of(TextTest::In(vec!["ab".into(), "x".into()])),
            of(TextTest::NotIn(vec!["ab".into(), "x".into()])),
        ]
    };
    assert_eq!(tests(Some("ab")), [true, false, true, true, false]);
    assert_eq!(tests(Some("ac")), [false, true, true, false, true]);
    assert_eq!(tests(Some("AB")), [false, true, false, false, true]);
    assert_eq!(tests(None), [false, true, false, false, true]);
}
