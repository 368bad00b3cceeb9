//! Opening again: after a clean close, after a stop between any two writes, after a power cut, with another version,
//! with another log.

use rollcall_log::seal::SealKeys;
use std::sync::{Arc, atomic::Ordering};

use rollcall_domain::{ids::Position, registry::Devices};

use super::{BOUND, Running, assert_equal, config, history, history::History, log::TestLog};
use crate::{
    admission::{Store, ViewHealth},
    rows::SCHEMA,
};

#[tokio::test]
async fn a_reopened_view_goes_on_from_its_position() {
    let history = History::random(11, 200);
    let mut encoded = history.encoded();
    let late = encoded.split_off(150);
    let log = Arc::new(TestLog::of(encoded));
    let folder = tempfile::tempdir().unwrap();
    let running = Running::open(&folder, &log);
    let before = running.reached(Position(150)).await;
    running.close().await;
    let running = Running::open(&folder, &log);
    assert_eq!(running.reached(Position(150)).await.digest, before.digest);
    log.push(late);
    let digest = running.reached(Position(200)).await.digest;
    assert_equal(&running.view, &history, &history.folded(200));
    running.close().await;

    let elsewhere = tempfile::tempdir().unwrap();
    let whole = Running::open(&elsewhere, &log);
    assert_eq!(whole.reached(Position(200)).await.digest, digest, "views at one position have one digest");
}

#[tokio::test]
async fn f15_f16_stopping_between_any_two_writes_comes_to_the_same_view() {
    let history = History::random(13, 50);
    let log = Arc::new(TestLog::of(history.encoded()));
    let reference = history.folded(50);
    for writes in 0.. {
        let folder = tempfile::tempdir().unwrap();
        let stopped = {
            // A view that serves, so that it writes in the order of a live one.
            let live = Arc::new(TestLog::of(Vec::new()));
            let running = Running::open(&folder, &live);
            running.reached(Position::START).await;
            let database = running.store.database();
            database.writes_left.store(writes, Ordering::SeqCst);
            live.push(history.encoded());
            let mut status = running.view.status();
            let ended = status.wait_for(|status| status.health != ViewHealth::Following || status.position == log.len());
            let ended = tokio::time::timeout(BOUND, ended).await.unwrap().unwrap().clone();
            let stopped = ended.position < log.len();
            abandon(running).await;
            put_back(&folder, database).await;
            stopped
        };
        let running = Running::open(&folder, &log);
        running.reached(log.len()).await;
        eprintln!("stopped after {writes} writes");
        assert_equal(&running.view, &history, &reference);
        running.close().await;
        if !stopped {
            assert!(writes > 60, "{writes} writes are all that a history takes");
            break;
        }
    }
}

/// Ends the task without closing anything in order.
pub(super) async fn abandon(running: Running) {
    running.shutdown.cancel();
    let _ = tokio::time::timeout(BOUND, running.view.reached(Position(u64::MAX))).await.unwrap();
}

/// The store has replaced what it took for damaged; what a process killed there would leave is the old database with
/// an unclean marker.
pub(super) async fn put_back(folder: &tempfile::TempDir, database: Arc<crate::files::Database>) {
    let views = config(folder).folder;
    let number = database.number;
    let files = views.join(format!("db-{number}"));
    let copy = views.join("copy");
    database.sync().unwrap();
    copy_folder(&files, &copy);
    drop(database);
    // Every handle is gone now or in a moment; the lock says when.
    let deadline = tokio::time::Instant::now() + BOUND;
    loop {
        match Store::open(&config(folder)) {
            Ok(store) => break drop(store),
            Err(error) => assert!(tokio::time::Instant::now() < deadline, "{error}"),
        }
        tokio::task::yield_now().await;
    }
    for entry in std::fs::read_dir(&views).unwrap().flatten() {
        let name = entry.file_name().into_string().unwrap();
        if name.starts_with("db-") || name.starts_with("quarantine-") {
            std::fs::remove_dir_all(entry.path()).unwrap();
        }
    }
    std::fs::rename(copy, files).unwrap();
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    mark(folder, boot.trim(), number);
}

fn mark(folder: &tempfile::TempDir, boot: &str, number: u64) {
    let text = format!("rollcall-views-1\nboot {boot}\nclean false\ndatabase {number}\n");
    std::fs::write(config(folder).folder.join("marker"), text).unwrap();
}

fn copy_folder(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[tokio::test]
async fn f16_after_a_power_cut_nothing_of_the_view_is_believed() {
    let history = History::random(17, 80);
    let log = Arc::new(TestLog::of(history.encoded()));
    let folder = tempfile::tempdir().unwrap();
    let running = Running::open(&folder, &log);
    let digest = running.reached(log.len()).await.digest;
    running.close().await;
    mark(&folder, "another boot", 1);
    log.reachable(false);
    let running = Running::open(&folder, &log);
    assert_eq!(running.view.status().borrow().position, Position::START);
    assert_eq!(running.view.entry(&history::device(0)), None);
    log.reachable(true);
    assert_eq!(running.reached(log.len()).await.digest, digest);
    assert_equal(&running.view, &history, &history.folded(80));
}

#[tokio::test]
async fn f16_a_log_that_lost_records_or_is_another_one_is_folded_from_its_start() {
    let history = History::random(19, 90);
    let log = Arc::new(TestLog::of(history.encoded()));
    let folder = tempfile::tempdir().unwrap();
    let running = Running::open(&folder, &log);
    running.reached(Position(90)).await;
    log.truncate(70);
    running.until("has the shorter log", |status| status.position == Position(70) && status.caught_up).await;
    assert_equal(&running.view, &history, &history.folded(70));
    let other = History::random(20, 75);
    log.replace(other.encoded());
    running.until("has the other log", |status| status.position == Position(75) && status.caught_up).await;
    assert_equal(&running.view, &other, &other.folded(75));
    running.close().await;

    log.replace(history.encoded());
    let running = Running::open(&folder, &log);
    running.until("has the log of its absence", |status| status.position == Position(90) && status.caught_up).await;
    assert_equal(&running.view, &history, &history.folded(90));
}

#[tokio::test]
async fn a_view_of_an_older_version_is_served_until_the_new_one_has_reached_it() {
    let history = History::random(23, 120);
    let mut encoded = history.encoded();
    let late = encoded.split_off(100);
    let log = Arc::new(TestLog::of(encoded));
    let folder = tempfile::tempdir().unwrap();
    let older = Running::open(&folder, &log);
    let digest = older.reached(Position(100)).await.digest;
    older.close().await;

    log.reachable(false);
    let newer = Running::start(Store::open_as(&config(&folder), SCHEMA + 1, &[SCHEMA]).unwrap(), &log);
    assert_equal(&newer.view, &history, &history.folded(100));
    assert_eq!(newer.view.status().borrow().position, Position(100), "the older one is served");
    let reading = tokio_util::sync::CancellationToken::new();
    let reader = std::thread::spawn({
        let (view, reading, reference, ids) =
            (newer.view.clone(), reading.clone(), history.folded(100), history.device_ids());
        move || {
            let mut rounds = 0;
            while !reading.is_cancelled() || rounds == 0 {
                rounds += 1;
                assert_eq!(*view.configuration(), reference.configuration);
                for id in &ids {
                    assert_eq!(view.entry(id), reference.entry(id), "what is read meanwhile is never half of it");
                }
            }
        }
    });
    log.reachable(true);
    let built = newer.until("has been built", |status| status.caught_up).await;
    reading.cancel();
    reader.join().unwrap();
    assert_eq!((built.position, built.digest), (Position(100), digest));
    log.push(late);
    newer.reached(Position(120)).await;
    assert_equal(&newer.view, &history, &history.folded(120));
    newer.close().await;

    let unable = Running::start(Store::open_as(&config(&folder), SCHEMA + 2, &[]).unwrap(), &log);
    unable.reached(Position(120)).await;
    assert_equal(&unable.view, &history, &history.folded(120));
}

/// Names the folder of a process that is going to be killed.
const VICTIM: &str = "ROLLCALL_TEST_VICTIM_FOLDER";
const KILLED_AT: [usize; 8] = [0, 1, 30, 77, 150, 400, 900, 1500];

#[test]
fn f15_f16_a_killed_process_leaves_a_view_that_goes_on() {
    if std::env::var_os(VICTIM).is_some() {
        return;
    }
    let history = victims_history();
    let log = Arc::new(TestLog::of(history.encoded()));
    let reference = history.folded(history.records.len());
    for killed_at in KILLED_AT {
        eprintln!("killed after {killed_at} records");
        let folder = tempfile::tempdir().unwrap();
        kill_a_victim(folder.path(), killed_at);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let running = Running::open(&folder, &log);
            let found = running.view.status().borrow().clone();
            assert!(found.position <= log.len(), "{found:?}");
            let status = running.reached(log.len()).await;
            assert_equal(&running.view, &history, &reference);
            let digest =
                history.encoded().iter().zip(1..).fold([0; 32], |digest, (record, position)| {
                    rollcall_log::seal::chain(&digest, Position(position), record)
                });
            assert_eq!(status.digest, digest);
            running.close().await;
        });
    }
}

fn victims_history() -> History {
    History::random(41, 2000)
}

/// Runs [`the_victim`] in a process of its own and kills it once it has said that it is so far.
fn kill_a_victim(folder: &std::path::Path, records: usize) {
    let mut child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "tests::reopening::the_victim", "--nocapture"])
        .env(VICTIM, folder)
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let said = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().unwrap()));
    let so_far = said
        .map_while(Result::ok)
        .any(|line| line.strip_prefix("at ").is_some_and(|at| at.parse::<usize>().unwrap() >= records));
    assert!(so_far, "the victim never came so far");
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Not a test by itself: what the one above runs and kills.
#[test]
fn the_victim() {
    let Some(folder) = std::env::var_os(VICTIM) else { return };
    let config = crate::admission::StoreConfig {
        folder: std::path::Path::new(&folder).join("views"),
        cache_bytes_max: 1 << 24,
        directory: false,
        keys: SealKeys::default(),
        retry_seed: 0,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let log = Arc::new(TestLog::of(Vec::new()));
        let running = Running::start(Store::open(&config).unwrap(), &log);
        let mut status = running.view.status();
        for record in victims_history().encoded() {
            log.push([record]);
            let position = log.len();
            status.wait_for(|status| status.position >= position).await.unwrap();
            say(position);
        }
        std::future::pending::<()>().await;
    });
}

#[expect(clippy::print_stdout, reason = "the parent reads it")]
fn say(position: Position) {
    println!("\nat {position}");
}
