//! Where each request to the fleet came to a record: how a request seen again gets its earlier ruling.
//!
//! Two kinds of ids. One that was drawn for a single request, a UUID of version 7 at its end, is asked under by nothing but that
//! request, and a registrar rules on that no longer than its proof lasts ([`LIFE`]): it is forgotten [`REQUEST_AGE_MAX`] after its
//! record. Every other id may be asked under at any time: that of an `Idempotency-Key`, for which no end is promised, and the
//! fixed ones of what is done once in a fleet's life. Those stay. Invariant: nothing that a registrar can still be asked is
//! forgotten.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use rollcall_domain::{
    ids::{Position, RequestId},
    time::Timestamp,
};
use rollcall_log::{
    proof::{CLOCK_AHEAD_MAX, LIFE},
    requests::REQUEST_AGE_MAX,
};
use uuid::{Uuid, Version};

/// How long after its record the id of a single request is known.
const DRAWN_AGE_MAX: Duration = REQUEST_AGE_MAX;
const _: () = assert!(DRAWN_AGE_MAX.as_secs() > LIFE.as_secs() + CLOCK_AHEAD_MAX.as_secs());

/// Characters of a UUID with its dashes.
const UUID_CHARS: usize = 36;

/// Positions by request id.
#[derive(Clone, Debug, Default)]
pub struct Ruled {
    positions: BTreeMap<RequestId, Position>,
    /// The ids of single requests that are known, with the times of their records, oldest first.
    drawn: VecDeque<(Timestamp, RequestId)>,
}

impl Ruled {
    /// The record that a request came to, if it came to one and is known.
    pub fn get(&self, request: &RequestId) -> Option<&Position> {
        self.positions.get(request)
    }

    pub fn contains_key(&self, request: &RequestId) -> bool {
        self.positions.contains_key(request)
    }

    /// Remembers that a request came to the record at `position`, and forgets what is too old beside it.
    pub(super) fn insert(&mut self, request: RequestId, position: Position, time: Timestamp) {
        let oldest = time.plus_s(-i64::try_from(DRAWN_AGE_MAX.as_secs()).unwrap_or(i64::MAX));
        while let Some((_, forgotten)) = self.drawn.pop_front_if(|(ruled_at, _)| *ruled_at < oldest) {
            self.positions.remove(&forgotten);
        }
        if is_drawn(&request) {
            self.drawn.push_back((time, request.clone()));
        }
        self.positions.insert(request, position);
    }
}

fn is_drawn(request: &RequestId) -> bool {
    let text = request.as_str();
    let end = text.len().checked_sub(UUID_CHARS).and_then(|from| text.get(from..));
    end.and_then(|end| Uuid::parse_str(end).ok()).is_some_and(|uuid| uuid.get_version() == Some(Version::SortRand))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY_S: i64 = 24 * 3600;

    fn id(text: &str) -> RequestId {
        RequestId::parse(text).unwrap()
    }

    /// The `n`th id that is drawn for a single request.
    fn drawn(n: u64) -> RequestId {
        let random = u128::from(n).to_be_bytes();
        let uuid = uuid::Builder::from_unix_timestamp_millis(n, random.last_chunk().unwrap()).into_uuid();
        id(&format!("api-{uuid}"))
    }

    #[test]
    fn ids_of_single_requests_are_known_for_a_day_and_no_longer() {
        let mut ruled = Ruled::default();
        // Two an hour, for a year.
        for n in 0..365 * 48_u64 {
            ruled.insert(drawn(n), Position(n + 1), Timestamp::from_unix_s(i64::try_from(n).unwrap() * 1800));
            assert!(ruled.positions.len() <= 49 && ruled.drawn.len() <= 49, "{}", ruled.positions.len());
        }
        let last = 365 * 48 - 1;
        assert_eq!(ruled.get(&drawn(last - 48)), Some(&Position(last - 47)), "a day old");
        assert_eq!(ruled.get(&drawn(last - 49)), None);
    }

    #[test]
    fn ids_that_may_be_asked_under_again_are_known_for_ever() {
        let mut ruled = Ruled::default();
        let keyed = id(&format!("api-{}-0", "7".repeat(64)));
        // Not of version 7, which says when it was drawn.
        let given = id("api-4bf92f35-77b3-4da6-a3ce-929d0e0e4736");
        for (kept, position) in [(&keyed, 1), (&id("first-administrator"), 2), (&given, 3)] {
            ruled.insert(kept.clone(), Position(position), Timestamp::from_unix_s(0));
        }
        for n in 0..1000 {
            let time = Timestamp::from_unix_s(i64::try_from(n).unwrap() * DAY_S);
            ruled.insert(drawn(n), Position(n + 4), time);
        }
        assert_eq!(ruled.get(&keyed), Some(&Position(1)));
        assert!(ruled.contains_key(&id("first-administrator")) && ruled.contains_key(&given));
        assert_eq!(ruled.positions.len(), 3 + 2);
    }

    #[test]
    fn a_clock_that_was_set_back_forgets_nothing_too_early() {
        let mut ruled = Ruled::default();
        ruled.insert(drawn(1), Position(1), Timestamp::from_unix_s(10 * DAY_S));
        ruled.insert(drawn(2), Position(2), Timestamp::from_unix_s(0));
        ruled.insert(drawn(3), Position(3), Timestamp::from_unix_s(DAY_S - 1));
        assert_eq!(ruled.positions.len(), 3);
        ruled.insert(drawn(4), Position(4), Timestamp::from_unix_s(12 * DAY_S));
        assert_eq!(ruled.positions.len(), 1);
    }
}
