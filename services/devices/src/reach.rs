//! Which connectors have what was just written, and which cannot be counted on to have it.
//!
//! Does nothing about it. A connector says with each heartbeat how far its view is and how old; one whose heartbeats
//! have ended is remembered for a while: it may be gone, or cut off with devices on it.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use rollcall_domain::{ids::ConnectorId, ids::Position, time::Timestamp};
use rollcall_log::{
    presence::{Beat, ConnectorBeat, HEARTBEAT},
    seal::Point,
};
use rollcall_projection::freshness::FRESH_MAX;

/// Heartbeats that may be missing before a connector is out of reach.
const HEARTBEATS_MISSED_MAX: u32 = 2;
/// How long a connector that has fallen silent is remembered.
const SILENT_KEPT: Duration = Duration::from_secs(15 * 60);
/// Most of them.
const SILENT_MAX: usize = 256;

/// Connectors that were heard of, and when that was last or their silence was noticed.
#[derive(Default)]
pub struct Silent(Mutex<BTreeMap<ConnectorId, Timestamp>>);

impl Silent {
    /// A connector was heard of, or its heartbeats have ended.
    pub fn note(&self, connectors: impl IntoIterator<Item = ConnectorId>, now: Timestamp) {
        let mut silent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        silent.extend(connectors.into_iter().map(|connector| (connector, now)));
        silent.retain(|_, since| passed(*since, now) <= SILENT_KEPT);
        while silent.len() > SILENT_MAX {
            let oldest = silent.iter().min_by_key(|(_, since)| **since).map(|(connector, _)| connector.clone());
            oldest.and_then(|connector| silent.remove(&connector));
        }
    }

    /// Those that are silent still.
    fn but(&self, heard: &[ConnectorBeat], now: Timestamp) -> Vec<ConnectorId> {
        let mut silent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        silent.retain(|_, since| passed(*since, now) <= SILENT_KEPT);
        let is_silent = |connector: &&ConnectorId| !heard.iter().any(|heard| heard.connector == **connector);
        silent.keys().filter(is_silent).cloned().collect()
    }
}

/// The connectors that cannot be counted on to have, or to get soon, the record that was just written at `position`: silent,
/// late with a heartbeat, not confirmed by a registrar, or heard of since the record and still before it.
pub fn out_of_reach(
    silent: &Silent,
    heard: &[ConnectorBeat],
    (position, written_at): (Position, Timestamp),
    now: Timestamp,
) -> Vec<ConnectorId> {
    let late = HEARTBEAT * HEARTBEATS_MISSED_MAX;
    let unreached = |heard: &&ConnectorBeat| {
        let Beat { position: reached, age_ms, .. } = heard.beat;
        let unconfirmed = age_ms.is_some_and(|age_ms| Duration::from_millis(age_ms) > FRESH_MAX);
        let behind = reached < position && passed(written_at, heard.at) > HEARTBEAT;
        passed(heard.at, now) > late || unconfirmed || behind
    };
    let mut found: Vec<_> = heard.iter().filter(unreached).map(|heard| heard.connector.clone()).collect();
    found.extend(silent.but(heard, now));
    found.sort();
    found.dedup();
    found
}

/// Whether a connector's view of a log has the digest of this process's; `None` while they are not at one position.
pub fn agrees((position, digest): (Position, [u8; 32]), own: Point) -> Option<bool> {
    (position == own.position).then_some(digest == own.digest)
}

fn passed(from: Timestamp, to: Timestamp) -> Duration {
    Duration::from_millis(u64::try_from(to.unix_ms().saturating_sub(from.unix_ms())).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connector_that_may_not_have_it_is_named() {
        let (now, at) = (Timestamp::from_unix_ms(100_000), |ms: i64| Timestamp::from_unix_ms(ms));
        let beat = |name: &str, position: u64, age_ms: Option<u64>, ms: i64| ConnectorBeat {
            connector: ConnectorId::parse(name).unwrap(),
            beat: Beat { position: Position(position), age_ms, ..Beat::default() },
            at: at(ms),
        };
        let silent = Silent::default();
        silent.note(["silent", "back"].map(|name| ConnectorId::parse(name).unwrap()), at(90_000));
        let heard = [
            beat("back", 9, Some(0), 99_500),
            beat("before-it", 8, Some(0), 99_500),
            beat("late", 9, Some(0), 95_000),
            beat("old", 9, Some(60_000), 99_500),
            beat("of-0-1", 8, None, 99_500),
        ];
        let names = |written_ms| {
            let found = out_of_reach(&silent, &heard, (Position(9), at(written_ms)), now);
            found.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        // Heard of before the record: they have it in a moment.
        assert_eq!(names(99_900), ["late", "old", "silent"]);
        // Heard of long after, and still before it.
        assert_eq!(names(90_000), ["before-it", "late", "of-0-1", "old", "silent"]);
        let much_later = at(90_000 + 16 * 60 * 1000);
        assert_eq!(out_of_reach(&silent, &[], (Position(9), much_later), much_later), []);
    }
}
