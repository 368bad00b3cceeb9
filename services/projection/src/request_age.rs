//! How long after its record the id of a request is known, so that the request, seen again, gets its earlier ruling.
//!
//! Three kinds of ids. One that was drawn for a single request, a UUID of version 7 at its end, is asked under by nothing but that
//! request, and a registrar rules on that no longer than its proof lasts ([`LIFE`]). One that a caller may ask under again, that of an
//! `Idempotency-Key`, is good for [`KEYED_AGE_MAX`]. A name without a digit is the program's own, of what is done once in the life of
//! a fleet: there is a handful, and they stay. Invariant: nothing is forgotten that a registrar must still know.

use std::time::Duration;

use rollcall_domain::{ids::RequestId, time::Timestamp};
use rollcall_log::{
    proof::{CLOCK_AHEAD_MAX, LIFE},
    requests::REQUEST_AGE_MAX,
};
use uuid::{Uuid, Version};

/// How long after its record the id of a single request is known.
const DRAWN_AGE_MAX: Duration = REQUEST_AGE_MAX;
const _: () = assert!(DRAWN_AGE_MAX.as_secs() > LIFE.as_secs() + CLOCK_AHEAD_MAX.as_secs());

/// How long after its record an id is known that a caller may ask under again: a week, since somebody may look on Monday at what
/// failed on Friday.
pub(crate) const KEYED_AGE_MAX: Duration = Duration::from_secs(7 * 24 * 3600);
const _: () = assert!(KEYED_AGE_MAX.as_secs() > DRAWN_AGE_MAX.as_secs());

/// Characters of a UUID with its dashes.
const UUID_CHARS: usize = 36;

/// From when on the id of a request that came to a record at `recorded_at` may be forgotten; `None`: never.
pub(crate) fn forgotten_from(request: &RequestId, recorded_at: Timestamp) -> Option<Timestamp> {
    let age = if is_drawn(request) {
        DRAWN_AGE_MAX
    } else if request.as_str().bytes().any(|byte| byte.is_ascii_digit()) {
        KEYED_AGE_MAX
    } else {
        return None;
    };
    Some(recorded_at.plus_s(i64::try_from(age.as_secs()).unwrap_or(i64::MAX)))
}

fn is_drawn(request: &RequestId) -> bool {
    let text = request.as_str();
    let end = text.len().checked_sub(UUID_CHARS).and_then(|from| text.get(from..));
    end.and_then(|end| Uuid::parse_str(end).ok()).is_some_and(|uuid| uuid.get_version() == Some(Version::SortRand))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_known_for_as_long_as_it_may_be_asked_under() {
        let drawn = format!("api-{}", uuid::Builder::from_unix_timestamp_millis(1, &[0; 10]).into_uuid());
        let keyed = format!("api-{}-0", "7".repeat(64));
        // Not of version 7, which says when it was drawn.
        let given = "api-4bf92f35-77b3-4da6-a3ce-929d0e0e4736".to_owned();
        let day = 24 * 3600;
        let cases =
            [(drawn, Some(day)), (keyed, Some(7 * day)), (given, Some(7 * day)), ("first-start-operator".to_owned(), None)];
        for (id, age_s) in cases {
            let from = forgotten_from(&RequestId::parse(&id).unwrap(), Timestamp::from_unix_s(5));
            assert_eq!(from, age_s.map(|age_s| Timestamp::from_unix_s(5 + age_s)), "{id}");
        }
    }
}
