//! Where each request to the fleet came to a record: how a request seen again gets its earlier ruling.
//!
//! Invariant: an id is known until [`forgotten_from`], and not much longer: what is older goes with the next record.

use std::collections::{BTreeMap, BTreeSet};

use rollcall_domain::{
    ids::{Position, RequestId},
    time::Timestamp,
};

use crate::request_age::forgotten_from;

/// Positions by request id.
#[derive(Clone, Debug, Default)]
pub struct Ruled {
    known: BTreeMap<RequestId, Known>,
    /// What is known for a time only, by its end.
    ends: BTreeSet<(Timestamp, RequestId)>,
}

#[derive(Clone, Debug)]
struct Known {
    position: Position,
    until: Option<Timestamp>,
}

impl Ruled {
    /// The record that a request came to, if it came to one and is known.
    pub fn get(&self, request: &RequestId) -> Option<&Position> {
        self.known.get(request).map(|known| &known.position)
    }

    /// The first known request at or after a text, by the order of texts.
    pub fn first_from(&self, text: &str) -> Option<RequestId> {
        let from = RequestId::parse(text).ok()?;
        self.known.range(from..).next().map(|(id, _)| id.clone())
    }

    pub fn contains_key(&self, request: &RequestId) -> bool {
        self.known.contains_key(request)
    }

    /// Remembers that a request came to the record at `position`, and forgets what is too old beside it.
    pub(super) fn insert(&mut self, request: RequestId, position: Position, time: Timestamp) {
        while self.ends.first().is_some_and(|(until, _)| *until < time)
            && let Some((_, forgotten)) = self.ends.pop_first()
        {
            self.known.remove(&forgotten);
        }
        let until = forgotten_from(&request, time);
        let before = self.known.insert(request.clone(), Known { position, until });
        // Asked under again after it was ruled on: it is known from the later record on.
        if let Some(until) = before.and_then(|known| known.until) {
            self.ends.remove(&(until, request.clone()));
        }
        self.ends.extend(until.map(|until| (until, request)));
    }
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

    /// The id of the `n`th `Idempotency-Key`.
    fn keyed(n: u64) -> RequestId {
        id(&format!("api-{n:064x}-0"))
    }

    #[test]
    fn ids_of_single_requests_are_known_for_a_day_and_no_longer() {
        let mut ruled = Ruled::default();
        // Two an hour, for a year.
        for n in 0..365 * 48_u64 {
            ruled.insert(drawn(n), Position(n + 1), Timestamp::from_unix_s(i64::try_from(n).unwrap() * 1800));
            assert!(ruled.known.len() <= 49 && ruled.ends.len() <= 49, "{}", ruled.known.len());
        }
        let last = 365 * 48 - 1;
        assert_eq!(ruled.get(&drawn(last - 48)), Some(&Position(last - 47)), "a day old");
        assert_eq!(ruled.get(&drawn(last - 49)), None);
    }

    #[test]
    fn ids_that_may_be_asked_under_again_are_known_for_a_week_and_the_programs_own_for_ever() {
        let mut ruled = Ruled::default();
        ruled.insert(id("first-administrator"), Position(1), Timestamp::from_unix_s(0));
        // One an hour, for a year.
        for n in 0..365 * 24_u64 {
            ruled.insert(keyed(n), Position(n + 2), Timestamp::from_unix_s(i64::try_from(n).unwrap() * 3600));
            assert!(ruled.known.len() <= 7 * 24 + 2 && ruled.ends.len() <= 7 * 24 + 1, "{}", ruled.known.len());
        }
        let last = 365 * 24 - 1;
        assert_eq!(ruled.get(&keyed(last - 7 * 24)), Some(&Position(last - 7 * 24 + 2)), "a week old");
        assert_eq!(ruled.get(&keyed(last - 7 * 24 - 1)), None);
        assert!(ruled.contains_key(&id("first-administrator")));
        assert_eq!(ruled.first_from(&format!("api-{last:064x}")), Some(keyed(last)));
        assert_eq!(ruled.first_from("first-"), Some(id("first-administrator")));
        assert_eq!(ruled.first_from("g"), None);
    }

    #[test]
    fn an_id_that_came_to_another_record_is_known_from_that_one_on() {
        let mut ruled = Ruled::default();
        for (day, position) in [(0, 1), (6, 2)] {
            ruled.insert(keyed(1), Position(position), Timestamp::from_unix_s(day * DAY_S));
        }
        ruled.insert(keyed(2), Position(3), Timestamp::from_unix_s(8 * DAY_S));
        assert_eq!(ruled.get(&keyed(1)), Some(&Position(2)));
        assert_eq!(ruled.ends.len(), 2);
    }

    #[test]
    fn a_clock_that_was_set_back_forgets_nothing_too_early() {
        let mut ruled = Ruled::default();
        ruled.insert(drawn(1), Position(1), Timestamp::from_unix_s(10 * DAY_S));
        ruled.insert(drawn(2), Position(2), Timestamp::from_unix_s(0));
        ruled.insert(drawn(3), Position(3), Timestamp::from_unix_s(DAY_S - 1));
        assert_eq!(ruled.known.len(), 3);
        ruled.insert(drawn(4), Position(4), Timestamp::from_unix_s(12 * DAY_S));
        assert_eq!(ruled.known.len(), 1);
    }
}
