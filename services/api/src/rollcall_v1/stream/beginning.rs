//! Where a stream begins, and what of that which was asked for may be missing.

use std::sync::Arc;

use rollcall_domain::ids::{Incarnation, Position};
use rollcall_log::attempts::ATTEMPTS_MAX;
use serde::Serialize;

use super::{Kind, marker::Marker};
use crate::{
    http::error::ApiError,
    instances::{recent_attempts::KeptAttempts, served::ServedInstance},
};

/// Something may have been missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Gap {
    kind: Kind,
    reason: &'static str,
    message: &'static str,
}

impl Gap {
    pub(super) const NOT_REPLAYED: Self = Self {
        kind: Kind::Presence,
        reason: "not_replayed",
        message: "who came and went meanwhile is kept nowhere: read who is online now",
    };
    pub(super) const LAGGED: Self = Self {
        kind: Kind::Presence,
        reason: "lagged",
        message: "more came and went than this process keeps for a stream: read who is online now",
    };
    const FORGOTTEN: Self = Self {
        kind: Kind::Refusal,
        reason: "forgotten",
        message: "refusals that came after the marker may have been pushed out: read the attempts that are kept",
    };

    /// The marker is of another log than the one that there is.
    pub(super) const fn another_log(kind: Kind) -> Self {
        Self { kind, reason: "another_log", message: "the marker is of another log: read anew what there is" }
    }
}

/// The marker to begin at, and what may be missing.
///
/// # Errors
/// The backbone's.
pub(super) async fn beginning(
    instance: &Arc<ServedInstance>,
    incarnation: Incarnation,
    kinds: &[Kind],
    asked: Option<Marker>,
) -> Result<(Marker, Vec<Gap>), ApiError> {
    let (log, incarnation) = (instance.log(), Marker::part(incarnation));
    let kept = match kinds.contains(&Kind::Refusal) {
        true => Some(instance.attempts.kept(&*instance.backbone.attempts, &log).await?),
        false => None,
    };
    // What a list shows is up to here: a client that reads one and then follows misses nothing.
    let reached = instance.view.admission().status().borrow().position;
    let now = Marker { incarnation, events: reached, refusals: kept.map(|kept| kept.last) };
    let Some(asked) = asked else { return Ok((now, Vec::new())) };
    if asked.incarnation != incarnation {
        return Ok((now, kinds.iter().map(|kind| Gap::another_log(*kind)).collect()));
    }
    // What is not followed this time may be the next.
    let (mut begin, mut gaps) = (Marker { refusals: now.refusals.or(asked.refusals), ..now }, Vec::new());
    // The view may be behind where another process was; the log is not.
    if asked.events <= reached || asked.events <= instance.backbone.log.last(&log).await? {
        begin.events = asked.events;
    } else if kinds.contains(&Kind::Event) {
        gaps.push(Gap::another_log(Kind::Event));
    }
    if let Some((kept, after)) = kept.zip(asked.refusals) {
        let is_there = after != Position::START && is_kept(instance, after).await?;
        let (after, gap) = refusals(after, is_there, kept);
        begin.refusals = Some(after);
        gaps.extend(gap);
    }
    if kinds.contains(&Kind::Presence) {
        gaps.push(Gap::NOT_REPLAYED);
    }
    Ok((begin, gaps))
}

/// Whether the attempt at a position is kept.
async fn is_kept(instance: &ServedInstance, position: Position) -> Result<bool, ApiError> {
    let before = Position(position.0.saturating_sub(1));
    let first = instance.backbone.attempts.read(&instance.log(), before, 1).await?.pop();
    Ok(first.is_some_and(|first| first.position == position))
}

/// After which position to read refusals. The oldest go first, so that none after one that is kept has gone.
fn refusals(asked: Position, is_there: bool, kept: KeptAttempts) -> (Position, Option<Gap>) {
    if asked > kept.last {
        return (kept.last, Some(Gap::another_log(Kind::Refusal)));
    }
    // From before the first one: then none has gone while there is room for all.
    let whole = is_there || asked == kept.last || (asked == Position::START && kept.count < ATTEMPTS_MAX);
    (asked, (!whole).then_some(Gap::FORGOTTEN))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_go_on_where_they_were_or_say_that_some_may_be_missing() {
        let kept = |count| KeptAttempts { last: Position(20), count };
        let begun = |asked, is_there, count| refusals(Position(asked), is_there, kept(count));
        assert_eq!(begun(12, true, 10), (Position(12), None));
        assert_eq!(begun(12, false, 10), (Position(12), Some(Gap::FORGOTTEN)));
        assert_eq!(begun(20, false, 0), (Position(20), None), "nothing came after it");
        assert_eq!(begun(0, false, 20), (Position(0), None));
        assert_eq!(begun(0, false, ATTEMPTS_MAX), (Position(0), Some(Gap::FORGOTTEN)));
        assert_eq!(begun(21, false, 20), (Position(20), Some(Gap::another_log(Kind::Refusal))));
    }
}
