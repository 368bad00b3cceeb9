//! Flipped bytes: whatever they hit, the view heals to the same digest, never panics outside, never admits a device that
//! the log does not have.

use rollcall_domain::ids::Incarnation;
use std::{fs, path::PathBuf, sync::Arc};

use rollcall_domain::{ids::Position, registry::Devices};

use super::{Running, assert_equal, config, history::History, instance, log::TestLog};
use crate::{admission::Store, files::generations, rows::Rows};

/// Places in the files that are damaged, spread evenly, each in a run of its own.
const PLACES: usize = 60;

#[tokio::test]
async fn f16_f21_flipped_bytes_heal_to_the_same_view() {
    let history = History::random(31, 400);
    let log = Arc::new(TestLog::of(history.encoded()));
    let reference = history.folded(400);
    let pristine = tempfile::tempdir().unwrap();
    let running = Running::open(&pristine, &log);
    let digest = running.reached(log.len()).await.digest;
    running.close().await;
    let files = files(&config(&pristine).folder);
    // sled's segments are mostly empty: damage what is written.
    let written: Vec<u64> =
        files.iter().flat_map(|(_, bytes)| bytes).zip(0..).filter(|(byte, _)| **byte != 0).map(|(_, at)| at).collect();
    for place in 0..PLACES {
        let folder = tempfile::tempdir().unwrap();
        write(&config(&folder).folder, &files, written[written.len() * place / PLACES]);
        log.reachable(false);
        let running = Running::open(&folder, &log);
        for device in history.device_ids() {
            let entry = running.view.entry(&device);
            assert!(entry.is_none() || entry == reference.entry(&device), "place {place}: {entry:?} was never in the log");
        }
        log.reachable(true);
        let healed = running.until("has healed", |status| status.position == log.len() && status.caught_up).await;
        assert_eq!(healed.digest, digest, "place {place}");
        assert_equal(&running.view, &history, &reference);
        running.close().await;
    }
}

#[tokio::test]
async fn a_lookup_that_meets_damage_finds_nothing_and_the_view_is_built_again() {
    let history = History::devices(30);
    let log = Arc::new(TestLog::of(history.encoded()));
    let folder = tempfile::tempdir().unwrap();
    let running = Running::open(&folder, &log);
    let before = running.reached(log.len()).await;
    let victim = super::history::device(7);
    damage(&running.store, &victim);
    assert_eq!(running.view.entry(&victim), None);
    assert_eq!(running.view.lookups_damaged(), 1);
    assert!(running.view.entry(&super::history::device(8)).is_some(), "the others stay known meanwhile");
    let mut status = running.view.status();
    let healed = async {
        while running.view.entry(&victim).is_none() {
            status.changed().await.unwrap();
        }
    };
    tokio::time::timeout(super::BOUND, healed).await.expect("the view heals");
    let after = running.reached(log.len()).await;
    assert_eq!(after.digest, before.digest);
    assert_eq!(running.view.count(), 30);
    running.close().await;
    let quarantined = fs::read_dir(config(&folder).folder).unwrap().flatten();
    let quarantined = quarantined.filter(|entry| entry.file_name().to_string_lossy().starts_with("quarantine-")).count();
    assert_eq!(quarantined, 1);
}

/// Overwrites a row's bytes below the guard.
fn damage(store: &Store, device: &rollcall_domain::ids::DeviceId) {
    let database = store.database();
    let generation = generations::generations(&database, &instance(), Incarnation::NIL).unwrap().serving.unwrap();
    let rows = Rows { database, generation };
    rows.damage(device);
    assert!(rows.entry(device).is_err());
}

fn files(folder: &std::path::Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(inner) = folders.pop() {
        for entry in fs::read_dir(folder.join(&inner)).unwrap().flatten() {
            let name = inner.join(entry.file_name());
            if entry.path().is_dir() {
                folders.push(name);
            } else {
                found.push((name, fs::read(entry.path()).unwrap()));
            }
        }
    }
    found.sort();
    found
}

fn write(folder: &std::path::Path, files: &[(PathBuf, Vec<u8>)], mut place: u64) {
    for (name, bytes) in files {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let mut bytes = bytes.clone();
        let here = usize::try_from(place).ok().filter(|place| *place < bytes.len());
        for byte in here.into_iter().flat_map(|place| place..(place + 8).min(bytes.len())).collect::<Vec<_>>() {
            bytes[byte] ^= 0x5A;
        }
        place = if here.is_some() { u64::MAX } else { place.saturating_sub(bytes.len() as u64) };
        fs::write(path, bytes).unwrap();
    }
}

#[tokio::test]
async fn an_empty_store_starts_at_the_beginning() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(config(&folder).folder).unwrap();
    fs::write(config(&folder).folder.join("marker"), [0xFF; 40]).unwrap();
    let running = Running::open(&folder, &Arc::new(TestLog::of(Vec::new())));
    assert_eq!(running.reached(Position::START).await.position, Position::START);
}
